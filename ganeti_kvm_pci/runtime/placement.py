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

"""Which slots, or SCSI ids, all devices of a guest get that is about to boot.

Those that L{frozen} tags name come first; the rest goes around them, by the
rules of L{allocator}.

"""

from ..bus import allocator
from ..bus import frozen as frozen_
from ..bus import scsi_ids
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..errors import BusFullError
from ..qemu import command as command_
from ..qemu import named_slots
from ..qemu import overflow
from ..qemu import scsi_devices
from . import device_table
from . import upgrade


def slots(part, runtime, uuids, carried=0, gaps=None, frozen=None):
  """Choose the slots.

  @type part: L{pools.Partition}
  @type runtime: L{Command}
  @type uuids: dict
  @param uuids: L{DISK} and L{NIC} to lists, the uuid of each device that is
      placed, or None
  @type carried: int
  @param carried: how many disks the command has
  @type gaps: dict or None
  @param gaps: see L{layout.lay_out}
  @type frozen: L{frozen.Frozen} or None
  @param frozen: notes what it cannot have
  @rtype: tuple (list of ints, dict of lists of ints)
  @return: slots of the disks in the command, and of the other devices, by class
  @raise BusFullError: if they do not fit

  """
  frozen = frozen or frozen_.Frozen()
  taken = named_slots.taken(runtime.words, runtime.configs)
  wanted = _fixed(part, runtime, uuids, taken, frozen)
  given = [slot for fixed in wanted.values() for slot in fixed]
  free = [slot for slot in frozen.kept(part.unit)
          if slot not in given and slot not in taken]
  gaps = dict((device_class, (gaps or {}).get(device_class, [])
               if device_table.is_on_pci(device_class, runtime.hvparams)
               else []) for device_class in (DISK, NIC))
  if len(gaps[DISK]) < carried:
    gaps[DISK] = list(range(carried))

  def place(keep_gaps):
    kept = gaps if keep_gaps else {DISK: gaps[DISK][:carried], NIC: []}
    with_gaps = dict((device_class, _with(wanted[device_class],
                                          kept[device_class]))
                     for device_class in (DISK, NIC))

    def around(tagged):
      held = dict((slot, "a device that is not there, by its tag")
                  for slot in tagged)
      held.update(taken)
      return allocator.around(part, with_gaps, held)

    placed = frozen_.as_long_as_possible(free, around)
    return ([placed[DISK][index] for index in kept[DISK][:carried]],
            dict((device_class, _without(placed[device_class],
                                         kept[device_class]))
                 for device_class in (DISK, NIC)))

  try:
    return place(True)
  except BusFullError:
    if len(gaps[DISK]) == carried and not gaps[NIC]:
      raise
  # at the second attempt nothing is kept free for these
  return place(False)


def _fixed(part, runtime, uuids, taken, frozen):
  """Tell which devices have the slots of their tags.

  @rtype: dict
  @return: L{DISK} and L{NIC} to lists of ints or None

  """
  first = {DISK: 0, NIC: 0}
  if frozen.tags:
    first = dict.fromkeys(first, overflow.made_first(runtime.words,
                                                     runtime.configs))
    drives = command_.virtio_drives(runtime.words)
    if drives and runtime.hvparams.get(upgrade.IOTHREADS):
      # disks may be in JSON, and the drives take what is free before
      first[DISK] = max(first[DISK] + len(drives),
                        part.qemu[1] + 1 if part.qemu else 0)
  others = {}
  found = {}
  for device_class in (DISK, NIC):
    found[device_class] = frozen.settle(
      device_class, uuids[device_class], part.unit, others,
      # pylint: disable=cell-var-from-loop
      lambda slot: frozen_.obstacle(part, slot, taken, first[device_class]))
  return found


def numbers(runtime, uuids, gaps=(), frozen=None):
  """Choose the ids of the disks behind Ganeti's SCSI controller.

  @type runtime: L{Command}
  @type uuids: list of strings or None
  @param uuids: of the disks
  @type gaps: collection of ints
  @param gaps: indices for which ids are kept free, if there are enough
  @param frozen: see L{slots}
  @rtype: list of ints
  @raise BusFullError: if they do not fit

  """
  frozen = frozen or frozen_.Frozen()
  held = scsi_devices.taken(runtime.words)
  fixed = frozen.settle(
    DISK, uuids, frozen_.SCSI_ID, {},
    lambda number: scsi_ids.obstacle(runtime.hvparams, number, held))
  free = [number for number in frozen.kept(frozen_.SCSI_ID, DISK)
          if number not in fixed and number not in held]
  if frozen.tags:
    # the last to be given: a guest with as many disks starts all the same
    free = scsi_ids.controllers_own(runtime.hvparams) + free

  def place(kept):
    def around(tagged):
      everywhere = dict.fromkeys(tagged, "kept free, or the controller's own")
      everywhere.update(held)
      return _without(scsi_ids.around(runtime.hvparams, everywhere,
                                      _with(fixed, kept)), kept)
    return frozen_.as_long_as_possible(free, around)

  try:
    return place(gaps)
  except BusFullError:
    if not gaps:
      raise
    return place(())


