"""Hotplug on a node that lacks room, descriptors, or may not write."""

import errno
import json
import os

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import temporary
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qmp import client

import harness
from harness import DISK, EXTRA, NIC
from test_plugin import start

FULL = "Failed to save KVM runtime file: [Errno 28] No space left on device"

ROOM = "free some of that file system (df, df -i), then try again"


def refuse(number):
  def raise_(*_, **__):
    raise OSError(number, os.strerror(number))
  return raise_


def unwritable(monkeypatch, times=None, after=None):
  """Have Ganeti not write runtime files.

  @param times: how often; None for always
  @param after: function, what has happened before; None for anything

  """
  plain = hv_kvm.KVMHypervisor._WriteKVMRuntime
  left = [times]

  def _WriteKVMRuntime(self, *args):
    if left[0] == 0 or after and not after():
      return plain(self, *args)
    if left[0]:
      left[0] -= 1
    raise errors.HypervisorError(FULL)

  monkeypatch.setattr(hv_kvm.KVMHypervisor, "_WriteKVMRuntime",
                      _WriteKVMRuntime)


def commands(world):
  return [call[0] for call in world.calls]


def uuids(hyper, instance):
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  return [nic["uuid"] for nic in loaded[1]] + [disk[0]["uuid"]
                                               for disk in loaded[3]]


@pytest.mark.parametrize("dev_type, device, slot", [
  (DISK, harness.disk, 8), (NIC, harness.nic, 24)], ids=["disk", "nic"])
def test_what_cannot_be_written_down_is_not_removed(world, monkeypatch,
                                                    dev_type, device, slot):
  hyper, instance = start(world, kvm_pci_reservations=8)
  before = hyper._ReadKVMRuntime(instance.name)
  del world.calls[:]
  with monkeypatch.context() as patched:
    patched.setattr(temporary, "make", refuse(errno.EROFS))
    with pytest.raises(errors.HotplugError) as caught:
      hyper.HotDelDevice(instance, dev_type, device(0), EXTRA, 0)
  device_id = harness.device_id("disk" if dev_type == DISK else "nic", 0, slot)
  for part in ("Instance vm1.example.com: %s (slot %d) was not removed: cannot"
               " write beside the runtime file" % (device_id, slot),
               "vm1.example.com.runtime: Read-only file system; mount that file"
               " system for writing, then try again"):
    assert part in str(caught.value)
  assert "device_del" not in commands(world) and slot in world.bus
  assert hyper._ReadKVMRuntime(instance.name) == before
  hyper.HotDelDevice(instance, dev_type, device(0), EXTRA, 0)
  assert slot not in world.bus


@pytest.mark.parametrize("dev_type, device, slot", [
  (DISK, harness.disk, 8), (NIC, harness.nic, 24)], ids=["disk", "nic"])
def test_a_removal_that_is_not_written_down_is_settled(world, monkeypatch,
                                                       dev_type, device, slot):
  hyper, instance = start(world, kvm_pci_reservations=8)
  del world.calls[:]
  with monkeypatch.context() as patched:
    unwritable(patched, after=lambda: "device_del" in commands(world))
    with pytest.raises(errors.HotplugError) as caught:
      hyper.HotDelDevice(instance, dev_type, device(0), EXTRA, 0)
  device_id = harness.device_id("disk" if dev_type == DISK else "nic", 0, slot)
  text = str(caught.value)
  assert text.startswith("Instance vm1.example.com: QEMU has removed %s (slot"
                         " %d); it is still in the runtime file, until the"
                         " next operation: %s (" % (device_id, slot, FULL))
  assert text.endswith("vm1.example.com.runtime); " + ROOM)
  assert text.count("vm1.example.com: ") == 1
  assert slot not in world.bus and device(0).uuid in uuids(hyper, instance)
  # what is left of it in QEMU is looked for all the same
  last = "query-block" if dev_type == DISK else "human-monitor-command"
  assert last in commands(world)[commands(world).index("device_del"):]
  hyper.HotDelDevice(instance, dev_type, device(0), EXTRA, 0)
  assert device(0).uuid not in uuids(hyper, instance)


def test_a_refused_hot_add_says_both_if_that_cannot_be_written(world,
                                                               monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  before = uuids(hyper, instance)
  seen = []

  def refused(*_):
    seen.append(True)
    raise errors.HypervisorError("Failed to open /dev/net/tun")

  with monkeypatch.context() as patched:
    patched.setattr(world, "plug", refused)
    unwritable(patched, after=lambda: seen)
    with pytest.raises(errors.HotplugError) as caught:
      hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  for part in ("(slot 10, ", "was not added: Failed to open /dev/net/tun; it is"
               " still in the runtime file, until the next operation: " + FULL):
    assert part in str(caught.value)
  assert uuids(hyper, instance) != before
  hyper.HotDelDevice(instance, NIC, harness.nic(1), None, 1)
  assert uuids(hyper, instance) == [uuid for uuid in before
                                    if uuid != harness.nic(1).uuid]


def test_a_nic_whose_removal_is_not_written_down_is_put_back(world,
                                                             monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  before = world.slots(hyper, instance)
  del world.calls[:]
  with monkeypatch.context() as patched:
    unwritable(patched, 1, lambda: "device_del" in commands(world))
    with pytest.raises(errors.HotplugError) as caught:
      hyper.HotModDevice(instance, NIC, harness.nic(0), None, 0)
  assert str(caught.value).endswith("; the NIC is as it was before")
  assert 24 in world.bus
  assert sorted(map(sorted, world.slots(hyper, instance))) == \
    sorted(map(sorted, before))


def test_a_nic_file_that_stays_is_no_error(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  with monkeypatch.context() as patched:
    patched.setattr(hyper, "_InstanceNICFile", refuse(errno.EROFS))
    hyper.HotDelDevice(instance, NIC, harness.nic(0), None, 0)
  assert 24 not in world.bus
  assert harness.nic(0).uuid not in uuids(hyper, instance)


def test_an_error_of_the_kernel_names_the_instance(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  with monkeypatch.context() as patched:
    patched.setattr(hyper, "_InstancePidAlive", refuse(errno.EMFILE))
    with pytest.raises(errors.HotplugError) as caught:
      hyper.HotDelDevice(instance, DISK, harness.disk(0), EXTRA, 0)
  assert str(caught.value) == (
    "Instance vm1.example.com: [Errno 24] Too many open files; raise the node"
    " daemon's limit of open files (LimitNOFILE=, ulimit -n) and restart it,"
    " then try again")


def test_a_runtime_file_that_is_not_written_is_named(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  with monkeypatch.context() as patched:
    unwritable(patched)
    with pytest.raises(errors.HypervisorError) as caught:
      hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  text = str(caught.value)
  assert text.startswith("Instance vm1.example.com: %s (" % FULL)
  assert text.endswith("vm1.example.com.runtime); " + ROOM)
  assert 10 not in world.bus


@pytest.mark.usefixtures("world")
@pytest.mark.skipif(str is bytes, reason="Python 2 loses the kernel's error")
def test_a_lack_of_descriptors_is_not_said_to_be_qemus(monkeypatch):
  def connect(*_):
    try:
      refuse(errno.EMFILE)()
    except EnvironmentError:
      raise errors.HypervisorError("Can't connect to qmp socket")

  monkeypatch.setattr(hv_kvm.QmpConnection, "connect", connect)
  with pytest.raises(MonitorError) as caught:
    client.Connection("/x.qmp")
  assert str(caught.value).startswith(
    "no connection to QEMU's monitor /x.qmp: [Errno 24] Too many open files;"
    " raise the node daemon's limit")
