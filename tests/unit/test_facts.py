"""What a node says of its guests: facts; and what verify's script says."""

import fcntl
import os

import pytest

import genuine
from ganeti_kvm_pci import chipset
from ganeti_kvm_pci import clock
from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci.cli import cmd_facts
from ganeti_kvm_pci.cli import cmd_hooks
from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.cli import outdated_qemu
from ganeti_kvm_pci.cli import instance
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.node import activation
from ganeti_kvm_pci.node import destinations
from ganeti_kvm_pci.node import installation
from ganeti_kvm_pci.qemu import machine_type
from ganeti_kvm_pci.qemu import topology
from ganeti_kvm_pci.qmp import inventory
import schema
from test_cmd_upgrade import run

LIST = """Supported mach%s are:
pc                   Standard PC (alias of pc-i440fx-7.2)
pc-i440fx-7.2        Standard PC (default)
pc-i440fx-6.0        Standard PC
""" % "ines"


#: What somebody has added by hand.
HAND = topology.Part("pci.0", (20, 0), "1af4:1005", "virtio-rng-pci", "hand",
                     None, None, None)


class State(object):
  """What activation finds."""
  hooked, reason = True, None

  def as_data(self):
    return {
      "ganeti": "3.0.2", "unfit": None, "python": "python3", "hook": "/h",
      "hooked": self.hooked, "damaged": False, "elsewhere": False,
      "other_hooks": [], "wanted": [], "missing": self.reason, "pid": None,
      "loaded": True, "stale": False, "consistent": True, "job_hooks": {}}

  def missing(self):
    return self.reason


class Monitor(object):
  """A QEMU, as far as it is asked."""
  def __init__(self):
    self.replies = {
      "query-version": {"qemu": {"major": 7, "minor": 2, "micro": 1}},
      "qom-get": "pc-i440fx-6.0-machine", "query-status": {"status": "running"},
      "query-migrate": {}, "query-cpus-fast": [{}], "qom-list": [],
      "query-pci": [{"bus": 0, "devices": []}]}

  def __enter__(self):
    return lambda command, _: self.replies[command]

  def __exit__(self, *_):
    pass


@pytest.fixture
def node(here, monkeypatch):
  """A node with guests whose QEMU has nothing of what the file has."""
  monkeypatch.setattr(activation, "Status", State)
  monkeypatch.setattr(installation, "without_q35", lambda: "3.0.2")
  here.monitor = Monitor()
  monkeypatch.setattr(instance, "monitor", lambda _: here.monitor)
  monkeypatch.setattr(inventory, "topology", lambda *_: [HAND])
  monkeypatch.setattr(chipset, "machine_types",
                      lambda _: machine_type.Listing(LIST))
  monkeypatch.setattr(instance, "ask", lambda *_: ([], []))
  monkeypatch.setattr(cmd_hooks.cmd_check.backends, "orphans", lambda *_: [])
  monkeypatch.setattr(State, "hooked", True)
  monkeypatch.setattr(State, "reason", None)
  monkeypatch.setattr(destinations, "here", lambda: "node1.ex")
  return here


def facts(capsys, *arguments):
  status = entry.main(["facts", "--json"] + list(arguments))
  document = schema.read(capsys.readouterr()[0])
  assert document["status"] == status
  return document


def test_what_a_node_says_of_a_guest(node, capsys):
  path = node.add("v3.0.2-plain")
  node.add("v3.0.2-spice", runs=False)
  document = facts(capsys)
  assert document["node"]["loaded"] and not document["node"]["knows_q35"]
  plain, spice = document["instances"]
  assert (plain["instance"], plain["running"], plain["file"]) == (
    "plain.ex", True, str(path))
  assert (plain["qemu_version"], plain["machine_type"], plain["chipset"]) == (
    [7, 2], "pc-i440fx-6.0", "i440fx")
  assert [uuid[:8] for uuid in plain["disks"]] == ["0000d150", "0000d151"]
  assert any("(id hand) is attached in QEMU" in text
             for text in plain["problems"])
  assert not plain["is_busy"] and not plain["is_leaving"]
  assert (spice["running"], spice["qemu"]) == (False, None)
  # the program of the running ones
  (qemu, ) = [document["qemus"][plain["qemu"]]]
  if qemu["is_there"]:
    assert qemu["default"] == "pc-i440fx-7.2"
    assert qemu["aliases"] == {"pc": "pc-i440fx-7.2"}
    assert "pc-i440fx-6.0" in qemu["machine_types"]


def test_a_node_to_which_guests_go_is_not_asked_for_its_own(node, capsys):
  node.add("v3.0.2-plain")
  there, missing = str(node.conf), "/nowhere/kvm"
  document = facts(capsys, "--no-guests", "--qemu", there, "--qemu", missing)
  assert document["instances"] == []
  assert sorted(document["qemus"]) == sorted([there, missing])
  assert document["qemus"][there]["version"] == [7, 2]
  assert not document["qemus"][missing]["is_there"]
  assert document["qemus"][missing]["machine_types"] == []


