"""Tags by which devices keep their slots."""

import json
import re

import pytest

import genuine
from ganeti_kvm_pci.bus import allocator
from ganeti_kvm_pci.bus import frozen
from ganeti_kvm_pci.bus import root_ports
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.errors import BusFullError
from ganeti_kvm_pci.qemu import explicit
from ganeti_kvm_pci.qemu import overflow
from ganeti_kvm_pci.qemu import pci_functions
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import layout
from ganeti_kvm_pci.runtime import placement
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import upgrade

UUIDS = ["%08x-1111-2222-3333-000000000000" % number for number in range(20)]

#: What Ganeti takes for a tag (objects.TaggableObject, 2.10 to master).
LEGAL_RE = re.compile(r"^[\w.+*/:@-]{1,128}\Z")


@pytest.mark.parametrize("text, unit, number", [
  ("kvm-pci:disk:0000d151:12", "slot", 12),
  ("kvm-pci:nic:0000d151:rp11", "port", 11),
  ("kvm-pci:disk:0000d151:scsi255", "scsi-id", 255)])
def test_a_tag_is_read_as_it_is_written(text, unit, number):
  tag = frozen.parse(text)
  assert (tag.uuid, tag.unit, tag.number) == ("0000d151", unit, number)
  assert frozen.unparse(tag.device_class, "0000d151-1-2-3-4", unit,
                        number) == text
  assert LEGAL_RE.match(text)


@pytest.mark.parametrize("text", [
  "kvm-pci:disk:0000d151", "kvm-pci:disk:0000D151:3", "kvm-pci:disk:d151:3",
  "kvm-pci:disk:0000d151:0x3", "kvm-pci:disk:0000d151:-1",
  "kvm-pci:disk:0000d151:03", "kvm-pci:disk:0000d151:rp",
  "kvm-pci:nic:0000d151:3 ", "kvm-pci:nic:0000d151:3\n",
  "kvm-pci:nic:0000d151:9999", "kvm-pci:nic::"])
def test_a_malformed_tag_is_reported_and_means_nothing(text):
  tags = frozen.Frozen([text, "kvm-pci:acpi-index", "web"])
  assert not tags.tags
  assert [(unmet.tag, unmet.device) for unmet in tags.unmet] == [(text, None)]
  assert "vm1" in frozen.explain(tags.unmet[0], "vm1")


def settled(tags, disks=2, part=None, taken=None, first=3):
  tags = frozen.Frozen(tags)
  part = part or Partition(8)
  found = tags.settle(DISK, UUIDS[:disks], part.unit, {},
                      lambda slot: frozen.obstacle(part, slot, taken or {},
                                                   first))
  return found, [unmet.reason for unmet in tags.unmet]


@pytest.mark.parametrize("tags, found, reason", [
  (["disk:00000000:3", "disk:00000001:31"], [3, 31], None),
  (["disk:00000009:3", "nic:00000000:5"], [None, None], None),
  (["disk:00000000:2"], [None, None], "slots 0 to 2 are those"),
  (["disk:00000000:32"], [None, None], "no such slot"),
  (["disk:00000000:9"], [None, None], "it is taken by rng"),
  (["disk:00000000:rp11"], [None, None], "the guest's devices have a slot"),
  (["disk:00000000:scsi3"], [None, None], "the guest's devices have a slot"),
  (["disk:00000000:3", "disk:00000001:3"], [3, None],
   "disk 0 (00000000) has it, by another tag"),
  (["disk:00000000:3", "disk:00000000:4"], [None, None],
   "the device has another tag, kvm-pci:disk:00000000:4"),
  (["disk:00000000:3", "disk:00000000:rp11"], [3, None], None)])
def test_what_a_tag_gives(tags, found, reason):
  result, reasons = settled(["kvm-pci:" + tag for tag in tags],
                            taken={9: "rng by kvm_extra"})
  assert result == found
  assert len(reasons) == (2 if reason and "another tag, " in reason
                          else 1 if reason else 0)
  assert not reason or reason in reasons[0]


def test_a_port_that_the_guest_lacks_is_not_given():
  part = root_ports.RootPorts([3, 11, 12])
  assert settled(["kvm-pci:disk:00000000:rp12", "kvm-pci:disk:00000001:rp13"],
                 part=part) == ([12, None], ["the guest has no such port"])


