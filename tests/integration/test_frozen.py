"""Guests whose slots stay, by tags, on a real QEMU.

Of the genuine runtime files, one of each release and layout; with
C{RUNTIME_FILES=all} in the environment, all of them.

"""

import glob
import io
import json
import os

import pytest

from ganeti import constants
from ganeti import objects

from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.node import runtime_files
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import placement
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import upgrade

import nodes
import test_old_runtime_files as old

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


#: Those that a guest boots: its own view is compared as well.
BOOTED = ["v2.10.8-hdaspice+hotplug", "v3.0.2-hdaspice+hotplug"]


def names():
  """List runtime files of 2.10 and later, whose devices have slots."""
  found = [os.path.basename(path)[:-len(".runtime")] for path in
           sorted(glob.glob(os.path.join(old.DATA, "*.runtime")))]
  found = [name for name in found if (2, 10) <= old._version_of(name) <=
           old.VERSION]
  if old.VERSION >= (3, 1):
    # it has no such disks any more
    found = [name for name in found if "hdaspicescsi" not in name]
  if os.environ.get("RUNTIME_FILES") == "all":
    return found
  kept = {}
  for name in found:
    table = device_table.DeviceTable(read(name))
    kept[tuple((d.device_class, d.slot) for d in table.devices
               if d.index is not None)] = name
    kept[old._version_of(name)] = name
  return sorted(set(kept.values()) | set(BOOTED).intersection(found))


def read(name):
  path = os.path.join(old.DATA, name + ".runtime")
  with io.open(path, encoding="utf-8") as stream:
    return serialized.parse(stream.read(), name)


def slots_of(loaded):
  return dict(((d.device_class, d.index), d.slot)
              for d in device_table.DeviceTable(loaded).devices
              if d.index is not None)


class OldGuest(object):
  """The guest of a runtime file, which runs as its Ganeti started it.

  @ivar tags: by which it stays as it is

  """
  def __init__(self, node, name, guest):
    self.node = node
    self._boot = nodes.boot(guest)
    old.adopt(node, name, guest)
    self.loaded = self._file()
    upgrade.normalise(self.loaded, old.VERSION)
    self.tags = sorted(placement.tags(self.loaded).values())

  def _file(self):
    path = self.node.hyper._InstanceKVMRuntime(self.node.instance.name)
    with io.open(path, encoding="utf-8") as stream:
      return serialized.parse(stream.read(), path)

  def slots(self):
    """Tell where QEMU has them, which is where the runtime file has them.

    Of a disk elsewhere than on the PCI bus, None.

    """
    loaded = self._file()
    upgrade.normalise(loaded, old.VERSION)
    live = self.node.live()
    for device in device_table.DeviceTable(loaded).devices:
      if device.index is not None and device.slot is not None:
        assert live.get(device.slot) == device.id, (device, live)
    return slots_of(loaded)

  def boots(self, tags, paused=True):
    """Boot it, as Ganeti does from the configuration."""
    self.node.stop()
    instance = self.node.instance
    instance.hvparams.update(self._boot, vhost_net=False)
    instance.tags = set(tags)
    instance.nics = [
      objects.NIC(uuid=nic["uuid"], mac=nic["mac"], network=None,
                  nicparams={"mode": "bridged", "link": "br0"})
      for nic in self.loaded.nics]
    disks = [(objects.Disk(uuid=disk[0]["uuid"], mode="rw", dev_type="file",
                           params={}, size=1), self.node.image(index), None)
             for index, disk in enumerate(self.loaded.disks)]
    self.node.hyper.StartInstance(instance, disks, paused)
    return self.slots()

  def plan(self, monkeypatch, capsys, *options):
    """Ask C{plan} where disks and NICs will be.

    @return: as L{slots}, of those that move

    """
    monkeypatch.setattr(runtime_files, "control_dir", lambda name: os.path.join(
      self.node.folder, {"pid": "pids"}.get(name, name) + "_dir"))
    capsys.readouterr()
    entry.main(["plan", "--reservations", "8", "--json"] + list(options) +
               [self.node.instance.name])
    (found, ) = json.loads(capsys.readouterr()[0])["instances"]
    assert not found["error"], found
    return dict(((m["class"], m["index"]), m["new"]) for m in found["moves"]
                if m["index"] is not None and m["unit"] == "slot")


@pytest.fixture
def old_guest(request, node, which, guest):
  if which == "unmodified":
    pytest.skip("it takes no notice of tags")
  return OldGuest(node, request.param, guest)


@pytest.mark.parametrize("old_guest", names(), indirect=True)
def test_a_frozen_guest_of_an_older_ganeti_never_moves(request, old_guest,
                                                       monkeypatch, capsys):
  name = request.node.callspec.params["old_guest"]
  before = slots_of(old_guest.loaded)
  if not old._never_booted(name):
    old_guest.node.start_from_file()
    assert old_guest.slots() == before
  assert old_guest.plan(monkeypatch, capsys, "--frozen") == {}
  moved = dict(before)
  moved.update(old_guest.plan(monkeypatch, capsys))
  assert old_guest.boots(old_guest.tags, paused=name not in BOOTED) == before
  if name in BOOTED:
    disks, nics = old.guests_view(old_guest.node.wait_for_guest())
    assert sorted(disks) == sorted(slot for (device_class, _), slot in
                                   before.items() if device_class == "disk")
    assert nics == dict((nic["mac"], before["nic", index]) for index, nic in
                        enumerate(old_guest.loaded.nics))
  # and without tags they are where plan says
  assert old_guest.boots([]) == moved
  assert moved != before
