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

"""What does not fit into QEMU's range, addressed before a start.

QEMU gives each device that names no address the first free slot, and creates
those in JSON last (QEMU 6.2 to 11.1). Where a disk of Ganeti's has to be in
JSON, whatever does not fit into QEMU's range would take its slot. These devices
get explicit addresses: the ones that QEMU would choose if the disk were there.

Only for a guest that boots. One that runs elsewhere has its devices where they
are, and its runtime file says so (see L{explicit}).

"""

import re

from ..bus import address
from . import command as command_
from . import named_slots
from . import option as option_

#: Host bridge, PIIX3, and VGA, which an instance may lack.
_BOARD = 3

_NET_FLAGS = frozenset(["-net", "--net"])
_NIC_FLAGS = frozenset(["-nic", "--nic"])
_AUDIO_FLAGS = frozenset(["-audio", "--audio"])
_VIRTFS_FLAGS = frozenset(["-virtfs", "--virtfs"])

_SOUND_FLAGS = frozenset(["-soundhw", "--soundhw"])
#: How many devices a card is; "all" are these three.
_ON_PCI_SOUND = {"ac97": 1, "es1370": 1, "hda": 1, "all": 3}

_TYPE_RE = re.compile(r'^name "([^"]+)"(?:, bus ([^\s,]+))?(.*)$', re.M)
_ALIAS_RE = re.compile(r', alias "([^"]+)"')

_PCI = "PCI"


def types(text):
  """Tell which types of devices are of PCI.

  @type text: string
  @param text: what C{-device help} prints
  @rtype: dict
  @return: name or alias of a type to a bool

  """
  return dict((written, bus == _PCI)
              for name, bus, rest in _TYPE_RE.findall(text)
              for written in [name] + _ALIAS_RE.findall(rest))


def _is_placed(command, option):
  """Tell whether QEMU may choose a slot of pci.0 for an option.

  @type option: L{command.DeviceOption}
  @rtype: bool

  """
  if option.address or option.is_json:
    return False
  if option.position is None: # it stands in a file
    return True
  keys = option_.keys(command[option.position])
  bus = command_.text_of(keys, "bus")
  return keys.get("addr") is None and (bus is None or address.is_bus(bus))


def _without_option(command):
  """Count what may take a slot, and has no option that takes an address.

  What the machine type brings comes before all others, what C{-drive
  if=virtio} makes after those of C{-device}. An C{addr} of C{-net nic} does not
  matter: QEMU 10.0 no longer heeds it, 7.2 does.

  @rtype: int

  """
  return _BOARD + len(command_.virtio_drives(command)) + _made_by(command)


def _made_by(command):
  """Count the options that make a device and take no address for it."""
  def count(flags, first, fits):
    return len([keys for _, _, keys in command_.told(command, None, flags,
                                                     None, first)
                if fits(keys)])

  return (count(_NET_FLAGS, "type", lambda keys: keys.get("type") == "nic") +
          count(_NIC_FLAGS, "type", lambda keys: keys.get("type") != "none") +
          count(_AUDIO_FLAGS, "driver", lambda keys: "model" in keys) +
          count(_VIRTFS_FLAGS, "fsdriver", lambda _: True))


def made_first(command, configs=None):
  """Count the slots that QEMU gives away before it comes to C{-device}.

  Or may: what a file has is created before what follows it.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: int
  @return: so many, from slot 0 on

  """
  sounds = sum(_ON_PCI_SOUND.get(name, 0) for _, text in command_.arguments(
    command, _SOUND_FLAGS) for name in text.split(","))
  in_files = [option for option in command_.devices(command, configs)
              if option.position is None and not option.address]
  return _BOARD + _made_by(command) + sounds + len(in_files)


def is_crowded(command, partition, late, own, configs=None):
  """Tell whether QEMU's own devices may be pushed to a slot that is named.

  A disk or NIC in their range, by its tag (see L{frozen}), pushes them; what
  is created after them would no longer find its slot.

  @param late: result of L{creation_order.late_disks}
  @param own: result of L{creation_order.slots}
  @rtype: bool

  """
  low = [slot for slot in own if slot < partition.reservations]
  others = set(named_slots.taken(command, configs)).difference(own)
  return bool(low) and bool(others or set(low).intersection(late))


def address_rest(command, partition, known, configs=None, is_whole=False):
  """Address what may not fit into QEMU's range.

  @type command: list of strings
  @param command: what QEMU is about to be started with
  @type partition: L{pools.Partition}
  @type known: dict
  @param known: result of L{types}
  @type configs: dict or None
  @param configs: see L{command.told}
  @type is_whole: bool
  @param is_whole: whether all are addressed, see L{is_crowded}
  @rtype: list of strings
  @return: a new command; as it was where all fits, whatever the machine type
      brings. If the bus has too few slots, the rest is left to QEMU, which
      refuses it

  """
  command = list(command)
  # a type that is not known may be another alias
  placed = [option for option in command_.devices(command, configs)
            if _is_placed(command, option) and known.get(option.driver, True)]
  named = named_slots.taken(command, configs)
  end = partition.qemu[1] + 1 if partition.qemu else 0
  room = len([slot for slot in range(end) if slot not in named]) - \
    _without_option(command)
  free = [slot for slot in range(max(end, _BOARD), address.SLOTS)
          if slot not in named]
  movable = [option.position for option in placed
             if option.position is not None and option.driver in known]
  surplus = max(0, len(placed) - max(0, room))
  if is_whole:
    surplus = len(placed)
    # what takes no address gets the first of these
    free = [slot for slot in range(made_first(command, configs), address.SLOTS)
            if slot not in named][len(command_.virtio_drives(command)):]
  for position, slot in zip(movable[-surplus:] if surplus else [], free):
    command = command_.with_address(command, position, slot)
  return command
