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
BENCHMARKS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "benchmarks")
sys.path.insert(0, BENCHMARKS)

import bare # pylint: disable=wrong-import-position

#: How often a script is run until it finds what was measured.
TRIES = 2


def findings(text):
  """Reduce a table to what does not depend on the host's speed.

  @rtype: dict
  @return: way to what became of its guest, and, in C{starts.py}, how many of
      QEMU's own devices it starts with

  """
  lines = text.split("\n")
  counts = "own" in lines[1].split()
  found = {}
  for line in lines[2:]:
    row = re.match(r"(\S.*?)\s{2,}([\d.]+).*?\s{2}([a-z(].*)$", line)
    if row:
      name, first, end = row.groups()
      # QEMU's word for a target that dies depends on what was sent by then
      found[name] = ("dead" if "dead" in end else end,
                     int(first) if counts else None)
  return found


@pytest.mark.parametrize("script, arguments, some", [
  ("buses", ["--operations", "4"], "bridge"),
  ("starts", ["--rounds", "1"], "first")])
def test_the_results_are_those_of(script, arguments, some, tmpdir):
  command = [sys.executable, os.path.join(BENCHMARKS, script + ".py")]
  if os.environ.get("ALTERNATIVES") != "all":
    arguments = arguments + ["--only", some]
  version = ".".join(bare.version().split(".")[:2])
  path = os.path.join(BENCHMARKS, "results", "%s-%s.txt" % (script, version))
  if not os.path.exists(path):
    pytest.skip("nothing was measured with QEMU %s" % version)
  with open(path) as stream:
    measured = findings(stream.read())
  said = []
  # a guest on a host that is busy with other tests may be too slow once
  for _ in range(TRIES):
    said.append(subprocess.check_output(
      command + arguments, timeout=900,
      env=dict(os.environ, BENCH_RESULTS=str(tmpdir))).decode("utf-8"))
    found = findings(said[-1])
    assert found, said[-1]
    if found == dict((way, measured.get(way)) for way in found):
      return
  pytest.fail("\n".join(said))
