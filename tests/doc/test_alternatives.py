"""What the design document says of alternatives is so with this QEMU.

But for the times, which are measured once: the scripts are run shortly, and
what they find is compared with C{benchmarks/results}. C{ALTERNATIVES=all} in
the environment has them try all that is in there.

"""

import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from documents import TOP # pylint: disable=wrong-import-position

BENCHMARKS = os.path.join(TOP, "benchmarks")


def findings(text):
  """Reduce a table to what does not depend on the machine's speed.

  @rtype: tuple of a string and a dict
  @return: QEMU's version, two numbers of it; way to what became of its guest,
      and, in C{starts.py}, how many of QEMU's own devices it starts with

  """
  lines = text.split("\n")
  version = re.match(r"QEMU (\d+\.\d+)", lines[0]).group(1)
  counts = "own" in lines[1].split()
  found = {}
  for line in lines[2:]:
    row = re.match(r"(\S.*?)\s{2,}([\d.]+).*?\s{2}([a-z(].*)$", line)
    if row:
      name, first, end = row.groups()
      # QEMU's word for a target that dies depends on what was sent by then
      found[name] = ("dead" if "dead" in end else end,
                     int(first) if counts else None)
  return (version, found)


@pytest.mark.parametrize("script, arguments, some", [
  ("buses", ["--operations", "4"], "bridge"),
  ("starts", ["--rounds", "1"], "first")])
def test_the_results_are_those_of(script, arguments, some):
  command = [sys.executable, os.path.join(BENCHMARKS, script + ".py")]
  if os.environ.get("ALTERNATIVES") != "all":
    arguments = arguments + ["--only", some]
  printed = subprocess.check_output(command + arguments).decode("utf-8")
  version, found = findings(printed)
  path = os.path.join(BENCHMARKS, "results", "%s-%s.txt" % (script, version))
  if not os.path.exists(path):
    pytest.skip("nothing was measured with QEMU %s" % version)
  with open(path) as stream:
    _, measured = findings(stream.read())
  assert found, printed
  assert found == dict((way, measured.get(way)) for way in found), printed
