"""Names of machine types, and QEMU's list of them."""

import pytest

from ganeti_kvm_pci.qemu import config_file
from ganeti_kvm_pci.qemu import machine_type

HEADING = "Supported %s are:\n" % "machines"

# as printed: QEMU 7.2, 1.0, Ubuntu's 6.2, RHEL's 7.2, and 7.2 for ARM and POWER
QEMU = HEADING + """\
microvm              microvm (i386)
xenfv-4.2            Xen Fully-virtualized PC
xenfv                Xen Fully-virtualized PC (alias of xenfv-3.1)
pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)
pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996) (default)
pc-i440fx-1.4        Standard PC (i440FX + PIIX, 1996) (deprecated)
q35                  Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-7.2)
pc-q35-7.2           Standard PC (Q35 + ICH9, 2009)
"""
OLD = HEADING + """\
pc         Standard PC (alias of pc-1.0)
pc-1.0     Standard PC (default)
pc-0.14    Standard PC
our-pc     Standard PC (alias of pc-0.14)
isapc      ISA-only PC
"""
UBUNTU = HEADING + """\
ubuntu               Ubuntu 22.04 PC (i440FX + PIIX, 1996) (alias of pc-i440fx-jammy)
pc-i440fx-jammy      Ubuntu 22.04 PC (i440FX + PIIX, 1996) (default)
ubuntu-q35           Ubuntu 22.04 PC (Q35 + ICH9, 2009) (alias of pc-q35-jammy)
"""
RHEL = HEADING + """\
q35                  RHEL-8.6.0 PC (Q35 + ICH9, 2009) (alias of pc-q35-rhel8.6.0)
pc-q35-rhel8.6.0     RHEL-8.6.0 PC (Q35 + ICH9, 2009) (default)
"""
ARM = ("virt                 QEMU 7.2 ARM Virtual %s (alias of virt-7.2)\n" %
       "Machine")
POWER = ("pseries              pSeries Logical Partition (PAPR compliant)"
         " (alias of pseries-7.2)\n"
         "pseries-7.2          pSeries Logical Partition (PAPR compliant)"
         " (default)\n")


@pytest.mark.parametrize("words, name", [
  ([], None), (["-m", 128, "-smp", "2"], None),
  (["-machine", "pc-i440fx-7.2,accel=kvm"], "pc-i440fx-7.2"),
  (["-M", "q35"], "q35"), (["--machine", "q35"], "q35"), (["--M", "x"], "x"),
  (["-machine", "smm=on,type=q35"], "q35"), (["-machine", "type=q35"], "q35"),
  # the last type counts, and what has none only adds
  (["-machine", "pc", "-machine", "q35,smm=on"], "q35"),
  (["-M", "q35", "-machine", "type=pc"], "pc"),
  (["-machine", "pc,accel=kvm", "-machine", "smm=off"], "pc"),
  (["-machine", "q35", "-machine", "usb=off,type=pc", "-M", "hpet=off"], "pc"),
  (["-machine", ""], None), (["-machine"], None),
  # another option's argument is none of its own
  (["-name", "-machine"], None),
  ])
def test_the_last_type_counts(words, name):
  assert machine_type.named(["q"] + words) == name


@pytest.mark.parametrize("found, names", [
  ("i440fx", ["pc", "pc-i440fx-7.2", "pc-i440fx-2.10", "pc-i440fx-rhel7.6.0",
              "pc-i440fx-jammy-v2", "pc-0.10", "pc-0.14", "pc-1.0", "pc-1.3"]),
  ("q35", ["q35", "pc-q35-7.2", "pc-q35-4.0.1", "pc-q35-rhel8.6.0"]),
  ("other", ["isapc", "microvm", "none"]),
  (None, ["Q35", "PC", "ubuntu", "xenfv", "virt", "pseries", "pc-2.0",
          "pc-i440fx", "pc-", "rhel6.6.0", "", "xpc", "xq35"]),
  ])
def test_a_name_says_it_or_does_not(found, names):
  for name in names:
    assert machine_type.chipset(name) == found, name


@pytest.mark.parametrize("text, default, ours, express, others", [
  (QEMU, "pc-i440fx-7.2", ["pc", "pc-i440fx-1.4"], ["q35", "pc-q35-7.2"],
   ["xenfv", "xenfv-4.2", "microvm", "Q35", "virt"]),
  (OLD, "pc-1.0", ["pc", "our-pc", "pc-0.14"], ["q35"], ["isapc"]),
  (UBUNTU, "pc-i440fx-jammy", ["ubuntu"], ["ubuntu-q35"], []),
  (RHEL, "pc-q35-rhel8.6.0", [], ["q35", "pc-q35-rhel8.6.0"], []),
  (ARM, None, [], [], ["virt"]), (POWER, "pseries-7.2", [], [], ["pseries"]),
  ("", None, [], [], ["virt"]), ("no list at all\n", None, [], [], ["no"]),
  ])
