"""A runtime file in the order of Ganeti's configuration."""

import copy
import json

import pytest

import genuine
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.qemu import ids
from ganeti_kvm_pci.runtime import configuration
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import layout
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import upgrade
from ganeti_kvm_pci.runtime.configuration import Configuration

UUID = "%08x-0000-4000-8000-000000000000"
MAC = "aa:00:00:00:00:%02x"


class Object(object):
  def __init__(self, **attributes):
    vars(self).update(attributes)


def load(change=None, name="v3.0.2-plain", version=(3, 0)):
  data = json.loads(genuine.text_of(name))
  if change:
    change(data)
  loaded = serialized.parse(json.dumps(data), "f")
  upgrade.normalise(loaded, version)
  return loaded


def slotted(disks, nics, **hvparams):
  """Load a runtime file with disks and NICs on these slots, in its order.

  """
  def change(data):
    data[2]["kvm_pci_reservations"] = 8
    data[2].update(hvparams)
    for entries, slots, device_class in ((data[3], disks, "disk"),
                                         (data[1], nics, "nic")):
      first = entries[0]
      entries[:] = []
      for number, slot in enumerate(slots):
        entry = copy.deepcopy(first)
        device = entry[0] if device_class == "disk" else entry
        device["uuid"] = UUID % number
        device["hvinfo"].update(addr="0x%x" % slot,
                                id=ids.new_id(device_class, UUID % number))
        if device_class == "nic":
          device["mac"] = MAC % number
        entries.append(entry)
  return load(change)


def configured(disks, nics):
  return Configuration([UUID % number for number in disks],
                       [(UUID % number, MAC % number) for number in nics])


def numbers(loaded):
  return ([int(entry[0]["uuid"][:8], 16) for entry in loaded.disks],
          [int(nic["uuid"][:8], 16) for nic in loaded.nics])


@pytest.mark.parametrize("disks", [
  ["x", "y"], [Object(uuid="x"), Object(uuid="y")]])
def test_of_an_instance_of_any_version(disks):
  instance = Object(disks=disks, nics=[Object(uuid="n", mac="m")])
  assert configuration.of(instance) == Configuration(["x", "y"], [("n", "m")])


@pytest.mark.parametrize("attributes", [
  {}, {"disks": None, "nics": []}, {"nics": []}, {"disks": []}])
def test_an_object_without_devices_is_no_configuration(attributes):
  assert configuration.of(Object(**attributes)) is None


def test_the_configurations_order_is_the_cold_boots():
  # 0:remove, 0:add of both, as hotplug leaves it
  loaded = slotted([9, 8], [25, 24])
  assert configuration.apply_to(loaded, configured([1, 0], [1, 0])) == (
    [], {DISK: [], NIC: []})
  assert numbers(loaded) == ([1, 0], [1, 0])
  assert layout.lay_out(loaded, (3, 0)) == []


def test_what_the_configuration_no_longer_has_leaves():
  loaded = slotted([8, 9, 10], [24, 25])
  gone, gaps = configuration.apply_to(loaded, configured([0, 2], [1]))
  assert gone == ["disk " + UUID % 1, "nic " + UUID % 0]
  assert gaps == {DISK: [], NIC: []}
  assert [(m.index, m.old, m.new) for m in layout.lay_out(loaded, (3, 0))] == [
    (1, 10, 9), (0, 25, 24)]


def test_what_was_added_without_hotplug_has_its_slot_kept_free():
  loaded = slotted([8, 9], [24])
  gone, gaps = configuration.apply_to(loaded, configured([0, 5, 1], [6, 0, 7]))
  assert (gone, gaps) == ([], {DISK: [1], NIC: [0, 2]})
  layout.lay_out(loaded, (3, 0), gaps=gaps)
  known = device_table.DeviceTable(loaded)
  assert (known.slots(DISK), known.slots(NIC)) == ([8, 10], [25])


def test_no_slot_is_kept_free_where_there_are_not_enough():
  loaded = slotted([8, 9], [24], kvm_pci_reservations=28)
  gaps = configuration.apply_to(loaded, configured([0, 5, 1], [6, 0]))[1]
  layout.lay_out(loaded, (3, 0), gaps=gaps)
  known = device_table.DeviceTable(loaded)
  assert len(known.slots(DISK) + known.slots(NIC)) == 3


