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

"""Hotplug on paper: what several changes in a row would do to a running guest.

Each is placed as L{placement.hot_add} places it, beside what the runtime file
and QEMU have, and beside those before it.

"""

import collections

from ..bus import frozen as frozen_
from ..bus import scsi_ids
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..errors import BusFullError
from . import device_table
from . import placement

ADD = "add"
REMOVE = "remove"
MODIFY = "modify"

#: One change.
#:   - device_class: DISK or NIC
#:   - action: ADD, REMOVE or MODIFY
#:   - index: int, -1 for the last; or a string, the uuid or name of a device
Change = collections.namedtuple("Change", ["device_class", "action", "index"])

#: What would come of it.
#:   - device_class, action: as of the change
#:   - index: int, in the configuration, at that moment; None if there is none
#:   - uuid, id: strings, or None for a device that is to be made
#:   - unit, number: what the device would have, or has (see L{frozen.Tag});
#:     number is None for what is on no bus with slots
#:   - refusal: string, why not; or None
Outcome = collections.namedtuple(
  "Outcome", ["device_class", "action", "index", "uuid", "id", "unit",
              "number", "refusal"])

#: What a person calls the classes.
_SHOWN = {DISK: "disk", NIC: "NIC"}

#: One device: its uuid, L{device_table.Device} or None, and the name that
#: Ganeti's configuration gave it, or None.
_Member = collections.namedtuple("_Member", ["uuid", "device", "name"])


class DryRun(object):
  """A guest's bus, on which devices may be put without touching it.

  @ivar partition: see L{device_table.DeviceTable}
  @ivar hvparams: likewise
  @ivar scsi_ids: likewise; both change as changes are applied

  """
  def __init__(self, loaded, held, held_ids, tags, order=None,
               has_slots_for_all=False):
    """Begin with what a guest has.

    @type loaded: L{serialized.Runtime}
    @type held: dict
    @param held: slots that are taken, and by what: by the runtime file and QEMU
    @type held_ids: dict
    @param held_ids: SCSI ids likewise
    @type tags: L{frozen.Frozen}
    @type order: dict or None
    @param order: L{DISK} and L{NIC} to the uuids in the configuration's order;
        None if only the runtime file's is known
    @type has_slots_for_all: bool
    @param has_slots_for_all: whether this Ganeti gives each hot-added device a
        slot, whatever its type (2.10 to 2.15)

    """
    table = device_table.DeviceTable(loaded)
    self.partition = table.partition
    self.hvparams = table.hvparams
    self.scsi_ids = None if table.scsi_ids is None else dict(table.scsi_ids)
    self._held = dict(held)
    self._held_ids = dict(held_ids)
    self._tags = tags
    self._has_slots_for_all = has_slots_for_all
    self._slots = dict((device_class, table.slots(device_class))
                       for device_class in (DISK, NIC))
    self._numbers = {}
    self._members = {}
    names = {}
    for device_class in (DISK, NIC):
      known = collections.OrderedDict()
      for device in table.devices:
        if device.device_class == device_class and device.index is not None:
          entry = device_table.dict_of(loaded, device)
          known[entry.get("uuid")] = device
          names[entry.get("uuid")] = entry.get("name")
          self._numbers[device.id] = (entry.get("hvinfo") or {}).get("scsi-id")
      self._members[device_class] = [
        _Member(uuid, known.get(uuid), names.get(uuid)) for uuid in (
          known if order is None else order[device_class])]

  def slots(self, device_class):
    """List the slots of a class, see L{device_table.DeviceTable.slots}."""
    return list(self._slots[device_class])

  def apply(self, change):
    """Tell what would come of a change, and go on from there.

    @type change: L{Change}
    @rtype: L{Outcome}

    """
    if change.action == ADD:
      return self._add(change)
    index, problem = self._find(change)
    if problem:
      return Outcome(change.device_class, change.action, None, None, None, None,
                     None, problem)
    return self._keep_or_remove(change, index)

  def _find(self, change):
    """Find the device that is meant.

    @return: its index and None, or None and why it is not there

    """
    members = self._members[change.device_class]
    if change.index == -1 and members:
      return (len(members) - 1, None)
    for index, member in enumerate(members):
      if change.index in (index, member.uuid, member.name):
        return (index, None)
    return (None, "there is no %s %s: the instance has %d" % (
      _SHOWN[change.device_class], change.index, len(members)))

  def _where(self, device):
    """Tell the unit and number of a device."""
    if device.slot is not None:
      return (self.partition.unit, device.slot)
    number = self._numbers.get(device.id)
    if device.device_class == DISK and self.scsi_ids is not None:
      return (frozen_.SCSI_ID, number)
    return (None, None)

  def _keep_or_remove(self, change, index):
    device_class = change.device_class
    member = self._members[device_class][index]
    name = "%s %d" % (_SHOWN[device_class], index)
    if member.device is None:
      return Outcome(device_class, change.action, index, member.uuid, None,
                     None, None, "%s is not in the runtime file: it was added"
                     " without hotplug" % name)
    unit, number = self._where(member.device)
    refusal = None
    if unit is None:
      refusal = "%s is not on a bus that devices can be removed from" % name
    elif change.action == REMOVE:
      del self._members[device_class][index]
      held = self._held
      if unit == frozen_.SCSI_ID:
        self.scsi_ids.pop(number, None)
        held = self._held_ids
      else:
        self._slots[device_class].remove(number)
      held.pop(number, None)
    return Outcome(device_class, change.action, index, member.uuid,
                   member.device.id, unit, number, refusal)

  def _add(self, change):
    device_class = change.device_class
    members = self._members[device_class]
    index = len(members) if change.index == -1 else change.index
    if not isinstance(index, int) or not 0 <= index <= len(members):
      return Outcome(device_class, ADD, None, None, None, None, None,
                     "no %s can be added as number %s: the instance has %d" % (
                       _SHOWN[device_class], change.index, len(members)))
    try:
      unit, number = self._place(device_class, index)
    except BusFullError as err:
      return Outcome(device_class, ADD, index, None, None, None, None, str(err))
    if unit is None:
      return Outcome(device_class, ADD, index, None, None, None, None,
                     "Ganeti hot-adds no %s of the type %s" % (
                       _SHOWN[device_class], device_table.driver(
                         device_class, self.hvparams)))
    # what is in the plan may be removed by the plan
    members.insert(index, _Member(None, device_table.Device(
      None if unit == frozen_.SCSI_ID else number, device_class, index,
      object(), None), None))
    self._numbers[members[index].device.id] = number
    name = "a %s of this plan" % _SHOWN[device_class]
    if unit == frozen_.SCSI_ID:
      self.scsi_ids[number] = self._held_ids[number] = name
    else:
      self._slots[device_class].append(number)
      self._held[number] = name
    return Outcome(device_class, ADD, index, None, None, unit, number, None)

  def _place(self, device_class, index):
    """Choose as L{hotplug.Hotplug} does.

    @return: unit and number; (None, None) for what is on no bus of ours
    @raise BusFullError: if there is no room

    """
    if self._has_slots_for_all or device_table.is_on_pci(device_class,
                                                         self.hvparams):
      return (self.partition.unit, placement.hot_add(
        self, device_class, "", self._held, index, self._tags))
    if device_class == DISK and scsi_ids.has_ids(self.hvparams):
      return (frozen_.SCSI_ID, placement.hot_add_scsi(
        self, "", self._held_ids, index, self._tags))
    return (None, None)
