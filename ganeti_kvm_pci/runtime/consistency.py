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

"""What is wrong with an instance's bus, and what of it can be put right."""

import collections

from ..bus.pools import DISK
from ..bus.pools import NIC
from ..bus.pools import QEMU
from ..qemu import explicit
from . import slot_map
from .device_table import describe
from .device_table import dict_of
from .device_table import drop
from .device_table import unnamed_nics

#: How bad it is. INFO is no fault: old layouts are legal as long as they live.
INFO = "info"
WARNING = "warning"

#: One thing to say.
#:   - severity: INFO or WARNING
#:   - slot: int or None
#:   - device: string or None
#:   - text: string
#:   - bus: string or None, that of the slot
Finding = collections.namedtuple(
  "Finding", ["severity", "slot", "device", "text", "bus"])
Finding.__new__.__defaults__ = (None, )


def _name(entry):
  if entry.index is None:
    return entry.id or entry.driver
  return "%s %d (%s)" % (entry.device_class, entry.index, entry.id)


def findings(table, functions=None, peripherals=(), requests=None):
  """Judge what is on the bus.

  @type table: L{device_table.DeviceTable}
  @type functions: list of L{pci_functions.Function}, or None
  @param functions: what the live QEMU has; None if it was not asked
  @type peripherals: list of L{replies.Peripheral}
  @param requests: see L{slot_map.entries}
  @rtype: list of L{Finding}

  """
  found = []
  part = table.partition
  for entry in slot_map.entries(table, functions, peripherals, requests):
    owner = part.owner(entry.slot)
    severity = INFO
    if entry.remark:
      # whether one of QEMU's own would go elsewhere, the migration check tells;
      # what has an id, and is not in the runtime file, may have been added
      # manually
      own = entry.source == slot_map.LIVE and not entry.id
      # what the guest does with a device is its own affair
      harmless = own or entry.remark == slot_map.UNCLAIMED
      severity, text = INFO if harmless else WARNING, entry.remark
    elif entry.device_class not in (QEMU, owner):
      text = "not in the %s pool (%s); the next cold boot decides anew" % (
        {DISK: "disks'", NIC: "NICs'"}[entry.device_class], part)
    elif owner == entry.device_class or entry.source == slot_map.LIVE:
      continue
    else:
      text = "%s (%s), as the runtime file says" % (
        "beyond QEMU's range" if part.is_shared else
        "on a root port of Ganeti's", part)
    found.append(Finding(severity, entry.slot, _name(entry),
                         "%s, %s: %s" % (part.show(entry.slot), _name(entry),
                                         text), entry.bus))
  return found


def repair(runtime, table, functions, peripherals):
  """Make a runtime file say what QEMU has, as far as that can be known.

  Disks and NICs that QEMU does not have are removed from it (see
  L{device_table.DeviceTable.lost}): a later migration would start the target
  with a device too many. What QEMU has on another slot gets that slot. QEMU's
  own devices beyond their range get an explicit address (see L{explicit}).
  What only QEMU knows stays unknown: an entry needs what only the configuration
  has.

  @type runtime: L{serialized.Runtime}
  @param runtime: is changed in place
  @type table: L{device_table.DeviceTable}
  @param table: that of the runtime
  @type functions: list of L{pci_functions.Function}
  @type peripherals: list of L{replies.Peripheral}
  @rtype: list of strings
  @return: what was changed

  """
  changes = []
  slots = dict((f.id, f.slot) for f in functions if f.id)
  for device in table.devices:
    if device.index is not None and device.slot is not None and \
        slots.get(device.id, device.slot) != device.slot:
      hvinfo = dict_of(runtime, device).get("hvinfo")
      if not hvinfo: # up to 2.15, the slot is part of the id
        continue
      hvinfo.update(table.partition.location(slots[device.id]))
      changes.append("%s: %s in the runtime file, %s in QEMU, corrected" %
                     (describe(device), table.partition.show(device.slot),
                      table.partition.name(slots[device.id])))
  ids = set(p.id for p in peripherals) | set(slots)
  changes.extend(drop(runtime, table.lost(
    ids, set(f.slot for f in functions))))
  strays = explicit.beyond(table.partition, functions, table.held())
  words, fixed, _ = explicit.fix(runtime.words, peripherals, strays,
                                 unnamed_nics(runtime))
  if fixed:
    runtime.command[:] = words
  changes.extend("%s, slot %d: QEMU's own, slot written to the runtime file" %
                 (function.id or function.description, function.slot)
                 for function in fixed)
  return changes
