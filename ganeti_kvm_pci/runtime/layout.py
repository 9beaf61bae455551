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

"""The partition's layout for a guest that is about to boot.

Not for one that runs: the slots of a running guest never change. A cold boot
writes a new runtime file from the configuration; a soft reboot starts QEMU anew
from the old one, and there the layout of whatever Ganeti wrote it gives way to
the partition's. Disks and NICs are placed in the order of the runtime file,
which L{configuration} has made that of a cold boot.

"""

import collections

from ..bus import root_ports
from ..bus import scsi_ids
from ..bus.frozen import SCSI_ID
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..bus.pools import Partition
from ..bus.pools import QEMU
from ..qemu import acpi_index
from ..qemu import explicit
from ..qemu import ids
from ..qemu import q35
from . import device_entry
from . import device_table
from . import inline_disks
from . import placement
from . import upgrade

#: What becomes of one device.
#:   - device_class: DISK, NIC or QEMU
#:   - index: int, position in its class in the runtime file; None for QEMU's
#:   - id: string or None, as the runtime file has it until then
#:   - old: int, or None where QEMU chose the slot
#:   - new: int, or None where QEMU will choose it
#:   - unit: what the new one is, L{pools.Partition}'s or SCSI_ID
#:   - old_unit: the same of the old one; None if there is no other
Move = collections.namedtuple(
  "Move", ["device_class", "index", "id", "old", "new", "unit", "old_unit"])

Move.__new__.__defaults__ = (Partition.unit, None)

_RESERVATIONS = "kvm_pci_reservations"


def cold_boot(part, hvparams, words, configs, uuids, frozen=None):
  """Choose where all devices of an instance that is about to start go.

  @type part: L{pools.Partition}
  @type hvparams: dict
  @type words: list of strings
  @param words: the command, without Ganeti's disks and NICs
  @param configs: see L{command.told}
  @type uuids: dict
  @param uuids: L{DISK} and L{NIC} to lists, the uuid of each device or None
  @type frozen: L{frozen.Frozen} or None
  @param frozen: the instance's tags; notes what they cannot have
  @rtype: tuple (dict of lists of ints, list of ints)
  @return: the slots of those classes that have any; the ids of the disks
      behind Ganeti's SCSI controller, if that is where they are
  @raise BusFullError: if they do not fit

  """
  runtime = placement.Command(words, hvparams, configs)
  on_pci = [device_class for device_class in uuids
            if device_table.is_on_pci(device_class, hvparams)]
  slots = placement.slots(part, runtime, dict(
    (device_class, uuids[device_class] if device_class in on_pci else [])
    for device_class in (DISK, NIC)), frozen=frozen)[1]
  numbers = placement.numbers(runtime, uuids[DISK], frozen=frozen) \
    if scsi_ids.has_ids(hvparams) else []
  if frozen:
    placement.elsewhere(runtime, uuids, frozen)
  return (dict((device_class, slots[device_class]) for device_class in on_pci),
          numbers)


def lay_out(runtime, version, reservations=None, gaps=None, is_named=None,
            frozen=None):
  """Place all devices of a runtime file anew.

  @type runtime: L{serialized.Runtime}
  @param runtime: in the form of the version (see L{upgrade}); is changed in
      place
  @type version: tuple of two ints
  @type reservations: int or None
  @param reservations: the instance's C{kvm_pci_reservations} as configured,
      for a runtime file of a version that did not have it
  @type gaps: dict or None
  @param gaps: result of L{configuration.apply_to}: the indices of what has no
      entry in the runtime file. The first of the disks among them are those in
      the command; for the others, slots are kept free, if there are enough
  @type is_named: bool or None
  @param is_named: whether the NICs get an C{acpi-index}; None if it is as
      before
  @type frozen: L{frozen.Frozen} or None
  @param frozen: the instance's tags; notes what they cannot have
  @rtype: list of L{Move}
  @return: the devices that get another slot
  @raise BusFullError: if they do not fit
  @raise ReservationsError: if C{kvm_pci_reservations} is invalid

  """
  if upgrade.has_hvinfo(version) and reservations is not None:
    runtime.hvparams.setdefault(_RESERVATIONS, reservations)
  carried, left, freed = _release(runtime)
  members, elsewhere = _members(runtime)
  part = q35.partition(runtime.hvparams, left.words)
  _name_nics(runtime, left.words, part, is_named)
  inside, slots = placement.slots(part, left, _uuids(members), len(carried),
                                  gaps, frozen)
  moves = [Move(QEMU, None, o.id or o.driver, o.address[0], None, part.unit)
           for o in freed if not inline_disks.is_disk(o)]
  moves += _moves_inside(carried, inside, freed, part)
  if carried or freed:
    runtime.command[:] = inline_disks.insert(left.words, carried, inside)
  moves += [
    _move(runtime, part, device_class, _index(runtime, device_class, entry),
          entry, slot, version)
    for device_class in sorted(members)
    for entry, slot in zip(members[device_class], slots[device_class])]
  _drop(elsewhere)
  moves += _renumber(runtime, left, (gaps or {}).get(DISK, []), frozen)
  if frozen:
    placement.elsewhere(left, _uuids({DISK: _disks(runtime),
                                      NIC: runtime.nics}), frozen)
  return [move for move in moves
          if move.old != move.new or move.old_unit]


