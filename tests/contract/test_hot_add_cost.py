"""What a hot-add asks QEMU, and how often it writes the runtime file."""

import collections
import re

import pytest

import harness

#: What is asked before, or after, however many devices there are.
ONCE = ["query-status", "query-pci", "query-block", "query-named-block-nodes",
        "query-fdsets"]

DEVICES = ("qom-list", {"path": "/machine/peripheral"})

#: What is asked for a NIC behind a root port besides: whether it can have an
#: acpi-index, which the same QEMU is asked once, and which ones there are.
BEHIND_PORT = [
  ("device-list-properties", {"typename": "virtio-net-pci"}),
  ("human-monitor-command", {"command-line": "info qtree"})]


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="up to 2.15 it asks more")
@pytest.mark.parametrize("dev_type, extra", [
  (harness.DISK, harness.EXTRA), (harness.NIC, None)])
def test_nothing_is_asked_or_written_twice(world, monkeypatch, dev_type, extra):
  world.running = False
  world.boots = True
  hyper = world.hypervisor()
  instance = harness.instance_of(2)
  hyper.StartInstance(instance, harness.block_devices(2), False)
  del world.calls[:]
  written = []
  # below the plugin's own method, wherever that is
  owner = [cls for cls in type(hyper).__mro__
           if "_WriteKVMRuntime" in vars(cls)][-1]
  write = owner._WriteKVMRuntime
  monkeypatch.setattr(owner, "_WriteKVMRuntime", lambda self, name, data: (
    written.append(data), write(self, name, data)))
  device = harness.disk(7) if dev_type == harness.DISK else harness.nic(7)
  hyper.HotAddDevice(instance, dev_type, device, extra, 2)
  asked = collections.Counter(call[0] for call in world.calls)
  # Python 2 leaves the monitor where kvm-ifup is run, and asks the state anew
  anew = int(str is bytes and dev_type == harness.NIC)
  assert asked[ONCE[0]] in (1, 1 + anew)
  assert [asked[name] for name in ONCE[1:]] == [1] * (len(ONCE) - 1)
  # before and after; of a NIC, once more where these do not tell of NICs
  assert world.calls.count(DEVICES) == 2 + (dev_type == harness.NIC)
  assert len(written) == 1


def questions(world, nics):
  """List what QEMU is asked by a hot-add of a NIC to a q35 guest."""
  world.running = False
  world.boots = True
  hyper = world.hypervisor()
  instance = harness.instance_of(nics, machine_version="q35")
  hyper.StartInstance(instance, harness.block_devices(2), False)
  del world.calls[:]
  hyper.HotAddDevice(instance, harness.NIC, harness.nic(7), None, nics)
  return [call for call in world.calls if len(call) == 2 and re.match(
    "device-list|human-|qom-|query-", call[0])]


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="up to 2.15 there is no q35")
@pytest.mark.parametrize("nics", [0, 2, 6])
def test_behind_a_root_port_no_device_is_asked_for_its_number(world, nics):
  asked = questions(world, nics)
  assert [call for call in asked if call in BEHIND_PORT] == BEHIND_PORT
  assert not [call for call in asked if call[0] == "qom-get" and
              call[1]["property"] == "acpi-index"]
  # nor is there any list beside those that a hot-add on pc asks for
  assert asked.count(DEVICES) == 2 + bool(nics)
