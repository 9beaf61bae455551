"""A removal that times out, until Ganeti's own watcher finishes it."""

import pytest

import cluster

pytestmark = [pytest.mark.usefixtures("plugged"), pytest.mark.two_nodes]

HOOK = "/etc/ganeti/hooks/watcher/ganeti-kvm-pci"


@pytest.fixture
def limited():
  """A second for each guest."""
  with cluster.hotplug_limit(1):
    yield


def entry_of(vm, device_id):
  (entry, ) = cluster.pci_map(vm)
  return ([device for device in entry["devices"]
           if device["id"] == device_id] or [None])[0]


def watch(node):
  """Run Ganeti's watcher; it has nothing to say of our program.

  @return: what its log has more

  """
  log = "/var/log/ganeti/watcher.log"
  cluster.on(node, "touch", log)
  before = int(cluster.on(node, "stat", "-c", "%s", log).output)
  cluster.on(node, "ganeti-watcher", "--ignore-pause", "--debug", check=False)
  return cluster.on(node, "tail", "-c", "+%d" % (before + 1), log).output


def test_ganetis_watcher_finishes_a_removal_that_timed_out(vm, limited):
  # not the master
  vm.add("--node=node2.gnt.test", disks=1, nics=2)
  assert vm.node() == "node2"
  device_id = vm.runtime()[1][1]["hvinfo"]["id"]
  vm.guest()
  vm.qmp("stop")
  output = vm.modify("--net", "1:remove").output
  assert "timed out after 1 s" in output and device_id in output
  assert entry_of(vm, device_id)["requested"]
  checked = cluster.project_command("node2", ["check", vm.name], check=False)
  assert checked.returncode == 1
  assert "removal requested at " in checked.output
  # the guest has not completed it
  assert "Watcher hook ganeti-kvm-pci: success" in watch("node2")
  assert entry_of(vm, device_id)["requested"]
  vm.qmp("cont")
  vm.until_ejected(device_id)
  said = watch("node2")
  assert "Watcher hook ganeti-kvm-pci: success" in said
  assert entry_of(vm, device_id) is None
  assert len(vm.runtime()[1]) == 1
  # one line where it has something to say
  assert said.count("%s: repaired: nic 1 (%s): removed from" %
                    (vm.name, device_id)) == 1
  assert "repaired" not in watch("node2")


def test_disable_removes_the_watchers_program(plugin):
  plugin("enable")
  for node in cluster.NODES:
    cluster.on(node, "test", "-x", HOOK)
  plugin("disable")
  for node in cluster.NODES:
    assert cluster.on(node, "test", "-e", HOOK, check=False).returncode == 1
