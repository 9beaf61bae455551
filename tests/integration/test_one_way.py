"""What an operation takes: one connection, one read of the runtime file."""

import sys

import pytest
# pytest names it itself from 6.2 on
from _pytest.monkeypatch import MonkeyPatch

from ganeti import errors

from ganeti_kvm_pci.qmp import unplug

import counting
import faults
import slow_guest
import test_migration
import nodes
from nodes import DISK, NIC

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
    path = node.hyper._InstanceKVMRuntime(nodes.NAME)
    with counting.counting(path) as told:
      result = function(*args)
    cost = told()
    self.costs[name] = cost
    self.lines.append(
      "%-18s %2d modules %4d crossings %2d connections %3d commands %d reads"
      " %d writes" % (name, len(cost.modules), cost.crossings, cost.connections,
                      len(cost.commands), cost.reads, cost.writes))
    return result


@pytest.fixture(scope="module", params=["unmodified", "plugin"])
def ledger(request, guest, tmpdir_factory):
  """Go through all operations on one guest."""
  which = request.param
  if nodes.unfit(which):
    pytest.skip(nodes.unfit(which))
  found = Ledger()
  pair = test_migration.Pair(which, which, str(tmpdir_factory.mktemp(which)))
  source, target = pair.source, pair.target
  hold = unplug._HOLD
  # on a busy host the guest takes longer than a connection is kept for it
  unplug._HOLD = nodes.PATIENCE
  waits = MonkeyPatch()
  if which == "unmodified":
    slow_guest.lend(source, waits)
  try:
    found.run(source, "start", lambda: pair.start(guest))
    found.run(source, "hot-add disk", source.hot_add, DISK, 2, 2)
    found.run(source, "hot-add NIC", source.hot_add, NIC, 2, 2)
    source.wait_until_guest_sees(3, 3)
    found.run(source, "hot-remove NIC", source.hot_del, NIC, 2, 2)
    try:
      found.run(source, "hot-remove disk", source.hot_del, DISK, 2, 2)
    except errors.HypervisorError as err:
      # virtio NICs send DEVICE_DELETED twice, and the second one of the NIC's
      # may end unmodified Ganeti's wait for the disk
      if which == "plugin" or "in use" not in str(err) or \
          not faults.here("another's event ends the wait for a NIC"):
        raise
      print("%-7s hot-remove disk    failed: %s" % (which, err))
      return (which, found.costs)
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
    unplug._HOLD = hold
    waits.undo()
    for line, cost in zip(found.lines, found.costs.values()):
      print("%-7s %s\n          %s" % (which, line, " ".join(cost.commands)))
    for node in (source, target):
      node.stop()
  return (which, found.costs)


#: Where one operation of ours opens more than one connection, of Ganeti's own
#: methods, which do not ask ours.
_OF_GANETI = {"start": 3}

#: What QEMU is asked by a hot-add, beside what Ganeti asks of its own. Each of
#: the two NICs that are there is asked for its MAC address.
_ASKED = {
  "hot-add disk": ["query-status", "qom-list", "query-pci", "query-block",
                   "query-named-block-nodes", "human-monitor-command",
                   "query-fdsets", "qom-list"],
  "hot-add NIC": ["query-status", "qom-list", "query-pci", "query-block",
                  "query-named-block-nodes", "human-monitor-command",
                  "query-fdsets", "qom-get", "qom-get", "qom-list"],
  }

#: What Ganeti asks, or has QEMU do, in one of these.
_GANETIS = ["qmp_capabilities", "query-commands", "query-qmp-schema", "add-fd",
            "remove-fd", "getfd", "netdev_add", "blockdev-add", "device_add",
            "closefd"]


@pytest.mark.parametrize("name", [
  "start", "hot-add disk", "hot-add NIC", "hot-remove NIC", "hot-remove disk",
  "migration: source", "migration: target", "migration: send",
  "migration: end", "migration: arrival"])
def test_one_operation_connects_once_and_reads_once(ledger, name):
  which, costs = ledger
  if which == "unmodified":
    return
  cost = costs[name]
  assert cost.connections <= _OF_GANETI.get(name, 1), cost.commands
  assert cost.reads <= 1


#: What is asked before a guest moves, however many devices it has: of all of
#: them at once. Two of the commands begin a connection.
_BEFORE = {"migration: source": 25, "migration: target": 16,
           "migration: send": 15}
#: Drivers of a guest of the lab, and what its own drives are on; which
#: properties they have is asked once for a QEMU.
_DRIVERS = 10


@pytest.mark.parametrize("name", sorted(_BEFORE))
def test_no_device_is_asked_for_each_property(ledger, name):
  which, costs = ledger
  if which == "unmodified":
    return
  commands = costs[name].commands
  known = _BEFORE[name] + (_DRIVERS if name == "migration: source" else 0)
  assert len(commands) <= known, commands
  # the machine type, the memory, the number of a vCPU
  assert commands.count("qom-get") <= 3


@pytest.mark.parametrize("name", sorted(_ASKED))
def test_a_hot_add_asks_nothing_twice(ledger, name):
  """But which devices there are, before and after; and writes once."""
  which, costs = ledger
  if which == "unmodified":
    return
  asked = [command for command in costs[name].commands
           if command not in _GANETIS]
  if faults.column() in ("2.16", "3.0") and name == "hot-add disk":
    # drive_add, the later one
    assert asked.pop(-2) == "human-monitor-command"
  if name == "hot-add NIC" and not nodes.ON_PC:
    # whether its driver has an acpi-index, which a program is asked once
    if "device-list-properties" in asked:
      asked.remove("device-list-properties")
    # and all that there are
    assert asked.pop(-2) == "human-monitor-command"
  assert asked == _ASKED[name]
  assert costs[name].writes == 1
