"""Guests that move, and those that must not.

What is spoilt here is what happens to clusters: a device that is missing from
the runtime file, a runtime file that somebody edited, a target with other
devices. With the plugin the guest stays on its node, and moves once that is
mended.

"""

import contextlib
import copy
import json
import os

import pytest

import cluster
import slots

from cluster import other
from guests import mark
from guests import marks
from slots import IS_Q35
from slots import named
from slots import on_pc

pytestmark = pytest.mark.two_nodes

LARGE, SMALL = "2G", "1G"

#: What the lab's nodes run, and where a test puts its replacement.
QEMU = "/usr/bin/qemu-system-x86_64"
WRAPPED = "/run/wrapped/bin"


def predicted(vm):
  """Return what C{check --live} says that a migration would be refused for."""
  found = cluster.project_command(vm.node(), ["check", "--live", "--json",
                                              vm.name], check=False)
  (entry, ) = json.loads(found.output)["instances"]
  return [f["text"] for f in entry["findings"]
          if f["text"].startswith("a migration would be refused")]


def is_clean(vm, node):
  """Tell whether nothing of an instance is on a node."""
  folders = " ".join("%s/%s" % (cluster.KVM_DIR, folder) for folder in (
    "pid", "ctrl", "conf", "kvm-pci", "nic/" + vm.name))
  found = cluster.on(node, "sh", "-c", "pgrep -f '[n]ame %s' ; ls -A %s"
                     " 2> /dev/null | grep -F %s" % (vm.name, folders, vm.name),
                     check=False).output
  return not found.strip(), found


def check_slots(vm):
  """Check that runtime file and QEMU have the same devices and slots."""
  _, nics, _, disks = vm.runtime()[:4]
  live = dict((device["qdev_id"], device["slot"]) for device in vm.pci())
  for device in nics + [entry[0] for entry in disks]:
    hvinfo = device["hvinfo"]
    slot = slots.of(hvinfo)
    if slot is not None:
      assert live[hvinfo["id"]] == slot, (hvinfo, live)


class Moving(object):
  """A guest whose disks can be told apart."""

  def __init__(self, vm):
    self.vm = vm
    self.home = vm.node()
    self.before = vm.guest()
    mark(vm)
    self.expected = marks(vm, sorted(self.before.disks))
    assert self.expected == dict((name, "%s of %s" % (name, vm.name))
                                 for name in self.before.disks)

  def changes(self, until):
    """Wait for a change that is meant to be."""
    self.before = self.vm.guest(until=until)
    self.expected = dict(item for item in self.expected.items()
                         if item[0] in self.before.disks)

  def is_alive(self):
    """Check that the guest goes on with its devices where Ganeti has it."""
    after = self.vm.guest()
    assert after.uptime > self.before.uptime
    assert (after.pci, after.disks, after.nics) == (
      self.before.pci, self.before.disks, self.before.nics)
    assert marks(self.vm, sorted(self.expected)) == self.expected
    self.before = after

  def stays(self, *words, is_predicted=True):
    """Check that it is not migrated, and why."""
    if is_predicted:
      texts = predicted(self.vm)
      assert texts
      for word in words:
        assert any(word in text for text in texts), (word, texts)
    result = self.vm.migrate(check=False)
    print(result.output)
    assert result.returncode != 0
    for word in words + (self.vm.name, "is not migrated"):
      assert word in result.output
    assert self.vm.node() == self.home
    assert is_clean(self.vm, other(self.home)) == (True, "")
    self.is_alive()

  def moves(self):
    """Check that it can be migrated."""
    assert predicted(self.vm) == []
    self.vm.migrate()
    assert self.vm.node() == other(self.home)
    assert is_clean(self.vm, self.home) == (True, "")
    self.home = self.vm.node()
    self.is_alive()
    assert predicted(self.vm) == []


@pytest.fixture
def moving(vm, plugged):
  vm.add(disks=[{"size": SMALL}, {"size": SMALL}, {"size": LARGE}], nics=2,
         hvparams={"kvm_pci_reservations": 8})
  return Moving(vm)


@contextlib.contextmanager
def edited(vm, change):
  """Have a runtime file edited for a while."""
  data = vm.runtime()
  spoilt = copy.deepcopy(data)
  change(spoilt)
  vm.write_runtime(json.dumps(spoilt))
  try:
    yield
  finally:
    vm.write_runtime(json.dumps(data))


def edited_for_good(vm, change):
  """Have a runtime file edited."""
  data = vm.runtime()
  change(data)
  vm.write_runtime(json.dumps(data))


def swap(one, another, key):
  one[key], another[key] = another[key], one[key]


#: What tells in a runtime file where a device is.
WHERE = "bus" if IS_Q35 else "addr"


def exchange(first, second, key=WHERE):
  def change(data):
    swap(data[3][first][0]["hvinfo"], data[3][second][0]["hvinfo"], key)
  return change


def exchange_data(data):
  for at in (1, 2):
    swap(data[3][0], data[3][1], at)


def exchange_nics(data):
  swap(data[1][0]["hvinfo"], data[1][1]["hvinfo"], WHERE)


def exchange_macs(data):
  swap(data[1][0], data[1][1], "mac")


def move(data):
  data[3][1][0]["hvinfo"].update(slots.address(20))


def forget(data):
  del data[3][1]


