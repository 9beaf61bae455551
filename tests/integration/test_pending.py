"""Removals that time out: what says so, and what finishes them.

The guest is paused while it is asked, and goes on when the test says so.

"""

import json
import os
import re
import time

import pytest

from ganeti import errors

from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci import pending_unplugs
from ganeti_kvm_pci.cli import entry as entry_
from ganeti_kvm_pci.node import runtime_files
from ganeti_kvm_pci.qmp import unplug as unplug_
from ganeti_kvm_pci.runtime import unplug_request

from qemu_state import Inventory, agree, runtime_devices, tell, wait_until_gone
from test_migration import Pair
from nodes import DISK, NIC
import nodes

pytestmark = pytest.mark.parametrize("which", ["plugin"], indirect=True,
                                     scope="module")

ASKED = re.compile(r"  ! removal requested at \d\d:\d\d$", re.M)


class Command(object):
  """The command, on a node of one's own."""

  def __init__(self, monkeypatch, capsys):
    self._monkeypatch = monkeypatch
    self._capsys = capsys

  def __call__(self, node, *args):
    self._monkeypatch.setattr(
      runtime_files, "control_dir", lambda name: os.path.join(
        node.folder, {"pid": "pids"}.get(name, name) + "_dir"))
    self._capsys.readouterr()
    status = entry_.main(list(args))
    said = self._capsys.readouterr()
    print(said.out + said.err)
    return (status, said.out + said.err)

  def device(self, node, device_id, *options):
    """Return what C{map --json} tells of a device."""
    text = self(node, "map", "--json", nodes.NAME, *options)[1]
    (entry, ) = json.loads(text)["instances"]
    return ([device for device in entry["devices"]
             if device["id"] == device_id] or [None])[0]


@pytest.fixture
def command(monkeypatch, capsys):
  return Command(monkeypatch, capsys)


def noted(node):
  return os.path.exists(pending_unplugs.path_for(
    node.hyper._InstanceKVMRuntime(node.instance.name)))


def ask(node, dev_type, number, monkeypatch):
  """Have a device added, and asked for while the guest is paused.

  @return: its id

  """
  before = set(runtime_devices(node))
  node.hot_add(dev_type, number, 2)
  (device_id, ) = set(runtime_devices(node)) - before
  tell(node, "stop")
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.2")
  with pytest.raises(errors.HotplugError) as caught:
    node.hot_del(dev_type, number, 2)
  assert "unplug of %s " % device_id in str(caught.value)
  assert "timed out after 0.2 s" in str(caught.value)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "60")
  return device_id


def complete(node, device_id):
  """Have the guest go on, and wait until it has completed the unplug."""
  tell(node, "cont")
  wait_until_gone(node, device_id)


def by_operation(node, command):
  node.hot_add(NIC, 7, 2)
  node.hot_del(NIC, 7, 2)


def by_migration_info(node, command):
  node.hyper.MigrationInfo(node.instance)


def by_repair(node, command):
  status, said = command(node, "check", "--repair", nodes.NAME)
  assert status == 0 and "removed from the runtime file" in said


def by_watcher(node, command):
  status, said = command(node, "check", "--repair", "--pending")
  assert status == 0 and "removed from the runtime file" in said
  assert command(node, "check", "--repair", "--pending") == (0, "")


@pytest.mark.parametrize("dev_type, settle", [
  (DISK, by_operation), (NIC, by_migration_info), (NIC, by_repair),
  (DISK, by_watcher), (NIC, by_watcher)])
def test_a_pending_removal_is_shown_and_settled(booted, command, monkeypatch,
                                                dev_type, settle):
  started = int(time.time())
  device_id = ask(booted, dev_type, 4, monkeypatch)
  for options in ((), ("--live", )):
    _, said = command(booted, "map", nodes.NAME, *options)
    (line, ) = [line for line in said.splitlines() if device_id in line]
    assert ASKED.search(line)
    told = command.device(booted, device_id, *options)
    assert told["remark"].startswith("removal requested at ")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$",
                    told["requested"])
    seconds = time.mktime(time.strptime(told["requested"][:19],
                                        "%Y-%m-%dT%H:%M:%S"))
    assert started <= seconds <= time.time()
    status, said = command(booted, "check", nodes.NAME, *options)
    assert status == 1 and "%s): removal requested at " % device_id in said
  # nobody takes it before the guest does
  before = Inventory(booted)
  assert command(booted, "check", "--repair", "--pending") == (0, "")
  assert Inventory(booted).devices == before.devices
  assert Inventory(booted).drives == before.drives
  assert command.device(booted, device_id)["requested"]
  complete(booted, device_id)
  assert ", completed since: " in command.device(booted, device_id,
                                                 "--live")["remark"]
  settle(booted, command)
  assert command.device(booted, device_id) is None
  assert not noted(booted)
  agree(booted)


def test_a_completed_removal_is_not_marked(booted, command):
  booted.hot_add(DISK, 4, 2)
  booted.hot_del(DISK, 4, 2)
  assert not noted(booted)
  assert command(booted, "check", "--repair", "--pending") == (0, "")


