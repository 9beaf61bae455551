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

"""What the source node tells of its guest's devices, as it travels.

It is one more entry of the runtime that the target gets (L{serialized}), and
outlives releases: nodes are upgraded one by one. It has a version, and names
its fields.

"""

from ..bus import address
from ..bus import root_ports
from ..errors import MalformedError
from ..qemu import board as board_
from ..qemu import ram_blocks
from ..qemu import topology
from .device_entry import is_text

#: A disk of Python 2 may be longer than its int.
_INTS = (int, type(1 << 64))


def _is_int(value):
  return isinstance(value, _INTS) and not isinstance(value, bool)


def _is_text_or_none(value):
  return value is None or is_text(value)


#: What stands in each field of a L{topology.Part} that travels.
_CHECKS = dict(
  [(name, _is_text_or_none) for name in ("bus", "model", "driver", "id",
                                         "backend", "mac")],
  address=lambda value: (isinstance(value, list) and value and
                         all(_is_int(number) for number in value)),
  mapped=lambda value: value in (None, True, False),
  mq=lambda value: value in (None, True, False),
  **dict((name, lambda value: value is None or _is_int(value))
         for name in ("size", "queues", "vectors", "acpi_index",
                      "host_mtu")))

#: Without these, a device cannot be told from others.
_REQUIRED = frozenset(["bus", "address", "driver"])

#: Of the form below. A release that adds a field keeps it, since what it does
#: not know it ignores, and what it is not told it does not compare; one that
#: gives a field another meaning takes the next.
VERSION = 1

#: In this form, the source node tells what its guest has. The names are not
#: those of the first form, a list of lists without a version, in which each
#: new value made a migration a refusal: what reads that finds nothing here.
_VERSION, _SOURCE, _DEVICES = "version", "source", "devices"

#: How many vCPUs the guest has; missing where QEMU, or an older release, does
#: not tell.
_VCPUS = "vcpus"

#: What the guest has beside its devices; missing where an older release does
#: not tell. Each field of it may be missing.
_BOARD = "board"


def _is_block(value):
  return isinstance(value, list) and len(value) == 2 and \
    all(_is_int(size) for size in value)


def _is_dict_of(check):
  return lambda value: isinstance(value, dict) and all(
    check(item) for item in value.values())


#: What stands in each field of a L{board_.Board} that travels.
_BOARD_CHECKS = {"cpu": is_text, "apic_id": _is_int, "memory_slots": _is_int,
                 "isa": _is_dict_of(_is_int), "blocks": _is_dict_of(_is_block)}

#: The same of the first form, and the order of its values.
_FIRST_SOURCE, _FIRST_DEVICES = "node", "machine"
_FIRST_FIELDS = ["bus", "address", "model", "driver", "id", "backend", "mac",
                 "size"]


class Topology(object):
  """What the source node tells of its guest's devices.

  @ivar parts: list of L{topology.Part}
  @ivar told: frozenset of strings, the fields that are known of all
  @ivar buses: collection of strings, the buses that all this is of; None for
      everything
  @ivar vcpus: int or None, how many vCPUs the guest has
  @ivar board: L{board_.Board} or None, what it has beside them

  """
  def __init__(self, parts, told, buses=None, vcpus=None, board=None):
    self.parts = parts
    self.told = told
    self.buses = buses
    self.vcpus = vcpus
    self.board = board

  def differences(self, target, vcpus=None, board=None):
    """Compare with the target, as far as this tells.

    @type target: list of L{topology.Part}
    @type vcpus: int or None
    @param vcpus: how many it has
    @type board: L{board_.Board} or None
    @param board: what it has beside them
    @rtype: list of strings

    """
    found = []
    if None not in (self.vcpus, vcpus) and self.vcpus != vcpus:
      found.append("vCPUs: %d on the source, %d on the target (remove what was"
                   " hot-added, by device_del at QEMU's monitor, or shut the"
                   " instance down and start it, then migrate it)" %
                   (self.vcpus, vcpus))
    here, there = [
      [part for part in parts if self.buses is None or part.bus in self.buses]
      for parts in (self.parts, target)]
    return found + topology.differences(here, there, self.told) + \
      board_.differences(self.board, board, self.parts, target,
                         self.vcpus == vcpus)

  def left_out(self, target):
    """Find devices that the guest may have ejected while it was copied.

    The target was started with them, and the stream does not say that the
    source has them no longer: they come up as after a reset, without
    addresses, which the guest had given them. One that the guest has disabled
    looks the same. A guest that is being reset has taken the addresses from all
    its devices.

    @type target: list of L{topology.Part}
    @param target: when the guest has arrived
    @rtype: list of L{topology.Part}
    @return: those of the target

    """
    had = set((part.bus, part.address) for part in self.parts
              if topology.is_assignable(part) and part.mapped)
    there = [part for part in target if (part.bus, part.address) in had]
    if not any(part.mapped for part in there):
      return []
    return [part for part in there if part.mapped is False]


