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

"""The map of one instance's bus: runtime file and live QEMU.

That of a q35 guest has two rows: pcie.0, which is QEMU's and carries the root
ports, and the ports.

"""

import collections

from ..bus import address
from ..bus import root_ports
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..bus.pools import QEMU
from ..bus.pools import slots_of
from ..qemu import pci_functions
from ..qemu import q35
from . import unplug_request

RUNTIME_FILE = "runtime"
LIVE = "live"
BOTH = "both"

#: What is said of a device that the guest does not use.
UNCLAIMED = ("not mapped by the guest: it is paused, still boots, or has no"
             " driver for it")

#: What the text calls a source; the others have no other name.
_SHOWN = {RUNTIME_FILE: "runtime file"}

#: One line of the map.
#:   - slot .. driver: as in L{device_table.Device}
#:   - source: RUNTIME_FILE, LIVE or BOTH: who knows of it
#:   - remark: string, what is wrong with that; "" if nothing is
#:   - request: L{unplug_request.Request}, or None
#:   - bus: string, QEMU's name of it
Entry = collections.namedtuple(
  "Entry", ["slot", "device_class", "index", "id", "driver", "source",
            "remark", "request", "bus"])
Entry.__new__.__defaults__ = (address.BUS, )

_LETTERS = {DISK: "D", NIC: "N", QEMU: "Q"}

#: What carries root ports.
_PORT_LETTER = "P"


def _bus(part, slot):
  return part.location(slot)["bus"]


def _live_only(partition, function, drivers):
  remark = ""
  if not partition.is_shared:
    remark = ("not in the runtime file, on a root port of Ganeti's: whether the"
              " target of a migration would have it is checked before each")
  elif partition.owner(function.slot) != QEMU:
    remark = ("not in the runtime file, beyond QEMU's range: whether a"
              " migration would place it elsewhere is checked before each")
  driver = drivers.get((function.slot, function.function))
  return Entry(function.slot, QEMU, None, function.id,
               driver or function.description, LIVE, remark, None,
               _bus(partition, function.slot))


def _unknown(partition, functions, peripherals, shown):
  """List what only QEMU knows of.

  @type shown: set of ints
  @param shown: slots that are listed; is changed
  @rtype: list of L{Entry}
  @return: functions of one slot are one entry unless they have ids

  """
  drivers = dict((p.address, p.driver) for p in peripherals if p.address)
  found = []
  for function in functions:
    if function.id or function.slot not in shown:
      found.append(_live_only(partition, function, drivers))
      shown.add(function.slot)
  return found


def _with_request(entry, request, asked):
  """Add to an entry that the guest was asked for the device.

  @type request: L{unplug_request.Request} or None
  @param asked: whether the live QEMU was asked

  """
  if request is None:
    return entry
  remark = unplug_request.text(request)
  if asked and entry.source == RUNTIME_FILE:
    remark += (", completed since: the next operation, or check --repair,"
               " takes it out of the runtime file")
  elif entry.remark not in ("", UNCLAIMED):
    remark = "%s; %s" % (remark, entry.remark)
  return entry._replace(remark=remark, request=request)


def entries(table, functions=None, peripherals=(), requests=None,
            root_bus=((), ())):
  """List what is on the bus.

  @type table: L{device_table.DeviceTable}
  @type functions: list of L{pci_functions.Function}, or None
  @param functions: what the live QEMU has; None if it was not asked
  @type peripherals: list of L{replies.Peripheral}
  @param peripherals: for the drivers of what only QEMU knows
  @type requests: dict or None
  @param requests: ids of devices that the guest was asked for to
      L{unplug_request.Request}
  @type root_bus: tuple of two lists
  @param root_bus: functions and peripherals on pcie.0 of a q35 guest
  @rtype: list of L{Entry}
  @return: by rising slot, pcie.0 first, without the root ports; functions of
      one slot are one entry unless they have ids of their own

  """
  found = []
  unknown = list(functions or [])
  unclaimed = pci_functions.unclaimed(unknown)
  for device in table.devices:
    if device.slot is None:
      continue
    source, remark = RUNTIME_FILE, ""
    if functions is not None:
      there = [f for f in unknown if f.slot == device.slot and
               (f.id == device.id or not device.id)]
      if there:
        source = BOTH
        if device.id in unclaimed:
          remark = UNCLAIMED
        unknown.remove(there[0])
      else:
        remark = "QEMU does not have it: added without hotplug, or lost"
    found.append(Entry(device.slot, device.device_class, device.index,
                       device.id, device.driver, source, remark, None,
                       _bus(table.partition, device.slot)))
  found += _unknown(table.partition, unknown, peripherals,
                    set(e.slot for e in found if e.source == BOTH))
  found += _unknown(root_ports.RootBus(), [
    function for function in root_bus[0]
    if root_ports.number_of(function.id) not in table.partition.slots],
                    root_bus[1], set())
  found = [_with_request(entry, (requests or {}).get(entry.id),
                         functions is not None) for entry in found]
  return sorted(found, key=lambda e: (e.bus != address.PCIE_BUS, e.slot,
                                      e.source == LIVE))


