"""The text of a runtime file as data, and back."""

import json
import re
import sys

import pytest

import genuine
from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized

PLAIN = genuine.text_of("v3.0.2-plain")


@pytest.mark.parametrize("name", genuine.NAMES)
def test_every_genuine_file_is_read_and_written_back_as_it_was(name):
  text = genuine.text_of(name)
  loaded = serialized.parse(text, name)
  assert loaded.unknown == []
  assert loaded.entries == (3 if name.startswith("v2.9.6") else 4)
  written = loaded.dump()
  assert json.loads(written) == json.loads(text)
  assert serialized.parse(written, name).dump() == written
  assert device_table.DeviceTable(loaded).devices == \
    device_table.parse(written, name).devices


def test_there_are_ninety_of_them():
  assert len(genuine.NAMES) == 90


@pytest.mark.parametrize("name", ["v3.1.1-spice", "v3.0.2-hdaspice+hotplug"])
def test_the_order_of_all_keys_is_kept(name):
  loaded = serialized.parse(genuine.text_of(name), name)
  assert loaded.dump() == json.dumps(json.loads(
    genuine.text_of(name), object_pairs_hook=serialized._Dict)) + "\n"


def test_numbers_in_the_command_stay_numbers_in_the_file():
  loaded = serialized.parse(PLAIN, "f")
  at = loaded.command.index("-m") + 1
  assert loaded.command[at] == 192 and loaded.words[at] == "192"
  assert '"-m", 192, ' in loaded.dump()


REMEDY = "; a cold boot (shutdown and start) writes the file anew"


@pytest.mark.parametrize("name", ["v2.9.6-spice", "v2.10.2-hdaspicescsi",
                                  "v3.1.1-hdaspice+hotplug"])
def test_a_genuine_file_cut_at_any_byte_is_one_clear_error(name):
  text = genuine.text_of(name).rstrip()
  for length in range(len(text)):
    with pytest.raises(RuntimeFileError) as caught:
      serialized.parse(text[:length], "/conf/vm1.runtime")
    said = str(caught.value)
    assert said.startswith("/conf/vm1.runtime: not a runtime file")
    assert said.endswith(REMEDY) and "\n" not in said


def changed(change):
  data = json.loads(PLAIN)
  change(data)
  return json.dumps(data)


def hvinfo(**keys):
  return lambda data: data[3][0][0]["hvinfo"].update(
    (key.replace("_", "-"), value) for key, value in keys.items())


def pci(value):
  def change(data):
    del data[1][1]["hvinfo"]
    data[1][1]["pci"] = value
  return change


