"""A device that a guest ejected by itself stays in its runtime file."""

import json
import os

import pytest

from ganeti import errors

from ganeti_kvm_pci import hypervisor

import harness
from test_migration import accept
from test_plugin import asked_for
from test_plugin import start
from test_reboot import ids
from test_reboot import eject
from test_reboot import reread


def started(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  instance.disks = [harness.disk(n).uuid for n in range(2)]
  return (hyper, instance, reread(hyper, instance))


def told(world, *slots):
  """Have a guest eject, and its node tell what is to move."""
  hyper, instance, known = started(world)
  eject(world, *slots)
  return (hyper, instance, known, hyper.MigrationInfo(instance))


def test_hotplug_of_another_device_keeps_an_ejected_one(world):
  hyper, instance, known = started(world)
  eject(world, 9, 25)
  hyper.HotAddDevice(instance, harness.NIC, harness.nic(5), None, 2)
  after = reread(hyper, instance)
  assert set(ids(known)) < set(ids(after))
  # its slots are kept free as well
  assert (after.slots("disk"), after.slots("nic")) == ([8, 9], [24, 25, 26])
  assert 25 not in world.bus


def test_what_the_configuration_no_longer_has_is_removed_at_once(world):
  hyper, instance, _ = started(world)
  instance.disks.pop()
  eject(world, 9, 25)
  hyper.HotAddDevice(instance, harness.NIC, harness.nic(5), None, 2)
  after = reread(hyper, instance)
  assert (after.slots("disk"), after.slots("nic")) == ([8], [24, 25, 26])


def test_an_ejected_device_can_be_removed(world):
  hyper, instance, _ = started(world)
  eject(world, 9, 25)
  hyper.HotDelDevice(instance, harness.NIC, harness.nic(1), None, 1)
  hyper.HotDelDevice(instance, harness.DISK, harness.disk(1), None, 1)
  after = reread(hyper, instance)
  assert (after.slots("disk"), after.slots("nic")) == ([8], [24])


def test_a_target_starts_without_it_and_gets_it_at_the_next_boot(world):
  hyper, instance, known, info = told(world, 9, 25)
  assert ids(reread(hyper, instance)) == ids(known)
  moving = json.loads(info)
  assert (len(moving[1]), len(moving[3])) == (1, 1)
  os.unlink(hyper._InstanceKVMRuntime(instance.name))
  target = accept(world, hypervisor.KVMHypervisor, instance, info)[0]
  assert sorted(slot for slot in world.bus if slot > 7) == [8, 24]
  target.FinalizeMigrationDst(instance, info, True)
  after = reread(target, instance)
  assert ids(after) == ids(known)
  assert (after.slots("disk"), after.slots("nic")) == ([8, 9], [24, 25])
  # and so it goes on
  again = target.MigrationInfo(instance)
  assert json.loads(again) == moving


def test_the_source_sends_the_guest_without_it(world):
  hyper, instance, _, _ = told(world, 9)
  hyper.MigrateInstance("cluster", instance, "192.0.2.1", True)


def test_an_ejection_at_any_moment_refuses_no_migration(world, monkeypatch):
  hyper, instance, known = started(world)
  text = hyper._ReadKVMRuntime(instance.name)
  bus = dict(world.bus)
  genuine = harness.FakeQmp.run
  found = []
  for moment in range(200):
    asked = []

    def run(self, command, arguments=None):
      asked.append(command)
      if len(asked) > moment:
        world.unplug(bus[9])
      return genuine(self, command, arguments)
    monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, run)
    hyper._WriteKVMRuntime(instance.name, text)
    world.bus = dict(bus)
    moving = json.loads(hyper.MigrationInfo(instance))
    monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, genuine)
    beside = moving[4]["ganeti-kvm-pci"].get("ejected", [])
    assert len(moving[3]) + len(beside) == 2
    assert ids(reread(hyper, instance)) == ids(known)
    found.append(len(moving[3]))
    if moment > len(asked):
      break
  assert moment < 199 and set(found) == set([1, 2])


