"""What is wrong with an instance's bus, and what of it is put right."""

import json

import pytest

import genuine
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.qemu.pci_functions import Function
from ganeti_kvm_pci.qemu.replies import Peripheral
from ganeti_kvm_pci.runtime import consistency
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import downgrade
from ganeti_kvm_pci.runtime import layout
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import upgrade

#: What every pc has.
CHIPSET = [Function(0, 0, None, "Host bridge"),
           Function(1, 0, None, "ISA bridge"),
           Function(1, 1, None, "IDE controller"),
           Function(2, 0, None, "VGA controller")]


def load(change=None, name="v3.0.2-plain"):
  data = json.loads(genuine.text_of(name))
  if change:
    change(data)
  return serialized.parse(json.dumps(data), "f")


def live_of(known, lacks=()):
  """Return what the QEMU of a runtime file has."""
  return CHIPSET + [Function(d.slot, 0, d.id, d.driver) for d in known.devices
                    if d.slot is not None and d.slot not in lacks]


def said(loaded, *live):
  return [(f.severity, f.slot) for f in
          consistency.findings(device_table.DeviceTable(loaded), *live)]


def laid_out(name="v3.0.2-plain"):
  loaded = load(name=name)
  upgrade.normalise(loaded, (3, 0))
  layout.lay_out(loaded, (3, 0), 12)
  return loaded


@pytest.mark.parametrize("name", genuine.NAMES)
def test_what_follows_the_partition_is_well(name):
  assert said(laid_out(name)) == []


@pytest.mark.parametrize("name", genuine.NAMES)
def test_genuine_layouts_are_no_fault(name):
  loaded = genuine.load(name)
  known = device_table.DeviceTable(loaded)
  for live in ((), (live_of(known), )):
    found = said(loaded, *live)
    assert set(severity for severity, _ in found) <= set([consistency.INFO])
    assert [slot for _, slot in found] == sorted(
      d.slot for d in known.devices if d.slot is not None and
      known.partition.owner(d.slot) != d.device_class)


def test_a_device_outside_its_pool_is_information():
  found = consistency.findings(device_table.DeviceTable(load()))
  assert [(f.severity, f.slot, f.device) for f in found] == [
    (consistency.INFO, 14, "nic 0 (nic-000041c0-0000-4000)"),
    (consistency.INFO, 15, "nic 1 (nic-000041c1-0000-4000)")]
  assert found[0].text == (
    "slot 14, nic 0 (nic-000041c0-0000-4000): not in the NICs' pool (QEMU"
    " 0-11, disks 12-23, NICs 24-31); the next cold boot decides anew")


def test_overflow_in_the_runtime_file_is_information():
  loaded = laid_out()
  loaded.command.extend(["-device", "virtio-rng-pci,bus=pci.0,addr=0x1d"])
  assert said(loaded) == [(consistency.INFO, 29)]
  assert said(loaded, live_of(device_table.DeviceTable(loaded))) == [
    (consistency.INFO, 29)]


def test_overflow_that_is_not_in_the_runtime_file_is_information():
  # whether it would go elsewhere in a migration, the migration check says
  loaded = laid_out()
  live = live_of(device_table.DeviceTable(loaded)) + [
    Function(7, 0, None, "RNG"), Function(14, 0, None, "class 0x00ff")]
  found = consistency.findings(device_table.DeviceTable(loaded), live, [
    Peripheral("virtio-rng-pci", None, (14, 0))])
  assert [(f.severity, f.slot, f.device) for f in found] == [
    (consistency.INFO, 14, "virtio-rng-pci")]


def test_a_device_that_the_guest_has_not_mapped_is_information():
  loaded = laid_out()
  live = [f._replace(mapped=f.slot != 13) for f in live_of(
    device_table.DeviceTable(loaded))]
  assert said(loaded, live) == [(consistency.INFO, 13)]


def test_what_qemu_lacks_is_a_warning():
  loaded = laid_out()
  live = live_of(device_table.DeviceTable(loaded), lacks=[13, 24])
  assert said(loaded, live) == [(consistency.WARNING, 13),
                                (consistency.WARNING, 24)]


def repair(loaded, live, peripherals=()):
  changes = consistency.repair(loaded, device_table.DeviceTable(loaded), live,
                               list(peripherals))
  assert device_table.parse(loaded.dump(), "f")
  return changes


def test_a_stale_entry_is_taken_out():
  loaded = laid_out()
  live = live_of(device_table.DeviceTable(loaded), lacks=[12, 25])
  kept = [loaded.disks[1], loaded.nics[0]]
  changes = repair(loaded, live)
  assert [loaded.disks, loaded.nics] == [kept[:1], kept[1:]]
  assert changes == [
    "nic 1 (nic-000041c1-0000-4000): removed from the runtime file, QEMU"
    " does not have it",
    "disk 0 (disk-0000d150-0000-4000): removed from the runtime file, QEMU"
    " does not have it"]
  assert said(loaded, live) == []
  assert repair(loaded, live) == []


@pytest.mark.parametrize("name", genuine.NAMES)
def test_where_all_is_there_nothing_is_repaired(name):
  loaded = genuine.load(name)
  text = loaded.dump()
  known = device_table.DeviceTable(loaded)
  peripherals = [Peripheral(d.driver, d.id, None) for d in known.devices]
  assert repair(loaded, live_of(known), peripherals) == []
  assert loaded.dump() == text