def test_the_explanation_names_all_that_is_needed():
  tags = frozen.Frozen(["kvm-pci:disk:00000000:2"])
  tags.settle(DISK, UUIDS[:1], "slot", {},
              lambda slot: frozen.obstacle(Partition(8), slot, {}, 3))
  assert frozen.explain(tags.unmet[0], "vm1") == (
    "disk 0 (00000000) does not get slot 2 of its tag kvm-pci:disk:00000000:2:"
    " slots 0 to 2 are those of devices that QEMU creates before; run"
    " ganeti-kvm-pci freeze vm1, which writes the tags anew, or remove this one"
    " (gnt-instance remove-tags vm1 kvm-pci:disk:00000000:2)")


@pytest.mark.parametrize("disks, nics, expected", [
  # a class without tags is placed as ever
  ([None, None], [12], ([8, 9], [12])),
  # the rest goes where a hot-add would have put it
  ([3, 4, None], [None], ([3, 4, 8], [24])),
  ([12, 13, None, None], [14], ([12, 13, 15, 16], [14])),
  ([12, None, 14], [None], ([12, 13, 14], [24])),
  ([None, 12], [], ([8, 12], [])),
  ([24] + [None] * 16, [], ([24] + list(range(8, 24)), []))])
def test_the_rest_goes_around(disks, nics, expected):
  found = allocator.around(Partition(8), {DISK: disks, NIC: nics}, {})
  assert (found[DISK], found[NIC]) == expected


def test_what_does_not_fit_around_is_refused():
  with pytest.raises(BusFullError) as caught:
    allocator.around(Partition(8), {DISK: [3] + [None] * 17,
                                    NIC: [None] * 8}, {})
  assert "18 disks and 8 NICs" in str(caught.value)


def placed(tags, disks, nics, words=("kvm", ), kept=None, **hvparams):
  hvparams.setdefault("kvm_pci_reservations", 8)
  return layout.cold_boot(
    Partition.of(hvparams), hvparams, list(words), {},
    {DISK: UUIDS[:disks], NIC: UUIDS[:nics]}, frozen.Frozen(tags))


def test_the_slot_of_a_device_that_is_not_there_is_given_last():
  gone = "kvm-pci:nic:0000abcd:25"
  assert placed([gone], 1, 3)[0][NIC] == [24, 26, 27]
  # 16 disks and 8 NICs have all that there is
  assert placed([gone], 16, 8)[0][NIC] == list(range(24, 32))
  assert placed([gone], 16, 7)[0][NIC] == [24, 26, 27, 28, 29, 30, 31]


def test_a_tag_outside_of_ganetis_range_is_kept_as_well():
  found = placed(["kvm-pci:disk:00000000:3", "kvm-pci:nic:00000000:4"], 2, 2)
  assert found[0] == {DISK: [3, 8], NIC: [4, 24]}


def test_scsi_ids_stay():
  hvparams = {"disk_type": "scsi-hd", "scsi_controller_type": "lsi"}
  tags = ["kvm-pci:disk:00000000:scsi3", "kvm-pci:disk:0000abcd:scsi4",
          "kvm-pci:disk:00000001:scsi7", "kvm-pci:disk:00000002:12"]
  frozen_ = frozen.Frozen(tags)
  assert layout.cold_boot(
    Partition.of(hvparams), hvparams, ["kvm"], {}, {DISK: UUIDS[:3], NIC: []},
    frozen_)[1] == [3, 5, 6]
  assert [unmet.reason for unmet in frozen_.unmet] == [
    "it is the controller's own", "the guest's devices have a scsi-id"]


@pytest.mark.parametrize("tags, disks, expected", [
  # eight disks start without tags as well
  (["%08x:scsi%d" % (number, number) for number in range(8)], 8,
   list(range(8))),
  (["00000000:scsi3"], 8, [3, 4, 5, 6, 7, 2, 1, 0]),
  # a guest does not look for a disk at 7
  (["0000abcd:scsi3"], 6, [0, 1, 2, 4, 5, 6]),
  (["0000abcd:scsi3"], 7, list(range(7))),
  (["0000abcd:scsi3"], 8, list(range(8)))])
def test_the_id_of_the_controller_is_given_last(tags, disks, expected):
  hvparams = {"disk_type": "scsi-hd", "scsi_controller_type": "lsi"}
  assert layout.cold_boot(
    Partition.of(hvparams), hvparams, ["kvm"], {},
    {DISK: UUIDS[:disks], NIC: []},
    frozen.Frozen("kvm-pci:disk:" + tag for tag in tags))[1] == expected


