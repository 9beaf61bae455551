"""The layout of a guest that is about to boot."""

import copy
import json

import pytest

import genuine
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.bus.pools import QEMU
from ganeti_kvm_pci.errors import BusFullError
from ganeti_kvm_pci.errors import ReservationsError
from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import inline_disks
from ganeti_kvm_pci.runtime import layout
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import upgrade


def load(change=None, name="v3.0.2-plain", version=(3, 0)):
  data = json.loads(genuine.text_of(name))
  if change:
    change(data)
  loaded = serialized.parse(json.dumps(data), "f")
  upgrade.normalise(loaded, version)
  return loaded


def of_ganeti(known):
  return [(d.device_class, d.index) for d in known.devices
          if d.index is not None]


@pytest.mark.parametrize("name", genuine.NAMES)
def test_every_genuine_file_comes_to_the_partition(name):
  for version in ((2, 10), (2, 15), (3, 0), (3, 1)):
    if name in genuine.writable_by(version):
      comes_to_the_partition(name, version)


def comes_to_the_partition(name, version):
  loaded = load(name=name, version=version)
  # those up to 2.9 have their disks in the command
  carried = len(command.virtio_drives(loaded.words))
  before = device_table.DeviceTable(loaded)
  moves = layout.lay_out(loaded, version, 12)
  after = device_table.parse(loaded.dump(), name)
  first = 12 if upgrade.has_hvinfo(version) else 8
  assert after.partition.reservations == first
  disks = carried + len(loaded.disks)
  if not device_table.has_pci_disks(loaded.hvparams):
    disks = 0
  assert after.slots(DISK) == list(range(first, first + disks))
  assert after.slots(NIC) == list(range(24, 24 + len(loaded.nics)))
  assert after.slots(QEMU) == []
  assert of_ganeti(after) == of_ganeti(before)
  # what moved is what differs
  assert sorted(m.new for m in moves if m.device_class == NIC) == sorted(
    set(after.slots(NIC)) - set(before.slots(NIC)))
  assert all(m.old != m.new for m in moves)
  text = loaded.dump()
  assert layout.lay_out(loaded, version, 12) == []
  assert loaded.dump() == text


@pytest.mark.parametrize("name", genuine.NAMES)
def test_ids_become_those_that_upstream_computes_when_it_hotplugs(name):
  loaded = load(name=name)
  layout.lay_out(loaded, (3, 0), 12)
  if device_table.has_pci_disks(loaded.hvparams):
    for disk, _, _ in loaded.disks:
      assert disk["hvinfo"]["id"] == "disk-" + disk["uuid"][:18]
  for nic in loaded.nics:
    assert nic["hvinfo"]["id"] == "nic-" + nic["uuid"][:18]
    assert set(nic["hvinfo"]) == set(["driver", "id", "bus", "addr"])


@pytest.mark.parametrize("name, freed", [
  ("v2.10.8-hdaspice", ["balloon", "spice"]), ("v2.15.2-plain", ["balloon"]),
  ("v2.10.0-hdaspice", []), ("v3.0.2-hdaspice", [])])
def test_the_addresses_that_older_ganetis_wrote_are_removed(name, freed):
  loaded = load(name=name)
  moves = layout.lay_out(loaded, (3, 0), 12)
  assert [m.id for m in moves if m.device_class == QEMU] == freed
  assert all(m.old is not None and m.new is None for m in moves
             if m.device_class == QEMU)
  left = [o for o in command.devices(loaded.words) if o.id in freed]
  assert len(left) == len(freed) and not any(o.address for o in left)
  assert not any("pci.0" in word for word in loaded.words)


def test_the_guest_agents_and_a_throw_away_address_go_too():
  loaded = load(lambda data: data[0].extend([
    "-device", "virtio-serial-pci,id=qga0,bus=pci.0,addr=0x6",
    "-device", '{"driver":"virtio-rng-pci","bus":"pci.0","addr":"0x1e"}']),
                name="v2.15.2-plain")
  layout.lay_out(loaded, (3, 0))
  assert loaded.command[-4:] == [
    "-device", "virtio-serial-pci,id=qga0", "-device",
    '{"driver":"virtio-rng-pci"}']