def test_scsi_disks_are_known_by_their_id_alone():
  loaded = load(name="v3.0.2-scsihd")
  known = device_table.DeviceTable(loaded)
  kept = loaded.disks[1]
  assert repair(loaded, live_of(known), [
    Peripheral("scsi-hd", known.devices[1].id, None)]) == [
      "disk 0 (disk-0000d150-0000-4000): removed from the runtime file, QEMU"
      " does not have it"]
  assert loaded.disks == [kept]


def test_a_slot_that_is_another_in_qemu_is_corrected():
  loaded = laid_out()
  live = [f._replace(slot=20) if f.slot == 12 else f
          for f in live_of(device_table.DeviceTable(loaded))]
  assert repair(loaded, live) == [
    "disk 0 (disk-0000d150-0000-4000): slot 12 in the runtime file, 20 in"
    " QEMU, corrected"]
  assert device_table.DeviceTable(loaded).slots(DISK) == [20, 13]
  assert said(loaded, live) == [] and repair(loaded, live) == []


def test_up_to_2_15_a_slot_is_part_of_the_id_and_stays():
  loaded = load(name="v2.15.2-plain")
  text = loaded.dump()
  live = [f._replace(slot=20) if f.slot == 4 else f
          for f in live_of(device_table.DeviceTable(loaded))]
  assert repair(loaded, live) == []
  assert loaded.dump() == text


@pytest.mark.parametrize("name, hv_types", [
  ("v3.0.2-plain", {"disk_type": "ide"}),
  ("v3.0.2-plain", {"nic_type": "ne2k_isa"}),
  ("v2.15.2-plain", {"disk_type": "scsi", "nic_type": "ne2k_isa"}),
  ("v2.15.2-plain", {"disk_type": "sd"}),
  ("v2.10.8-hdaspicescsi", {}), ("v2.9.6-plain", {})])
def test_what_is_not_on_the_bus_is_never_taken_for_lost(name, hv_types):
  loaded = load(lambda data: data[2].update(hv_types), name)
  entries = [list(loaded.disks), list(loaded.nics)]
  repair(loaded, CHIPSET)
  for device_class, parameter, before, after in (
      (DISK, "disk_type", entries[0], loaded.disks),
      (NIC, "nic_type", entries[1], loaded.nics)):
    if parameter in hv_types or name == "v2.9.6-plain" or \
        device_class == DISK and "scsi" in name:
      assert after == before
    else:
      assert after == []


def test_a_device_under_another_id_is_the_guests_all_the_same():
  """Down to 2.15's form and up again, ids are no more what QEMU knows."""
  loaded = laid_out()
  live = live_of(device_table.DeviceTable(loaded))
  downgrade.downgrade(loaded, (2, 15))
  upgrade.normalise(loaded, (3, 0))
  before = loaded.dump()
  assert repair(loaded, live) == []
  assert loaded.dump() == before
  # yet it is worth a look
  assert set(severity for severity, _ in said(loaded, live)) == set(
    [consistency.WARNING])


def test_qemus_strays_get_their_address():
  loaded = laid_out()
  loaded.command.extend(["-device", "virtio-rng-pci,id=r", "-device", "AC97"])
  live = live_of(device_table.DeviceTable(loaded)) + [
    Function(14, 0, "r", "RNG"), Function(26, 0, None, "Audio")]
  peripherals = [
    Peripheral("virtio-balloon-pci", None, (3, 0)),
    Peripheral("virtio-rng-pci", "r", (14, 0)),
    Peripheral("AC97", None, (26, 0))]
  changes = repair(loaded, live, peripherals)
  assert loaded.command[-4:] == [
    "-device", "virtio-rng-pci,id=r,bus=pci.0,addr=0xe",
    "-device", "AC97,bus=pci.0,addr=0x1a"]
  assert sorted(changes) == [
    "Audio, slot 26: QEMU's own, slot written to the runtime file",
    "r, slot 14: QEMU's own, slot written to the runtime file"]
  assert said(loaded, live, peripherals) == [
    (consistency.INFO, 14), (consistency.INFO, 26)]


def test_within_qemus_range_none_is_given_an_address():
  """Unmodified Ganeti had NICs there; a migration sees to what is beyond."""
  loaded = load(name="v3.0.2-scsihd")
  loaded.command.extend(["-device", "virtio-rng-pci,id=r"])
  known = device_table.DeviceTable(loaded)
  assert (known.partition.qemu, known.slots(NIC)) == ((0, 23), [12, 13])
  text = loaded.dump()
  live = live_of(known) + [Function(14, 0, "r", "RNG")]
  assert repair(loaded, live, [
    Peripheral("virtio-rng-pci", "r", (14, 0))] + [
      Peripheral(d.driver, d.id, None) for d in known.devices
      if d.index is not None]) == []
  assert loaded.dump() == text


def test_a_device_that_was_added_by_hand_stays_unknown():
  loaded = laid_out()
  text = loaded.dump()
  live = live_of(device_table.DeviceTable(loaded)) + [Function(20, 0, "byhand", "x")]
  assert repair(loaded, live, [Peripheral("e1000", "byhand", (20, 0))]) == []
  assert loaded.dump() == text
  assert said(loaded, live) == [(consistency.WARNING, 20)]
