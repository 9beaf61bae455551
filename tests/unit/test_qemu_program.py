"""What a QEMU program prints, and how long that is believed."""

import os
import subprocess
import sys
import threading
import time

import pytest

from ganeti_kvm_pci import clock
from ganeti_kvm_pci import qemu_program
from ganeti_kvm_pci.errors import NodeError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))


@pytest.fixture
def program(tmpdir):
  """Write a script in place of another; gives its path."""
  def write(text):
    path = tmpdir.join("kvm.new")
    path.write("#!/bin/sh\n%s\n" % text)
    path.chmod(0o755)
    path.move(tmpdir.join("kvm"))
    return str(tmpdir.join("kvm"))
  return write


def descriptors():
  return sorted(os.listdir("/proc/self/fd"))


def test_all_that_it_prints_is_read(program):
  path = program("echo \"$@\"; echo two >&2; exit 3")
  before = descriptors()
  assert qemu_program.run([path, "one"]) == ("one\ntwo\n", 3)
  assert descriptors() == before
  text, status = qemu_program.run([program(
    "head -c 300000 /dev/zero | tr '\\0' x")])
  assert (len(text), status) == (300000, 0)


@pytest.mark.parametrize("text", [
  "sleep 30", "exec >&- 2>&-; sleep 30", "sleep 30 & echo x", "trap '' TERM;"
  " while :; do :; done"])
def test_it_has_to_end(program, text):
  path = program(text)
  before, begun = descriptors(), time.time()
  with pytest.raises(NodeError) as caught:
    qemu_program.run([path, "-machine", "help", "of", "many"], 0.3)
  assert time.time() - begun < 20
  assert str(caught.value) == ("cannot run %s -machine help: it has not ended"
                               " within 0.3 s" % path)
  assert descriptors() == before


@pytest.mark.parametrize("path", ["/nonexistent/kvm", "/", "a\0b"])
def test_what_is_no_program_is_not_run(path):
  before = descriptors()
  with pytest.raises(NodeError) as caught:
    qemu_program.run([path, "--version"])
  assert "cannot run %s" % path in str(caught.value)
  assert descriptors() == before


#: Collects children all the time, as a thread of the node daemon does each
#: second, while programs are run; says whether each text was whole, and which
#: statuses were reported.
REAPED = """
import os, sys, threading
sys.path[0] = %r
from ganeti_kvm_pci import qemu_program
def reap():
  while True:
    try:
      os.waitpid(-1, os.WNOHANG)
    except OSError: # no child at the moment
      pass
thread = threading.Thread(target=reap)
thread.daemon = True
thread.start()
ran = [qemu_program.run([sys.argv[1]]) for _ in range(60)]
print(sorted(set(ran)))
sys.stdout.flush()
os._exit(0)
""" % ROOT


@pytest.mark.skipif(sys.version_info < (3, ), reason="no such node daemon")
def test_who_is_collected_by_another_thread_is_heard_all_the_same(program):
  path = program("echo whole; exit 3")
  said = subprocess.check_output([sys.executable, "-B", "-c", REAPED, path])
  assert (b"('whole\\n', 0)" in said) # the status is lost, most of the time
  assert said.replace(b"('whole\\n', 3)", b"").strip(b"[], \n") == \
    b"('whole\\n', 0)"


class Asked(object):
  """What programs would say, and how often they were asked."""

  def __init__(self):
    self.times = 0

  def __call__(self, path):
    self.times += 1
    if path.endswith("none"):
      return None
    return self.times


@pytest.fixture
def asked():
  return Asked()


def test_a_file_is_asked_once(program, asked):
  answers = qemu_program.Answers(asked)
  path = program("1")
  assert [answers.of(path) for _ in range(3)] == [1, 1, 1]
  other = os.path.join(os.path.dirname(path), "link")
  os.symlink(path, other)
  assert [answers.of(other) for _ in range(2)] == [2, 2]
  # another of the same size
  program("2")
  assert [answers.of(name) for name in (path, other, path, other)] == [
    3, 4, 3, 4]
  # and one that is written into
  with open(path, "a") as stream:
    stream.write("more\n")
  assert answers.of(path) == 5
  # a link may be changed, too
  os.unlink(other)
  os.symlink("/bin/sh", other)
  assert answers.of(other) == 6
  os.unlink(path)
  assert [answers.of(path) for _ in range(2)] == [7, 8]


def test_an_answer_grows_old(program, asked, monkeypatch):
  """A script may start another QEMU by now."""
  answers = qemu_program.Answers(asked)
  path = program("1")
  now = clock.monotonic()
  for later, expected in ((0, 1), (qemu_program.AGE - 1, 1),
                          (qemu_program.AGE + 1, 2)):
    monkeypatch.setattr(clock, "monotonic", lambda: now + later)
    assert answers.of(path) == expected


