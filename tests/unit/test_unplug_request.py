"""Removals that the guest was asked for, and where they are noted."""

import json
import os
import shutil
import subprocess
import time

import pytest

from ganeti_kvm_pci import cooldown
from ganeti_kvm_pci import pending_unplugs
from ganeti_kvm_pci import process
from ganeti_kvm_pci import settling
from ganeti_kvm_pci.cli import cmd_check
from ganeti_kvm_pci.cli import settle
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.node import runtime_files
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import unplug_request
from ganeti_kvm_pci.runtime.unplug_request import Request

SINCE = 1700000000

DISK = Request(8, SINCE, False)
NIC = Request(None, SINCE + 60, True)


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/St_Johns"])
def zone(request, monkeypatch):
  monkeypatch.setenv("TZ", request.param)
  time.tzset()
  yield request.param
  monkeypatch.undo()
  time.tzset()


def test_in_words_and_for_programs(zone):
  clock, iso = {
    "UTC": ("22:13", "2023-11-14T22:13:20+00:00"),
    "Europe/Berlin": ("23:13", "2023-11-14T23:13:20+01:00"),
    "America/St_Johns": ("18:43", "2023-11-14T18:43:20-03:30")}[zone]
  assert unplug_request.text(DISK, SINCE + 5) == "removal requested at %s" % clock
  assert unplug_request.text(DISK, SINCE + 86400) == (
    "removal requested at 2023-11-14 %s" % clock)
  assert unplug_request.text(DISK).startswith("removal requested at 2023-11-14 ")
  assert unplug_request.iso(DISK) == iso


@pytest.mark.parametrize("data", [
  None, 1, [], "x", {"disk-1": None}, {"disk-1": {}},
  {"disk-1": {"slot": 8, "since": SINCE}},
  {"disk-1": {"slot": "8", "since": SINCE, "stays": False}},
  {"disk-1": {"slot": True, "since": SINCE, "stays": False}},
  {"disk-1": {"slot": 8, "since": "now", "stays": False}},
  {"disk-1": {"slot": 8, "since": -1, "stays": False}},
  {"disk-1": {"slot": 8, "since": 1e300, "stays": False}},
  {"disk-1": {"slot": 8, "since": 1 << 62, "stays": False}},
  {"disk-1": {"slot": 8, "since": SINCE, "stays": "no"}},
  ])
def test_malformed_ones_are_one_error(data):
  with pytest.raises(RuntimeFileError) as caught:
    unplug_request.of_data(data, "vm1")
  assert str(caught.value).startswith(
    "vm1: the removals that were requested are malformed: ")


def test_they_travel():
  told = {"disk-1": DISK, "nic-1": NIC}
  data = json.loads(json.dumps(unplug_request.as_data(told)))
  assert unplug_request.of_data(data, "vm1") == told
  # of a later release
  data["nic-1"]["more"] = 1
  assert unplug_request.of_data(data, "vm1") == told


@pytest.fixture
def runtime(tmp_path):
  for name in ("conf", "kvm-pci"):
    (tmp_path / name).mkdir()
  return str(tmp_path / "conf" / "vm1.runtime")


def test_a_note_is_kept_until_the_device_is_removed(runtime):
  path = pending_unplugs.path_for(runtime)
  assert os.path.basename(path) == "vm1.runtime.pending"
  noted = pending_unplugs.Pending(runtime, os.getpid())
  assert noted.requests() == {}
  noted.keep([])
  noted.forget("disk-1")
  noted.note({"disk-1": DISK})
  noted.note({"nic-1": NIC})
  again = pending_unplugs.Pending(runtime, os.getpid())
  assert again.requests() == {"disk-1": DISK, "nic-1": NIC}
  again.keep(["disk-1", "nic-1", "other"])
  assert noted.requests() == {"disk-1": DISK, "nic-1": NIC}
  again.keep(["nic-1"])
  assert noted.requests() == {"nic-1": NIC}
  again.forget("nic-1")
  assert noted.requests() == {}
  assert os.listdir(os.path.dirname(path)) == []


def test_it_is_of_one_qemu(runtime):
  pending_unplugs.Pending(runtime, os.getpid()).note({"disk-1": DISK})
  assert pending_unplugs.Pending(runtime, os.getppid()).requests() == {}
  pending_unplugs.Pending(runtime, os.getppid()).note({"disk-2": DISK})
  assert pending_unplugs.Pending(runtime, os.getpid()).requests() == {}
  pending_unplugs.forget_all(runtime)
  assert not os.path.exists(pending_unplugs.path_for(runtime))
  pending_unplugs.forget_all(runtime)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}",
                                  '{"qemu": "%s"}', '{"devices": {}}',
                                  '{"qemu": "%s", "devices": {"x": 1}}',
                                  "[" * 100000, "\0"],
                         ids=lambda text: text[:12])
