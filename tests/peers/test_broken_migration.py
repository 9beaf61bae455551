"""Migrations that are cancelled, or break, at each moment.

QEMU is killed on either side, or the node daemon, or the link between the nodes
is cut. After each no guest runs twice; one runs, but where its QEMU was killed;
runtime file, QEMU, guest and the configuration agree; each disk has its data;
and the guest can be hotplugged, and moves.

C{BROKEN_EVERY} in the environment: at each how many of the points at which a
node daemon can be killed it is.

"""

import os
import re
import signal
import socket
import time

import pytest

import kill_points
import master as master_
import nodes
import old_qemu
import qemu_state
import slow_link
from guest_disks import GuestDisks
from line_socket import Socket
from master import SOURCE
from master import TARGET
from master import Failed
from nodes import DISK
from nodes import NIC
from qemu_state import agree
from qemu_state import migration_status
from qemu_state import tell
from test_migration import BOTH
from test_migration import between
from test_migration import ended
from test_migration import is_clean
from test_migration import is_plugin
from test_migration import pair  # noqa: F401 (a fixture)
from test_migration import waiting

UNMODIFIED = ("unmodified", "unmodified")

#: From one point to the next; the calls at the end of a migration have fewer.
STRIDE = int(os.environ.get("BROKEN_EVERY", "7"))
FINAL_STRIDE = (STRIDE + 2) // 4 or 1

#: Has a migration last, without end.
SLOW = {"migration_bandwidth": 8, "migration_downtime": 1}

#: The graphics memory, which QEMU sends last, is empty, and takes no time.
NO_VGA = pytest.mark.parametrize("broken", [{"vga": "none"}], indirect=True,
                                 ids=["no VGA"])

#: A link's bytes per second: what is left of a guest takes seconds.
NARROW = {"last round": 2 << 20, "switch-over": 6 << 20}


def processes(node):
  """List the QEMUs of a node, whatever the files say."""
  mark = os.path.join(node.folder, "%s.watch" % nodes.NAME).encode("ascii")
  found = []
  for name in os.listdir("/proc"):
    if name.isdigit():
      try:
        with open("/proc/%s/cmdline" % name, "rb") as stream:
          words = stream.read().split(b"\0")
      except EnvironmentError: # it has ended
        continue
      if words[-2:-1] and mark in words[-2]:
        found.append(int(name))
  return found


def run_state(node):
  """Ask QEMU as L{qemu_state.run_state} does; None if none runs."""
  if not processes(node):
    return None
  try:
    return qemu_state.run_state(node)
  except (AssertionError, EnvironmentError): # it is just ending
    return None


def running(pair):
  """List the nodes on which the guest runs."""
  return [node for node in (pair.source, pair.target)
          if run_state(node) == "running"]


class Broken(object):
  """A guest whose migrations break."""

  def __init__(self, pair, guest, folder, **hvparams):
    self.pair = pair
    self.link = slow_link.Link(master_.SENT_TO, master_.LISTENS)
    self.disks = GuestDisks(folder, pair.source, pair.target)
    pair.start(guest, **hvparams)
    for node in (pair.source, pair.target):
      kill_points.hasten(node.hyper, node.qemu)
    self.master = master_.Master(pair)
    self.uptime = pair.source.uptime

  def restart(self, killed=False):
    """Start the instance where the configuration has it, as a watcher does.

    @param killed: see L{goes_on}

    """
    node = self.master.primary
    assert not processes(self.pair.source) and not processes(self.pair.target)
    node.hyper.StartInstance(
      node.instance, [(nodes.disk(n), self.disks.image(n), None)
                      for n in range(2)], False)
    self.uptime = 0
    self.goes_on(self.pair.source.wait_for_guest()
                 if node is self.pair.source else node.wait_for_guest(),
                 killed)

  def goes_on(self, report=None, killed=False):
    """Check that the guest runs once, and where the configuration has it.

    @param killed: whether a QEMU, or the end of one, was killed on the other
        node, which leaves Ganeti's files

    """
    self.pair.report = report or self.pair.report
    here = self.master.primary
    assert nodes.until(lambda: running(self.pair), lambda found: found == [here],
                       30) == [here], self.master.said
    other = (self.pair.target if here is self.pair.source else self.pair.source)
    assert not processes(other), self.master.said
    assert waiting(other) == []
    if not killed:
      is_clean(other)
    assert here.wait_for_guest() == self.pair.report
    assert here.uptime >= self.uptime
    self.uptime = here.uptime
    agree(here)
    assert waiting(here) == []
    self.disks.check(here)

  def hotplugs(self):
    """Have it get a disk and a NIC, and lose them, and another of each."""
    self.master.turn()
    node = self.master.primary
    count = [len(found) for found in node.agreed_slots()]
    self.do(lambda: node.hot_add(DISK, 5, count[0]))
    self.do(lambda: node.hot_add(NIC, 5, count[1]))
    node.wait_until_guest_sees(count[0] + 1, count[1] + 1)
    self.disks.check(node)
    self.do(lambda: node.hot_del(DISK, 5, count[0]))
    self.do(lambda: node.hot_del(NIC, 5, count[1]))
    node.wait_until_guest_sees(*count)
    agree(node)

  @staticmethod
  def do(operation):
    assert master_.child_processes.alone(operation) is None

  def moves(self):
    """Check that it moves, once nothing is broken."""
    self.link.rate, self.link.passes, self.link.answers = None, True, True
    self.master.down.clear()
    self.master.turn()
    for node in (self.pair.source, self.pair.target):
      node.instance.hvparams.update(migration_bandwidth=1024,
                                    migration_downtime=10000)
    before = self.master.primary
    self.master.migrate()
    assert self.master.primary is not before
    self.goes_on()
    self.master.turn()

  def fails(self, at=None):
    with pytest.raises(Failed) as caught:
      self.master.migrate(at)
    print("%s\n%s" % (caught.value, "\n".join(self.master.said)))
    return str(caught.value)