def test_disks_on_ide_have_no_slot_to_keep():
  tags = frozen.Frozen(["kvm-pci:disk:00000000:12"])
  hvparams = {"disk_type": "ide"}
  assert layout.cold_boot(Partition.of(hvparams), hvparams, ["kvm"], {}, {
    DISK: UUIDS[:1], NIC: []}, tags) == ({NIC: []}, [])
  assert [unmet.reason for unmet in tags.unmet] == [
    "the guest has it on no slot"]


@pytest.mark.parametrize("iothreads, found", [
  (None, [3, 4]), (0, [3, 4]), (1, [8, 9])])
def test_a_disk_that_may_be_in_json_has_no_slot_of_a_drives(iothreads, found):
  """QEMU creates C{if=virtio} before what is in JSON, and Ganeti its cdrom."""
  tags = ["kvm-pci:disk:00000000:3", "kvm-pci:disk:00000001:4",
          "kvm-pci:nic:00000000:5"]
  # which of them, depends on all that is named
  placed_ = placed(tags, 2, 1, ["kvm", "-drive", "file=x,if=virtio"],
                   virtio_disk_iothreads=iothreads)
  assert placed_[0] == {DISK: found, NIC: [5]}
  assert placed(tags[:1] + ["kvm-pci:nic:00000000:3"], 0, 1, [
    "kvm", "-drive", "file=x,if=virtio"],
                virtio_disk_iothreads=iothreads)[0] == {DISK: [], NIC: [3]}


@pytest.mark.parametrize("words, first", [
  ([], 3), (["-soundhw", "hda,pcspk"], 4), (["-soundhw", "all"], 6),
  (["-net", "nic"], 4),
  (["-net", "none"], 3), (["-device", "virtio-rng-pci"], 3),
  (["-balloon", "virtio"], 3), (["-drive", "file=x,if=virtio"], 3),
  (["-virtfs", "local,path=/"], 4)])
def test_what_qemu_creates_before(words, first):
  assert overflow.made_first(["kvm"] + words) == first


def test_of_devices_after_a_frozen_disk_the_address_is_noted():
  """The target of a migration may be without the disk."""
  functions = pci_functions.functions([{"bus": 0, "devices": [
    {"slot": slot, "function": 0, "qdev_id": "", "class_info": {"class": 255}}
    for slot in (0, 1, 2, 3, 4, 5)]}], Partition())
  assert explicit.beyond(Partition(), functions, {4: "d"}) == []
  assert [f.slot for f in explicit.beyond(Partition(), functions, {4: "d"},
                                          [4])] == [5]


def load(name, version):
  loaded = serialized.parse(json.dumps(json.loads(genuine.text_of(name))), name)
  upgrade.normalise(loaded, version)
  return loaded


def slots_of(loaded):
  return [(d.device_class, d.index, d.slot)
          for d in device_table.DeviceTable(loaded).devices
          if d.index is not None]


@pytest.mark.parametrize("name", genuine.NAMES)
def test_a_genuine_guest_that_is_frozen_never_moves(name):
  for version in ((2, 10), (2, 15), (3, 0), (3, 1)):
    if name not in genuine.writable_by(version):
      continue
    loaded = load(name, version)
    tags = placement.tags(loaded)
    before = slots_of(loaded)
    on_pci = [device for device in before if device[2] is not None]
    moving = layout.lay_out(load(name, version), version, 8)
    asked = frozen.Frozen(tags.values())
    moves = layout.lay_out(loaded, version, 8, frozen=asked)
    # up to 2.9, QEMU chose
    assert len(tags) == (0 if name.startswith("v2.9") else
                         2 if name.endswith("hdaspicescsi") else 4)
    if not tags:
      continue
    assert slots_of(loaded) == before
    assert [m for m in moves if m.index is not None] == []
    assert asked.unmet == []
    assert moving or not on_pci


def test_frozen_slots_are_the_genuine_ones():
  """Those of Ganeti 2.10 to 2.15 begin at 3, or 4; later ones at 12."""
  found = dict((name, placement.tags(load(name, (3, 0))).values())
               for name in ("v2.10.8-plain", "v2.15.2-hdaspice+hotplug",
                            "v3.0.2-scsihd"))
  assert sorted(found["v2.10.8-plain"]) == [
    "kvm-pci:disk:0000d150:4", "kvm-pci:disk:0000d151:5",
    "kvm-pci:nic:000041c0:6", "kvm-pci:nic:000041c1:7"]
  assert len(found["v2.15.2-hdaspice+hotplug"]) == 4
  assert sorted(found["v3.0.2-scsihd"])[:2] == [
    "kvm-pci:disk:0000d150:scsi0", "kvm-pci:disk:0000d151:scsi1"]
