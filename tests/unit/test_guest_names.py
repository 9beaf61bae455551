"""What a guest calls its disks and NICs."""

import pytest

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.bus.root_ports import RootPorts
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qemu import guest_names


@pytest.mark.parametrize("number, expected", [
  (0, "a"), (25, "z"), (26, "aa"), (51, "az"), (52, "ba"), (701, "zz"),
  (702, "aaa")])
def test_letters(number, expected):
  assert guest_names.letters(number) == expected


def device(slot, name="", number=0x1001, function=0, vendor=0x1af4,
           bridge=None):
  made = {"slot": slot, "function": function, "qdev_id": name, "bus": 0,
          "class_info": {"class": 0x100}, "regions": [],
          "id": {"vendor": vendor, "device": number}}
  if bridge:
    beyond, devices = bridge
    made["pci_bridge"] = {"bus": {"number": 0, "secondary": beyond}}
    if devices is not None:
      made["pci_bridge"]["devices"] = devices
  return made


PC = [{"bus": 0, "devices": [
  device(9, "second"), device(8, "first"), device(24, "nic", 0x1000),
  device(10, "", 0x1042), device(3, "other", 0x1001, vendor=0x8086)]}]
Q35 = [{"bus": 0, "devices": [
  device(2, "rp4", 12, 1, 0x1b36, (2, [device(0, "on4")])),
  device(2, "rp3", 12, 0, 0x1b36, (5, [device(0, "on3", 0x1042)])),
  device(2, "rp5", 12, 2, 0x1b36, (6, None)), device(7, "own")]}]


def test_disks_are_in_the_order_of_linux():
  assert guest_names.virtio_disks(PC) == ["first", "second", None]
  # those of a bus come before those beyond its bridges
  assert guest_names.virtio_disks(Q35) == ["own", "on3", "on4"]


def test_addresses_are_the_guests():
  found = guest_names.addresses(PC)
  assert found["first"] == "0000:00:08.0" and found["nic"] == "0000:00:18.0"
  found = guest_names.addresses(Q35)
  assert (found["on3"], found["on4"], found["rp4"]) == (
    "0000:05:00.0", "0000:02:00.0", "0000:00:02.1")


@pytest.mark.parametrize("answer", [{}, [{"bus": 0}], [3]])
def test_a_reply_of_another_shape_is_an_error(answer):
  for ask in (guest_names.addresses, guest_names.virtio_disks):
    with pytest.raises(MonitorError):
      ask(answer)


def names(order, started, is_known=True):
  found = guest_names.DiskNames(order, started, is_known)
  return [(found.now(name), found.at_next_boot(name)) for name in order if name]


def test_nothing_changed_and_all_is_certain():
  assert names(["a", None, "b"], ["b", "a"]) == [
    (["vda"], "vda"), (["vdc"], "vdc")]


def test_a_hot_added_disk_is_the_next_letter_until_the_guest_boots():
  assert names(["new", "a", "b"], ["a", "b"]) == [
    (["vda", "vdc", "vdd"], "vda"), (["vda", "vdb"], "vdb"),
    (["vdb", "vdc"], "vdc")]


def test_a_hot_added_disk_has_no_certain_name():
  # one before it, hot-added as well, may have been removed: then it is vdd
  assert names(["a", "b", "new"], ["a", "b"])[2] == (["vdc", "vdd"], "vdc")


def test_the_order_of_several_is_not_known():
  found = names(["a", "x", "y"], ["a"])
  assert found == [(["vda"], "vda"), (["vdb", "vdc", "vdd"], "vdb"),
                   (["vdb", "vdc", "vdd"], "vdc")]


@pytest.mark.parametrize("started, is_known", [
  (["a", "gone"], True), (["a", "b"], False)])
def test_after_a_removal_or_migration_only_the_next_boot_is_known(started,
                                                                  is_known):
  assert names(["a", "b"], started, is_known) == [([], "vda"), ([], "vdb")]


def test_what_is_not_there_has_no_name():
  found = guest_names.DiskNames(["a"], ["a"], True)
  assert (found.now("x"), found.at_next_boot("x")) == ([], None)


@pytest.mark.parametrize("part, slot, index, address, expected", [
  (Partition(), 24, None, "0000:00:18.0", "ens24"),
  (Partition(), 24, 3, "0000:00:18.0", "eno3"),
  (RootPorts(list(range(3, 27))), 3, 1, "0000:05:00.0", "eno1"),
  (RootPorts(list(range(3, 27))), 3, 0, "0000:1a:00.0", "enp26s0"),
  (RootPorts(list(range(3, 27))), 3, None, None, None)])
def test_nics_have_systemds_names(part, slot, index, address, expected):
  assert guest_names.of_nic(part, slot, index, address) == expected