def test_what_is_no_answer_is_not_kept(program, asked, tmpdir):
  answers = qemu_program.Answers(asked)
  path = str(tmpdir.join("none"))
  os.rename(program("1"), path)
  assert [answers.of(path) for _ in range(2)] == [None, None]
  assert asked.times == 2


def test_an_answer_of_one_that_is_replaced_meanwhile_is_not_kept(program):
  def ask(path):
    program("another")
    return path
  answers = qemu_program.Answers(ask)
  path = program("1")
  assert answers.of(path) == path
  assert answers._kept == {}


def test_answers_do_not_pile_up(tmpdir, asked):
  answers = qemu_program.Answers(asked)
  for number in range(100):
    path = tmpdir.join(str(number))
    path.write("")
    answers.of(str(path))
    assert answers.of(str(path)) == number + 1
  assert len(answers._kept) == qemu_program._PROGRAMS


def asking(number, answers, path):
  """Have threads ask for one answer: what they find, and the threads."""
  found = []
  threads = [threading.Thread(target=lambda: found.append(answers.of(path)))
             for _ in range(number)]
  for thread in threads:
    thread.start()
  return found, threads


def test_threads_share_answers_and_do_not_wait_for_another(tmpdir):
  slow, quick = [str(tmpdir.join(name)) for name in ("slow", "quick")]
  for path in (slow, quick):
    tmpdir.join(os.path.basename(path)).write("")
  hold, asks = threading.Event(), threading.Event()

  def ask(path):
    if path == slow:
      asks.set()
      assert hold.wait(30)
    return path

  answers = qemu_program.Answers(ask)
  found, threads = asking(4, answers, slow)
  try:
    assert asks.wait(30)
    assert answers.of(quick) == quick # while the other is asked
  finally:
    hold.set()
    for thread in threads:
      thread.join()
  assert found == [slow] * 4
  assert answers.of(slow) == slow


def test_threads_that_want_to_know_the_same_ask_once(program):
  path = program("1")
  times = []

  def ask(_):
    times.append(1)
    time.sleep(0.2)
    return "answer"

  answers = qemu_program.Answers(ask)
  found, threads = asking(8, answers, path)
  for thread in threads:
    thread.join()
  assert found == ["answer"] * 8
  assert len(times) == 1 and not answers._turns


@pytest.mark.parametrize("fails", [False, True])
def test_a_program_that_takes_its_time_costs_all_that_once(program, fails,
                                                           monkeypatch):
  path = program("1")
  times, waiting = [], []

  class Turn(qemu_program._Turn):
    """One that tells who waits for it."""

    def __init__(self):
      super(Turn, self).__init__()
      wait = self.is_over.wait
      self.is_over.wait = lambda: waiting.append(1) or wait()

  monkeypatch.setattr(qemu_program, "_Turn", Turn)

  def ask(_):
    times.append(1)
    patience = time.time() + 30
    while len(waiting) < 7:
      assert time.time() < patience
      time.sleep(0.01)
    if fails:
      raise NodeError("it has not ended")

  answers = qemu_program.Answers(ask)
  found = []

  def look():
    try:
      found.append(answers.of(path))
    except NodeError as err:
      found.append(str(err))

  threads = [threading.Thread(target=look) for _ in range(8)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert found == ["it has not ended" if fails else None] * 8
  assert len(times) == 1 and not answers._turns


def test_who_is_interrupted_leaves_nobody_waiting(program):
  path = program("1")
  asks, times = threading.Event(), []

  def ask(_):
    times.append(1)
    if len(times) > 1:
      return "answer"
    asks.set()
    time.sleep(0.3)
    raise KeyboardInterrupt()

  answers = qemu_program.Answers(ask)
  found = []

  def look():
    try:
      found.append(answers.of(path))
    except KeyboardInterrupt:
      found.append("interrupted")

  threads = [threading.Thread(target=look) for _ in range(2)]
  threads[0].start()
  assert asks.wait(30)
  threads[1].start()
  for thread in threads:
    thread.join()
  assert sorted(found) == ["answer", "interrupted"]


def test_a_program_that_is_about_to_end_is_not_waited_for_long(monkeypatch,
                                                               tmpdir):
  """Most have closed their output a moment before."""
  paused, pause = [], time.sleep
  may_end = tmpdir.join("may-end")

  def sleep(seconds):
    paused.append(seconds)
    # how much time passes is the host's
    if len(paused) == 10:
      may_end.write("")
    pause(seconds)

  monkeypatch.setattr(qemu_program.time, "sleep", sleep)
  assert qemu_program.run(["sh", "-c", "exec >&- 2>&-; until [ -e %s ]; do"
                           " sleep 0.01; done" % may_end], 60) == ("", 0)
  assert paused[0] < 0.001 and sum(paused[:4]) < 0.01
  # and one that goes on is not looked at all the time
  assert set(paused[6:]) == set([0.01])
