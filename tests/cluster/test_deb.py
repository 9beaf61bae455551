"""Debian's package on a cluster whose guests run: C{make test-deb-cluster}.

It is installed, enabled, upgraded, removed and purged on all nodes, and nothing
of the checkout acts there meanwhile. C{DEB} is the package's file; what becomes
of a node's own files without guests is C{tools/test-deb}'s.

"""

import os
import re
import shutil
import sys

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__)))), "demo"))

import cluster  # noqa: E402 pylint: disable=wrong-import-position
import demo  # noqa: E402 pylint: disable=wrong-import-position

from cluster import other
from guests import Guest
from test_rollout import FOLDER
from test_rollout import given
from test_rollout import on_all
from test_rollout import step

pytestmark = pytest.mark.two_nodes

PACKAGE = "/root/ganeti-kvm-pci.deb"

#: What a package may leave; Ganeti's own files in these folders change
#: with its jobs, so of them only what the plugin could have made.
FILES = """
find /etc /usr /var/lib -xdev \\( -path /var/lib/apt -o -path /var/lib/dpkg \
  -o -path /var/lib/man-db -o -path /var/lib/systemd -o -path /var/lib/ganeti \
  -o -name ld.so.cache -o -name __pycache__ \\) -prune -o -print
find /var/lib/ganeti /var/log /run -xdev -name '*kvm*pci*'
"""


def files(node):
  return set(cluster.on(node, "sh", "-c", FILES).output.splitlines())


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


def command(node, args, check=True):
  """Run the package's command, in place of L{cluster.project_command}."""
  return cluster.on(node, "/usr/sbin/ganeti-kvm-pci", *args, check=check)


def the_demos_steps(monkeypatch):
  """Go the steps of the demo, whose map and guest have to agree in each."""
  monkeypatch.setattr(cluster, "project_command", command)
  monkeypatch.setattr(demo, "VM", "vm9.gnt.test")
  walk = demo.Walk("plugin")
  given("gnt-cluster modify -H kvm:kvm_pci_reservations=8")
  walk.run()
  given("gnt-cluster modify -H kvm:kvm_pci_reservations=12")
  assert walk.faults == []
  assert walk.found == demo.EXPECTED["plugin"]


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


@pytest.fixture
def installed_package(plugin):
  """The package that is installed already is enabled on all nodes."""
  assert plugin
  os.makedirs(FOLDER, exist_ok=True)
  for node in cluster.NODES:
    assert "restarted, with the plugin" in command(
      node, ["enable", "--restart"]).output
  yield
  for node in cluster.NODES:
    command(node, ["disable", "--restart"])


@pytest.mark.skipif("INSTALLED" not in os.environ, reason="autopkgtest's")
def test_the_demos_steps_with_what_is_installed(installed_package, monkeypatch):
  the_demos_steps(monkeypatch)


@pytest.mark.skipif("DEB" not in os.environ, reason="DEB is not set")
def test_the_package_under_guests_that_run(nodes, vm, another_vm, monkeypatch,
                                           tmp_path):
  before_all = dict((node, files(node)) for node in nodes)
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
  step("the demo's steps")
  the_demos_steps(monkeypatch)
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
    guest.hotplugs()
    guest.moves(other(guest.vm.node()))
  step("purged")
  on_all(given("gnt-cluster command apt-get -y purge ganeti-kvm-pci").output,
         "Purging configuration files for ganeti-kvm-pci")
  for node in nodes:
    # the guests that run there keep their way back until the node boots
    names = set(path for path in files(node) ^ before_all[node]
                if not re.match(r"/run/ganeti/kvm-hypervisor/kvm-pci(/|\Z)",
                                path))
    assert not names, (node, sorted(names))
  everyone_is_up()
  for guest in guests:
    guest.boots(guest.restarts)
    assert max(guest.slots()[1]) < 24
    guest.hotplugs()
    guest.moves(other(guest.vm.node()))
  everyone_is_up()