def test_a_migration_that_would_damage_a_guest_is_refused(moving):
  vm = moving.vm
  for change, words in (
      (exchange(0, 1), (named(8) + " in the",
                        named(9) + " in the runtime file")),
      (exchange(0, 2), (named(8) + " in the",
                        named(10) + " in the runtime file")),
      (exchange_nics, (named(24) + " in the",
                       named(25) + " in the runtime file")),
      (exchange_macs, (named(24) + ", nic 0", "MAC address")),
      (move, ("%s in the runtime file, %s in QEMU" % (named(20), named(9)), )),
      (forget, (named(9) + ": virtio-blk-pci", ))):
    print(words)
    with edited(vm, change):
      moving.stays(*words)
  vm.qmp("device_add", driver="virtio-rng-pci", id="hand",
         **slots.address(16))
  moving.changes(lambda r: len(r.pci) > len(moving.before.pci))
  moving.stays("(id hand)", "device_del hand")
  vm.qmp("device_del", id="hand")
  moving.changes(lambda r: len(r.pci) < len(moving.before.pci))
  moving.moves()
  moving.moves()


def test_a_target_with_other_devices_is_given_up(moving):
  # as it is with another kvm_extra, or another QEMU
  for options, words in (
      ("-device virtio-rng-pci", ("nothing on the source", "virtio-rng-pci on"
                                  " the target")),
      ("-device virtio-rng-pci,id=more,addr=0x1e", ("slot 30", "more"))):
    with wrapped("node2", options):
      moving.stays(*words, is_predicted=False)
  moving.moves()


@contextlib.contextmanager
def wrapped(node, options):
  """Have a node's QEMU wait for guests with more options."""
  script = """#!/bin/sh
case "$*" in *-incoming*) exec %s/real "$@" %s;; esac
exec %s/real "$@"
""" % (WRAPPED, options, WRAPPED)
  # QEMU looks for its modules and firmware beside the folder that it is in
  cluster.on(node, "sh", "-c", "mkdir -p %(f)s && touch %(f)s/real && mount"
             " --bind %(q)s %(f)s/real && ln -sfn /usr/lib %(f)s/../lib &&"
             " ln -sfn /usr/share %(f)s/../share" % {"f": WRAPPED, "q": QEMU})
  cluster.write_file(node, WRAPPED + "/kvm", script, "755")
  cluster.on(node, "mount", "--bind", WRAPPED + "/kvm", QEMU)
  try:
    yield
  finally:
    # on unmodified Ganeti, a guest may run from there
    for path in (QEMU, WRAPPED + "/real"):
      cluster.on(node, "umount", "-l", path)


def test_what_qemu_lost_does_not_move_and_stays_in_the_file(moving):
  vm = moving.vm
  lost = vm.runtime()[3][1][0]["hvinfo"]["id"]
  vm.qmp("device_del", id=lost)
  moving.changes(lambda r: len(r.disks) == 2)
  vm.migrate()
  assert vm.node() == "node2"
  moving.is_alive()
  assert lost not in [device["qdev_id"] for device in vm.pci()]
  # the configuration has it, and the next boot brings it back
  runtime = vm.runtime()
  assert len(runtime) == 4
  assert lost in [entry[0]["hvinfo"]["id"] for entry in runtime[3]]


def shuffle(vm):
  """Have a second disk, by hotplug alone, and two links that are exchanged.

  Both are linked as the first and as the second disk, and are the other.

  """
  for number, change in enumerate(["0:add,size=1G", "1:add,size=1G",
                                   "0:remove"]):
    vm.modify("--disk", change)
    vm.guest(until=lambda r: len(r.disks) == (2, 3, 2)[number])
  return Moving(vm)


def test_disks_keep_their_data_whatever_their_index(vm, plugged):
  vm.add(disks=1, nics=1)
  guest = shuffle(vm)
  guest.moves()
  # links are made by index: the second disk is the first from now on
  vm.modify("--disk", "0:remove")
  guest.changes(lambda r: len(r.disks) == 1)
  guest.moves()


def test_exchanged_links_are_put_right(moving):
  edited_for_good(moving.vm, exchange_data)
  moving.moves()


PLAIN = {"kvm_pci_reservations": 8}
CASES = {
  "cold booted": (PLAIN, 3, 2),
  "hotplugged": (PLAIN, 3, 2),
  "old layout": ({}, 3, 2),
  "SCSI": ({"disk_type": "scsi-hd", "scsi_controller_type": "virtio-scsi-pci"},
           2, 1),
  "16 and 8": (PLAIN, 16, 8),
  "overflowed": (dict(PLAIN, kvm_extra=" ".join(
    ["-device virtio-rng-pci"] * 9)), 2, 1),
  }


#: make test-torn goes through all.
_SAMPLE = ["SCSI", "hotplugged", "overflowed"]


@on_pc
@pytest.mark.parametrize("case", sorted(CASES) if os.environ.get("TORN") else
                         _SAMPLE)
def test_it_moves_between_plugin_and_unmodified_ganeti(vm, plugin, case):
  """Three migrations, with the plugin on both nodes, on the source, on the
  target.

  """
  hvparams, disks, nics = CASES[case]
  plugin("disable" if case == "old layout" else "enable")
  vm.add(disks=disks, nics=nics, hvparams=hvparams)
  guest = Moving(vm)
  if case == "old layout":
    plugin("enable")
  elif case != "16 and 8":
    vm.modify("--disk", "add:size=1G")
    vm.modify("--net", "add")
    guest.changes(lambda r: len(r.nics) == nics + 1 and
                  len(r.disks) == disks + 1)
  if case == "hotplugged":
    vm.modify("--disk", "1:remove")
    vm.modify("--net", "0:remove")
    guest.changes(lambda r: len(r.nics) == nics and len(r.disks) == disks)
  guest.moves()
  plugin("disable", "node1")
  assert predicted(vm) == []
  for target in ("node1", "node2"):
    vm.migrate()
    assert vm.node() == target
    assert is_clean(vm, other(target)) == (True, "")
    guest.is_alive()
    check_slots(vm)
  # what travelled was not kept, or does no harm
  assert len(vm.runtime()) == 4
