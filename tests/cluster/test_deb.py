"""Debian's package on a cluster whose guests run: C{make test-deb-cluster}.

It is installed, enabled, upgraded, removed and purged on all nodes. C{DEB} is
the package's file; what a node's own files become of is C{tools/test-deb}'s.

"""

import os
import shutil

import pytest

import cluster

from guests import Guest
from test_migration import other
from test_rollout import FOLDER
from test_rollout import given
from test_rollout import on_all
from test_rollout import step

pytestmark = [
  pytest.mark.two_nodes,
  pytest.mark.skipif("DEB" not in os.environ, reason="DEB is not set"),
  ]

PACKAGE = "/root/ganeti-kvm-pci.deb"


def next_version(folder):
  """Make the package of a later version, with another hypervisor.py."""
  tree = os.path.join(folder, "tree")
  cluster.on("node1", "dpkg-deb", "-R", PACKAGE, tree)
  cluster.on("node1", "sed", "-i", "s/^Version: .*/Version: 99/",
             tree + "/DEBIAN/control")
  with open(tree + "/usr/share/ganeti-kvm-pci/ganeti_kvm_pci/hypervisor.py",
            "a") as stream:
    stream.write("# later\n")
  cluster.on("node1", "dpkg-deb", "--root-owner-group", "-b", tree, PACKAGE)


def is_brought():
  """Bring the package to all nodes, and install it."""
  given("gnt-cluster copyfile " + PACKAGE)
  return given("gnt-cluster command apt-get -y install " + PACKAGE).output


def daemons():
  """Tell the process of each node's daemon."""
  return [cluster.on(node, "cat", "/run/ganeti/ganeti-noded.pid").output
          for node in cluster.NODES]


def status(check=True):
  return given("gnt-cluster command ganeti-kvm-pci status", check=check).output


@pytest.fixture
def nodes(plugin):
  """The folder of L{given} is there, and it is left as it was."""
  plugin("disable")
  os.makedirs(FOLDER, exist_ok=True)
  shutil.copy(os.environ["DEB"], PACKAGE)
  yield cluster.NODES
  for node in cluster.NODES:
    cluster.on(node, "dpkg", "--purge", "ganeti-kvm-pci", check=False)


def test_the_package_under_guests_that_run(nodes, vm, another_vm, tmp_path):
  step("on unmodified Ganeti")
  guests = [Guest(one, disks=2, nics=2) for one in (vm, another_vm)]

  def everyone_is_up():
    for guest in guests:
      guest.is_up()

  step("installed")
  before = daemons()
  on_all(is_brought(), "not enabled on this node; to do so, run:")
  on_all(status(), ", without the plugin")
  assert daemons() == before
  step("enabled")
  on_all(given("gnt-cluster command ganeti-kvm-pci enable --restart").output,
         "restarted, with the plugin")
  on_all(status(), ", with the plugin")
  everyone_is_up()
  for guest in guests:
    guest.hotplugs()
    guest.moves(other(guest.vm.node()))
    guest.boots(guest.restarts)
    assert guest.slots()[1][0] == 24
  step("upgraded")
  before = daemons()
  next_version(str(tmp_path))
  on_all(is_brought(), "Setting up ganeti-kvm-pci (99)")
  assert daemons() == before
  assert status(False).count(", an older copy") == len(nodes)
  everyone_is_up()
  guests[0].hotplugs()
  guests[1].moves(other(guests[1].vm.node()))
  on_all(given("gnt-cluster command ganeti-kvm-pci enable --restart").output,
         "restarted, with the plugin")
  assert ", an older copy" not in status()
  guests[0].moves(other(guests[0].vm.node()))
  everyone_is_up()
  step("one node, by the document's two lines")
  cluster.on("node1", "apt-get", "-y", "remove", "ganeti-kvm-pci")
  shutil.copy(os.environ["DEB"], FOLDER)
  assert "not enabled on this node" in given(
    "apt install ./ganeti-kvm-pci_*.deb").output
  assert "restarted, with the plugin" in given(
    "ganeti-kvm-pci enable --restart").output
  everyone_is_up()
  step("removed")
  on_all(given("gnt-cluster command apt-get -y remove ganeti-kvm-pci").output,
         "restarted, without the plugin")
  everyone_is_up()
  for guest in guests:
    guest.moves(other(guest.vm.node()))
  step("purged")
  on_all(given("gnt-cluster command apt-get -y purge ganeti-kvm-pci").output,
         "Purging configuration files for ganeti-kvm-pci")
  for node in nodes:
    left = cluster.on(node, "find", "/usr", "/etc", "/var", "-name",
                      "*ganeti*kvm*pci*").output
    assert not left, (node, left)
  everyone_is_up()
  for guest in guests:
    guest.boots(guest.restarts)
    assert max(guest.slots()[1]) < 24
