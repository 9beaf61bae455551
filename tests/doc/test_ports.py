"""What was measured of q35's root ports is so with this QEMU.

But for the times, which are measured once: the script is run shortly, and what
it finds is compared with C{benchmarks/results}. C{ALTERNATIVES=all} in the
environment has it make all of its tables but that of UEFI.

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
import ports # pylint: disable=wrong-import-position


def findings(text):
  """Reduce tables to what does not depend on the host's speed.

  @rtype: dict
  @return: layout, and what it was tried with, to what came of it

  """
  found = {}
  table = None
  for line in text.split("\n"):
    title = re.match(r"QEMU .*?\), (\w+)\b.*, load ", line)
    if title:
      table = title.group(1)
    row = re.split(r"\s{2,}", line.strip())
    if row[0] not in [layout.name for layout in ports.LAYOUTS]:
      continue
    if table == "seed":
      found[row[0], table] = row[-1]
    elif table == "windows":
      found[row[0], row[1]] = row[2:]
    elif table == "devices":
      found[row[0], table] = row[1:3]
    elif table == "firmware":
      found[row[0], row[1]] = row[3:]
  return found


def measured():
  """Return the findings of the same QEMU in C{benchmarks/results}."""
  version = ".".join(bare.version().split(".")[:2])
  path = os.path.join(BENCHMARKS, "results", "ports-%s.txt" % version)
  if not os.path.exists(path):
    pytest.skip("nothing was measured with QEMU %s" % version)
  with open(path) as stream:
    return findings(stream.read())


def test_the_results_are_those_of_ports(tmpdir):
  expected = measured()
  arguments = ["--operations", "4", "--only", "packed", "--tables",
               "operations"]
  if os.environ.get("ALTERNATIVES") == "all":
    arguments = ["--operations", "4"]
  environment = dict(os.environ)
  environment.pop("OVMF", None)
  environment["BENCH_RESULTS"] = str(tmpdir)
  printed = subprocess.check_output(
    [sys.executable, os.path.join(BENCHMARKS, "ports.py")] + arguments,
    env=environment, timeout=900).decode("utf-8")
  found = findings(printed)
  assert found, printed
  assert found == dict((key, expected.get(key)) for key in found), printed


@pytest.mark.parametrize("layout", ports.LAYOUTS, ids=lambda item: item.name)
def test_ports_have_upstreams_ids_and_an_address_each(layout):
  options = ports.options_of(layout)
  made = [word for word in options if word.startswith("pcie-root-port")]
  assert len(set(layout.addresses)) == len(made) == 24
  for number, word in enumerate(made, 3):
    assert (",id=rp%d,bus=pcie.0,chassis=%d,port=%d," %
            (number, number, number)) in word
