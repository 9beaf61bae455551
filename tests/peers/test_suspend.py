"""Hotplug while a guest is suspended to its RAM (ACPI's S3)."""

import time

import pytest

from ganeti import errors

from qemu_state import Inventory, agree, run_state, tell
from test_faults import id_of, text_of
from nodes import DISK, NIC
import nodes

pytestmark = [
  pytest.mark.usefixtures("patient"),
  pytest.mark.parametrize("which", ["plugin"], indirect=True)]

S3 = {True: "-global PIIX4_PM.disable_s3=0",
      False: "-global ICH9-LPC.disable_s3=0"}[nodes.ON_PC]


def suspend(node):
  """Have the guest go to sleep."""
  assert "mem" in " ".join(node.console("cat /sys/power/state\n"))
  node.begin("echo mem > /sys/power/state")
  assert nodes.until(lambda: run_state(node), lambda it: it == "suspended",
                     nodes.PATIENCE) == "suspended"


def wake(node):
  tell(node, "system_wakeup")
  assert nodes.until(lambda: run_state(node), lambda it: it == "running",
                     nodes.PATIENCE) == "running"
  node.wait_for_guest()


@pytest.fixture
def sleeper(node, guest):
  node.start(kvm_extra=S3, **nodes.boot(guest))
  node.wait_for_guest()
  node.wait_for_ports()
  yield node


def in_use(node):
  """Let the guest read all its disks, which it can once it is awake."""
  lines = node.console(
    "for d in /dev/vd?; do head -c 4096 $d | wc -c; done\n")
  assert lines.count("4096") == len(agree(node).of(DISK)), lines


def test_what_is_added_to_a_sleeping_guest_is_there_when_it_wakes(sleeper):
  suspend(sleeper)
  sleeper.hot_add(DISK, 4, 2)
  sleeper.hot_add(NIC, 5, 2)
  found = agree(sleeper).devices
  assert run_state(sleeper) == "suspended"
  wake(sleeper)
  sleeper.wait_until_guest_sees(3, 3)
  assert agree(sleeper).devices == found
  in_use(sleeper)
  sleeper.hot_del(DISK, 4, 2)
  sleeper.hot_del(NIC, 5, 2)
  sleeper.wait_until_guest_sees(2, 2)
  agree(sleeper)


def test_what_is_removed_from_a_sleeping_guest_stays_until_it_wakes(
    sleeper, monkeypatch):
  sleeper.hot_add(DISK, 4, 2)
  sleeper.hot_add(NIC, 5, 2)
  sleeper.wait_until_guest_sees(3, 3)
  found = agree(sleeper).devices
  suspend(sleeper)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "2")
  begun = time.time()
  for dev_type, number in ((DISK, 4), (NIC, 5)):
    with pytest.raises(errors.HotplugError) as caught:
      sleeper.hot_del(dev_type, number, 2)
    text = text_of(caught)
    assert "timed out after 2 s" in text and id_of(dev_type, number) in text
  assert time.time() - begun < 20
  assert agree(sleeper).devices == found
  assert run_state(sleeper) == "suspended"
  wake(sleeper)
  # the guest completes both; what it is asked again is done
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", str(nodes.PATIENCE))
  sleeper.hot_del(DISK, 4, 2)
  sleeper.wait_until_guest_sees(2, 2)
  wanted = nodes.until(lambda: Inventory(sleeper).devices,
                       lambda found: id_of(NIC, 5) not in found)
  # the next operation takes what was completed late out of the runtime file
  sleeper.hot_add(DISK, 6, 2)
  found = agree(sleeper).devices
  assert set(found) - set(wanted) == set([id_of(DISK, 6)])
  assert len(wanted) == 4
  sleeper.wait_until_guest_sees(3, 2)
  in_use(sleeper)


def test_what_was_added_before_is_there_after_it_slept_twice(sleeper):
  sleeper.hot_add(DISK, 4, 2)
  sleeper.hot_add(NIC, 5, 2)
  sleeper.wait_until_guest_sees(3, 3)
  for _ in range(2):
    suspend(sleeper)
    wake(sleeper)
    sleeper.wait_until_guest_sees(3, 3)
  in_use(sleeper)
  sleeper.hot_del(DISK, 4, 2)
  sleeper.hot_del(NIC, 5, 2)
  sleeper.hot_add(DISK, 6, 2)
  sleeper.wait_until_guest_sees(3, 2)
  assert id_of(DISK, 6) in agree(sleeper).devices


def test_a_sleeping_guest_is_reset_after_a_hotplug(sleeper, monkeypatch):
  suspend(sleeper)
  sleeper.hot_add(DISK, 4, 2)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "1")
  with pytest.raises(errors.HotplugError):
    sleeper.hot_del(NIC, 1, 1)
  tell(sleeper, "system_reset")
  # QEMU (7.2) waits before the boot of what was suspended
  assert nodes.until(lambda: run_state(sleeper), lambda it: it != "suspended",
                     nodes.PATIENCE) in ("running", "prelaunch")
  tell(sleeper, "cont")
  sleeper.wait_until_guest_sees(3, 2 if sleeper.has_native_hotplug() else 1)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", str(nodes.PATIENCE))
  if not sleeper.has_native_hotplug():
    assert id_of(NIC, 1) not in Inventory(sleeper).devices
    sleeper.hot_del(NIC, 1, 1)
  agree(sleeper)
