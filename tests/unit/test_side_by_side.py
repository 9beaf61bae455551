"""Several guests that do not answer cost no more time than one."""

import contextlib
import errno
import json
import multiprocessing.synchronize
import socket
import threading
import time

import pytest

import genuine
import host
from ganeti_kvm_pci.cli import cmd_facts
from ganeti_kvm_pci.cli import instance
from ganeti_kvm_pci.cli import side_by_side
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.node import config_data
from ganeti_kvm_pci.node import installation
from test_cmd_upgrade import run

#: How long a guest of these tests may take to answer, in seconds.
LIMIT = 2.0

COUNT = 6


def test_what_is_found_keeps_the_order_of_the_things():
  """Those behind one that takes long are looked at, and wait for it."""
  last = threading.Event()
  items = list(range(COUNT))

  def look(item):
    if item == items[-1]:
      last.set()
    elif item == 0:
      assert last.wait(30)
    return item * 2

  assert list(side_by_side.in_order(look, items)) == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize("count", [1, COUNT])
def test_an_error_ends_it(count):
  def look(_):
    raise ValueError("no")
  with pytest.raises(ValueError):
    list(side_by_side.in_order(look, list(range(count))))


def test_whatever_ends_one_is_heard_of():
  """Python's own pool would wait for ever."""
  def look(item):
    raise SystemExit("end of %d" % item)

  found = []

  def ask():
    try:
      list(side_by_side.in_order(look, list(range(COUNT))))
    except SystemExit as err:
      found.append(str(err))

  asker = threading.Thread(target=ask)
  asker.daemon = True
  asker.start()
  asker.join(30)
  assert found == ["end of 0"]


def test_after_an_error_nothing_more_is_begun():
  begun, is_over = [], threading.Event()
  before = threading.enumerate()

  def look(item):
    begun.append(item)
    if item == 0:
      raise ValueError(item)
    assert is_over.wait(60)

  with pytest.raises(ValueError):
    list(side_by_side.in_order(look, list(range(10 * side_by_side.AT_ONCE))))
  is_over.set()
  for worker in set(threading.enumerate()) - set(before):
    worker.join(60)
  # the one that failed may have taken another meanwhile
  assert len(begun) <= side_by_side.AT_ONCE + 1


def test_no_shared_memory_is_needed(monkeypatch):
  """It may be full, of what guests have there."""
  def full(*_, **__):
    raise EnvironmentError(errno.ENOSPC, "No space left on device")

  monkeypatch.setattr(multiprocessing.synchronize._multiprocessing, "SemLock",
                      full)
  assert list(side_by_side.in_order(abs, [-1, -2])) == [1, 2]


def test_of_nothing_nothing_is_found():
  assert list(side_by_side.in_order(None, [])) == []


def test_tags_are_read_once_for_all(tmpdir, monkeypatch):
  path = tmpdir.join("config.data")
  path.write("{}")
  host.configuration_at(monkeypatch, path)
  times = []

  def read():
    times.append(1)
    time.sleep(0.1) # it has some MB
    return {"instances": {"u": {"name": "vm1.ex", "tags": ["a"]}}}

  monkeypatch.setattr(config_data, "read", read)
  assert list(side_by_side.in_order(installation.instance_tags,
                                    ["vm1.ex"] * COUNT)) == [set(["a"])] * COUNT
  assert len(times) == 1


@pytest.fixture
def silent(here, tmpdir, monkeypatch):
  """Provide guests whose monitors take a client, and never say a word."""
  listeners = []

  @contextlib.contextmanager
  def monitor(known):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(LIMIT)
    try:
      sock.connect(str(tmpdir.join(known.instance)))
      try:
        sock.recv(1)
      except socket.timeout:
        raise MonitorError("%s does not answer" % known.instance)
      yield None
    finally:
      sock.close()

  monkeypatch.setattr(instance, "monitor", monitor)
  text = genuine.text_of("v3.0.2-plain")
  names = ["vm%d.ex" % number for number in range(COUNT)]
  for name in names:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmpdir.join(name)))
    listener.listen(1)
    listeners.append(listener)
    here.write(text.replace("plain.ex", name), name)
  yield names
  for listener in listeners:
    listener.close()


@pytest.mark.parametrize("command", [
  ("check", "--live"), ("map", "--live"), ("facts", )])
def test_those_that_do_not_answer_are_waited_for_at_the_same_time(
    silent, capsys, monkeypatch, command):
  monkeypatch.setattr(cmd_facts.activation, "Status", lambda: Nothing)
  monkeypatch.setattr(cmd_facts.installation, "without_q35", lambda: None)
  before = time.time()
  status, out, _ = run(capsys, *command + ("--json", ))
  took = time.time() - before
  entries = json.loads(out)["instances"]
  assert status == 2
  assert [found["instance"] for found in entries] == silent
  assert all("does not answer" in found["error"] for found in entries)
  # one after another, that would be six times as long
  assert LIMIT <= took < (COUNT - 1) * LIMIT


class Nothing(object):
  @staticmethod
  def as_data():
    return {}