def test_a_later_removal_waits_for_the_guest(booted, command, monkeypatch):
  device_id = ask(booted, NIC, 4, monkeypatch)
  # within the time that it has now
  plain = unplug_.unplug

  def unplug(*args):
    tell(booted, "cont")
    return plain(*args)

  monkeypatch.setattr(unplug_, "unplug", unplug)
  booted.hot_del(NIC, 4, 2)
  assert command.device(booted, device_id) is None and not noted(booted)


def test_a_node_daemon_that_dies_leaves_the_mark(booted, command, monkeypatch):
  class Died(BaseException):
    pass

  def die(*_):
    raise Died

  booted.hot_add(DISK, 4, 2)
  with monkeypatch.context() as patched:
    patched.setattr(unplug_.time, "sleep", die)
    tell(booted, "stop")
    with pytest.raises(Died):
      booted.hot_del(DISK, 4, 2)
  (device_id, ) = [name for name in runtime_devices(booted)
                   if "000000d4" in name]
  assert command.device(booted, device_id)["requested"]
  complete(booted, device_id)
  by_watcher(booted, command)


def test_what_qemu_refuses_is_not_marked(booted, command, monkeypatch):
  from ganeti_kvm_pci.errors import CommandError

  def refuse(*_):
    raise CommandError("device_del", "Bus does not support hotplugging")

  booted.hot_add(DISK, 4, 2)
  with monkeypatch.context() as patched:
    patched.setattr(unplug_, "_request", refuse)
    with pytest.raises(errors.HotplugError):
      booted.hot_del(DISK, 4, 2)
  assert not noted(booted)
  booted.hot_del(DISK, 4, 2)


def test_a_nic_that_was_to_be_changed_stays(booted, command, monkeypatch):
  """Ganeti's configuration has it: the next boot is to bring it back."""
  booted.hot_add(NIC, 4, 2)
  (device_id, ) = [name for name in runtime_devices(booted)
                   if "000000a4" in name]
  tell(booted, "stop")
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.2")
  with pytest.raises(errors.HotplugError) as caught:
    booted.hyper.HotModDevice(booted.instance, NIC, nodes.nic(4), None, 2)
  assert "It has not been changed" in str(caught.value)
  assert command.device(booted, device_id)["requested"]
  complete(booted, device_id)
  # its tap is closed
  assert command(booted, "check", "--repair", "--pending")[0] == 0
  assert device_id in runtime_devices(booted) and not noted(booted)
  found = Inventory(booted)
  assert found.netdevs == set(name for name in found.devices if "nic" in name)
  by_repair(booted, command)


def test_a_busy_instance_is_left_for_the_next_time(booted, command,
                                                   monkeypatch):
  device_id = ask(booted, DISK, 4, monkeypatch)
  complete(booted, device_id)
  path = instance_lock.path_for(booted.hyper._InstanceKVMRuntime(nodes.NAME))
  with instance_lock.held(path):
    assert command(booted, "check", "--repair", "--pending") == (0, "")
  assert noted(booted)
  by_watcher(booted, command)


def test_a_reset_completes_it(node, guest, command, monkeypatch):
  """A guest that never answers: there is none."""
  node.start(paused=True)
  device_id = ask(node, DISK, 4, monkeypatch)
  tell(node, "system_reset")
  if node.has_native_hotplug():
    # the reset loses the request, and QEMU takes no other one
    tell(node, "cont")
    monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "8")
    with pytest.raises(errors.HotplugError) as caught:
      node.hot_del(DISK, 4, 2)
    assert "QEMU took no request, it is already in the process" in \
      str(caught.value)
    agree(node)
    node.stop()
    node.start_from_file()
    assert device_id in Inventory(node).devices
    return
  complete(node, device_id)
  by_watcher(node, command)
  agree(node)


def test_another_qemu_was_asked_for_nothing(node, command, monkeypatch):
  node.start(paused=True)
  device_id = ask(node, DISK, 4, monkeypatch)
  noted_by_the_first = pending_unplugs.Pending(
    node.hyper._InstanceKVMRuntime(nodes.NAME), node.pid()).requests()
  assert list(noted_by_the_first) == [device_id]
  with open(node.hyper._InstanceKVMRuntime(nodes.NAME)) as stream:
    text = stream.read()
  node.stop()
  with open(node.hyper._InstanceKVMRuntime(nodes.NAME), "w") as stream:
    stream.write(text)
  node.start_from_file()
  assert not noted(node)
  told = command.device(node, device_id, "--live")
  assert told["source"] == "both" and told["requested"] is None


@pytest.fixture
def pair(which, tmpdir):
  made = Pair(which, which, str(tmpdir))
  try:
    yield made
  finally:
    made.stop()


def test_a_requested_removal_moves_with_the_guest(pair, guest, command,
                                                  monkeypatch):
  """The guest that moved completes it where it is now."""
  pair.start(guest)
  device_id = ask(pair.source, DISK, 4, monkeypatch)
  since = command.device(pair.source, device_id)["requested"]
  info = pair.accept()
  (source_report, ) = json.loads(info)[-1].values()
  assert list(source_report[unplug_request.FIELD]) == [device_id]
  pair.arrives(info)
  told = command.device(pair.target, device_id, "--live")
  assert told["requested"] == since and told["source"] == "both"
  complete(pair.target, device_id)
  by_watcher(pair.target, command)
  agree(pair.target)
