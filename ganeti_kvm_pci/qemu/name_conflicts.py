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

"""Ids and numbers of Ganeti's root ports, in the options of kvm_extra.

QEMU creates Ganeti's root ports first, and refuses what comes after them
("Duplicate ID 'rp5' for device", "Can't add chassis slot, error -16"; tried
with 7.2). So it is said before the start. A number by which the guest names a
NIC is left to who has it, see L{acpi_index}.

"""

from ..bus import root_ports
from ..errors import NameTakenError
from . import command as command_
from . import option


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
  chassis = option.number(keys.get("chassis"))
  # QEMU compares chassis and slot; without one, it takes 0
  if chassis in numbers and option.number(keys.get("slot", 0)) == 0:
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
  if part.is_shared:
    return
  for name, keys in _users(command, kvm_extra, configs):
    _check_port(name, keys)
