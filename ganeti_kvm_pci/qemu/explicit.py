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

"""QEMU's own devices beyond their range, with explicit addresses.

QEMU places its devices in the first free slots. Within its own range these
are the same whenever the same command is run, because Ganeti names no address
there. Beyond it, and beyond a disk or NIC that is within it (see L{frozen}),
they depend on which disks and NICs happened to exist at that moment; the target
of a migration, after hotplug, would place them elsewhere, and the guest would
die. So where such a device really sits is written into the runtime file's
command.

"""

from . import command as command_
from . import option as option_
from . import topology

#: What each C{-drive if=virtio} becomes, and a NIC of Ganeti's without id, as
#: an option would.
_DRIVE = command_.DeviceOption(None, "virtio-blk-pci", None, None, None, False)
_NIC = command_.DeviceOption(None, "", None, None, None, False)


def beyond(partition, functions, held, own=()):
  """Find what sits outside QEMU's range and is not in the runtime file.

  Its range ends before the first of Ganeti's devices.

  @type partition: L{pools.Partition}
  @type functions: list of L{pci_functions.Function}
  @type held: collection of ints
  @param held: slots that the runtime file names
  @type own: collection of ints
  @param own: the slots of Ganeti's devices
  @rtype: list of L{pci_functions.Function}

  """
  if not partition.is_shared:
    return []
  first_foreign = min([partition.qemu[1] + 1 if partition.qemu else 0] +
                      list(own))
  return [f for f in functions
          if f.slot >= first_foreign and f.slot not in held]


def _may_be(option, peripheral):
  """Tell whether a driver as written may be a type of the object model.

  QEMU's aliases leave away the bus (virtio-rng for virtio-rng-pci), or the
  chipset (ahci for ich9-ahci), shorten (lsi for lsi53c895a), or differ in
  case (es1370).

  """
  written, real = option.driver.lower(), peripheral.driver.lower()
  return real.startswith(written) or real.endswith(written) or \
    written.startswith(real)


def _embed(options, peripherals):
  """Find for each option in turn the first device that it may have become.

  @rtype: list of ints, or None
  @return: indexes of the devices; None if they cannot all be found

  """
  found = []
  at = 0
  for option in options:
    while at < len(peripherals) and not _may_be(option, peripherals[at]):
      at += 1
    if at == len(peripherals):
      return None
    found.append(at)
    at += 1
  return found


def in_order(command, peripherals, unnamed_nics=0):
  """Pair what a command makes with the devices that it became.

  @type command: list of strings
  @type peripherals: list of L{replies.Peripheral}
  @param peripherals: those with an id, and all without in order of creation
  @type unnamed_nics: int
  @param unnamed_nics: how many NICs Ganeti starts without an id (ISA)
  @rtype: list of (L{command.DeviceOption}, L{replies.Peripheral} or None) pairs
  @return: in the order in which QEMU creates them: options in words, Ganeti's
      NICs without id, C{-drive if=virtio}, options in JSON; those without an
      option of their own have one without position. None where it is not
      certain which device it is

  """
  by_id = dict((p.id, p) for p in peripherals if p.id)
  # a vCPU that was hot-added is among them
  unnamed = [p for p in peripherals if not p.id and
             not topology.is_cpu(p.driver)]
  options = [o for o in command_.devices(command)
             if not topology.is_cpu(o.driver)]
  made = ([o for o in options if not o.is_json] + [_NIC] * unnamed_nics +
          [_DRIVE] * len(command_.virtio_drives(command)) +
          [o for o in options if o.is_json])
  nameless = [option for option in made if not option.id]
  if len(unnamed) == len(nameless):
    found = iter(unnamed)
  else:
    # There are more than we know of (-virtfs makes one), or fewer. An option
    # is certain only if it cannot have become any other device than one
    first = _embed(nameless, unnamed)
    last = _embed(nameless[::-1], unnamed[::-1])
    if not (first and last):
      first = last = [None] * len(nameless)
    else:
      last = [len(unnamed) - 1 - at for at in reversed(last)]
    found = iter([None if low is None or low != high else unnamed[low]
                  for low, high in zip(first, last)])
  return [(option, by_id.get(option.id) if option.id else next(found))
          for option in made]


def fix(command, peripherals, strays, unnamed_nics=0):
  """Give the options of stray devices the address they really have.

  @type command: list of strings
  @param command: the runtime file's command
  @type peripherals: list of L{replies.Peripheral}
  @param peripherals: those with an id, and all without in order of creation
  @type strays: list of L{pci_functions.Function}
  @param strays: result of L{beyond}
  @type unnamed_nics: int
  @param unnamed_nics: how many NICs Ganeti starts without an id (ISA)
  @rtype: tuple (list of strings, list of L{pci_functions.Function},
      list of L{pci_functions.Function})
  @return: the new command; what it now names; what no option of the command
      is sure to stand for, so that it cannot be named (C{-drive if=virtio},
      C{-net nic}, a device added manually)

  """
  wanted = dict(((s.slot, s.function), s) for s in strays)
  named = []
  for option, peripheral in in_order(command, peripherals, unnamed_nics):
    if option.position is None or peripheral is None or option.address:
      continue
    if peripheral.address in wanted:
      command = command_.with_address(command, option.position,
                                      *peripheral.address)
      named.append(wanted.pop(peripheral.address))
  left = [wanted[where] for where in sorted(wanted)]
  return (list(command), named, left)


def without_addresses(command, kvm_extra):
  """Leave the addresses of QEMU's devices to QEMU.

  Ganeti 2.10.2 to 2.16 gave some to balloon, SPICE's controller and the guest
  agent's (commits 3a72e34a0, 5e6d16abe); L{fix} names where a device
  happened to be. Those that the user chose are kept.

  @type command: list of strings
  @type kvm_extra: string or None
  @param kvm_extra: the parameter with which the command was made
  @rtype: tuple (list of strings, list of L{command.DeviceOption})
  @return: a new command; the options that had an address and now have none

  """
  command = list(command)
  extra = command_.words_of(kvm_extra)
  freed = []
  for option in command_.devices(command):
    text = command[option.position]
    if text in extra or not (
        option.address and command_.address_of(option_.keys(text))):
      continue
    command[option.position] = option_.without(text, ("bus", "addr"))
    freed.append(option)
  return (command, freed)
