"""Migrations that break, or are given up, once postcopy has begun.

The guest runs on the target then, and a part of its memory is on the source:
each QEMU has what the other one lacks. Neither is ended, and what the plugin
says is done here, to the letter.

"""

import re

import pytest

from ganeti import constants

import master as master_
import nodes
from qemu_state import migration_status
from qemu_state import tell
from test_broken_migration import UNMODIFIED
from test_broken_migration import broken  # noqa: F401 (a fixture)
from test_broken_migration import copied
from test_broken_migration import kill
from test_broken_migration import processes
from test_broken_migration import run_state
from test_broken_migration import settle
from test_migration import BOTH
from test_migration import between
from test_migration import is_plugin
from test_migration import pair  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(
  not hasattr(constants, "HV_KVM_MIGRATION_CAPS"),
  reason="this Ganeti has no migration_caps")

#: In bytes per second: what postcopy has left to send takes several seconds.
_RATE = 3 << 20

_COMMAND_RE = re.compile(r"(migrate_recover|migrate -d -r) tcp:ADDRESS:(\d+)")


def human(node, line):
  said = tell(node, "human-monitor-command", command_line=line)
  print("%s: %s" % (line, said))
  assert not said.strip(), said


class Postcopy(object):
  """Has a migration go over to postcopy, and something happen then.

  Ganeti does so after the first round, when next to nothing is left.

  A QEMU whose guest wants memory that does not come may answer nobody (7.2 with
  TCG), and no guest that runs goes without for long: where the target's has to
  answer, its guest is paused.

  @param paused: whether it is, while the link still works

  """
  def __init__(self, broken, action, paused=False):
    self._broken, self._action, self._paused = broken, action, paused
    self.acted = False
    pair = broken.pair
    # what is empty is not sent
    pair.source.console("dd if=/dev/urandom of=/dev/filled bs=1M count=48"
                        " 2> /dev/null\n")
    for node in (pair.source, pair.target):
      node.instance.hvparams.update(migration_caps="postcopy-ram",
                                    migration_bandwidth=8, migration_downtime=1)
    broken.link.rate = _RATE

  def __call__(self, step):
    if step != "status" or self.acted:
      return
    self.acted = True
    pair = self._broken.pair
    nodes.until(lambda: copied(pair), lambda share: (share or 0) > 40)
    tell(pair.source, "migrate-start-postcopy")
    wanted = ("running", "postcopy-active")
    assert nodes.until(lambda: (run_state(pair.target),
                                migration_status(pair.source)),
                       lambda found: found == wanted) == wanted
    if self._paused:
      tell(pair.target, "stop")
    left = tell(pair.source, "query-migrate")["ram"]["remaining"]
    print("postcopy began, %d kB are left" % (left >> 10))
    assert left > 4 << 20
    self._action()


def cut(broken):
  """Cut the link, and have the source see it; the target may not answer."""
  broken.link.cut()
  source = broken.pair.source
  assert nodes.until(lambda: migration_status(source),
                     lambda found: found == "postcopy-paused"
                     ) == "postcopy-paused"


def refused(call, *words):
  """Check that a call, or a job, is refused."""
  with pytest.raises(master_.Failed) as caught:
    call()
  print(caught.value)
  for word in words:
    assert word in str(caught.value)
  return str(caught.value)


def are_both_there(pair, state="running"):
  """Check that neither side was ended, or made something else of the guest."""
  assert (run_state(pair.source), run_state(pair.target)) == (
    "finish-migrate", state)
  assert len(processes(pair.source)) == len(processes(pair.target)) == 1


def settles(broken):
  """Clean up once all was sent: the source's QEMU has to be killed by hand."""
  pair, master = broken.pair, broken.master
  assert nodes.until(lambda: migration_status(pair.source),
                     lambda found: found == "completed") == "completed"
  assert settle(broken)
  assert master.primary is pair.target
  broken.hotplugs()
  broken.moves()


@between(BOTH)
def test_a_postcopy_whose_link_is_cut_is_recovered(broken):
  pair, master = broken.pair, broken.master
  when = Postcopy(broken, lambda: cut(broken), paused=True)
  said = refused(lambda: master.migrate(when), nodes.NAME,
                 "broke after postcopy had begun")
  assert when.acted
  print("\n".join(master.said))
  for words in ("is not ended on this node", "is not resumed on this node"):
    (line, ) = [line for line in master.said if words in line]
    assert _COMMAND_RE.search(line), line
  assert "goes on" not in "".join(master.said)
  are_both_there(pair, "paused")
  # another attempt, and a cleanup that comes too early, end nothing
  for _ in range(2):
    refused(master.cleanup, "is not migrated", "since postcopy began")
    are_both_there(pair, "paused")
  refused(master.migrate, "is not migrated", "since postcopy began")
  are_both_there(pair, "paused")
  # as it is said
  commands = _COMMAND_RE.findall(said)
  assert commands == [("migrate_recover", str(master_.SENT_TO)),
                      ("migrate -d -r", str(master_.SENT_TO))]
  # there, the link is between both
  human(pair.target, "migrate_recover tcp:%s:%d" % (master_.HERE,
                                                    master_.LISTENS))
  human(pair.source, "migrate -d -r tcp:%s:%d" % (master_.HERE,
                                                  master_.SENT_TO))
  tell(pair.target, "cont")
  settles(broken)