def pools(part):
  """Tell whose slots are whose.

  @type part: L{pools.Partition}
  @rtype: dict

  """
  found = dict((name, list(pool) if pool else None) for name, pool in (
    ("qemu", part.qemu), ("disks", part.disks), ("nics", part.nics)))
  found["unit"] = part.unit
  return found


def as_data(table, found, tags=None):
  """Return what the map puts into an entry, see L{report.entry}.

  @param tags: result of L{placement.tags}
  @rtype: dict

  """
  elsewhere = [device for device in table.devices if device.slot is None]
  return {
    "instance": table.instance, "partition": pools(table.partition),
    "devices": [{"bus": e.bus, "slot": e.slot, "class": e.device_class,
                 "index": e.index, "id": e.id, "driver": e.driver,
                 "source": e.source, "remark": e.remark or None,
                 "tag": (tags or {}).get((e.device_class, e.index)),
                 "requested": e.request and unplug_request.iso(e.request)}
                for e in list(found) + [
                  Entry(None, d.device_class, d.index, d.id, d.driver,
                        RUNTIME_FILE, None, None, None) for d in elsewhere]],
    }


def _letters(found):
  """Tell which letter stands for what is on a slot.

  @type found: list of L{Entry}
  @rtype: dict

  """
  letters = {}
  for entry in found:
    letter = "!" if entry.remark else _LETTERS[entry.device_class]
    if letters.get(entry.slot) != "!":
      letters[entry.slot] = letter
  return letters


def drawing(partition, found, asked, port_slots=()):
  """Draw the 32 slots, a letter each; of a q35 guest, the ports below them.

  @type partition: L{pools.Partition}
  @type found: list of L{Entry}
  @type asked: bool
  @param asked: see L{as_text}
  @type port_slots: collection of ints
  @param port_slots: those of pcie.0 that carry root ports
  @rtype: list of strings

  """
  if partition.is_shared:
    return _row(partition, _letters(found), asked,
                [("QEMU", partition.qemu), ("disks", partition.disks),
                 ("NICs", partition.nics)])
  on_root_bus = [entry for entry in found if entry.bus == address.PCIE_BUS]
  above = _letters(on_root_bus)
  above.update((slot, _PORT_LETTER) for slot in port_slots)
  bus = root_ports.RootBus()
  disks = ("disks", partition.disks)
  if partition.disks is None: # what the disks do not need
    disks = ("free", root_ports.DISK_PORTS)
  return _row(bus, above, asked, [(address.PCIE_BUS, bus.qemu)]) + _row(
    partition, _letters([e for e in found if e not in on_root_bus]), True,
    [("NICs", partition.nics), disks])


def _row(part, letters, asked, ranges):
  """Draw some ranges beside each other.

  @param ranges: list of label and range, or None

  """
  columns = []
  for label, pool in ranges:
    if pool is None:
      continue
    # without asking QEMU, nothing is known of what it has in its own range
    empty = "." if label in ("QEMU", address.PCIE_BUS) and not asked else "_"
    columns.append((label, "-".join(part.name(slot) for slot in pool),
                    "".join(letters.get(s, empty) for s in slots_of(pool))))
  widths = [max(len(text) for text in column) for column in columns]
  return ["  " + " ".join(column[row].ljust(width) for column, width
                          in zip(columns, widths)).rstrip()
          for row in range(3)]


def _name(part, entry):
  """Name where a device is."""
  return part.name(entry.slot) if entry.bus != address.PCIE_BUS else \
    str(entry.slot)


def as_text(table, found, asked):
  """Draw the map.

  @type found: list of L{Entry}
  @type asked: bool
  @param asked: whether the live QEMU was asked
  @rtype: string

  """
  lines = [table.instance] + drawing(table.partition, found, asked,
                                     q35.port_slots(table.command))
  elsewhere = [d for d in table.devices if d.slot is None]
  rows = [(_name(table.partition, e), e.device_class,
           "-" if e.index is None else str(e.index), e.id or "-",
           e.driver or "-", _SHOWN.get(e.source, e.source)) for e in found]
  if rows:
    rows.insert(0, ("slot", "class", "index", "id", "driver", "known to"))
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    remarks = [""] + [e.remark for e in found]
    for row, remark in zip(rows, remarks):
      line = "  " + "  ".join(
        text.rjust(width) if at == 0 else text.ljust(width)
        for at, (text, width) in enumerate(zip(row, widths)))
      lines.append((line + ("  ! " + remark if remark else "")).rstrip())
  if elsewhere:
    lines.append("  without a %s: %s" % (
      table.partition.unit,
      ", ".join("%s %d (%s)" % (d.device_class, d.index, d.driver)
                for d in elsewhere)))
  return "\n".join(lines)
