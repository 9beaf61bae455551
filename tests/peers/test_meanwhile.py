"""What happens to a guest while it moves: its own doing, and hotplug.

Ganeti's jobs lock the instance; a command by hand, or a job whose master has
given up, does not.

"""

import os
import threading
import time

import pytest

from ganeti import errors

from ganeti_kvm_pci import instance_lock

from guest_disks import text_on
from moving import ended, pair # pylint: disable=unused-import
from qemu_state import Inventory, agree, tell
from nodes import DISK, NIC
from test_migration import is_clean, is_plugin
import child_processes
import nodes


BOTH_SIDES = pytest.mark.parametrize("pair", ["plugin", "unmodified"],
                                     indirect=True)


def boot(node):
  """Ask the guest which boot it is: a list of one line."""
  said = node.console("echo BOOT $(cat /proc/sys/kernel/random/boot_id)\n")
  return [line for line in said if line.startswith("BOOT ")]


def goes_after_a_failure(pair, info):
  """Have it go on where it is, and move at the next attempt."""
  pair.finalize(info, False)
  pair.is_right(pair.source)
  pair.arrives(pair.accept())
  pair.is_right(pair.target)


@pytest.mark.parametrize("after", [1.5, 2.5, 5.5])
def test_a_guest_that_reboots_while_it_is_copied(pair, guest, after):
  pair.start(guest)
  pair.source.wait_for_guest()
  before = boot(pair.source)
  pair.hot_add(pair.source, DISK, 2)
  pair.source.wait_until_guest_sees(3, 2)
  info = pair.accept()
  pair.send_slowly()
  pair.source.begin("reboot -f")
  time.sleep(after)
  assert pair.hurry() == "completed"
  pair.finalize(info, True)
  pair.is_right(pair.target)
  now = boot(pair.target)
  assert len(before) == len(now) == 1 and now != before


@BOTH_SIDES
def test_a_guest_that_shuts_down_while_it_is_copied(pair, guest):
  """It has ended, and no copy of it goes on."""
  pair.start(guest)
  pair.source.wait_for_guest()
  info = pair.accept()
  pair.send_slowly()
  pair.source.begin("poweroff -f")
  ended(pair.source)
  # since 3.1 unmodified Ganeti lets the socket's error through
  with pytest.raises(errors.HypervisorError if is_plugin(pair.source) else
                     (errors.GenericError, EnvironmentError)) as caught:
    pair.source.hyper.GetMigrationStatus(pair.source.instance)
  if is_plugin(pair.source):
    assert "does not answer query-migrate" in str(caught.value)
  pair.finalize(info, False)
  assert pair.states() == []
  ended(pair.target)
  for node in (pair.source, pair.target):
    is_clean(node)
  # and is started again
  if is_plugin(pair.source):
    pair.source.hyper.StartInstance(
      pair.source.instance, [(nodes.disk(n), pair.source.image(n), None)
                             for n in pair.disks], False)
    pair.is_right(pair.source)


def ask(pair, dev_type, number, monkeypatch):
  """Have a removal time out: the guest is paused meanwhile."""
  tell(pair.source, "stop")
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.2")
  with pytest.raises(errors.HotplugError) as caught:
    pair.hot_del(pair.source, dev_type, number)
  assert "timed out" in str(caught.value)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "60")


@pytest.mark.parametrize("dev_type", [DISK, NIC])
@pytest.mark.parametrize("when", ["before", "while it is copied", "there"])
@pytest.mark.parametrize("by", ["its system", "a reset"])
def test_a_pending_removal_is_completed(pair, guest, monkeypatch, dev_type,
                                        when, by):
  """Before the guest moves, on the way, or where it is then."""
  pair.start(guest)
  pair.source.wait_for_guest()
  pair.hot_add(pair.source, dev_type, 2)
  pair.source.wait_until_guest_sees(len(pair.disks), len(pair.nics))
  ask(pair, dev_type, 2, monkeypatch)

  def complete(node):
    if by == "a reset":
      tell(node, "system_reset")
    tell(node, "cont")
    time.sleep(2)

  if when == "before":
    complete(pair.source)
  info = pair.accept()
  if when == "while it is copied":
    pair.send_slowly()
    complete(pair.source)
    assert pair.hurry() == "completed"
  else:
    assert pair.migrate() == "completed"
  pair.finalize(info, True)
  if when == "there":
    complete(pair.target)
  # the configuration has it still: the job that removes it has not ended
  pair.target.wait_for_guest()
  pair.hot_del(pair.target, dev_type, 2)
  pair.is_right(pair.target)


def seen(node):
  """Tell what QEMU has; a tap of the other QEMU is not its own."""
  found = vars(Inventory(node))
  del found["taps"]
  return found


@BOTH_SIDES
def test_hotplug_while_the_guest_is_copied_changes_nothing(pair, guest):
  pair.start(guest)
  pair.source.wait_for_guest()
  info = pair.accept()
  pair.send_slowly()
  before = seen(pair.source)
  for dev_type in (DISK, NIC):
    for operation in (pair.hot_add, pair.hot_del):
      number = 2 if operation == pair.hot_add else 1
      with pytest.raises(errors.HypervisorError) as caught:
        operation(pair.source, dev_type, number)
      print(caught.value)
      assert "not allowed while migrating" in str(caught.value)
      if is_plugin(pair.source):
        assert "wait until the migration has ended" in str(caught.value)
        agree(pair.source)
  if not is_plugin(pair.source):
    # the backends of what was not added stay open
    after = seen(pair.source)
    assert len(after["netdevs"]) == len(before["netdevs"]) + 1
    return
  assert seen(pair.source) == before
  assert pair.hurry() == "completed"
  pair.finalize(info, True)
  pair.is_right(pair.target)
  for dev_type in (DISK, NIC):
    pair.hot_add(pair.target, dev_type, 2)
  pair.is_right(pair.target)


