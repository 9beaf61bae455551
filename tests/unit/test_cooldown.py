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


def test_it_stands_beside_the_lock(path):
  assert path.endswith("kvm-pci/vm1.example.com.runtime.vacated")


def test_a_slot_rests_and_the_others_do_not(path, clock):
  cooldown.wait(path, 9)
  assert clock.slept == 0
  cooldown.note(path, [9, 24])
  cooldown.wait(path, 10)
  assert clock.slept == 0
  clock.now += 0.25
  cooldown.wait(path, 9)
  assert clock.slept == 0.75
  cooldown.wait(path, 24)
  assert clock.slept == 0.75


def test_what_was_noted_before_stays_while_it_counts(path, clock):
  cooldown.note(path, [9])
  clock.now += 0.5
  cooldown.note(path, [10])
  cooldown.wait(path, 9)
  assert clock.slept == 0.5
  cooldown.wait(path, 10)
  assert clock.slept == 1


def test_after_several_requests_a_slot_rests_for_longer(path, clock):
  """A guest that is slow to eject once is slow to eject again."""
  begun = clock.now
  clock.now += 1.25
  assert cooldown.after([]) == cooldown.after([begun]) == cooldown.REST
  assert cooldown.after([begun, begun + 1]) == 5
  cooldown.note(path, [9], cooldown.after([begun, begun + 1]))
  cooldown.note(path, [10])
  clock.now += 3
  cooldown.wait(path, 10)
  assert clock.slept == 0
  cooldown.wait(path, 9)
  assert clock.slept == 2
  # it was asked soon after, or for very long
  assert cooldown.after([clock.now] * 2) == cooldown.REST
  assert cooldown.after([clock.now - 30] * 30) == cooldown.MOST


@pytest.mark.parametrize("text", [
  "", "{", "[]", "3", '{"x": 1}', '{"9": "x"}', '{"9": null}',
  '{"9": 1%s}' % ("0" * 400), "[" * 100000, "\0", '{"9": 1000.0}',
  '{"9": [1000.0]}', '{"9": [1000.0, "x"]}', '{"9": [1000.0, 1e9]}',
  '{"9": [1000.0, 1%s]}' % ("0" * 400)],
  ids=lambda text: text[:12])
def test_what_cannot_be_read_says_nothing(path, clock, text):
  with open(path, "w") as stream:
    stream.write(text)
  cooldown.wait(path, 9)
  assert clock.slept == 0
  cooldown.note(path, [9])
  cooldown.wait(path, 9)
  assert clock.slept == 1


def test_a_clock_that_was_set_back_makes_nobody_wait_for_long(path, clock):
  cooldown.note(path, [9])
  clock.now -= 500
  cooldown.wait(path, 9)
  assert clock.slept == 0


def test_a_file_that_cannot_be_written_is_one_clear_error(tmpdir):
  with pytest.raises(NodeError) as caught:
    cooldown.note(str(tmpdir.join("absent", "x")), [9])
  assert "cannot write" in str(caught.value)


def test_a_pipe_is_no_file(path):
  os.mkfifo(path)
  cooldown.wait(path, 9)
  with pytest.raises(NodeError) as caught:
    cooldown.note(path, [9])
  assert path in str(caught.value)
