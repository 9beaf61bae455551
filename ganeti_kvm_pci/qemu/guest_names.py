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

"""What Linux in a guest calls its disks and NICs, as far as that can be told.

Certain is the PCI address, or the SCSI id: C{/sys/block/vdb} leads to it. The
letters are not: a guest gives them in the order in which it finds its disks, at
a boot by the address, later the lowest free one to each that is hot-added. QEMU
does not tell when the guest has booted last.

SCSI disks have no such order: Linux looks at them side by side, and one with a
higher id may be C{sda} (seen with 6.1 on virtio-scsi).

(Linux 6.1: virtio_blk takes the lowest free index, vd_index_ida;
pci_scan_child_bus_extend lists the devices of a bus before those of the buses
beyond its bridges.)

"""

from . import replies
from . import reply_shapes

#: PCI ids of a virtio disk: one that is also of virtio 0.9, and of 1 alone.
_VIRTIO = 0x1af4
_DISKS = frozenset([0x1001, 0x1042])

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def letters(number):
  """Count as Linux counts disks: a to z, then aa.

  @type number: int
  @rtype: string

  """
  found = ""
  number += 1
  while number:
    number, rest = divmod(number - 1, len(_LETTERS))
    found = _LETTERS[rest] + found
  return found


def _walk(number, devices):
  """List the devices of a bus as Linux finds them.

  @return: list of (number of the bus, dict) pairs

  """
  devices = sorted(devices, key=lambda d: (d["slot"], d["function"]))
  found = [(number, device) for device in devices]
  for device in devices:
    bridge = device.get("pci_bridge")
    if bridge and bridge.get("devices"):
      found += _walk(bridge["bus"]["secondary"], bridge["devices"])
  return found


def _all(answer):
  with replies.reading("query-pci"):
    answer = reply_shapes.check("query-pci", None, answer)
    return [pair for bus in sorted(answer, key=lambda bus: bus["bus"])
            for pair in _walk(bus["bus"], bus["devices"])]


def addresses(answer):
  """Tell the PCI addresses by which the guest knows its devices.

  @param answer: that of C{query-pci}
  @rtype: dict
  @return: QEMU's id to e.g. C{"0000:00:08.0"}; without what is on a bus to
      which the firmware has given no number so far
  @raise MonitorError: if the answer has another shape

  """
  with replies.reading("query-pci"):
    return dict((device["qdev_id"], "0000:%02x:%02x.%x" % (
      bus, device["slot"], device["function"]))
                for bus, device in _all(answer) if device.get("qdev_id"))


def virtio_disks(answer):
  """List the virtio disks in the order in which a booting Linux finds them.

  @param answer: that of C{query-pci}
  @rtype: list of strings or None
  @return: QEMU's ids, or None for a disk without
  @raise MonitorError: if the answer has another shape

  """
  with replies.reading("query-pci"):
    return [device.get("qdev_id") or None for _, device in _all(answer)
            if device["id"]["vendor"] == _VIRTIO and
            device["id"]["device"] in _DISKS]


class DiskNames(object):
  """The names of a guest's virtio disks."""

  def __init__(self, order, started, is_known):
    """Make one.

    @param order: see L{virtio_disks}
    @type started: collection of strings
    @param started: the ids of those that QEMU was started with
    @type is_known: bool
    @param is_known: whether the guest booted on this QEMU, and not on another
        node's

    """
    self._order = order
    lost = set(started) - set(order)
    self._first = [name for name in order if name is None or name in started]
    self._added = [name for name in order if name not in self._first]
    self._is_known = is_known and not lost

  @staticmethod
  def _name(number):
    return "vd" + letters(number)

  def at_next_boot(self, name):
    """Tell the name that a disk has once the guest has booted anew.

    @type name: string
    @param name: QEMU's id
    @rtype: string or None
    @return: None if it is not known here

    """
    return self._name(self._order.index(name)) if name in self._order else None

  def now(self, name):
    """Tell the names that a disk may have now.

    @param name: see L{at_next_boot}
    @rtype: list of strings
    @return: one if nothing speaks for another; empty if nothing is known: the
        guest arrived from another node, or disks with which QEMU was started
        were removed. What was hot-added and removed leaves no trace in QEMU

    """
    if not self._is_known or name not in self._order:
      return []
    if name in self._first:
      found = [self._first.index(name)]
    else:
      # before it, others may have been added, and removed since
      found = [len(self._first) + number
               for number in range(len(self._added) + 1)]
    # it may have booted since
    found.append(self._order.index(name))
    return [self._name(number) for number in sorted(set(found))]


def of_nic(partition, slot, acpi_index, address):
  """Tell the name of a NIC by systemd's scheme.

  @type partition: L{pools.Partition}
  @type slot: int or None
  @type acpi_index: int or None
  @type address: string or None
  @param address: see L{addresses}
  @rtype: string or None

  """
  if acpi_index:
    return "eno%d" % acpi_index
  if slot is not None and partition.is_shared:
    return "ens%d" % slot
  if address:
    return "enp%ds%d" % (int(address[5:7], 16), int(address[8:10], 16))
  return None
