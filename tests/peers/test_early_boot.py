"""A guest that moves right after a hot-add, before its system is up.

Its firmware has not looked yet, or has; its kernel has not; or it is being
reset.

"""

import time

import pytest

from moving import pair # pylint: disable=unused-import
from qemu_state import run_state, tell
from nodes import DISK, NIC
from test_migration import is_plugin
import nodes

pytestmark = nodes.ON_PC_ONLY


def phase(node):
  """Tell what the guest's CPU runs."""
  text = tell(node, "human-monitor-command", command_line="info registers")
  words = dict(word.split("=", 1) for word in text.split() if "=" in word)
  if not int(words["CR0"], 16) >> 31:
    return "firmware or loader (%s)" % (words.get("EIP") or words.get("RIP"))
  return "kernel (%s)" % words.get("RIP", words.get("EIP"))


@pytest.mark.parametrize("delay", [0, 0.1, 0.4, 1.5, 3, 6])
def test_it_moves_right_after_a_hot_add(pair, guest, delay):
  pair.start(guest)
  time.sleep(delay)
  before = phase(pair.source)
  pair.hot_add(pair.source, DISK, 2)
  pair.hot_add(pair.source, NIC, 2)
  info = pair.accept()
  assert pair.migrate() == "completed"
  print("after %g s: %s, arrived: %s" % (delay, before, phase(pair.target)))
  pair.finalize(info, True)
  pair.is_right(pair.target)
  for dev_type in (DISK, NIC):
    pair.hot_del(pair.target, dev_type, 2)
  pair.is_right(pair.target)


@pytest.mark.parametrize("pair", ["plugin", "unmodified"], indirect=True)
def test_an_instance_that_was_started_paused_goes_on_where_it_moves_to(
    pair, guest):
  """Ganeti keeps in the runtime file that it was."""
  pair.start(guest, paused=True)
  tell(pair.source, "cont")
  pair.source.wait_for_guest()
  pair.arrives(pair.accept())
  if not is_plugin(pair.target):
    assert run_state(pair.target) == "paused"
    return
  pair.is_right(pair.target)


def test_an_instance_that_is_paused_stays_so(pair, guest):
  pair.start(guest, paused=True)
  pair.arrives(pair.accept())
  assert pair.states() == []
  assert run_state(pair.target) != "running"
  tell(pair.target, "cont")
  pair.is_right(pair.target)