def test_hotplug_where_the_guest_is_not_yet(pair, guest):
  pair.start(guest)
  pair.source.wait_for_guest()
  info = pair.accept()
  for operation in (pair.target.hot_add, pair.target.hot_del):
    for dev_type in (DISK, NIC):
      with pytest.raises(errors.HypervisorError) as caught:
        operation(dev_type, 1, 1)
      assert "runtime file" in str(caught.value)
  pair.arrives(info)
  pair.is_right(pair.target)


def test_hotplug_where_the_guest_is_no_longer(pair, guest):
  """The migration has ended, and nobody has finished it."""
  pair.start(guest)
  pair.source.wait_for_guest()
  info = pair.accept()
  assert pair.migrate() == "completed"
  for operation, number in ((pair.source.hot_add, 2), (pair.source.hot_del, 1)):
    for dev_type in (DISK, NIC):
      with pytest.raises(errors.HotplugError) as caught:
        operation(dev_type, number, 1)
      assert "paused after a migration that completed" in str(caught.value)
  pair.finalize(info, True)
  pair.is_right(pair.target)


@BOTH_SIDES
@pytest.mark.parametrize("dev_type", [DISK, NIC])
def test_hot_added_after_the_target_was_started(pair, guest, dev_type):
  pair.start(guest)
  pair.source.wait_for_guest()
  info = pair.accept()
  pair.hot_add(pair.source, dev_type, 2)
  pair.source.wait_until_guest_sees(len(pair.disks), len(pair.nics))
  if not is_plugin(pair.source):
    # the target dies of what it does not know, and the guest with it unless the
    # source was slow enough to notice
    status = pair.migrate()
    print(status)
    ended(pair.target)
    goes_on = {"completed": [], "failed": [pair.source]}[status]
    assert nodes.until(pair.states, lambda found: found == goes_on) == goes_on
    return
  with pytest.raises(errors.HypervisorError) as caught:
    pair.migrate()
  for words in (nodes.NAME, "is not migrated, and goes on where it is",
                "was hot-added or modified: migrate it again"):
    assert words in str(caught.value)
  goes_after_a_failure(pair, info)


@BOTH_SIDES
def test_a_disk_exchanged_after_the_target_was_started(pair, guest):
  """It has the slot of another by then, and the target has the other."""
  pair.start(guest)
  pair.source.wait_for_guest()
  info = pair.accept()
  pair.hot_del(pair.source, DISK, 1)
  pair.source.wait_until_guest_sees(1, 2)
  pair.hot_add(pair.source, DISK, 2)
  pair.source.wait_until_guest_sees(2, 2)
  if not is_plugin(pair.source):
    pair.arrives(info)
    # the guest writes to a disk that it has no longer
    found = [disk.text for disk in pair.data(pair.target)]
    assert len(found) == 2 and text_on(2) not in found
    return
  with pytest.raises(errors.HypervisorError) as caught:
    pair.migrate()
  assert "was hot-added or modified: migrate it again" in str(caught.value)
  goes_after_a_failure(pair, info)


def test_a_disk_removed_after_the_target_was_started(pair, guest):
  """The target removes it as well."""
  pair.start(guest)
  pair.source.wait_for_guest()
  info = pair.accept()
  pair.hot_del(pair.source, DISK, 1)
  pair.source.wait_until_guest_sees(1, 2)
  pair.arrives(info)
  pair.is_right(pair.target)


def test_a_nic_modified_after_the_target_was_started(pair, guest):
  """The target would connect it as before."""
  pair.start(guest)
  pair.source.wait_for_guest()
  info = pair.accept()
  changed = nodes.nic(1)
  changed.nicparams["link"] = "br1"
  pair.source.hyper.HotModDevice(pair.source.instance, NIC, changed, None, 1)
  with pytest.raises(errors.HypervisorError) as caught:
    pair.migrate()
  assert "was hot-added or modified: migrate it again" in str(caught.value)
  pair.finalize(info, False)
  pair.is_right(pair.source)


def test_a_migration_waits_for_a_hotplug(pair, guest, monkeypatch):
  """Another holds the lock while the guest completes an unplug."""
  pair.start(guest)
  pair.source.wait_for_guest()
  pair.hot_add(pair.source, DISK, 2)
  pair.source.wait_until_guest_sees(3, 2)
  tell(pair.source, "stop")
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "30")
  other = child_processes.start(lambda: pair.source.hot_del(DISK, 2, 2))
  path = instance_lock.path_for(
    pair.source.hyper._InstanceKVMRuntime(nodes.NAME))
  nodes.until(lambda: os.path.exists(path), bool)
  timer = threading.Timer(3, lambda: tell(pair.source, "cont"))
  timer.start()
  began = time.time()
  pair.disks.remove(2)
  pair.configure()
  info = pair.accept()
  assert time.time() - began > 2
  assert child_processes.end(other) is None
  timer.join()
  pair.arrives(info)
  pair.is_right(pair.target)