def hot_add(known, device_class, uuid, taken, index, frozen):
  """Choose the slot of one device that joins a running instance.

  That of its tag, if it is free; else, C{frozen} notes that. Those of other
  tags are taken last.

  @type known: L{device_table.DeviceTable}
  @param device_class: L{DISK} or L{NIC}
  @type uuid: string
  @param taken: see L{allocator.hot_add}
  @param index: likewise
  @type frozen: L{frozen.Frozen}
  @rtype: int
  @raise BusFullError: if no slot of Ganeti's is free

  """
  part = known.partition
  (own, ) = frozen.settle(
    device_class, [uuid], part.unit, {},
    lambda slot: frozen_.obstacle(part, slot, taken, 0), index)
  if own is not None:
    return own

  def place(kept):
    held = dict.fromkeys(kept, "a device that is not there, by its tag")
    held.update(taken)
    return allocator.hot_add(part, device_class, known.slots(device_class),
                             held, index)

  return frozen_.as_long_as_possible(
    [slot for slot in frozen.kept(part.unit) if slot not in taken], place)


def hot_add_scsi(known, uuid, taken, index, frozen):
  """Choose the SCSI id of one disk that joins, see L{hot_add}.

  @rtype: int
  @raise BusFullError: if none is free

  """
  (own, ) = frozen.settle(
    DISK, [uuid], frozen_.SCSI_ID, {},
    lambda number: scsi_ids.obstacle(known.hvparams, number, taken), index)
  if own is not None:
    return own

  def place(kept):
    held = dict.fromkeys(kept, "a disk that is not there, by its tag")
    held.update(taken)
    return scsi_ids.hot_add(known.hvparams, known.scsi_ids, held, index)

  return frozen_.as_long_as_possible(
    [number for number in frozen.kept(frozen_.SCSI_ID, DISK)
     if number not in taken], place)


def elsewhere(runtime, uuids, frozen):
  """Note the tags of devices that are where tags cannot keep them.

  @param uuids: see L{slots}

  """
  for device_class, members in uuids.items():
    if not device_table.is_on_pci(device_class, runtime.hvparams) and not (
        device_class == DISK and scsi_ids.has_ids(runtime.hvparams)):
      frozen.settle(device_class, members, None, {}, lambda _: None)


def _with(values, indices):
  """Insert None so that it has these indices afterwards."""
  values = list(values)
  for index in sorted(indices):
    values.insert(index, None)
  return values


def _without(values, indices):
  return [value for index, value in enumerate(values) if index not in indices]


def tags(runtime):
  """Write the tags by which a guest's devices keep what they have now.

  @type runtime: L{serialized.Runtime}
  @rtype: dict
  @return: (L{DISK} or L{NIC}, index) to a tag; without those that are on no bus
      with slots, or have no uuid

  """
  table = device_table.DeviceTable(runtime)
  found = {}
  for device in table.devices:
    if device.index is None:
      continue
    entry = (runtime.nics[device.index] if device.device_class == NIC
             else runtime.disks[device.index][0])
    unit, number = table.partition.unit, device.slot
    if number is None and device.device_class == DISK and \
        scsi_ids.has_ids(runtime.hvparams):
      unit = frozen_.SCSI_ID
      number = (entry.get("hvinfo") or {}).get("scsi-id")
    if number is not None and entry.get("uuid"):
      found[device.device_class, device.index] = frozen_.unparse(
        device.device_class, entry["uuid"], unit, number)
  return found


class Command(object):
  """As much of L{serialized.Runtime} as is there before a cold boot.

  @ivar words: list of strings, the command
  @ivar hvparams: dict
  @ivar configs: see L{command.told}

  """
  # pylint: disable=too-few-public-methods
  def __init__(self, words, hvparams, configs):
    self.words = words
    self.hvparams = hvparams
    self.configs = configs
