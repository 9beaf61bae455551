"""How Ganeti's series keep a device's place, and how stock is told of ours.

One class for each kind of record; L{hypervisor} mixes in the one that the
imported Ganeti calls for. Each answers the same questions:

  - C{_HasPlace}, C{_SetPlace}, C{_DropPlace}: a device's place in the record
  - C{_GIVES_SLOTS_TO_ALL}: whether a hot-added device goes to pci.0 whatever
    the instance's disk_type
  - C{_Offering}: a context in which stock's hot-add takes the chosen slot

and lends stock's own allocation at a start, which runs before ours and is
thrown away, so many slots that it cannot run out first.

"""

# Mixins: what they call up to is stock's, and so are the names.
# pylint: disable=no-member,invalid-name

import contextlib

from . import address
from . import partition

#: 16 disks and 8 NICs beside any kvm_pci_reservations.
_AMPLE_SLOTS = 64


class HvinfoKind(object):
  """The place is C{device.hvinfo}; slots come from C{_GetBusSlots}.

  Ganeti 2.16 to 3.1.

  """
  _GIVES_SLOTS_TO_ALL = False

  # The one slot that stock may see free while it adds a device
  _slot_to_give = None

  @staticmethod
  def _HasPlace(device):
    return bool(device.hvinfo)

  @staticmethod
  def _SetPlace(device, slot):
    device.hvinfo["addr"] = address.unparse(slot)

  @staticmethod
  def _DropPlace(device):
    # stock gives IDE disks and ISA NICs an address on a bus they are not on,
    # and an ISA NIC that has one does not start; their id is needed (3.1)
    if device.hvinfo.get("bus") == address.BUS:
      del device.hvinfo["bus"]
      del device.hvinfo["addr"]

  @contextlib.contextmanager
  def _Offering(self, device, slot): # pylint: disable=unused-argument
    self._slot_to_give = slot
    try:
      yield
    finally:
      self._slot_to_give = None

  def _GetBusSlots(self, hvp=None, runtime=None):
    """Decide what stock's allocation finds free.

    """
    slots = super(HvinfoKind, self)._GetBusSlots(hvp, runtime)
    if self._slot_to_give is not None:
      slots[address.BUS].setall(True)
      slots[address.BUS][self._slot_to_give] = False
    elif runtime is None and partition.applies(hvp or {}):
      for bits in slots.values():
        bits.extend([False] * _AMPLE_SLOTS)
    return slots


class BusManagerKind(HvinfoKind):
  """The place is C{device.hvinfo}; slots come from C{_get_bus_manager}.

  Ganeti's master, 3.2.0~alpha1.

  """
  def _get_bus_manager(self, hvp=None, runtime=None):
    """Decide what stock's allocation finds free.

    """
    manager = super(BusManagerKind, self)._get_bus_manager(hvp, runtime)
    if not partition.applies(hvp or {}):
      return manager
    for name, allocator in list(manager.allocators.items()):
      if name == "pci" and self._slot_to_give is not None:
        manager.allocators[name] = type(allocator)(
          max_slots=self._slot_to_give + 1, reserved_slots=self._slot_to_give)
      elif name == "pci" or runtime is None:
        # stock asks for a slot also when it modifies a NIC, which has one
        manager.allocators[name] = type(allocator)(
          max_slots=_AMPLE_SLOTS + address.SLOTS, reserved_slots=0)
    return manager


class PciKind(object):
  """The place is C{device.pci}, an int.

  Ganeti 2.10 to 2.15.

  """
  # Its hotplug adds virtio devices whatever the parameters say
  _GIVES_SLOTS_TO_ALL = True

  @staticmethod
  def _HasPlace(device):
    return device.pci is not None

  @staticmethod
  def _SetPlace(device, slot):
    device.pci = slot

  @staticmethod
  def _DropPlace(device):
    device.pci = None

  @staticmethod
  @contextlib.contextmanager
  def _Offering(device, slot):
    device.pci = slot
    yield

  @property
  def _DEFAULT_PCI_RESERVATIONS(self):
    """Widen the bits that stock allocates from at a start."""
    bits = super(PciKind, self)._DEFAULT_PCI_RESERVATIONS
    return bits + "0" * _AMPLE_SLOTS


class HmpKind(PciKind):
  """As L{PciKind}, but hotplug is verified by the text of C{info pci}.

  Ganeti 2.10 to 2.12. Its pattern misses the virtio devices of QEMU 2.0 and
  later, so that every hot-add would count as failed, and a hot-remove as done
  before it is.

  """
  def _VerifyHotplugCommand(self, instance_name, device, dev_type,
                            should_exist):
    """Verify with C{query-pci} what stock would with C{info pci}.

    """
    # in these series, the type is "hotdisk" or "hotnic"
    device_id = "%s-%s-pci-%d" % (dev_type.lower(), device.uuid.split("-")[0],
                                  device.pci)
    self._AwaitDevice(instance_name, device_id, should_exist)
