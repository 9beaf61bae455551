"""Tags that are written and removed on the master: freeze, thaw, frozen.

Ganeti's commands are played; what a node answers comes from the real map.

"""

import json

import pytest

from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.node import cluster
from ganeti_kvm_pci.node import parallel
from ganeti_kvm_pci.errors import NodeError
from test_cmd_upgrade import run
from test_cmd_upgrade import run_json

OLD = ["kvm-pci:disk:0000d150:4", "kvm-pci:disk:0000d151:5",
       "kvm-pci:nic:000041c0:6", "kvm-pci:nic:000041c1:7"]


class Master(object):
  """Ganeti's commands on the master, as far as they are used.

  @ivar instances: dict, name to [node, hypervisor, set of tags]
  @ivar asked: list of strings, nodes that were asked for their maps
  @ivar jobs: list of lists, the commands that change something
  @ivar refused: list of strings, commands of gnt-instance that fail

  """
  def __init__(self, answer):
    self.instances = {"plain.ex": ["node1.ex", "kvm", set(["web"])],
                      "other.ex": ["node2.ex", "kvm", set()],
                      "xen.ex": ["node1.ex", "xen-pvm", set()]}
    self.answer = answer
    self.asked = []
    self.jobs = []
    self.refused = []

  def run(self, command):
    if command[:2] == ["gnt-instance", "list"]:
      assert command[-1] == "name,pnode,hypervisor,tags"
      return "".join("%s|%s|%s|%s\n" % (
        name, node, hypervisor, ",".join(sorted(tags)))
                     for name, (node, hypervisor, tags) in
                     sorted(self.instances.items()))
    if command[:2] == ["gnt-cluster", "command"]:
      assert command[2] == "-n" and command[4:7] == ["timeout", "-k", "5"]
      assert command[8:] == ["ganeti-kvm-pci", "map", "--json"]
      self.asked.append(command[3])
      return "-----\nnode: %s\n%s\nreturn code = 0\n" % (
        command[3], self.answer(command[3]))
    assert command[0] == "gnt-instance"
    if command[1] in self.refused:
      raise NodeError("drained")
    tags = self.instances[command[2]][2]
    self.jobs.append(command[1:])
    if command[1] == "add-tags":
      tags.update(command[3:])
    else:
      assert command[1] == "remove-tags" and tags >= set(command[3:])
      tags.difference_update(command[3:])
    return ""

  def run_all(self, chains, limit, at_once, done, is_patient=False):
    """Play L{parallel.run}, one after another."""
    for key, commands in chains:
      ended = []
      try:
        for command in commands:
          ended.append(parallel.Ended(0, self.run(command), "", False))
      except NodeError as err:
        ended.append(parallel.Ended(1, "", str(err), False))
      done(key, ended)


@pytest.fixture
def master(here, capsys, monkeypatch):
  here.add("v2.10.8-plain")

  assert entry.main(["map", "--json"]) == 0
  answers = {"node1.ex": "Welcome {}\n%s\nWarning: added 'node1' {}" %
                         capsys.readouterr()[0],
             "node2.ex": json.dumps({"error": None, "instances": []}, indent=2)}

  def answer(node):
    return answers[node]
  made = Master(answer)
  monkeypatch.setattr(cluster, "_run", made.run)
  monkeypatch.setattr(parallel, "run", made.run_all)
  return made


def test_freezing_writes_the_layout_of_now(master, capsys):
  status, out, err = run(capsys, "freeze", "plain")
  assert (status, err) == (0, "")
  assert out.splitlines()[0] == "plain.ex: frozen (4 devices)"
  assert master.instances["plain.ex"][2] == set(OLD + ["web"])
  assert master.jobs == [["add-tags", "plain.ex"] + OLD]
  assert master.asked == ["node1.ex"]


def test_a_second_time_changes_nothing(master, capsys):
  run(capsys, "freeze", "plain.ex")
  del master.jobs[:]
  (found, ) = run_json(capsys, "freeze", "plain.ex")[1]
  assert (found["changed"], found["tags"], found["added"]) == (False, OLD, [])
  assert master.jobs == []
  assert "frozen already, nothing changes" in run(capsys, "freeze",
                                                  "plain.ex")[1]


def test_another_layout_replaces_the_tags(master, capsys):
  old = ["kvm-pci:disk:0000d150:9", "kvm-pci:nic:0000abcd:30", "kvm-pci:nic:x"]
  master.instances["plain.ex"][2].update(old + OLD[1:])
  (found, ) = run_json(capsys, "freeze", "plain.ex")[1]
  assert (found["added"], found["removed"]) == (OLD[:1], old)
  # not without any in between
  assert master.jobs == [["add-tags", "plain.ex"] + OLD[:1],
                         ["remove-tags", "plain.ex"] + old]
  assert master.instances["plain.ex"][2] == set(OLD + ["web"])


def test_a_dry_run_changes_nothing(master, capsys):
  (found, ) = run_json(capsys, "freeze", "plain.ex", "--dry-run")[1]
  assert (found["changed"], found["added"]) == (True, OLD)
  assert master.jobs == []


def test_all_are_frozen_but_those_that_do_not_run(master, capsys):
  status, out, _ = run(capsys, "freeze", "--all")
  assert status == 1
  assert "not running on node2.ex" in out and "xen" not in out
  assert [job[:2] for job in master.jobs] == [["add-tags", "plain.ex"]]
  # one that is frozen stays so
  master.instances["other.ex"][2].add("kvm-pci:disk:0000d150:9")
  assert run(capsys, "freeze", "--node", "node2")[0] == 0
  assert len(master.jobs) == 1