@pytest.fixture
def broken(pair, guest, tmpdir, request):
  made = Broken(pair, guest, str(tmpdir.mkdir("shared")),
                **getattr(request, "param", {}))
  try:
    yield made
  finally:
    made.link.close()


def kill(node):
  (pid, ) = processes(node)
  os.kill(pid, signal.SIGKILL)
  ended(pid)


def copied(pair):
  """Tell how much of the memory is copied, in percent; None before."""
  ram = tell(pair.source, "query-migrate").get("ram")
  return ram and 100.0 * (ram["total"] - ram["remaining"]) / ram["total"]


def answers(node):
  """Tell whether QEMU answers; it does not while it sends the last round."""
  qmp = Socket(old_qemu.watch_socket(node.folder, nodes.NAME), 2)
  try:
    assert "QMP" in qmp.line()
    qmp.execute("qmp_capabilities")
  except socket.timeout:
    return False
  finally:
    qmp.sock.close()
  return True


class When(object):
  """A moment of a migration: waits for it at the first look, and acts.

  The last round is sent while the guest stands still and QEMU answers nobody;
  at the switch-over the source has sent all, and the link still has some of it.

  """

  def __init__(self, name, broken, action):
    self._name, self._broken, self._action = name, broken, action
    self.acted = False
    if name in NARROW:
      broken.link.rate = NARROW[name]
    elif name == "copy":
      broken.pair.source.instance.hvparams.update(SLOW)

  def _is_now(self):
    pair = self._broken.pair
    if self._name == "copy":
      return (copied(pair) or 0) > 30
    if self._name == "last round":
      return not answers(pair.source)
    if self._name == "switch-over":
      return run_state(pair.source) == "finish-migrate"
    return (migration_status(pair.source) == "completed" and
            run_state(pair.target) == "running")

  def __call__(self, step):
    if step == "accepted" or self.acted:
      return
    nodes.wait_until(self._is_now, self._name)
    self.acted = True
    self._action()


def fill(node, *sizes):
  """Leave no memory of a guest empty: QEMU sends that in no time.

  What was removed keeps what was in it.

  @param sizes: MiB, each no more than the guest writes in a minute

  """
  for number, size in enumerate(sizes):
    node.console("dd if=/dev/urandom of=/dev/filled%d bs=1M count=%d"
                 " 2> /dev/null\n" % (number, size))
  node.console("rm /dev/filled*\n")


#: How much of the memory may be copied while nobody looks, in percent.
_BAND = 6


@between(BOTH)
@NO_VGA
@pytest.mark.parametrize("percent", [10, 50, 90])
def test_a_cancelled_migration_hinders_nothing(broken, percent):
  pair = broken.pair
  fill(pair.source, 32, 32)
  pair.source.instance.hvparams.update(
    SLOW if percent > 2 * _BAND else dict(SLOW, migration_bandwidth=1))
  seen = []

  def reach(share):
    def found():
      there = copied(pair) or 0
      return there >= share and there

    return nodes.wait_until(found, "%d %% are copied" % share,
                            2 * nodes.PATIENCE)

  def at(step):
    if step == "accepted" or seen:
      return
    if percent > 2 * _BAND:
      reach(percent - 2 * _BAND)
    tell(pair.source, "migrate-set-parameters", max_bandwidth=1 << 20)
    seen.append(reach(percent))
    tell(pair.source, "migrate_cancel")
    assert migration_status(pair.source) in ("cancelling", "cancelled")

  broken.fails(at)
  print("cancelled at %.1f %%" % seen[0])
  assert percent <= seen[0] < percent + _BAND
  broken.goes_on()
  broken.hotplugs()
  broken.moves()
  broken.hotplugs()
  broken.moves()


