"""The runtime files of q35 guests: what they may say, and what comes of it."""

import copy
import json

import pytest

import genuine
import q35_files
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.bus.root_ports import RootPorts
from ganeti_kvm_pci.bus.root_ports import slot_in
from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.qemu import topology
from ganeti_kvm_pci.runtime import consistency
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import downgrade
from ganeti_kvm_pci.runtime import layout
from ganeti_kvm_pci.runtime import migration_check
from ganeti_kvm_pci.runtime import upgrade

BOTH = [q35_files.packed, q35_files.upstreams]
SLOTS = [("disk", 11), ("disk", 12), ("nic", 3), ("nic", 4)]


def text(loaded):
  return json.dumps(loaded.as_list(), sort_keys=True)


def nic(data, **keys):
  data[1][1]["hvinfo"].update(
    (key.replace("_", "-"), value) for key, value in keys.items())
  return data


@pytest.mark.parametrize("make", BOTH)
def test_every_device_is_on_its_port(make):
  table = device_table.DeviceTable(q35_files.load(make()))
  assert genuine.slots(table) == SLOTS
  assert consistency.findings(table) == []


@pytest.mark.parametrize("make", BOTH)
def test_a_port_need_not_be_said_to_have_slot_0(make):
  data = make()
  del data[1][1]["hvinfo"]["addr"]
  assert genuine.slots(device_table.DeviceTable(q35_files.load(data))) == SLOTS


NOT_A_PORT = "nic 1: its bus %s is no root port of the guest, whose command" \
  " makes 24 of them (rp3 to rp26); a cold boot"


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("keys, says", [
  ({"addr": "0x1"}, "nic 1: addr 0x1 on port rp4: a root port has slot 0"),
  ({"addr": "0x0.0x1"}, "nic 1: addr 0x0.0x1 on port rp4: "),
  ({"bus": "rp99"}, NOT_A_PORT % "rp99"), ({"bus": "rp0"}, NOT_A_PORT % "rp0"),
  ({"bus": "rp2"}, NOT_A_PORT % "rp2"), ({"bus": "rp04"}, NOT_A_PORT % "rp04"),
  ({"acpi_index": 0}, "nic 1: acpi-index 0: QEMU takes numbers from 1 to"
   " 16383; "),
  ({"acpi_index": 16384}, "nic 1: acpi-index 16384: "),
  ({"acpi_index": -1}, "nic 1: acpi-index -1: "),
  ({"acpi_index": "2"}, "nic 1: acpi-index is no number"),
  ({"acpi_index": True}, "nic 1: acpi-index is no number"),
  ({"acpi_index": 1}, "nic 0 (bus rp3) and nic 1 (bus rp4): both have"
   " acpi-index 1, and QEMU gives each to one device; a cold boot"),
  ({"bus": "rp3"}, "port rp3 is given to two devices, nic 0")])
def test_what_qemu_would_refuse_is_one_clear_error(make, keys, says):
  with pytest.raises(RuntimeFileError) as caught:
    device_table.DeviceTable(q35_files.load(nic(make(), **keys), "/f.runtime"))
  assert str(caught.value).startswith("/f.runtime: " + says)


@pytest.mark.parametrize("keys", [
  {"acpi_index": 16383}, {"bus": "rp26", "acpi_index": 5}, {"bus": "rp5"}])
def test_what_qemu_takes_is_read(keys):
  q35_files.load(nic(q35_files.packed(), **keys))


def test_which_slots_there_are_the_command_tells():
  ports, slots = RootPorts.of({}), Partition()
  on_pci, on_port = {"bus": "pci.0", "addr": "0x3"}, {"bus": "rp3",
                                                      "addr": "0x0"}
  assert (slot_in(on_pci, slots), slot_in(on_port, ports)) == (3, 3)
  assert (slot_in(on_pci, ports), slot_in(on_port, slots)) == (None, None)
  # by its own words, whatever guest it is of
  assert (slot_in(on_pci), slot_in(on_port)) == (3, 3)


def test_pci_0_of_another_machine_type_is_no_port():
  data = nic(q35_files.packed(), bus="pci.0", addr="0x3")
  # port rp3 is nic 0's; it would be given to both
  assert genuine.slots(device_table.DeviceTable(q35_files.load(data)))[3] == (
    "nic", None)


def test_a_bridge_of_a_pc_guest_is_no_port():
  """Whatever it is called."""
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[0] += ["-device", "pci-bridge,id=rp12,bus=pci.0,addr=0x5,chassis_nr=1"]
  # slot 12 is disk 0's
  nic(data, bus="rp12", addr="0x1")
  table = device_table.DeviceTable(q35_files.load(data))
  assert genuine.slots(table)[:4] == [("disk", 12), ("disk", 13), ("nic", 14),
                                      ("nic", None)]
  part = topology.Part("rp12", (0, 0), None, "virtio-rng-pci", None, None, None,
                       None)
  assert topology.slot_of(part, table.partition) is None
  assert topology.slot_of(part, RootPorts.of({})) == 12
  assert topology.slot_of(part._replace(bus=None), table.partition) is None
  assert topology.location_of(part._replace(bus="pci.0", address=(12, 1)),
                              table.partition) == (12, 1)


