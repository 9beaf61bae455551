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

"""Which slots of a bus, or root ports, a command names, by whatever option.

"""

from . import command as command_

_NET_FLAGS = frozenset(["-net", "--net"])


def addressed(command, configs=None, bus=None):
  """List what names a slot of a bus, or a root port, by whatever option.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{command.told}
  @type bus: string or None
  @param bus: see L{command.devices}
  @rtype: list of L{command.DeviceOption}

  """
  found = [option for option in command_.devices(command, configs, bus)
           if option.address]
  is_any = bus is None

  def add(driver, addr, origin):
    place = command_.address_of({"addr": addr})
    # a root port has one slot, which only the name of its bus tells
    if place and not (is_any and command_.ports(command)):
      found.append(command_.DeviceOption(None, driver, None, place, None, False,
                                         origin))

  for _, text, keys in command_.told(command, configs, _NET_FLAGS, "net",
                                     "type"):
    # [[domain:]bus:]slot
    bus, _, slot = (command_.text_of(keys, "addr") or "").rpartition(":")
    if keys.get("type") == "nic" and not bus.strip("0:"):
      add(keys.get("model") or "NIC", slot, text)
  for _, text, keys in command_.told(command, configs, command_.DRIVE_FLAGS,
                                     "drive"):
    if keys.get("if") == "virtio": # up to QEMU 2.12
      add("virtio-blk-pci", keys.get("addr"), text)
  return found


def name(option):
  """Name an option that names a slot.

  @type option: L{command.DeviceOption}
  @rtype: string

  """
  found = option.id or option.driver
  return "%s (%s)" % (found, option.origin) if option.origin else found


def unread(command, configs=None):
  """Say, for an error, that a file may name a slot.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: string or None
  @return: None if all files were read

  """
  files = [path for path in command_.config_files(command)
           if (configs or {}).get(path) is None]
  if not files:
    return None
  return ("a file that cannot be read here may name the slot (-readconfig %s):"
          " take its addr away there" % " and ".join(files))


def taken(command, configs=None):
  """Tell which slots of pci.0 a command names.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: dict
  @return: slot (int) to what is there, for an error text

  """
  return dict((option.address[0], "%s by %s" % (
    option.id or option.driver, option.origin or "kvm_extra"))
              for option in addressed(command, configs))