def test_qemus_list_is_read(text, default, ours, express, others):
  listing = machine_type.Listing(text)
  assert listing.default == default
  for chipset, names in (("i440fx", ours), ("q35", express),
                         ("other", others)):
    assert [listing.chipset(name) for name in names] == [chipset] * len(names)


@pytest.mark.parametrize("words, sent", [
  ("", "-machine type=pc-i440fx-7.2"),
  ("-M pc", "-M pc-i440fx-7.2"),
  ("--M pc", "--M pc-i440fx-7.2"),
  ("--machine pc,accel=kvm,usb=off",
   "--machine pc-i440fx-7.2,accel=kvm,usb=off"),
  ("-machine type=pc,accel=kvm", "-machine pc-i440fx-7.2,accel=kvm"),
  ("-machine accel=kvm,type=pc", "-machine pc-i440fx-7.2,accel=kvm"),
  ("-machine pc,type=q35", "-machine pc-i440fx-7.2"),
  ("-machine pc,dump-guest-core,graphics=off",
   "-machine pc-i440fx-7.2,dump-guest-core,graphics=off"),
  ("-machine accel=kvm", "-machine accel=kvm -machine type=pc-i440fx-7.2"),
  # the last type counts, and what follows it stays
  ("-M q35 -machine accel=kvm -M pc,usb=on -machine hpet=off",
   "-M q35 -machine accel=kvm -M pc-i440fx-7.2,usb=on -machine hpet=off"),
  ("-machine smm=off,type=pc,firmware=/a,,b",
   "-machine pc-i440fx-7.2,smm=off,firmware=/a,,b"),
  ("-M pc-i440fx-5.2", "-M pc-i440fx-7.2"),
  ])
def test_the_type_is_replaced_and_all_else_stays(words, sent):
  words = ["kvm"] + words.split() + ["-m", 128]
  found = machine_type.with_type(words, "pc-i440fx-7.2")
  assert machine_type.named([str(word) for word in found]) == "pc-i440fx-7.2"
  expected = ["kvm"] + sent.split()
  tail = expected[-2:] if "type=pc-i440fx-7.2" in expected else []
  assert found == (expected[:-2] if tail else expected) + ["-m", 128] + tail
  # a second time adds nothing
  assert len(machine_type.with_type(found, "pc-i440fx-7.2")) == len(found)


def test_a_type_that_a_file_names_is_overruled():
  configs = {"/a": [config_file.Section("machine", {"type": "pc"})]}
  for words in (["kvm", "-readconfig", "/a"],
                ["kvm", "-M", "q35", "-readconfig", "/a"]):
    found = machine_type.with_type(words, "pc-i440fx-7.2", configs)
    assert machine_type.named(found, configs) == "pc-i440fx-7.2"
    assert found[-2:] == ["-machine", "type=pc-i440fx-7.2"]
  words = ["kvm", "-readconfig", "/a", "-M", "pc,usb=on"]
  assert machine_type.with_type(words, "pc-i440fx-7.2", configs) == \
    words[:-1] + ["pc-i440fx-7.2,usb=on"]


@pytest.mark.parametrize("name, found", [
  ("pc-i440fx-7.2-machine", "pc-i440fx-7.2"), ("pc-1.3-machine", "pc-1.3"),
  ("pc-q35-rhel8.6.0-machine", "pc-q35-rhel8.6.0"),
  ("none-machine", "none"), ("-machine", None), ("machine", None),
  ("container", None), ("", None)])
def test_the_object_model_tells_the_type(name, found):
  assert machine_type.of_class(name) == found


def test_the_list_says_what_is_there_and_what_will_not_be():
  listing = machine_type.Listing(QEMU)
  assert listing.has("pc") and listing.has("pc-i440fx-7.2")
  assert not listing.has("pc-i440fx-10.0")
  assert listing.meaning("pc") == listing.meaning(None) == "pc-i440fx-7.2"
  assert listing.meaning("q35") == "pc-q35-7.2"
  assert listing.meaning("microvm") == "microvm"
  assert listing.is_deprecated("pc-i440fx-1.4")
  assert not listing.is_deprecated("pc-i440fx-7.2")
  assert not listing.is_deprecated("pc-i440fx-10.0")
