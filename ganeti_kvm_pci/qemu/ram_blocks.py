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

"""The RAM blocks of a guest, by C{info ramblock}: memory, firmware, ROMs.

QEMU sends each by its name and size. A target that has no block of this name,
or one of another size that cannot be resized, ends when the guest arrives
("Unknown ramblock", "Size mismatch", "Length mismatch"; 5.2 to 11.1). One that
it has in excess stays as it is.

"""

import collections
import re

from ..bus import address
from . import topology

#: One block.
#:   - used: int, bytes in use
#:   - total: int, bytes up to which QEMU can resize it
Block = collections.namedtuple("Block", ["used", "total"])

#: One line: name, page size, then offset, used and total in hex.
_LINE_RE = re.compile(r"^ *(\S+) +\d+ \w+ +0x[0-9a-f]+ +0x([0-9a-f]+)"
                      r" +0x([0-9a-f]+)\b")

#: The block of a device begins with its address on PCI, and those of the
#: bridges before it.
_DEVICE_RE = re.compile(r"^[0-9a-f]{4}:00((?::[0-9a-f]{2}\.[0-7])+)/")

#: What the firmware reads; QEMU resizes no other blocks.
_RESIZABLE = "/rom@"

_BOOT = "shut the instance down and start it"

#: The end of a device's block to what it is, and the remedy.
_OF_DEVICES = [
  (re.compile(r"\.rom$"), "option ROM",
   "install the same option ROMs on both nodes (Debian: ipxe-qemu and"
   " seabios)"),
  (re.compile(r"vram|vgamem|qxl"), "graphics memory",
   "give QEMU the same size of it on both nodes (e.g. vgamem_mb)"),
  (re.compile(""), "memory of the device",
   "give QEMU the same options on both nodes"),
  ]
_OF_BOARD = [
  (re.compile(r"^/rom@"), "table for the firmware",
   "migrate to a node whose QEMU is not older"),
  (re.compile(r"^(pc\.bios|isa-bios|pc\.rom|system\.flash\d+)$"), "firmware",
   "install the same firmware on both nodes (Debian: seabios, ovmf), and name"
   " the same in kvm_extra, if it is there (-bios, pflash)"),
  (re.compile(""), "memory",
   "give QEMU the same memory on both nodes (-m, -object memory-backend-*)"),
  ]


def parse(text):
  """Read what C{info ramblock} prints.

  @type text: string
  @rtype: dict or None
  @return: name to L{Block}; None if it tells nothing (before QEMU 2.11)

  """
  found = {}
  for line in text.splitlines():
    match = _LINE_RE.match(line)
    if match:
      found[match.group(1)] = Block(int(match.group(2), 16),
                                    int(match.group(3), 16))
  return found or None


def _part_of(name, parts):
  """Find the device that a block belongs to.

  @type parts: list of L{topology.Part}
  @rtype: tuple (bool, L{topology.Part} or None)
  @return: whether it belongs to one on PCI; and which

  """
  match = _DEVICE_RE.match(name)
  if not match:
    return (False, None)
  buses, part = (address.BUS, address.PCIE_BUS), None
  for numbers in match.group(1)[1:].split(":"):
    slot, _, function = numbers.partition(".")
    location = (int(slot, 16), int(function))
    part = ([known for known in parts
             if known.bus in buses and known.address == location] or [None])[0]
    if part is None:
      break
    buses = (part.id, ) if part.id else ()
  return (True, part)


def _fits(name, block, other):
  """Tell whether QEMU takes a block.

  @param name: the block's
  @type block: L{Block}
  @param block: the source's
  @type other: L{Block} or None
  @param other: the target's

  """
  if other is None:
    return False
  if name.startswith(_RESIZABLE) or other.used < other.total:
    return block.used <= other.total
  return block.used == other.used


def _size(block):
  return "missing" if block is None else "%d bytes" % block.used


def _describe(name, parts):
  """Tell what a block is, and what to do where it differs.

  @rtype: tuple of two strings

  """
  is_device, part = _part_of(name, parts)
  rules = _OF_DEVICES if is_device else _OF_BOARD
  what, remedy = [(what, remedy) for pattern, what, remedy in rules
                  if pattern.search(name)][0]
  if part:
    what = "%s, %s, %s" % (topology.show_address(part), topology.show(part),
                           what)
  return (what, remedy)


def differences(source, target, here, there):
  """List the blocks that the target's QEMU would refuse.

  @type source: dict
  @param source: name to L{Block}
  @type target: dict
  @type here: list of L{topology.Part}
  @param here: the source's devices
  @type there: list of L{topology.Part}
  @param there: the target's; what differs in these is told elsewhere
  @rtype: list of strings

  """
  found = []
  for name, block in sorted(source.items()):
    other = target.get(name)
    if _fits(name, block, other):
      continue
    part = _part_of(name, here)[1]
    if part and part.driver != getattr(_part_of(name, there)[1], "driver",
                                       None):
      continue
    what, remedy = _describe(name, here)
    limit = ", which can have %d" % other.total \
      if other and other.used < other.total else ""
    found.append(
      "RAM block %s (%s): %s on the source, %s on the target%s; %s and %s, or"
      " move it by gnt-instance failover" %
      (name, what, _size(block), _size(other), limit, remedy, _BOOT))
  return found
