"""The IDE units of a q35 guest."""

import json

import pytest

from ganeti_kvm_pci.errors import BusFullError
from ganeti_kvm_pci.qemu import config_file
from ganeti_kvm_pci.qemu import ide_units

#: As Ganeti 3.1 writes them.
HD = "ide-hd,drive=disk-%d,write-cache=on"
CD = "ide-cd,drive=cdrom%d"


def disks(count):
  return [word for n in range(count) for word in ("-device", HD % n)]


def drives(count, more=",if=ide"):
  return [word for n in range(count)
          for word in ("-drive", "file=/d%d%s" % (n, more))]


def buses(words, configs=None):
  return [word.rpartition("bus=")[2] if "bus=" in word else None
          for word in ide_units.with_buses(["q"] + words, configs)
          if word.startswith("ide-")]


@pytest.mark.parametrize("words, expected", [
  ([], []),
  # alone, it stays where QEMU puts it
  (disks(1), [None]), (drives(5) + disks(1), [None]),
  (disks(2), ["ide.0", "ide.1"]),
  (["-device", CD % 1] + disks(5), ["ide.%d" % n for n in range(6)]),
  (drives(2) + disks(2), ["ide.2", "ide.3"]),
  (drives(2, "") + disks(2), ["ide.2", "ide.3"]),
  (drives(2, ",if=none") + disks(2), ["ide.0", "ide.1"]),
  (drives(1, ",index=1") + disks(2), ["ide.0", "ide.2"]),
  (drives(1, ",bus=1") + disks(2), ["ide.0", "ide.2"]),
  (drives(1, ",index=5") + disks(1), ["ide.0"]),
  (["-cdrom", "/c", "-hdb", "/b"] + disks(2), ["ide.0", "ide.3"]),
  (["-device", "ide-hd,drive=x,bus=ide.0"] + disks(2),
   ["ide.0", "ide.1", "ide.2"]),
  # on a controller of kvm_extra
  (["-device", "ide-hd,drive=x,bus=mine.0"] + disks(2),
   ["mine.0", "ide.0", "ide.1"]),
  ])
def test_what_names_no_bus_gets_one(words, expected):
  assert buses(words) == expected


def test_devices_in_json_and_in_files():
  assert json.loads(ide_units.with_buses(
    ["q", "-device", json.dumps({"driver": "ide-cd", "drive": "c"})] +
    disks(1))[2])["bus"] == "ide.1"
  files = {"f": [config_file.Section("drive", {"file": "/x", "if": "ide"})]}
  assert buses(["-readconfig", "f"] + disks(2), files) == ["ide.1", "ide.2"]


@pytest.mark.parametrize("words, refused", [
  (disks(7), "disk-6"), (drives(6) + disks(1), "disk-0"),
  (drives(7), "/d6"), (["-device", CD % 1, "-device", CD % 2] + disks(6),
                       "disk-4, disk-5")])
def test_a_seventh_is_refused_with_the_remedy(words, refused):
  with pytest.raises(BusFullError) as caught:
    ide_units.with_buses(["q"] + words)
  assert str(caught.value).startswith("no IDE unit is left for %s: a q35 guest"
                                      " has 6, held by: " % refused)
  assert "(ide.5); set disk_type to" in str(caught.value)


@pytest.mark.parametrize("words, says", [
  (["-drive", "if=ide,index=6,file=f"], "f names IDE index 6"),
  (["-drive", "file=f,id=own,bus=6"], "own names IDE bus 6"),
  (["-drive", "file=f,bus=0,unit=1"], "f names IDE unit 1"),
  (["-device", "ide-hd,drive=d,bus=ide.0,unit=1"],
   "d names unit 1 of ide.0")])
def test_a_unit_that_only_pc_has_is_refused(words, says):
  with pytest.raises(BusFullError) as caught:
    ide_units.with_buses(["kvm"] + words)
  assert str(caught.value).startswith(says + ": a q35 guest has 6 IDE buses")


@pytest.mark.parametrize("words", [
  ["-drive", "if=ide,index=5,unit=0,bus=0"], ["-drive", "if=floppy,index=7"],
  ["-device", "ide-hd,drive=d,bus=own.0,unit=1"],
  ["-device", "ide-hd,drive=d,bus=ide.6,unit=1"]])
def test_other_units_are_qemus_affair(words):
  assert ide_units.with_buses(["kvm"] + words) == ["kvm"] + words
