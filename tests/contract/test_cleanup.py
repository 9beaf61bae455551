"""What the plugin keeps of an instance is removed once its QEMU has ended."""

import os

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import cleanup
from ganeti_kvm_pci import hypervisor
from ganeti_kvm_pci import instance_lock

import harness
from harness import DISK, EXTRA
from test_migration import answering
from test_plugin import start

#: Of an instance whose QEMU runs, or has ended.
KEPT = [".vacated", ".backup", ".backup.1"]

#: Half-written ones of killed processes, in the plugin's folder.
HALF = [".%s.backup.abc123_x.kvm-pci", "%s.arrivingabc123_x.new"]

#: The same, in that of the runtime files.
CONF_HALF = [".%s.abc123_x.kvm-pci", "%sabc123_x.new"]


class Kept(object):
  """Both folders of an instance."""

  def __init__(self, hyper, instance):
    self.hyper, self.instance = hyper, instance
    path = hyper._InstanceKVMRuntime(instance.name)
    self.lock = instance_lock.path_for(path)
    self.conf, self.own = os.path.dirname(path), os.path.dirname(self.lock)
    self.name = os.path.basename(path)
    self.fill()

  def fill(self):
    for folder, names in (
        (self.own, [self.name + suffix for suffix in KEPT] +
         [form % self.name for form in HALF]),
        (self.conf, [form % self.name for form in CONF_HALF])):
      if not os.path.isdir(folder):
        os.mkdir(folder)
      for name in names:
        with open(os.path.join(folder, name), "w"):
          pass

  def kept(self):
    """List what there is in the plugin's folder, by what it is."""
    return sorted(name.replace(self.name, "%s")
                  for name in os.listdir(self.own))

  def half(self):
    """List what is half-written beside the runtime file."""
    # where Ganeti has removed its folder, all is removed
    return [form for form in CONF_HALF
            if os.path.exists(os.path.join(self.conf, form % self.name))]


ALL = sorted(["%s" + suffix for suffix in KEPT] + HALF)
WHOLE = sorted("%s" + suffix for suffix in KEPT)


@pytest.fixture
def kept(world, monkeypatch):
  """Provide an instance that runs, with all that there can be beside."""
  # the process is not ours to end
  monkeypatch.setattr(hv_kvm.utils, "KillProcess", lambda *_, **__: None,
                      raising=False)
  return Kept(*start(world, kvm_pci_reservations=8))


def test_stopping_an_instance_removes_its_files(world, kept):
  world.running = False
  kept.hyper.CleanupInstance(kept.instance.name)
  assert (kept.kept(), kept.half()) == ([], [])
  # nor does it matter that there is nothing
  kept.hyper.CleanupInstance(kept.instance.name)


def test_a_running_instance_keeps_its_files(kept):
  with pytest.raises(errors.HypervisorError):
    kept.hyper.CleanupInstance(kept.instance.name)
  assert (kept.kept(), kept.half()) == (ALL, CONF_HALF)


def test_the_source_keeps_the_files_until_its_qemu_has_ended(world, kept):
  kept.hyper.FinalizeMigrationSource(kept.instance, False, True)
  assert [name for name in kept.kept() if name in WHOLE] == WHOLE
  # its QEMU has ended
  world.running = False
  kept.hyper.FinalizeMigrationSource(kept.instance, True, True)
  assert (kept.kept(), kept.half()) == ([], [])


def test_a_start_removes_the_files_of_a_qemu_that_ended(world, kept):
  world.running = False
  start(world, kvm_pci_reservations=8)
  assert (kept.kept(), kept.half()) == ([], [])


def test_a_soft_reboot_removes_the_files_of_the_old_qemu(kept):
  kept.hyper.RebootInstance(kept.instance)
  assert (kept.kept(), kept.half()) == ([], [])


def test_an_incoming_migration_removes_old_files(world, kept):
  info = kept.hyper.MigrationInfo(kept.instance)
  kept.fill()
  world.running = False
  target = world.hypervisor(hypervisor.KVMHypervisor)
  target.AcceptInstance(kept.instance, info, "192.0.2.1")
  # but what waits for it
  assert (kept.kept(), kept.half()) == (["%s.arriving"], [])
  target.FinalizeMigrationDst(kept.instance, info, True)
  assert (kept.kept(), kept.half()) == ([], [])


def test_a_failed_incoming_migration_leaves_no_files(world, kept, monkeypatch):
  info = kept.hyper.MigrationInfo(kept.instance)
  world.running = False
  target = world.hypervisor(hypervisor.KVMHypervisor)
  target.AcceptInstance(kept.instance, info, "192.0.2.1")
  kept.fill()
  answering(monkeypatch, {"query-status": {"status": "inmigrate"}})
  target.FinalizeMigrationDst(kept.instance, info, False)
  assert (kept.kept(), kept.half()) == ([], [])


def test_listing_instances_removes_files_that_were_left(world, kept):
  kept.hyper.ListInstances()
  assert kept.kept() == ALL
  world.running = False
  with instance_lock.held(kept.lock):
    kept.hyper.ListInstances()
    assert len(kept.kept()) == len(ALL) + 1
  kept.hyper.ListInstances()
  # Ganeti's may be one of a start under way
  assert (kept.kept(), kept.half()) == ([], CONF_HALF[1:])


def test_the_next_operation_removes_what_a_killed_one_left(kept):
  kept.hyper.HotAddDevice(kept.instance, DISK, harness.disk(2), EXTRA, 2)
  assert (kept.kept(), kept.half()) == (WHOLE, [])


def test_a_stop_does_not_fail_for_what_cannot_be_removed(world, kept,
                                                         monkeypatch):
  world.running = False
  monkeypatch.setattr(cleanup, "_PATIENCE", 0)
  with instance_lock.held(kept.lock):
    kept.hyper.CleanupInstance(kept.instance.name)
    assert len(kept.kept()) == len(ALL) + 1
  kept.hyper.CleanupInstance(kept.instance.name)
  assert (kept.kept(), kept.half()) == ([], [])


def test_a_socket_that_cannot_be_removed_is_no_failure(kept, monkeypatch):
  if not hasattr(kept.hyper, "_InstanceKvmdMonitor"):
    pytest.skip("before 2.12 there is none")

  def refuse(path):
    raise OSError(30, "Read-only file system", path)
  monkeypatch.setattr(cleanup.utils, "RemoveFile", refuse)
  kept.hyper._RemoveKvmdSocket(kept.instance.name)


def test_names_of_no_instance_do_not_stop_the_list(kept, monkeypatch):
  def is_alive(_, name):
    # as Ganeti does where a name makes no path
    if name in ("", ".", ".."):
      raise ValueError("Invalid parameters to PathJoin")
    return ("pidfile", 0, False)

  monkeypatch.setattr(type(kept.hyper), "_InstancePidAlive",
                      classmethod(is_alive))
  names = [".runtime.arriving", "..runtime.arriving", "...runtime.lock"]
  try:
    for name in names:
      with open(os.path.join(kept.own, name), "w"):
        pass
    kept.hyper.ListInstances()
  finally:
    # all tests have this folder
    for name in names:
      os.unlink(os.path.join(kept.own, name))
