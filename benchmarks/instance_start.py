"""What the plugin costs the start of an instance, beside unmodified Ganeti.

C{StartInstance} of the installed Ganeti on a real QEMU, as in
C{tests/integration}, by unmodified Ganeti and by the plugin in turns, each in a
process of its own as the node daemon does it. It ends when QEMU runs; the guest
stays paused, so that nothing of it is counted. QEMU is the program itself, as
Debian's kvm is: what a script says instead is not kept. C{starts.py} is about
other ways to place devices.

"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import chance
import node_daemon
import results_file

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TREE = os.path.dirname(os.path.realpath("/usr/sbin/ganeti-noded"))
sys.path[:0] = [TREE, TOP, os.path.join(TOP, "tests", "integration")]

WAYS = ("unmodified", "plugin")

#: Disks and NICs of a guest: Ganeti's default, and all that unmodified Ganeti
#: has room for with 12 slots reserved.
SIZES = [(1, 1), (8, 8)]

#: The aim: how much longer a start with the plugin may take.
RATIO = 1.02

ABOUT = """\
`StartInstance` of the node daemon, until QEMU runs, in a process forked for it,
by unmodified Ganeti and the plugin in turns. p: how likely a difference as
great as that of the two rows is by chance (Mann-Whitney, two-sided).
"""


def start(node, size):
  """Start an instance, and end it; returns the milliseconds."""
  import nodes

  try:
    return node_daemon.call(lambda: node.start(
      size[0], size[1], True, kvm_path=shutil.which(nodes.QEMU)))[1]
  finally:
    node.stop()


def measure(size, rounds, folder):
  """Take it of instances of one size; returns dict, way to list."""
  import nodes

  made = {}
  for way in WAYS:
    own = os.path.join(folder, "%d-%s" % (size[0], way))
    os.makedirs(own)
    made[way] = nodes.Node(way, own)
  taken = dict((way, []) for way in WAYS)
  for number in range(rounds + 1):
    for way in WAYS if number % 2 else WAYS[::-1]:
      took = start(made[way], size)
      # the first round is not counted
      if number:
        taken[way].append(took)
  return taken


def add(results, size, taken):
  """Add what was taken to the results; prints it as well."""
  group = "StartInstance, %d + %d devices" % size
  one, other = [taken[way] for way in WAYS]
  p = chance.mann_whitney(one, other)
  results.add(group, WAYS[0], "ms", one)
  found = results.add(group, WAYS[1], "ms", other, to=WAYS[0])
  ratio = found["ratio"]["median"]
  results.tell(group, "p", "%.3f" % p)
  results.aim("%s: at most %.2f times that of unmodified Ganeti" %
              (group, RATIO), "%.3f, p = %.3f" % (ratio, p), ratio <= RATIO)
  print("%s: n = %d each, medians %.1f and %.1f ms, ratio by pairs %.3f,"
        " p = %.3f" % (group, len(one), statistics.median(one),
                     statistics.median(other), ratio, p))


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--rounds", type=int, default=20)
  options = parser.parse_args()
  if os.environ.get("BENCH_NETWORK") != "own":
    os.environ["BENCH_NETWORK"] = "own"
    os.execvp("unshare", ["unshare", "--net", sys.executable] + sys.argv)
  subprocess.check_call(["ip", "link", "set", "lo", "up"])
  results = results_file.Results("instance_start", "Start of an instance",
                                 ABOUT, {"rounds": options.rounds})
  with tempfile.TemporaryDirectory() as folder:
    for size in SIZES:
      add(results, size, measure(size, options.rounds, folder))
  results.write()


if __name__ == "__main__":
  main()
