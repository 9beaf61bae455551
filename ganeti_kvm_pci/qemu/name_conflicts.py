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

"""Ids and numbers that Ganeti's devices have, in the options of kvm_extra.

QEMU creates Ganeti's root ports first, and refuses what comes after them
("Duplicate ID 'rp5' for device", "Can't add chassis slot, error -16", "a PCI
device with acpi-index = 1 already exist"; tried with 7.2); and a NIC that has
no port yet could not be hot-added. So it is said before the start.

"""

import re

from ..bus import root_ports
from ..bus.pools import NIC_SLOTS
from ..errors import NameTakenError
from . import command as command_

#: A number as QEMU reads it: hexadecimal, octal or decimal.
_NUMBER_RE = re.compile(
  r"\s*\+?(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))\Z")

#: The base of each group of that.
_BASES = {1: 16, 2: 8, 3: 10}


def _number(value):
  """Read a number of an option.

  @param value: a text, or in JSON anything
  @rtype: int or None

  """
  if isinstance(value, int) and not isinstance(value, bool):
    return value
  match = _NUMBER_RE.match(value) if hasattr(value, "split") else None
  return match and int(match.group(match.lastindex), _BASES[match.lastindex])


def _users(command, kvm_extra, configs):
  """List the devices that are the user's own.

  @rtype: list of (string, dict)
  @return: how to name one, and its keys

  """
  words = command_.words_of(kvm_extra)
  found = []
  for position, origin, keys in command_.told(
      command, configs, command_.DEVICE_FLAGS, "device"):
    name = command_.text_of(keys, "id") or command_.text_of(keys, "driver")
    if position is None:
      found.append(("%s (%s)" % (name, origin), keys))
    elif command[position] in words:
      found.append((name, keys))
  return found


def _check_port(name, keys):
  """Compare a device with the root ports."""
  numbers = root_ports.NUMBERS
  if root_ports.number_of(command_.text_of(keys, "id")) is not None:
    raise NameTakenError(
      "%s: a device of kvm_extra has the id of one of Ganeti's root ports (%s"
      " to %s); give it another id in kvm_extra" %
      (name, root_ports.id_of(numbers[0]), root_ports.id_of(numbers[-1])))
  chassis = _number(keys.get("chassis"))
  # QEMU compares chassis and slot; without one, it takes 0
  if chassis in numbers and _number(keys.get("slot", 0)) == 0:
    raise NameTakenError(
      "%s: a device of kvm_extra has chassis=%d, which is that of Ganeti's root"
      " port %s; give it one from %d to 255 in kvm_extra" %
      (name, chassis, root_ports.id_of(chassis), numbers[-1] + 1))


def check(part, command, kvm_extra, configs):
  """Make sure that no device of the user's has a name of Ganeti's.

  @type part: L{pools.Partition}
  @type command: list of strings
  @param command: of a cold boot, with the root ports
  @type kvm_extra: string or None
  @param configs: see L{command.told}
  @raise NameTakenError: if one has

  """
  for name, keys in _users(command, kvm_extra, configs):
    if not part.is_shared:
      _check_port(name, keys)
    index = _number(keys.get("acpi-index"))
    # where QEMU has no such numbers (before 6.0), it refuses this one as well
    if (part.has_acpi_index or not part.is_shared) and index is not None and \
        1 <= index <= NIC_SLOTS:
      raise NameTakenError(
        "%s: a device of kvm_extra has acpi-index=%d, which is that of the NIC"
        " on %s; give it one from %d to 16383 in kvm_extra" %
        (name, index, part.show(part.first_nic + index - 1), NIC_SLOTS + 1))
