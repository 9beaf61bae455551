"""A start and a migration without room on the disk, and read-only.

At each point where the node writes something: it is done, or there is one error
that names the instance. Where the guest ran, it runs still, and nowhere twice;
once there is room, the same is done, and the guest has its data.

C{SHORTAGE_EVERY}, see L{test_shortage}, is 3 here unless it is given.

"""

import contextlib
import errno
import json
import os
import re
import subprocess

import pytest

from ganeti.hypervisor import hv_kvm

from moving import Pair, ended
from qemu_state import agree, run_state
from test_broken_migration import processes
from test_migration import HERE, is_clean, waiting
from test_shortage import NAMES, ROOM, half_written, mounted
import child_processes
import nodes
import shortage

EVERY = int(os.environ.get("SHORTAGE_EVERY", "3"))

pytestmark = pytest.mark.skipif(not shortage.HAS_HOOKS,
                                reason=shortage.NO_HOOKS)


@pytest.fixture
def pair(guest, tmpdir):
  """A pair whose files are on small file systems; a guest runs on the source.

  """
  if nodes.unfit("plugin"):
    pytest.skip(nodes.unfit("plugin"))
  folder = str(tmpdir)
  with contextlib.ExitStack() as stack:
    for name in ("source", "target"):
      path = str(tmpdir.mkdir(name))
      stack.enter_context(mounted(path, "-t", "tmpfs", "-o", (
        "size=%d,nr_inodes=%d" % (ROOM, NAMES)), "tmpfs"))
    made = Pair("plugin", "plugin", folder)
    try:
      made.start(guest)
      made.source.wait_for_guest()
      # what is asked of QEMU's program the first times
      for _ in range(3):
        made.finalize(made.accept(), False)
      yield made
    finally:
      made.stop()


class Lack(object):
  """What a node has no more of from a point on, or at one alone."""

  def __init__(self, begin, end=lambda folder: None, removes=True):
    """Note what it is.

    @param removes: whether a file can be removed meanwhile

    """
    self._begin, self._end, self._removes = begin, end, removes

  def attempt(self, node, number, operation):
    """Do something on a node, in a process of its own.

    @param number: of the point, from 1 on
    @return: its error or None, and how many points there were

    """
    reading, writing = os.pipe()

    def run():
      done = self._begin(node.folder, number)
      try:
        operation()
      finally:
        os.write(writing, json.dumps(done()).encode("ascii"))

    said = child_processes.alone(run)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
      points = json.loads(stream.read())
    print("point %d of %d: %s" % (number, points, said))
    # what the next operation removes is the plugin's own
    left = half_written(node)
    if said is None or self._removes:
      assert said is not None and all(name.endswith(".kvm-pci")
                                      for name in left) or not left, left
    self._end(node.folder)
    if said is not None:
      is_clear(said)
    return said, points


def refused(number, lasts):
  return Lack(lambda folder, point: shortage.at(
    point, shortage.writes(folder), shortage.refuse(number), lasts),
              removes=not lasts)


def full(fill):
  return Lack(lambda folder, point: shortage.at(
    point, shortage.writes(folder), lambda: fill(folder), False),
              shortage.clear)


LACKS = {"ENOSPC once": refused(errno.ENOSPC, False),
         "EROFS from then on": refused(errno.EROFS, True),
         "no room": full(shortage.fill),
         "no names": full(shortage.fill_names)}

EACH = pytest.mark.parametrize("name", sorted(LACKS))


def is_clear(said):
  """Check that an error is one that Ganeti shows, and names the instance."""
  assert re.match(r"(HotplugError|HypervisorError): ", said), said
  assert nodes.NAME in said and "\n" not in said, said


def points(most=200):
  """Count points, up to the first that is none of what it is tried with.

  @return: generator of the number of a point, and a list to which is added how
      many there were

  """
  for number in range(1, most, EVERY):
    # what fills a file system has points of its own
    known = []
    yield number, known
    if number > max(known):
      return
  assert False, "more than %d points" % most


def start(pair, node):
  node.hyper.StartInstance(
    node.instance, [(nodes.disk(number), pair.source.image(number), None)
                    for number in pair.disks], False)


def stop(node):
  node.hyper.StopInstance(node.instance, force=True)
  node.hyper.CleanupInstance(nodes.NAME)
  ended(node)
  is_clean(node)


def is_started(node):
  """Check that the guest runs, once."""
  assert len(processes(node)) == 1 and run_state(node) == "running"
  agree(node)
  assert not half_written(node)


def restarts(pair, node, said):
  """Check what a start has left; without one, the next does it.

  Ganeti takes an instance whose QEMU is there for started, paused or not.

  """
  if said is None:
    is_started(node)
  else:
    assert processes(node) == [], said
    start(pair, node)
    is_started(node)


@pytest.fixture
def stopped(pair, monkeypatch):
  """The same pair without a guest."""
  monkeypatch.setattr(hv_kvm.pathutils, "LOG_KVM_DIR", pair.source.folder)
  stop(pair.source)
  for _ in range(2):
    start(pair, pair.source)
    stop(pair.source)
  return pair


