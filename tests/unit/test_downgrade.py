"""The way back to the form of Ganeti 2.10 to 2.15."""

import json

import pytest

import genuine
from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.qemu import option
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import downgrade
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import upgrade

WITH_PCI = [name for name in genuine.NAMES
            if (2, 10) <= genuine.version_of(name) < (2, 16)]
WITH_HVINFO = [name for name in genuine.NAMES
               if genuine.version_of(name) >= (2, 16)]


def load(change, name="v3.0.2-plain"):
  data = json.loads(genuine.text_of(name))
  change(data)
  return serialized.parse(json.dumps(data), "f")


def entries(loaded):
  # without the order of their keys, which Python 2 would compare
  return [dict(entry) for entry in
          [disk[0] for disk in loaded.disks] + loaded.nics]


@pytest.mark.parametrize("name", WITH_PCI)
def test_there_and_back_again(name):
  before = genuine.load(name)
  loaded = genuine.load(name)
  for version in ((2, 16), (3, 0), (3, 1)):
    upgrade.normalise(loaded, version)
  changes, warnings = downgrade.downgrade(loaded, genuine.version_of(name))
  assert len(changes) == len(entries(loaded)) and warnings == []
  expected = entries(before)
  if not device_table.has_pci_disks(before.hvparams):
    # a number that these versions gave out, but nothing used
    for disk in expected[:len(before.disks)]:
      del disk["pci"]
  assert entries(loaded) == expected
  assert all(d.slot in (None, old.slot) for d, old in zip(
    device_table.DeviceTable(loaded).devices, device_table.DeviceTable(before).devices))


@pytest.mark.parametrize("name", WITH_PCI)
def test_what_has_that_form_stays_as_it_is(name):
  loaded = genuine.load(name)
  text = loaded.dump()
  assert downgrade.downgrade(loaded, genuine.version_of(name)) == ([], [])
  assert loaded.dump() == text


@pytest.mark.parametrize("name", WITH_HVINFO)
def test_every_newer_file_keeps_its_slots_or_is_refused(name):
  loaded = genuine.load(name)
  before, text = genuine.slots(device_table.DeviceTable(loaded)), loaded.dump()
  if "scsihd" in name:
    with pytest.raises(RuntimeFileError) as caught:
      downgrade.downgrade(loaded, (2, 15))
    assert "disk 0 (scsi-hd on scsi.0) cannot be had before" in str(
      caught.value)
    assert loaded.dump() == text
    return
  changes, warnings = downgrade.downgrade(loaded, (2, 15))
  assert genuine.slots(device_table.parse(loaded.dump(), name)) == before
  assert len(changes) == 4
  assert "disk 0: hvinfo to pci %d" % loaded.disks[0][0]["pci"] in changes
  assert not any("hvinfo" in entry for entry in entries(loaded))
  # 2.10 to 2.15 compute other ids than QEMU knows
  assert len(warnings) == 4
  # what these versions then make of it is in their form
  assert not any("pci" in change or "hvinfo" in change
                 for change in upgrade.normalise(loaded, (2, 15)))


def test_warnings_name_both_ids():
  loaded = genuine.load("v3.0.2-plain")
  warnings = downgrade.downgrade(loaded, (2, 15))[1]
  assert "disk 0: QEMU has it as disk-0000d150-0000-4000, Ganeti before 2.16" \
    " will look for hotdisk-0000d150-pci-12" in warnings[0]


def hvinfo(**keys):
  return lambda data: data[1][1]["hvinfo"].update(keys)


@pytest.mark.parametrize("change, says", [
  (hvinfo(addr="0xf.0x1"), "nic 1 is function 1 of slot 15"),
  (hvinfo(driver="e1000"), "nic 1 (e1000 on pci.0) cannot be had"),
  (hvinfo(bus="hotplug.1"), "nic 1 (virtio-net-pci on hotplug.1) cannot"),
  (lambda data: data[2].update(disk_type="scsi-hd"), "disk 0 ("),
  ])
def test_what_cannot_be_had_is_refused_before_anything_is_changed(change, says):
  loaded = load(change)
  text = loaded.dump()
  with pytest.raises(RuntimeFileError) as caught:
    downgrade.downgrade(loaded, (2, 15))
  assert says in str(caught.value)
  assert loaded.dump() == text


