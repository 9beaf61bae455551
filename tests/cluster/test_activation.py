"""Enabling the plugin on real nodes, and disabling it again."""

import os
import re
import site

import pytest

import cluster

pytestmark = pytest.mark.two_nodes


def slots(vm):
  """Return the slots of disks and NICs by the runtime file."""
  _, nics, _, disks = vm.runtime()[:4]
  return ([int(entry[0]["hvinfo"]["addr"], 16) for entry in disks],
          [int(nic["hvinfo"]["addr"], 16) for nic in nics])


def test_status_tells_what_is_installed_and_what_runs(plugin):
  plugin("disable")
  result = plugin("status", "node1")["node1"].output
  assert re.search(r"^Ganeti       3\.\S+ \(version 3\.\d\): supported$", result,
                   re.M)
  assert "hook         absent" in result
  assert "without the plugin" in result
  # in place, but the running daemon does not have it yet
  enabled = cluster.project_command("node1", ["enable"])
  assert "must be restarted" in enabled.output
  status = plugin("status", "node1", check=False)["node1"]
  assert status.returncode == 2
  assert "runs without it" in status.output
  assert "hook         in place" in status.output
  assert "without the plugin; restart it" in status.output
  result = plugin("enable", "node1")["node1"].output
  assert "already in place" in result
  assert "node daemon restarted, with the plugin" in result
  status = plugin("status", "node1")["node1"]
  assert status.returncode == 0 and "with the plugin" in status.output
  # nothing is restarted where nothing has to change
  assert "restarted" not in plugin("enable", "node1")["node1"].output
  assert "restarted, without" in plugin("disable", "node1")["node1"].output


def test_the_clusters_tag_reaches_a_node_that_is_added_later(plugin):
  plugin("disable")
  cluster.gnt("cluster", "add-tags", "ganeti-kvm-pci")
  try:
    for node in ("node1", "node2"):
      status = plugin("status", node, check=False)[node]
      assert status.returncode == 2 and "enable --restart" in status.output
    cluster.gnt("node", "remove", "node2.gnt.test")
    assert plugin("status", "node2")["node2"].returncode == 0
    cluster.gnt("node", "add", "--no-ssh-key-check", "node2.gnt.test")
    status = plugin("status", "node2", check=False)["node2"]
    assert status.returncode == 2
    assert "the cluster has the tag ganeti-kvm-pci" in status.output
    plugin("enable", "node2")
    assert plugin("status", "node2")["node2"].returncode == 0
  finally:
    cluster.gnt("cluster", "remove-tags", "ganeti-kvm-pci")
  plugin("disable")
  assert plugin("status", "node2")["node2"].returncode == 0


def test_on_an_unknown_ganeti_the_daemon_starts_without_it(plugin):
  """A node whose Ganeti says that it is 3.9.

  The version is overridden by a module that the hook's package has beside it,
  so that nothing of Ganeti is changed.

  """
  path = os.path.join(site.getsitepackages()[0], "zz-version.pth")
  line = ("import sys; sys.path.insert(0, %r); import ganeti.constants as c;"
          " c.VERSION_MINOR = 9; c.RELEASE_VERSION = '3.9.0';"
          " sys.path.pop(0)\n" % cluster.TREE)
  log = "/var/log/ganeti/node-daemon.log"
  before = os.path.getsize(log)
  with open(path, "w") as stream:
    stream.write(line)
  try:
    result = plugin("enable", "node1", check=False)["node1"]
    assert result.returncode == 1
    assert "Ganeti 3.9.0 is not supported by this plugin" in result.output
    for action in ("stop", "start"):
      cluster.daemon_util("node1", action)
    status = plugin("status", "node1", check=False)["node1"]
    assert "running" in status.output and "without the plugin" in status.output
    with open(log) as stream:
      stream.seek(before)
      said = [line for line in stream if "ganeti-kvm-pci stays off" in line]
    assert len(said) == 1 and "3.9.0" in said[0]
  finally:
    os.unlink(path)
    plugin("disable", "node1")


def test_a_guest_of_the_plugin_runs_on_without_it(vm, plugin):
  plugin("enable")
  vm.add(disks=2, nics=2, hvparams={"kvm_pci_reservations": 8})
  assert slots(vm) == ([8, 9], [24, 25])
  before = vm.guest()
  plugin("disable")
  assert "hotplug:done" in vm.modify("--net", "add").output
  assert "hotplug:done" in vm.modify("--disk", "add:size=1G").output
  # unmodified Ganeti's choice: the first free slot of its one pool
  assert slots(vm) == ([8, 9, 11], [24, 25, 10])
  for _ in range(2):
    vm.migrate()
    after = vm.guest(until=lambda r: len(r.disks) == 3)
    assert after.uptime > before.uptime
    assert sorted(after.disks.values()) == [8, 9, 11]
  assert "hotplug:done" in vm.modify("--net", "2:remove").output
  vm.stop()
  vm.start()
  assert slots(vm) == ([8, 9, 10], [11, 12])


