"""Tags of frozen instances that are kept up to date by Ganeti's hooks."""

import time

import pytest

import cluster

pytestmark = [pytest.mark.usefixtures("hooked"), pytest.mark.two_nodes]

COMMAND = "/usr/sbin/ganeti-kvm-pci"
HOOK = "/etc/ganeti/hooks/instance-modify-post.d/ganeti-kvm-pci"
LOG = "/var/log/ganeti/ganeti-kvm-pci.log"

#: In seconds.
PATIENCE = 30


@pytest.fixture
def hooked(plugin):
  """All nodes have the plugin with its hooks, and the command."""
  plugin("enable")
  for node in cluster.NODES:
    cluster.on(node, "sh", "-c", "printf '#!/bin/sh\\nPYTHONPATH=%s exec %s -m"
               " ganeti_kvm_pci \"$@\"\\n' > %s; chmod 755 %s" % (
                 cluster.PROJECT, cluster.PYTHON, COMMAND, COMMAND))
    on(node, "enable", "--hooks", "--restart")
  yield
  for node in cluster.NODES:
    on(node, "disable", "--restart")
    cluster.on(node, "rm", COMMAND)


def on(node, *words, check=True):
  return cluster.on(node, COMMAND, *words, check=check).output


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
  while tags(vm) != wanted:
    if time.time() - begin > PATIENCE:
      raise AssertionError("%s, not %s: %s" % (tags(vm), wanted, cluster.on(
        "node1", "cat", LOG, check=False).output))
    time.sleep(0.1)
  return time.time() - begin


def timed(vm, *words):
  begin = time.time()
  assert "hotplug:done" in vm.modify(*words).output
  return time.time() - begin


def test_tags_follow_hotplug_and_nothing_moves(vm):
  # not the master
  vm.add("--node=node2.gnt.test", disks=1, nics=1)
  unfrozen = timed(vm, "--net", "add")
  assert tags(vm) == []
  on("node1", "freeze", vm.name)
  first = layout(vm)
  assert len(first) == 3 and tags(vm) == first
  taken = timed(vm, "--net", "add")
  second = layout(vm)
  late = becomes(vm, second)
  assert set(second) > set(first)
  print("modify: %.1f s, frozen %.1f s, tags %.1f s later" % (
    unfrozen, taken, late))
  # the job has not waited for them
  assert taken < unfrozen + 1.5
  assert on("node1", "check", vm.name, check=False) is not None

  # the slot of one that was removed is kept
  timed(vm, "--net", "1:remove")
  timed(vm, "--net", "add")
  third = layout(vm)
  (removed, ) = set(second) - set(third)
  (added, ) = set(third) - set(second)
  assert removed.split(":")[3] != added.split(":")[3]
  becomes(vm, sorted(set(second) | set(third)))

  # of several at once, the last has the last word
  words = ["gnt-instance", "modify", "--submit", "--force"]
  if "--hotplug" in cluster.gnt("instance", "modify", "--help").output:
    words.append("--hotplug")
  for what in (["--net", "add"], ["--net", "0:remove"], ["--disk",
                                                         "add:size=1G"]):
    cluster.on("node1", *(words + what + [vm.name]))
  cluster.wait_until(lambda: not cluster.on(
    "node1", "gnt-job", "list", "--running", "--no-headers",
    check=False).output.strip() and len(vm.config()["disks"]) == 2,
                     "all is done", PATIENCE)
  fourth = layout(vm)
  becomes(vm, sorted(set(tags(vm)) | set(fourth)))
  places = [tag.split(":")[3] for tag in tags(vm)]
  assert len(places) == len(set(places)) == 6
  assert set(tags(vm)) - set(fourth) == set([removed] + [
    tag for tag in third if tag not in fourth])
  checked = cluster.on("node1", COMMAND, "check", check=False)
  assert "tag" not in checked.output
  vm.stop()
  vm.start()
  assert layout(vm) == fourth
  before = tags(vm)
  time.sleep(3)
  assert tags(vm) == before


def test_disable_removes_the_hooks(vm):
  assert "job hooks    in place" in on("node2", "status")
  on("node2", "disable")
  assert cluster.on("node2", "test", "-e", HOOK, check=False).returncode == 1
  on("node2", "enable")
  assert cluster.on("node2", "test", "-e", HOOK, check=False).returncode == 1


def test_a_hook_that_fails_is_a_warning_of_the_job_and_check_says_it(vm):
  vm.add(disks=1, nics=1)
  on("node1", "freeze", vm.name)
  # the package has moved
  cluster.on("node1", "sed", "-i", "s:/srv/project:/srv/nowhere:", HOOK)
  output = vm.modify("--net", "add").output
  assert "script" in output and "ganeti_kvm_pci is no longer in" in output
  checked = cluster.on("node1", COMMAND, "check", vm.name, check=False)
  assert checked.returncode == 1
  assert "run ganeti-kvm-pci freeze --update %s on the master" % vm.name in \
    checked.output
  on("node1", "freeze", "--update", vm.name)
  assert tags(vm) == layout(vm)
  checked = cluster.on("node1", COMMAND, "check", vm.name, check=False)
  assert "freeze" not in checked.output
