"""Addresses that stand elsewhere than in a -device option."""

import json

import pytest

import genuine
from ganeti_kvm_pci import chipset
from ganeti_kvm_pci import config_reader
from ganeti_kvm_pci.bus import scsi_ids
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.qemu import config_file
from ganeti_kvm_pci.qemu import machine_type
from ganeti_kvm_pci.qemu import named_slots
from ganeti_kvm_pci.qemu import scsi_devices
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import layout
from ganeti_kvm_pci.runtime import serialized

RNG = ["-device", "virtio-rng-pci,id=r"]

CONFIG = """# comment
[%s]
  type = "q35"
[device "ehci"]
  driver = "ich9-usb-ehci1"
#  addr = "3"
  addr = "1d.7"
[device]
driver="virtio-rng-pci"
  nonsense
[global]
  driver = "virtio-balloon-pci"
  property = "addr"
  value = "0x1e"
[net]
  type = "nic"
  addr = "1f"
[chardev "c"]
  addr = "4"
  path = ""
""" % "machine"


def named(words, configs=None):
  """Return slot, name and origin of what a command names."""
  return [(o.address[0], o.id or o.driver, o.origin)
          for o in named_slots.addressed(["q"] + words, configs)]


@pytest.mark.parametrize("words, expected", [
  (RNG + ["-set", "device.r.addr=0x18"],
   [(24, "r", "-set device.r.addr=0x18")]),
  (RNG + ["--set", "device.r.addr=5", "-set", "device.r.addr=6"],
   [(6, "r", "-set device.r.addr=6")]),
  (["-device", "a,id=r,addr=3", "-set", "device.r.addr=6"],
   [(6, "r", "-set device.r.addr=6")]),
  (["-device", "a,id=r,addr=3", "-set", "device.r.bus=hp0"], []),
  (["-device", "a,id=r,addr=3", "-set", "device.r.rombar=0"],
   [(3, "r", None)]),
  (RNG + ["-set", "device.other.addr=6", "-set", "drive.r.addr=6", "-set", "x"],
   []),
  # QEMU knows no such device
  (["-device", '{"driver":"a","id":"r"}', "-set", "device.r.addr=6"], []),
  (RNG + ["-global", "virtio-rng-pci.addr=0x18"],
   [(24, "r", "-global virtio-rng-pci.addr=0x18")]),
  (["-device", "virtio-rng", "-global",
    "driver=virtio-rng-pci,property=addr,value=7"],
   [(7, "virtio-rng", "-global driver=virtio-rng-pci,property=addr,value=7")]),
  (["-device", "a,addr=3", "-global", "a.addr=4", "-global", "b.addr=5"],
   [(3, "a", None)]),
  (RNG + ["-global", "virtio-rng-pci.rombar=1"], []),
  (["-net", "nic,model=e1000,addr=0x19", "-net", "user"],
   [(25, "e1000", "-net nic,model=e1000,addr=0x19")]),
  (["--net", "addr=0000:00:19,type=nic"],
   [(25, "NIC", "--net addr=0000:00:19,type=nic")]),
  (["-net", "nic,addr=01:19"], []), (["-net", "nic"], []),
  (["-net", "user,addr=19"], []),
  (["-drive", "file=a,if=virtio,addr=0x9"],
   [(9, "virtio-blk-pci", "-drive file=a,if=virtio,addr=0x9")]),
  (["-drive", "file=a,if=none,addr=0x9"], []),
  (["-device", "a,bus=/i440FX-pcihost/pci.0,addr=0x18"], [(24, "a", None)]),
  (["-device", "a,bus=/i440FX-pcihost,addr=0x18"], [(24, "a", None)]),
  (["-device", "a,bus=pci.0/,addr=0x18"], [(24, "a", None)]),
  (["-device", "a,bus=/i440FX-pcihost/pci.0/hp0,addr=0x18"], []),
  (["-device", "a,bus=pci.01,addr=0x18"], []),
  ])
def test_whatever_names_a_slot_is_seen(words, expected):
  assert named(words) == expected


def test_a_file_is_read_like_the_command():
  configs = {"f": config_file.parse(CONFIG)}
  words = ["-readconfig", "f", "-device", "virtio-balloon"]
  origin = "-readconfig f"
  assert named(words, configs) == [
    (29, "ehci", origin), (30, "virtio-balloon", origin), (31, "NIC", origin)]
  assert named(words) == named(words, {"f": None}) == []
  assert [(o.position, o.driver, o.id) for o in command.devices(
    ["q"] + words, configs)] == [
      (None, "ich9-usb-ehci1", "ehci"), (None, "virtio-rng-pci", None),
      (4, "virtio-balloon", None)]
  assert named(words + ["-set", "device.ehci.addr=5"], configs)[0] == (
    5, "ehci", "-set device.ehci.addr=5")
  assert named_slots.taken(["q"] + words, configs)[29] == "ehci by " + origin
  assert named_slots.taken(["q", "-device", "a,addr=3"]) == {
    3: "a by kvm_extra"}