def test_a_nic_without_uuid_is_known_by_its_mac_address():
  loaded = load(lambda data: [nic.pop("uuid") for nic in data[1]],
                name="v2.10.8-plain")
  macs = [nic["mac"] for nic in loaded.nics]
  known = Configuration(
    [entry[0]["uuid"] for entry in loaded.disks],
    [(UUID % number, mac) for number, mac in enumerate(reversed(macs))])
  assert configuration.apply_to(loaded, known)[0] == []
  assert [nic["mac"] for nic in loaded.nics] == macs[::-1]


def test_a_nic_with_an_uuid_is_not_known_by_its_mac_address():
  loaded = slotted([8], [24])
  known = Configuration([UUID % 0], [(UUID % 9, MAC % 0)])
  assert configuration.apply_to(loaded, known) == (
    ["nic " + UUID % 0], {DISK: [], NIC: [0]})


def test_disks_in_the_command_are_those_that_nothing_else_is():
  loaded = load(name="v2.9.6-plain")
  added = copy.deepcopy(load().disks[0])
  added[0].update(uuid=UUID % 3)
  loaded.disks.append(added)
  known = Configuration([UUID % number for number in (1, 3, 2)],
                        [(nic["uuid"], nic["mac"]) for nic in loaded.nics])
  gaps = configuration.apply_to(loaded, known)[1]
  assert gaps[DISK] == [0, 2]
  loaded.hvparams["kvm_pci_reservations"] = 8
  moves = layout.lay_out(loaded, (3, 0), gaps=gaps)
  assert [(m.index, m.new) for m in moves if m.device_class == DISK] == [
    (None, 8), (None, 10), (0, 9)]


def scsi(ids):
  def change(data):
    for entry, number in zip(data[3], ids):
      entry[0]["hvinfo"]["scsi-id"] = number
  return load(change, name="v3.0.2-scsihd")


def test_scsi_ids_are_those_of_a_cold_boot_too():
  loaded = scsi([5, 2])
  before = [entry[0]["uuid"] for entry in loaded.disks]
  known = Configuration(before[::-1], [(n["uuid"], n["mac"])
                                       for n in loaded.nics])
  gaps = configuration.apply_to(loaded, known)[1]
  moves = layout.lay_out(loaded, (3, 0), gaps=gaps)
  assert [(m.index, m.old, m.new) for m in moves
          if m.unit == layout.SCSI_ID] == [(0, 2, 0), (1, 5, 1)]
  assert [(entry[0]["uuid"], entry[0]["hvinfo"]["scsi-id"])
          for entry in loaded.disks] == [(before[1], 0), (before[0], 1)]


def test_without_the_configuration_slots_tell_the_order():
  loaded = slotted([9, 8], [24, 25])
  assert configuration.guess_order(loaded) == [DISK]
  assert numbers(loaded) == ([1, 0], [0, 1])
  assert layout.lay_out(loaded, (3, 0)) == []
  assert configuration.guess_order(loaded) == []


def test_without_the_configuration_scsi_ids_tell_the_order():
  loaded = scsi([1, 0])
  assert configuration.guess_order(loaded) == [DISK]
  assert not [m for m in layout.lay_out(loaded, (3, 0))
              if m.unit == layout.SCSI_ID]


@pytest.mark.parametrize("name", genuine.NAMES)
def test_any_genuine_file_can_be_ordered(name):
  for version in ((2, 15), (3, 0)):
    if name in genuine.writable_by(version):
      loaded = load(name=name, version=version)
      before = sorted(json.dumps(entry) for entry in loaded.disks + loaded.nics)
      assert configuration.guess_order(loaded) == []
      known = Configuration([entry[0]["uuid"] for entry in loaded.disks],
                            [(n["uuid"], n.get("mac")) for n in loaded.nics])
      assert configuration.apply_to(loaded, known)[0] == []
      assert sorted(json.dumps(entry) for entry in
                    loaded.disks + loaded.nics) == before