def test_only_the_other_fault_is_reported(world):
  hyper, instance, _ = started(world)
  eject(world, 9)
  world.bus[15] = "by-hand"
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.MigrationInfo(instance)
  assert "by-hand" in str(caught.value)
  assert "slot 9" not in str(caught.value)


def test_what_was_removed_meanwhile_is_not_brought_back(world):
  hyper, instance, _, info = told(world, 9, 25)
  instance.disks.pop()
  target = accept(world, hypervisor.KVMHypervisor, instance, info)[0]
  target.FinalizeMigrationDst(instance, info, True)
  after = reread(target, instance)
  assert (after.slots("disk"), after.slots("nic")) == ([8], [24, 25])


def test_an_invalid_list_of_ejected_devices_is_not_written(world, caplog):
  hyper, instance, _, info = told(world, 9)
  target = accept(world, hypervisor.KVMHypervisor, instance, info)[0]
  for wrong in (5, [5], ["disk"], [["disk", {}]], [["disk", []]],
                [["x", {"uuid": "y"}]], [["disk", [{"uuid": instance.disks[1],
                                                    "pci": 99}, "", None]]]):
    loaded = json.loads(info)
    loaded[4]["ganeti-kvm-pci"]["ejected"] = wrong
    caplog.clear()
    target.FinalizeMigrationDst(instance, json.dumps(loaded), True)
    assert ids(reread(target, instance)) == ids(
      reread(hyper, instance)) and len(reread(
        target, instance).slots("disk")) == 1, wrong
    assert "what the guest has ejected is not in its runtime file" in \
      caplog.text, wrong


@pytest.mark.parametrize("wrong", [None, 5, [1], {"x": 1},
                                   {"x": {"slot": "y"}}])
def test_a_requested_removal_moves_with_the_guest(world, monkeypatch, caplog,
                                                  wrong):
  hyper, instance, known = started(world)
  eject(world, 9)
  with monkeypatch.context() as patched:
    patched.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.05")
    patched.setattr(world, "unplug", lambda devid: None)
    with pytest.raises(errors.HotplugError):
      hyper.HotDelDevice(instance, harness.NIC, harness.nic(1), None, 1)
  before = asked_for(hyper, instance)
  assert list(before) == [harness.device_id("nic", 1, 25)]
  info = hyper.MigrationInfo(instance)
  os.unlink(hyper._InstanceKVMRuntime(instance.name))
  target = accept(world, hypervisor.KVMHypervisor, instance, info)[0]
  # another QEMU was asked for nothing, before the guest is there
  assert asked_for(target, instance) == {}
  loaded = json.loads(info)
  if wrong:
    loaded[4]["ganeti-kvm-pci"]["requested"] = wrong
  target.FinalizeMigrationDst(instance, json.dumps(loaded), True)
  assert asked_for(target, instance) == ({} if wrong else before)
  assert ("which removals were requested is not noted" in caplog.text) == bool(
    wrong)
  # nor does that keep back the rest
  assert ids(reread(target, instance)) == ids(known)


@pytest.mark.parametrize("wrong", [None, 5, [["x", {"uuid": "y"}]]])
def test_without_finalize_ejected_devices_are_restored_too(world, wrong):
  hyper, instance, known, info = told(world, 9, 25)
  os.unlink(hyper._InstanceKVMRuntime(instance.name))
  if wrong:
    loaded = json.loads(info)
    loaded[4]["ganeti-kvm-pci"]["ejected"] = wrong
    info = json.dumps(loaded)
  target = accept(world, hypervisor.KVMHypervisor, instance, info)[0]
  # those that run were listed before its QEMU was started
  target._Arrive(instance.name, [])
  assert not os.path.exists(target._Waiting(instance.name))
  after = reread(target, instance)
  if wrong:
    assert (after.slots("disk"), after.slots("nic")) == ([8], [24])
  else:
    assert ids(after) == ids(known)
