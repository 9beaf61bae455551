"""One holder at a time, and no file of a lock that nobody holds."""

import os
import subprocess
import sys
import threading
import time

import pytest

from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci import time_limit
from ganeti_kvm_pci.errors import BusyError
from ganeti_kvm_pci.errors import NodeError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))


@pytest.fixture
def path(tmpdir):
  return instance_lock.path_for(str(tmpdir.join("conf", "vm1.ex.runtime")))


def test_its_file_goes_with_its_holder(path):
  for _ in range(2):
    with instance_lock.held(path):
      assert os.path.exists(path)
      with pytest.raises(NodeError) as caught:
        with instance_lock.held(path, 0):
          assert False
      assert path in str(caught.value)
    assert os.listdir(os.path.dirname(path)) == []


def test_an_error_of_its_holder_leaves_nothing(path):
  with pytest.raises(ValueError):
    with instance_lock.held(path):
      raise ValueError
  assert not os.path.exists(path)


def test_what_a_killed_holder_left_locks_nobody_out(path):
  code = ("import os, sys; sys.path[0] = %r\n"
          "from ganeti_kvm_pci import instance_lock as lock\n"
          "with lock.held(%r): os._exit(9)" % (ROOT, path))
  assert subprocess.call([sys.executable, "-B", "-c", code]) == 9
  assert os.path.exists(path)
  with instance_lock.held(path, 0):
    pass
  assert not os.path.exists(path)


def test_who_waits_for_a_lock_that_is_removed_does_not_get_the_old_one(
    path, monkeypatch):
  """Between the opening of the file and the lock on it, others take it."""
  genuine = instance_lock.try_lock
  opened = []

  def try_lock(fd):
    opened.append(os.fstat(fd).st_ino)
    if len(opened) == 1:
      # its holder ends; the next one holds another file of that name
      os.unlink(path)
      with open(path, "w"):
        pass
    return genuine(fd)

  monkeypatch.setattr(instance_lock, "try_lock", try_lock)
  with instance_lock.held(path):
    assert os.stat(path).st_ino == opened[-1]
    with pytest.raises(NodeError):
      with instance_lock.held(path, 0):
        assert False
  assert len(opened) >= 3
  assert not os.path.exists(path)


def test_the_lock_of_another_is_not_removed(path):
  with instance_lock.held(path):
    # removed by hand; what is there by now somebody else holds
    os.unlink(path)
    with open(path, "w"):
      pass
  assert os.path.exists(path)


#: Holds the lock again and again, and notes whether anybody else does.
_MANY = """
import os, sys
sys.path[0] = %r
from ganeti_kvm_pci import instance_lock as lock
alone = sys.argv[1] + ".alone"
for _ in range(200):
  with lock.held(sys.argv[1]):
    os.close(os.open(alone, os.O_CREAT | os.O_EXCL))
    os.unlink(alone)
"""


def test_many_that_take_turns_are_never_two_at_once(path):
  processes = [subprocess.Popen([sys.executable, "-B", "-c", _MANY % ROOT,
                                 path]) for _ in range(4)]
  assert [process.wait() for process in processes] == [0] * 4
  assert os.listdir(os.path.dirname(path)) == []


def test_many_threads_that_take_turns_are_never_two_at_once(path):
  """A node daemon of threads, in which a program is started now and then."""
  alone = path + ".alone"
  before = os.listdir("/proc/self/fd")
  wrong = []

  def take_turns():
    try:
      for number in range(50):
        with instance_lock.held(path):
          os.close(os.open(alone, os.O_CREAT | os.O_EXCL))
          if number % 10 == 0:
            subprocess.check_call(["true"])
          os.unlink(alone)
    except Exception as err: # pylint: disable=broad-except
      wrong.append(err)

  threads = [threading.Thread(target=take_turns) for _ in range(4)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert wrong == []
  assert os.listdir(os.path.dirname(path)) == []
  assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize("limit, patience", [("0.01", 0.1), ("0.05", 0.3)])
def test_a_waiter_is_as_patient_as_the_time_limit_asks(path, monkeypatch, limit,
                                                       patience):
  monkeypatch.setenv(time_limit.VARIABLE, limit)
  monkeypatch.setattr(time_limit, "_REST", patience / 4 - float(limit))
  with instance_lock.held(path):
    begun = time.time()
    with pytest.raises(BusyError):
      with instance_lock.held(path):
        assert False
  assert patience - 0.02 <= time.time() - begun < patience + 10
