#
#

# Copyright (C) 2026 the Ganeti project
# All rights reserved.
#
# Redistribution and use in source and binary forms, with or without
# modification, are permitted provided that the following conditions are
# met:
#
# 1. Redistributions of source code must retain the above copyright notice,
# this list of conditions and the following disclaimer.
#
# 2. Redistributions in binary form must reproduce the above copyright
# notice, this list of conditions and the following disclaimer in the
# documentation and/or other materials provided with the distribution.
#
# THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS
# IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED
# TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR
# PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
# CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL,
# EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
# PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
# PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF
# LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
# NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS
# SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

"""How Ganeti's releases keep a device's address in the runtime file.

One class for each way; L{versions} tells which one the imported Ganeti needs.
Each answers the same questions:

  - C{_HasAddress}, C{_GetAddress}, C{_SetAddress}, C{_DropAddress},
    C{_ShowAddress}: a device's address
  - C{_Slot}: the slot in it, or None
  - C{_DeviceId}, C{_RenewId}, C{_KeepId}: QEMU's id of a device
  - C{_SetIndex}: its number, see L{acpi_index}
  - C{_CloseDescriptors}: closes what was passed for a NIC and not used
  - C{_Listening}: what lets a hot-add read the human monitor's replies
  - C{_KEEPS_BUSES}: whether a device can be on a root port of q35
  - C{_GIVES_SLOTS_TO_ALL}: whether a hot-added device goes to pci.0 whatever
    the instance's disk_type

and lends upstream's own allocation at a start, which runs before ours and is
thrown away, so many slots that it cannot run out first.

"""

# Mixins of whichever Ganeti is imported, so super() is said to have no members;
# the names are Ganeti's.
# pylint: disable=invalid-name

import logging
import shlex

from . import chipset
from .bus import address
from .bus import pools
from .bus import root_ports
from .bus import scsi_ids
from .qemu import ids
from .qmp import backends
from .runtime import device_table

#: 16 disks and 8 NICs beside any kvm_pci_reservations.
_AMPLE_SLOTS = 64

#: The bus types whose allocators are made with a number of slots.
_SLOT_ALLOCATORS = frozenset(["pci", "scsi"])


class _Compat(object):
  """What most of them have in common."""

  def _CloseDescriptors(self, instance, execute, device_id):
    """Close what was passed for a NIC and not used.

    """
    closed = backends.close_descriptors(execute, device_id)
    if closed:
      logging.info("Instance %s: closed %s", instance.name, ", ".join(closed))

  @staticmethod
  def _Listening(_ask):
    """Tell what upstream's hot-add must have replaced to notice a refusal.

    @param _ask: function(line) that has QEMU's human monitor run a command,
        through the connection that upstream has open; raises L{CommandError}
    @rtype: dict
    @return: methods by name; none where all goes by QMP, whose client raises
        what QEMU refused (2.13 to 2.15, 3.1, master)

    """
    return {}