@pytest.mark.parametrize("words, name", [
  (["-M", "pc", "-readconfig", "f"], "q35"),
  (["-readconfig", "f", "-M", "pc"], "pc"), (["-readconfig", "g"], None)])
def test_a_file_may_name_the_machine_type(words, name):
  assert machine_type.named(["q"] + words,
                            {"f": config_file.parse(CONFIG), "g": None}) == name


def test_files_are_read_from_where_qemu_reads_them(tmpdir, monkeypatch):
  path = tmpdir.join("a.cfg")
  path.write(CONFIG)
  monkeypatch.setattr(config_reader, "_FOLDER", str(tmpdir))
  found = config_reader.read(["q", "-readconfig", "a.cfg", "--readconfig",
                              str(path), "-readconfig", "none", "-readconfig",
                              str(tmpdir), "-readconfig", "a\0b"])
  assert found["a.cfg"] == found[str(path)] == config_file.parse(CONFIG)
  assert set(name for name in found if found[name] is None) == set([
    "none", str(tmpdir), "a\0b"])
  assert "(q35) takes no disk" in chipset.obstacle(
    ["q", "-M", "pc", "-readconfig", "a.cfg"], {})
  # but not by the word of whoever wrote a runtime file
  assert chipset.obstacle(["q", "-M", "pc", "-readconfig", "a.cfg"], {},
                          False) is None
  path.write('[device "pci.0"]\n  driver = "pci-bridge"\n')
  assert "its bus pci.0 is a device" in chipset.obstacle(
    ["q", "-M", "pc", "-readconfig", "a.cfg"], {})


def test_a_runtime_file_has_them_unless_they_are_ganetis_by_now():
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[0] += ["-readconfig", "f"]
  loaded = serialized.parse(json.dumps(data), "f")
  own = device_table.DeviceTable(loaded).held()
  loaded.configs = {"f": config_file.parse(CONFIG)}
  added = set(device_table.DeviceTable(loaded).held()) - set(own)
  assert added == {29, 30, 31}
  # the file has been changed since
  taken = sorted(own)[0]
  loaded.configs = {"f": config_file.parse(
    '[device "late"]\n driver = "a"\n addr = "%x"\n' % taken)}
  assert device_table.DeviceTable(loaded).held() == own


def test_the_file_that_qemu_reads_by_itself_comes_first(tmpdir, monkeypatch):
  path = tmpdir.join("qemu.conf")
  monkeypatch.setattr(command, "DEFAULT_FILE", str(path))
  assert config_reader.read(["q"]) == {}
  path.write(CONFIG)
  words = ["q", "-M", "pc"]
  configs = config_reader.read(words)
  assert machine_type.named(["q"], configs) == "q35"
  assert machine_type.named(words, configs) == "pc"
  assert named_slots.taken(words, configs)[29] == "ehci by default of %s" % path
  assert config_reader.read(words + ["-no-user-config"]) == {}


def test_a_soft_reboot_goes_around_them():
  loaded = genuine.load("v3.0.2-plain")
  loaded.command += ["-readconfig", "f", "-device", "virtio-rng-pci,id=r", "-set",
                     "device.r.addr=0x18"]
  loaded.hvparams["kvm_extra"] = " ".join(loaded.command[-6:])
  loaded.configs = {"f": config_file.parse(
    '[device]\n driver = "virtio-rng-pci"\n addr = "0xc"\n')}
  layout.lay_out(loaded, (3, 0), 12)
  found = device_table.DeviceTable(loaded)
  assert found.slots(DISK)[0] == 13 and found.slots(NIC)[0] == 25
  assert found.held()[24] == "r" and found.held()[12] == "virtio-rng-pci"


@pytest.mark.parametrize("words", [
  ["-net", '{"type":"nic","addr":5}'],
  ["-machine", '{"type":["q35"]}'],
  ["-device", '{"driver":"scsi-hd","bus":["x"]}'],
  ["-device", '{"driver":"scsi-hd","scsi-id":1e999}'],
  ["-device", '{"driver":["x"],"id":{"a":1},"addr":[1]}'],
  ])
def test_what_qemu_would_refuse_is_no_error_here(words):
  words = ["kvm", "-name", "vm1"] + words
  assert named_slots.taken(words) == {}
  assert scsi_ids.cold_boot({"disk_type": "scsi-hd"},
                            scsi_devices.taken(words), 1) in ([0], [1])
  assert machine_type.named(words) is None
