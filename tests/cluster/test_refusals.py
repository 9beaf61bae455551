"""What QEMU refuses, in the output of who asked Ganeti for it."""

import contextlib
import re

import pytest

import cluster

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
                       "the end of another QEMU", 60)


def test_a_locked_disk_is_explained_to_who_adds_it(vm):
  vm.add(disks=1, nics=1, hvparams={"kvm_pci_reservations": 8})
  agree(vm, [8], [24])
  vm.modify("--disk", "add:size=1G,name=late", hot=False)
  (disk, ) = [d for d in vm._whole_config()["disks"].values()
              if d.get("name") == "late"]
  attach = ("--disk", "attach:uuid=" + disk["uuid"])
  vm.modify("--disk", "1:detach", hot=False)
  (disk, ) = [d for d in vm._whole_config()["disks"].values()
              if d.get("name") == "late"]
  before = vm.runtime()
  with another_qemu(vm.node(), disk["logical_id"][1]):
    result = vm.modify(*attach, check=False)
    print(result.output)
    assert "hotplug:failed" in result.output
    assert re.search(
      'Could not hotplug device: .*Instance %s: disk-%s \\(slot 9, /.*\\) was not'
      ' added: QEMU refused device_add: Failed to get "write" lock; another'
      ' process has the image open' % (vm.name,
                                       disk["uuid"].rsplit("-", 2)[0]),
      result.output)
    assert vm.runtime() == before
    agree(vm, [8], [24])
  # what it advises
  vm.modify("--disk", "1:detach", hot=False)
  hotplugged(vm.modify(*attach))
  agree(vm, [8, 9], [24])
