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

"""Which free slot a device gets.

Two occasions: L{cold_boot} places a whole instance, L{hot_add} one device
more. Neither ever moves a device, and neither knows where its facts come
from: C{taken} holds all that is known to sit on the bus, from the runtime
file as well as from the live QEMU.

What both hold to, in this order:

  1. a slot in C{taken} is never given out
  2. a class stays in its own pool while it has room there, and borrows from
     the far end of what is lendable when it has not
  3. within a class, slots rise as the configuration's order does, wherever a
     free slot allows it

"""

from ..errors import BusFullError
from .address import SLOTS
from .pools import DEFAULT_RESERVATIONS
from .pools import DISK
from .pools import NIC

_NAME = {DISK: "disk", NIC: "NIC"}


def _free(slots, taken):
  return [s for s in slots if s not in taken]


def _borrow(partition, candidates, count):
  """Take slots from the far end, in rising order.

  One slot is spared while there is another, see L{pools.Partition}.

  """
  if len(candidates) > count and candidates[-1] == partition.spared:
    candidates = candidates[:-1]
  return candidates[len(candidates) - count:]


def _full(partition, device_class, wanted, taken):
  """Make the error for a bus without room.

  @type wanted: string
  @param wanted: what was to be placed, e.g. C{"16 disks and 5 NICs"}

  """
  first = partition.reservations
  held = ["%s %s" % (partition.name(s), taken[s]) for s in sorted(taken)
          if s >= first]
  ways = []
  if first > DEFAULT_RESERVATIONS:
    ways.append("lower kvm_pci_reservations from %d (%d leaves %d slots)" %
                (first, DEFAULT_RESERVATIONS, SLOTS - DEFAULT_RESERVATIONS))
  if partition.disks:
    ways.append("move the disks to SCSI (disk_type=scsi-hd)")
  ways.append("remove a device")
  return BusFullError(
    device_class,
    "no PCI %s is left for %s: %s, held by: %s; %s (parameters take effect at"
    " the next start)" %
    (partition.unit, wanted, partition.capacity(),
     ", ".join(held) or "nothing yet", ", or ".join(ways)), dict(taken))


def cold_boot(partition, disks, nics, taken=None):
  """Place all devices of an instance that is about to start.

  Each class fills its pool from the bottom. What does not fit there stands,
  still in order, at the far end of the other's.

  @type partition: L{pools.Partition}
  @type disks: int
  @param disks: how many disks need a slot
  @type nics: int
  @param nics: how many NICs need a slot
  @type taken: dict or None
  @param taken: slots that something else has, and what; at a cold boot these
      are the addresses that C{kvm_extra} names
  @rtype: tuple of two lists of ints
  @return: slots of the disks and slots of the NICs, in the configuration's
      order
  @raise BusFullError: if they do not all fit

  """
  taken = taken or {}
  wanted = {DISK: disks, NIC: nics}
  placed = {}
  over = {}
  for device_class, count in wanted.items():
    pool = _free(partition.pool(device_class), taken)
    placed[device_class] = pool[:count]
    over[device_class] = count - len(placed[device_class])
  used = placed[DISK] + placed[NIC]
  for device_class in (DISK, NIC):
    count = over[device_class]
    if not count:
      continue
    room = [s for s in _free(partition.lendable(device_class), taken)
            if s not in used]
    if count > len(room):
      raise _full(partition, device_class,
                  "%d disks and %d NICs" % (disks, nics), taken)
    placed[device_class] = sorted(
      placed[device_class] + _borrow(partition, room, count))
    used = placed[DISK] + placed[NIC]
  return (placed[DISK], placed[NIC])


def around(partition, fixed, taken):
  """Place the devices of an instance that is about to start around others.

  Where some have their slots (by tags, see L{frozen}), each of the rest goes
  where a hot-add would put it, so that what was hot-added beside them does not
  move.

  @type partition: L{pools.Partition}
  @type fixed: dict
  @param fixed: L{DISK} and L{NIC} to lists, one item a device: its slot, or
      None
  @param taken: see L{cold_boot}
  @rtype: dict
  @return: L{DISK} and L{NIC} to lists of ints
  @raise BusFullError: if they do not all fit

  """
  placed = dict((device_class, list(fixed[device_class]))
                for device_class in (DISK, NIC))
  counts = [len(placed[device_class]) for device_class in (DISK, NIC)]
  if all(slot is None for slot in placed[DISK] + placed[NIC]):
    return dict(zip((DISK, NIC), cold_boot(partition, counts[0], counts[1],
                                           taken)))
  held = dict(taken)
  held.update((slot, "%s %d" % (_NAME[device_class], index))
              for device_class in (DISK, NIC)
              for index, slot in enumerate(placed[device_class])
              if slot is not None)

  def put(device_class, index, slot):
    placed[device_class][index] = slot
    held[slot] = "%s %d" % (_NAME[device_class], index)

  for device_class in (DISK, NIC):
    for index, slot in enumerate(fixed[device_class]):
      if slot is None and _free(partition.pool(device_class), held):
        own = [s for s in placed[device_class] if s is not None]
        put(device_class, index, hot_add(
          partition, device_class, own, held,
          len([s for s in placed[device_class][:index] if s is not None])))
  for device_class in (DISK, NIC):
    left = [index for index, slot in enumerate(placed[device_class])
            if slot is None]
    room = _free(partition.lendable(device_class), held)
    if len(left) > len(room):
      raise _full(partition, device_class, "%d disks and %d NICs" %
                  tuple(counts), held)
    for index, slot in zip(left, _borrow(partition, room, len(left))
                           if left else []):
      put(device_class, index, slot)
  return placed


def between(free, own, index):
  """Find the slot or SCSI id of a device that is inserted among others.

  Only a hole between its neighbours keeps the order; so it is with slots, and
  with SCSI ids.

  @type free: list of ints
  @type own: list of ints
  @param own: places of its class, in rising order
  @type index: int or None
  @param index: see L{hot_add}
  @rtype: int or None
  @return: None if there is no hole, or it comes last

  """
  if index is None or index >= len(own):
    return None
  below = own[index - 1] if index > 0 else -1
  return ([place for place in free if below < place < own[index]] or [None])[0]


def hot_add(partition, device_class, own, taken, index=None):
  """Choose the slot of one device that joins a running instance.

  @type partition: L{pools.Partition}
  @param device_class: L{DISK} or L{NIC}
  @type own: collection of ints
  @param own: slots of the devices of this class that the instance has
  @type taken: dict
  @param taken: every slot that the runtime file or the live QEMU knows to be
      held, and what holds it; C{own} is expected to be part of it
  @type index: int or None
  @param index: place of the new device among those of its class in the
      configuration; None, or as many as there are, for the last
  @rtype: int
  @raise BusFullError: if no slot of Ganeti's is free

  """
  pool = partition.pool(device_class)
  free = _free(pool, taken)
  own = sorted(own)
  inserted = between(free, own, index)
  if inserted is not None:
    return inserted
  # Devices that an older layout left outside the pool do not push the pool's
  # first newcomer to its upper end
  for bottom in (own, [s for s in own if s in pool]):
    above = [s for s in free if s > (bottom[-1] if bottom else -1)]
    if above:
      return above[0]
  if free:
    # A hole; the highest has the fewest devices out of order above it
    return free[-1]
  room = _free(partition.lendable(device_class), taken)
  if not room:
    raise _full(partition, device_class,
                "one more %s (%d stand on the bus)" %
                (_NAME[device_class], len(own)), taken)
  in_order = [s for s in room if not own or s > own[-1]]
  return _borrow(partition, in_order or room, 1)[0]
