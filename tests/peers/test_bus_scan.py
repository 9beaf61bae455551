"""Hotplug while the guest scans its bus, or removes a device and finds it.

"""

import pytest

from ganeti_kvm_pci import cooldown

from qemu_state import agree
from test_faults import id_of
from nodes import DISK, NIC
import nodes

pytestmark = [
  pytest.mark.usefixtures("patient"),
  pytest.mark.parametrize("which", ["plugin"], indirect=True)]

#: How often a disk and a NIC are added and removed.
TIMES = nodes.times("BUS_SCAN_TIMES", 10, 3)

#: What the guest runs until there is no C{/scan}.
_SCAN = ("(while [ -e /scan ]; do echo 1 > /sys/bus/pci/rescan;"
         " echo x >> /scanned; done)")


def pairs(node, name):
  """Read what the guest has of a type, name to PCI address."""
  return dict(word.split("=") for word in node.report()[name].split())


def removed_by_guest(node, name):
  """Have the guest remove the last device of a type, and scan for it."""
  address = sorted(pairs(node, name).items())[-1][1].split("/")[0]
  address = address.split("-")[-1]
  node.console("echo 1 > /sys/bus/pci/devices/%s/remove\n" % address)
  return address


@pytest.fixture
def scanning(booted):
  """Provide a node whose guest scans its bus all the time."""
  booted.console("touch /scan; %s > /dev/null 2>&1 &\n" % _SCAN)
  yield booted
  lines = booted.console("rm /scan; wc -l < /scanned; rm /scanned\n")
  print("scans: %s" % lines)
  assert int([line for line in lines if line.strip().isdigit()][0]) > TIMES


def test_devices_are_added_and_removed_while_the_guest_scans(scanning):
  before = agree(scanning).devices
  for number in range(4, 4 + TIMES):
    scanning.hot_add(DISK, number, 2)
    scanning.hot_add(NIC, number, 2)
    agree(scanning)
    scanning.wait_until_guest_sees(3, 3)
    scanning.hot_del(NIC, number, 2)
    scanning.hot_del(DISK, number, 2)
    assert agree(scanning).devices == before
    scanning.wait_until_guest_sees(2, 2)


def test_what_is_added_where_the_guest_was_slow_to_eject_stays(scanning,
                                                               monkeypatch):
  """The guest, which was asked several times, ejects several times."""
  scanning.console("for n in 1 2; do %s > /dev/null 2>&1 & done\n" % _SCAN)
  rests = []
  plain = cooldown.after
  monkeypatch.setattr(cooldown, "after", lambda *args: (
    rests.append(plain(*args)) or rests[-1]))
  before = agree(scanning).devices
  for number in range(4, 4 + max(TIMES, 10)):
    scanning.hot_add(DISK, number, 2)
    scanning.wait_until_guest_sees(3, 2)
    found = agree(scanning).devices
    assert set(found) - set(before) == set([id_of(DISK, number)])
    scanning.hot_del(DISK, number, 2)
  assert agree(scanning).devices == before
  if max(rests) <= cooldown.REST:
    pytest.skip("the guest was never slow")


@pytest.mark.parametrize("dev_type", [DISK, NIC], ids=["disk", "nic"])
@pytest.mark.parametrize("is_found", [True, False], ids=["found", "not found"])
def test_a_device_that_the_guest_itself_has_removed(booted, dev_type, is_found):
  """QEMU has it still: it is removed as any other."""
  before = agree(booted).devices
  booted.hot_add(dev_type, 4, 2)
  found = agree(booted).devices
  disks, nics = (3, 2) if dev_type == DISK else (2, 3)
  booted.wait_until_guest_sees(disks, nics)
  removed_by_guest(booted, "BLK" if dev_type == DISK else "NET")
  booted.wait_until_guest_sees(2, 2)
  assert agree(booted).devices == found
  if is_found:
    booted.console("echo 1 > /sys/bus/pci/rescan\n")
    booted.wait_until_guest_sees(disks, nics)
  booted.hot_del(dev_type, 4, 2)
  assert agree(booted).devices == before
  booted.wait_until_guest_sees(2, 2)


def test_another_is_added_while_the_guest_has_removed_one(booted):
  before = agree(booted).devices
  booted.hot_add(DISK, 4, 2)
  booted.wait_until_guest_sees(3, 2)
  removed_by_guest(booted, "BLK")
  # the event of the new one makes Linux look at all slots, or behind that port
  booted.hot_add(DISK, 5, 3)
  nodes.until(lambda: len(pairs(booted, "BLK")), lambda it: it >= 3)
  agree(booted)
  booted.hot_del(DISK, 4, 2)
  booted.hot_del(DISK, 5, 2)
  assert agree(booted).devices == before