@between(BOTH)
@NO_VGA
@pytest.mark.parametrize("moment", ["copy", "last round", "switch-over",
                                    "after"])
@pytest.mark.parametrize("side", [SOURCE, TARGET])
def test_a_qemu_that_is_killed(broken, moment, side):
  pair, master = broken.pair, broken.master
  arrived = []

  def end():
    kill(master.node(side))
    if (moment, side) == ("switch-over", SOURCE):
      # what it had sent may all be on the way, and get there, before the job
      # goes on
      arrived.append(nodes.until(
        lambda: processes(pair.target) and run_state(pair.target),
        lambda found: found in ([], "running"), 30) == "running")

  when = When(moment, broken, end)
  if (moment, side) == ("after", TARGET):
    master.migrate(when)
    assert master.primary is pair.target
  else:
    broken.fails(when)
    assert master.primary is pair.source
  assert when.acted
  has_arrived = side == SOURCE and (moment == "after" or arrived == [True])
  if has_arrived:
    assert processes(pair.target)
    # the job knows nothing of the guest, the target does
    master.cleanup()
    assert master.primary is pair.target
  if not has_arrived and (moment == "after") == (side == TARGET):
    # that was the guest
    assert nodes.until(lambda: processes(pair.source) + processes(pair.target),
                       lambda found: not found, 10) == []
    for node in (pair.source, pair.target):
      if node is not master.primary:
        is_clean(node)
    broken.restart()
  else:
    broken.goes_on(killed=True)
    broken.hotplugs()
  broken.moves()
  broken.moves()


#: Calls, and whether it is those of a migration that fails.
CALLS = [(SOURCE, "MigrationInfo", False), (TARGET, "AcceptInstance", False),
         (SOURCE, "MigrateInstance", False),
         (SOURCE, "GetMigrationStatus", False),
         (SOURCE, "FinalizeMigrationSource", False),
         (TARGET, "FinalizeMigrationDst", False),
         (TARGET, "FinalizeMigrationDst", True),
         (SOURCE, "FinalizeMigrationSource", True)]


def settle(broken, killed=False):
  """Clean up as the operator's page says, until all is right.

  @param killed: see L{Broken.goes_on}
  @return: whether the source's QEMU had to be killed for that

  """
  master, is_told = broken.master, False
  master.down.clear()
  try:
    master.cleanup()
  except Failed as err:
    print("cleanup: %s" % err)
    match = re.search(r"paused after a migration that completed.*\(kill (\d+)\)",
                      str(err))
    assert match, err
    assert [int(match.group(1))] == processes(broken.pair.source)
    kill(broken.pair.source)
    is_told = True
    master.cleanup()
  broken.goes_on(killed=killed or is_told)
  return is_told


@between(BOTH)
@pytest.mark.parametrize("call", CALLS, ids=lambda c: "%s%s" % (
  c[1], "-fails" if c[2] else ""))
def test_a_node_daemon_that_is_killed(broken, call, capsys):
  """It is there again at once, and the next time when the job has ended."""
  side, method, is_failing = call
  pair, master = broken.pair, broken.master
  stride = FINAL_STRIDE if method.startswith("Finalize") else STRIDE
  began = time.time()
  visits = 0
  while True:
    master.turn()
    master.said = []
    node = master.node(side)
    number = visits * stride + 1
    when = None
    if is_failing:
      when = When("copy", broken, lambda: tell(pair.source, "migrate_cancel"))
    master.fatal = {(side, method): number}
    if visits % 2:
      master.fatal["then down"] = node
    try:
      master.migrate(when)
      failed = False
    except Failed as err:
      failed = True
      print("%s, point %d: %s" % (method, number, err))
    died = (side, method) not in master.fatal and any(
      "killed" in text for text in master.said)
    master.fatal = {}
    print("\n".join(master.said))
    if failed:
      # a daemon that dies while it removes Ganeti's files leaves some
      settle(broken, died and method.startswith("Finalize"))
    else:
      broken.goes_on()
    if not died:
      break
    visits += 1
    if visits % 3 == 0:
      broken.moves()
  total = len(master.points[call[:2]])
  broken.moves()
  with capsys.disabled():
    print("\n%s: killed %d times, at each %d. of %s points, %.0f s" % (
      method, visits, stride, total, time.time() - began))
  assert visits


