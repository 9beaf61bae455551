"""NICs with several queues: what is sent with them has the type QEMU wants.

Ganeti asks for them together with vhost_net, which is a matter of the host's
kernel, and left out here; taps and QEMU are real.

"""

import pytest

from ganeti import constants
from ganeti.hypervisor import hv_kvm

from qemu_state import runtime_devices, tell
from nodes import NIC
import nodes

pytestmark = [
  pytest.mark.parametrize("which", ["plugin"], indirect=True),
  pytest.mark.skipif(
    not hasattr(hv_kvm.KVMHypervisor, "_GetNetworkDeviceFeatures"),
    reason="there are no queues before 2.12")]

#: The most that Ganeti allows: 8, and 32 from commit 69746466c on.
MOST = getattr(constants, "MAX_VIRTIO_NET_QUEUES", 8)

QUEUES = 2


@pytest.fixture
def queues_wanted():
  """How many each NIC has; a test may say otherwise."""
  return QUEUES


def without_vhost(node):
  """Let a NIC have queues, but no vhost_net, by which Ganeti asks for them."""
  plain = node.hyper._GetNetworkDeviceFeatures

  def _GetNetworkDeviceFeatures(*args):
    features, _, nic_extra = plain(*args)
    return (dict(features, vhost=False), "", nic_extra)

  node.hyper._GetNetworkDeviceFeatures = _GetNetworkDeviceFeatures


@pytest.fixture
def queued(node, guest, queues_wanted):
  """Provide a node whose guest is up and has NICs with several queues."""
  without_vhost(node)
  node.start(vhost_net=True, virtio_net_queues=queues_wanted,
             **nodes.boot(guest))
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
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "120")
  before = runtime_devices(queued)
  changed = nodes.nic(0)
  changed.nicparams = dict(changed.nicparams, link="br1")
  queued.hyper.HotModDevice(queued.instance, NIC, changed, None, 0)
  assert runtime_devices(queued) == before
  for name in before:
    if name.startswith("nic-"):
      assert queues(queued, name) == (True, QUEUES)


@pytest.mark.parametrize("queues_wanted", [MOST])
def test_a_nic_has_as_many_queues_as_ganeti_allows(queued, queues_wanted):
  """Each is a descriptor, passed by a message of its own, and two vectors."""
  before = runtime_devices(queued)
  for _ in range(2):
    queued.hot_add(NIC, 2, 2)
    (added, ) = set(runtime_devices(queued)) - set(before)
    for name in (added, sorted(before)[-1]):
      assert queues(queued, name) == (True, queues_wanted)
      assert tell(queued, "qom-get", path="/machine/peripheral/%s" % name,
                  property="vectors") == 2 * queues_wanted + 2
    queued.hot_del(NIC, 2, 2)
    assert runtime_devices(queued) == before
