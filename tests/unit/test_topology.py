"""The devices of two guests, part by part."""

import pytest

from ganeti_kvm_pci.qemu import ids
from ganeti_kvm_pci.qemu import topology
from ganeti_kvm_pci.qemu.topology import Part

VGA = Part("pci.0", (2, 0), "1234:1111", None, None, None, None, None)
DISK = Part("pci.0", (8, 0), "1af4:1001", "virtio-blk-pci",
            "disk-000000d0-1111-2222", "disk-000000d0-1111-2222", None, 4096)
OTHER = DISK._replace(address=(9, 0), id="disk-000000d1-1111-2222",
                      backend="disk-000000d1-1111-2222")
NIC = Part("pci.0", (24, 0), "1af4:1000", "virtio-net-pci",
           "nic-000000a0-1111-2222", "nic-000000a0-1111-2222",
           "aa:00:00:00:00:01", None)
SCSI = Part("scsi.0", (0, 3, 0), None, "scsi-hd", "disk-x", "disk-x", None,
            4096)
TABLET = Part(None, (0, ), None, "usb-tablet", None, None, None, None)
ALL = [VGA, DISK, OTHER, NIC, SCSI, TABLET]


def test_a_guest_is_like_itself():
  assert topology.differences(ALL, ALL) == []
  assert topology.differences(ALL, ALL[::-1]) == []
  # what its data are called is a node's own affair


@pytest.mark.parametrize("part, text", [
  (VGA, "slot 2: QEMU's own device 1234:1111 on the source, nothing on the"
   " target"),
  (DISK, "slot 8: virtio-blk-pci (id disk-000000d0-1111-2222) on the source,"
   " nothing on the target"),
  (SCSI, "scsi.0 0:3:0: scsi-hd (id disk-x) on the source, nothing on the"
   " target"),
  (TABLET, "usb-tablet number 0: usb-tablet on the source, nothing on the"
   " target")])
def test_one_too_few_and_one_too_many(part, text):
  rest = [other for other in ALL if other != part]
  assert topology.differences(ALL, rest) == [text]
  (found, ) = topology.differences(rest, ALL)
  assert "nothing on the source" in found


@pytest.mark.parametrize("part, changes, text", [
  (DISK, {"driver": "nvme"}, "driver virtio-blk-pci on the source, nvme on the"
   " target"),
  (VGA, {"model": "1013:00b8"}, "PCI device 1234:1111 on the source, 1013:00b8"
   " on the target"),
  (NIC, {"mac": "aa:00:00:00:00:02"}, "MAC address aa:00:00:00:00:01 on the"
   " source, aa:00:00:00:00:02 on the target"),
  (NIC, {"backend": None}, "backend nic-000000a0-1111-2222 on the source, none"
   " on the target"),
  (DISK, {"id": "disk-000000d7-1111-2222"}, "id disk-000000d0-1111-2222 on"),
  (DISK, {"size": 2048}, "4096 bytes on the source, 2048 on the target"),
  (DISK, {"size": None}, "4096 bytes on the source, 0 on the target"),
  ])
def test_what_differs_is_named(part, changes, text):
  (found, ) = topology.differences([part], [part._replace(**changes)])
  assert found.startswith(topology.show_address(part)) and text in found


@pytest.mark.parametrize("bus", ["pci.0", "pcie.0"])
def test_what_qemu_makes_by_itself_is_told_by_its_pci_device(bus):
  """A sound card, of whose option the object model says nothing."""
  made = VGA._replace(bus=bus, model="8086:2415")
  option = made._replace(driver="AC97")
  assert topology.differences([made], [option]) == []
  assert topology.differences([option], [made]) == []
  assert topology.differences([option], [option._replace(driver="x")])


@pytest.mark.parametrize("bus, address", [("pci.0", (8, 0)),
                                          ("pcie.0", (2, 0)),
                                          ("rp11", (0, 0))])
def test_a_pci_device_without_the_id_is_another(bus, address):
  disk = DISK._replace(bus=bus, address=address)
  assert topology.differences([disk], [disk._replace(id=None)])


def test_exchanged_disks_are_seen():
  found = topology.differences(
    [DISK, OTHER], [DISK._replace(address=OTHER.address),
                    OTHER._replace(address=DISK.address)])
  assert [text.partition(",")[0] for text in found] == ["slot 8", "slot 9"]


def test_ids_of_another_release_are_the_same_devices():
  old = "hotdisk-000000d0-pci-8"
  assert topology.differences([DISK._replace(id=old, backend=old)], [DISK]) == []
  assert ids.is_same("nic-000000a0-1111-2222", "hotnic-000000a0-pci-9")
  assert not ids.is_same("nic-000000a0-1111-2222",
                         "hotdisk-000000a0-pci-9")
  assert not ids.is_same("rng0", "rng1")
  assert not ids.is_same(None, "rng1")
  assert not ids.is_same(None, "hotdisk-000000a0-pci-9")


def test_a_disk_that_has_grown_is_the_same():
  assert topology.differences([DISK], [DISK._replace(size=8192)]) == []


def test_a_second_function_is_a_part_of_its_own():
  ide = VGA._replace(address=(1, 1))
  assert topology.show_address(ide) == "slot 1.1"
  assert len(topology.differences([VGA], [VGA, ide])) == 1


@pytest.mark.parametrize("part, changes, text", [
  (DISK, {"queues": 4}, "queues: 1 on the source, 4 on the target (shut the"
   " instance down and start it, then migrate it)"),
  (DISK, {"vectors": 5}, "vectors: 1 on the source, 5 on the target"),
  (NIC, {"acpi_index": 2}, "acpi-index: 1 on the source, 2 on the target")])
def test_queues_and_the_like_are_compared_where_both_are_told(part, changes,
                                                              text):
  part = part._replace(**dict((name, 1) for name in changes))
  (found, ) = topology.differences([part], [part._replace(**changes)])
  assert text in found
  for name in changes:
    untold = part._replace(**{name: None})
    assert topology.differences([untold], [part]) == []
  told = set(part._fields) - set(changes)
  assert topology.differences([part], [part._replace(**changes)], told) == []


def test_several_queues_of_a_nic_are_shown_as_qemu_takes_them():
  nic = NIC._replace(mq=False)
  (found, ) = topology.differences([nic], [nic._replace(mq=True, vectors=5)])
  assert "several queues (mq): off on the source, on on the target" in found
  assert "vectors" not in found


def test_a_vcpu_is_told_by_the_end_of_its_type():
  assert topology.is_cpu("qemu64-x86_64-cpu") and topology.is_cpu("max-arm-cpu")
  assert not topology.is_cpu("virtio-blk-pci")