@between(BOTH)
def test_a_job_that_lost_its_source_in_postcopy(broken):
  """The guest goes on, and a cleanup that comes too early does not end it."""
  pair, master = broken.pair, broken.master
  when = Postcopy(broken, lambda: master.down.add(pair.source))
  refused(lambda: master.migrate(when), "does not answer")
  assert when.acted
  master.down.clear()
  assert any("is not ended on this node" in text and "wait until" in text
             for text in master.said), master.said
  are_both_there(pair)
  refused(master.cleanup, "is not migrated", "wait until")
  are_both_there(pair)
  settles(broken)


def silence(broken):
  """Wait until the target's guest wants memory that does not come.

  The monitor's thread waits for the vCPUs then, of which one waits for memory.

  """
  def answers():
    try:
      tell(broken.pair.target, "stop")
      tell(broken.pair.target, "cont")
    except EnvironmentError:
      return False
    return True

  # what had been sent is still coming
  assert nodes.until(answers, lambda found: not found) is False


def reads(pair):
  """Have the guest read all that was written, over and over."""
  pair.source.console("while :; do cat /dev/filled > /dev/null; done &\n")


@between(BOTH)
def test_a_target_that_waits_for_memory_is_not_ended(broken):
  """Its monitor's thread waits as well, and does not answer."""
  pair, master = broken.pair, broken.master

  def hang():
    cut(broken)
    silence(broken)

  when = Postcopy(broken, hang)
  reads(pair)
  refused(lambda: master.migrate(when), "broke after postcopy had begun")
  (line, ) = [line for line in master.said if "is not ended" in line]
  print(line)
  (pid, ) = processes(pair.target)
  assert "does not answer" in line and "kill -9 %d" % pid in line
  refused(master.cleanup, "since postcopy began")
  assert processes(pair.target) == [pid]
  lost(broken, line)


def lost(broken, said):
  """Start the guest anew, of which one half has ended or hangs, as it is said."""
  assert re.search(r"end (what is left of both|this process) \(kill -9.*, shut"
                   " the instance down and start it", said)
  pair = broken.pair
  for each in (pair.source, pair.target):
    if processes(each):
      kill(each)
  # a shutdown asks no hypervisor where none runs; what waits at the target goes
  # when its instances are next listed, as gnt-cluster verify does
  pair.target.hyper.ListInstances()
  broken.restart(killed=True)
  broken.moves()


@between(BOTH)
@pytest.mark.parametrize("side", [master_.SOURCE, master_.TARGET])
def test_a_guest_that_lost_one_half_is_started_anew(broken, side):
  pair, master = broken.pair, broken.master
  rest = pair.target if side == master_.SOURCE else pair.source

  def half():
    kill(master.node(side))
    assert nodes.until(lambda: migration_status(rest),
                       lambda found: found == "postcopy-paused"
                       ) == "postcopy-paused"

  when = Postcopy(broken, half, paused=True)
  refused(lambda: master.migrate(when))
  print("\n".join(master.said))
  assert len(processes(rest)) == 1
  lost(broken, master.said[-1])


@between(BOTH)
@pytest.mark.parametrize("is_early", [True, False], ids=["cleanup", "none"])
def test_a_target_that_lost_its_source_and_waits(broken, is_early):
  """A cleanup finds it alone, and has it for the instance; it is lost as well.

  """
  pair, master = broken.pair, broken.master

  def hang():
    kill(pair.source)
    silence(broken)

  when = Postcopy(broken, hang)
  reads(pair)
  refused(lambda: master.migrate(when))
  print("\n".join(master.said))
  (pid, ) = processes(pair.target)
  assert "this QEMU does not answer" in master.said[-1]
  assert "kill -9 %d" % pid in master.said[-1]
  said = master.said[-1]
  if is_early:
    master.cleanup()
    assert master.primary is pair.target and processes(pair.target) == [pid]
  lost(broken, said)


@between(BOTH)
def test_a_link_that_is_cut_while_the_guest_runs(broken):
  """Recovered if the target's QEMU still answers, and lost if it does not."""
  pair, master = broken.pair, broken.master
  when = Postcopy(broken, lambda: cut(broken))
  refused(lambda: master.migrate(when), "broke after postcopy had begun")
  (said, ) = [line for line in master.said if "is not ended" in line]
  try:
    human(pair.target, "migrate_recover tcp:%s:%d" % (master_.HERE,
                                                      master_.LISTENS))
  except EnvironmentError:
    print("lost")
    lost(broken, said)
    return
  print("recovered")
  assert "migrate_recover" in said
  human(pair.source, "migrate -d -r tcp:%s:%d" % (master_.HERE,
                                                  master_.SENT_TO))
  settles(broken)


@between(UNMODIFIED)
def test_unmodified_ganeti_ends_the_half_that_runs(broken):
  pair = broken.pair
  when = Postcopy(broken, lambda: cut(broken))
  refused(lambda: broken.master.migrate(when), "hypervisor returned failure")
  assert not is_plugin(pair.source) and not processes(pair.target)
  assert run_state(pair.source) == "finish-migrate"
