"""Reading runtime files, genuine and broken."""

import copy
import io
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized

DATA = os.path.join(os.path.dirname(os.path.dirname(__file__)), "data")


def text_of(name):
  with io.open(os.path.join(DATA, name + ".runtime"), encoding="utf-8") as f:
    return f.read()


def parse(name):
  return device_table.parse(text_of(name), name)


def test_a_file_of_3_0():
  known = parse("v3.0.2-plain")
  assert known.instance == "plain.ex"
  assert str(known.partition) == "QEMU 0-11, disks 12-23, NICs 24-31"
  assert known.slots(DISK) == [12, 13]
  assert known.slots(NIC) == [14, 15]
  assert known.devices[0] == device_table.Device(
    12, DISK, 0, "disk-0000d150-0000-4000", "virtio-blk-pci")


def test_a_file_of_2_10_after_hotplug():
  known = parse("v2.10.8-hdaspice+hotplug")
  assert known.slots(DISK) == [7, 10]
  assert known.slots(NIC) == [9, 11]
  assert known.devices[1].id == "hotdisk-0000d152-pci-10"
  assert known.devices[1].driver == "virtio-blk-pci"
  assert known.held()[5] == "spice"
  # this version has no parameter for the partition
  assert known.partition.reservations == 8


def test_a_file_of_2_9_names_no_slots():
  known = parse("v2.9.6-plain")
  assert known.held() == {}
  assert [d.device_class for d in known.devices] == [NIC, NIC]


@pytest.mark.parametrize("nics, count", [
  ([], 0), ([{"mac": "aa"}], 1), ([{"hvinfo": None}, {"hvinfo": {}}], 2),
  ([{"pci": None, "hvinfo": None}, {"pci": 0}, {"pci": 9}], 1),
  ([{"hvinfo": {"id": "nic-1", "driver": "ne2k_isa"}}, {"pci": None}], 1)])
def test_nics_that_start_without_an_id_are_counted(nics, count):
  loaded = serialized.parse(text_of("v3.0.2-plain"), "file")
  loaded.nics[:] = nics
  assert device_table.unnamed_nics(loaded) == count


def test_scsi_disks_hold_no_slot():
  known = parse("v3.0.2-scsihd")
  assert known.slots(DISK) == []
  assert known.partition.disks is None


def test_fictitious_slots_of_ide_disks_are_none():
  data = json.loads(text_of("v3.0.2-plain"))
  data[2]["disk_type"] = "ide"
  data[0] += ["-device", "AC97,addr=0xc"]
  known = device_table.parse(json.dumps(data), "x")
  assert known.slots(DISK) == [] and known.held()[12] == "AC97"


def test_addresses_in_the_command_are_part_of_the_table():
  data = json.loads(text_of("v3.0.2-plain"))
  data[0] += ["-device", "virtio-rng-pci,bus=pci.0,addr=0x11"]
  known = device_table.parse(json.dumps(data), "x")
  assert known.held()[17] == "virtio-rng-pci"


def broken(change):
  data = json.loads(text_of("v3.0.2-plain"))
  change(data)
  return json.dumps(data)


def set_addr(value):
  return lambda data: data[3][1][0]["hvinfo"].update(addr=value)


@pytest.mark.parametrize("change, says", [
  (set_addr("0x20"), "disk 1: invalid PCI address"),
  (set_addr("0xzz"), "disk 1: invalid PCI address"),
  (set_addr(None), "disk 1: invalid PCI address None"),
  (set_addr(-1), "disk 1: invalid PCI address -1"),
  (set_addr("0xe"), "slot 14 is given to two devices, disk 1"),
  (lambda d: d[1].__setitem__(0, "nic"), "nic 0: a dict expected"),
  (lambda d: d[1][0].update(hvinfo=[]) or d[1][0].update(hvinfo="x"),
   "nic 0: hvinfo is no dict"),
  (lambda d: d[1][0].update(hvinfo={}, pci=32),
   "nic 0: invalid PCI address 32"),
  (lambda d: d[1][0].update(hvinfo={}, pci="4"), "nic 0: invalid PCI address"),
  (lambda d: d[2].update(kvm_pci_reservations="8"), "kvm_pci_reservations"),
  (lambda d: d.__setitem__(0, {}), "the command is no list"),
  (lambda d: d.__setitem__(1, None), "the NICs are no list"),
  (lambda d: d.__setitem__(2, []), "the parameters are no dict"),
  (lambda d: d.__setitem__(3, 7), "the disks are no list"),
  (lambda d: d[3].__setitem__(0, "disk"), "disk 0: [dict, link, uri]"),
  (lambda d: d.__delitem__(slice(2, None)), "a list of command"),
  ])
def test_what_is_invalid_is_one_clear_error(change, says):
  with pytest.raises(RuntimeFileError) as caught:
    device_table.parse(broken(change), "/conf/vm1.runtime")
  assert says in str(caught.value)
  assert str(caught.value).startswith("/conf/vm1.runtime: ")
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '"x"', "[1,2,3]",
                                  "[" * 100000, "\0"])
def test_what_is_no_runtime_file_is_one_clear_error(text):
  with pytest.raises(RuntimeFileError):
    device_table.parse(text, "f")


def test_a_truncated_file_is_one_clear_error_at_every_byte():
  text = text_of("v3.0.2-spice").rstrip()
  for length in range(len(text)):
    with pytest.raises(RuntimeFileError):
      device_table.parse(text[:length], "f")


JSON = st.recursive(
  st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
  lambda inner: st.lists(inner, max_size=4) |
  st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=12)


def _paths(value, path=()):
  yield path
  children = (value.items() if isinstance(value, dict) else
              enumerate(value) if isinstance(value, list) else ())
  for key, child in children:
    for found in _paths(child, path + (key, )):
      yield found


GENUINE = json.loads(text_of("v3.0.2-hdaspice"))
PATHS = sorted(_paths(GENUINE), key=str)[1:]


@given(st.sampled_from(PATHS), JSON)
def test_no_other_error_leaves_the_reader(path, value):
  data = copy.deepcopy(GENUINE)
  at = data
  for key in path[:-1]:
    at = at[key]
  at[path[-1]] = value
  try:
    device_table.parse(json.dumps(data), "f")
  except RuntimeFileError:
    pass