def write(parts, node, vcpus=None, board=None):
  """Turn a topology into what travels with its guest.

  @type node: string
  @param node: the source; who hands this on is another
  @type vcpus: int or None
  @param vcpus: how many the guest has; None if QEMU does not tell
  @type board: L{board_.Board} or None
  @param board: what it has beside its devices
  @rtype: dict

  """
  found = {_VERSION: VERSION, _SOURCE: node, _DEVICES: [
    dict((name, list(value) if isinstance(value, tuple) else value)
         for name, value in part._asdict().items() if name in _CHECKS)
    for part in parts]}
  if vcpus is not None:
    found[_VCPUS] = vcpus
  if board is not None:
    values = board._asdict()
    if board.blocks is not None:
      values["blocks"] = dict((name, list(block))
                              for name, block in board.blocks.items())
    found[_BOARD] = dict((name, value) for name, value in values.items()
                         if value is not None)
  return found


def _board(values):
  """Read what the guest has beside its devices.

  @type values: dict
  @rtype: L{board_.Board} or None
  @return: None if it is something else

  """
  if not isinstance(values, dict) or not all(
      check(values[name]) for name, check in _BOARD_CHECKS.items()
      if values.get(name) is not None):
    return None
  values = dict((name, values.get(name)) for name in _BOARD_CHECKS)
  if values["blocks"] is not None:
    values["blocks"] = dict((name, ram_blocks.Block(*sizes))
                            for name, sizes in values["blocks"].items())
  return board_.Board(**values)


def _part(values):
  """Read one device; None if it is something else.

  @type values: dict

  """
  if not _REQUIRED.issubset(values) or not (values["bus"] or values["driver"]):
    return None
  if not all(check(values[name]) for name, check in _CHECKS.items()
             if name in values):
    return None
  if len(values["address"]) != 2 and (
      values["bus"] in (address.BUS, address.PCIE_BUS) or
      root_ports.number_of(values["bus"])):
    return None
  values = dict((name, values.get(name)) for name in _CHECKS)
  return topology.Part(**dict(values, address=tuple(values["address"])))


def read(source_report, node, source):
  """Read what L{write}, of this release or another, made.

  @type source_report: dict or None
  @type node: string
  @param node: the guest's; what another node has told is not true any more
  @param source: named in errors
  @rtype: L{Topology} or None
  @return: None if it tells nothing, or nothing that can be read here
  @raise RuntimeFileError: if it is of a version that is known, and malformed

  """
  source_report, vcpus, board = source_report or {}, None, None
  if source_report.get(_SOURCE) == node:
    version = source_report.get(_VERSION)
    if not _is_int(version) or not 1 <= version <= VERSION:
      return None
    devices, buses = source_report.get(_DEVICES), None
    vcpus = source_report.get(_VCPUS)
    board = source_report.get(_BOARD)
    if not (isinstance(devices, list) and
            all(isinstance(values, dict) for values in devices)):
      devices = [{}]
  elif source_report.get(_FIRST_SOURCE) == node:
    # it named the devices of other buses as is done no longer
    devices, buses = source_report.get(_FIRST_DEVICES), frozenset([address.BUS])
    if isinstance(devices, list) and all(
        isinstance(values, list) and len(values) == len(_FIRST_FIELDS)
        for values in devices):
      devices = [dict(zip(_FIRST_FIELDS, values)) for values in devices]
    else:
      devices = [{}]
  else:
    return None
  parts = [_part(values) for values in devices]
  known = None if board is None else _board(board)
  if None in parts or not (vcpus is None or _is_int(vcpus)) or \
      (known is None) != (board is None):
    raise MalformedError(source, "what the source node tells of the guest's"
                         " devices is malformed")
  told = frozenset(topology.Part._fields).intersection(
    *[set(values) for values in devices])
  return Topology(parts, told, buses, vcpus, known)


def source_of(source_report):
  """Tell which node made what L{read} reads.

  """
  return source_report.get(_SOURCE, source_report.get(_FIRST_SOURCE))
