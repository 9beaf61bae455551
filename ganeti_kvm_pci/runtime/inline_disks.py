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

"""Disks inside the command: runtime files of Ganeti up to 2.9.

They have no entry of their own, no id and no address; QEMU makes a device of
each C{-drive if=virtio}, after all others. As long as the guest runs, they
stay what they are. When it boots anew, they are given addresses like all
disks, still inside the command: what an entry needs beside (the uuid above
all) is not in such a runtime file.

"""

from ..qemu import command as command_
from ..qemu import option as option_

#: Begins the id that such a disk gets with its address.
_PREFIX = "inherited-disk-"


def is_disk(option):
  """Tell whether an option is a disk inside the command, with an address.

  @type option: L{command.DeviceOption}
  @rtype: bool

  """
  return bool(option.address and (option.id or "").startswith(_PREFIX))


def find(command, kvm_extra):
  """Find the disks inside a command.

  @type command: list of strings
  @type kvm_extra: string or None
  @param kvm_extra: what it says is the user's own
  @rtype: list of ints
  @return: positions of their C{-drive} or C{-device} options, in the order of
      the disks

  """
  extra = command_.words_of(kvm_extra)
  plain = [position for position in command_.virtio_drives(command)
           if command[position] not in extra and
           ("media", "cdrom") not in command_.split_option(command[position])]
  return sorted(plain + [option.position for option in
                         command_.devices(command) if is_disk(option)])


def insert(command, positions, slots):
  """Give the disks inside a command their addresses.

  @type command: list of strings
  @type positions: list of ints
  @param positions: result of L{find}
  @type slots: list of ints
  @rtype: list of strings
  @return: a new command; the devices come before all others, so that QEMU
      goes around them

  """
  command = list(command)
  devices = []
  for number, (position, slot) in enumerate(zip(positions, slots)):
    if command[position - 1].endswith("-drive"):
      name = "%s%d" % (_PREFIX, number)
      command[position] = option_.put(command[position], [
        ("if", "none"), ("id", name)])
      device = "virtio-blk-pci,drive=%s,id=%s" % (name, name)
    else:
      device = command[position]
      command[position - 1:position + 1] = [None, None]
    devices.extend(command_.with_address(["-device", device], 1, slot))
  first = min([option.position - 1 for option in command_.devices(
    ["" if word is None else word for word in command])] or [len(command)])
  command[first:first] = devices
  return [word for word in command if word is not None]
