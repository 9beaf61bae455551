"""What one node tells another of a guest's devices."""

import json

import pytest

from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.qemu import board
from ganeti_kvm_pci.qemu.ram_blocks import Block
from ganeti_kvm_pci.runtime import topology_file

from test_topology import ALL, DISK, NIC, SCSI, TABLET, VGA


def sent(parts=ALL, **changes):
  """Return what the node "source" tells, as it arrives."""
  told = dict(topology_file.write(parts, "source"), **changes)
  return json.loads(json.dumps(told))


def test_it_travels():
  found = topology_file.read(sent(), "source", "test")
  assert found.parts == ALL
  assert found.differences(ALL) == []
  assert len(found.differences(ALL[1:])) == 1


def test_what_another_node_has_told_is_not_true_any_more():
  for told in (sent(), {"node": "source", "machine": []}, {}, None):
    assert topology_file.read(told, "other", "test") is None


def test_a_field_that_is_not_known_here_is_ignored():
  told = sent()
  for device in told["devices"]:
    device["colour"] = "blue"
  told["mood"] = "good"
  assert topology_file.read(told, "source", "test").parts == ALL


def test_a_field_that_is_not_told_is_not_compared():
  told = sent()
  for device in told["devices"]:
    del device["size"], device["mac"]
  found = topology_file.read(told, "source", "test")
  assert found.differences(ALL) == []
  assert len(found.differences(ALL[:-1] + [TABLET._replace(
    driver="usb-mouse")])) == 2
  assert len(found.differences([VGA, DISK._replace(model="1234:0000")] +
                               ALL[2:])) == 1


@pytest.mark.parametrize("version", [2, 3, 0, -1, None, "1", True])
def test_another_version_tells_nothing(version):
  told = sent(version=version, devices="in another way")
  assert topology_file.read(told, "source", "test") is None


def test_the_next_release_reads_this_one(monkeypatch):
  told = sent()
  monkeypatch.setattr(topology_file, "VERSION", topology_file.VERSION + 1)
  assert topology_file.read(told, "source", "test").parts == ALL


#: As the first form was sent: without a version, and names.
FIRST = {"node": "source", "machine": [
  ["pci.0", [2, 0], "1234:1111", None, None, None, None, None],
  ["pci.0", [8, 0], "1af4:1001", "virtio-blk-pci", "disk-000000d0-1111-2222",
   "disk-000000d0-1111-2222", None, 4096],
  ["scsi.0", [0, 3, 0], None, "scsi-hd", "disk-x", "disk-x", None, 4096],
  [None, [0], None, "drive", "ide0-hd0", None, None, 4096]]}


def test_the_first_form_is_read_as_far_as_it_means_the_same():
  """That is, on pci.0."""
  found = topology_file.read(FIRST, "source", "test")
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
      dict(FIRST, **{"machine": value}) for value in (
        None, {}, 3, [3], [[]], [["pci.0", [8, 0]]],
        [["pci.0", "8", None, None, None, None, None, None]])])
def test_what_is_invalid_is_one_clear_error(told):
  with pytest.raises(RuntimeFileError) as caught:
    topology_file.read(told, "source", "vm1")
  assert str(caught.value).startswith("vm1: what the source node tells")


def test_what_comes_up_without_addresses_was_left_out():
  had = [part._replace(mapped=part.bus == "pci.0" or None) for part in ALL]
  found = topology_file.read(sent(had), "source", "test")
  assert found.left_out(had) == []
  assert found.differences([part._replace(mapped=None) for part in ALL]) == []
  lost = DISK._replace(mapped=False)
  there = [lost if part.address == DISK.address and part.bus == DISK.bus
           else part for part in had]
  assert found.left_out(there) == [lost]
  # it is being reset
  assert found.left_out([part._replace(mapped=False) for part in had]) == []
  # nor had the source any
  assert topology_file.read(sent(there), "source", "test").left_out(
    there) == []
  # the source does not tell
  told = sent(had)
  for device in told["devices"]:
    del device["mapped"]
  assert topology_file.read(told, "source", "test").left_out(there) == []
  assert topology_file.read(FIRST, "source", "test").left_out(there) == []


def test_the_number_of_vcpus_travels_and_is_compared():
  told = json.loads(json.dumps(topology_file.write(ALL, "source", 2)))
  found = topology_file.read(told, "source", "test")
  assert found.differences(ALL, 2) == []
  (text, ) = found.differences(ALL, 1)
  for words in ("vCPUs: 2 on the source, 1 on the target", "device_del",
                "shut the instance down"):
    assert words in text
  # a QEMU that does not tell
  assert found.differences(ALL) == found.differences(ALL, None) == []


def test_a_release_that_tells_no_vcpus_is_accepted():
  """Nor does one whose QEMU does not tell them, nor the first form."""
  assert topology_file.write(ALL, "source") == \
    topology_file.write(ALL, "source", None)
  for told in (sent(), FIRST):
    found = topology_file.read(told, "source", "test")
    assert found.vcpus is None
    assert not [text for text in found.differences(ALL, 7) if "vCPU" in text]