def test_what_cannot_be_read_says_nothing(runtime, text):
  with open(pending_unplugs.path_for(runtime), "w") as stream:
    stream.write(text.replace("%s", process.identity(os.getpid())))
  noted = pending_unplugs.Pending(runtime, os.getpid())
  assert noted.requests() == {}
  noted.note({"disk-1": DISK})
  assert noted.requests() == {"disk-1": DISK}


def test_it_cannot_be_written(runtime):
  os.rmdir(os.path.dirname(pending_unplugs.path_for(runtime)))
  with pytest.raises(NodeError) as caught:
    pending_unplugs.Pending(runtime, os.getpid()).note({"disk-1": DISK})
  assert "cannot write" in str(caught.value)


def test_a_process_is_told_from_the_next_of_its_number():
  assert process.identity(os.getpid()) == process.identity(os.getpid())
  assert process.identity(os.getpid()) != process.identity(os.getppid())
  assert process.identity(1 << 22) == str(1 << 22)


def test_a_pipe_is_no_file(runtime):
  path = pending_unplugs.path_for(runtime)
  noted = pending_unplugs.Pending(runtime, os.getpid())
  os.mkfifo(path)
  assert noted.requests() == {}
  noted.note({"disk-1": DISK})
  assert noted.requests() == {"disk-1": DISK}


def test_a_program_that_was_replaced_is_told(tmp_path):
  program = tmp_path / "qemu"
  shutil.copy("/bin/cat", str(program))
  process_ = subprocess.Popen([str(program)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
  try:
    process_.stdin.write(b"on\n")
    process_.stdin.flush()
    assert process_.stdout.readline() == b"on\n"
    assert not process.is_replaced(process_.pid)
    # as a package is upgraded
    shutil.copy("/bin/cat", str(program) + ".new")
    os.rename(str(program) + ".new", str(program))
    assert process.is_replaced(process_.pid)
  finally:
    process_.communicate()
  assert not process.is_replaced(process_.pid)


@pytest.mark.parametrize("is_known", [True, False])
def test_the_watcher_lets_slots_rest_and_leaves_what_it_does_not_know(
    here, monkeypatch, is_known):
  path = here.add("v3.0.2-plain")
  loaded = serialized.parse(path.read(), str(path))
  disk = device_table.DeviceTable(loaded).devices[-1]
  if not is_known:
    loaded.disks[0][0]["later"] = 1
    path.write(loaded.dump())
    loaded = serialized.parse(path.read(), str(path))
  text = path.read()
  folder = here.conf.dirpath("kvm-pci").ensure(dir=True)
  noted = settle.of(str(path))
  noted.note({disk.id: unplug_request.Request(disk.slot, 1, False)})
  monkeypatch.setattr(settling.device_lists, "children", lambda *_: [])
  monkeypatch.setattr(settling.queries, "functions", lambda *_: [])
  monkeypatch.setattr(settling.backends, "take_back", lambda *_: [])
  monkeypatch.setattr(settle.backends, "close_descriptors", lambda *_: [])
  result = cmd_check._Check("plain.ex")
  settle.settle(result, None, runtime_files.read(str(path)), loaded)
  assert bool(result.repaired) == (path.read() != text) == is_known
  assert (disk.id in noted.requests()) == (not is_known)
  rests = cooldown._read(cooldown.path_for(str(path)))
  assert list(rests) == ([disk.slot] if is_known else [])
  assert is_known or len(folder.listdir()) == 1


def test_what_was_written_is_told_though_the_rest_fails(here, monkeypatch):
  path = here.add("v3.0.2-plain")
  loaded = serialized.parse(path.read(), str(path))
  disk = device_table.DeviceTable(loaded).devices[-1]
  here.conf.dirpath("kvm-pci").ensure(dir=True)
  settle.of(str(path)).note({disk.id: Request(disk.slot, 1, False)})
  monkeypatch.setattr(settling.device_lists, "children", lambda *_: [])
  monkeypatch.setattr(settling.queries, "functions", lambda *_: [])
  monkeypatch.setattr(settle.backends, "close_descriptors", lambda *_: [])

  def keep(*_):
    raise NodeError("no space")
  monkeypatch.setattr(pending_unplugs.Pending, "keep", keep)
  result = cmd_check._Check("plain.ex")
  with pytest.raises(NodeError):
    settle.settle(result, None, runtime_files.read(str(path)), loaded)
  assert disk.id not in path.read()
  assert len(result.repaired) == 1 and result.backup