def _moves_inside(carried, inside, freed, part):
  """Tell where the disks in the command go; see L{lay_out}."""
  old = dict((o.position, o.address[0]) for o in freed)
  return [Move(DISK, None, "in the command", old.get(position), slot, part.unit)
          for position, slot in zip(carried, inside)]


def _name_nics(runtime, words, part, is_named):
  """Decide which numbers the NICs get; see L{lay_out}."""
  part.has_acpi_index = is_named if is_named is not None else any(
    acpi_index.KEY in (nic.get("hvinfo") or {}) for nic in runtime.nics)
  part.used_indices = acpi_index.named(words, runtime.configs)


def _index(runtime, device_class, entry):
  """Tell an entry's position in its class."""
  entries = runtime.nics if device_class == NIC else \
    [disk[0] for disk in runtime.disks]
  return [at for at, known in enumerate(entries) if known is entry][0]


def _disks(runtime):
  """List the disks for which QEMU has a device."""
  return [disk[0] for disk in runtime.disks
          if not device_entry.is_without_device(disk[0])]


def _members(runtime):
  """Tell the disks and NICs that sit on pci.0 from the others.

  @rtype: tuple (dict of lists of dicts, list of dicts)

  """
  members = {
    DISK: _disks(runtime),
    NIC: list(runtime.nics),
    }
  elsewhere = []
  for device_class, entries in members.items():
    if not device_table.is_on_pci(device_class, runtime.hvparams):
      elsewhere += entries
      members[device_class] = []
  return (members, elsewhere)


def of_nobody(runtime, frozen):
  """List the tags of devices that a guest has not; see L{Frozen.of_nobody}.

  @type runtime: L{serialized.Runtime}
  @type frozen: L{frozen.Frozen}
  @rtype: list of L{frozen.Tag}

  """
  return frozen.of_nobody(_uuids({DISK: _disks(runtime), NIC: runtime.nics}))


def _uuids(members):
  return dict((device_class, [entry.get("uuid") for entry in entries])
              for device_class, entries in members.items())


def _renumber(runtime, left, gaps, frozen):
  """Choose the ids of the disks behind Ganeti's SCSI controller.

  See L{placement.numbers}.

  @type left: L{placement.Command}
  @rtype: list of L{Move}
  @return: empty where the disks have none

  """
  disks = _disks(runtime)
  if not scsi_ids.has_ids(runtime.hvparams) or not all(
      "scsi-id" in (disk.get("hvinfo") or {}) for disk in disks):
    return []
  numbers = placement.numbers(left, _uuids({DISK: disks})[DISK], gaps, frozen)
  moves = []
  for disk, number in zip(disks, numbers):
    hvinfo = disk["hvinfo"]
    moves.append(Move(DISK, _index(runtime, DISK, disk), hvinfo.get("id"),
                      hvinfo["scsi-id"], number, SCSI_ID))
    hvinfo["scsi-id"] = number
  return moves


def _release(runtime):
  """Take from the command what older layouts addressed.

  @rtype: tuple (list of ints, L{placement.Command}, list of
      L{command.DeviceOption})
  @return: where the disks in the command are, the new command, and the
      options that lost their address

  """
  extra = runtime.hvparams.get("kvm_extra")
  words = runtime.words
  carried = inline_disks.find(words, extra)
  words, freed = explicit.without_addresses(words, extra)
  return (carried, placement.Command(words, runtime.hvparams, runtime.configs),
          freed)


def _move(runtime, part, device_class, index, entry, slot, version):
  """Put a disk or NIC on a slot.

  Its id becomes that of the version, which Ganeti computes when it hotplugs.

  """
  if not upgrade.has_hvinfo(version):
    old, entry["pci"] = entry.get("pci"), slot
    name = None
    if old is not None:
      name = ids.old_id(device_class, entry.get("uuid"), old)
    return Move(device_class, index, name, old, slot, part.unit)
  hvinfo = entry.get("hvinfo") or {}
  old, old_unit = root_ports.slot_in(hvinfo), None
  if old is not None and root_ports.unit_of(hvinfo["bus"]) != part.unit:
    old_unit = root_ports.unit_of(hvinfo["bus"])
  entry["hvinfo"] = {
    "driver": hvinfo.get("driver") or device_table.driver(device_class,
                                                          runtime.hvparams),
    "id": ids.new_id(device_class, entry["uuid"]),
    }
  entry["hvinfo"].update(part.location(slot, device_class))
  return Move(device_class, index, hvinfo.get("id"), old, slot, part.unit,
              old_unit)


def _drop(entries):
  """Take away places on a bus that the devices are not on.

  """
  for entry in entries:
    hvinfo = entry.get("hvinfo") or {}
    if root_ports.slot_in(hvinfo) is not None:
      del hvinfo["bus"]
      hvinfo.pop("addr", None)
    entry.pop("pci", None)
