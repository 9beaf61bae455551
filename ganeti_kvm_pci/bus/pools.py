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

"""Which of the 32 slots of pci.0 are whose.

::

  slot  0        7 8                    23 24      31
        +---------+----------------------+----------+
        |  QEMU   |        disks         |   NICs   |
        +---------+----------------------+----------+

QEMU's range is as long as C{kvm_pci_reservations} says. The NICs have the
last 8 slots, whatever the rest looks like, so that names like C{ens24} depend
on nothing. Disks have what lies between; where the disks do not sit on pci.0
(SCSI, IDE), that is QEMU's as well.

"""

from ..errors import ReservationsError
from . import address
from .address import SLOTS

#: Classes of devices; what is neither a disk nor a NIC of Ganeti is QEMU's.
DISK = "disk"
NIC = "nic"
QEMU = "qemu"

#: Ganeti's limit on the NICs of an instance (constants.MAX_NICS, 2.10 to 3.1).
NIC_SLOTS = 8

#: QEMU's range where Ganeti has no parameter for it: what is left of 32 slots
#: when 16 disks (constants.MAX_DISKS) and 8 NICs have theirs.
DEFAULT_RESERVATIONS = 8


#: Values of the hypervisor parameters disk_type and nic_type that decide.
#: Unmodified Ganeti gives a slot to every other disk type as well, and to ISA
#: NICs, which do not use it (constants.HT_DISK_*, HT_NIC_*, 2.10 to 3.1).
_DISK_ON_PCI = "paravirtual"
_NIC_ON_ISA = "ne2k_isa"


def has_pci_disks(hvparams):
  """Tell whether an instance's disks sit on pci.0.

  @type hvparams: dict
  @rtype: bool

  """
  return hvparams.get("disk_type", _DISK_ON_PCI) == _DISK_ON_PCI


def has_pci_nics(hvparams):
  """Tell whether an instance's NICs sit on pci.0.

  @type hvparams: dict
  @rtype: bool

  """
  return hvparams.get("nic_type") != _NIC_ON_ISA


def slots_of(pool):
  """List the slots of a range.

  @type pool: tuple of two ints, or None
  @param pool: first and last slot
  @rtype: list of ints

  """
  if pool is None:
    return []
  return list(range(pool[0], pool[1] + 1))


def _range(first, last):
  return (first, last) if first <= last else None


