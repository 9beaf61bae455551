"""What half an operation leaves in QEMU, in every version that has hotplug.

Versions differ in how they hand a disk or a NIC to QEMU (drive_add,
blockdev-add; descriptors by QMP or by the human monitor), and so in what is
left over. L{test_faults} has the same for 3.0, beside unmodified Ganeti.

"""

import time

import pytest

from ganeti import errors

from ganeti_kvm_pci.bus import allocator

from qemu_state import Inventory, agree, runtime_devices, tell
from nodes import DISK, NIC
import nodes

pytestmark = pytest.mark.parametrize("which", ["plugin"], indirect=True)

DISK_AND_NIC = pytest.mark.parametrize("dev_type", [DISK, NIC],
                                       ids=["disk", "nic"])

#: As the tests number them.
NEW = 2


class Died(BaseException):
  """The node daemon's process ends here."""


class Listener(object):
  """One connection for all that asks beside Ganeti; it stays."""

  def __init__(self, qmp):
    self.qmp = qmp
    self.sock = self

  def __call__(self):
    return self

  def execute(self, command, **arguments):
    return self.qmp.execute(command, **arguments)

  def close(self):
    pass


def listen(node):
  """Connect to QEMU beside Ganeti for good."""
  node.watch = Listener(node.watch())


def refuse(node, dev_type, monkeypatch):
  """Have QEMU refuse a device: its slot is taken.

  @return: the error's text

  """
  with monkeypatch.context() as patched:
    slot = node.runtime_slots()[DISK][0][1]
    patched.setattr(allocator, "hot_add", lambda *_: slot)
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_add(dev_type, NEW, 2)
  print(caught.value)
  return str(caught.value)


@DISK_AND_NIC
@pytest.mark.parametrize("state", ["", "paused", "watched"])
def test_a_refusal_leaves_nothing_behind(node, dev_type, state, monkeypatch):
  node.start()
  before = agree(node)
  if state == "paused":
    tell(node, "stop")
  elif state == "watched":
    # QEMU closes nothing by itself while somebody listens
    listen(node)
  text = refuse(node, dev_type, monkeypatch)
  slot = node.runtime_slots()[DISK][0][1]
  assert nodes.NAME in text and nodes.at(slot) in text
  if state == "paused":
    # until then QEMU closes no descriptors, whoever asks for it
    tell(node, "cont")
  found = agree(node)
  assert found.devices == before.devices
  # the words are QEMU's own where the version has them
  assert "virtio-blk-pci" in text or "not available" in text
  node.hot_add(dev_type, NEW, 2)
  assert len(agree(node).devices) == len(before.devices) + 1
  if state == "watched":
    node.watch.qmp.sock.close()


@DISK_AND_NIC
def test_a_device_that_unmodified_ganeti_left_is_taken_over(node, dev_type):
  node.start()
  before = runtime_devices(node)
  plain, node.hyper = node.hyper, node._contained(
    nodes.hypervisor_class("unmodified"))()

  def die(*_):
    raise Died

  # Ganeti writes the runtime file last; up to 2.12 it misses what it added
  node.hyper._SaveKVMRuntime = node.hyper._VerifyHotplugCommand = die
  # the plugin's own is kept in the class
  with pytest.raises(Died):
    node.hot_add(dev_type, NEW, 2)
  node.hyper = plain
  live = Inventory(node).devices
  (left, ) = set(live) - set(before)
  # another one does not get its slot, and it is known where it is
  node.hot_add(dev_type, NEW + 1, 3)
  node.hot_add(dev_type, NEW, 2)
  found = agree(node)
  assert found.devices[left] == live[left]
  assert len(found.devices) == len(before) + 2


def test_a_nic_is_not_taken_for_one_whose_unplug_is_pending(node, monkeypatch):
  """Both have the same MAC address; no guest runs that could answer."""
  node.start(paused=True)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.2")
  with pytest.raises(errors.GenericError):
    node.hot_del(NIC, 0, 0)
  before, in_file = agree(node), runtime_devices(node)
  added = nodes.nic(NEW)
  added.mac = nodes.nic(0).mac
  with pytest.raises(errors.GenericError) as caught:
    node.hyper.HotAddDevice(node.instance, NIC, added, None, 1)
  slot = node.runtime_slots()[NIC][0][1]
  for part in (nodes.NAME, "the guest still has a NIC with this MAC address, %s"
               % added.mac, "(%s)" % nodes.at(slot)):
    assert part in str(caught.value)
  assert runtime_devices(node) == in_file
  assert vars(agree(node)) == vars(before)
  # at a reset the guest has no say
  tell(node, "system_reset")
  tell(node, "cont")
  deadline = time.time() + 60
  while slot in node.live():
    assert time.time() < deadline
    time.sleep(0.1)
  # what an administrator is told to do
  node.hyper.HotModDevice(node.instance, NIC, added, None, 1)
  assert len(agree(node).of(NIC)) == 2
