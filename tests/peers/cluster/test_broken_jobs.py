"""Migrations that break, in a cluster: Ganeti's own jobs, and their cleanup.

The link between the nodes is slow, or cut; the node daemon or QEMU is killed on
either side while the guest is copied.

"""

import re

import pytest

import cluster
import wire

from cluster import other
from guests import configured
from test_migration import Moving
from test_migration import check_slots
from test_migration import is_clean
from test_migration import predicted

pytestmark = pytest.mark.two_nodes

#: Bandwidth and downtime; with the first a migration lasts, without end.
SLOW, QUICK = (4, 1), (1024, 10000)

NODE_LOG = "/var/log/ganeti/node-daemon.log"


def kill_qemu(vm, node):
  (pid, ) = vm.processes(node)
  cluster.on(node, "kill", "-9", str(pid))
  cluster.wait_until(lambda: not vm.processes(node), "QEMU has ended")


def runs_on(vm, node):
  """Ask a QEMU, wherever the configuration has the guest, whether it runs."""
  ask = ("(echo '{\"execute\": \"qmp_capabilities\"}';"
         " echo '{\"execute\": \"query-status\"}'; sleep 1) |"
         " socat - UNIX-CONNECT:%s/ctrl/%s.qmp" % (cluster.KVM_DIR, vm.name))
  return '"status": "running"' in cluster.on(node, "sh", "-c", ask).output


class Job(object):
  """A migration that runs beside the test."""

  def __init__(self, vm):
    self._vm = vm
    self._process = cluster.begin_gnt("instance", "migrate", "--force", vm.name)

  def is_copying(self):
    """Wait until a part of the guest is copied."""
    def look():
      ram = self._vm.qmp("query-migrate").get("ram")
      return ram and ram["remaining"] < 0.8 * ram["total"]
    cluster.wait_until(look, "the guest is copied", 60)

  def hurry(self):
    """Have QEMU come to an end."""
    self._vm.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 30,
                                              "downtime-limit": 10000})

  def end(self, timeout=300):
    """Wait for it.

    @return: exit status, output

    """
    output = self._process.communicate(timeout=timeout)[0]
    print(output)
    return self._process.returncode, output


def set_speed(speed):
  """Set how quick migrations are; it is the cluster's."""
  cluster.gnt("cluster", "modify", "-H", "kvm:migration_bandwidth=%d,"
              "migration_downtime=%d" % speed)


@pytest.fixture
def moving(vm, plugged):
  set_speed(SLOW)
  vm.add(disks=2, nics=1, hvparams={"kvm_pci_reservations": 8})
  yield Moving(vm)
  set_speed(QUICK)


def goes_on(moving, node):
  """Check that the guest runs once, where the configuration has it."""
  vm = moving.vm
  assert vm.node() == node and len(vm.processes(node)) == 1
  assert vm.qmp("query-status")["status"] == "running"
  assert vm.processes(other(node)) == []
  moving.home = node
  moving.is_alive()
  assert predicted(vm) == []
  check_slots(vm)
  configured(vm)


def hotplugs(moving):
  """Have it get a disk and a NIC, and lose them."""
  vm = moving.vm
  disks, nics = len(moving.before.disks), len(moving.before.nics)
  for change in ("add:size=1G", "%d:remove" % disks):
    more = change.startswith("add")
    vm.modify("--disk", change)
    vm.modify("--net", "add" if more else "%d:remove" % nics)
    moving.changes(lambda r: (len(r.disks), len(r.nics)) ==
                   (disks + more, nics + more))


def moves(moving):
  set_speed(QUICK)
  moving.moves()
  assert is_clean(moving.vm, other(moving.home)) == (True, "")


def test_a_slow_link(moving):
  set_speed(QUICK)
  with wire.slow("node1", 60):
    moving.moves()
  hotplugs(moving)
  moving.moves()


def test_a_link_that_is_cut(moving):
  """For longer than TCP tries, which is made short here."""
  vm = moving.vm
  with wire.impatient("node1"):
    job = Job(vm)
    job.is_copying()
    with wire.cut():
      status = job.end(400)[0]
  assert status != 0 and vm.node() == "node1"
  moving.is_alive()
  print("waiting on node2: %s" % vm.processes("node2"))
  assert vm.clean_up().returncode == 0
  goes_on(moving, "node1")
  assert is_clean(vm, "node2") == (True, "")
  hotplugs(moving)
  moves(moving)


