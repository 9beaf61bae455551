"""What the comparison costs a guest that moves, beside unmodified Ganeti.

Two hypervisors of the installed Ganeti on a real QEMU, as in
C{tests/integration}, for unmodified Ganeti and for the plugin each; their
guests are migrated to and fro by turns. Taken
are the node daemons' three calls before QEMU sends anything, how long QEMU says
that it took, and how long the guest stood still: from the source's C{STOP} to
the target's C{RESUME}. (QEMU's own C{downtime} ends, without a return path, as
the source has sent all.) Prints a table; a run in which anything fails prints
none.

"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TREE = os.path.dirname(os.path.realpath("/usr/sbin/ganeti-noded"))
sys.path[:0] = [TREE, TOP, os.path.join(TOP, "tests", "integration")]

ROUNDS = int(os.environ.get("ROUNDS", "12"))
WAYS = ("unmodified", "plugin")

#: Disks and NICs of a guest: Ganeti's default, and all that the pools hold.
SIZES = [(1, 1), (16, 8)]

#: What is taken, in milliseconds.
BEFORE = ["MigrationInfo", "AcceptInstance", "MigrateInstance"]
DURING = ["total time by QEMU", "guest stands still"]


def timed(function, *args):
  """Call a function; returns what it returns, and the milliseconds."""
  start = time.perf_counter()
  result = function(*args)
  return result, (time.perf_counter() - start) * 1000


def moment(qmp, event):
  """Wait for an event; returns when QEMU had it, in milliseconds."""
  while True:
    told = json.loads(qmp.line())
    if told.get("event") == event:
      return (told["timestamp"]["seconds"] * 1e3 +
              told["timestamp"]["microseconds"] / 1e3)


def move(pair):
  """Have a guest go to the other node.

  @return: dict, what was taken to milliseconds

  """
  import test_migration

  source, target = pair.source, pair.target
  info, first = timed(source.hyper.MigrationInfo, source.instance)
  info = pair.translated(info)
  _, second = timed(target.hyper.AcceptInstance, target.instance, info,
                    test_migration.HERE)
  here, there = source.watch(), target.watch()
  _, third = timed(source.hyper.MigrateInstance, "cluster", source.instance,
                   test_migration.HERE, True)
  stopped, resumed = moment(here, "STOP"), moment(there, "RESUME")
  told = {}
  while told.get("status") != "completed":
    told = here.execute("query-migrate")
    if told["status"] == "failed":
      raise RuntimeError("the migration has failed")
  here.sock.close()
  there.sock.close()
  pair.finalize(info, True)
  test_migration.is_alive(pair, target)
  pair.source, pair.target = target, source
  return dict(zip(BEFORE + DURING, [first, second, third, told["total-time"],
                                    resumed - stopped]))


def measure(size, guest, folder):
  """Take it of guests of one size; returns dict, way to list of dicts."""
  import test_migration

  disks, nics = size
  if len(set(map(test_migration.nodes.hypervisor_class, WAYS))) < len(WAYS):
    raise RuntimeError("both ways have the same hypervisor class")
  pairs = {}
  try:
    for way in WAYS:
      for side in ("source", "target"):
        os.makedirs(os.path.join(folder, way, side))
      pairs[way] = test_migration.Pair(way, way, os.path.join(folder, way))
      pairs[way].start(guest, disks=disks, nics=nics,
                       kvm_pci_reservations=8)
    taken = dict((way, []) for way in WAYS)
    for number in range(ROUNDS + 1):
      for way in WAYS if number % 2 else WAYS[::-1]:
        found = move(pairs[way])
        # the first round is not counted
        if number:
          taken[way].append(found)
    return taken
  finally:
    for pair in pairs.values():
      pair.stop()


def show(size, taken):
  print("\n%d disks, %d NICs, n = %d each, medians in ms" %
        (size + (ROUNDS, )))
  print("%-17s %10s %9s %9s %7s" % ("", WAYS[0], "plugin", "more", "ratio"))

  def line(name, value):
    one, other = [statistics.median(value(found) for found in taken[way])
                  for way in WAYS]
    print("%-18s %9.1f %9.1f %9.1f %7.2f" % (
      name, one, other, other - one, other / one if one else 1))

  for name in BEFORE:
    line(name, lambda found, name=name: found[name])
  line("before, all", lambda found: sum(found[name] for name in BEFORE))
  for name in DURING:
    line(name, lambda found, name=name: found[name])


def main():
  if os.environ.get("BENCH_NETWORK") != "own":
    os.environ["BENCH_NETWORK"] = "own"
    os.execvp("unshare", ["unshare", "--net", sys.executable] + sys.argv)
  subprocess.check_call(["ip", "link", "set", "lo", "up"])
  with tempfile.TemporaryDirectory() as folder:
    subprocess.check_call([os.path.join(TOP, "lab", "guest"), folder])
    found = [(size, measure(size, folder, "%s/%d" % (folder, size[0])))
             for size in SIZES]
  print("load %.2f, %s" % (os.getloadavg()[0], time.strftime("%F %T %Z")))
  for size, taken in found:
    show(size, taken)


if __name__ == "__main__":
  main()
