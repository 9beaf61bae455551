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

"""The devices that a guest sees, and how two sets of them differ.

QEMU's migration stream names devices by their address and carries their state,
not what they are connected to: a device too many on the target, or two disks
exchanged, goes unnoticed, and the guest goes on with the wrong backends (QEMU
5.2 to 11.1). So the two are compared, device by device, before the guest
moves.

"""

import collections

from ..bus import address
from ..bus import root_ports
from . import ids

#: One device.
#:   - bus: string, "pci.0" or "pcie.0", or the id of a bridge or root port;
#:     behind a controller, its bus
#:     and address and the number of the bus there, e.g. "pci.0/1.1/0" for the
#:     first IDE bus; None for what is on no bus with addresses
#:   - address: tuple of ints: (slot, function) on PCI, (channel, scsi-id, lun)
#:     on SCSI, (unit, ) on IDE or of a floppy drive, the ports on USB, (nr, )
#:     of a serial port of virtio; else a number among those of its driver
#:   - model: string, PCI vendor and device in hex, "1af4:1001"; None elsewhere
#:   - driver: string by the object model; None for what QEMU makes by itself
#:     on PCI
#:   - id: string or None
#:   - backend: string or None, the name of its drive or netdev
#:   - mac: string or None
#:   - size: int, bytes of its drive; None where there is none
#:   - builtin: bool, whether no option names it; the guest cannot tell
#:   - mapped: bool, whether it has addresses by the guest's choice; None for
#:     what takes none, or is not on PCI
#:   - queues: int, of a virtio disk or SCSI controller
#:   - mq: bool, whether a virtio NIC has several queues
#:   - vectors: int, the interrupts of a virtio device
#:   - acpi_index: int, by which a guest may name a NIC; 0 for none
#:   - host_mtu: int, which virtio tells the guest of a NIC; 0 for none
#: The last five are None where QEMU does not tell, or there is no such thing.
#: The file of its drive is a node's own affair (a DRBD minor, a descriptor).
Part = collections.namedtuple("Part", [
  "bus", "address", "model", "driver", "id", "backend", "mac", "size",
  "builtin", "mapped", "queues", "mq", "vectors", "acpi_index",
  "host_mtu"])
Part.__new__.__defaults__ = (False, None, None, None, None, None, None)

#: What drivers and options set beside a device's address, and its name.
_SETTINGS = [("queues", "queues"), ("mq", "several queues (mq)"),
             ("vectors", "vectors"), ("acpi_index", "acpi-index")]


def is_cpu(driver):
  """Tell whether a driver is that of a vCPU.

  QEMU calls all of them MODEL-ARCHITECTURE-cpu (2.8 to 11.1).

  @rtype: bool

  """
  return driver.endswith("-cpu")


def _significant(numbers):
  """Leave function 0 away."""
  return numbers if numbers[1] else numbers[:1]


def show_address(part):
  """Name a part's address.

  @rtype: string

  """
  if part.bus == address.BUS:
    return "slot %s" % ".".join("%d" % n for n in _significant(part.address))
  if part.bus == address.PCIE_BUS:
    return "slot %s of %s" % (
      ".".join("%d" % n for n in _significant(part.address)), part.bus)
  if is_assignable(part):
    return "port %s" % ".".join(
      [part.bus] + ["%d" % n for n in part.address[1:] if n])
  if part.bus:
    numbers = ":".join(str(n) for n in part.address)
    controller, _, number = part.bus.rpartition("/")
    if not controller:
      return "%s %s" % (part.bus, numbers)
    return "%s on bus %s of the controller at %s" % (numbers, number,
                                                     controller)
  return "%s number %d" % (part.driver, part.address[0])


def show(part):
  """Name a part.

  @rtype: string

  """
  name = part.driver or "QEMU's own device %s" % part.model
  return "%s (id %s)" % (name, part.id) if part.id else name


def slot_of(part, partition):
  """Return a part's slot on pci.0, or the number of its root port, or None.

  @type part: L{Part}
  @type partition: L{pools.Partition}

  """
  # where it has no bus, the number is no slot
  return part.bus and partition.locate(part.bus, part.address[0])


