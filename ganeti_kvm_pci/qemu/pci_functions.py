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

"""What C{query-pci} tells: the devices on PCI buses, and their functions.

It names no bus, and of drivers only the PCI class; the rest is in the object
model (L{replies}).

"""

import collections

from ..bus import address
from ..errors import MonitorError
from . import replies

#: One function on the live bus.
#:   - slot, function: ints; behind a root port of q35, the port's number is the
#:     slot
#:   - id: string, or None
#:   - description: string, PCI class in QEMU's words, e.g. "VGA controller"
#:   - mapped: bool, whether the guest has given it addresses; None for what
#:     takes none
Function = collections.namedtuple(
  "Function", ["slot", "function", "id", "description", "mapped"])
Function.__new__.__defaults__ = (None, )

#: What else is known of one.
#:   - id: string, or None
#:   - model: string, vendor and device in hex, e.g. "1af4:1001"; None behind a
#:     bridge, where the object model tells the driver, and this is told only
#:     once the firmware has numbered the buses
#:   - is_nic: bool, by its PCI class
#:   - mapped: as of L{Function}
Details = collections.namedtuple(
  "Details", ["id", "model", "is_nic", "mapped"])

#: The address of a region that has none; QEMU's integers have signs or not.
_UNMAPPED = (-1, (1 << 64) - 1)

#: The host bridge of q35, by which its first bus is told from that of i440fx.
_Q35_BRIDGE = "8086:29c0"

#: Of PCI's classes (base class and subclass), the base class of NICs.
_NETWORK = 0x02


def located(answer):
  """Tell on which buses the devices of C{query-pci} are.

  @rtype: list of (string or None, dict) pairs
  @return: those of bus 0, which an extra root bus may come before, without its
      name; and those of the bus of a bridge on it, which is named by its id

  """
  found = []
  for device in [bus["devices"] for bus in answer if bus["bus"] == 0][0]:
    found.append((None, device))
    # without an id, only the object model tells the bus's name
    if device.get("qdev_id") and device.get("pci_bridge"):
      found.extend((device["qdev_id"], other) for other in
                   device["pci_bridge"].get("devices") or [])
  return found


def is_numbered(answer):
  """Tell whether all bridges have a bus number, which the firmware gives.

  Of a bridge without, query-pci does not list the other side (QEMU 5.2 to
  11.1).

  @rtype: bool
  @raise MonitorError: if the answer has another shape

  """
  with replies.reading("query-pci"):
    return all(device["pci_bridge"].get("devices") is not None
               for _, device in located(answer) if device.get("pci_bridge"))


def _is_mapped(regions):
  """Tell whether the guest has given a device addresses.

  @rtype: bool or None

  """
  if not regions:
    return None
  return any(region.get("address", -1) not in _UNMAPPED for region in regions)


def functions(answer, partition):
  """Read the answer of C{query-pci}.

  @param answer: what the command returned
  @type partition: L{pools.Partition}
  @rtype: list of L{Function}
  @return: those on slots of the partition
  @raise MonitorError: if the answer has another shape

  """
  with replies.reading("query-pci"):
    found = []
    devices = located(answer)
    if not devices: # not even a host bridge
      raise MonitorError("unexpected reply to QMP command query-pci: nothing"
                         " on bus 0")
    for bus, device in devices:
      info = device["class_info"]
      slot = partition.locate(bus, address.check_slot(device["slot"]))
      function = Function(
        slot=slot,
        function=address.check_function(device["function"]),
        id=device.get("qdev_id") or None,
        description=info.get("desc") or "class 0x%04x" % info["class"],
        mapped=_is_mapped(device.get("regions")))
      if slot is not None:
        found.append(function)
    return sorted(found, key=lambda f: (f.slot, f.function))


def layout(answer):
  """Tell where C{query-pci} has which devices, to be compared later.

  @rtype: list
  @raise MonitorError: if the answer has another shape

  """
  with replies.reading("query-pci"):
    return [(bus, device["slot"], device["function"], device.get("qdev_id"))
            for bus, device in located(answer)]


def places(answer, partition):
  """Tell where the devices are that have an id.

  @param answer: what C{query-pci} returned
  @type partition: L{pools.Partition}
  @rtype: dict
  @return: id to slot and function, or to None for a device that is not on a
      slot of the partition; one behind a bridge without a number is not in it
  @raise MonitorError: if the answer has another shape

  """
  with replies.reading("query-pci"):
    found = {}
    for bus, device in located(answer):
      if device.get("qdev_id"):
        slot = partition.locate(bus, device["slot"])
        found[device["qdev_id"]] = None if slot is None else (
          slot, device["function"])
    return found


def held(found):
  """Tell what the live bus has.

  @type found: list of L{Function}
  @rtype: dict
  @return: slot (int) to the name of the device there

  """
  names = {}
  for function in found:
    names.setdefault(function.slot, function.id or function.description)
  return names


def unclaimed(found):
  """Tell which devices the guest has given no addresses.

  Its firmware gives them to all that it finds, Linux to a hot-added one when
  it enables it.

  @type found: list of L{Function}
  @rtype: frozenset of strings
  @return: their ids; none where there are no addresses at all: that guest has
      not begun to boot, and will find all of them

  """
  if not any(function.mapped for function in found):
    return frozenset()
  return frozenset(function.id for function in found
                   if function.mapped is False and function.id)


def details(answer):
  """Read all that C{query-pci} tells, beyond bridges as well.

  @rtype: dict
  @return: (bus, (slot, function)) to L{Details}; the bus as of
      L{topology.Part}
  @raise MonitorError: if the answer has another shape

  """
  with replies.reading("query-pci"):
    found = collections.OrderedDict()
    devices = located(answer)
    models = ["%04x:%04x" % (device["id"]["vendor"], device["id"]["device"])
              for _, device in devices]
    first = address.PCIE_BUS if _Q35_BRIDGE in models else address.BUS
    for (bus, device), model in zip(devices, models):
      found[first if bus is None else bus,
            (device["slot"], device["function"])] = Details(
              id=device.get("qdev_id") or None,
              model=model if bus is None else None,
              is_nic=device["class_info"]["class"] >> 8 == _NETWORK,
              mapped=_is_mapped(device.get("regions")))
    return found
