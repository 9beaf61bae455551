"""SCSI ids."""

import pytest

from ganeti_kvm_pci.bus import scsi_ids
from ganeti_kvm_pci.errors import BusFullError
from ganeti_kvm_pci.qemu import creation_order
from ganeti_kvm_pci.qemu import scsi_devices

LSI = {"scsi_controller_type": "lsi", "disk_type": "scsi-hd"}
VIRTIO = {"scsi_controller_type": "virtio-scsi-pci"}


@pytest.mark.parametrize("own, held, index, expected", [
  ([], [], None, 0),
  ([0, 1], [0, 1], None, 2),
  ([0, 1], [0, 1], 2, 2),
  # an implicit CD-ROM has the first
  ([1, 2], [0, 1, 2], None, 3),
  # a hole is filled only where nothing above is free
  ([0, 2], [0, 2], None, 3),
  ([0, 7], [0, 7], None, 6),
  # inserted in the midst, where there is room between the neighbours
  ([0, 4], [0, 4], 1, 1),
  ([0, 4], [0, 1, 2, 3, 4], 1, 5),
  ([3, 4], [0, 3, 4], 0, 1),
  ])
def test_hot_add(own, held, index, expected):
  assert scsi_ids.hot_add(LSI, own, dict.fromkeys(held, "x"), index) == expected


def test_a_full_controller_is_one_clear_error():
  held = dict((number, "disk-%d" % number) for number in range(8))
  with pytest.raises(BusFullError) as caught:
    scsi_ids.hot_add(LSI, list(held), held)
  for part in ("lsi", "has 8", "7 disk-7", "virtio-scsi-pci"):
    assert part in str(caught.value)
  assert scsi_ids.hot_add(VIRTIO, list(held), held) == 8


def test_a_controllers_own_id_is_not_given_to_what_is_hot_added():
  held = dict((number, "disk-%d" % number) for number in range(7))
  with pytest.raises(BusFullError) as caught:
    scsi_ids.hot_add(LSI, list(held), held)
  assert "7 the controller itself" in str(caught.value)
  # as many start on unmodified Ganeti
  assert scsi_ids.cold_boot(LSI, {}, 8) == list(range(8))


def test_cold_boot_goes_around_what_the_command_has():
  command = ["kvm", "-device", "scsi-cd,drive=a", "-device",
             "scsi-hd,scsi-id=2,drive=b", "-device", "scsi-cd,bus=other.0"]
  assert scsi_ids.cold_boot(LSI, scsi_devices.taken(command), 3) == [1, 3, 4]
  with pytest.raises(BusFullError):
    scsi_ids.cold_boot(LSI, scsi_devices.taken(command), 7)


def extra(*options):
  command = ["kvm", "-device", "virtio-scsi-pci,id=scsi"]
  for option in options:
    command += ["-device", option]
  return command


@pytest.mark.parametrize("options, expected", [
  (["scsi-cd", "scsi-hd,bus=scsi.0,scsi-id=5"], [0, 5]),
  # of two buses with this name, Ganeti's disks come to the later
  (["scsi-cd", "virtio-scsi-pci", "scsi-hd,bus=scsi.0,scsi-id=5"], [5]),
  (["scsi-cd,bus=scsi.0", "lsi"], []),
  # a third has another name, but is the one for what names none
  (["megasas", "scsi-hd,scsi-id=3", "virtio-scsi-pci", "scsi-cd",
    "scsi-cd,bus=scsi.1,scsi-id=4", "scsi-cd,bus=scsi.0"], [0, 3]),
  (["virtio-scsi-pci,id=more", "scsi-cd", "scsi-hd,bus=more.0,scsi-id=2",
    "scsi-hd,bus=scsi.0,scsi-id=7"], [7]),
  # created after Ganeti's disks
  (["scsi-hd,scsi-id=1", '{"driver":"virtio-scsi-pci"}',
    '{"driver":"scsi-hd","bus":"scsi.0","scsi-id":6}'], [1]),
  ])
def test_ids_of_another_controller_are_free(options, expected):
  assert sorted(scsi_devices.taken(extra(*options))) == expected


OURS = '{"driver":"virtio-scsi-pci","id":"scsi"}'


@pytest.mark.parametrize("options, in_words", [
  (["scsi-cd"], True),
  (["virtio-rng-pci", "scsi-cd", "virtio-scsi-pci",
    "scsi-hd,bus=scsi.0,scsi-id=5"], True),
  # QEMU starts with these
  ([], False), (["virtio-rng-pci"], False), (["lsi", "scsi-cd"], False),
  (['{"driver":"scsi-cd"}'], False)])
def test_a_controller_in_json_is_not_too_late(options, in_words):
  """Ganeti's stands before what kvm_extra has, and QEMU creates it after."""
  words = extra(*options)
  command = words[:2] + [OURS] + words[3:]
  found = scsi_devices.controllers_in_words(command)
  assert found == (words if in_words else command)
  if in_words:
    assert scsi_devices.taken(command) == scsi_devices.taken(words)
    assert creation_order.addressed_first(command, len(command)) == words


def test_a_controller_that_words_cannot_describe_stays_in_json():
  command = ["kvm", "-device", OURS[:-1] + ',"iothread-vq-mapping":[]}',
             "-device", "scsi-cd"]
  assert scsi_devices.controllers_in_words(command) == command
