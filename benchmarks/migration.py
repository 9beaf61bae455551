"""What the plugin costs a guest that moves, beside unmodified Ganeti.

Two hypervisors of the installed Ganeti on a real QEMU, as in
C{tests/integration}. One guest is migrated to and fro, by unmodified Ganeti and
by the plugin in turns, after a pause of up to a second whose length is random:
a guest of the lab is busy once a second, and a busy one is sent otherwise.
Taken are the node daemons' three calls before QEMU sends anything, each in a
process of its own as the node daemon does it, how long QEMU says that it took,
and how long the guest stood still: from the source's C{STOP} to
the target's C{RESUME}. (QEMU's own C{downtime} ends, without a return path, as
the source has sent all.) A run in which anything fails writes nothing.

QEMU below 9 corrupts busy guests that it emulates where they are stopped only
once little is left to send, as on real clusters. C{--suite} takes the
QEMU of that suite's root (C{tools/test-suite}), with parameters of migration
that clusters use; without, they are the lab's, with which a guest is stopped
100 ms after QEMU has begun, whatever is left by then.

"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import chance
import node_daemon
import results_file

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TREE = os.path.dirname(os.path.realpath("/usr/sbin/ganeti-noded"))
sys.path[:0] = [TREE, TOP, os.path.join(TOP, "tests", "integration")]

WAYS = ("unmodified", "plugin")

#: Disks and NICs of a guest: Ganeti's default, and all that the pools hold.
SIZES = [(1, 1), (16, 8)]

#: The migration_bandwidth, in MiB/s, and migration_downtime, in ms: of the lab,
#: and at the ends of what clusters have.
OF_LAB = [(1024, 10000)]
OF_CLUSTERS = [(32, 30), (1024, 30), (32, 300), (1024, 300)]

#: In seconds; the lab's guest reports as often.
PAUSE = 1

#: What is taken, in milliseconds.
BEFORE = ["MigrationInfo", "AcceptInstance", "MigrateInstance"]
ALL = "before, all"
DURING = ["total time by QEMU", "guest stands still"]

#: The aims: how much more may be done before, in milliseconds; and how likely
#: by chance a difference must be not to be one.
MORE = 20
LIKELY = 0.05

ABOUT = """\
One guest goes to and fro between two hypervisors of Ganeti on one host, by
unmodified Ganeti and the plugin in turns, each time after a random pause.

- before, all: the three calls of the node daemons, each in a process of its
  own, for which a job waits; the guest runs meanwhile
- guest stands still: from the source's STOP to the target's RESUME
- p: how likely a difference as great as that of the two rows is by chance
  (Mann-Whitney, two-sided); where it is not below 0.05, there is no difference
  that this many moves can see

