"""What the hook costs a Python program that has nothing to do with Ganeti.

Runs C{python3 -c pass} by turns without and with the C{.pth} file, in one run,
and prints the difference.  The two differ in nothing else: both process a
C{.pth} file of their own, one of them an empty one.

"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from ganeti_kvm_pci.node import startup_files # pylint: disable=C0413

RUNS = 400


def prepare(folder, line):
  """Make a site folder with a .pth file, and the code that processes it."""
  os.makedirs(folder)
  with open(os.path.join(folder, "x.pth"), "w") as stream:
    stream.write(line)
  return "import site; site.addsitedir(%r)" % folder


def once(code):
  before = time.perf_counter()
  subprocess.check_call(["/usr/bin/python3", "-c", code])
  return (time.perf_counter() - before) * 1000


def main():
  with tempfile.TemporaryDirectory() as scratch:
    without = prepare(os.path.join(scratch, "a"), "import sys\n")
    with_ = prepare(os.path.join(scratch, "b"),
                    startup_files.pth_line(HERE))
    once(without)
    once(with_)
    pairs = [(once(without), once(with_)) for _ in range(RUNS)]
  plain = statistics.median(a for a, _ in pairs)
  difference = statistics.median(b - a for a, b in pairs)
  print("python3 -c pass, %d pairs: %.2f ms without the hook, median"
        " difference %.2f ms with it (ratio %.3f)" %
        (RUNS, plain, difference, (plain + difference) / plain))


if __name__ == "__main__":
  main()
