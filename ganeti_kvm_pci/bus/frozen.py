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

"""Tags by which the disks and NICs of an instance keep their slots.

Nothing of Ganeti's remembers a slot across a shutdown: the runtime file is
removed. The tags of an instance are in Ganeti's configuration, and come with
each request (2.10 to master). One tag, one device::

  kvm-pci:disk:0000d151:12      slot 12 of pci.0
  kvm-pci:nic:000041c1:rp3      a root port of q35
  kvm-pci:disk:0000d151:scsi0   a SCSI id

The digits are the beginning of the device's uuid. A tag is a wish: what cannot
be had is placed as if it were not there, and L{Frozen.unmet} says so.

"""

import collections
import re

from ..errors import BusFullError
from . import root_ports
from .pools import DISK
from .pools import NIC
from .pools import Partition

#: What such tags begin with.
_PREFIXES = ("kvm-pci:%s:" % DISK, "kvm-pci:%s:" % NIC)

_TAG_RE = re.compile(r"kvm-pci:(disk|nic):([0-9a-f]{8}):(rp|scsi|)"
                     r"(0|[1-9][0-9]{0,2})\Z")

#: What a SCSI id is called; the others are L{Partition.unit}'s.
SCSI_ID = "scsi-id"

_MARKS = {"": Partition.unit, "rp": root_ports.RootPorts.unit, "scsi": SCSI_ID}
_UNITS = dict((unit, mark) for mark, unit in _MARKS.items())

#: What a person calls the classes.
_SHOWN = {DISK: "disk", NIC: "NIC"}

#: One tag.
#:   - text: as Ganeti has it
#:   - device_class: DISK or NIC
#:   - uuid: the first eight digits of the device's
#:   - unit: L{Partition}'s, or SCSI_ID
#:   - number: int, of that unit
Tag = collections.namedtuple("Tag", ["text", "device_class", "uuid", "unit",
                                     "number"])

#: What is as if it were not there.
#:   - tag: string
#:   - device: string, e.g. C{"disk 0"}; None if the tag does not tell
#:   - wanted: string, e.g. C{"slot 12"}; None likewise
#:   - reason: string
Unmet = collections.namedtuple("Unmet", ["tag", "device", "wanted", "reason"])


def is_one(tag):
  """Tell whether a tag is, or is meant to be, one of these.

  @type tag: string
  @rtype: bool

  """
  return tag.startswith(_PREFIXES)


def parse(text):
  """Read a tag.

  @type text: string
  @rtype: L{Tag} or None
  @return: None if it is malformed

  """
  match = _TAG_RE.match(text)
  if not match:
    return None
  device_class, uuid, mark, number = match.groups()
  return Tag(text, device_class, uuid, _MARKS[mark], int(number))


def unparse(device_class, uuid, unit, number):
  """Write the tag that keeps a device where it is.

  @param device_class: L{DISK} or L{NIC}
  @type uuid: string
  @param unit: see L{Tag}
  @type number: int
  @rtype: string

  """
  return "kvm-pci:%s:%s:%s%d" % (device_class, uuid[:8], _UNITS[unit], number)


def show(unit, number):
  """Name a slot, root port or SCSI id.

  @rtype: string

  """
  return root_ports.show(unit, number)


def obstacle(part, number, taken, made_first):
  """Tell why no device can have a slot.

  @type part: L{Partition}
  @type number: int
  @type taken: dict
  @param taken: slots that the command names, and what is there
  @type made_first: int
  @param made_first: how many slots QEMU has given away before it comes to
      Ganeti's devices
  @rtype: string or None

  """
  if number not in part.slots:
    return "the guest has no such %s" % part.unit
  if number in taken:
    return "it is taken by %s" % taken[number]
  if part.is_shared and number < made_first:
    return "slots 0 to %d are those of devices that QEMU creates before" % (
      made_first - 1)
  return None


