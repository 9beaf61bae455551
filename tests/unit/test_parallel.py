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
  patience = time.time() + 20
  while _run_on(numbers) and time.time() < patience:
    time.sleep(0.01)
  return _run_on(numbers)


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
  # each tells how many there are while it runs
  script = "touch %s/$$; sleep 0.3; ls %s | wc -l; rm %s/$$" % (
    (tmpdir.mkdir("run"), ) * 3)
  found = run([(number, [script]) for number in range(8)], at_once=4)
  most = max(int(ended.out) for (ended, ) in found.values())
  assert 2 <= most <= 4


def test_one_that_hangs_is_ended_with_what_it_started(tmpdir):
  begun = time.time()
  found = run([("hangs", ["trap '' TERM; echo half; sleep 60 & touch %s/$!"
                          " %s/$$; wait; sleep 60" % (tmpdir, tmpdir)]),
               ("fine", ["echo fine"])], limit=1)
  assert 1 <= time.time() - begun < 20
  assert found["hangs"] == [parallel.Ended(None, "half\n", "", True)]
  assert found["fine"][0].out == "fine\n"
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
  timer = threading.Timer(0.5, os.kill, [os.getpid(), number])
  timer.start()
  begun = time.time()
  with pytest.raises(KeyboardInterrupt):
    run([(key, ["touch %s/$$; sleep 60" % tmpdir]) for key in range(3)],
        at_once=2)
  assert time.time() - begun < 20
  assert are_there(tmpdir) == [] and len(tmpdir.listdir()) == 2
  assert signal.getsignal(number) == before


def test_a_patient_one_lets_those_that_run_end(tmpdir):
  found = {}
  timer = threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT])
  timer.start()
  with pytest.raises(KeyboardInterrupt):
    parallel.run([(key, [["sh", "-c", "sleep 1; echo %s" % key],
                         ["touch", str(tmpdir.join(key))]])
                  for key in ("a", "b", "c")], 20, 2, found.__setitem__,
                 is_patient=True)
  assert dict((key, [one.out for one in ended])
              for key, ended in found.items()) == {"a": ["a\n"], "b": ["b\n"]}
  assert tmpdir.listdir() == []


def test_patience_has_an_end(tmpdir, monkeypatch):
  monkeypatch.setattr(parallel, "_GRACE", 0.5)
  found = {}
  timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
  timer.start()
  begun = time.time()
  with pytest.raises(KeyboardInterrupt):
    parallel.run([("a", [["sleep", "60"]])], 90, 2, found.__setitem__,
                 is_patient=True)
  assert time.time() - begun < 20 and found["a"][0].is_late


def test_an_error_of_the_listener_leaves_nothing_behind(tmpdir):
  def refuse(*_):
    raise ValueError
  with pytest.raises(ValueError):
    parallel.run([("slow", [["sh", "-c", "touch %s/$$; sleep 60" % tmpdir]]),
                  ("quick", [["sleep", "0.5"]])], 90, 2, refuse)
  assert are_there(tmpdir) == [] and len(tmpdir.listdir()) == 1
