"""The unplug of a device: requests, looks, and when it is over."""

import contextlib

import pytest

from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qmp import unplug

NAME = "nic-000000a2-1111-2222"


class Qemu(object):
  """A QEMU whose guest completes an unplug after some requests, or looks."""

  def __init__(self, requests=1, looks=0):
    self.requests = requests
    self.looks = looks
    self.asked = 0
    self.error = None
    self.silent = []
    self.connections = 0

  @contextlib.contextmanager
  def connect(self):
    self.connections += 1
    if self.connections in self.silent:
      raise MonitorError("QEMU's monitor does not answer")
    yield self.execute

  def execute(self, command, arguments):
    if command == "device_del":
      assert arguments == {"id": NAME}
      self.asked += 1
      if self.error:
        raise self.error
      return {}
    assert command == "qom-list"
    if self.asked >= self.requests:
      self.looks -= 1
      if self.looks < 0:
        return []
    return [{"name": NAME, "type": "child<virtio-net-pci>"}]


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
  """Provide a list of the pauses; only they take time.

  A busy host does not count, nor that Python 2's clock knows hundredths only.

  """
  made = []
  monkeypatch.setattr(unplug.clock, "monotonic", lambda: 100 + sum(made))
  monkeypatch.setattr(unplug.time, "sleep", made.append)
  return made


def test_a_device_that_is_not_there_is_not_requested():
  qemu = Qemu(requests=0)
  assert unplug.unplug(qemu.connect, NAME, 1) and not qemu.asked


def test_what_needs_no_guest_is_removed_at_once():
  notes = []
  qemu = Qemu()
  assert unplug.unplug(qemu.connect, NAME, 1, notes.append)
  assert (qemu.asked, qemu.connections, notes) == (1, 1, [])


def test_it_is_noted_and_the_monitor_is_given_to_others(pauses):
  notes, closed = [], []
  qemu = Qemu(looks=54)
  assert unplug.unplug(qemu.connect, NAME, 1, notes.append,
                       lambda: closed.append(sum(pauses)))
  # after the first moment, each time
  assert notes == [True] and len(closed) == 3 and 0.5 < closed[0] < 0.52


def test_looks_are_close_together_at_first(pauses):
  # a guest that takes 17 looks of the first moment, and one that takes ages
  assert unplug.unplug(Qemu(looks=17).connect, NAME, 1)
  assert sum(pauses) < 0.2
  del pauses[:]
  assert unplug.unplug(Qemu(looks=58).connect, NAME, 5)
  assert pauses[-1] == 0.1 and pauses[0] == 0.01


def test_a_request_is_made_again(pauses):
  qemu = Qemu(requests=3)
  assert unplug.unplug(qemu.connect, NAME, 5) and qemu.asked == 3
  assert 2 < sum(pauses) < 2.4


def test_it_times_out(pauses):
  qemu = Qemu(requests=100)
  assert not unplug.unplug(qemu.connect, NAME, 3)
  assert 3 < sum(pauses) < 3.2 and qemu.asked == 3


@pytest.mark.parametrize("words", [
  "Device %s is already in the process of unplug" % NAME,
  "Device '%s' not found" % NAME])
def test_a_second_request_is_no_error(words):
  qemu = Qemu(looks=2)
  qemu.error = CommandError("device_del", words)
  assert unplug.unplug(qemu.connect, NAME, 1)


def test_it_is_told_that_qemu_took_no_request():
  notes = []
  qemu = Qemu(requests=100)
  qemu.error = CommandError("device_del", "Device %s is already in the process"
                            " of unplug" % NAME)
  assert not unplug.unplug(qemu.connect, NAME, 3, notes.append)
  assert len(notes) == 3 and not any(notes)


def test_what_qemu_refuses_is_an_error():
  qemu = Qemu(looks=2)
  qemu.error = CommandError("device_del", "Bus does not support hotplugging")
  with pytest.raises(CommandError):
    unplug.unplug(qemu.connect, NAME, 1)


def test_a_look_without_answer_is_taken_once_more():
  qemu = Qemu(looks=3)
  qemu.silent = [2, 3]
  assert unplug.unplug(qemu.connect, NAME, 1)


@pytest.mark.parametrize("silent, has_ended", [([1], False), ([2], True)])
def test_no_answer_is_an_error_at_first_and_once_qemu_has_ended(silent,
                                                                has_ended):
  qemu = Qemu(looks=3)
  qemu.silent = silent
  with pytest.raises(MonitorError):
    unplug.unplug(qemu.connect, NAME, 1, has_ended=lambda: has_ended)
