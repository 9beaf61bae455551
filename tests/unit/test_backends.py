"""What stands behind a device, and goes."""

import pytest

from ganeti_kvm_pci import backends
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.partition import DISK
from ganeti_kvm_pci.partition import NIC

NAME = "nic-000000a2-1111-2222"


class Qemu(object):
  """A QEMU, as far as backends go."""

  def __init__(self):
    self.nodes = []
    self.drives = []
    self.netdevs = []
    self.passed = []
    self.sets = {}
    self.refuses = 0

  def execute(self, command, arguments):
    name = list(arguments.values())[0] if arguments else None
    if command == "query-named-block-nodes":
      return [{"node-name": node, "file": file} for node, file in self.nodes]
    if command == "query-block":
      return [{"device": drive} for drive in self.drives]
    if command == "query-fdsets":
      return [{"fdset-id": number, "fds": [{"fd": fd} for fd in fds]}
              for number, fds in sorted(self.sets.items())]
    if command == "human-monitor-command":
      self.drives.remove(name.split()[1])
      return ""
    if self.refuses and command == "blockdev-del":
      self.refuses -= 1
      raise CommandError(command, "Node %s is in use" % name)
    if command == "blockdev-del":
      self.nodes = [node for node in self.nodes if node[0] != name]
      return {}
    if command == "remove-fd":
      del self.sets[name]
      return {}
    left = {"netdev_del": self.netdevs, "closefd": self.passed}[command]
    if name not in left:
      raise CommandError(command, "%s not found" % name)
    left.remove(name)
    return {}


@pytest.fixture
def qemu():
  return Qemu()


def test_a_netdev_goes_and_others_stay(qemu):
  qemu.netdevs = [NAME, "nic-other"]
  assert backends.take_back(qemu.execute, NIC, NAME) == ["netdev " + NAME]
  assert qemu.netdevs == ["nic-other"]
  assert backends.take_back(qemu.execute, NIC, NAME) == []


def test_descriptors_go_where_the_first_was_used(qemu):
  # a netdev that was refused has used the first queue's
  qemu.passed = [NAME + "-1", NAME + "-7", NAME + "-vhost-0", "nic-other-0"]
  assert len(backends.close_descriptors(qemu.execute, NAME)) == 3
  assert qemu.passed == ["nic-other-0"]


def test_a_set_that_a_disk_reads_from_stays(qemu):
  qemu.sets = {0: [20], 3: [23], 4: [], 11: [24]}
  qemu.nodes = [("disk-x", "/dev/fdset/0"), ("disk-y", "json:{/dev/fdset/11}")]
  assert backends.close_sets(qemu.execute) == ["descriptors /dev/fdset/3"]
  assert sorted(qemu.sets) == [0, 4, 11]


def test_what_is_in_use_for_a_moment_is_waited_for(qemu):
  qemu.nodes = [("disk-x", "/dev/fdset/0")]
  qemu.sets = {0: [20]}
  qemu.refuses = 2
  assert backends.take_back(qemu.execute, DISK, "disk-x") == [
    "block node disk-x", "descriptors /dev/fdset/0"]
  assert (qemu.nodes, qemu.sets) == ([], {})


def test_what_stays_in_use_is_an_error(qemu, monkeypatch):
  monkeypatch.setattr(backends, "_RELEASE_LIMIT", 0.02)
  qemu.nodes = [("disk-x", "x")]
  qemu.refuses = 1000
  with pytest.raises(MonitorError) as caught:
    backends.take_back(qemu.execute, DISK, "disk-x")
  assert "in use" in str(caught.value)


def test_a_drive_goes_by_the_human_monitor(qemu):
  qemu.drives = ["hotdisk-x", "ide0-cd0"]
  assert backends.take_back(qemu.execute, DISK, "hotdisk-x") == [
    "drive hotdisk-x"]
  assert qemu.drives == ["ide0-cd0"]
