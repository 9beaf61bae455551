"""C{check --live} and C{--repair}: what is the user's own stays.

"""

import os

import pytest

from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.node import runtime_files

from qemu_state import agree, runtime_devices, tell
from nodes import DISK, NIC
import nodes

pytestmark = pytest.mark.parametrize("which", ["plugin"], indirect=True)

#: In the forms of C{kvm_extra} that users take: drives with a C{-device}, with
#: C{if=virtio}, and spare ones; netdevs of NICs, and spare ones.
EXTRA = (
  "-drive file=%(folder)s/x1,format=raw,if=none,id=%(disk)s1 "
  "-device virtio-blk-pci,drive=%(disk)s1 "
  "-drive file=%(folder)s/x2,format=raw,if=virtio,id=%(disk)s2 "
  "-drive file=%(folder)s/x3,format=raw,if=none,id=%(disk)s3 "
  "-netdev user,id=%(nic)s1 -device e1000,netdev=%(nic)s1 "
  "-netdev user,id=%(nic)s2")

NAMES = {
  "words": ("disk-extra", "nic-mgmt"),
  "numbers": ("disk-", "nic-"),
  "in full": ("disk-0123abcd-0000-000", "nic-0123abcd-0000-000"),
  "in full, old": ("hotdisk-0123abcd-pci-", "hotnic-0123abcd-pci-"),
  }


@pytest.fixture
def check(node, monkeypatch, capsys):
  """Provide the command, for the node's instance; gives status and output."""
  monkeypatch.setattr(runtime_files, "control_dir", lambda name: os.path.join(
    node.folder, {"pid": "pids"}.get(name, name) + "_dir"))

  def run(option):
    capsys.readouterr()
    status = entry.main(["check", option, nodes.NAME])
    said = capsys.readouterr()
    return (status, said.out + said.err)
  return run


def backends_of(node):
  """List what QEMU has: drives with their files, netdevs with their users."""
  return [tell(node, "human-monitor-command", command_line=line)
          for line in ("info block", "info network")]


@pytest.mark.parametrize("names", sorted(NAMES))
def test_repair_leaves_the_users_own(node, check, names):
  for number in (1, 2, 3):
    os.rename(node.image(number), os.path.join(node.folder, "x%d" % number))
  disk, nic = NAMES[names]
  node.start(disks=1, nics=1, paused=True, kvm_extra=EXTRA % {
    "folder": node.folder, "disk": disk, "nic": nic})
  before = backends_of(node)
  devices = runtime_devices(node)
  for number in (1, 2, 3):
    assert "%s%d (" % (disk, number) in before[0]
    assert "/x%d (raw)" % number in before[0]
  status, said = check("--repair")
  assert backends_of(node) == before, said
  assert status == 0 and "repaired" not in said, said
  status, said = check("--live")
  assert disk not in said and nic not in said, said
  assert status == 0, said
  # nor does an operation take them
  node.hot_add(DISK, 4, 1)
  node.hot_add(NIC, 4, 1)
  after = backends_of(node)
  for number in (1, 2, 3):
    assert "/x%d (raw)" % number in after[0]
  assert nic + "1" in after[1] and nic + "2" in after[1]
  assert set(devices) < set(runtime_devices(node))


def test_repair_removes_orphaned_backends(node, check):
  node.start()
  before = agree(node)
  tell(node, "human-monitor-command", command_line="drive_add dummy file=%s,"
       "if=none,id=disk-0123abcd-0000-0004,format=raw" % node.image(4))
  tell(node, "netdev_add", type="user", id="nic-0123abcd-0000-0004")
  status, said = check("--live")
  assert status == 1
  for name in ("disk-0123abcd-0000-0004", "nic-0123abcd-0000-0004"):
    assert "%s: orphaned backend" % name in said
  status, said = check("--repair")
  assert status == 0, said
  for what in ("drive disk-0123abcd-0000-0004",
               "netdev nic-0123abcd-0000-0004"):
    assert "repaired: %s, which nothing uses: removed" % what in said
  assert agree(node).devices == before.devices
