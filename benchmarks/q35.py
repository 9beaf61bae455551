"""What q35 costs beside pc: start, boot, hot-add, unplug, migration.

The plugin in the installed Ganeti on a real QEMU, as in C{tests/integration},
with a guest of each machine type by turns, so that what drifts does so for
both. Taken are

  - StartInstance, and from its end until the guest says its first word;
  - HotAddDevice of a disk and of a NIC. After each the guest has to report the
    device before it goes on;
  - HotDelDevice of both, which ends once the guest has released the device and
    QEMU its backend;
  - the migration as L{migration} takes it.

Prints a table for each size; a run in which anything fails writes none.

"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import migration
import results_file

SIZES = [(1, 1), (15, 7)]

ADDS = ["hot-add of a disk", "hot-add of a NIC"]
REMOVALS = ["unplug of a disk", "unplug of a NIC"]
ABOUT = """\
- the plugin in Ganeti's own code on a real QEMU, without a cluster, with a guest
  of each machine type by turns
- boot: from the end of `StartInstance` until the guest's first word. After each
  hot-add the guest reports the device before it goes on
"""

TAKEN = ["StartInstance", "boot"] + ADDS + REMOVALS + migration.DURING


def take(pair, type_, size, guest):
  """Go through a guest's life once.

  @return: dict, what was taken to milliseconds

  """
  import nodes

  disks, nics = size
  start = time.perf_counter()
  node = pair.source
  booted = []
  wait = node.wait_for_guest
  node.wait_for_guest = lambda: booted.append(time.perf_counter()) or wait()
  pair.start(guest, disks=disks, nics=nics, kvm_pci_reservations=8,
             machine_version=type_)
  node.wait_for_guest = wait
  found = {"StartInstance": (booted[0] - start) * 1000,
           "boot": (time.perf_counter() - booted[0]) * 1000}
  node.wait_until_guest_sees(disks, nics)
  both = [(nodes.DISK, disks), (nodes.NIC, nics)]
  for at, (dev_type, count) in enumerate(both):
    _, found[ADDS[at]] = migration.timed(node.hot_add, dev_type, count, count)
    node.wait_until_guest_sees(disks + 1, nics + at)
  for at, (dev_type, count) in enumerate(both):
    _, found[REMOVALS[at]] = migration.timed(node.hot_del, dev_type, count,
                                             count)
  node.wait_until_guest_sees(disks, nics)
  pair.report = node.wait_for_guest()
  found.update(migration.move(pair))
  return found


def measure(size, types, rounds, guest, folder):
  """Take it of guests of one size; returns dict, type to list of dicts."""
  import test_migration

  taken = dict((type_, []) for type_ in types)
  for number in range(rounds + 1):
    for type_ in types if number % 2 else types[::-1]:
      own = os.path.join(folder, "%s-%d-%d" % (type_, size[0], number))
      pair = test_migration.Pair("plugin", "plugin", own)
      try:
        found = take(pair, type_, size, guest)
      finally:
        pair.stop()
      # the first round is not counted
      if number:
        taken[type_].append(found)
  return taken


def add(results, size, types, taken):
  """Add what was taken to the results."""
  for name in TAKEN:
    group = "%s (%d + %d devices)" % ((name, ) + size)
    for type_ in types:
      results.add(group, type_, "ms", [found[name] for found in taken[type_]],
                  to=None if type_ == types[0] else types[0])


def show(size, types, taken):
  print("\n%d disks, %d NICs, n = %d each, medians in ms" %
        (size + (len(taken[types[0]]), )))
  print("%-21s" % "" + "".join("%11s" % type_ for type_ in types) +
        "%9s" % "ratio")
  for name in TAKEN:
    values = [statistics.median(found[name] for found in taken[type_])
              for type_ in types]
    print("%-21s" % name + "".join("%11.1f" % value for value in values) +
          "%9.2f" % (values[-1] / values[0]))


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--types", default="pc,q35",
                      help="two types, the ratio is the second to the first")
  parser.add_argument("--rounds", type=int, default=5)
  options = parser.parse_args()
  types = options.types.split(",")
  if os.environ.get("BENCH_NETWORK") != "own":
    os.environ["BENCH_NETWORK"] = "own"
    os.execvp("unshare", ["unshare", "--net", sys.executable] + sys.argv)
  subprocess.check_call(["ip", "link", "set", "lo", "up"])
  before = os.getloadavg()[0]
  results = results_file.Results("q35", "q35 beside pc", ABOUT,
                                 {"rounds": options.rounds})
  with tempfile.TemporaryDirectory() as folder:
    subprocess.check_call([os.path.join(migration.TOP, "lab", "guest"), folder])
    found = [(size, measure(size, types, options.rounds, folder,
                            "%s/%d" % (folder, size[0])))
             for size in SIZES]
  import bare
  print("QEMU %s, load %.1f before, %.1f after, %s" % (
    bare.version(), before, os.getloadavg()[0],
    time.strftime("%F %T %Z")))
  for size, taken in found:
    show(size, types, taken)
    add(results, size, types, taken)
  results.write()


if __name__ == "__main__":
  main()
