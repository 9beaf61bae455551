"""Disks that are removed while the guest writes to them, and a reboot after.

C{BUSY_ROUNDS} (60, with q35 8) is how often all is done, C{BUSY_SEED} which
one.

"""

import os
import random
import time

import pytest

from ganeti import errors

from qemu_state import agree, runtime_devices, tell
from nodes import DISK
import child_processes
import disk_load
import nodes

pytestmark = pytest.mark.parametrize("which", ["plugin"], indirect=True)

ROUNDS = nodes.times("BUSY_ROUNDS", 60, 8)
SEED = int(os.environ.get("BUSY_SEED", str(random.randrange(10000))))

#: Of a disk that the guest can fill, in bytes
_SIZE = 16 << 20


@pytest.fixture
def busy(node, guest, monkeypatch):
  """A node whose guest is up; its disks are large enough to be busy with."""
  plain = node.image

  def image(number):
    path = plain(number)
    with open(path, "wb") as stream:
      stream.truncate(_SIZE)
    return path

  node.image = image
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", str(nodes.PATIENCE))
  node.start(disks=1, nics=1, kvm_pci_reservations=8, **nodes.boot(guest))
  node.wait_for_guest()
  return node


def rounds():
  """Count them, and print how long each took."""
  for number in range(1, ROUNDS + 1):
    begun = time.time()
    yield number
    print("round %d of %d: %.0f s" % (number, ROUNDS, time.time() - begun))


def load(node, disks):
  """Have the guest write to its disks; return once it does."""
  node.wait_until_guest_sees(disks, 1)
  disk_load.start(node)
  before = disk_load.written(node)
  assert len(before) == disks
  nodes.until(lambda: disk_load.written(node), lambda now: all(
    now[name] > count for name, count in before.items()))


def files(node):
  """Return size and time of each image, to tell whether it is written to."""
  return dict((name, (found.st_size, found.st_mtime)) for name, found in [
    (name, os.stat(os.path.join(node.folder, name)))
    for name in os.listdir(node.folder) if name.startswith("disk")])


def removed(node, number, seq):
  """Remove a disk; nothing writes to it from then on."""
  node.hot_del(DISK, number, seq)
  name = "disk%d" % number
  after = files(node)[name]
  agree(node)
  assert files(node)[name] == after


def test_a_disk_is_removed_under_load(busy):
  for _ in rounds():
    busy.hot_add(DISK, 1, 1)
    load(busy, 2)
    removed(busy, 1, 1)
  # the other one is written to still
  before = disk_load.written(busy)
  assert len(before) == 1
  nodes.until(lambda: disk_load.written(busy), lambda now: now != before)


def test_the_guest_reboots_at_once_after_a_removal_under_load(busy):
  for number in rounds():
    busy.hot_add(DISK, 1, 1)
    load(busy, 2)
    removed(busy, 1, 1)
    before = runtime_devices(busy)
    if number % 2:
      tell(busy, "system_reset")
    else:
      busy.begin("reboot -f")
    busy.wait_until_guest_sees(1, 1)
    assert agree(busy).devices == before


def test_the_guest_is_reset_during_a_removal_under_load(busy):
  """A reset removes what the guest was asked for, or the guest is asked again.

  """
  chance = random.Random(SEED)
  print("BUSY_SEED=%d" % SEED)
  for _ in rounds():
    busy.hot_add(DISK, 1, 1)
    load(busy, 2)
    child = child_processes.start(lambda: busy.hot_del(DISK, 1, 1))
    time.sleep(chance.uniform(0, 0.3))
    tell(busy, "system_reset")
    assert child_processes.end(child) is None
    assert len(agree(busy).of(DISK)) == 1
    busy.wait_until_guest_sees(1, 1)


def test_a_paused_guest_keeps_its_disk_and_its_data(busy, monkeypatch):
  """It was stopped with writes under way, and goes on."""
  busy.hot_add(DISK, 1, 1)
  load(busy, 2)
  before = agree(busy).devices
  tell(busy, "stop")
  with monkeypatch.context() as patched:
    patched.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.5")
    with pytest.raises(errors.HotplugError) as caught:
      busy.hot_del(DISK, 1, 1)
  assert "timed out after" in str(caught.value)
  assert agree(busy).devices == before
  tell(busy, "cont")
  removed(busy, 1, 1)
