"""What an operation takes: one connection, one read of the runtime file."""

import sys

import pytest

import counting
import test_migration
import world
from world import DISK, NIC

pytestmark = pytest.mark.skipif(not hasattr(sys, "addaudithook"),
                                reason="this Python does not tell which files"
                                " are opened")


class Ledger(object):
  """What each operation took."""

  def __init__(self):
    self.lines = []
    self.costs = {}

  def run(self, node, name, function, *args):
    """Run an operation and note down what it took."""
    path = node.hyper._InstanceKVMRuntime(world.NAME)
    with counting.counting(path) as told:
      result = function(*args)
    cost = told()
    self.costs[name] = cost
    self.lines.append(
      "%-22s %2d modules %4d crossings %2d connections %3d commands"
      " %d reads %d writes" % (name, len(cost.modules), cost.crossings,
                               cost.connections, len(cost.commands),
                               cost.reads, cost.writes))
    return result


@pytest.fixture(scope="module", params=["stock", "plugin"])
def ledger(request, guest, tmpdir_factory):
  """Go through all operations on one guest."""
  which = request.param
  if which == "plugin" and world.unknown():
    pytest.skip("the plugin does not know this Ganeti: %s" % world.unknown())
  found = Ledger()
  folder = tmpdir_factory.mktemp(which)
  for name in ("source", "target"):
    folder.mkdir(name)
  pair = test_migration.Pair(which, which, str(folder))
  source, target = pair.source, pair.target
  try:
    found.run(source, "start", lambda: pair.start(guest))
    found.run(source, "hot-add disk", source.hot_add, DISK, 2, 2)
    found.run(source, "hot-add NIC", source.hot_add, NIC, 2, 2)
    source.wait_until_guest_sees(3, 3)
    found.run(source, "hot-remove NIC", source.hot_del, NIC, 2, 2)
    found.run(source, "hot-remove disk", source.hot_del, DISK, 2, 2)
    info = pair.translated(found.run(source, "migration: source",
                                     source.hyper.MigrationInfo,
                                     source.instance))
    found.run(target, "migration: target", target.hyper.AcceptInstance,
              target.instance, info, test_migration.HERE)
    found.run(source, "migration: send", source.hyper.MigrateInstance,
              "cluster", source.instance, test_migration.HERE, True)
    assert pair.wait() == "completed"
    found.run(source, "migration: end", source.hyper.FinalizeMigrationSource,
              source.instance, True, True)
    found.run(target, "migration: arrival", target.hyper.FinalizeMigrationDst,
              target.instance, info, True)
  finally:
    for line, cost in zip(found.lines, found.costs.values()):
      print("%-7s %s" % (which, line))
      print("        %s" % " ".join(cost.commands))
    for node in (source, target):
      node.stop()
  return found


def test_each_operation_reads_the_runtime_file_once(ledger):
  assert ledger.costs
