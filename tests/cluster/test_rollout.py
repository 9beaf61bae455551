"""The plugin is enabled on a cluster and disabled again, under running guests.

What the documents tell an administrator to type is typed as it stands there
(C{given}); C{tests/doc} looks that nothing of it is left out. After each step
every guest is looked at: it is the same process, has not booted since, and sees
the same devices with the same data, but where the step says otherwise.

C{make test} goes the short way, on two nodes, and C{make test-rollout} the
whole one, with a third node that is added on the way.

"""

import re
import shutil
import time

import pytest

import cluster

from cluster import other
from guests import Guest

pytestmark = pytest.mark.two_nodes

#: A copy of the project, in which make can write.
FOLDER = "/root/project"

EXTRA = {"kvm_extra": " ".join(["-device virtio-rng-pci"] * 6)}

HOOK = "ganeti-kvm-pci.pth"

#: What C{plan} says of a disk or NIC that will move.
MOVES = re.compile(r"^  (?:disk|nic) .* -> ", re.M)


def step(text):
  print("[%s] %s" % (time.strftime("%T"), text), flush=True)


def given(command, node="node1", check=True, **words):
  """Run a command that a document gives, in the project's folder on node1.

  @param command: as it stands there
  @param node: where
  @param check: whether it has to exit with 0
  @param words: what replaces its words in capitals
  @return: L{cluster.Result}

  """
  for word, value in words.items():
    assert word in command.split()
    command = command.replace(word, value)
  print("%s# %s" % (node, command))
  folder = FOLDER if node == "node1" else "/root"
  result = cluster.on(node, "sh", "-c", "cd %s && %s" % (folder, command),
                      check=check)
  print(result.output, flush=True)
  return result


def on_all(output, text):
  """Check that C{gnt-cluster command} has printed something for each node."""
  nodes = len(re.findall(r"^return code = ", output, re.M))
  assert nodes > 1 and output.count(text) == nodes, output
  assert output.count("return code = 0") == nodes, output


def package_is_on_all_nodes():
  """Bring the package to all nodes, as the documents tell."""
  shutil.copytree(cluster.PROJECT, FOLDER, dirs_exist_ok=True,
                  ignore=shutil.ignore_patterns(".*", "__pycache__"))
  if shutil.which("make"):
    given("make dist")
  else: # in a root of another release
    cluster.on("node1", FOLDER + "/tools/make-dist")
  given("cp dist/ganeti-kvm-pci.tar.gz /root/")
  given("gnt-cluster copyfile /root/ganeti-kvm-pci.tar.gz")
  given("gnt-cluster command tar -C / -xzf /root/ganeti-kvm-pci.tar.gz")


