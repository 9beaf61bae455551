"""Tags of frozen instances that are kept up to date by Ganeti's hooks."""

import time

import pytest

import cluster

pytestmark = pytest.mark.two_nodes

COMMAND = "/usr/sbin/ganeti-kvm-pci"
HOOK = "/etc/ganeti/hooks/instance-modify-post.d/ganeti-kvm-pci"
LOG = "/var/log/ganeti/ganeti-kvm-pci.log"

#: In seconds; a job takes some of them, and several wait for each other.
PATIENCE = 600


@pytest.fixture
def hooked(plugin_state):
  """All nodes have the plugin with its hooks, and the command."""
  plugin_state.switch(True)
  for node in cluster.NODES:
    cluster.on(node, "sh", "-c", "printf '#!/bin/sh\\nPYTHONPATH=%s exec %s -m"
               " ganeti_kvm_pci \"$@\"\\n' > %s; chmod 755 %s" % (
                 cluster.PROJECT, cluster.PYTHON, COMMAND, COMMAND))
    assert "written: %s" % HOOK in on(node, "enable", "--hooks").output
  yield
  # the daemons go on with the plugin
  plugin_state.on = None
  for node in cluster.NODES:
    cluster.on(node, COMMAND, "disable", check=False)
    cluster.on(node, "rm", "-f", COMMAND, LOG)


def on(node, *words, check=True):
  return cluster.on(node, COMMAND, *words, check=check)


def tags(vm):
  return sorted(tag for tag in vm.config().get("tags") or ()
                if tag.startswith("kvm-pci:"))


def layout(vm):
  """Return the tags that would keep what the instance has now."""
  (entry, ) = cluster.pci_map(vm)
  return sorted(device["tag"] for device in entry["devices"] if device["tag"])


def becomes(vm, wanted):
  """Wait for tags.

  @return: seconds that it took

  """
  begin = time.time()
  while tags(vm) != sorted(wanted):
    if time.time() - begin > PATIENCE:
      raise AssertionError("%s, not %s: %s" % (tags(vm), wanted, cluster.on(
        "node1", "cat", LOG, check=False).output))
    time.sleep(0.1)
  return time.time() - begin


def hotplugs(vm, *words):
  begin = time.time()
  assert "hotplug:done" in vm.modify(*words).output
  return time.time() - begin


def several_at_once(vm):
  """Submit jobs that change the layout, and wait for them."""
  words = ["gnt-instance", "modify", "--submit", "--force"]
  if "--hotplug" in cluster.gnt("instance", "modify", "--help").output:
    words.append("--hotplug")
  for what in (["--net", "add"], ["--net", "0:remove"],
               ["--disk", "add:size=1G"]):
    cluster.on("node1", *(words + what + [vm.name]))
  cluster.wait_until(
    lambda: len(vm.config()["disks"]) == 2 and not cluster.on(
      "node1", "gnt-job", "list", "--running", "--no-headers").output.strip(),
    "all is done", PATIENCE)


def test_tags_follow_hotplug_and_nothing_moves(vm, hooked):
  # not the master
  vm.add("--node=node2.gnt.test", disks=1, nics=1)
  unfrozen = hotplugs(vm, "--net", "add")
  assert tags(vm) == []
  on("node1", "freeze", vm.name)
  first = layout(vm)
  assert len(first) == 3 and tags(vm) == first
  # a job that waited for the tags would never end: it has their lock
  taken = hotplugs(vm, "--net", "add")
  second = layout(vm)
  late = becomes(vm, second)
  assert set(second) > set(first)
  print("modify: %.1f s, of a frozen one %.1f s, tags %.1f s later" % (
    unfrozen, taken, late))

  # the slot of one that was removed is kept
  hotplugs(vm, "--net", "1:remove")
  hotplugs(vm, "--net", "add")
  third = layout(vm)
  (removed, ) = set(second) - set(third)
  (added, ) = set(third) - set(second)
  assert removed.split(":")[3] != added.split(":")[3]
  becomes(vm, second + [added])

  # of several at once, the last has the last word
  several_at_once(vm)
  fourth = layout(vm)
  assert len(fourth) == 5
  becomes(vm, set(second + third + fourth))
  assert len(set(tag.split(":")[3] for tag in tags(vm))) == len(tags(vm)) == 7
  assert "tag" not in on(vm.node(), "check", vm.name, check=False).output
  before = tags(vm)
  vm.stop()
  vm.start()
  assert layout(vm) == fourth

  # the package has moved: a warning of the job, and check says what is missing
  cluster.on("node1", "sed", "-i", "s:/srv/project:/srv/nowhere:", HOOK)
  assert "ganeti_kvm_pci is no longer in" in vm.modify("--net", "add").output
  checked = on(vm.node(), "check", vm.name, check=False)
  assert checked.returncode == 1
  assert "run ganeti-kvm-pci freeze --update %s on the master" % vm.name in \
    checked.output
  assert tags(vm) == before
  on("node1", "freeze", "--update", vm.name)
  assert set(tags(vm)) == set(before + layout(vm))

  # status has seen it, and enable mends it
  assert "job hooks    outdated" in on("node1", "status", check=False).output
  assert "written: %s" % HOOK in on("node1", "enable").output
  assert "job hooks    in place" in on("node1", "status").output
  assert "removed: %s" % HOOK in on("node2", "disable", check=False).output
  assert cluster.on("node2", "test", "-e", HOOK, check=False).returncode == 1

  # what is thawed while a script runs stays so
  on("node1", "enable", "--hooks")
  hotplugs(vm, "--net", "add")
  on("node1", "thaw", vm.name)
  cluster.wait_until(lambda: cluster.on(
    "node1", "pgrep", "-f", "[i]nstance-modify-post.d", check=False).returncode
                     == 1, "the script has ended", PATIENCE)
  assert tags(vm) == []
  # and each sees what the one before has done
  for command, wanted in (("freeze", layout(vm)), ("thaw", []),
                          ("freeze", layout(vm))):
    on("node1", command, vm.name)
    assert tags(vm) == wanted
