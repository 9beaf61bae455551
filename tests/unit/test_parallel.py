"""Commands that run side by side, each with its own time limit."""

import os
import signal
import threading
import time

import pytest

from ganeti_kvm_pci.node import parallel


def run(chains, limit=20, at_once=4, **options):
  """Run shell scripts; return what each key's commands did."""
  found = {}
  parallel.run([(key, [["sh", "-c", one] for one in scripts])
                for key, scripts in chains], limit, at_once,
               found.__setitem__, **options)
  return found


def until(predicate):
  """Wait until something is true; tell whether it is."""
  patience = time.time() + 30
  while not predicate():
    if time.time() > patience:
      return False
    time.sleep(0.01)
  return True


def _run_on(numbers):
  alive = []
  for number in numbers:
    try:
      with open("/proc/%s/stat" % number) as stream:
        state = stream.read().rsplit(")", 1)[1].split()[0]
    except EnvironmentError:
      continue
    if state != "Z":
      alive.append(number)
  return alive


def are_there(folder):
  """Tell which of the processes run on that have left their numbers.

  What is killed may take a moment on a busy host; what has ended may wait for
  whoever inherits it.

  """
  numbers = [path.basename for path in folder.listdir()]
  until(lambda: not _run_on(numbers))
  return _run_on(numbers)


class Signal(threading.Thread):
  """Sends this process a signal once commands have left files.

  @ivar come: threading.Event, set once what is tested has heard of it

  """
  def __init__(self, number, folder, count):
    super(Signal, self).__init__()
    self.come = threading.Event()
    self._number = number
    self._before = signal.getsignal(number)
    self._folder = folder
    self._count = count
    self.start()

  def run(self):
    # the handler is there before any command
    if not until(lambda: len(self._folder.listdir()) == self._count):
      return
    os.kill(os.getpid(), self._number)
    # which puts back the one of before
    if until(lambda: signal.getsignal(self._number) == self._before):
      self.come.set()


def test_each_has_its_own_end():
  found = run([("fine", ["echo out; echo err >&2"]),
               ("bad", ["echo no >&2; exit 3"]), ("killed", ["kill -9 $$"])])
  assert found == {"fine": [parallel.Ended(0, "out\n", "err\n", False)],
                   "bad": [parallel.Ended(3, "", "no\n", False)],
                   "killed": [parallel.Ended(-9, "", "", False)]}


def test_a_chain_ends_with_the_first_that_fails(tmpdir):
  mark = tmpdir.join("mark")
  found = run([("a", ["echo 1", "echo 2; exit 1", "touch %s" % mark]),
               ("b", ["echo 3", "echo 4"])])
  assert [one.out for one in found["a"]] == ["1\n", "2\n"]
  assert [one.out for one in found["b"]] == ["3\n", "4\n"]
  assert not mark.check()


def test_they_run_side_by_side_but_not_too_many(tmpdir):
  # each tells how many there are while it runs; the first wait for others
  here, begun = tmpdir.mkdir("run"), tmpdir.mkdir("begun")
  script = ("touch %s/$$ %s/$$; until [ $(ls %s | wc -l) -ge 4 ];"
            " do sleep 0.01; done; sleep 0.1; ls %s | wc -l; rm %s/$$" % (
              here, begun, begun, here, here))
  found = run([(number, [script]) for number in range(8)], at_once=4)
  most = max(int(ended.out or 0) for (ended, ) in found.values())
  assert 2 <= most <= 4 and len(begun.listdir()) == 8


def test_one_that_hangs_is_ended_with_what_it_started(tmpdir, monkeypatch):
  found, times = {}, []

  def now():
    # time passes once both are where they stay
    is_over = len(tmpdir.listdir()) == 2 and "fine" in found
    times.append(101 if is_over else 100.9 if times else 100)
    return times[-1]

  monkeypatch.setattr(parallel, "monotonic", now)
  begun = time.time()
  parallel.run([(key, [["sh", "-c", script]]) for key, script in (
    ("hangs", "trap '' TERM; echo half; sleep 60 & touch %s/$! %s/$$; wait;"
              " sleep 60" % (tmpdir, tmpdir)),
    ("fine", "echo fine"))], 1, 2, found.__setitem__)
  assert time.time() - begun < 40
  assert found["hangs"] == [parallel.Ended(None, "half\n", "", True)]
  assert found["fine"] == [parallel.Ended(0, "fine\n", "", False)]
  assert are_there(tmpdir) == [] and len(tmpdir.listdir()) == 2