@pytest.mark.parametrize("extra", [
  "-device AC97,addr=0xc -device virtio-rng-pci,bus=pci.0,addr=0x18",
  "-device 'AC97,addr=0xc' -device virtio-rng-pci,bus=pci.0,addr=0x18"])
def test_the_users_own_addresses_are_kept_and_gone_around(extra):
  words = extra.replace("'", "").split(" ")

  def change(data):
    data[2]["kvm_extra"] = extra
    data[0].extend(words)
  loaded = load(change, name="v2.15.2-plain")
  layout.lay_out(loaded, (3, 0), 12)
  known = device_table.DeviceTable(loaded)
  assert loaded.command[-4:] == words
  assert (known.slots(DISK), known.slots(NIC)) == ([13, 14], [25, 26])
  assert known.slots(QEMU) == [12, 24]


def test_where_nothing_in_the_command_changes_its_numbers_stay_numbers():
  loaded = load()
  before = copy.copy(loaded.command)
  assert layout.lay_out(loaded, (3, 0))
  assert loaded.command == before and 192 in loaded.command


def test_moves_tell_old_and_new():
  loaded = load(name="v2.10.8-hdaspice+hotplug")
  assert layout.lay_out(loaded, (3, 0), 12) == [
    layout.Move(QEMU, None, "balloon", 4, None),
    layout.Move(QEMU, None, "spice", 5, None),
    layout.Move(DISK, 0, "hotdisk-0000d151-pci-7", 7, 12),
    layout.Move(DISK, 1, "hotdisk-0000d152-pci-10", 10, 13),
    layout.Move(NIC, 0, "hotnic-000041c1-pci-9", 9, 24),
    layout.Move(NIC, 1, "hotnic-000041c2-pci-11", 11, 25)]


@pytest.mark.parametrize("noted, configured, expected", [
  (None, None, 8), (None, 12, 12), (8, 12, 8), (16, None, 16)])
def test_the_noted_reservations_outweigh_the_configured_ones(
    noted, configured, expected):
  def change(data):
    del data[2]["kvm_pci_reservations"]
    if noted is not None:
      data[2]["kvm_pci_reservations"] = noted
  loaded = load(change)
  layout.lay_out(loaded, (3, 0), configured)
  assert device_table.DeviceTable(loaded).slots(DISK) == [expected, expected + 1]


def test_reservations_are_no_matter_before_2_16():
  loaded = load(name="v2.15.2-plain", version=(2, 15))
  layout.lay_out(loaded, (2, 15), 12)
  assert "kvm_pci_reservations" not in loaded.hvparams
  assert device_table.DeviceTable(loaded).slots(DISK) == [8, 9]


def test_invalid_reservations_are_one_clear_error():
  loaded = load(lambda data: data[2].pop("kvm_pci_reservations"))
  with pytest.raises(ReservationsError):
    layout.lay_out(loaded, (3, 0), 33)


def multiply(disks, nics):
  def change(data):
    for entries, count in ((data[3], disks), (data[1], nics)):
      for number in range(len(entries), count):
        entry = copy.deepcopy(entries[0])
        device = entry[0] if entries is data[3] else entry
        device["uuid"] = "%08x-0000-4000-8000-000000000000" % number
        device["hvinfo"]["addr"] = "0x%x" % (number + (
          14 if entries is data[3] else 22))
        entries.append(entry)
  return change


def test_a_full_house_keeps_its_order():
  loaded = load(lambda d: multiply(10, 8)(d) or d[2].update(
    kvm_pci_reservations=8))
  layout.lay_out(loaded, (3, 0))
  known = device_table.DeviceTable(loaded)
  assert known.slots(DISK) == list(range(8, 18))
  assert known.slots(NIC) == list(range(24, 32))
  uuids = [entry[0]["uuid"] for entry in loaded.disks]
  assert uuids[2:] == sorted(uuids[2:])


