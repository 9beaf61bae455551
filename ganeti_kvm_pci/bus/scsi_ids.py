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

"""SCSI ids of disks behind the instance's SCSI controller.

The same rules as for slots: an id is given out only if neither the runtime
file nor QEMU has it, in rising order wherever there is room.

"""

from ..errors import BusFullError
from . import allocator
from .pools import DISK

#: Ganeti's controller, and the bus that it makes. The first controller without
#: id has a bus of the same name.
CONTROLLER = "scsi"
BUS = "scsi.0"

#: How many ids a controller has: measured on QEMU 5.2 to 11.1, megasas at
#: least. Types that are not known here get what unmodified Ganeti assumes.
_IDS = {"lsi": 8, "megasas": 64, "virtio-scsi-pci": 256}
_UPSTREAM_IDS = 16

#: The id that a controller has itself: QEMU gives it to a disk, but Linux does
#: not look there (an lsi53c895a with 8 disks, QEMU 7.2). A start with as many
#: goes on as it does on unmodified Ganeti.
_OWN_ID = {"lsi": 7}

_CONTROLLER = "scsi_controller_type"


def has_ids(hvparams):
  """Tell whether an instance's disks are devices with SCSI ids.

  Those of C{disk_type=scsi} (up to 3.0) are not: QEMU numbers its drives.

  @type hvparams: dict
  @rtype: bool

  """
  return (hvparams.get("disk_type") or "").startswith("scsi-")


def limit(hvparams):
  """Tell how many ids an instance's controller has.

  @type hvparams: dict
  @rtype: int

  """
  return _IDS.get(hvparams.get(_CONTROLLER), _UPSTREAM_IDS)


def _full(hvparams, wanted, held):
  return BusFullError(
    DISK, "no SCSI id is left for %s: the controller (%s=%s) has %d, held by:"
    " %s; remove a disk, or take scsi_controller_type=virtio-scsi-pci at the"
    " next start" %
    (wanted, _CONTROLLER, hvparams.get(_CONTROLLER), limit(hvparams),
     ", ".join("%d %s" % item for item in sorted(held.items())) or
     "nothing yet"), dict(held))


def cold_boot(hvparams, held, disks):
  """Choose the ids of all disks of an instance that is about to start.

  @type hvparams: dict
  @type held: dict
  @param held: ids that the command's own devices have, see
      L{scsi_devices.taken}
  @type disks: int
  @rtype: list of ints
  @raise BusFullError: if they do not all fit

  """
  free = [n for n in range(limit(hvparams)) if n not in held]
  if disks > len(free):
    raise _full(hvparams, "%d disks" % disks, held)
  return free[:disks]


def around(hvparams, held, fixed):
  """Choose the ids of those disks that have none, see L{allocator.around}.

  @type hvparams: dict
  @param held: see L{cold_boot}
  @type fixed: list of ints or None
  @param fixed: one item a disk
  @rtype: list of ints
  @raise BusFullError: if they do not all fit

  """
  numbers = list(fixed)
  if all(number is None for number in fixed):
    return cold_boot(hvparams, held, len(fixed))
  for index, number in enumerate(numbers):
    if number is None:
      own = [known for known in numbers if known is not None]
      everywhere = dict(held)
      everywhere.update((known, "a disk") for known in own)
      numbers[index] = _one_more(
        hvparams, own, everywhere,
        len([known for known in numbers[:index] if known is not None]))
  return numbers


def controllers_own(hvparams):
  """List the ids that a controller has itself, which a disk gets last.

  @rtype: list of ints

  """
  own = _OWN_ID.get(hvparams.get(_CONTROLLER))
  return [] if own is None else [own]


def obstacle(hvparams, number, held):
  """Tell why no disk can have an id, or None.

  @rtype: string or None

  """
  if number >= limit(hvparams):
    return "the controller (%s=%s) has %d" % (
      _CONTROLLER, hvparams.get(_CONTROLLER), limit(hvparams))
  if number in held:
    return "it is taken by %s" % held[number]
  if number in controllers_own(hvparams):
    return "it is the controller's own"
  return None


def hot_add(hvparams, own, held, index=None):
  """Choose the id of one disk that joins a running instance.

  @type hvparams: dict
  @type own: collection of ints
  @param own: ids of the instance's disks
  @type held: dict
  @param held: every id that runtime file or QEMU knows to be held, and by
      what
  @type index: int or None
  @param index: place of the new disk among the others in the configuration;
      None, or as many as there are, for the last
  @rtype: int
  @raise BusFullError: if none is free

  """
  held = dict([(number, "the controller itself")
               for number in controllers_own(hvparams)] + list(held.items()))
  return _one_more(hvparams, own, held, index)


def _one_more(hvparams, own, held, index):
  """Choose an id, whoever else has one; see L{hot_add}."""
  free = [n for n in range(limit(hvparams)) if n not in held]
  if not free:
    raise _full(hvparams, "one more disk", held)
  inserted = allocator.between(free, sorted(own), index)
  if inserted is not None:
    return inserted
  above = [n for n in free if n > max(own or [-1])]
  return (above or free[-1:])[0]
