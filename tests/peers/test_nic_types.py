"""NICs of each type and number of queues: added, removed, moved.

What vhost_net needs is a device of the host's kernel, C{/dev/vhost-net}. Where
there is none, what QEMU is asked for is looked at, and what is left when that
fails.

"""

import os

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from qemu_state import agree
from test_faults import id_of, text_of
from test_migration import Pair
from test_multiqueue import queues, without_vhost
from nodes import NIC
import nodes

pytestmark = [
  pytest.mark.usefixtures("patient"),
  pytest.mark.parametrize("which", ["plugin"], indirect=True),
  pytest.mark.skipif(
    not hasattr(hv_kvm.KVMHypervisor, "_GetNetworkDeviceFeatures"),
    reason="there are no queues before 2.12")]

VHOST = "/dev/vhost-net"

NEEDS_VHOST = pytest.mark.skipif(not os.path.exists(VHOST),
                                 reason="this host has no %s" % VHOST)

#: Type, queues, vhost_net.
TYPES = [
  pytest.param("paravirtual", 1, False, id="virtio, 1 queue"),
  pytest.param("paravirtual", 4, False, id="virtio, 4 queues"),
  pytest.param("paravirtual", 8, False, id="virtio, 8 queues"),
  pytest.param("paravirtual", 1, True, id="vhost, 1 queue",
               marks=NEEDS_VHOST),
  pytest.param("paravirtual", 4, True, id="vhost, 4 queues",
               marks=NEEDS_VHOST),
  pytest.param("paravirtual", 8, True, id="vhost, 8 queues",
               marks=NEEDS_VHOST),
  pytest.param("e1000", 1, False, id="e1000"),
  pytest.param("rtl8139", 1, False, id="rtl8139"),
  ]


@pytest.mark.parametrize("nic_type,count,vhost", TYPES)
def test_a_nic_is_added_removed_and_moves(which, guest, tmpdir, nic_type, count,
                                          vhost):
  pair = Pair(which, which, str(tmpdir))
  try:
    if not vhost:
      for node in (pair.source, pair.target):
        without_vhost(node)
    pair.start(guest, nic_type=nic_type, vhost_net=vhost or count > 1,
               virtio_net_queues=count)
    source = pair.source
    source.wait_for_ports()
    before = agree(source, count).devices
    for number in (4, 5):
      source.hot_add(NIC, number, number - 2)
    source.wait_until_guest_sees(2, 4)
    for number in (4, 5):
      if nic_type == "paravirtual" and count > 1:
        assert queues(source, id_of(NIC, number)) == (True, count)
    source.hot_del(NIC, 4, 2)
    source.wait_until_guest_sees(2, 3)
    found = agree(source, count).devices
    assert set(found) - set(before) == set([id_of(NIC, 5)])
    pair.arrives(pair.accept())
    target = pair.target
    assert agree(target, count).devices == found
    if nic_type == "paravirtual" and count > 1:
      assert queues(target, id_of(NIC, 5)) == (True, count)
    target.wait_until_guest_sees(2, 3)
    target.hot_del(NIC, 5, 2)
    target.hot_add(NIC, 6, 2)
    target.wait_until_guest_sees(2, 3)
    agree(target, count)
  finally:
    pair.stop()


def asked_for(node, monkeypatch, opened=None):
  """Hot-add a NIC with vhost_net, which fails.

  @param opened: what to open instead of L{VHOST}; QEMU gets one name more than
      there are, which it refuses (7.2 ends if a descriptor is of another device)
  @return: what QEMU was asked for, and the error's text

  """
  asked = []
  (name, ) = [name for name in ("Execute", "execute_qmp")
              if hasattr(hv_kvm.QmpConnection, name)]
  plain = getattr(hv_kvm.QmpConnection, name)
  plain_open = os.open

  def execute(self, command, arguments=None):
    asked.append((command, arguments))
    if command == "netdev_add" and arguments.get("vhostfds"):
      arguments = dict(arguments, vhostfds=arguments["vhostfds"] + ":more")
    return plain(self, command, arguments)

  def open_(path, *args, **kwargs):
    return plain_open(opened if path == VHOST and opened else path, *args,
                      **kwargs)

  with monkeypatch.context() as patched:
    patched.setattr(hv_kvm.QmpConnection, name, execute)
    patched.setattr(os, "open", open_)
    with pytest.raises(errors.HotplugError) as caught:
      node.hot_add(NIC, 4, 2)
  return asked, text_of(caught)


@pytest.mark.skipif(os.path.exists(VHOST), reason="this host has %s" % VHOST)
@pytest.mark.parametrize("count", [1, 4, 8])
def test_vhost_net_that_this_host_lacks(node, monkeypatch, count):
  plain = node.hyper._GetNetworkDeviceFeatures
  without_vhost(node)
  node.start(paused=True, vhost_net=True, virtio_net_queues=count)
  node.hyper._GetNetworkDeviceFeatures = plain
  before = agree(node, count).devices
  # nothing is opened
  asked, text = asked_for(node, monkeypatch)
  assert "Failed to open %s" % VHOST in text
  assert nodes.NAME in text and id_of(NIC, 4) in text
  assert "netdev_add" not in dict(asked)
  assert agree(node, count).devices == before
  # QEMU is asked, and refuses
  nulls = opened(node).count("/dev/null")
  asked, text = asked_for(node, monkeypatch, "/dev/null")
  arguments = dict(asked)["netdev_add"]
  assert len(arguments["vhostfds"].split(":")) == count
  assert arguments["vhost"] in (True, "on")
  assert "vhost" in text and nodes.NAME in text
  assert agree(node, count).devices == before
  # none of what was passed stays open in QEMU
  assert opened(node).count("/dev/null") == nulls
  without_vhost(node)
  node.hot_add(NIC, 4, 2)
  assert queues(node, id_of(NIC, 4))[1] == count
  agree(node, count)


def opened(node):
  """List what QEMU has open."""
  folder = "/proc/%d/fd" % node.pid()
  return [os.readlink(os.path.join(folder, name))
          for name in os.listdir(folder)]