class HvinfoCompat(_Compat):
  """The address is C{device.hvinfo}; slots are those of C{_GetBusSlots}.

  Ganeti 2.16 to 3.1. Its hot-add takes a C{hvinfo} that is there.

  """
  _GIVES_SLOTS_TO_ALL = False
  _KEEPS_BUSES = True

  @staticmethod
  def _Listening(ask):
    """Have C{drive_add}, which 2.16 and 3.0 give, answered.

    """
    # pylint: disable=unused-argument
    def _CallMonitorCommand(name, command, timeout=None):
      for line in ask(command):
        logging.warning("Instance %s: QEMU says to %s: %s", name,
                        command.split(" ")[0], line)

    return {"_CallMonitorCommand": _CallMonitorCommand}

  @staticmethod
  def _HasAddress(device):
    return bool(device.hvinfo)

  @staticmethod
  def _GetAddress(device):
    return device.hvinfo

  @staticmethod
  def _SetAddress(device_class, device, hvparams, partition, slot):
    device.hvinfo = {
      "driver": device_table.driver(device_class, hvparams),
      "id": ids.new_id(device_class, device.uuid),
      }
    device.hvinfo.update(partition.location(slot, device_class))

  @staticmethod
  def _SetIndex(device, number):
    if number:
      device.hvinfo["acpi-index"] = number

  @staticmethod
  def _SetScsiAddress(device, hvparams, number):
    device.hvinfo = {
      "driver": hvparams["disk_type"],
      "id": ids.new_id(pools.DISK, device.uuid),
      "bus": scsi_ids.BUS,
      "channel": 0,
      "scsi-id": number,
      "lun": 0,
      }

  @staticmethod
  def _DropAddress(device):
    # upstream gives IDE disks and ISA NICs an address on a bus they are not on,
    # and an ISA NIC that has one does not start; their id is needed (3.1)
    if root_ports.slot_in(device.hvinfo) is not None:
      del device.hvinfo["bus"]
      device.hvinfo.pop("addr", None)

  @staticmethod
  def _ShowAddress(device):
    if device.hvinfo.get("bus") == scsi_ids.BUS:
      return "scsi-id %s" % device.hvinfo.get("scsi-id")
    return root_ports.show(root_ports.unit_of(device.hvinfo.get("bus")),
                           root_ports.slot_in(device.hvinfo))

  @staticmethod
  def _Slot(device):
    return root_ports.slot_in(device.hvinfo)

  @staticmethod
  def _KeepId(device, device_id):
    device.hvinfo["id"] = device_id

  @staticmethod
  def _DeviceId(_, device):
    hvinfo = device.hvinfo or {}
    if hvinfo.get("bus") == scsi_ids.BUS or \
        root_ports.slot_in(hvinfo) is not None:
      return hvinfo.get("id")
    return None

  @staticmethod
  def _RenewId(device_class, device):
    device.hvinfo["id"] = ids.new_id(device_class, device.uuid)

  @staticmethod
  def _Words(kvm_extra):
    """Split C{kvm_extra} as upstream does."""
    return kvm_extra.split(" ")

  def _IsOurs(self, hvp, runtime):
    """Tell whether the bus that upstream allocates from is partitioned.

    At a start, upstream allocates before there is a command.

    """
    if runtime:
      return chipset.applies(runtime[0], hvp)
    return chipset.applies(
      [hvp["kvm_path"]] + self._Words(hvp.get("kvm_extra") or ""), hvp, True)

  def _GetBusSlots(self, hvp=None, runtime=None, *more, **others):
    """Decide what upstream's allocation finds free.

    """
    # pylint: disable=no-member
    upstream = super(HvinfoCompat, self)._GetBusSlots
    if not self._IsOurs(hvp, runtime):
      return upstream(hvp, runtime, *more, **others)
    # In a hot-add, what it finds is not used; with the runtime it would fail
    # on a scsi-id beyond 15
    slots = upstream(hvp, None, *more, **others)
    for bits in slots.values():
      bits.extend([False] * _AMPLE_SLOTS)
    return slots


class BusManagerCompat(HvinfoCompat):
  """The address is C{device.hvinfo}; slots are those of C{_get_bus_manager}.

  Ganeti's master, 3.2.0~alpha1.

  """
  @staticmethod
  def _Words(kvm_extra):
    """Split C{kvm_extra} as upstream does."""
    return shlex.split(kvm_extra)

  def _get_bus_manager(self, hvp=None, runtime=None, *more, **others):
    """Decide what upstream's allocation finds free.

    @param others: what upstream adds, e.g. C{chipset}

    """
    # pylint: disable=no-member
    upstream = super(BusManagerCompat, self)._get_bus_manager
    if not self._IsOurs(hvp, runtime):
      return upstream(hvp, runtime, *more, **others)
    manager = upstream(hvp, None, *more, **others)
    # those of q35 (pcie-nic, pcie-disk) have a pool of root ports instead
    for name in _SLOT_ALLOCATORS.intersection(manager.allocators):
      manager.allocators[name] = type(manager.allocators[name])(
        max_slots=_AMPLE_SLOTS + address.SLOTS, reserved_slots=0)
    return manager


class PciCompat(_Compat):
  """The address is C{device.pci}, an int.

  Ganeti 2.10 to 2.15.

  """
  # Its hotplug adds virtio devices whatever the parameters say
  _GIVES_SLOTS_TO_ALL = True
  _KEEPS_BUSES = False

  @staticmethod
  def _HasAddress(device):
    return device.pci is not None

  @staticmethod
  def _GetAddress(device):
    return device.pci

  @staticmethod
  def _SetAddress(_class, device, _hvparams, _partition, slot):
    device.pci = slot

  @staticmethod
  def _SetIndex(device, number):
    pass # the runtime file has no room for it

  @staticmethod
  def _DropAddress(device):
    device.pci = None

  @staticmethod
  def _ShowAddress(device):
    return "slot %d" % device.pci

  @staticmethod
  def _Slot(device):
    return device.pci

  @staticmethod
  def _KeepId(device, device_id):
    pass # follows from the slot

  @staticmethod
  def _DeviceId(device_class, device):
    if device.pci is None:
      return None
    return ids.old_id(device_class, device.uuid, device.pci)

  @staticmethod
  def _RenewId(device_class, device):
    pass # follows from the slot

  @property
  def _DEFAULT_PCI_RESERVATIONS(self):
    """Widen the bits that upstream allocates from at a start."""
    # pylint: disable=no-member
    bits = super(PciCompat, self)._DEFAULT_PCI_RESERVATIONS
    return bits + "0" * _AMPLE_SLOTS
