"""NICs with several queues: what is sent with them has the type QEMU wants.

Ganeti asks for them together with vhost_net, which is a matter of the host's
kernel, and left out here; taps and QEMU are real.

"""

import pytest

from ganeti.hypervisor import hv_kvm

from qemu_state import runtime_devices, tell
from test_left_behind import agree
from nodes import NIC
import nodes

pytestmark = [
  pytest.mark.parametrize("which", ["plugin"], indirect=True),
  pytest.mark.skipif(
    not hasattr(hv_kvm.KVMHypervisor, "_GetNetworkDeviceFeatures"),
    reason="there are no queues before 2.12")]

QUEUES = 2


@pytest.fixture
def queued(node, guest):
  """Provide a node whose guest is up and has NICs with two queues."""
  plain = node.hyper._GetNetworkDeviceFeatures

  def _GetNetworkDeviceFeatures(*args):
    features, _, nic_extra = plain(*args)
    return (dict(features, vhost=False), "", nic_extra)

  node.hyper._GetNetworkDeviceFeatures = _GetNetworkDeviceFeatures
  node.start(vhost_net=True, virtio_net_queues=QUEUES, **nodes.boot(guest))
  node.wait_for_guest()
  yield node


def queues(node, device_id):
  """Ask QEMU for a NIC's queues: whether it has several, and how many."""
  path = "/machine/peripheral/%s" % device_id
  text = tell(node, "human-monitor-command", command_line="info network")
  return (tell(node, "qom-get", path=path, property="mq"),
          text.count("%s: index=" % device_id) // 2)


def test_a_nic_is_added_with_its_queues(queued):
  before = set(runtime_devices(queued))
  queued.hot_add(NIC, 2, 2)
  (added, ) = set(runtime_devices(queued)) - before
  assert queues(queued, added) == (True, QUEUES)
  assert queues(queued, sorted(before)[-1]) == (True, QUEUES)


def test_a_nic_is_modified_and_keeps_its_queues(queued, monkeypatch):
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "40")
  before = runtime_devices(queued)
  changed = nodes.nic(0)
  changed.nicparams = dict(changed.nicparams, link="br1")
  queued.hyper.HotModDevice(queued.instance, NIC, changed, None, 0)
  assert runtime_devices(queued) == before
  for name in before:
    if name.startswith("nic-"):
      assert queues(queued, name) == (True, QUEUES)
