"""The partition's layout for a guest that is about to boot.

Not for one that runs: the slots of a running guest never change. A cold boot
makes a new record out of the configuration; a soft reboot starts QEMU anew
from the old one, and there the layout of whatever Ganeti wrote it gives way
to the partition's. The order of disks and NICs is kept.

"""

import collections

from . import address
from . import claims
from . import command as command_
from . import drives
from . import normal
from . import placement
from . import record
from .partition import DISK
from .partition import NIC
from .partition import QEMU
from .partition import Partition

#: What becomes of one device.
#:   - device_class: DISK, NIC or QEMU
#:   - index: int, place among its class in the record; None for QEMU's
#:   - id: string or None, as the record has it until then
#:   - old: int, or None where QEMU chose the slot
#:   - new: int, or None where QEMU will choose it
Move = collections.namedtuple(
  "Move", ["device_class", "index", "id", "old", "new"])

_RESERVATIONS = "kvm_pci_reservations"


def lay_out(runtime, series, reservations=None):
  """Place all devices of a record anew.

  @type runtime: L{runtime.Runtime}
  @param runtime: in the form of the series (see L{normal}); is changed in
      place
  @type series: tuple of two ints
  @type reservations: int or None
  @param reservations: the instance's C{kvm_pci_reservations} as configured,
      for a record of a series that did not have it
  @rtype: list of L{Move}
  @return: the devices that get another slot
  @raise BusFullError: if they do not fit
  @raise ReservationsError: if C{kvm_pci_reservations} makes no sense

  """
  if normal.has_hvinfo(series) and reservations is not None:
    runtime.hvparams.setdefault(_RESERVATIONS, reservations)
  carried, words, freed = _release(runtime)
  members, elsewhere = _members(runtime)
  taken = claims.taken(words, runtime.configs)
  slots = dict(zip((DISK, NIC), placement.cold_boot(
    Partition.of(runtime.hvparams), len(carried) + len(members[DISK]),
    len(members[NIC]), taken)))
  old = dict((o.position, o.place[0]) for o in freed)
  moves = [Move(QEMU, None, o.id or o.driver, o.place[0], None)
           for o in freed if not drives.is_disk(o)]
  moves += [Move(DISK, None, "in the command", old.get(position), slot)
            for position, slot in zip(carried, slots[DISK])]
  if carried or freed:
    runtime.command[:] = drives.place(words, carried, slots[DISK])
  del slots[DISK][:len(carried)]
  for device_class, entries in sorted(members.items()):
    moves += [
      _move(runtime, device_class, index, entry, slot, series) for
      index, (entry, slot) in enumerate(zip(entries, slots[device_class]))]
  for entry in elsewhere:
    _drop(entry)
  return [move for move in moves if move.old != move.new]


def _members(runtime):
  """Tell the disks and NICs that sit on pci.0 from the others.

  @rtype: tuple (dict of lists of dicts, list of dicts)

  """
  members = {
    DISK: [entry[0] for entry in runtime.disks],
    NIC: list(runtime.nics),
    }
  elsewhere = []
  for device_class, entries in members.items():
    if not record.is_on_pci(device_class, runtime.hvparams):
      elsewhere += entries
      members[device_class] = []
  return (members, elsewhere)


def _release(runtime):
  """Take from the command what older layouts addressed.

  @rtype: tuple (list of ints, list of strings, list of
      L{command.DeviceOption})
  @return: where the disks in the command are, the new command, and the
      options that lost their place

  """
  extra = runtime.hvparams.get("kvm_extra")
  words = runtime.words
  carried = drives.find(words, extra)
  return (carried, ) + command_.without_places(words, extra)


def _move(runtime, device_class, index, entry, slot, series):
  """Put a disk or NIC on a slot.

  Its id becomes that of the series, which stock computes when it hotplugs.

  """
  if not normal.has_hvinfo(series):
    old, entry["pci"] = entry.get("pci"), slot
    name = None if old is None else record.old_id(device_class,
                                                     entry.get("uuid"), old)
    return Move(device_class, index, name, old, slot)
  hvinfo = entry.get("hvinfo") or {}
  old = None
  if hvinfo.get("bus") == address.BUS:
    old = address.parse(hvinfo["addr"])[0]
  entry["hvinfo"] = {
    "driver": hvinfo.get("driver") or record.driver(device_class,
                                                    runtime.hvparams),
    "id": record.new_id(device_class, entry["uuid"]),
    "bus": address.BUS,
    "addr": address.unparse(slot),
    }
  return Move(device_class, index, hvinfo.get("id"), old, slot)


def _drop(entry):
  """Take away a place on a bus that the device is not on.

  """
  hvinfo = entry.get("hvinfo") or {}
  if hvinfo.get("bus") == address.BUS:
    del hvinfo["bus"]
    del hvinfo["addr"]
  entry.pop("pci", None)
