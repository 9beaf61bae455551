"""Disks that stand inside the command."""

import pytest

import genuine
from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.runtime import inline_disks

FIRST = "file=/var/run/ganeti/vm1:0,format=raw,if=virtio"
SECOND = "file=/var/run/ganeti/vm1:1,format=raw,if=virtio,cache=none"
DEVICE = "virtio-blk-pci,drive=inherited-disk-%d,id=inherited-disk-%d," \
  "bus=pci.0,addr=0x%x"


@pytest.mark.parametrize("words, extra, expected", [
  (["-drive", FIRST, "-drive", SECOND], "", [2, 4]),
  (["--drive", FIRST, "-usb", "-drive", SECOND], None, [2, 5]),
  (["-drive", "file=/cd,media=cdrom,if=virtio", "-drive", FIRST], "", [4]),
  (["-drive", FIRST, "-drive", "file=/x,if=virtio"],
   "-drive file=/x,if=virtio", [2]),
  (["-drive", FIRST, "-drive", "file=/x y,if=virtio"],
   "-drive 'file=/x y,if=virtio'", [2]),
  (["-drive", "file=/x,if=scsi", "-drive", "file=/x,if=ide"], "", []),
  (["-device", DEVICE % (0, 0, 12), "-drive", FIRST], "", [2, 4]),
  (["-device", "virtio-blk-pci,id=inherited-disk-0"], "", []),
  # not an option, but an option's argument
  (["-append", "-drive", FIRST.replace("if=virtio", "if=none")], "", []),
  ([], "", []),
  ])
def test_which_drives_are_disks_of_ganetis(words, extra, expected):
  assert inline_disks.find(["kvm"] + words, extra) == expected


@pytest.mark.parametrize("name", [
  name for name in genuine.NAMES if name.startswith("v2.9")])
def test_genuine_files_of_2_9_have_two_or_none_on_pci(name):
  words = genuine.load(name).words
  assert len(inline_disks.find(words, "")) == (0 if "scsi" in name else 2)


def test_none_is_found_where_disks_have_entries_of_their_own():
  for name in genuine.NAMES:
    if not name.startswith("v2.9"):
      assert inline_disks.find(genuine.load(name).words, "") == []


def test_a_disk_gets_a_device_and_its_drive_a_name():
  before = ["kvm", "-balloon", "virtio", "-drive", FIRST, "-usb", "-drive",
            SECOND]
  after = inline_disks.insert(before, [4, 7], [12, 14])
  assert after == [
    "kvm", "-device", DEVICE % (0, 0, 12), "-device", DEVICE % (1, 1, 14),
    "-balloon", "virtio",
    "-drive", FIRST.replace("if=virtio", "if=none") + ",id=inherited-disk-0",
    "-usb", "-drive", "file=/var/run/ganeti/vm1:1,format=raw,"
    "cache=none,if=none,id=inherited-disk-1"]
  assert [inline_disks.is_disk(o) for o in command.devices(after)] == [
    True, True, False]


def test_where_there_is_no_other_device_it_comes_last():
  assert inline_disks.insert(["kvm", "-drive", FIRST], [2], [8])[3:] == [
    "-device", DEVICE % (0, 0, 8)]


def test_a_comma_in_a_name_survives():
  after = inline_disks.insert(["kvm", "-drive", "file=/a,,b,if=virtio"], [2],
                              [8])
  assert after[2] == "file=/a,,b,if=none,id=inherited-disk-0"


def test_placed_again_they_move_and_keep_order_and_name():
  once = inline_disks.insert(["kvm", "-drive", FIRST, "-drive", SECOND], [2, 4],
                             [12, 13])
  again = inline_disks.insert(once, inline_disks.find(once, ""), [8, 9])
  assert again == [word.replace("addr=0xc", "addr=0x8").replace(
    "addr=0xd", "addr=0x9") for word in once]
  assert inline_disks.insert(again, inline_disks.find(again, ""),
                             [8, 9]) == again


def test_a_disk_keeps_its_drive_when_another_has_left():
  once = inline_disks.insert(["kvm", "-drive", FIRST, "-drive", SECOND], [2, 4],
                             [12, 13])
  assert once[6] == DEVICE % (0, 0, 12)
  del once[5:7]
  again = inline_disks.insert(once, inline_disks.find(once, ""), [8])
  assert again[5:] == ["-device", DEVICE % (1, 1, 8)]