BAD = {
  "nothing": ("", "JSON expected"),
  "blanks": (" \n", "JSON expected"),
  "a word": ("runtime", "JSON expected"),
  "more after it": (PLAIN + "[]", "JSON expected"),
  "NaN": (PLAIN.replace("192", "NaN"), "NaN is no number"),
  "infinity": (PLAIN.replace("192", "-Infinity"), "-Infinity is no number"),
  "1e999": (PLAIN.replace("192", "1e999"), "1e999 is too large"),
  "-1e999": (PLAIN.replace("192", "-1e999"), "-1e999 is too large"),
  "a key twice": (PLAIN.replace('"vga": ""', '"vga": "", "vga": "qxl"'),
                  "a key stands twice"),
  "nested": ("[" * 100000, "JSON expected"),
  "dict": ("{}", "a list of command, NICs, parameters and disks expected"),
  "two entries": ("[[], []]", "a list of command"),
  "no command": (changed(lambda d: d.__setitem__(0, [])),
                 "the command is empty"),
  "command of lists": (changed(lambda d: d[0].append(["x"])),
                       "of the command is no text"),
  "command of bools": (changed(lambda d: d[0].insert(0, True)),
                       "word 0 of the command is no text"),
  "command of floats": (changed(lambda d: d[0].insert(0, 1.5)),
                        "word 0 of the command is no text"),
  "disk type": (changed(lambda d: d[2].update(disk_type=["scsi-hd"])),
                "the parameter disk_type is no text"),
  "null nic type": (changed(lambda d: d[2].update(nic_type=None)),
                    "the parameter nic_type is no text"),
  "kvm_extra": (changed(lambda d: d[2].update(kvm_extra=7)),
                "the parameter kvm_extra is no text"),
  "reservations": (changed(lambda d: d[2].update(kvm_pci_reservations="12")),
                   "kvm_pci_reservations must be a number"),
  "reservations of 33": (changed(lambda d: d[2].update(
    kvm_pci_reservations=33)), "kvm_pci_reservations must be a number"),
  "uuid": (changed(lambda d: d[3][0][0].update(uuid=5)),
           "disk 0: uuid is no text"),
  "disk without uuid": (changed(lambda d: d[3][0][0].pop("uuid")),
                        "disk 0: no uuid"),
  "mac": (changed(lambda d: d[1][1].update(mac=[])), "nic 1: mac is no text"),
  "two of a disk": (changed(lambda d: d[3][1].pop()), "disk 1: [dict, link"),
  "link": (changed(lambda d: d[3][1].__setitem__(1, 5)),
           "disk 1: link is no text"),
  "slot -1": (changed(pci(-1)), "nic 1: invalid PCI address -1"),
  "slot 32": (changed(pci(32)), "nic 1: invalid PCI address 32"),
  "slot true": (changed(pci(True)), "nic 1: invalid PCI address True"),
  "slot 8.0": (changed(pci(8.0)), "nic 1: invalid PCI address 8.0"),
  "slot in words": (changed(pci("8")), "nic 1: invalid PCI address"),
  "addr 0xzz": (changed(hvinfo(addr="0xzz")), "disk 0: invalid PCI address"),
  "addr -0x1": (changed(hvinfo(addr="-0x1")), "disk 0: invalid PCI address"),
  "addr 0x20": (changed(hvinfo(addr="0x20")), "disk 0: invalid PCI address"),
  "addr of a number": (changed(hvinfo(addr=12)), "disk 0: invalid PCI address"),
  "addr with a line": (changed(hvinfo(addr="0xc\n0xd")),
                       "disk 0: invalid PCI address"),
  "no addr": (changed(lambda d: d[3][0][0]["hvinfo"].pop("addr")),
              "disk 0: invalid PCI address None"),
  "driver": (changed(hvinfo(driver=None)), "disk 0: driver is no text"),
  "bus": (changed(hvinfo(bus=["pci.0"])), "disk 0: bus is no text"),
  "lun": (changed(hvinfo(lun="0")), "disk 0: lun is no number"),
  "scsi-id": (changed(hvinfo(scsi_id=True)), "disk 0: scsi-id is no number"),
  "addr with an end of line": (changed(hvinfo(addr="0xc\n")),
                               "disk 0: invalid PCI address"),
  "addr on another bus": (changed(hvinfo(bus="pcie.0", addr="0x1,x=y")),
                          "disk 0: invalid PCI address"),
  "id of two": (changed(hvinfo(
    id="hotdisk-000000d5-pci-9,romfile=/etc/shadow")),
                "'hotdisk-000000d5-pci-9,romfile=/etc/shadow' is no"
                " id"),
  "driver of two": (changed(hvinfo(driver="virtio-blk-pci,romfile=/x")),
                    "is no driver"),
  "bus of two": (changed(hvinfo(bus="pci.0,romfile=/x")), "is no bus"),
  "id of a dict": (changed(hvinfo(id='{"driver":"x"}')), "is no id"),
  "id of a tab": (changed(hvinfo(id="disk-1\t")), "is no id"),
  "unknown key of two": (changed(hvinfo(x="on,romfile=/x")), "is no option"),
  "unknown key": (changed(lambda d: d[1][0]["hvinfo"].update({"a,b": "on"})),
                  "is no option"),
  "unknown list": (changed(hvinfo(x=["on", "off"])), "is no option"),
  "uuid of two": (changed(lambda d: d[3][0][0].update(uuid="a,b")),
                  "'a,b' is no uuid"),
  "mac of two": (changed(lambda d: d[1][0].update(
    mac="aa:00:00:00:00:00,romfile=/x")), "is no mac"),
  "link of two": (changed(lambda d: d[3][0].__setitem__(1, "/x,if=ide")),
                  "is no link"),
  "uri of two lines": (changed(lambda d: d[3][0].__setitem__(2, "rbd:x\nq")),
                       "is no uri"),
  "disk type of two": (changed(lambda d: d[2].update(
    disk_type="scsi-hd,romfile=/x")), "the parameter disk_type is no word"),
  "cache of two": (changed(lambda d: d[2].update(disk_cache="none,file=/x")),
                   "the parameter disk_cache is no word"),
  "cache as a list": (changed(lambda d: d[2].update(disk_cache=[1, 2])),
                      "the parameter disk_cache is no word"),
  "two on one slot": (changed(hvinfo(addr="0xd")),
                      "slot 13 is given to two devices"),
  }


@pytest.mark.parametrize("case", sorted(BAD))
def test_what_is_invalid_is_one_clear_error(case):
  text, says = BAD[case]
  with pytest.raises(RuntimeFileError) as caught:
    device_table.parse(text, "/conf/vm1.runtime")
  said = str(caught.value)
  assert said.startswith("/conf/vm1.runtime: ") and says in said
  assert "\n" not in said and said.endswith((
    REMEDY, "; set it right, then shut the instance down and start it"))