class Frozen(object):
  """The tags of one instance.

  @ivar tags: list of L{Tag}
  @ivar unmet: list of L{Unmet}, filled by L{settle}

  """
  def __init__(self, tags=None):
    """Read the tags that are for this.

    @type tags: collection of strings, or None
    @param tags: all that the instance has

    """
    # the order in which Ganeti sends them is that of a set
    wanted = sorted(tag for tag in tags or () if is_one(tag))
    self.tags = [parse(tag) for tag in wanted if parse(tag)]
    self.unmet = [Unmet(tag, None, None, "it is not of the form"
                        " kvm-pci:disk|nic:UUID8:SLOT")
                  for tag in wanted if not parse(tag)]

  def choose(self, device_class, uuid, unit, device):
    """Find a device's tag.

    @type device: string
    @param device: its name
    @rtype: L{Tag} or None

    """
    own = [tag for tag in self.tags if uuid and tag.uuid == uuid[:8] and
           tag.device_class == device_class]
    fitting = [tag for tag in own if tag.unit == unit]
    if len(fitting) == 1:
      return fitting[0]
    for tag in fitting:
      self._refuse(tag, device, "the device has another tag, %s" % " and ".join(
        other.text for other in fitting if other is not tag))
    for tag in own if not fitting else ():
      self._refuse(tag, device, "the guest has it on no %s" % tag.unit if
                   unit is None else "the guest's devices have a %s" % unit)
    return None

  def _refuse(self, tag, device, reason):
    self.unmet.append(Unmet(tag.text, device, show(tag.unit, tag.number),
                            reason))

  def settle(self, device_class, uuids, unit, taken, is_hindered, first=0):
    """Tell which devices of a class get what their tags say.

    @type device_class: string
    @type uuids: list of strings or None
    @param uuids: of all the devices, in the configuration's order; None for one
        that is not known
    @param unit: what they need, see L{Tag}; None if nothing that tags speak of
    @type taken: dict
    @param taken: those that others have by their tags, and who; is changed
    @type is_hindered: function
    @param is_hindered: C{is_hindered(number)} says why a number cannot be had,
        or None
    @type first: int
    @param first: the index of the first
    @rtype: list of ints or None
    @return: for each device

    """
    found = []
    for index, uuid in enumerate(uuids, first):
      device = "%s %d (%s)" % (_SHOWN[device_class], index, (uuid or "")[:8])
      tag = self.choose(device_class, uuid, unit, device)
      reason = None
      if tag:
        reason = is_hindered(tag.number)
        if not reason and tag.number in taken:
          reason = "%s has it, by another tag" % taken[tag.number]
      if reason:
        self._refuse(tag, device, reason)
      if tag and not reason:
        taken[tag.number] = device
        found.append(tag.number)
      else:
        found.append(None)
    return found

  def kept(self, unit, device_class=None):
    """List what is kept free for devices that are not there now.

    @param unit: see L{Tag}
    @param device_class: L{DISK}, L{NIC}, or None for either
    @rtype: list of ints
    @return: those of devices that are there are among them

    """
    return sorted(set(tag.number for tag in self.tags if tag.unit == unit and
                      device_class in (None, tag.device_class)))

  def of_nobody(self, uuids):
    """List the tags of devices that the instance has not.

    @type uuids: dict
    @param uuids: L{DISK} and L{NIC} to lists, the uuid of each device or None
    @rtype: list of L{Tag}

    """
    known = dict((device_class, [(uuid or "")[:8] for uuid in members])
                 for device_class, members in uuids.items())
    return [tag for tag in self.tags if tag.uuid not in known[tag.device_class]]

  def wish(self, device_class, uuid, unit):
    """Tell what the tag of one device says.

    @rtype: int or None

    """
    # what it notes there is nobody's concern
    tag = Frozen([tag.text for tag in self.tags]).choose(
      device_class, uuid, unit, device_class)
    return tag.number if tag else None


def of(instance):
  """Read the tags of Ganeti's object of an instance.

  @rtype: L{Frozen}

  """
  return Frozen(getattr(instance, "tags", None))


def explain(unmet, instance):
  """Say what is as if it were not there, and what to do.

  @type unmet: L{Unmet}
  @type instance: string
  @param instance: its name
  @rtype: string

  """
  if unmet.device is None:
    text = "the tag %s means nothing" % unmet.tag
  else:
    text = "%s does not get %s of its tag %s" % (unmet.device, unmet.wanted,
                                                 unmet.tag)
  return ("%s: %s; run ganeti-kvm-pci freeze %s, which writes the tags anew, or"
          " remove this one (gnt-instance remove-tags %s %s)" %
          (text, unmet.reason, instance, instance, unmet.tag))


def as_long_as_possible(kept, place):
  """Place devices around what is kept free, or as much of it as can be.

  @type kept: list of ints
  @type place: function
  @param place: C{place(kept)} raises L{BusFullError} if there is no room
  @return: what it returns
  @raise BusFullError: if there is none though nothing is kept

  """
  kept = list(kept)
  while kept:
    try:
      return place(kept)
    except BusFullError:
      kept.pop()
  return place(kept)
