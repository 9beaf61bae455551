"""What a soft reboot makes of the runtime file, and of what QEMU has."""

import json
import sys
import types

import pytest

import ganeti
from ganeti import errors

from ganeti_kvm_pci import start
from ganeti_kvm_pci.runtime import device_table

import harness
from test_old_runtime_files import instance_of
from test_old_runtime_files import run_devices_of
from test_old_runtime_files import text_of


@pytest.fixture
def linked(monkeypatch):
  """Provide the instances whose disks' links were made anew."""
  found = []
  backend = types.ModuleType("ganeti.backend")
  backend._GatherAndLinkBlockDevs = found.append
  monkeypatch.setitem(sys.modules, "ganeti.backend", backend)
  monkeypatch.setattr(ganeti, "backend", backend, raising=False)
  return found


def started(world, disks=2, nics=2):
  hyper = world.hypervisor()
  instance = harness.instance_of(nics, kvm_pci_reservations=8)
  instance.disks = [harness.disk(n).uuid for n in range(disks)]
  hyper.StartInstance(instance, harness.block_devices(disks), False)
  known = reread(hyper, instance)
  run_devices_of(world, known)
  return (hyper, instance, known)


def reread(hyper, instance):
  return device_table.parse(hyper._ReadKVMRuntime(instance.name), "test")


def ids(known):
  return sorted(d.id for d in known.devices if d.index is not None)


def eject(world, *slots):
  """Remove devices from QEMU, as if the guest had ejected them."""
  for slot in slots:
    del world.bus[slot]


def test_a_soft_reboot_restores_ejected_devices(world, linked):
  hyper, instance, known = started(world)
  eject(world, 9, 25)
  hyper.RebootInstance(instance)
  assert linked == [instance]
  after = reread(hyper, instance)
  assert ids(after) == ids(known)
  assert (after.slots("disk"), after.slots("nic")) == ([8, 9], [24, 25])


def test_what_the_configuration_no_longer_has_is_removed(world, linked):
  hyper, instance, _ = started(world)
  instance.disks = instance.disks[1:]
  instance.nics = instance.nics[:1]
  hyper.RebootInstance(instance)
  after = reread(hyper, instance)
  assert (after.slots("disk"), after.slots("nic")) == ([8], [24])
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  assert [entry[0]["uuid"] for entry in loaded[3]] == instance.disks
  assert [nic["uuid"] for nic in loaded[1]] == [instance.nics[0].uuid]


def test_devices_have_the_order_of_the_configuration(world, linked):
  hyper, instance, _ = started(world, 3, 3)
  instance.disks = [instance.disks[n] for n in (2, 0, 1)]
  instance.nics = [instance.nics[n] for n in (1, 2, 0)]
  hyper.RebootInstance(instance)
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  assert [entry[0]["uuid"] for entry in loaded[3]] == instance.disks
  assert [nic["uuid"] for nic in loaded[1]] == [n.uuid for n in instance.nics]
  after = reread(hyper, instance)
  assert (after.slots("disk"), after.slots("nic")) == ([8, 9, 10],
                                                       [24, 25, 26])


def test_links_that_cannot_be_made_leave_the_guest_running(world, linked):
  hyper, instance, _ = started(world)

  def fail(_):
    raise errors.GenericError("disk 1 is not set up")
  ganeti.backend._GatherAndLinkBlockDevs = fail
  before = hyper._ReadKVMRuntime(instance.name)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.RebootInstance(instance)
  assert str(caught.value) == (
    "Instance %s is not rebooted, and goes on: its disks' data cannot be"
    " linked: disk 1 is not set up" % instance.name)
  assert world.running and hyper._ReadKVMRuntime(instance.name) == before


def attributes(hyper):
  """Return what an object of ours keeps, but for Ganeti's client of QMP."""
  return dict((name, value) for name, value in vars(hyper).items()
              if name != "qmp" and value is not None)


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_a_start_or_reboot_outlives_it(world, linked, fails):
  hyper = world.hypervisor()
  before = attributes(hyper)
  instance = harness.instance_of(2)
  instance.disks = [harness.disk(n).uuid for n in range(2)]
  world.refusal = "no such thing" if fails else None

  def run(function, *args):
    if fails:
      with pytest.raises(errors.HypervisorError):
        function(*args)
    else:
      function(*args)
    assert attributes(hyper) == before

  run(hyper.StartInstance, instance, harness.block_devices(2), False)
  world.refusal, world.running = None, False
  hyper.StartInstance(instance, harness.block_devices(2), False)
  world.refusal = "no such thing" if fails else None
  run(hyper.RebootInstance, instance)


def test_a_start_inside_of_another_has_its_own_state(world):
  hyper = world.hypervisor()
  outer = start.Start("vm1.example.com", is_layout_due=True)
  with hyper._Starting(outer):
    with pytest.raises(ValueError):
      with hyper._Starting(start.Start("vm2.example.com")) as inner:
        assert hyper._start is inner
        raise ValueError()
    assert hyper._start is outer and outer.is_layout_due
  assert hyper._start is None


def test_a_reboot_lays_out_its_own_instance_only_and_once(world, linked):
  hyper, instance, known = started(world)
  instance.disks = instance.disks[1:]
  with hyper._Starting(start.Start("another.example.com", is_layout_due=True)):
    assert len(hyper._LoadKVMRuntime(instance)[3]) == 2
  with hyper._Starting(start.Start(instance.name, is_layout_due=True)):
    assert len(hyper._LoadKVMRuntime(instance)[3]) == 1
    assert len(hyper._LoadKVMRuntime(instance)[3]) == 2
  assert ids(reread(hyper, instance)) == ids(known)


def test_without_the_configuration_slots_decide_the_order(world, linked):
  hyper, instance, _ = started(world)
  text = json.loads(hyper._ReadKVMRuntime(instance.name))
  text[1].reverse()
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(text, stream)
  del instance.disks
  hyper.RebootInstance(instance)
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  assert [nic["uuid"] for nic in loaded[1]] == [n.uuid for n in instance.nics]
  assert linked == []


@pytest.mark.parametrize("added", [0, 2])
def test_disks_in_the_command_must_have_their_indices(world, linked, added):
  hyper = world.hypervisor()
  text = text_of("v2.9.6-plain")
  known = device_table.parse(text, "test")
  instance = instance_of(known, kvm_pci_reservations=8)
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    stream.write(text)
  run_devices_of(world, known)
  instance.nics = []
  instance.disks = [harness.disk(n).uuid for n in range(2)]
  instance.disks.insert(added, harness.disk(5).uuid)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.RebootInstance(instance)
  assert "its command names disks 0, 1, and by Ganeti's configuration these" in\
    str(caught.value)
  assert world.running and linked == []