def test_thawing_removes_these_tags_alone(master, capsys):
  master.instances["plain.ex"][2].update(OLD + ["kvm-pci:acpi-index"])
  assert run(capsys, "frozen", "plain.ex")[1].splitlines() == [
    "plain.ex: frozen"] + ["  " + tag for tag in OLD]
  assert run(capsys, "thaw", "--all")[0] == 0
  assert master.instances["plain.ex"][2] == set(["web", "kvm-pci:acpi-index"])
  assert master.asked == []
  del master.jobs[:]
  assert "not frozen, nothing changes" in run(capsys, "thaw", "plain.ex")[1]
  assert master.jobs == []
  assert run(capsys, "frozen")[1].splitlines() == [
    "other.ex: not frozen", "plain.ex: not frozen"]


@pytest.mark.parametrize("arguments, words", [
  (["freeze", "nobody"], "no KVM instance is called nobody"),
  (["freeze", "xen.ex"], "no KVM instance is called xen.ex"),
  (["freeze", "--node", "node9"], "no KVM instance has the primary node")])
def test_what_is_not_there_is_an_error(master, capsys, arguments, words):
  status, _, err = run(capsys, *arguments)
  assert status == 2 and words in err
  assert master.jobs == []


def test_without_a_choice_nothing_is_frozen(master, capsys):
  with pytest.raises(SystemExit) as caught:
    run(capsys, "freeze")
  assert caught.value.code == 2
  assert "needs an INSTANCE" in capsys.readouterr()[1]
  assert master.jobs == []


@pytest.mark.parametrize("said, words", [
  ("bash: ganeti-kvm-pci: command not found", "command not found"),
  ("", "it prints nothing"), ("{\n no", "{ no"),
  ('{\n"error": "no Ganeti", "instances": []}', "no Ganeti")])
def test_a_node_that_does_not_answer_fails_its_instances(master, capsys, said,
                                                         words):
  master.answer = lambda node: said
  status, _, err = run(capsys, "freeze", "plain.ex")
  assert status == 2
  assert "plain.ex: node node1.ex: " in err and words in err
  assert master.jobs == []


def test_a_node_with_an_older_package_fails_its_own_instances(master, capsys):
  """Its map has no tags; the other nodes' instances are frozen."""
  answer = master.answer
  master.instances["other.ex"][2].add("kvm-pci:disk:0000d150:9")

  def older(node):
    return answer(node) if node == "node1.ex" else json.dumps(
      {"version": 1, "error": None, "instances": [{
        "instance": "other.ex", "error": None, "devices": [
          {"bus": "pci.0", "slot": 12, "class": "disk", "index": 0}]}]},
      indent=2)
  master.answer = older
  status, out, err = run(capsys, "freeze", "--all")
  assert status == 2
  assert "node node2.ex: its ganeti-kvm-pci is another release" in err
  assert "plain.ex: frozen (4 devices)" in out
  assert [job[:2] for job in master.jobs] == [["add-tags", "plain.ex"]]


def test_a_guest_of_which_nothing_is_kept_is_not_called_frozen(master, capsys):
  master.answer = lambda _: json.dumps({"error": None, "instances": [{
    "instance": "plain.ex", "error": None, "devices": [
      {"class": "disk", "index": 0, "tag": None},
      {"class": "qemu", "index": None, "tag": None}]}]}, indent=2)
  for tags in (set(), set(["kvm-pci:disk:0000d150:9"])):
    master.instances["plain.ex"][2].update(tags)
    status, out, _ = run(capsys, "freeze", "plain.ex")
    assert (status, out.splitlines()[0]) == (
      1, "plain.ex: not frozen, none of its devices can be; tags stay as they"
      " are")
  assert master.jobs == []


def test_a_name_that_several_have_is_no_ones(master, capsys):
  master.instances["plain.org"] = ["node1.ex", "kvm", set()]
  status, _, err = run(capsys, "thaw", "plain")
  assert status == 2
  assert "plain may be any of the instances plain.ex, plain.org" in err


def test_a_job_that_fails_is_told_of(master, capsys):
  master.refused.append("add-tags")
  (found, ) = run_json(capsys, "freeze", "plain.ex")[1]
  assert found["error"] == "gnt-instance add-tags exits with status 1: drained"
  assert (found["status"], found["changed"], found["tags"]) == (2, False, [])


def test_what_was_done_before_a_job_failed_is_told_of(master, capsys):
  old = ["kvm-pci:disk:0000d150:9"]
  master.instances["plain.ex"][2].update(old + OLD[1:])
  master.refused.append("add-tags")
  (found, ) = run_json(capsys, "freeze", "plain.ex")[1]
  assert "drained" in found["error"] and found["changed"]
  assert (found["removed"], found["added"], found["tags"]) == (old, [], OLD[1:])


@pytest.mark.parametrize("command, words", [
  (["ganeti-kvm-pci-is-no-such"], "cannot run ganeti-kvm-pci-is-no-such"),
  (["sh", "-c", "echo no master >&2; exit 3"],
   "sh -c exits with status 3: no master")])
def test_commands_that_cannot_be_run_are_one_clear_error(command, words):
  with pytest.raises(NodeError) as caught:
    cluster._run(command)
  assert words in str(caught.value)