With a migration_downtime of 10 s, the lab's, QEMU stops the guest 100 ms after
it has begun: whether the guest then stands still for 5 ms or for 300 is decided
by whether its memory was sent before. Of the plugin, that says nothing.
"""


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
  info, first = node_daemon.call(source.hyper.MigrationInfo, source.instance)
  info = pair.translated(info)
  _, second = node_daemon.call(target.hyper.AcceptInstance, target.instance,
                               info, test_migration.HERE)
  here, there = source.watch(), target.watch()
  _, third = node_daemon.call(source.hyper.MigrateInstance, "cluster",
                              source.instance, test_migration.HERE, True)
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


def both_ways(folder):
  """Make two nodes that have the hypervisors of both ways.

  @rtype: dict
  @return: way to its pair; these are on the same files

  """
  import test_migration

  if len(set(map(test_migration.nodes.hypervisor_class, WAYS))) < len(WAYS):
    raise RuntimeError("both ways have the same hypervisor class")
  return dict((way, test_migration.Pair(way, way, folder)) for way in WAYS)


def start(pair, guest, **hvparams):
  """Start the guest.

  What the tests put in QEMU's place is a script, whose answers the plugin does
  not keep; but it makes older command lines fit a newer QEMU.

  """
  import nodes
  import old_qemu

  if "VARIANT" not in os.environ:
    for node in (pair.source, pair.target):
      node.qemu = shutil.which(nodes.QEMU)
    hvparams.update(kvm_path=pair.source.qemu, kvm_extra="-qmp unix:%s,server,"
                    "nowait" % old_qemu.watch_socket(pair.source.folder,
                                                     nodes.NAME))
  pair.start(guest, kvm_pci_reservations=8, **hvparams)


def follow(pair, other):
  """Have a pair know where another has moved the guest."""
  other.source, other.target = other.target, other.source
  other.source.uptime = pair.source.uptime


def measure(size, sending, rounds, guest, folder):
  """Take it of a guest of one size; returns dict, way to list of dicts.

  @param sending: one of L{OF_CLUSTERS}

  """
  disks, nics = size
  pairs = both_ways(folder)
  chosen = random.Random(repr((size, sending)))
  try:
    # its devices are where the plugin has them
    first, other = pairs["plugin"], pairs["unmodified"]
    start(first, guest, disks=disks, nics=nics, migration_bandwidth=sending[0],
          migration_downtime=sending[1])
    for name in ("source", "target"):
      getattr(other, name).instance = getattr(first, name).instance
      getattr(other, name).qemu = getattr(first, name).qemu
    other.report = first.report
    taken = dict((way, []) for way in WAYS)
    for number in range(rounds + 1):
      for way in WAYS if number % 2 else WAYS[::-1]:
        time.sleep(chosen.random() * PAUSE)
        found = move(pairs[way])
        follow(pairs[way], pairs[WAYS[1 - WAYS.index(way)]])
        found[ALL] = sum(found[name] for name in BEFORE)
        # the first round is not counted
        if number:
          taken[way].append(found)
    return taken
  finally:
    for pair in pairs.values():
      pair.stop()


def add(results, size, sending, taken):
  """Add what was taken to the results; prints it as well."""
  what = "%d + %d devices, %d MiB/s, %d ms" % (size + sending)
  print("\n%s: n = %d each, medians in ms" % (what, len(taken[WAYS[0]])))
  for name in BEFORE + [ALL] + DURING:
    group = "%s (%s)" % (name, what)
    values = [[found[name] for found in taken[way]] for way in WAYS]
    one, other = map(statistics.median, values)
    p = chance.mann_whitney(*values)
    results.add(group, WAYS[0], "ms", values[0])
    results.add(group, WAYS[1], "ms", values[1], to=WAYS[0])
    results.tell(group, "p", "%.3f" % p)
    print("%-18s %9.1f %9.1f %+9.1f  p = %.3f" % (name, one, other, other - one,
                                                p))
    if name == ALL and size == SIZES[-1]:
      results.aim("before a guest with %d disks and %d NICs moves, at most %d"
                  " ms more than without the plugin" % (size + (MORE, )),
                  "%+.1f ms" % (other - one), other - one <= MORE)
    if name == DURING[-1]:
      results.aim("a guest stands still no longer than without the plugin (%s)"
                  % what, "%.1f and %.1f ms, p = %.3f" % (one, other, p),
                  other <= one or p >= LIKELY)


def take_qemu_of(suite, folder):
  """Have all that is started here be the QEMU of a suite's root."""
  import qemu_roots

  versions = [version for version, name in qemu_roots.OF_SUITE.items()
              if name == suite]
  path = versions and qemu_roots.install(os.path.join(folder, "qemu"),
                                         versions[0])
  if not path:
    raise SystemExit("there is no root of %s: tools/test-suite %s true" %
                     (suite, suite))
  os.environ["QEMU"] = path
  os.environ.setdefault("VARIANT", suite)


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--rounds", type=int, default=30)
  parser.add_argument("--suite", help="take the QEMU of this suite's root")
  parser.add_argument("--sizes", default=" ".join("%d+%d" % size
                                                  for size in SIZES),
                      help="disks and NICs of the guests")
  options = parser.parse_args()
  if os.environ.get("BENCH_NETWORK") != "own":
    os.environ["BENCH_NETWORK"] = "own"
    os.execvp("unshare", ["unshare", "--net", sys.executable] + sys.argv)
  subprocess.check_call(["ip", "link", "set", "lo", "up"])
  sizes = [tuple(map(int, size.split("+"))) for size in options.sizes.split()]
  with tempfile.TemporaryDirectory() as folder:
    if options.suite:
      take_qemu_of(options.suite, folder)
    results = results_file.Results("migration", "Migration", ABOUT,
                                   {"rounds": options.rounds,
                                    "sizes": options.sizes})
    subprocess.check_call([os.path.join(TOP, "lab", "guest"), folder])
    for size in sizes:
      for sending in OF_CLUSTERS if options.suite else OF_LAB:
        own = os.path.join(folder, "-".join(map(str, size + sending)))
        add(results, size, sending,
            measure(size, sending, options.rounds, folder, own))
  results.write()


if __name__ == "__main__":
  main()