@between(BOTH)
@NO_VGA
@pytest.mark.parametrize("moment", ["copy", "last round", "switch-over"])
def test_a_link_that_is_cut(broken, moment):
  when = When(moment, broken, broken.link.cut)
  broken.fails(when)
  assert when.acted
  broken.goes_on()
  broken.hotplugs()
  broken.moves()


@between(BOTH)
@pytest.mark.parametrize("moment", ["copy", "switch-over"])
def test_a_link_that_stands_still_and_goes_on(broken, moment):
  """For longer than Ganeti's client waits for an answer of QEMU's."""
  pair = broken.pair

  def stand_still():
    broken.link.passes = False
    ended_at = time.time() + 8
    while time.time() < ended_at:
      assert migration_status(pair.source) == "active"
      time.sleep(0.5)
    broken.link.passes = True
    broken.link.rate = None
    tell(pair.source, "migrate-set-parameters", max_bandwidth=1 << 30,
         downtime_limit=10000)

  when = When(moment, broken, stand_still)
  broken.master.migrate(when)
  assert when.acted
  broken.goes_on()
  broken.hotplugs()
  broken.moves()


@between(BOTH)
def test_a_slow_link(broken):
  """With parameters that suit it."""
  pair = broken.pair
  broken.link.rate = 6 << 20
  pair.source.instance.hvparams.update(migration_bandwidth=4,
                                       migration_downtime=2000)
  broken.master.migrate()
  broken.goes_on()
  broken.moves()


def arrived(pair):
  """Wait until the guest runs on the target, and there alone."""
  assert nodes.until(lambda: running(pair), lambda found: found ==
                     [pair.target]) == [pair.target]


@between(BOTH)
def test_a_target_whose_confirmation_takes_long(broken):
  """The source waits, and does not resume the guest."""
  pair = broken.pair
  broken.link.answers = False

  def at(step):
    if step == "status" and not broken.link.answers:
      arrived(pair)
      for _ in range(8):
        time.sleep(1)
        assert running(pair) == [pair.target]
      broken.link.answers = True

  broken.master.migrate(at)
  broken.goes_on()
  broken.moves()


@between(BOTH, UNMODIFIED)
def test_a_link_that_is_cut_before_the_target_can_confirm(broken):
  """The one case in which a guest runs twice, until a cleanup.

  Unmodified Ganeti has the source wait for no confirmation: a target that dies
  on the way costs it the guest.

  """
  pair, master = broken.pair, broken.master
  broken.link.answers = False

  def cut(step):
    if step == "status":
      arrived(pair)
      broken.link.cut()
      time.sleep(1)

  if not is_plugin(pair.source):
    master.migrate(cut)
    broken.goes_on()
    return
  broken.fails(cut)
  print([run_state(node) for node in (pair.source, pair.target)])
  settle(broken)
  assert master.primary is pair.source
  broken.moves()


@between(BOTH, UNMODIFIED)
@pytest.mark.parametrize("call", ["MigrateInstance", "GetMigrationStatus"])
def test_an_arrived_guest_is_not_ended_by_a_job_that_lost_its_source(broken,
                                                                     call):
  """The source's node daemon was killed, or restarted, while it arrived."""
  pair, master = broken.pair, broken.master
  plain = pair.source.hyper.MigrateInstance

  def die(*args):
    plain(*args)
    arrived(pair)
    os.kill(os.getpid(), signal.SIGKILL)

  def at(step):
    if step == "status" and call == "GetMigrationStatus":
      arrived(pair)
      master.down.add(pair.source)

  if call == "MigrateInstance":
    pair.source.hyper.MigrateInstance = die
  broken.fails(at)
  pair.source.hyper.__dict__.pop("MigrateInstance", None)
  states = [run_state(node) for node in (pair.source, pair.target)]
  if not is_plugin(pair.source):
    # the memory is older than the disks; or nobody runs
    assert states == [
      {"MigrateInstance": "running", "GetMigrationStatus": "postmigrate"}[call],
      None]
    master.down.clear()
    master.cleanup()
    assert master.primary is pair.source and run_state(pair.source) == states[0]
    return
  assert states == ["postmigrate", "running"]
  settle(broken)
  assert master.primary is pair.target
  broken.moves()


@between(BOTH)
def test_another_attempt_does_what_a_cleanup_does(broken):
  """Both node daemons died, and QEMU still waits on the target."""
  pair, master = broken.pair, broken.master

  def at(step):
    if step == "accepted":
      master.down.update([pair.source, pair.target])

  broken.fails(at)
  assert len(processes(pair.target)) == 1
  master.down.clear()
  # it finds that QEMU, and ends it
  broken.fails()
  broken.goes_on()
  broken.moves()
