"""What waits, whatever is done to the system's clock meanwhile."""

import contextlib
import fcntl
import os
import time

import pytest

from ganeti_kvm_pci import clock
from ganeti_kvm_pci import cooldown
from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci import qemu_program
from ganeti_kvm_pci import time_limit
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.qmp import backends
from ganeti_kvm_pci.qmp import unplug
from ganeti_kvm_pci.runtime import unplug_request

DISK = "disk-01234567-89ab-cdef"


@pytest.fixture
def set_back(monkeypatch):
  """Set the clock back by an hour, again and again; no wait lasts for ever."""
  told = []
  pauses = []
  sleep = time.sleep

  def pause(seconds):
    pauses.append(seconds)
    assert len(pauses) < 2000, "it goes on waiting"
    sleep(min(seconds, 0.005))

  monkeypatch.setattr(time, "time",
                      lambda: 1e9 - 3600 * (told.append(0) or len(told)))
  monkeypatch.setattr(time, "sleep", pause)
  return told


def test_it_grows(monkeypatch):
  for now in (clock.monotonic, clock._ticks):
    before = now()
    time.sleep(0.1)
    assert 0.05 < now() - before


def test_the_lock_is_not_waited_for_longer(set_back, tmpdir, monkeypatch):
  monkeypatch.setattr(time_limit, "patience", lambda: 0.2)
  path = str(tmpdir.join("kvm-pci", "vm1.lock"))
  with instance_lock.held(path):
    with pytest.raises(NodeError):
      with instance_lock.held(path):
        pass


def test_an_unplug_is_not_waited_for_longer(set_back):
  asked = []

  def execute(command, arguments):
    asked.append(command)
    return [{"name": "nic-1", "type": "child<virtio-net-pci>"}]

  @contextlib.contextmanager
  def connect():
    yield execute

  assert not unplug.unplug(connect, "nic-1", 0.2)
  assert asked[:3] == ["qom-list", "device_del", "qom-list"]


def test_a_backend_is_not_waited_for_longer(set_back, monkeypatch):
  monkeypatch.setattr(backends, "_RELEASE_LIMIT", 0.2)

  def execute(command, arguments):
    if command == "query-named-block-nodes":
      return [{"node-name": DISK}]
    if command == "x-debug-query-block-graph":
      return {"nodes": [], "edges": []}
    if command == "blockdev-del":
      raise CommandError(command, "Node %s is in use" % DISK)
    return []

  with pytest.raises(CommandError):
    backends.take_back(execute, "disk", DISK, [])


@pytest.mark.parametrize("step", [-3600, 3600])
def test_a_slot_rests_all_the_same(tmpdir, monkeypatch, step):
  tmpdir.mkdir("kvm-pci")
  path = cooldown.path_for(str(tmpdir.join("conf", "vm1.runtime")))
  monkeypatch.setattr(cooldown, "REST", 30)
  slept = []
  cooldown.note(path, [9])
  now = time.time()
  monkeypatch.setattr(time, "time", lambda: now + step)
  monkeypatch.setattr(time, "sleep", slept.append)
  cooldown.wait(path, 9, lambda: None)
  assert len(slept) == 1 and 0 < slept[0] <= 30


@pytest.mark.parametrize("step, is_kept", [(-3600, False), (3600, True)])
def test_of_a_program_from_the_future_nothing_is_kept(tmpdir, monkeypatch, step,
                                                      is_kept):
  """What was installed before the clock was set back may yet be changed."""
  path = str(tmpdir.join("kvm"))
  with open(path, "wb") as stream:
    stream.write(b"\x7fELF")
  now = time.time()
  monkeypatch.setattr(time, "time", lambda: now + step)
  assert (qemu_program.identity(path) is not None) == is_kept


@pytest.mark.parametrize("step", [-86400 * 400, 86400 * 400])
def test_a_requested_removal_is_told_with_its_own_time(monkeypatch, step):
  request = unplug_request.Request(8, 1700000000, False)
  monkeypatch.setenv("TZ", "UTC")
  time.tzset()
  text = unplug_request.text(request, 1700000000 + step)
  monkeypatch.undo()
  time.tzset()
  assert text == "removal requested at 2023-11-14 22:13"


def test_a_lock_ends_though_a_child_has_it_open(tmpdir, monkeypatch):
  """Another thread started it while the lock was held."""
  monkeypatch.setattr(time_limit, "patience", lambda: 1)
  path = str(tmpdir.join("kvm-pci", "vm1.lock"))
  mine, theirs = os.pipe()
  with instance_lock.held(path):
    child = os.fork()
    if child == 0:
      os.close(theirs)
      os.read(mine, 1) # until the parent closes its end
      os._exit(0)
  try:
    with instance_lock.held(path):
      assert os.waitpid(child, os.WNOHANG) == (0, 0)
  finally:
    os.close(theirs)
    os.close(mine)
    os.waitpid(child, 0)


def test_a_program_that_is_started_does_not_get_the_lock(tmpdir):
  path = str(tmpdir.join("kvm-pci", "vm1.lock"))
  with instance_lock.held(path):
    held = [fd for fd in (int(name) for name in os.listdir("/proc/self/fd"))
            if os.path.exists("/proc/self/fd/%d" % fd) and
            os.readlink("/proc/self/fd/%d" % fd) == path]
    assert held
    for fd in held:
      assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