def test_what_does_not_fit_is_one_clear_error_and_moves_nothing():
  loaded = load(lambda d: multiply(10, 6)(d) or d[2].update(
    kvm_pci_reservations=20))
  text = loaded.dump()
  with pytest.raises(BusFullError) as caught:
    layout.lay_out(loaded, (3, 0))
  assert "10 disks and 6 NICs" in str(caught.value)
  assert loaded.dump() == text


@pytest.mark.parametrize("hv_type, parameter, device_class", [
  ("ide", "disk_type", DISK), ("scsi-hd", "disk_type", DISK),
  ("ne2k_isa", "nic_type", NIC)])
def test_fictitious_places_go(hv_type, parameter, device_class):
  loaded = load(lambda data: data[2].update({parameter: hv_type}))
  before = device_table.DeviceTable(loaded).slots(device_class)
  moves = layout.lay_out(loaded, (3, 0))
  assert before == [] and not any(m.device_class == device_class
                                  for m in moves)
  devices = loaded.nics if device_class == NIC else [
    disk[0] for disk in loaded.disks]
  assert devices and all(
    "addr" not in d["hvinfo"] and "bus" not in d["hvinfo"] for d in devices)


def test_real_scsi_disks_keep_their_ids_on_their_own_bus():
  loaded = load(name="master-scsihd")
  before = copy.deepcopy(loaded.disks)
  layout.lay_out(loaded, (3, 0))
  assert loaded.disks == before
  assert device_table.DeviceTable(loaded).slots(NIC) == [24, 25]


def test_disks_in_the_command_come_first_and_other_drives_stay():
  extra = "-drive file=/x.img,if=virtio"
  cdrom = "file=/cd.iso,format=raw,media=cdrom,if=virtio"

  def change(data):
    data[2]["kvm_extra"] = extra
    data[0].extend(["-drive", cdrom] + extra.split(" "))
  loaded = load(change, name="v2.9.6-plain")
  moves = layout.lay_out(loaded, (3, 0), 12)
  assert [(m.index, m.old, m.new) for m in moves
          if m.device_class == DISK] == [(None, None, 12), (None, None, 13)]
  known = device_table.DeviceTable(loaded)
  assert known.slots(DISK) == [12, 13]
  # before all that QEMU places by itself
  options = command.devices(loaded.words)
  assert [inline_disks.is_disk(o) for o in options] == \
    [True, True] + [False] * (len(options) - 2)
  assert loaded.command[-3:] == [cdrom] + extra.split(" ")
  assert len(command.virtio_drives(loaded.words)) == 2


@pytest.mark.parametrize("name", ["v3.0.2-plain", "master-scsihd"])
def test_firmware_takes_no_slot(name):
  """A disk with a role and no address is no device of QEMU's."""
  data = json.loads(genuine.text_of(name))
  plain = serialized.parse(json.dumps(data), "f")
  layout.lay_out(plain, (3, 2))
  firmware = dict(data[3][0][0], role="firmware", uuid="f0f0f0f0-1-2-3-4")
  del firmware["hvinfo"]
  data[3].insert(0, [firmware, "/x", None])
  loaded = serialized.parse(json.dumps(data), "f")
  # the order of the others is exchanged, so that they move
  loaded.disks[1], loaded.disks[2] = loaded.disks[2], loaded.disks[1]
  moves = layout.lay_out(loaded, (3, 2))
  assert "hvinfo" not in loaded.disks[0][0]
  key = "addr" if "plain" in name else "scsi-id"
  assert [entry[0]["hvinfo"][key] for entry in loaded.disks[1:]] == [
    entry[0]["hvinfo"][key] for entry in plain.disks]
  assert [move.index for move in moves if move.device_class == "disk"] == [1, 2]
