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

"""The root ports on the command line of a q35 guest.

Ganeti's master makes 24 of them, each on a slot of pcie.0 of its own, and gives
QEMU's own devices fixed addresses on what is left (f4cb0f63). Here they are
functions of three slots, and QEMU places its own devices around them: 25 slots
stay free instead of 4, and the guest sees no difference in hot-add, unplug and
migration (QEMU 5.2, 7.2, 10.0, 11.1; benchmarks/ports.py). Between the two
layouts no guest can migrate, so that of a running guest is never changed.

"""

from ..bus import address
from ..bus import root_ports
from ..bus.pools import Partition
from ..errors import BusFullError
from . import command as command_
from . import named_slots

#: Where the ports go if nothing else is there: free on all machine types q35 of
#: QEMU 5.2 to 11.1, with C{-usb} (29) as well. QEMU fills pcie.0 from below.
_SLOTS = [0x17, 0x18, 0x19]

_OPTION = ("pcie-root-port,id=%(id)s,bus=pcie.0,chassis=%(number)d,"
           "port=%(number)d,addr=%(addr)s")


def partition(hvparams, command):
  """Divide the bus of an instance.

  @type hvparams: dict
  @type command: list of strings
  @rtype: L{Partition}, or L{root_ports.RootPorts} if the command has any
  @raise ReservationsError: if C{kvm_pci_reservations} is invalid

  """
  ports = command_.ports(command)
  if ports:
    return root_ports.RootPorts.of(hvparams, ports)
  return Partition.of(hvparams)


def port_slots(command):
  """Tell which slots of pcie.0 carry Ganeti's root ports.

  @type command: list of strings
  @rtype: set of ints

  """
  found = set()
  made = command_.ports(command)
  for _, text in command_.arguments(command, command_.DEVICE_FLAGS):
    keys = command_.keys_of(text)
    place = command_.address_of(keys, bus=address.PCIE_BUS)
    if place and root_ports.number_of(command_.text_of(keys, "id")) in made:
      found.add(place[0])
  return found


def without_ports(command):
  """Remove Ganeti's root ports from a command.

  @type command: list of strings
  @rtype: list of strings
  @return: a new command

  """
  command = list(command)
  made = command_.ports(command)
  for option in reversed(command_.devices(command)):
    if option.driver == command_.ROOT_PORT and \
        root_ports.number_of(option.id) in made:
      del command[option.position - 1:option.position + 1]
  return command


def with_ports(command, configs):
  """Add the root ports to the command of a cold boot.

  They come before all other devices: what is to sit behind one can only be
  created after it.

  @type command: list of strings
  @param command: without any of Ganeti's root ports
  @param configs: see L{command.told}
  @rtype: list of strings
  @return: a new command
  @raise BusFullError: if the command leaves no three slots of pcie.0

  """
  taken = set(option.address[0] for option in named_slots.addressed(
    command, configs, address.PCIE_BUS))
  wanted = -(-len(root_ports.NUMBERS) // address.FUNCTIONS)
  # from above, where QEMU's own come last
  others = list(range(_SLOTS[0] - 1, 0, -1))
  free = [slot for slot in _SLOTS + others if slot not in taken][:wanted]
  if len(free) < wanted:
    raise BusFullError(None, "no %d slots of pcie.0 are left for %d root ports:"
                       " the addresses that kvm_extra names leave %d; take some"
                       " away, so that QEMU chooses" %
                       (wanted, len(root_ports.NUMBERS), len(free)), {})
  options = []
  for at, number in enumerate(root_ports.NUMBERS):
    slot, function = divmod(at, address.FUNCTIONS)
    text = _OPTION % {
      "id": root_ports.id_of(number), "number": number,
      "addr": address.unparse(sorted(free)[slot], function)}
    options += ["-device",
                text + (",multifunction=on" if function == 0 else "")]
  first = command_.first_device(command)
  return command[:first] + options + command[first:]