@pytest.mark.parametrize("hv_type", ["e1000", "ne2k_isa"])
def test_other_nics_go_back_too(hv_type):
  def change(data):
    data[2]["nic_type"] = hv_type
    for nic in data[1]:
      nic["hvinfo"]["driver"] = hv_type
  loaded = load(change)
  downgrade.downgrade(loaded, (2, 15))
  assert [nic["pci"] for nic in loaded.nics] == [14, 15]


def test_a_device_without_an_address_has_none_afterwards():
  loaded = load(lambda data: data[1][0].update(hvinfo={}))
  changes, warnings = downgrade.downgrade(loaded, (2, 15))
  assert "nic 0: hvinfo to pci None" in changes
  assert "pci" not in loaded.nics[0] and "hvinfo" not in loaded.nics[0]
  assert not any(warning.startswith("nic 0") for warning in warnings)


def add_new_keys(data):
  data[3][0][0]["hvinfo"].update({
    "num-queues": 4, "iothread-vq-mapping": [{"iothread": "iothread0"}]})
  data[3][0][0]["role"] = "firmware"
  data[3][1][0]["hvinfo"]["iothread"] = "iothread0"
  data[3][1][0]["role"] = ""
  data[1][0]["hvinfo"]["acpi-index"] = 1


@pytest.mark.parametrize("version", [(2, 12), (3, 0), (3, 1)])
def test_queues_and_iothreads_are_stripped_with_a_warning(version):
  loaded = load(add_new_keys)
  changes, warnings = downgrade.downgrade(loaded, version)
  for words in ("disk 0: without num-queues", "disk 1: without iothread",
                "disk 0: without iothread-vq-mapping", "disk 0: without role",
                "disk 1: without role", "nic 0: without acpi-index"):
    assert words in changes
  assert [text for text in warnings if "do not migrate" in text] == [
    "disk 0: Ganeti before 3.2 does not know num-queues: its number of queues"
    " may change; do not migrate the guest live, start it anew there",
    "nic 0: Ganeti before 3.2 does not know acpi-index: the guest may name its"
    " NIC otherwise; do not migrate the guest live, start it anew there"]
  assert len([text for text in warnings if "firmware" in text]) == 1
  plain = load(lambda data: None)
  downgrade.downgrade(plain, version)
  assert [json.dumps(found, sort_keys=True) for found in entries(loaded)] == [
    json.dumps(found, sort_keys=True) for found in entries(plain)]


def test_32_keeps_them_but_the_role():
  loaded = load(add_new_keys)
  changes, _ = downgrade.downgrade(loaded, (3, 2))
  assert changes == ["disk 0: without role", "disk 1: without role"]
  upgrade.normalise(loaded, (3, 2))
  with pytest.raises(RuntimeFileError) as caught:
    upgrade.normalise(loaded, (3, 1))
  assert "ganeti-kvm-pci downgrade" in str(caught.value)


CONTROLLER = '{"driver":"virtio-scsi-pci","id":"scsi",%s}'


def add_controller(extra=""):
  text = CONTROLLER % '"num_queues":2,"iothread":"iothread0"'

  def change(data):
    data[0] += ["-device", text]
    data[2]["kvm_extra"] = extra and "-device " + text
  return change


def test_the_scsi_controller_is_served_without_an_iothread():
  loaded = load(add_controller())
  with pytest.raises(RuntimeFileError) as caught:
    upgrade.normalise(loaded, (3, 1))
  assert "the SCSI controller: served by an iothread" in str(caught.value)
  changes, _ = downgrade.downgrade(loaded, (3, 1))
  assert "the SCSI controller: without iothread" in changes
  assert option.keys(loaded.command[-1]) == {
    "driver": "virtio-scsi-pci", "id": "scsi", "num_queues": 2}
  upgrade.normalise(loaded, (3, 1))


def test_an_iothread_by_kvm_extra_is_the_users_own():
  loaded = load(add_controller("kvm_extra"))
  text = loaded.command[-1]
  upgrade.normalise(loaded, (3, 1))
  downgrade.downgrade(loaded, (3, 1))
  assert loaded.command[-1] == text
