"""Names of machine types, and QEMU's list of them."""

import pytest

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