@pytest.mark.parametrize("version", [(2, 16), (3, 0), (3, 1), (3, 2)])
@pytest.mark.parametrize("make", BOTH)
def test_an_upgrade_keeps_ports_names_and_command(make, version):
  loaded = q35_files.load(make())
  before = copy.deepcopy([loaded.nics, loaded.disks])
  ports = [word for word in loaded.words if "pcie-root-port" in word]
  upgrade.normalise(loaded, version)
  assert [loaded.nics, loaded.disks] == before
  assert [word for word in loaded.words if "pcie-root-port" in word] == ports
  assert genuine.slots(device_table.DeviceTable(loaded)) == SLOTS
  once = text(loaded)
  assert upgrade.normalise(loaded, version) == [] and text(loaded) == once


@pytest.mark.parametrize("version", [(2, 16), (3, 0), (3, 1)])
@pytest.mark.parametrize("make", BOTH)
def test_a_downgrade_keeps_ports_and_names(make, version):
  """Only with the package such a guest runs there, and it knows both."""
  loaded = q35_files.load(make())
  before = text(loaded)
  assert downgrade.downgrade(loaded, version) == ([], [])
  assert text(loaded) == before


@pytest.mark.parametrize("make", BOTH)
def test_before_2_16_no_file_can_name_a_port(make):
  loaded = q35_files.load(make())
  before = text(loaded)
  with pytest.raises(RuntimeFileError) as caught:
    downgrade.downgrade(loaded, (2, 15))
  assert "disk 0 (virtio-blk-pci on rp11) cannot be had before Ganeti 2.16" in \
    str(caught.value)
  assert text(loaded) == before


def test_a_name_of_a_pc_guests_nic_behind_a_bridge_goes():
  data = json.loads(genuine.text_of("master-plain"))
  nic(data, bus="rp12", addr="0x1", acpi_index=3)
  changes, _ = downgrade.downgrade(q35_files.load(data), (3, 1))
  assert changes == ["nic 1: without acpi-index"]


def test_queues_of_upstreams_are_stripped_and_its_ports_kept():
  data = q35_files.upstreams()
  data[3][0][0]["hvinfo"].update({"num-queues": 2, "iothread": "iothread0"})
  loaded = q35_files.load(data)
  changes, warnings = downgrade.downgrade(loaded, (3, 1))
  assert changes == ["disk 0: without iothread", "disk 0: without num-queues"]
  assert len(warnings) == 2
  assert text(loaded) == text(q35_files.load(q35_files.upstreams()))
  assert downgrade.downgrade(loaded, (3, 1)) == ([], [])


@pytest.mark.parametrize("make", BOTH)
def test_what_is_laid_out_twice_stays(make):
  loaded = q35_files.load(make())
  ports = [word for word in loaded.words if "pcie-root-port" in word]
  assert layout.lay_out(loaded, (3, 0)) == []
  assert [word for word in loaded.words if "pcie-root-port" in word] == ports


def test_a_port_is_called_so_where_qemu_disagrees():
  loaded = q35_files.load(q35_files.packed())
  table = device_table.DeviceTable(loaded)
  parts = [topology.Part("rp%d" % (d.slot + (d.index == 1)), (0, 0), None,
                         d.driver, d.id, d.id, None, None)
           for d in table.devices]
  problems = migration_check.MigrationCheck(loaded, table, parts,
                                            loaded.words).problems
  for words in ("disk 1 (disk-0000d151-0000-4000): port rp12 in the runtime"
                " file, port rp13 in QEMU; ",
                "nic 1 (nic-000041c1-0000-4000): port rp4 in the runtime file,"
                " port rp5 in QEMU; "):
    assert len([p for p in problems if p.startswith(words)]) == 1, problems


def test_what_kvm_extra_has_on_a_port_is_said_in_terms_of_ports():
  data = q35_files.packed()
  data[0] += ["-device", "virtio-rng-pci,bus=rp20"]
  (finding, ) = consistency.findings(
    device_table.DeviceTable(q35_files.load(data)))
  assert (finding.bus, finding.slot, finding.severity) == ("rp20", 20, "info")
  assert finding.text == (
    "port rp20, virtio-rng-pci: on a root port of Ganeti's (NICs rp3-rp10,"
    " disks rp11-rp26), as the runtime file says")


def test_a_slot_of_2_15_is_no_port():
  data = q35_files.packed()
  data[1][1].update(hvinfo=None, pci=5)
  loaded = q35_files.load(data)
  assert genuine.slots(device_table.DeviceTable(loaded))[3] == ("nic", None)
  upgrade.normalise(loaded, (3, 0))
  assert genuine.slots(device_table.DeviceTable(loaded))[3] == ("nic", None)
