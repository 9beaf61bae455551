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

"""The ids under which QEMU has Ganeti's disks and NICs.

A device's drive, block node or netdev bears the same id as the device does.

  - C{hotdisk-8HEX-pci-SLOT}, C{hotnic-8HEX-pci-SLOT}: Ganeti 2.10 to 2.15
  - C{disk-8HEX-4HEX-4HEX}, C{nic-8HEX-4HEX-4HEX}: 2.16 and later, on pci.0 and
    behind a SCSI controller

The digits are the beginning of the device's uuid. An id is Ganeti's only if
all of it has one of these forms: users name theirs C{disk-data} or C{nic-mgmt},
and what QEMU tells is not to be trusted with more than it must say.

"""

import re

from ..bus.pools import DISK
from ..bus.pools import NIC

_OLD = r"hot(?:disk|nic)-[0-9a-f]{8}-pci-(?:[12]?[0-9]|3[01])"
_NEW = r"(?:disk|nic)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}"

#: One of them, in whatever text. Longer words only begin like one.
_ANY_RE = re.compile(r"(?<![\w.-])(?:%s|%s)(?![\w.-])" % (_OLD, _NEW))

_WHOLE_RE = re.compile(r"(?:%s|%s)\Z" % (_OLD, _NEW))


def old_id(device_class, uuid, slot):
  """Name a device as Ganeti 2.10 to 2.15 does, by uuid and slot.

  @param device_class: L{DISK} or L{NIC}
  @type uuid: string or None
  @rtype: string

  """
  return "hot%s-%s-pci-%d" % (device_class, (uuid or "").split("-")[0], slot)


def new_id(device_class, uuid):
  """Name a device as Ganeti 2.16 and later do, by all but the uuid's end.

  @param device_class: L{DISK} or L{NIC}
  @type uuid: string
  @rtype: string

  """
  return "%s-%s" % (device_class, uuid.rsplit("-", 2)[0])


def class_of(name):
  """Tell the class of the device that an id of Ganeti's is for.

  @type name: string or None
  @rtype: L{DISK}, L{NIC} or None
  @return: None if Ganeti makes no such id

  """
  if not _WHOLE_RE.match(name or ""):
    return None
  return DISK if name.partition("-")[0].endswith("disk") else NIC


def is_ours(name):
  """Tell whether an id is one of those that Ganeti makes.

  @type name: string or None
  @rtype: bool

  """
  return class_of(name) is not None


def is_same(one, other):
  """Tell whether two ids are those of one device.

  Ganeti 2.15 and 2.16 make ids in different ways from the same uuid.

  @type one: string or None
  @type other: string or None
  @rtype: bool

  """
  if one == other:
    return True
  classes = [class_of(name) for name in (one, other)]
  return (classes[0] is not None and classes[0] == classes[1] and
          one.split("-")[1] == other.split("-")[1])


def is_of(name, device_class, uuid):
  """Tell whether an id is a device's, in the manner of any release.

  @type name: string
  @param device_class: L{DISK} or L{NIC}
  @type uuid: string
  @rtype: bool

  """
  if class_of(name) != device_class:
    return False
  return name == new_id(device_class, uuid) or \
    name.rpartition("-")[0] == old_id(device_class, uuid, 0).rpartition("-")[0]


def named_in(command):
  """List the ids of Ganeti's form that a command names.

  In a runtime file's command, which has neither disks nor NICs of Ganeti's,
  these are the user's own.

  @type command: list of strings
  @rtype: set of strings

  """
  return set(name for word in command for name in _ANY_RE.findall(word))
