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

"""Ganeti's disks and NICs created before the devices that QEMU places."""

from . import command as command_
from . import option as option_
from . import scsi_devices


def _ganetis(command, known):
  """List the disks and NICs on pci.0 that Ganeti adds to a command.

  @type known: int
  @param known: see L{addressed_first}
  @rtype: list of L{command.DeviceOption}

  """
  return [option for option in command_.devices(command)
          if option.position >= known and option.address and option.backend]


def _in_words(command, known):
  """Write the disks on pci.0 that Ganeti gives as JSON as words.

  QEMU creates devices in JSON after all others, wherever they stand. A SCSI
  controller, its disks and IDE disks have no slot to lose.

  @rtype: list of strings
  @return: a new command

  """
  command = list(command)
  for option in _ganetis(command, known):
    if option.is_json:
      text = command[option.position]
      command[option.position] = option_.from_json_to_words(text) or text
  return command


def late_disks(command, known):
  """List the slots of disks that QEMU creates after devices without an address.

  Those of Ganeti's master that need JSON (C{iothread-vq-mapping} is a list)
  stay as they are; L{overflow} keeps their slots free.

  @type command: list of strings
  @type known: int
  @param known: see L{addressed_first}
  @rtype: list of ints

  """
  return [option.address[0] for option in
          _ganetis(_in_words(command, known), known) if option.is_json]


def slots(command, known):
  """List the slots of the disks and NICs that Ganeti adds to a command.

  @param known: see L{addressed_first}
  @rtype: list of ints

  """
  return [option.address[0] for option in _ganetis(command, known)]


def addressed_first(command, known):
  """Move Ganeti's disks and NICs before the devices that QEMU places.

  QEMU creates devices in the order of the command line and gives each that
  names no address the first free slot (QEMU 5.2 to 11.1). With the addressed
  ones in place, it goes around them.

  Only what Ganeti adds to the runtime file's command moves (addressed on
  pci.0, with a backend): disks and NICs bear no bus of their own, so nothing
  can depend on being created before or after them. A virtio-serial controller
  of that command does: ports that name no bus go to the one created last. And
  the order within it must be the one in which unmodified Ganeti starts it.

  @type command: list of strings
  @type known: int
  @param known: how many words of the command are in the runtime file
  @rtype: list of strings
  @return: a new command

  """
  command = _in_words(scsi_devices.controllers_in_words(command), known)
  moved = sorted(option.position for option in _ganetis(command, known))
  if not moved:
    return command
  first = min(o.position for o in command_.devices(command)) - 1
  front = []
  for position in moved:
    front.extend(command[position - 1:position + 1])
  leaving = set(moved) | set(p - 1 for p in moved)
  rest = [word for at, word in enumerate(command[first:], first)
          if at not in leaving]
  return command[:first] + front + rest