class Walk(object):
  """One way through all of it.

  @ivar guests: list of L{Guest}

  """
  def __init__(self, guests):
    self.guests = guests

  def everyone_is_up(self):
    names = sorted(guest.vm.name for guest in self.guests)
    listed = cluster.gnt("instance", "list", "--no-headers", "-o",
                         "name,status").output.split("\n")
    assert sorted(line.split() for line in listed if line) == [
      [name, "running"] for name in names]
    for guest in self.guests:
      guest.is_up()

  def on_unmodified_ganeti(self):
    step("unmodified Ganeti")
    cluster.plugin("disable")
    self.everyone_is_up()
    for guest in self.guests:
      (disks, nics) = guest.slots()
      assert disks[0] == 12 and max(nics) < 24

  def one_node_is_enabled(self):
    step("the package is on all nodes, and enabled on node1")
    package_is_on_all_nodes()
    self.everyone_is_up()
    frozen = given("ganeti-kvm-pci freeze --all").output
    assert frozen.count(": frozen (") == len(self.guests)
    self.everyone_is_up()
    enabled = given("ganeti-kvm-pci enable --restart")
    assert "restarted, with the plugin" in enabled.output
    self.everyone_is_up()
    assert "with the plugin" in given("ganeti-kvm-pci status").output
    assert "refused" not in given("ganeti-kvm-pci check --live").output
    assert not MOVES.findall(given("ganeti-kvm-pci plan").output)
    for guest in self.guests:
      given("ganeti-kvm-pci thaw INSTANCE", INSTANCE=guest.vm.name)
    assert MOVES.findall(given("ganeti-kvm-pci plan").output)
    self.everyone_is_up()

  def a_mixed_cluster(self):
    step("a mixed cluster")
    for guest in self.guests:
      home = guest.vm.node()
      guest.hotplugs()
      guest.moves(other(home))
      guest.hotplugs(False)
      guest.moves(home)
    self.everyone_is_up()

  def all_nodes_are_enabled(self):
    step("all nodes are enabled")
    on_all(given("gnt-cluster command ganeti-kvm-pci enable --hooks --restart")
           .output, HOOK)
    output = given("gnt-cluster command ganeti-kvm-pci status").output
    on_all(output, ", with the plugin")
    self.everyone_is_up()

  def eight_are_reserved(self):
    step("kvm_pci_reservations is 8")
    given("gnt-cluster modify -H kvm:kvm_pci_reservations=8")
    self.everyone_is_up()
    given("gnt-cluster add-tags ganeti-kvm-pci")
    output = given("gnt-cluster command ganeti-kvm-pci status").output
    on_all(output, "and the cluster has the tag ganeti-kvm-pci")
    for node in cluster.NODES:
      given("ganeti-kvm-pci upgrade", node=node)
    self.everyone_is_up()
    given("ganeti-kvm-pci check --live --qemu 10.0")
    for guest in self.guests:
      guest.hotplugs()
    # the last one is left as it is until the way back
    for guest in self.guests[:1]:
      guest.vm.set_hvparams(kvm_pci_reservations=8)
      guest.boots(guest.vm.reboot)
      assert guest.slots()[1] == [24, 25, 26]
    for guest in self.guests:
      guest.hotplugs(False)
      home = guest.vm.node()
      guest.moves(other(home))
      guest.moves(home)
    self.everyone_is_up()

  def the_wrong_order(self):
    step("disabled before 12 are reserved")
    result = cluster.on("node2", "ganeti-kvm-pci", "disable", "--restart",
                        check=False)
    assert result.returncode == 1
    assert "below Ganeti's default for the cluster (8)" in result.output
    self.everyone_is_up()
    self.is_reported_and_cured("node2", "(8)")

  def is_reported_and_cured(self, node, *texts):
    """Check what is said on a node without the plugin; do what is said."""
    remedies = set()
    for command in ("ganeti-kvm-pci status", "ganeti-kvm-pci check"):
      said = cluster.on(node, *command.split(), check=False)
      print(said.output, flush=True)
      assert said.returncode == 2
      for text in texts:
        assert text in said.output
      remedies.update(re.findall(r"; run (ganeti-kvm-pci .*)", said.output))
    self.everyone_is_up()
    assert remedies == {"ganeti-kvm-pci enable --restart"}
    given("gnt-cluster command -n NODE ganeti-kvm-pci enable --restart",
          NODE=node)
    status = cluster.on(node, "ganeti-kvm-pci", "status")
    assert ", with the plugin" in status.output
    checked = cluster.on(node, "ganeti-kvm-pci", "check", "--live", check=False)
    assert checked.returncode == 0 or "warning" in checked.output
    self.everyone_is_up()

  def the_hook_is_lost(self):
    step("node2's Python has no hook any more")
    found = cluster.on("node2", "find", "/usr", "-name", HOOK).output.split()
    assert found
    cluster.on("node2", "rm", *found)
    for action in ("stop", "start"):
      cluster.daemon_util("node2", action)
    self.everyone_is_up()
    self.is_reported_and_cured("node2", "it was enabled on this node")

  def installed(self, node):
    """Bring the package to a node, as the documents tell."""
    output = given("gnt-cluster command ganeti-kvm-pci status").output
    assert output.count("return code = 127") == 1, output
    given("gnt-cluster copyfile -n NODE /root/ganeti-kvm-pci.tar.gz", NODE=node)
    given("gnt-cluster command -n NODE tar -C / -xzf"
          " /root/ganeti-kvm-pci.tar.gz", NODE=node)

  def a_node_is_added(self):
    (node, ) = cluster.SPARE
    step("%s is added" % node)
    cluster.gnt("node", "add", "--no-ssh-key-check", node + ".gnt.test")
    self.everyone_is_up()
    # it is a node without the plugin, until it is cured
    self.guests[0].moves(node)
    self.installed(node)
    self.is_reported_and_cured(node, "the cluster has the tag ganeti-kvm-pci")
    for guest in self.guests:
      if guest.vm.node() != node:
        guest.moves(node)
      guest.hotplugs()
      guest.hotplugs(False)
    self.everyone_is_up()
    for guest in self.guests:
      guest.moves("node2")

  def a_node_is_installed_anew(self):
    step("node2 is installed anew")
    for guest in self.guests:
      guest.moves("node1")
    cluster.on("node2", "sh", "-c", "/usr/lib/ganeti/daemon-util stop-all;"
               " rm -rf /var/lib/ganeti /run/ganeti /usr/local/*/ganeti-kvm-pci"
               " && find /usr -name '*ganeti-kvm-pci*' -delete &&"
               " mkdir /var/lib/ganeti && /usr/lib/ganeti/ensure-dirs")
    cluster.gnt("node", "add", "--readd", "--no-ssh-key-check",
                "node2.gnt.test")
    self.everyone_is_up()
    self.installed("node2")
    self.is_reported_and_cured("node2",
                               "the cluster has the tag ganeti-kvm-pci")
    for guest in self.guests:
      guest.moves("node2")
    self.everyone_is_up()

  def twelve_are_reserved(self):
    step("12 are reserved again")
    given("gnt-cluster remove-tags ganeti-kvm-pci")
    given("gnt-cluster modify -H kvm:kvm_pci_reservations=12")
    given("gnt-os modify -H kvm:kvm_pci_reservations=12 OS", OS="noop")
    given("gnt-instance modify -H kvm_pci_reservations=12 INSTANCE",
          INSTANCE=self.guests[0].vm.name)
    self.everyone_is_up()

  def all_nodes_are_disabled(self, nodes):
    step("all nodes are disabled")
    for node in nodes:
      given("ganeti-kvm-pci downgrade", node)
    self.everyone_is_up()
    output = given(
      "gnt-cluster command ganeti-kvm-pci disable --restart").output
    assert output.count("restarted, without the plugin") == len(nodes)
    # the first guest has more devices of QEMU's own than it had slots for
    assert "beyond their range in %s:" % self.guests[0].vm.name in output
    assert "does not start" not in output and "below" not in output
    self.everyone_is_up()
    output = given("gnt-cluster command ganeti-kvm-pci status").output
    on_all(output, ", without the plugin")
    given("gnt-cluster command rm -rf /usr/local/lib/ganeti-kvm-pci"
          " /usr/local/sbin/ganeti-kvm-pci"
          " /usr/local/share/bash-completion/completions/ganeti-kvm-pci")
    for node in nodes:
      # but for the log of what Ganeti's hooks did
      left = cluster.on(node, "find", "/usr", "/etc", "/var", "-name",
                        "*ganeti*kvm*pci*", "!", "-name",
                        "ganeti-kvm-pci.log").output
      assert not left, (node, left)
    self.everyone_is_up()

  def each_starts_without(self):
    step("each guest moves, and starts, without the plugin")
    for guest in self.guests:
      guest.moves(other(guest.vm.node()))
      guest.boots(guest.restarts)
      (disks, nics) = guest.slots()
      assert disks[0] == 12 and max(nics) < 24
    self.everyone_is_up()
    for guest in self.guests:
      guest.hotplugs()
    self.everyone_is_up()