def test_what_one_leaves_behind_is_not_waited_for(tmpdir):
  begun = time.time()
  found = run([("a", ["sleep 30 & echo $! > %s" % tmpdir.join("pid")])])
  assert time.time() - begun < 20 and found["a"][0].status == 0
  os.kill(int(tmpdir.join("pid").read()), signal.SIGKILL)


def test_much_output_is_read_in_whole():
  (ended, ) = run([("a", ["yes 0123456789 | head -c 1000000"])])["a"]
  assert len(ended.out) == 1000000


def test_one_that_cannot_be_started_is_the_only_one(tmpdir):
  found = {}
  parallel.run([("no", [[str(tmpdir.join("none"))], ["true"]]),
                ("yes", [["true"]])], 5, 2, found.__setitem__)
  assert found["yes"][0].status == 0
  assert [(one.status, one.is_late) for one in found["no"]] == [(None, False)]
  assert "cannot run %s: No such file" % tmpdir.join("none") in \
    found["no"][0].err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP])
def test_an_interrupt_leaves_nothing_behind(tmpdir, number):
  before = signal.getsignal(number)
  begun = time.time()
  Signal(number, tmpdir, 2)
  with pytest.raises(KeyboardInterrupt):
    run([(key, ["touch %s/$$; sleep 60" % tmpdir]) for key in range(3)],
        90, at_once=2)
  assert time.time() - begun < 40
  assert are_there(tmpdir) == [] and len(tmpdir.listdir()) == 2
  assert signal.getsignal(number) == before


def test_a_patient_one_lets_those_that_run_end(tmpdir):
  found = {}
  begun, second = tmpdir.mkdir("begun"), tmpdir.mkdir("second")
  may_end = tmpdir.join("may-end")
  sent = Signal(signal.SIGINT, begun, 2)
  ends = threading.Thread(target=lambda: (
    sent.come.wait(90) and may_end.write("")))
  ends.start()
  first = "touch %s/%%s; until [ -e %s ]; do sleep 0.01; done; echo %%s" % (
    begun, may_end)
  with pytest.raises(KeyboardInterrupt):
    parallel.run([(key, [["sh", "-c", first % (key, key)],
                         ["touch", str(second.join(key))]])
                  for key in ("a", "b", "c")], 90, 2, found.__setitem__,
                 is_patient=True)
  ends.join()
  assert dict((key, [one.out for one in ended])
              for key, ended in found.items()) == {"a": ["a\n"], "b": ["b\n"]}
  assert second.listdir() == [] and len(begun.listdir()) == 2


def test_patience_has_an_end(tmpdir, monkeypatch):
  monkeypatch.setattr(parallel, "_GRACE", 0.5)
  found = {}
  begun = time.time()
  Signal(signal.SIGINT, tmpdir, 1)
  with pytest.raises(KeyboardInterrupt):
    parallel.run([("a", [["sh", "-c", "touch %s/$$; sleep 60" % tmpdir]])], 90,
                 2, found.__setitem__, is_patient=True)
  assert time.time() - begun < 40 and found["a"][0].is_late


def test_an_error_of_the_listener_leaves_nothing_behind(tmpdir):
  def refuse(*_):
    raise ValueError
  with pytest.raises(ValueError):
    # the second ends once the first has begun
    parallel.run([("slow", [["sh", "-c", "touch %s/$$; sleep 60" % tmpdir]]),
                  ("quick", [["sh", "-c", "until [ \"$(ls %s)\" ]; do"
                              " sleep 0.01; done" % tmpdir]])], 90, 2, refuse)
  assert are_there(tmpdir) == [] and len(tmpdir.listdir()) == 1
