"""What becomes of the tags by which slots stay, in Ganeti's own commands.

"""

import os

import pytest

import cluster

pytestmark = pytest.mark.two_nodes

#: A node's own folder, so that there is something to move between nodes.
FILES = "/srv/ganeti/file-storage"

#: As Ganeti has them, but for the size of disks.
BOUNDS = ("min:cpu-count=1,disk-count=1,disk-size=%d,memory-size=128,"
          "nic-count=1,spindle-use=1/max:cpu-count=8,disk-count=16,"
          "disk-size=1048576,memory-size=32768,nic-count=8,spindle-use=12")


@pytest.fixture
def local_files():
  """Have small disks, in a folder of each node's own."""
  cluster.gnt("cluster", "modify", "--ipolicy-bounds-specs", BOUNDS % 16)
  for node in cluster.NODES:
    own = "/srv/lab/files-" + node
    cluster.on(node, "sh", "-c", "mkdir -p %s && mount --bind %s %s" % (
      own, own, FILES))
  yield
  for node in cluster.NODES:
    cluster.on(node, "umount", FILES)
  cluster.gnt("cluster", "modify", "--ipolicy-bounds-specs", BOUNDS % 1024)


def tags(vm):
  return sorted(vm.config()["tags"])


def uuids(vm):
  """Return the uuids of disks, and of NICs."""
  config = vm.config()
  return ([disk if isinstance(disk, str) else disk["uuid"]
           for disk in config["disks"]],
          [nic["uuid"] for nic in config["nics"]])


def slots(vm):
  """Return those of disks, and of NICs, in QEMU."""
  found = dict((entry["qdev_id"], entry["slot"]) for entry in vm.pci())
  (disks, nics) = uuids(vm)
  return [next(slot for name, slot in found.items() if uuid[:8] in name)
          for uuid in disks + nics]


def wanted(vm, numbers):
  """Return the tags that keep the devices at these slots."""
  (disks, nics) = uuids(vm)
  named = [("disk", uuid) for uuid in disks] + [("nic", uuid) for uuid in nics]
  return sorted("kvm-pci:%s:%s:%d" % (device_class, uuid[:8], number)
                for (device_class, uuid), number in zip(named, numbers))


def changed(vm, devices):
  """Tell whether disks, and NICs, are others than before."""
  now = uuids(vm)
  assert [len(members) for members in now] == [
    len(members) for members in devices]
  return [not set(new) & set(old) for new, old in zip(now, devices)]


@pytest.fixture
def frozen_vm(vm, unmodified, installed, local_files, eight_reserved,
              plugin_state):
  """A stopped instance on node1, frozen where unmodified Ganeti had it.

  """
  del unmodified, local_files, eight_reserved
  vm.add("--disk-template=file", disks=2, nics=2, size="16M",
         hvparams={"kvm_pci_reservations": 12})
  installed("freeze", vm.name)
  assert tags(vm) == wanted(vm, [12, 13, 14, 15])
  # whatever its OS has of others
  vm.set_hvparams(kvm_pci_reservations=8)
  vm.stop()
  plugin_state.switch(True)
  return vm


def test_tags_stay_with_the_instance(frozen_vm, another_vm, installed):
  vm = frozen_vm
  (frozen, devices) = (tags(vm), uuids(vm))
  cluster.gnt("instance", "grow-disk", vm.name, "0", "16M")
  # its disks are lost
  cluster.on("node1", "sh", "-c", "rm -r %s/*" % FILES)
  cluster.gnt("instance", "recreate-disks", vm.name)
  assert (tags(vm), uuids(vm)) == (frozen, devices)
  vm.modify("--disk", "0:detach", hot=False)
  assert tags(vm) == frozen
  vm.modify("--disk", "0:attach,uuid=" + devices[0][0], hot=False)
  vm.rename(another_vm.name)
  assert (tags(vm), uuids(vm)) == (frozen, devices)
  vm.start()
  assert slots(vm) == [12, 13, 14, 15]
  vm.stop()
  # another template: new disks, and the tags of those that were keep their
  # slots free
  vm.modify("-t", "sharedfile", hot=False)
  assert tags(vm) == frozen
  assert changed(vm, devices) == [True, False]
  vm.start()
  assert slots(vm) == [8, 9, 14, 15]
  said = installed("freeze", vm.name)
  assert [line for line in said.split("\n") if "removed: " in line] == [
    "  removed: " + tag for tag in frozen if ":disk:" in tag], said
  assert tags(vm) == wanted(vm, [8, 9, 14, 15])
  vm.failover()
  assert vm.node() == "node2"
  assert slots(vm) == [8, 9, 14, 15]


@pytest.mark.skipif("TAGS" not in os.environ, reason="make test-tags")
def test_tags_go_where_the_instance_goes(frozen_vm, installed):
  vm = frozen_vm
  (frozen, devices) = (tags(vm), uuids(vm))
  cluster.gnt("instance", "move", "--force", "-n", "node2.gnt.test", vm.name)
  assert vm.node() == "node2"
  assert (tags(vm), uuids(vm)) == (frozen, devices)
  # what is imported has the tags, and other devices
  cluster.gnt("backup", "export", "--remove-instance", "--node=node1.gnt.test",
              vm.name)
  cluster.gnt("backup", "import", "--node=node1.gnt.test",
              "--src-node=node1.gnt.test", "--src-dir=" + vm.name,
              "--no-ip-check", "--no-name-check",
              "--disk-template=sharedfile", vm.name)
  assert tags(vm) == frozen
  assert changed(vm, devices) == [True, True]
  assert "left as it is" in installed("freeze", vm.name)
  vm.start()
  assert slots(vm) == [8, 9, 24, 25]
  vm.stop()
  # as the documents tell, by hand
  cluster.gnt("instance", "remove-tags", vm.name, *frozen)
  cluster.gnt("instance", "add-tags", vm.name, *wanted(vm, [12, 13, 14, 15]))
  vm.start()
  assert slots(vm) == [12, 13, 14, 15]
  assert "nothing changes" in installed("freeze", vm.name)
