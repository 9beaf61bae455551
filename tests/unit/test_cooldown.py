"""Slots that rest after a device has left."""

import os

import pytest

from ganeti_kvm_pci import cooldown
from ganeti_kvm_pci.errors import NodeError


class Clock(object):
  """A clock that goes on only while somebody sleeps."""

  def __init__(self):
    self.now = 1000.0
    self.slept = 0

  def monotonic(self):
    return self.now

  def sleep(self, seconds):
    self.now += seconds
    self.slept += seconds


@pytest.fixture
def clock(monkeypatch):
  made = Clock()
  monkeypatch.setattr(cooldown, "time", made)
  monkeypatch.setattr(cooldown.clock, "monotonic", made.monotonic)
  return made


@pytest.fixture
def path(tmpdir):
  tmpdir.mkdir("kvm-pci")
  return cooldown.path_for(str(tmpdir.join("conf", "vm1.example.com.runtime")))


def wait(path, slot):
  """Wait as a hot-add does.

  @return: how often QEMU's monitor was left

  """
  left = []
  cooldown.wait(path, slot, lambda: left.append(slot))
  return len(left)


def test_it_stands_beside_the_lock(path):
  assert path.endswith("kvm-pci/vm1.example.com.runtime.vacated")


def test_a_slot_rests_and_the_others_do_not(path, clock):
  wait(path, 9)
  assert clock.slept == 0
  cooldown.note(path, [9, 24])
  wait(path, 10)
  assert clock.slept == 0
  clock.now += 0.25
  wait(path, 9)
  assert clock.slept == 0.75
  wait(path, 24)
  assert clock.slept == 0.75


def test_what_was_noted_before_stays_while_it_counts(path, clock):
  cooldown.note(path, [9])
  clock.now += 0.5
  cooldown.note(path, [10])
  wait(path, 9)
  assert clock.slept == 0.5
  wait(path, 10)
  assert clock.slept == 1


def test_after_several_requests_a_slot_rests_for_longer(path, clock):
  """A guest that is slow to eject once is slow to eject again."""
  begun = clock.now
  clock.now += 1.25
  once, twice = [(begun, True)], [(begun, True), (begun + 1, True)]
  assert cooldown.after([]) == cooldown.after(once) == cooldown.REST
  # what QEMU refused, the guest did not hear of
  assert cooldown.after(once + [(begun + 1, False)]) == cooldown.REST
  assert cooldown.after(twice) == 5
  cooldown.note(path, [9], cooldown.after(twice))
  cooldown.note(path, [10])
  clock.now += 3
  wait(path, 10)
  assert clock.slept == 0
  wait(path, 9)
  assert clock.slept == 2
  # it was asked soon after, or for very long
  assert cooldown.after([(clock.now, True)] * 2) == cooldown.REST
  assert cooldown.after([(clock.now - 30, True)] * 30) == cooldown.MOST


def test_a_guest_that_an_earlier_operation_asked_may_be_as_slow():
  assert cooldown.after([], True) == cooldown.MOST


def test_a_long_rest_is_not_made_short(path, clock):
  cooldown.note(path, [9], 10)
  clock.now += 2
  cooldown.note(path, [9])
  wait(path, 9)
  assert clock.slept == 8


def test_the_monitor_is_left_where_there_is_a_wait(path, clock):
  cooldown.note(path, [9])
  assert wait(path, 10) == 0
  assert wait(path, 9) == 1


@pytest.mark.parametrize("text", [
  "", "{", "[]", "3", '{"x": 1}', '{"9": "x"}', '{"9": null}',
  '{"9": 1%s}' % ("0" * 400), "[" * 100000, "\0", '{"9": 1000.0}',
  '{"9": [1000.0]}', '{"9": [1000.0, "x"]}', '{"9": [1000.0, 1e9]}',
  '{"9": [1000.0, 1%s]}' % ("0" * 400)],
  ids=lambda text: text[:12])
def test_what_cannot_be_read_says_nothing(path, clock, text):
  with open(path, "w") as stream:
    stream.write(text)
  wait(path, 9)
  assert clock.slept == 0
  cooldown.note(path, [9])
  wait(path, 9)
  assert clock.slept == 1


def test_a_clock_that_was_set_back_makes_nobody_wait_for_long(path, clock):
  cooldown.note(path, [9])
  clock.now -= 500
  wait(path, 9)
  assert clock.slept == 0


def test_a_file_that_cannot_be_written_is_one_clear_error(tmpdir):
  with pytest.raises(NodeError) as caught:
    cooldown.note(str(tmpdir.join("absent", "x")), [9])
  assert "cannot write" in str(caught.value)


def test_a_pipe_is_no_file(path):
  os.mkfifo(path)
  wait(path, 9)
  with pytest.raises(NodeError) as caught:
    cooldown.note(path, [9])
  assert path in str(caught.value)