@pytest.mark.parametrize("node", ["node1", "node2"])
def test_a_node_daemon_that_is_killed(moving, node):
  vm = moving.vm
  job = Job(vm)
  job.is_copying()
  cluster.signal_node_daemon(node, "KILL")
  if node == "node2":
    # the source has not noticed; the job cannot finish
    job.hurry()
  status = job.end()[0]
  cluster.start_node_daemon(node)
  assert status != 0 and vm.node() == "node1"
  result = vm.clean_up()
  print(result.output)
  assert result.returncode == 0
  goes_on(moving, node)
  hotplugs(moving)
  moves(moving)


def test_a_job_that_lost_the_source_when_the_guest_had_moved(moving):
  """Unmodified Ganeti would end the guest; see the operator's page."""
  vm = moving.vm
  job = Job(vm)
  job.is_copying()
  # the job's next question waits
  cluster.signal_node_daemon("node1", "STOP")
  job.hurry()
  cluster.wait_until(lambda: vm.qmp("query-status")["status"] == "postmigrate",
                     "the guest has moved", 60)
  cluster.signal_node_daemon("node1", "KILL")
  assert job.end()[0] != 0
  cluster.start_node_daemon("node1")
  assert vm.node() == "node1" and len(vm.processes("node2")) == 1
  result = vm.clean_up()
  print(result.output)
  (pid, ) = re.findall(r"end this process \(kill (\d+)\)", result.output)
  assert result.returncode != 0 and vm.processes("node1") == [int(pid)]
  kill_qemu(vm, "node1")
  assert vm.clean_up().returncode == 0
  goes_on(moving, "node2")
  hotplugs(moving)
  moves(moving)


@pytest.mark.parametrize("node", ["node1", "node2"])
def test_a_qemu_that_is_killed(moving, node):
  vm = moving.vm
  job = Job(vm)
  job.is_copying()
  kill_qemu(vm, node)
  assert job.end()[0] != 0
  if node == "node1":
    result = vm.clean_up()
    print(result.output)
    assert re.search("not seem to be running at all", result.output)
    assert vm.processes("node1") == vm.processes("node2") == []
    vm.start()
    moving.before = vm.guest(timeout=600)
  goes_on(moving, "node1")
  assert is_clean(vm, "node2") == (True, "")
  hotplugs(moving)
  moves(moving)


@pytest.mark.parametrize("node", ["node1", "node2"])
def test_a_guest_that_lost_one_half_in_postcopy(moving, node):
  """It is started anew as the operator's page says."""
  vm = moving.vm
  # what is empty is sent in no time
  vm.guest("dd if=/dev/urandom of=/dev/filled bs=1M count=48", timeout=300)
  cluster.gnt("cluster", "modify", "-H", "kvm:migration_caps=postcopy-ram")
  try:
    job = Job(vm)
    job.is_copying()
    # what is sent in postcopy is not held to a bandwidth
    with wire.slow("node1", 20):
      vm.qmp("migrate-start-postcopy")
      cluster.wait_until(lambda: runs_on(vm, "node2"), "postcopy begins")
      kill_qemu(vm, node)
      status, said = job.end()
  finally:
    cluster.gnt("cluster", "modify", "-H", "kvm:migration_caps=")
  assert status != 0 and vm.node() == "node1"
  if node == "node1":
    # the job does not tell what a target says when it is to be given up
    assert "does not answer query-migrate" in said
    said = cluster.on("node2", "grep", "is not ended on this node",
                      NODE_LOG).output
  assert "guest is lost: end" in said
  assert "shut the instance down and start it" in said
  assert len(vm.processes(other(node))) == 1
  kill_qemu(vm, other(node))
  if node == "node2":
    # which the page says, too
    assert "not seem to be running at all" in vm.clean_up().output
  vm.stop()
  vm.start()
  moving.before = vm.guest(timeout=600)
  goes_on(moving, "node1")
  hotplugs(moving)
  moves(moving)
