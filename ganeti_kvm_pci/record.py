"""The runtime file of an instance as data.

Ganeti writes, when it starts an instance, what QEMU was given, so that the
same machine can be built on another node: JSON, a list of

  1. the command: list of strings, without disks and NICs
  2. the NICs: list of dicts
  3. the hypervisor parameters: dict
  4. the disks: list of [dict, link, uri]; absent before Ganeti 2.10, where the
     disks stood in the command

A device's place is C{hvinfo} (2.16 and later: C{driver, id, bus, addr}) or
C{pci} (2.10 to 2.15: an int). Reading here changes nothing and needs no Ganeti.

"""

import collections
import json

from . import address
from . import command as command_
from .errors import AddressError
from .errors import RecordError
from .errors import ReservationsError
from .partition import DISK
from .partition import NIC
from .partition import QEMU
from .partition import Partition
from .partition import has_pci_disks
from .partition import has_pci_nics

#: One device on the bus, as a record or a live QEMU knows it.
#:   - slot: int; None for a device of Ganeti's that is not on pci.0
#:   - device_class: DISK or NIC for what Ganeti assigned, else QEMU
#:   - index: int, place among its class in the record; None for QEMU's
#:   - id: string, QEMU's id of the device; None where it has none
#:   - driver: string
Device = collections.namedtuple(
  "Device", ["slot", "device_class", "index", "id", "driver"])

_ON_PCI = {DISK: has_pci_disks, NIC: has_pci_nics}
_VIRTIO = {DISK: "virtio-blk-pci", NIC: "virtio-net-pci"}
_TYPE_PARAMETER = {DISK: "disk_type", NIC: "nic_type"}


def _text(keys, name):
  """Return a key's value, which must be a text or missing.

  @raise ValueError: if it is anything else

  """
  value = keys.get(name)
  if value is None or hasattr(value, "split"):
    return value
  raise ValueError("%s is no text" % name)


def _driver(device_class, hvparams):
  hv_type = _text(hvparams, _TYPE_PARAMETER[device_class])
  return _VIRTIO[device_class] if hv_type == "paravirtual" else hv_type


def _device(device_class, index, entry, hvparams):
  """Read one disk or NIC of the record.

  @raise AddressError: if its slot is none
  @raise ValueError: if the entry has another shape

  """
  if not isinstance(entry, dict):
    raise ValueError("a dict expected")
  hvinfo = entry.get("hvinfo")
  if hvinfo is not None and not isinstance(hvinfo, dict):
    raise ValueError("hvinfo is no dict")
  if hvinfo:
    slot = None
    # stock writes a slot also for IDE disks and ISA NICs, which use none
    if hvinfo.get("bus") == address.BUS and _ON_PCI[device_class](hvparams):
      slot = address.parse(hvinfo.get("addr"))[0]
    return Device(slot, device_class, index, _text(hvinfo, "id"),
                  _text(hvinfo, "driver"))
  slot = entry.get("pci")
  device_id = None
  if slot is not None:
    address.check_slot(slot)
    # the id that 2.10 to 2.15 make of uuid and slot
    device_id = "hot%s-%s-pci-%d" % (
      device_class, (_text(entry, "uuid") or "").split("-")[0], slot)
  return Device(slot, device_class, index, device_id,
                _driver(device_class, hvparams))


class Record(object):
  """What a runtime file says.

  @ivar instance: string, name of the instance
  @ivar command: list of strings
  @ivar hvparams: dict
  @ivar partition: L{Partition} by the recorded parameters
  @ivar devices: list of L{Device}: disks and NICs in the record's order, then
      what else of the command names a place on pci.0

  """
  def __init__(self, source, command, nics, hvparams, disks):
    self.command = command
    self.hvparams = hvparams
    self.instance = source
    if "-name" in command[:-1]:
      name = command[command.index("-name") + 1]
      self.instance = command_.split_option(name)[0][0]
    try:
      self.partition = Partition.of(hvparams)
    except ReservationsError as err:
      raise RecordError(source, str(err))
    self.devices = []
    for device_class, entries in ((DISK, disks), (NIC, nics)):
      for index, entry in enumerate(entries):
        try:
          self.devices.append(_device(device_class, index, entry, hvparams))
        except (AddressError, ValueError) as err:
          raise RecordError(source, "%s %d: %s" % (device_class, index, err))
    own = set(d.id for d in self.devices if d.id)
    for option in command_.devices(command):
      if option.place and option.id not in own:
        self.devices.append(Device(option.place[0], QEMU, None, option.id,
                                   option.driver))
    self._check_slots(source)

  def _check_slots(self, source):
    seen = {}
    for device in self.devices:
      other = seen.setdefault(device.slot, device)
      # QEMU's own may share a slot, as functions of one device
      if (device.slot is not None and other is not device and
          not device.device_class == other.device_class == QEMU):
        raise RecordError(
          source, "slot %d is given to two devices, %s and %s; only a cold"
          " boot (shutdown and start) assigns slots anew" %
          (device.slot, describe(other), describe(device)))

  def held(self):
    """Tell what the record has on the bus.

    @rtype: dict
    @return: slot (int) to the name of the device there

    """
    return dict((d.slot, describe(d)) for d in self.devices
                if d.slot is not None)

  def slots(self, device_class):
    """List the slots of a class, in the record's order.

    @rtype: list of ints

    """
    return [d.slot for d in self.devices
            if d.device_class == device_class and d.slot is not None]


def describe(device):
  """Name a device for an error text.

  @type device: L{Device}
  @rtype: string

  """
  name = device.id or device.driver or "unnamed"
  if device.index is None:
    return name
  return "%s %d (%s)" % (device.device_class, device.index, name)


def parse(text, source):
  """Read a runtime file.

  @type text: string
  @param text: the file's content
  @type source: string
  @param source: file or instance, to be named in errors
  @rtype: L{Record}
  @raise RecordError: if the text is no runtime file, or one with an impossible
      or doubly given slot

  """
  try:
    loaded = json.loads(text)
  except (ValueError, RuntimeError) as err: # the latter: nested too deeply
    raise RecordError(source, "not a runtime file, JSON expected: %s" % err)
  if not isinstance(loaded, list) or len(loaded) < 3:
    raise RecordError(source, "not a runtime file: a list of command, NICs,"
                      " parameters and disks expected")
  command, nics, hvparams = loaded[:3]
  disks = loaded[3] if len(loaded) > 3 else []
  for value, kind, what in ((command, list, "the command is no list"),
                            (nics, list, "the NICs are no list"),
                            (hvparams, dict, "the parameters are no dict"),
                            (disks, list, "the disks are no list")):
    if not isinstance(value, kind):
      raise RecordError(source, "not a runtime file: %s" % what)
  for index, word in enumerate(command):
    # -m is an int: Ganeti stores the memory size as it is
    if not (hasattr(word, "split") or isinstance(word, int)):
      raise RecordError(source, "word %d of the command is no text" % index)
  command = [w if hasattr(w, "split") else str(w) for w in command]
  entries = []
  for index, disk in enumerate(disks):
    if not isinstance(disk, list) or not disk:
      raise RecordError(source, "disk %d: [dict, link, uri] expected" % index)
    entries.append(disk[0])
  return Record(source, command, nics, hvparams, entries)
