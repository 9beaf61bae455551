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

"""Which of the root ports of a q35 guest are whose.

::

  port  rp3      rp10 rp11                    rp26
        +------------+---------------------------+
        |    NICs    |           disks           |
        +------------+---------------------------+

The machine type q35 takes no device on its bus, pcie.0, while the guest runs
("Bus 'pcie.0' does not support hotplugging", QEMU 5.2 to 11.1). Each disk and
NIC sits behind a PCI Express root port of its own instead, and pcie.0 is
QEMU's alone. So no kvm_pci_reservations is needed, and nothing of QEMU's can
be in the way.

Ids and numbers are those of Ganeti's master since its commit f4cb0f63, so that
a guest can migrate there and back.

In code, a port is a slot like those of pci.0: its number, an int from 3 to 26.

"""

from . import address
from .pools import DISK
from .pools import NIC
from .pools import Partition
from .pools import has_pci_disks

#: The first and last port of each class.
_PORTS = {NIC: (3, 10), DISK: (11, 26)}

DISK_PORTS = _PORTS[DISK]

#: All ports, lowest first.
NUMBERS = list(range(_PORTS[NIC][0], _PORTS[DISK][1] + 1))


def id_of(number):
  """Return QEMU's id of a root port, which is its bus's name as well.

  @type number: int
  @rtype: string

  """
  return "rp%d" % number


_NUMBERS_BY_ID = dict((id_of(number), number) for number in NUMBERS)


def number_of(name):
  """Read the id of a root port.

  @type name: string or None
  @rtype: int or None
  @return: None if it is none of Ganeti's

  """
  return _NUMBERS_BY_ID.get(name)


def slot_of(bus, slot):
  """Tell which slot of pci.0, or which root port, an address stands for.

  @type bus: string or None
  @type slot: int
  @param slot: on that bus
  @rtype: int or None
  @return: None for any other bus; a port has one slot, 0

  """
  if bus == address.BUS:
    return slot
  return number_of(bus) if slot == 0 else None


def unit_of(bus):
  """Tell what a slot on a bus of Ganeti's is called, see L{pools.Partition}.

  @rtype: string

  """
  return Partition.unit if bus == address.BUS else RootPorts.unit


def show(unit, slot):
  """Name a slot of which only the unit is known.

  @rtype: string

  """
  return "%s %s" % (unit, id_of(slot) if unit == RootPorts.unit else slot)


def slot_in(hvinfo, part=None):
  """Tell which slot of pci.0, or which root port, a runtime file gives.

  @type hvinfo: dict or None
  @param hvinfo: of a disk or NIC
  @type part: L{Partition} or None
  @param part: the guest's; None if its own words count, whatever guest it is
      of: that of another machine type may have been meant
  @rtype: int or None
  @return: None for any bus that the guest does not have, or another
  @raise AddressError: if the address is malformed

  """
  hvinfo = hvinfo or {}
  bus, slot = hvinfo.get("bus"), 0
  if bus != address.BUS and number_of(bus) is None:
    return None
  # a port has one slot, which need not be named
  if bus == address.BUS or hvinfo.get("addr") is not None:
    slot = address.parse(hvinfo.get("addr"))[0]
  return slot_of(bus, slot) if part is None else part.locate(bus, slot)


class RootBus(Partition):
  """The bus pcie.0 of a q35 guest: QEMU's alone.

  """
  def __init__(self):
    super(RootBus, self).__init__(address.SLOTS)

  def locate(self, bus, slot):
    """Tell whether a slot is one of pcie.0."""
    return slot if bus is None or bus == address.PCIE_BUS else None

  def _location(self, slot):
    return {"bus": address.PCIE_BUS, "addr": address.unparse(slot)}


class RootPorts(Partition):
  """The root ports of one q35 guest.

  @ivar slots: list of ints, the ports that its command makes

  """
  unit = "port"
  is_shared = False
  first_nic = _PORTS[NIC][0]
  spared = None

  def __init__(self, numbers, disks_on_pci=True):
    """Divide the ports.

    @type numbers: collection of ints
    @param numbers: those that the guest has
    @type disks_on_pci: bool
    @param disks_on_pci: whether the instance's C{disk_type} takes ports

    """
    super(RootPorts, self).__init__(0, disks_on_pci)
    self.adjustable = False
    self.slots = sorted(numbers)
    self.qemu = None
    self.nics = _PORTS[NIC]
    self.disks = _PORTS[DISK] if disks_on_pci else None

  @classmethod
  def of(cls, hvparams, numbers=tuple(NUMBERS)):
    """Divide the ports of an instance with these hypervisor parameters.

    @type hvparams: dict
    @param numbers: see L{__init__}

    """
    # pylint: disable=arguments-differ
    return cls(numbers, has_pci_disks(hvparams))

  def pool(self, device_class):
    """List the ports of a class, as far as the guest has them."""
    return [number for number in super(RootPorts, self).pool(device_class)
            if number in self.slots]

  def locate(self, bus, slot):
    """Tell which port a bus belongs to; a port has one slot, 0."""
    number = slot_of(bus, slot)
    return number if bus != address.BUS and number in self.slots else None

  def _location(self, slot):
    return {"bus": id_of(slot), "addr": address.unparse(0)}

  def name(self, slot):
    """Name a port, without L{unit}."""
    return id_of(slot)

  def capacity(self):
    """Say, for an error, how many ports there are."""
    return "the guest has %d root ports" % len(self.slots)

  def __str__(self):
    def pool_text(name, pool):
      return "%s %s" % (name, "%s-%s" % tuple(id_of(n) for n in pool)
                        if pool else "none")
    return ", ".join([pool_text("NICs", self.nics),
                      pool_text("disks", self.disks)])
