"""The node daemon is killed anywhere; the next operation finds all in order.

Each operation is begun again and again, in a process of its own, and that is
killed at a later point between two effects each time (see L{kill_points}),
until it gets to its end: at each fifth point, or at each C{KILLED_EVERY}th of
the environment. After each death unmodified Ganeti must be able to read the
runtime file. After one more operation of another device's, or C{check
--repair}, runtime file and QEMU must agree, with nothing left over, be it
half-written files or locks. The two take turns, unless C{KILLED_THEN} in the
environment is C{both}: then every point is visited once for each.

"""

import os
import time

import pytest
# pytest names it itself from 6.2 on
from _pytest.monkeypatch import MonkeyPatch

from ganeti.hypervisor import hv_kvm

from qemu_state import Inventory, agree, runtime_devices
from test_faults import id_of
from nodes import DISK, NIC
from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci.cli import entry as entry_
from ganeti_kvm_pci.node import runtime_files
import child_processes
import kill_points
import nodes

pytestmark = [
  # what unmodified Ganeti does when it dies is in test_faults
  pytest.mark.parametrize("which", ["plugin"], indirect=True, scope="module"),
  ]

#: The device that the operation is about, and that of the next operation.
THIS, OTHER = 2, 3
SEQ = {THIS: 2, OTHER: 3}

#: How often a point is visited.
VISITS = 2 if os.environ.get("KILLED_THEN") == "both" else 1

#: From one point to the next.
STRIDE = int(os.environ.get("KILLED_EVERY", "5"))


def hot_mod(node, dev_type, number, seq):
  node.hyper.HotModDevice(node.instance, dev_type, nodes.nic(number), None, seq)


OPERATIONS = {
  "add": (nodes.Node.hot_add, False),
  "del": (nodes.Node.hot_del, True),
  "mod": (hot_mod, True),
  }


@pytest.fixture(scope="module")
def ready(booted):
  """Provide the guest, where operations take no longer than they must."""
  # on a busy host a guest may miss a request, and QEMU takes the next one
  # 5 s later
  patched = MonkeyPatch()
  patched.setenv("KVM_PCI_HOTPLUG_LIMIT", "30")
  patched.setattr(runtime_files, "control_dir", lambda name: os.path.join(
    booted.folder, {"pid": "pids"}.get(name, name) + "_dir"))
  kill_points.hasten(booted.hyper, booted.qemu)
  for number in range(10):
    booted.image(number)
  booted.image = lambda n: "%s/disk%d" % (booted.folder, n)
  found = Inventory(booted)
  # the tests before in this process may hold taps
  booted.foreign = found.taps - found.tuns
  yield booted
  patched.undo()


def put(node, dev_type, number, present):
  """Add or remove a device, as if nothing had ever happened."""
  if (id_of(dev_type, number) in runtime_devices(node)) != present:
    operation = nodes.Node.hot_add if present else nodes.Node.hot_del
    assert child_processes.alone(
      lambda: operation(node, dev_type, number, SEQ[number])) is None


def repair(node):
  """Run C{check --repair}, in a process of its own."""
  def command():
    status = entry_.main(["check", "--repair", node.instance.name])
    assert status == 0, "check --repair ends with %s" % status

  assert child_processes.alone(command) is None


def check(node):
  found = agree(node)
  assert found.taps - found.tuns == node.foreign, vars(found)
  # a reader without the plugin
  unmodified = hv_kvm.KVMHypervisor._LoadKVMRuntime(node.hyper, node.instance)
  assert len(unmodified[1]) + len(unmodified[3]) == len(found.devices)


def files_of(node):
  """List what there is of the instance in both folders.

  @return: the half-written ones, and the others

  """
  path = node.hyper._InstanceKVMRuntime(node.instance.name)
  name = os.path.basename(path)
  found = []
  for folder in (os.path.dirname(path),
                 os.path.dirname(instance_lock.path_for(path))):
    # what is kept of QEMU's program is of no instance
    found.extend(name for name in (os.listdir(folder) if os.path.isdir(folder)
                                   else []) if not name.startswith("qemu-"))
  whole = set(name + suffix for suffix in ("", ".vacated", ".lock", ".backup"))
  # one for each repair
  whole.update(entry for entry in found
               if entry.startswith(name + ".backup."))
  return sorted(set(found) - whole), sorted(set(found) & whole)


def wait_for_unplug(node, device_id):
  """Give the guest the time to complete an unplug.

  QEMU may not have read the request before its client died.

  """
  deadline = time.time() + 10
  while device_id in Inventory(node).devices and time.time() < deadline:
    time.sleep(0.02)


def die_at(node, number, pending, function):
  """Run an operation up to a point.

  @return: False if it died there

  """
  def operation():
    points = kill_points.Points(node.hyper, number, pending)
    function()
    with open(node.folder + "/points", "w") as stream:
      stream.write("\n".join(points.names))

  return child_processes.alone(operation)


@pytest.mark.parametrize("name, dev_type", [
  ("add", DISK), ("del", DISK), ("add", NIC), ("del", NIC), ("mod", NIC)])
def test_wherever_it_dies_the_next_operation_finds_all_in_order(
    ready, capsys, name, dev_type):
  node = ready
  function, present = OPERATIONS[name]
  start = time.time()
  visit = 0
  other = False
  while True:
    number = visit // VISITS * STRIDE + 1
    put(node, dev_type, THIS, present)
    pending = kill_points.pending()
    said = die_at(node, number, pending,
                  lambda: function(node, dev_type, THIS, SEQ[THIS]))
    where = "%s, point %d: %s" % (name, number, said)
    # readable at every moment
    hv_kvm.KVMHypervisor._LoadKVMRuntime(node.hyper, node.instance)
    if pending[0:1] == b"\1":
      wait_for_unplug(node, id_of(dev_type, THIS))
    half = files_of(node)[0]
    try:
      if visit % 2:
        repair(node)
        # Ganeti's own, while unmodified Ganeti may write them
        half = [entry for entry in half if entry.endswith(".new")]
      else:
        other = not other
        put(node, dev_type, OTHER, other)
        half = []
      check(node)
      assert files_of(node)[0] == half
      assert not os.path.exists(instance_lock.path_for(
        node.hyper._InstanceKVMRuntime(node.instance.name)))
    except AssertionError as err:
      raise AssertionError("%s: %s" % (where, err))
    if said is not False:
      break
    visit += 1
  assert said is None
  put(node, dev_type, THIS, False)
  put(node, dev_type, OTHER, False)
  check(node)
  with open(node.folder + "/points") as stream:
    names = stream.read().split("\n")
  # all of them, and the one beyond; a guest that took its time may have made
  # for one or two looks more
  assert len(names) < number <= len(names) + 2 * kill_points.LOOK + STRIDE
  with capsys.disabled():
    print("\n%s of a %s: killed %d times, at each %d. of %d points, %.0f s" % (
      name, dev_type, visit, STRIDE, len(names), time.time() - start))
  print("\n".join(names))
