"""Nothing is asked of a guest twice, nor of many what one has told."""

import collections
import contextlib
import os

import pytest

import genuine
from ganeti_kvm_pci import process
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.cli import instance
from ganeti_kvm_pci.cli import machine_types
from ganeti_kvm_pci.node import guests
from ganeti_kvm_pci.qemu import machine_type
from ganeti_kvm_pci.qemu import reply_shapes
from ganeti_kvm_pci.qmp import device_lists
from ganeti_kvm_pci.qmp import inventory
from ganeti_kvm_pci.qmp import queries
from test_cmd_upgrade import calls
from test_cmd_upgrade import run
from test_reply_shapes import GENUINE
from test_reply_shapes import Qemu

#: What tells whether a device was added or removed.
LISTS = [("qom-list", "/machine/peripheral"),
         ("qom-list", "/machine/peripheral-anon"), ("query-pci", )]

#: How many devices of options a L{Connection} has, each of another driver.
DEVICES = 6


class Connection(object):
  """A connection to a QEMU.

  @ivar asked: counter of what it was asked for

  """
  def __init__(self, pid=1, version=(7, 2, 22, "Debian")):
    self._answers = reply_shapes.checking(Qemu(dict(GENUINE)))
    self._program = pid and (pid, list(version))
    self.asked = collections.Counter()

  def execute(self, command, arguments):
    self.asked[(command, ) + tuple(
      arguments[key] for key in ("path", "property", "command-line")
      if key in (arguments or {}))] += 1
    if arguments == {"path": "/machine", "property": "type"}:
      return "pc-i440fx-7.2-machine"
    if command == "query-version":
      return {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}
    return self._answers(command, arguments)

  def program(self):
    return self._program


@pytest.fixture
def connection(monkeypatch):
  """The only QEMU of a node."""
  made = Connection()

  @contextlib.contextmanager
  def monitor(_):
    yield made.execute
  monkeypatch.setattr(instance, "monitor", monitor)
  monkeypatch.setattr(machine_types, "_listing",
                      lambda _: machine_type.Listing(""))
  return made


@pytest.mark.parametrize("command", [["check", "--live"], ["map", "--live"]])
def test_each_question_about_devices_is_asked_once(here, capsys, connection,
                                                   command):
  here.add("v3.0.2-plain")
  run(capsys, *command)
  assert connection.asked["query-pci", ] == 2
  for question, count in connection.asked.items():
    # before all others, and behind
    assert count == (2 if question in LISTS else 1), question


def test_where_query_pci_has_it_no_device_is_asked_for_its_address():
  asked = Connection()
  found = queries.peripherals(asked.execute, Partition())
  assert [p.address for p in found if p.id == "disk-a"] == [(8, 0)]
  assert not any("/machine/peripheral/disk-a" in question
                 for question in asked.asked)


def lists_of_devices(connection):
  """Tell of which devices the properties were asked for."""
  return sorted(question[1] for question in connection.asked
                if question[0] == "qom-list" and question not in LISTS and
                question[1].startswith("/machine/peripheral"))


@pytest.fixture
def programs(monkeypatch):
  """Nothing is known of any program; its process tells which it is."""
  monkeypatch.setattr(instance, "_ANSWERS", {})
  monkeypatch.setattr(process, "identity_of_program",
                      lambda pid: [pid] if pid < 9 else None)


def look(connection):
  return device_lists.unchanging(
    instance._Execute(connection), # pylint: disable=protected-access
    lambda all_: (inventory.topology(all_),
                  queries.peripherals(all_, Partition())))


def test_what_all_guests_of_a_program_tell_is_asked_of_one(programs):
  first, second = Connection(), Connection()
  assert look(first) == look(second)
  assert len(lists_of_devices(first)) == DEVICES
  assert lists_of_devices(second) == []


@pytest.mark.parametrize("other", [
  {"pid": 2}, {"version": (7, 2, 22, "Debian 7.2.23")}, {"pid": None},
  {"pid": 9}], ids=["file", "version", "unknown", "ended"])
def test_another_program_is_asked_by_itself(programs, other):
  look(Connection())
  other = Connection(**other)
  look(other)
  assert len(lists_of_devices(other)) == DEVICES


def test_what_a_program_is_not_known_of_is_not_kept(programs):
  for _ in range(2):
    other = Connection(pid=None)
    look(other)
    assert len(lists_of_devices(other)) == DEVICES


def test_a_node_s_folders_are_listed_once(here, capsys, monkeypatch):
  found = []
  for count in (1, 4):
    for number in range(count):
      here.write(genuine.text_of("v3.0.2-plain").replace(
        "plain.ex", "vm%d.ex" % number), "vm%d.ex" % number)
    with monkeypatch.context() as patch:
      counted = calls(patch, os, ["listdir"])
      assert run(capsys, "check")[0] == 0
    found.append(counted["listdir"])
  assert found[0] == found[1]


def test_how_often_it_is_looked_whether_a_guest_runs(here, capsys, connection,
                                                     monkeypatch):
  here.add("v3.0.2-plain")
  counted = calls(monkeypatch, guests, ["_pid"])
  run(capsys, "check", "plain", "--live")
  # for the lock, what is left behind, the guest, what it was asked for, its
  # command
  assert counted["_pid"] == 5