@pytest.fixture
def put_back(plugin):
  """Leave the cluster's parameter, tag and nodes as they were."""
  yield plugin
  cluster.gnt("cluster", "modify", "-H", "kvm:kvm_pci_reservations=12")
  if "ganeti-kvm-pci" in cluster.gnt("cluster", "list-tags").output:
    cluster.gnt("cluster", "remove-tags", "ganeti-kvm-pci")
  plugin("disable")


@pytest.mark.skipif(bool(cluster.SPARE), reason="make test-rollout does more")
def test_enabling_and_disabling_keep_a_guest_up(vm, put_back):
  put_back("disable")
  walk = Walk([Guest(vm, disks=2, nics=2, hvparams=EXTRA)])
  walk.on_unmodified_ganeti()
  walk.one_node_is_enabled()
  walk.a_mixed_cluster()
  walk.all_nodes_are_enabled()
  walk.eight_are_reserved()
  walk.the_wrong_order()
  walk.twelve_are_reserved()
  walk.all_nodes_are_disabled(cluster.NODES)
  walk.each_starts_without()


@pytest.mark.skipif(not cluster.SPARE, reason="make test-rollout")
def test_the_whole_rollout_keeps_every_guest_up(vm, another_vm, plugin):
  plugin("disable")
  walk = Walk([Guest(vm, disks=2, nics=2, hvparams=EXTRA),
               Guest(another_vm, disks=1, nics=1)])
  walk.guests[1].moves("node2")
  walk.on_unmodified_ganeti()
  walk.one_node_is_enabled()
  walk.a_mixed_cluster()
  walk.all_nodes_are_enabled()
  walk.eight_are_reserved()
  walk.the_wrong_order()
  walk.a_node_is_added()
  walk.the_hook_is_lost()
  walk.a_node_is_installed_anew()
  walk.twelve_are_reserved()
  walk.all_nodes_are_disabled(cluster.NODES + cluster.SPARE)
  walk.each_starts_without()
