"""Hotplug while a guest is suspended to its RAM (ACPI's S3).

QEMU goes through a reset when it wakes up, at which the bus forgets what the
guest was to be told.

"""

import os
import time

import pytest

from ganeti import errors

from ganeti_kvm_pci import qemu_version

from qemu_state import Inventory, agree, run_state, tell
from test_faults import id_of, text_of
from test_meanwhile import boot
from nodes import DISK, NIC
import nodes

pytestmark = pytest.mark.usefixtures("patient")

PLUGIN = pytest.mark.parametrize("which", ["plugin"], indirect=True)
UNMODIFIED = pytest.mark.parametrize("which", ["unmodified"], indirect=True)

S3 = {True: "-global PIIX4_PM.disable_s3=0",
      False: "-global ICH9-LPC.disable_s3=0"}[nodes.ON_PC]

#: How often a guest can sleep. With q35 it wakes up at once the second time, on
#: bare QEMU as well (7.2).
NIGHTS = 2 if nodes.ON_PC else 1


def suspend(node):
  """Have the guest go to sleep."""
  assert "mem" in " ".join(node.console("cat /sys/power/state\n"))
  node.begin("echo mem > /sys/power/state")
  assert nodes.until(lambda: run_state(node), lambda it: it == "suspended",
                     nodes.PATIENCE) == "suspended"


def wake(node):
  """Have it wake up; it goes on where it was."""
  tell(node, "system_wakeup")
  assert nodes.until(lambda: run_state(node), lambda it: it == "running",
                     nodes.PATIENCE) == "running"
  node.wait_for_guest()
  assert boot(node) == node.before


@pytest.fixture
def sleeper(node, guest):
  node.start(kvm_extra=S3, **dict(nodes.boot(guest), kernel_path=os.path.join(
    guest, "bzImage")))
  node.wait_for_guest()
  node.wait_for_ports()
  node.before = boot(node)
  yield node


def in_use(node):
  """Let the guest read all its disks, which it can once it is awake."""
  lines = node.console(
    "for d in /dev/vd?; do head -c 4096 $d | wc -c; done\n")
  assert lines.count("4096") == len(agree(node).of(DISK)), lines


def boot_if_needed(node):
  """Have a guest that slept take hotplug again: with q35 it boots for that.

  Bare QEMU tells a q35 guest of nothing any more once it has slept (7.2).

  """
  if nodes.ON_PC:
    return
  tell(node, "system_reset")
  node.wait_for_guest()
  assert boot(node) != node.before
  node.wait_for_ports()


@PLUGIN
def test_a_sleeping_guest_keeps_its_devices(sleeper):
  sleeper.hot_add(DISK, 4, 2)
  sleeper.hot_add(NIC, 5, 2)
  sleeper.wait_until_guest_sees(3, 3)
  found = agree(sleeper).devices
  suspend(sleeper)
  for change in (lambda: sleeper.hot_add(DISK, 6, 3),
                 lambda: sleeper.hot_add(NIC, 7, 3),
                 lambda: sleeper.hot_del(DISK, 4, 2),
                 lambda: sleeper.hot_del(NIC, 5, 2),
                 # asked before Ganeti changes anything
                 lambda: sleeper.hyper.HotplugSupported(sleeper.instance)):
    begun = time.time()
    with pytest.raises(errors.HotplugError) as caught:
      change()
    assert time.time() - begun < nodes.PATIENCE # nothing was waited for
    for words in (nodes.NAME, "suspended (S3)", "system_wakeup"):
      assert words in text_of(caught)
  assert run_state(sleeper) == "suspended"
  wake(sleeper)
  assert agree(sleeper).devices == found
  in_use(sleeper)
  sleeper.hyper.HotplugSupported(sleeper.instance)
  boot_if_needed(sleeper)
  sleeper.hot_del(DISK, 4, 2)
  sleeper.hot_del(NIC, 5, 2)
  sleeper.hot_add(DISK, 6, 2)
  sleeper.hot_add(NIC, 7, 2)
  sleeper.wait_until_guest_sees(3, 3)
  assert set([id_of(DISK, 6), id_of(NIC, 7)]) < set(agree(sleeper).devices)
  in_use(sleeper)