@pytest.mark.parametrize("value", ["2", True, [], {}, 2.5])
def test_another_number_of_vcpus_is_one_clear_error(value):
  with pytest.raises(RuntimeFileError) as caught:
    topology_file.read(sent(vcpus=value), "source", "vm1")
  assert str(caught.value).startswith("vm1: what the source node tells")


def test_queues_travel_and_are_left_out_for_a_release_that_tells_none():
  disk = DISK._replace(queues=1, vectors=2, mq=False, acpi_index=0)
  other = disk._replace(queues=4, vectors=5)
  told = sent([disk])
  found = topology_file.read(told, "source", "test")
  assert found.parts == [disk]
  (text, ) = found.differences([other])
  assert "queues: 1 on the source, 4 on the target" in text
  assert "vectors: 2 on the source, 5 on the target" in text
  for name in ("queues", "vectors", "mq", "acpi_index"):
    for device in told["devices"]:
      del device[name]
  assert topology_file.read(told, "source", "test").differences([other]) == []


@pytest.mark.parametrize("changes", [
  {"queues": "4"}, {"vectors": []}, {"mq": 7}, {"acpi_index": True}])
def test_queues_of_another_shape_are_one_clear_error(changes):
  with pytest.raises(RuntimeFileError):
    topology_file.read(change(**changes), "source", "vm1")


BOARD = board.Board("kvm64-x86_64-cpu", 0, 0, {"hpet": 1},
                    {"pc.ram": Block(1 << 40, 1 << 40)})


def with_board(value=None, **changes):
  """Return what travels with a board, or with a changed one, or with a value
  in place of it."""
  told = json.loads(json.dumps(topology_file.write(ALL, "source", 2, BOARD)))
  told["board"].update(changes)
  if value is not None:
    told["board"] = value
  return told


def test_a_board_travels_and_is_compared():
  found = topology_file.read(with_board(), "source", "test")
  assert found.board == BOARD
  assert found.differences(ALL, 2, BOARD) == []
  (text, ) = found.differences(ALL, 2, BOARD._replace(blocks={}))
  assert "pc.ram" in text
  assert found.differences(ALL, 2) == found.differences(ALL, 2, None) == []
  # the number of vCPUs is named once
  (text, ) = found.differences(ALL, 1, BOARD._replace(apic_id=1))
  assert "vCPUs: 2 on the source" in text


def test_a_board_may_be_missing_or_told_in_part_or_have_more():
  for told in (sent(), FIRST):
    found = topology_file.read(told, "source", "test")
    assert found.board is None
    assert not [text for text in found.differences(ALL, 2, BOARD)
                if "slot" not in text and "scsi" not in text]
  found = topology_file.read(with_board({"cpu": "x-cpu", "more": [7]}),
                             "source", "test")
  assert found.board == board.Board("x-cpu")
  assert "board" not in sent()
  part = json.loads(json.dumps(topology_file.write(
    ALL, "source", 2, board.Board(isa={}))))
  assert part["board"] == {"isa": {}}


@pytest.mark.parametrize("told", [with_board(value) for value in (
  [], 3, "x", True)] + [
    with_board(cpu=3), with_board(apic_id="0"), with_board(memory_slots=True),
    with_board(isa=["hpet"]), with_board(isa={"hpet": "1"}),
    with_board(blocks=[]), with_board(blocks={"pc.ram": 8}),
    with_board(blocks={"pc.ram": [8]}), with_board(blocks={"pc.ram": [8, "8"]})])
def test_a_board_of_another_shape_is_one_clear_error(told):
  with pytest.raises(RuntimeFileError) as caught:
    topology_file.read(told, "source", "vm1")
  assert str(caught.value).startswith("vm1: what the source node tells")


def test_host_mtu_travels_and_is_left_out_for_a_release_that_tells_none():
  nic = NIC._replace(host_mtu=1400)
  told = sent([nic])
  (text, ) = topology_file.read(told, "source", "test").differences(
    [NIC._replace(host_mtu=0)])
  assert "host_mtu: 1400 on the source, none on the target (shut the" in text
  del told["devices"][0]["host_mtu"]
  assert topology_file.read(told, "source", "test").differences(
    [NIC._replace(host_mtu=0)]) == []
  with pytest.raises(RuntimeFileError):
    topology_file.read(change(host_mtu="1400"), "source", "vm1")


@pytest.mark.parametrize("one, other", [(1400, 1500), (0, 1400), (None, 0),
                                        (1400, None), (1400, 1400)])
def test_a_host_mtu_that_qemu_takes_goes(one, other):
  found = topology_file.read(sent([NIC._replace(host_mtu=one)]), "source", "x")
  assert found.differences([NIC._replace(host_mtu=other)]) == []