@EACH
def test_a_start(stopped, name):
  node = stopped.source
  for number, known in points():
    said, count = LACKS[name].attempt(node, number,
                                      lambda: start(stopped, node))
    known.append(count)
    restarts(stopped, node, said)
    if number <= count:
      stop(node)
  assert said is None # at none of its own
  stopped.is_right(node)


def stays(pair, info):
  """Have the master give up; check that the guest runs where it did."""
  pair.finalize(info, False)
  ended(pair.target)
  assert processes(pair.target) == []
  assert len(processes(pair.source)) == 1
  pair.is_alone(pair.source)
  assert not half_written(pair.target)


@EACH
def test_a_target(pair, name):
  """C{AcceptInstance}; and the end of what was accepted and given up."""
  hyper = pair.target.hyper
  for number, known in points():
    info = pair.told()
    said, count = LACKS[name].attempt(
      pair.target, number, lambda: hyper.AcceptInstance( # pylint: disable=W0640
        pair.target.instance, info, HERE)) # pylint: disable=W0640
    known.append(count)
    assert pair.states() == [pair.source]
    if said is not None:
      stays(pair, info)
      info = pair.accept()
    said, count = LACKS[name].attempt(
      pair.target, number, lambda: hyper.FinalizeMigrationDst(
        pair.target.instance, info, False)) # pylint: disable=W0640
    known.append(count)
    assert pair.states() == [pair.source]
    stays(pair, info)
  assert said is None
  pair.arrives(pair.accept())
  pair.is_right(pair.target)


def finish_again(pair, node, finish):
  """Do what was not done.

  On the source, Ganeti cannot once the QEMU has ended, and need not.

  """
  if node is pair.source and not processes(node):
    node.hyper.CleanupInstance(nodes.NAME)
  else:
    finish()


@EACH
def test_the_end_of_a_migration(pair, name):
  """C{FinalizeMigrationDst}, then C{FinalizeMigrationSource}.

  The guest is on the target by then.

  """
  for number, known in points():
    info = pair.accept()
    assert pair.migrate() == "completed"
    for node, finish in (
        (pair.target, lambda: pair.target.hyper.FinalizeMigrationDst(
          pair.target.instance, info, True)), # pylint: disable=W0640
        (pair.source, lambda: pair.source.hyper.FinalizeMigrationSource(
          pair.source.instance, True, True))):
      said, count = LACKS[name].attempt(node, number, finish)
      known.append(count)
      assert pair.states() == [pair.target]
      assert len(processes(pair.target)) == 1
      if said is not None:
        finish_again(pair, node, finish)
    assert processes(pair.source) == []
    # Ganeti asks for this regularly; what could not be removed is then
    for node in (pair.source, pair.target):
      node.hyper.ListInstances()
      assert waiting(node) == [] and not half_written(node)
    pair.is_right(pair.target)
    pair.back()
  assert said is None


@contextlib.contextmanager
def read_only(node, below):
  """Make one of a node's folders, or all, read-only."""
  folder = os.path.join(node.folder, getattr(node.hyper, below, below))
  subprocess.check_call(["mount", "--bind", folder, folder])
  try:
    subprocess.check_call(["mount", "-o", "remount,bind,ro", folder])
    yield
  finally:
    subprocess.check_call(["umount", "-l", folder])


def tried(node, below, operation):
  """Try something while a folder is read-only: its error or None."""
  with read_only(node, below):
    said = child_processes.alone(operation)
  print("%s: %s" % (below or "all", said))
  if said is not None:
    is_clear(said)
  return said


BELOW = pytest.mark.parametrize("below", ["_CONF_DIR", "_NICS_DIR", "_PIDS_DIR",
                                          "_CTRL_DIR", "kvm-pci", ""],
                                ids=["runtime files", "nics", "pids", "sockets",
                                     "kvm-pci", "all"])


@BELOW
def test_a_read_only_folder(stopped, below):
  """A start, then each step of a migration."""
  pair = stopped
  restarts(pair, pair.source,
           tried(pair.source, below, lambda: start(pair, pair.source)))
  pair.source.wait_for_guest()
  for _ in range(2):
    info = pair.told()
    said = tried(pair.target, below, lambda: pair.target.hyper.AcceptInstance(
      pair.target.instance, info, HERE)) # pylint: disable=W0640
    if said is not None:
      stays(pair, info)
      info = pair.accept()
    said = tried(pair.target, below,
                 lambda: pair.target.hyper.FinalizeMigrationDst(
                   pair.target.instance, info, False)) # pylint: disable=W0640
    stays(pair, info)
  info = pair.accept()
  assert pair.migrate() == "completed"
  for node, finish in (
      (pair.target, lambda: pair.target.hyper.FinalizeMigrationDst(
        pair.target.instance, info, True)),
      (pair.source, lambda: pair.source.hyper.FinalizeMigrationSource(
        pair.source.instance, True, True))):
    said = tried(node, below, finish)
    assert pair.states() == [pair.target]
    if said is not None:
      finish_again(pair, node, finish)
  for node in (pair.source, pair.target):
    node.hyper.ListInstances()
    assert waiting(node) == [] and not half_written(node)
  pair.is_right(pair.target)