@PLUGIN
def test_what_was_added_before_is_there_after_it_slept(sleeper):
  sleeper.hot_add(DISK, 4, 2)
  sleeper.hot_add(NIC, 5, 2)
  sleeper.wait_until_guest_sees(3, 3)
  for _ in range(NIGHTS):
    suspend(sleeper)
    wake(sleeper)
    sleeper.wait_until_guest_sees(3, 3)
  in_use(sleeper)
  boot_if_needed(sleeper)
  sleeper.hot_del(DISK, 4, 2)
  sleeper.hot_del(NIC, 5, 2)
  sleeper.hot_add(DISK, 6, 2)
  sleeper.wait_until_guest_sees(3, 2)
  assert id_of(DISK, 6) in agree(sleeper).devices


@PLUGIN
def test_a_reset_wakes_it_up_as_well(sleeper):
  suspend(sleeper)
  with pytest.raises(errors.HotplugError):
    sleeper.hot_add(DISK, 4, 2)
  tell(sleeper, "system_reset")
  # QEMU (7.2) waits before what was suspended goes on
  assert nodes.until(lambda: run_state(sleeper), lambda it: it != "suspended",
                     nodes.PATIENCE) in ("running", "prelaunch")
  tell(sleeper, "cont")
  sleeper.wait_until_guest_sees(2, 2)
  assert boot(sleeper) == sleeper.before
  boot_if_needed(sleeper)
  sleeper.hot_add(DISK, 4, 2)
  sleeper.wait_until_guest_sees(3, 2)
  sleeper.hot_del(NIC, 1, 1)
  sleeper.wait_until_guest_sees(3, 1)
  agree(sleeper)


@PLUGIN
def test_a_sleeping_guest_that_is_stopped_says_so_up_to_qemu_8(sleeper):
  suspend(sleeper)
  tell(sleeper, "stop")
  if (qemu_version.version(nodes.QEMU) or (0, 0)) >= (9, 0):
    # nothing tells it from another one that is paused
    assert run_state(sleeper) == "paused"
    tell(sleeper, "cont")
  assert run_state(sleeper) == "suspended"
  with pytest.raises(errors.HotplugError):
    sleeper.hot_add(DISK, 4, 2)
  wake(sleeper)
  agree(sleeper)


def seen(node):
  """Count the guest's disks and NICs, once five seconds of its own are over."""
  for _ in range(5): # it reports once a second
    report = node.report()
  return len(report["BLK"].split()), len(report["NET"].split())


@UNMODIFIED
def test_why_unmodified_a_sleeping_guest_does_not_see_what_is_added(sleeper):
  suspend(sleeper)
  sleeper.hot_add(DISK, 4, 2)
  wake(sleeper)
  assert id_of(DISK, 4) in Inventory(sleeper).devices
  assert seen(sleeper) == (2, 2)
  # the next has it look at the whole bus
  sleeper.hot_add(NIC, 5, 2)
  sleeper.wait_until_guest_sees(3, 3)


@UNMODIFIED
def test_why_unmodified_a_sleeping_guest_loses_what_it_has_in_use(sleeper):
  suspend(sleeper)
  with pytest.raises(errors.HypervisorError):
    sleeper.hot_del(DISK, 1, 1)
  assert id_of(DISK, 1) in Inventory(sleeper).devices
  wake(sleeper)
  assert id_of(DISK, 1) not in Inventory(sleeper).devices
  assert seen(sleeper) == (2, 2)


@PLUGIN
@pytest.mark.skipif(nodes.ON_PC, reason="q35's own")
def test_a_q35_guest_that_slept_is_told_of_nothing(sleeper):
  suspend(sleeper)
  wake(sleeper)
  sleeper.hot_add(DISK, 4, 2)
  assert seen(sleeper) == (2, 2)
  boot_if_needed(sleeper)
  sleeper.wait_until_guest_sees(3, 2)
  agree(sleeper)