def test_disabling_names_the_guests_that_lose_hotplug(vm, plugin):
  """Unmodified Ganeti chooses a slot without a look at QEMU's own devices."""
  plugin("enable")
  vm.add(disks=2, nics=2, hvparams={
    "kvm_pci_reservations": 8,
    "kvm_extra": " ".join(["-device virtio-rng-pci"] * 6)})
  vm.guest()
  result = plugin("disable", "node1", check=False)["node1"]
  assert result.returncode == 1
  assert "beyond their range in %s" % vm.name in result.output
  failed = vm.modify("--disk", "add:size=1G", check=False).output
  assert "hotplug:failed" in failed
  # still alive, and the plugin goes on with it
  plugin("enable", "node1")
  assert "hotplug:done" in vm.modify("--net", "add").output
  vm.guest(until=lambda r: 26 in r.pci)
  # nor would it start; what is said of that is true, and so is the remedy
  result = plugin("disable", "node1")["node1"]
  said = re.search(
    r"^ganeti-kvm-pci: %s does not start on a node without the plugin: QEMU has"
    r" \d+ devices of its own, and kvm_pci_reservations is 8;"
    r" gnt-(instance modify -H \S+ %s)$" % (vm.name, vm.name), result.output,
    re.M)
  vm.stop()
  assert vm.start(check=False).returncode != 0
  cluster.gnt(*said.group(1).split())
  vm.start()
  vm.guest()


def test_a_q35_guest_needs_the_plugin(vm, plugin):
  """A mixed cluster of a Ganeti that does not know q35."""
  plugin("disable", "node2")
  plugin("enable", "node1")
  vm.add("--node=node1.gnt.test", disks=2, nics=2,
         hvparams={"machine_version": "q35"})
  before = vm.guest()
  runtime = vm.runtime()[:4]
  for _ in range(2):
    refused = vm.migrate(check=False)
    assert refused.returncode != 0
    text = " ".join(refused.output.split())
    assert ("instance %s is a q35 guest and cannot move to a node without"
            " ganeti-kvm-pci; enable it there (ganeti-kvm-pci enable --restart)"
            " and migrate again" % vm.name) in text
    assert vm.node() == "node1"
    after = vm.guest()
    assert after.uptime > before.uptime and after.disks == before.disks
    assert vm.runtime()[:4] == runtime
  # what disable says is so, and so is its remedy
  plugin("enable", "node2")
  vm.migrate()
  assert vm.node() == "node2"
  # the type travels with its version
  words = runtime[0]
  named = vm.runtime()[0][words.index("-machine") + 1]
  assert re.match(r"pc-q35-\d+\.\d+$", named)
  words[words.index("-machine") + 1] = named
  assert vm.runtime()[:4] == runtime
  said = plugin("disable", "node2", check=False)["node2"]
  assert said.returncode == 1
  line = re.search(
    r"%s takes no hot-add and no cold boot on a node without the plugin: it is"
    r" a q35 guest, and Ganeti \S+ does not know q35; leave the plugin on, or set"
    r" its machine type to pc before its next cold boot: gnt-(instance modify"
    r" -H \S+ %s)$" % (vm.name, vm.name), said.output, re.M)
  assert line, said.output
  failed = vm.modify("--disk", "add:size=1G", check=False).output
  assert "hotplug:failed" in failed
  # back to where the plugin is, it hotplugs; what it missed is a disk of the
  # configuration
  vm.migrate()
  assert vm.node() == "node1"
  assert "hotplug:done" in vm.modify("--net", "add").output
  # a failover asks nobody
  over = vm.failover(check=False)
  assert over.returncode != 0
  assert "Failed to start instance %s: exited with exit code 1 ()" % vm.name in \
    over.output
  assert vm.node() == "node2"
  # QEMU has said why, where unmodified Ganeti does not look
  assert "Bus 'pci.0' not found" in cluster.on(
    "node2", "cat", "/var/log/ganeti/kvm/%s.log" % vm.name).output
  cluster.gnt(*line.group(1).split())
  vm.start()
  vm.guest()


def test_a_mixed_cluster_migrates_both_ways(vm, plugin):
  plugin("disable", "node2")
  plugin("enable", "node1")
  vm.add(disks=2, nics=2, hvparams={
    "kvm_pci_reservations": 8,
    "kvm_extra": " ".join(["-device virtio-rng-pci"] * 6)})
  before = vm.guest()
  for node in ("node2", "node1"):
    vm.migrate()
    assert vm.node() == node
    after = vm.guest()
    assert (after.pci, after.disks, after.nics) == (
      before.pci, before.disks, before.nics)
    assert after.uptime > before.uptime
