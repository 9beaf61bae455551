"""Guests whose slots stay, by tags, on a real QEMU."""

import pytest

from ganeti import constants

from ganeti_kvm_pci.runtime import placement
from ganeti_kvm_pci.runtime import serialized

import nodes

pytestmark = pytest.mark.skipif(not nodes.ON_PC, reason="slots of pci.0")

RESERVATIONS = {"kvm_pci_reservations": 8} if "kvm_pci_reservations" in \
  constants.HVC_DEFAULTS[constants.HT_KVM] else {}


def runtime_of(node):
  return serialized.parse(node.hyper._ReadKVMRuntime(node.instance.name), "f")


def tags_from(first):
  """Tag two disks and two NICs with the slots that older Ganetis gave."""
  return ["kvm-pci:disk:%s:%d" % (nodes.disk(0).uuid[:8], first),
          "kvm-pci:disk:%s:%d" % (nodes.disk(1).uuid[:8], first + 1),
          "kvm-pci:nic:%s:%d" % (nodes.nic(0).uuid[:8], first + 2),
          "kvm-pci:nic:%s:%d" % (nodes.nic(1).uuid[:8], first + 3)]


@pytest.mark.parametrize("first, added", [(3, 8), (4, 8), (12, 16)])
def test_old_slots_stay_and_hotplug_goes_on(node, which, first, added):
  if which == "unmodified":
    pytest.skip("it takes no notice of tags")
  frozen = ([first, first + 1], [first + 2, first + 3])
  tags = tags_from(first)
  node.start(paused=True, tags=tags, **RESERVATIONS)
  assert node.agreed_slots() == frozen
  assert sorted(placement.tags(runtime_of(node)).values()) == sorted(tags)
  # QEMU's own are elsewhere
  own = node.own()
  assert len(own) >= 4 and not own & set(range(first, first + 4))
  node.hot_add(nodes.DISK, 2, 2)
  node.hot_add(nodes.NIC, 2, 2)
  with_both = (frozen[0] + [added], frozen[1] + [24])
  assert node.agreed_slots() == with_both
  # a target without the first disk has all the rest where it was
  loaded = runtime_of(node)
  del loaded.disks[0]
  node.stop()
  with open(node.hyper._InstanceKVMRuntime(node.instance.name), "w") as stream:
    stream.write(loaded.dump())
  node.start_from_file()
  assert node.agreed_slots() == (with_both[0][1:], with_both[1])
  assert node.own() == own
  # and a cold boot is as the first, with what was added beside
  node.stop()
  node.start(3, 3, paused=True, tags=tags, **RESERVATIONS)
  assert node.agreed_slots() == with_both


def test_tags_of_nowhere_keep_no_guest_from_starting(node, which):
  if which == "unmodified":
    pytest.skip("it takes no notice of tags")
  node.start(paused=True, tags=[
    "kvm-pci:disk:%s:2" % nodes.disk(0).uuid[:8],
    "kvm-pci:disk:%s:rp11" % nodes.disk(1).uuid[:8],
    "kvm-pci:nic:%s:32" % nodes.nic(0).uuid[:8],
    "kvm-pci:nic:%s:1" % nodes.nic(1).uuid[:8], "kvm-pci:nic:?"],
             **RESERVATIONS)
  assert node.agreed_slots() == ([8, 9], [24, 25])
