"""Somebody removes the plugin's folder while an operation is under way.

It has locks, times of slots and what guests were asked for; all of it is about
a QEMU that runs, and none of it is needed to tell where a device is. So the
operation ends as it would have, or with an error, and the next finds all in
order. The folder is removed at each fifteenth point of an operation (see
L{kill_points}), or at each C{FOLDER_EVERY}th of the environment.

"""

import os
import shutil
import time

import pytest

from nodes import DISK, NIC
from ganeti_kvm_pci import instance_lock
import child_processes
import kill_points
from test_faults import id_of
from test_killed import OPERATIONS
from test_killed import SEQ
from test_killed import THIS
from test_killed import check
from test_killed import files_of
from test_killed import put
from test_killed import ready # noqa: F401 (a fixture)
from test_killed import wait_for_unplug
from test_migration import BOTH
from test_migration import arrives
from test_migration import between
from test_migration import pair # noqa: F401 (a fixture)
from qemu_state import runtime_devices

STRIDE = int(os.environ.get("FOLDER_EVERY", "15"))


def folder_of(node):
  return os.path.dirname(instance_lock.path_for(
    node.hyper._InstanceKVMRuntime(node.instance.name)))


class Removals(kill_points.Points):
  """Points at one of which the folder is removed."""

  def __init__(self, node, number, pending):
    self._number = number
    self._folder = folder_of(node)
    super().__init__(node.hyper, 0, pending)

  def visit(self, name, window=2):
    before = len(self.names)
    super().visit(name, window)
    if before < self._number == len(self.names):
      # the lock is in it
      assert os.listdir(self._folder)
      shutil.rmtree(self._folder)


@pytest.mark.parametrize("which", ["plugin"], indirect=True, scope="module")
@pytest.mark.parametrize("name, dev_type", [
  ("add", DISK), ("del", DISK), ("add", NIC), ("del", NIC), ("mod", NIC)])
def test_an_operation_whose_folder_is_removed_loses_nothing(
    ready, capsys, name, dev_type): # noqa: F811
  node = ready
  function, present = OPERATIONS[name]
  started = time.time()
  number, errors = 1, []
  while True:
    put(node, dev_type, THIS, present)
    pending = kill_points.pending()

    def operation():
      points = Removals(node, number, pending)
      try:
        function(node, dev_type, THIS, SEQ[THIS])
      finally:
        with open(node.folder + "/points", "w") as stream:
          stream.write("\n".join(points.names))

    said = child_processes.alone(operation)
    with open(node.folder + "/points") as stream:
      names = stream.read().split("\n")
    if said:
      errors.append("%s: %s" % (names[number - 1], said))
      assert "kvm-pci" in said or "timed out" in said, errors[-1]
      wait_for_unplug(node, id_of(dev_type, THIS))
      put(node, dev_type, THIS, present)
    else:
      assert (id_of(dev_type, THIS) in runtime_devices(node)) == (
        name != "del")
    check(node)
    assert files_of(node)[0] == []
    if number > len(names):
      break
    number += STRIDE
  put(node, dev_type, THIS, False)
  check(node)
  with capsys.disabled():
    print("\n%s of a %s: folder removed at each %d. of %d points, %d errors,"
          " %.0f s" % (name, dev_type, STRIDE, len(names), len(errors),
                       time.time() - started))
    print("\n".join(errors))


@between(BOTH)
def test_a_guest_arrives_though_the_folders_are_removed(
    pair, guest): # noqa: F811
  """Its runtime file waits there until it has."""
  pair.start(guest)
  info = pair.accept()
  for side in (pair.source, pair.target):
    shutil.rmtree(folder_of(side), ignore_errors=True)
  arrives(pair, info)
  pair.target.agreed_slots()
  # and is taken for one that runs here
  pair.target.hot_add(NIC, THIS, THIS)
  assert len(pair.target.agreed_slots()[1]) == 3
