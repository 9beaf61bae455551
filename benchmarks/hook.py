"""What the hook costs a Python program that has nothing to do with Ganeti.

Runs C{python3 -c pass} by turns without and with the C{.pth} file, in one run.
The two differ in nothing else: both process a
C{.pth} file of their own, one of them an empty one.

"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

import results_file

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from ganeti_kvm_pci.node import startup_files # pylint: disable=C0413

RUNS = int(os.environ.get("RUNS", "400"))

GROUP, WITHOUT, WITH = "python3 -c pass", "without the hook", "with the hook"

#: The aim, in milliseconds.
MORE = 0.3

ABOUT = """\
`python3 -c pass` by turns without and with the plugin's .pth file; both process
a .pth file, one of them an empty one.
"""


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
  results = results_file.Results("hook", "The hook in other programs", ABOUT,
                                 {"runs": RUNS})
  with tempfile.TemporaryDirectory() as scratch:
    without = prepare(os.path.join(scratch, "a"), "import sys\n")
    with_ = prepare(os.path.join(scratch, "b"),
                    startup_files.pth_line(HERE))
    once(without)
    once(with_)
    pairs = []
    for number in range(RUNS):
      ways = [without, with_][::-1 if number % 2 else 1]
      took = [once(code) for code in ways]
      pairs.append(took[::-1 if number % 2 else 1])
  plain = results.add(GROUP, WITHOUT, "ms", [a for a, _ in pairs])
  results.add(GROUP, WITH, "ms", [b for _, b in pairs], to=WITHOUT)
  more = results.add(GROUP, "difference", "ms", [b - a for a, b in pairs])
  results.aim("the hook costs at most %.1f ms" % MORE,
              "%.2f ms" % more["median"], more["median"] <= MORE)
  print("python3 -c pass, %d pairs: %.2f ms without the hook, median"
        " difference %.2f ms with it (ratio %.3f)" %
        (RUNS, plain["median"], more["median"],
         (plain["median"] + more["median"]) / plain["median"]))
  results.write()


if __name__ == "__main__":
  main()
