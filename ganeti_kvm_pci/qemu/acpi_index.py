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

"""The number by which a guest may name a NIC, whatever its slot: acpi-index.

Linux calls a NIC with the number 1 C{eno1}. On root ports each NIC gets one, as
on Ganeti's master; on pci.0 those of an instance with a tag do, so that its
NICs have the same names on either. The number is the position in the NICs'
pool, see L{pools.Partition}. QEMU takes none twice: "a PCI device with
acpi-index = N already exist" (7.2). One that a device of the user's has is
given to no NIC.

"""

import re

from . import command as command_
from . import option

#: QEMU's name of the property, and the key in the runtime file.
KEY = "acpi-index"

#: The tag of an instance whose NICs get one on pci.0 as well.
TAG = "kvm-pci:acpi-index"

#: The first QEMU whose PCI devices have the property, and the first in which a
#: guest sees it behind a root port.
SINCE = (6, 0)
SINCE_BEHIND_PORTS = (6, 1)

#: Lines of C{info qtree}: a device, and what it says of this property.
_SHOWN_RE = re.compile(r'^ *(?:dev: ([^,\n]+), id "(.*)"|%s = (.*?))\r?$' % KEY,
                       re.MULTILINE)
_NUMBER_RE = re.compile(r"(\d+) \(0x[0-9a-f]+\)$")


def named(command, configs=None):
  """Tell which numbers the devices of a command have.

  @type command: list of strings
  @param configs: see L{command.told}
  @rtype: dict
  @return: number (int) to the id, or driver, of the device

  """
  found = {}
  for _, origin, keys in command_.told(command, configs, command_.DEVICE_FLAGS,
                                       "device"):
    number = option.number(keys.get(KEY))
    if number:
      found[number] = command_.text_of(keys, "id") or \
        command_.text_of(keys, "driver") or origin
  return found


def shown(text):
  """Tell which numbers the devices of a running QEMU have.

  A value with line breaks may look like the number of a device. So this may
  tell of a number too many, never of one too few.

  @param text: QEMU's answer to C{info qtree}
  @rtype: dict or None
  @return: see L{named}; None if the text does not tell of all devices

  """
  found = {}
  last, is_told = None, False
  for driver, name, value in _SHOWN_RE.findall(text):
    if driver:
      last = name or driver
      continue
    number = _NUMBER_RE.match(value)
    if not number:
      return None
    is_told = True
    if int(number.group(1)):
      found[int(number.group(1))] = last
  # each PCI device says it, so at least the host bridge
  return found if is_told else None


def is_wanted(tags):
  """Tell whether an instance's NICs are to get one wherever they are.

  @type tags: collection of strings, or None
  @param tags: the instance's, which Ganeti sends with each request
  @rtype: bool

  """
  return TAG in (tags or ())


def is_there(is_shared, has_tag, version):
  """Tell whether the NICs of an instance that boots get one.

  @type is_shared: bool
  @param is_shared: see L{pools.Partition}
  @type has_tag: bool
  @param has_tag: whether the instance has the tag
  @type version: tuple of two ints, or None
  @param version: of its QEMU
  @rtype: bool

  """
  return (has_tag or not is_shared) and \
    (version or ()) >= (SINCE if is_shared else SINCE_BEHIND_PORTS)


def explain_start(command, version):
  """Say that a QEMU does not know the option.

  @type command: list of strings
  @type version: tuple of two ints, or None
  @rtype: list of strings

  """
  names = sorted(named(command).values())
  if not names or version is None or version >= SINCE:
    return []
  return ["QEMU %d.%d does not know acpi-index (%d.%d does), which %s has: a"
          " guest that runs can go to nodes with a newer QEMU only; what"
          " kvm_extra does not name is without after a shutdown and a start"
          " here" %
          (version + SINCE + (" and ".join(names), ))]