def test_an_error_is_one_line_whatever_it_quotes():
  data = json.loads(PLAIN)
  data[0] += ["-device", u"a\nb\u00e9\ud800,addr=0xc"]
  for entry in data[3]:
    entry[0]["hvinfo"].update(addr="0xc")
  for change in ({}, {"id": u"a\nb\u00e9\ud800"}):
    data[3][0][0]["hvinfo"].update(change)
    with pytest.raises(RuntimeFileError) as caught:
      device_table.parse(json.dumps(data), "f")
    assert "\n" not in str(caught.value)


def test_a_uri_may_have_commas():
  """A storage provider's own, from the configuration."""
  uri = "rbd:pool/image:conf=/etc/ceph.conf,cache=none"
  text = changed(lambda d: d[3][0].__setitem__(2, uri))
  assert serialized.parse(text, "f").disks[0][2] == uri


@pytest.mark.parametrize("change, unknown", [
  (lambda d: d.append("more"), ["entry 5"]),
  (lambda d: d[1][0].update(vlan=5), ["vlan of nic 0"]),
  (lambda d: d[3][1][0].update(pcie=5), ["pcie of disk 1"]),
  (hvinfo(multifunction="on"), ["multifunction in hvinfo of disk 0"]),
  ])
def test_what_no_ganeti_writes_is_named_and_written_back(change, unknown):
  text = changed(change)
  loaded = serialized.parse(text, "f")
  assert loaded.unknown == unknown
  assert json.loads(loaded.dump()) == json.loads(text)


def test_parameters_of_a_sites_own_are_no_concern():
  text = changed(lambda d: d[2].update(our_own={"x": [1.25, None]}))
  loaded = serialized.parse(text, "f")
  assert loaded.unknown == []
  assert json.loads(loaded.dump()) == json.loads(text)


def test_what_is_nested_too_deeply_is_one_clear_error():
  limit = sys.getrecursionlimit()
  deepest = 0
  for depth in list(range(limit - 200, limit)) + [100 * limit]:
    text = PLAIN.replace('"nicparams": {',
                         '"nicparams": {"x": %s, ' % ("[" * depth +
                                                      "]" * depth), 1)
    try:
      written = serialized.parse(text, "f").dump()
    except RuntimeFileError as err:
      # the second since Python 3.14
      assert re.search("recursion|Stack overflow|nested too deeply", str(err))
      continue
    assert json.loads(written) == json.loads(text)
    deepest = depth
  assert 0 < deepest < 100 * limit


NEW_KEYS = {
  "num-queues": 4, "acpi-index": 3, "iothread": "iothread0",
  "iothread-vq-mapping": [{"iothread": "iothread0"},
                          {"iothread": "iothread1", "vqs": [0, 2]}],
  }


def with_keys(keys, role=""):
  """A runtime file of which the first disk has more keys."""
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[3][0][0]["hvinfo"].update(keys)
  data[3][0][0]["role"] = role
  return json.dumps(data)


def test_the_keys_of_queues_and_iothreads_are_known_and_kept():
  loaded = serialized.parse(with_keys(NEW_KEYS, "firmware"), "f")
  assert loaded.unknown == []
  disk = json.loads(loaded.dump())[3][0][0]
  assert disk["role"] == "firmware"
  assert dict(disk["hvinfo"], **NEW_KEYS) == disk["hvinfo"]


@pytest.mark.parametrize("key, value", [
  ("num-queues", "4"), ("num-queues", True), ("acpi-index", [1]),
  ("iothread", "a,b"), ("iothread", 0), ("iothread-vq-mapping", "iothread0"),
  ("iothread-vq-mapping", []), ("iothread-vq-mapping", ["iothread0"]),
  ("iothread-vq-mapping", [{"vqs": [1]}]),
  ("iothread-vq-mapping", [{"iothread": "a,b"}]),
  ("iothread-vq-mapping", [{"iothread": "a", "vqs": ["0"]}]),
  ("iothread-vq-mapping", [{"iothread": "a", "vqs": 1}]),
  ("iothread-vq-mapping", [{"iothread": "a", "other": 1}])])
def test_a_malformed_new_key_is_refused(key, value):
  with pytest.raises(RuntimeFileError) as caught:
    serialized.parse(with_keys({key: value}), "f")
  assert "iothread" in str(caught.value) or key in str(caught.value)


@pytest.mark.parametrize("role", [1, "a,b", ["x"]])
def test_a_malformed_role_is_refused(role):
  with pytest.raises(RuntimeFileError):
    serialized.parse(with_keys({}, role), "f")