class Partition(object):
  """The partition of one instance's bus, pci.0.

  That of a q35 guest is L{root_ports.RootPorts}, which answers the same.

  @cvar unit: string, what a slot is called
  @cvar slots: list of ints, all there are
  @cvar is_shared: bool, whether QEMU puts devices of its own there
  @cvar first_nic: int, the slot whose NIC has the C{acpi-index} 1
  @cvar spared: int or None, the slot that is borrowed last: QEMU (10.0, 11.1)
      refuses a C{device_add} without an address while slot 31 is occupied
  @ivar reservations: slots that belong to QEMU alone
  @ivar adjustable: whether C{kvm_pci_reservations} says so
  @ivar has_acpi_index: bool, whether NICs are to get one
  @ivar used_indices: dict, those that other devices have, to their names
  @ivar qemu: first and last slot of QEMU's range, or None
  @ivar disks: first and last slot of the disks' pool, or None
  @ivar nics: first and last slot of the NICs' pool, or None

  """
  unit = "slot"
  slots = list(range(SLOTS))
  is_shared = True
  first_nic = SLOTS - NIC_SLOTS
  spared = SLOTS - 1

  def __init__(self, reservations=None, disks_on_pci=True):
    """Divide the bus.

    @type reservations: int or None
    @param reservations: the hypervisor parameter C{kvm_pci_reservations};
        None where this Ganeti has none (before 2.16)
    @type disks_on_pci: bool
    @param disks_on_pci: whether the instance's C{disk_type} sits on pci.0
    @raise ReservationsError: if C{reservations} is no number from 0 to 32

    """
    self.adjustable = reservations is not None
    self.has_acpi_index = False
    self.used_indices = {}
    if reservations is None:
      reservations = DEFAULT_RESERVATIONS
    if (isinstance(reservations, bool) or
        not isinstance(reservations, int) or
        not 0 <= reservations <= SLOTS):
      raise ReservationsError(reservations)
    self.reservations = reservations
    self.nics = _range(max(reservations, SLOTS - NIC_SLOTS), SLOTS - 1)
    # Ganeti's part begins here; it is never empty where the NICs' pool is not
    first_nic = self.nics[0] if self.nics else SLOTS
    self.disks = None
    if disks_on_pci:
      self.disks = _range(reservations, first_nic - 1)
    first = self.disks[0] if self.disks else first_nic
    self.qemu = _range(0, first - 1)

  @classmethod
  def of(cls, hvparams):
    """Divide the bus of an instance with these hypervisor parameters.

    @type hvparams: dict
    @raise ReservationsError: if C{kvm_pci_reservations} is invalid

    """
    return cls(hvparams.get("kvm_pci_reservations"), has_pci_disks(hvparams))

  def pool(self, device_class):
    """List the slots of a class's own pool, lowest first.

    @rtype: list of ints

    """
    return slots_of({DISK: self.disks, NIC: self.nics}[device_class])

  def lendable(self, device_class):
    """List the slots a class may borrow when its pool is full.

    Unmodified Ganeti has one pool for all, from C{kvm_pci_reservations} up:
    with everything that is not its own at hand, neither class can do with less.

    @rtype: list of ints

    """
    own = set(self.pool(device_class))
    return [s for s in self.slots if s >= self.reservations and s not in own]

  def owner(self, slot):
    """Return the class whose range a slot lies in.

    @rtype: L{DISK}, L{NIC} or L{QEMU}

    """
    for device_class in (DISK, NIC):
      if slot in self.pool(device_class):
        return device_class
    return QEMU

  def locate(self, bus, slot):
    """Tell which slot of the partition one on some bus is.

    @type bus: string or None
    @param bus: its name; None for the bus that the machine type makes
    @type slot: int
    @param slot: on that bus
    @rtype: int or None
    @return: None where the partition has none there

    """
    return slot if bus is None or bus == address.BUS else None

  def location(self, slot, device_class=DISK):
    """Tell how the option of a device names its slot.

    @type slot: int
    @param device_class: L{DISK} or L{NIC}
    @rtype: dict
    @return: C{bus} and C{addr}; C{acpi-index} of a NIC, by which Linux names it
        (C{eno1}), if L{has_acpi_index}

    """
    found = self._location(slot)
    number = self.acpi_index(slot)
    if device_class == NIC and number is not None:
      found["acpi-index"] = number
    return found

  def index_holder(self, slot):
    """Name the device that has the number of a slot in the NICs' pool.

    @rtype: string or None

    """
    return self.used_indices.get(slot - self.first_nic + 1) \
      if slot in self.pool(NIC) else None

  def acpi_index(self, slot):
    """Tell which number a NIC on a slot gets.

    @type slot: int
    @rtype: int or None
    @return: its position in the NICs' pool, taken or not; None for a borrowed
        slot, and where another device has the number

    """
    number = slot - self.first_nic + 1
    if (not self.has_acpi_index or slot not in self.pool(NIC) or
        number in self.used_indices):
      return None
    return number

  def _location(self, slot):
    return {"bus": address.BUS, "addr": address.unparse(slot)}

  def name(self, slot):
    """Name a slot, without L{unit}.

    @rtype: string

    """
    # pylint: disable=no-self-use
    return "%d" % slot

  def show(self, slot):
    """Name a slot in a text.

    @rtype: string

    """
    return "%s %s" % (self.unit, self.name(slot))

  def capacity(self):
    """Say, for an error, how many slots there are, and whose.

    @rtype: string

    """
    return ("%d of the %d slots of pci.0 are QEMU's (kvm_pci_reservations), %d"
            " are Ganeti's" % (self.reservations, SLOTS,
                               SLOTS - self.reservations))

  def __str__(self):
    def show(name, pool):
      return "%s %s" % (name, "%d-%d" % pool if pool else "none")
    return ", ".join([show("QEMU", self.qemu), show("disks", self.disks),
                      show("NICs", self.nics)])
