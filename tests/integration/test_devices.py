"""Each type of PCI device that QEMU has, alone in C{kvm_extra}.

C{DEVICES_EVERY} in the environment says which part of them is tried, 12 for
each twelfth; C{make test-devices} tries all. Those that QEMU does not start
without further properties, or cannot migrate, are told apart by unmodified
Ganeti: what that does, the plugin must do. (Where that has no q35, by the
plugin on pc.)

"""

import collections
import os
import re
import subprocess
import sys
import time

import pytest

import round_trip
import nodes

EVERY = int(os.environ.get("DEVICES_EVERY", "1"))

_TYPE_RE = re.compile(r'^name "([^"]+)", bus PCI', re.M)


def types():
  """List the types of PCI devices by QEMU's own help."""
  text = subprocess.check_output([nodes.QEMU, "-device", "help"],
                                 stderr=subprocess.STDOUT)
  return sorted(set(_TYPE_RE.findall(text.decode("utf-8", "replace"))))


def _tell(capsys, line):
  with capsys.disabled():
    print(line)
    sys.stdout.flush()


def _short(why):
  """Leave of what was said the part that matters."""
  return why[-300:]


@pytest.mark.parametrize("which", ["plugin"], indirect=True)
def test_each_device_type_works_as_without_the_plugin(which, capsys):
  counts = collections.Counter()
  failures = []
  started = time.time()
  tried = types()[::EVERY]
  for name in tried:
    outcomes = {}
    # the other is tried where the plugin does not get to the end
    for side, (of, parameters) in (("this", (which, {})),
                                   ("other", round_trip.reference())):
      outcomes[side] = round_trip.run(
        of, hvparams=dict(parameters, kvm_extra="-device " + name))
      if outcomes[side].stage == round_trip.DONE:
        break
    mine = outcomes["this"]
    unmodified = outcomes.get("other", mine)
    if mine.stage == round_trip.DONE:
      counts["done"] += 1
    elif unmodified.stage == mine.stage:
      counts["unmodified: " + unmodified.stage] += 1
      if unmodified.stage != round_trip.START:
        _tell(capsys, "%s: %s, without the plugin as well: %s" %
              (name, mine.stage, _short(unmodified.why)))
    else:
      failures.append("%s: %s: %s (without the plugin: %s %s)" % (
        name, mine.stage, _short(mine.why), unmodified.stage,
        _short(unmodified.why)))
      _tell(capsys, "FAILED " + failures[-1])
  refused = counts.pop("unmodified: " + round_trip.START, 0)
  starting = len(tried) - refused
  _tell(capsys, "%d types, %d start alone; of these: there and back %d%s;"
        " failed %d; %.0f s" %
        (len(tried), starting, counts.pop("done", 0), "".join(
          "; fail without the plugin too, at %s: %d" %
          (key.partition(": ")[2], count)
          for key, count in sorted(counts.items())), len(failures),
         time.time() - started))
  assert starting
  if failures:
    pytest.fail("\n".join(failures), pytrace=False)
