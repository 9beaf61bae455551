"""Two machines, part by part."""

import json

import pytest

from ganeti_kvm_pci import machine
from ganeti_kvm_pci.errors import RecordError
from ganeti_kvm_pci.machine import Part

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


def test_a_machine_is_like_itself():
  assert machine.differences(ALL, ALL) == []
  assert machine.differences(ALL, ALL[::-1]) == []
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
  assert machine.differences(ALL, rest) == [text]
  (found, ) = machine.differences(rest, ALL)
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
  (found, ) = machine.differences([part], [part._replace(**changes)])
  assert found.startswith(machine.show_place(part)) and text in found


def test_exchanged_disks_are_seen():
  found = machine.differences(
    [DISK, OTHER], [DISK._replace(address=OTHER.address),
                    OTHER._replace(address=DISK.address)])
  assert [text.partition(",")[0] for text in found] == ["slot 8", "slot 9"]


def test_ids_of_another_series_are_the_same_devices():
  old = "hotdisk-000000d0-pci-8"
  assert machine.differences([DISK._replace(id=old, backend=old)], [DISK]) == []
  assert machine.is_same_id("nic-000000a0-1111-2222", "hotnic-000000a0-pci-9")
  assert not machine.is_same_id("nic-000000a0-1111-2222",
                                "hotdisk-000000a0-pci-9")
  assert not machine.is_same_id("rng0", "rng1")
  assert not machine.is_same_id(None, "rng1")
  assert not machine.is_same_id(None, "hotdisk-000000a0-pci-9")


def test_a_disk_that_has_grown_is_the_same():
  assert machine.differences([DISK], [DISK._replace(size=8192)]) == []


def test_a_second_function_is_a_part_of_its_own():
  ide = VGA._replace(address=(1, 1))
  assert machine.show_place(ide) == "slot 1.1"
  assert len(machine.differences([VGA], [VGA, ide])) == 1


def sent(parts=ALL, **changes):
  """Return what the node "source" tells, as it arrives."""
  told = dict(machine.as_witness(parts, "source"), **changes)
  return json.loads(json.dumps(told))


def test_it_travels():
  found = machine.from_witness(sent(), "source", "test")
  assert found.parts == ALL
  assert found.differences(ALL) == []
  assert len(found.differences(ALL[1:])) == 1


def test_what_another_node_has_told_is_not_true_any_more():
  for told in (sent(), {"node": "source", "machine": []}, {}, None):
    assert machine.from_witness(told, "other", "test") is None


def test_a_field_that_is_not_known_here_is_ignored():
  told = sent()
  for device in told["devices"]:
    device["colour"] = "blue"
  told["mood"] = "good"
  assert machine.from_witness(told, "source", "test").parts == ALL


def test_a_field_that_is_not_told_is_not_compared():
  told = sent()
  for device in told["devices"]:
    del device["size"], device["mac"]
  found = machine.from_witness(told, "source", "test")
  assert found.differences(ALL) == []
  assert len(found.differences(ALL[:-1] + [TABLET._replace(
    driver="usb-mouse")])) == 2
  assert len(found.differences([VGA, DISK._replace(model="1234:0000")] +
                               ALL[2:])) == 1


@pytest.mark.parametrize("version", [2, 3, 0, -1, None, "1", True])
def test_another_version_tells_nothing(version):
  told = sent(version=version, devices="in another way")
  assert machine.from_witness(told, "source", "test") is None


def test_the_next_release_reads_this_one(monkeypatch):
  told = sent()
  monkeypatch.setattr(machine, "VERSION", machine.VERSION + 1)
  assert machine.from_witness(told, "source", "test").parts == ALL


#: As the first form was sent: without a version, and names.
FIRST = {"node": "source", "machine": [
  ["pci.0", [2, 0], "1234:1111", None, None, None, None, None],
  ["pci.0", [8, 0], "1af4:1001", "virtio-blk-pci", "disk-000000d0-1111-2222",
   "disk-000000d0-1111-2222", None, 4096],
  ["scsi.0", [0, 3, 0], None, "scsi-hd", "disk-x", "disk-x", None, 4096],
  [None, [0], None, "drive", "ide0-hd0", None, None, 4096]]}


def test_the_first_form_is_read_as_far_as_it_means_the_same():
  """That is, on pci.0."""
  found = machine.from_witness(FIRST, "source", "test")
  assert found.differences([VGA, DISK]) == []
  assert found.differences([VGA, DISK, TABLET, SCSI]) == []
  assert len(found.differences([VGA])) == 1
  assert len(found.differences([VGA, DISK, NIC])) == 1


def test_the_first_release_finds_nothing_that_it_knows():
  """It refuses a guest by what stands there in another form."""
  assert not set(sent()) & set(FIRST)


def change(position=0, **changes):
  told = sent()
  told["devices"][position].update(changes)
  return told


@pytest.mark.parametrize("told", [
  sent(devices=value) for value in (None, {}, 3, [3], [[]], [{}])] + [
    change(address="8"), change(address=[]), change(address=[True, 0]),
    change(address=[8]), change(driver=3), change(model=7), change(bus=[]),
    change(bus=None), change(size="4096")] + [
      dict(FIRST, machine=value) for value in (
        None, {}, 3, [3], [[]], [["pci.0", [8, 0]]],
        [["pci.0", "8", None, None, None, None, None, None]])])
def test_what_makes_no_sense_is_one_clear_error(told):
  with pytest.raises(RecordError) as caught:
    machine.from_witness(told, "source", "vm1")
  assert str(caught.value).startswith("vm1: what the source node tells")


def test_what_comes_up_without_addresses_was_left_out():
  had = [part._replace(mapped=part.bus == "pci.0" or None) for part in ALL]
  found = machine.from_witness(sent(had), "source", "test")
  assert found.left_out(had) == []
  assert found.differences([part._replace(mapped=None) for part in ALL]) == []
  lost = DISK._replace(mapped=False)
  there = [lost if part.address == DISK.address and part.bus == DISK.bus
           else part for part in had]
  assert found.left_out(there) == [lost]
  # it is being reset
  assert found.left_out([part._replace(mapped=False) for part in had]) == []
  # nor had the source any
  assert machine.from_witness(sent(there), "source", "test").left_out(
    there) == []
  # the source does not tell
  told = sent(had)
  for device in told["devices"]:
    del device["mapped"]
  assert machine.from_witness(told, "source", "test").left_out(there) == []
  assert machine.from_witness(FIRST, "source", "test").left_out(there) == []
