"""The partition, for every value of kvm_pci_reservations there is."""

import pytest

from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.bus.pools import QEMU
from ganeti_kvm_pci.bus.pools import has_pci_disks
from ganeti_kvm_pci.bus.pools import has_pci_nics
from ganeti_kvm_pci.bus.pools import slots_of
from ganeti_kvm_pci.errors import ReservationsError

ALL = [Partition(n, on_pci) for n in range(33) for on_pci in (True, False)]


def test_the_default_is_the_picture_of_the_design():
  part = Partition()
  assert (part.qemu, part.disks, part.nics) == ((0, 7), (8, 23), (24, 31))


def test_ganetis_default_of_12_keeps_the_nics_where_they_are():
  part = Partition(12)
  assert (part.qemu, part.disks, part.nics) == ((0, 11), (12, 23), (24, 31))


def test_scsi_frees_the_disk_pool_for_qemu():
  part = Partition(8, disks_on_pci=False)
  assert (part.qemu, part.disks, part.nics) == ((0, 23), None, (24, 31))


@pytest.mark.parametrize("part", ALL, ids=str)
def test_the_ranges_cover_the_bus_once(part):
  slots = slots_of(part.qemu) + slots_of(part.disks) + slots_of(part.nics)
  assert slots == list(range(32))


@pytest.mark.parametrize("part", ALL, ids=str)
def test_ganeti_names_no_slot_that_is_reserved(part):
  for device_class in (DISK, NIC):
    slots = part.pool(device_class) + part.lendable(device_class)
    assert sorted(slots) == list(range(part.reservations, 32))


@pytest.mark.parametrize("part", ALL, ids=str)
def test_each_slot_has_the_owner_whose_range_it_is_in(part):
  for slot in range(32):
    assert slot in {DISK: slots_of(part.disks), NIC: slots_of(part.nics),
                    QEMU: slots_of(part.qemu)}[part.owner(slot)]


@pytest.mark.parametrize("value", [-1, 33, "8", 8.0, True, [], "eight"])
def test_other_values_are_refused_by_name(value):
  with pytest.raises(ReservationsError) as caught:
    Partition(value)
  assert repr(value) in str(caught.value)
  assert "kvm_pci_reservations" in str(caught.value)


@pytest.mark.parametrize("disk_type, on_pci", [
  ("paravirtual", True), ("ide", False), ("sd", False), ("pflash", False),
  ("mtd", False), ("scsi", False), ("scsi-hd", False), ("scsi-block", False),
  ("scsi-generic", False), ("scsi-cd", False),
  ])
def test_only_virtio_disks_sit_on_the_bus(disk_type, on_pci):
  assert has_pci_disks({"disk_type": disk_type}) == on_pci


@pytest.mark.parametrize("nic_type, on_pci", [
  ("paravirtual", True), ("e1000", True), ("rtl8139", True),
  ("ne2k_pci", True), ("i82551", True), ("pcnet", True), ("ne2k_isa", False),
  ])
def test_every_nic_but_the_isa_one_sits_on_the_bus(nic_type, on_pci):
  assert has_pci_nics({"nic_type": nic_type}) == on_pci
