"""What QEMU refuses, in the output of who asked Ganeti for it."""

import contextlib
import re

import pytest

import cluster

from slots import at
from slots import named
from test_partition import agree
from test_partition import hotplugged

pytestmark = pytest.mark.usefixtures("plugged")


@contextlib.contextmanager
def another_qemu(node, path):
  """Have a QEMU beside Ganeti hold an image open for a disk of its own."""
  pid_file = "/tmp/another.pid"
  cluster.on(node, "qemu-system-x86_64", "-S", "-nodefaults", "-display",
             "none", "-daemonize", "-pidfile", pid_file, "-drive",
             "if=none,id=d,format=raw,file=" + path, "-device",
             "virtio-blk-pci,drive=d")
  try:
    yield
  finally:
    pid = cluster.on(node, "cat", pid_file).output.strip()
    cluster.on(node, "kill", pid)
    cluster.wait_until(lambda: cluster.on(
      node, "test", "-d", "/proc/" + pid, check=False).returncode,
                       "the end of another QEMU")


@contextlib.contextmanager
def without_direct_access(node, folder):
  """Mount a file system without C{O_DIRECT} over a folder."""
  cluster.on(node, "mount", "-t", "ramfs", "none", folder)
  try:
    yield
  finally:
    cluster.on(node, "umount", folder)


def disk_of(vm, number):
  """Return a disk's part of the configuration: its UUID and its file."""
  uuid = vm.config()["disks"][number]
  disk = vm._whole_config()["disks"][uuid]
  return uuid, disk["logical_id"][1]


def is_refused(vm, change, *words):
  """Have a disk refused, with words for who asked for it."""
  before = vm.runtime()
  result = vm.modify("--disk", change, check=False)
  print(result.output)
  assert "hotplug:failed" in result.output
  uuid, path = disk_of(vm, 1)
  assert re.search(
    "WARNING: Could not hotplug device: .*Instance %s: disk-%s \\(%s, %s\\)"
    " was not added: %s" % (vm.name, uuid.rsplit("-", 2)[0], named(9), path,
                            "; ".join(words)), result.output)
  assert vm.runtime() == before
  agree(vm, at(8), at(24))


def test_a_refused_disk_is_explained_to_who_adds_it(vm):
  vm.add(disks=1, nics=1, hvparams={"kvm_pci_reservations": 8,
                                    "disk_cache": "none"})
  agree(vm, at(8), at(24))
  folder = disk_of(vm, 0)[1].rpartition("/")[0]
  with without_direct_access(vm.node(), folder):
    # 3.0: what the human monitor said to drive_add
    is_refused(vm, "add:size=1G", ".*Invalid argument", "give disk_cache")
  vm.modify("--disk", "1:remove")
  vm.modify("--disk", "add:size=1G", hot=False)
  uuid = disk_of(vm, 1)[0]
  vm.modify("--disk", "1:detach", hot=False)
  path = vm._whole_config()["disks"][uuid]["logical_id"][1]
  with another_qemu(vm.node(), path):
    is_refused(vm, "attach:uuid=" + uuid,
               'QEMU refused device_add: Failed to get "write" lock',
               "another process has the image open")
  # what it advises
  vm.modify("--disk", "1:detach", hot=False)
  hotplugged(vm.modify("--disk", "attach:uuid=" + uuid))
  agree(vm, at(8, 9), at(24))