def is_assignable(part):
  """Tell whether a part is where Ganeti puts disks and NICs."""
  return root_ports.slot_of(part.bus, part.address[0]) is not None


def location_of(part, partition):
  """Return a part's slot, see L{slot_of}, and function, or None."""
  slot = slot_of(part, partition)
  return None if slot is None else (slot, part.address[1])


def scsi_id_of(part):
  """Return a part's id on a SCSI bus, or None."""
  return part.address[1] if part.bus and len(part.address) == 3 else None


def _is_on_pci(part):
  """Tell whether a part is on a bus of the machine type, or behind a port."""
  return part.bus in (address.BUS, address.PCIE_BUS) or \
    root_ports.number_of(part.bus) is not None


def _key(part):
  return (part.bus or "", part.address, "" if part.bus else part.driver or "")


def _unlike(source, target, told):
  """List in what two parts at one address differ.

  @param told: the fields that are known of both
  @rtype: list of strings

  """
  found = []
  for name, what in (("model", "PCI device"), ("driver", "driver"),
                     ("mac", "MAC address")):
    one, other = getattr(source, name), getattr(target, name)
    # what QEMU makes on PCI by itself (-soundhw, -audio) is told by its PCI
    # device alone
    if name == "driver" and _is_on_pci(source) and source.model and \
        not (one and other):
      continue
    if name in told and one != other:
      found.append("%s %s on the source, %s on the target" %
                   (what, one or "none", other or "none"))
  for name in ("id", "backend"):
    one, other = getattr(source, name), getattr(target, name)
    # Ganeti up to 3.0 makes IDE disks with -drive if=ide, which have no id
    if name == "id" and not _is_on_pci(source) and not (one and other):
      continue
    if name in told and not ids.is_same(one, other):
      found.append("%s %s on the source, %s on the target" %
                   (name, one or "none", other or "none"))
  # a disk that has grown since is larger where it was opened last
  if "size" in told and (target.size or 0) < (source.size or 0):
    found.append("%s bytes on the source, %s on the target" %
                 (source.size, target.size or 0))
  return found + _unlike_settings(source, target, told)


def _show_setting(value):
  return ("on" if value else "off") if isinstance(value, bool) else value


def _unlike_settings(source, target, told):
  """List which settings of two parts at one address differ.

  A QEMU that has no such setting does not tell it (acpi-index before 6.1).

  @param told: the fields that are known of both
  @rtype: list of strings

  """
  found = []
  for name, what in _SETTINGS:
    one, other = getattr(source, name), getattr(target, name)
    if name in told and None not in (one, other) and one != other:
      found.append("%s: %s on the source, %s on the target" % (
        what, _show_setting(one), _show_setting(other)))
  # a guest that uses it ends a QEMU that has none ("Features ... unsupported");
  # another number, QEMU takes
  if "host_mtu" in told and source.host_mtu and target.host_mtu == 0:
    found.append("host_mtu: %d on the source, none on the target" %
                 source.host_mtu)
  if found:
    found[-1] += " (shut the instance down and start it, then migrate it)"
  return found


def differences(source, target, told=Part._fields):
  """Compare the devices of a guest with those that wait for it.

  @type source: list of L{Part}
  @type target: list of L{Part}
  @type told: collection of strings
  @param told: the fields that are known of both
  @rtype: list of strings
  @return: what differs, in words; empty if the guest can go there

  """
  there = dict((_key(part), part) for part in target)
  here = dict((_key(part), part) for part in source)
  found = []
  for key in sorted(set(here) | set(there)):
    one, other = here.get(key), there.get(key)
    if one is None or other is None:
      found.append("%s: %s on the source, %s on the target" % (
        show_address(one or other), show(one) if one else "nothing",
        show(other) if other else "nothing"))
      continue
    unlike = _unlike(one, other, told)
    if unlike:
      found.append("%s, %s: %s" % (show_address(one), show(one),
                                   "; ".join(unlike)))
  return found