def test_states_that_keep_a_guest(node, capsys):
  path = str(node.add("v3.0.2-plain"))
  node.monitor.replies["query-migrate"] = {"status": "active"}
  (found, ) = facts(capsys, "plain")["instances"]
  assert found["is_leaving"] and found["problems"] == []
  node.monitor.replies.update({"query-migrate": {},
                               "query-status": {"status": "postmigrate"}})
  (found, ) = facts(capsys, "plain")["instances"]
  assert "paused after a migration that completed" in found["problems"][0]
  lock = instance_lock.path_for(path)
  os.makedirs(os.path.dirname(lock))
  with open(lock, "w") as stream:
    assert not facts(capsys, "plain")["instances"][0]["is_busy"]
    fcntl.flock(stream, fcntl.LOCK_EX)
    assert facts(capsys, "plain")["instances"][0]["is_busy"]


def test_a_guest_that_does_not_answer_is_its_own_error(node, capsys,
                                                       monkeypatch):
  node.add("v3.0.2-plain")
  node.write(genuine.text_of("v3.0.2-spice"), "spice.ex")
  ask = instance.monitor

  def refuse(known):
    if known.instance == "plain.ex":
      raise MonitorError("it hangs")
    return ask(known)
  monkeypatch.setattr(instance, "monitor", refuse)
  document = facts(capsys)
  assert document["status"] == 2
  assert [one["error"] for one in document["instances"]] == ["it hangs", None]


def test_after_a_while_no_other_guest_is_asked(node, capsys, monkeypatch):
  node.add("v3.0.2-plain")
  monkeypatch.setattr(cmd_facts, "LIMIT", -1)
  (found, ) = facts(capsys)["instances"]
  assert found["error"].startswith("not asked: the guests before it took")


def test_verify_hears_of_warnings_in_one_line(node, capsys, monkeypatch):
  node.add("v3.0.2-plain")
  status, out, err = run(capsys, "hook-verify")
  assert (status, err) == (1, "")
  (line, ) = out.splitlines()
  assert line.startswith("node node1.ex: plain.ex: warning: ")
  assert " | plain.ex: warning: a migration would be refused: " in line
  assert "info" not in line
  monkeypatch.setattr(cmd_hooks, "SHOWN", 1)
  line = run(capsys, "hook-verify")[1]
  assert "more: see ganeti-kvm-pci check --live there" in line
  assert line.count(" | ") == 1


def test_verify_hears_nothing_of_an_update_of_qemu(node, capsys, monkeypatch):
  node.add("v3.0.2-plain")
  found = {"running": "7.2", "installed": "7.2", "outdated": None}
  monkeypatch.setattr(outdated_qemu, "judge", lambda *_: found)
  before = run(capsys, "hook-verify")[1]
  found.update(installed="7.3", outdated="it runs QEMU 7.2")
  status, out, _ = run(capsys, "check", "--live")
  assert status == 1 and "not the installed QEMU: it runs QEMU 7.2" in out
  assert run(capsys, "hook-verify")[1] == before


def test_verify_hears_nothing_where_the_plugin_is_off(node, capsys,
                                                      monkeypatch):
  node.add("v3.0.2-plain")
  monkeypatch.setattr(State, "hooked", False)
  assert run(capsys, "hook-verify") == (0, "", "")
  monkeypatch.setattr(State, "reason", "the plugin should be on here")
  status, out, _ = run(capsys, "hook-verify")
  assert status == 1 and "node node1.ex: the plugin should be on here" in out


def test_verify_hears_nothing_where_all_is_well(node, capsys):
  node.add("v3.0.2-plain", runs=False)
  assert run(capsys, "hook-verify") == (0, "", "")


def test_verify_does_not_wait_for_an_operation(node, capsys):
  path = str(node.add("v3.0.2-plain"))
  with instance_lock.held(instance_lock.path_for(path)):
    before = clock.monotonic()
    assert run(capsys, "hook-verify") == (0, "", "")
    # the patience of others is 216 s
    assert clock.monotonic() - before < 100


def test_verify_is_not_kept_for_ever(node, capsys, monkeypatch):
  node.add("v3.0.2-plain")
  monkeypatch.setattr(cmd_hooks, "VERIFY_LIMIT", -1)
  status, out, _ = run(capsys, "hook-verify")
  assert status == 1 and "not looked at within -1 s: plain.ex" in out


def test_a_qemu_that_says_nothing_is_an_error_of_it_alone(node, capsys,
                                                          monkeypatch):
  def refuse(_):
    raise NodeError("no list")
  monkeypatch.setattr(chipset, "machine_types", refuse)
  document = facts(capsys, "--no-guests", "--qemu", str(node.conf))
  assert document["status"] == 0
  assert document["qemus"][str(node.conf)]["error"] == "no list"
