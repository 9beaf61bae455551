"""Tags that are written and removed on the master: freeze, thaw, frozen.

Ganeti's commands are played; what a node answers comes from the real map.

"""

import contextlib
import fcntl
import json
import os

import pytest

from ganeti_kvm_pci.cli import cmd_freeze
from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.cli import job_hook
from ganeti_kvm_pci.node import cluster
from ganeti_kvm_pci.node import config_data
from ganeti_kvm_pci.node import parallel
from ganeti_kvm_pci.node import turns
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
    self.names = []
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
      assert command[8:11] == ["ganeti-kvm-pci", "map", "--json"]
      self.names = command[11:]
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
def master(here, capsys, monkeypatch, tmpdir):
  here.add("v2.10.8-plain")

  assert entry.main(["map", "--json"]) == 0
  answers = {"node1.ex": "Welcome {}\n%s\nWarning: added 'node1' {}" %
                         capsys.readouterr()[0],
             "node2.ex": json.dumps({"error": None, "instances": []}, indent=2)}

  def answer(node):
    return answers[node]
  made = Master(answer)
  monkeypatch.setattr(cluster, "run", made.run)
  monkeypatch.setattr(parallel, "run", made.run_all)
  monkeypatch.setattr(turns, "_folder", lambda: str(tmpdir.ensure("turns",
                                                                  dir=True)))
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
  master.refused.append("remove-tags")
  (found, ) = run_json(capsys, "freeze", "plain.ex")[1]
  assert "drained" in found["error"] and found["changed"]
  assert (found["removed"], found["added"]) == ([], OLD[:1])
  assert found["tags"] == sorted(old + OLD)


@pytest.mark.parametrize("command, words", [
  (["ganeti-kvm-pci-is-no-such"], "cannot run ganeti-kvm-pci-is-no-such"),
  (["sh", "-c", "echo no master >&2; exit 3"],
   "sh -c exits with status 3: no master")])
def test_commands_that_cannot_be_run_are_one_clear_error(command, words):
  with pytest.raises(NodeError) as caught:
    cluster.run(command)
  assert words in str(caught.value)


def gone_and_new(master):
  """Freeze an instance of which a NIC was removed and another added since."""
  gone = ["kvm-pci:nic:0000abcd:30"]
  master.instances["plain.ex"][2].update(OLD[:3] + gone)
  return gone


def test_an_update_adds_and_gives_nothing_up(master, capsys):
  gone = gone_and_new(master)
  (found, ) = run_json(capsys, "freeze", "--update", "plain.ex")[1]
  assert (found["added"], found["removed"]) == (OLD[3:], [])
  assert master.instances["plain.ex"][2] == set(OLD + gone + ["web"])
  del master.jobs[:]
  status, out, _ = run(capsys, "freeze", "--update", "--all")
  assert (status, master.jobs) == (0, [])
  # one that is not frozen is not named
  assert out.splitlines() == ["plain.ex: frozen already, nothing changes"]


def test_an_update_freezes_nobody(master, capsys):
  assert run(capsys, "freeze", "--update", "plain.ex")[:2] == (
    0, "plain.ex: not frozen, nothing changes\n")
  assert master.jobs == []


def test_an_update_removes_the_tag_whose_slot_another_has(master, capsys):
  gone = "kvm-pci:nic:0000abcd:7"
  master.instances["plain.ex"][2].update(OLD[:3] + [gone])
  run(capsys, "freeze", "--update", "plain.ex")
  assert master.jobs == [["add-tags", "plain.ex"] + OLD[3:],
                         ["remove-tags", "plain.ex", gone]]


def test_a_second_attempt_mends_what_failed_half_way(master, capsys):
  gone = "kvm-pci:nic:0000abcd:7"
  master.instances["plain.ex"][2].update(OLD[:3] + [gone])
  master.refused = ["remove-tags"]
  assert run(capsys, "freeze", "--update", "plain.ex")[0] == 2
  # still frozen
  assert master.instances["plain.ex"][2] == set(OLD + [gone, "web"])
  master.refused = []
  assert run(capsys, "freeze", "--update", "plain.ex")[0] == 0
  assert master.instances["plain.ex"][2] == set(OLD + ["web"])


def test_where_there_is_no_room_for_both_the_old_ones_go_first(master, capsys):
  gone = "kvm-pci:nic:0000abcd:7"
  master.instances["plain.ex"][2].update(
    OLD[:3] + [gone] + ["t%d" % number for number in range(4091)])
  run(capsys, "freeze", "--update", "plain.ex")
  assert [job[0] for job in master.jobs] == ["remove-tags", "add-tags"]


@pytest.fixture
def job(master, monkeypatch, tmpdir):
  """A job of plain.ex, on the master."""
  log = tmpdir.join("log")
  monkeypatch.setenv("GANETI_INSTANCE_NAME", "plain.ex")
  monkeypatch.setenv("GANETI_HOOKS_PATH", "instance-modify")
  monkeypatch.setenv("GANETI_HOOKS_PHASE", "post")
  monkeypatch.setattr(cluster, "is_master", lambda: True)
  monkeypatch.setattr(job_hook.installation, "daemon_script",
                      lambda: "/usr/local/sbin/ganeti-noded")
  monkeypatch.setattr(job_hook.detached, "log_here", lambda: None)
  monkeypatch.setenv("PATH", os.environ["PATH"])
  return log


def test_a_hook_updates_its_instance_and_logs_it(master, capsys, job):
  gone = gone_and_new(master)
  status, out, err = run(capsys, "freeze", "--hook")
  assert (status, err) == (0, "")
  assert master.instances["plain.ex"][2] == set(OLD + gone + ["web"])
  assert out.splitlines()[0].endswith(
    " instance-modify-post plain.ex: plain.ex: up to date (5 tags)")
  assert "added: " + OLD[3] in out
  assert os.environ["PATH"].endswith(":/usr/local/sbin")
  # it asks for its own instance alone
  assert master.names == ["plain.ex"]
  # and is silent where there was nothing to do
  assert run(capsys, "freeze", "--hook")[:2] == (0, "")


def test_a_hook_of_an_instance_that_does_not_run_changes_nothing(master, capsys,
                                                                 job):
  gone_and_new(master)
  master.answer = lambda _: json.dumps({"error": None, "instances": [{
    "instance": "plain.ex", "error": "no runtime file", "file": None,
    "devices": []}]}, indent=2)
  assert run(capsys, "freeze", "--hook")[:2] == (0, "")
  assert master.jobs == []


def test_a_hook_that_fails_says_so_in_the_log(master, capsys, job):
  gone_and_new(master)
  master.answer = lambda _: "ssh: timeout"
  status, out, _ = run(capsys, "freeze", "--hook")
  assert status == 2 and "instance-modify-post plain.ex: " in out
  assert "ssh: timeout" in out


def test_a_hook_waits_a_day_for_the_jobs_of_its_instance(master, capsys, job,
                                                         monkeypatch):
  gone_and_new(master)
  limits = []
  whole = master.run_all

  def run_all(chains, limit, *rest, **options):
    limits.append(limit)
    whole(chains, limit, *rest, **options)
  monkeypatch.setattr(parallel, "run", run_all)
  assert run(capsys, "freeze", "--hook")[0] == 0
  assert limits == [cluster.MAP_LIMIT, 24 * 3600]


def test_a_hook_changes_no_instance_whose_name_is_longer(master, capsys, job,
                                                         monkeypatch):
  """Its own may have been removed or renamed since."""
  gone_and_new(master)
  monkeypatch.setenv("GANETI_INSTANCE_NAME", "plain")
  status, out, _ = run(capsys, "freeze", "--hook")
  assert status == 2 and "no KVM instance is called plain" in out
  assert master.jobs == []


@contextlib.contextmanager
def other_process(write, monkeypatch):
  """Have another process that works on the instance's tags.

  It ends when it is waited for, or too late.

  """
  held = [turns._open("plain.ex.working")]
  fcntl.flock(held[0], fcntl.LOCK_EX)

  def end(_=None):
    if held:
      write()
      os.close(held.pop())
  monkeypatch.setattr(turns.time, "sleep", end)
  yield
  end()


@pytest.mark.parametrize("command", ["thaw", "freeze"])
def test_what_another_process_writes_meanwhile_is_seen(master, capsys, command,
                                                       monkeypatch):
  """A tag that is added after thaw has looked would stay."""
  late = "kvm-pci:nic:0000abcd:30"
  tags = master.instances["plain.ex"][2]
  tags.update(OLD)
  with other_process(lambda: tags.add(late), monkeypatch):
    assert run(capsys, command, "plain.ex")[0] == 0
  assert tags == set(["web"] + (OLD if command == "freeze" else []))


def test_who_does_not_end_holds_up_its_own_instance_alone(master, capsys,
                                                          monkeypatch):
  master.instances["other.ex"][2].update(OLD)
  master.instances["plain.ex"][2].update(OLD)
  held = turns._open("plain.ex.working")
  fcntl.flock(held, fcntl.LOCK_EX)
  monkeypatch.setattr(cmd_freeze, "_PATIENCE", 0.3)
  status, out, err = run(capsys, "thaw", "--all")
  assert (status, master.instances["other.ex"][2]) == (2, set())
  assert "plain.ex: another process (freeze, thaw or a script of Ganeti's" in \
    err and "has not ended within" in err
  assert master.instances["plain.ex"][2] == set(OLD + ["web"])
  # to look is allowed
  assert run(capsys, "thaw", "plain.ex", "--dry-run")[0] == 0
  assert "kvm-pci" in run(capsys, "frozen", "plain.ex")[1]
  os.close(held)
  assert run(capsys, "thaw", "plain.ex")[0] == 0


def test_nobody_else_changes_them_meanwhile(master, capsys, monkeypatch):
  """A script of Ganeti's hooks begins when the tags are there."""
  states = []

  def run_all(*args, **options):
    held = turns._open("plain.ex.working")
    states.append(turns._take(held))
    os.close(held)
    master.run_all(*args, **options)
  monkeypatch.setattr(parallel, "run", run_all)
  assert run(capsys, "freeze", "plain.ex")[0] == 0
  assert states == [False, False] # while the node is asked, and the job runs


def configuration(tags, node):
  return lambda: {
    "nodes": {"n1": {"name": "node1.ex"}, "n2": {"name": "node2.ex"}},
    "instances": {"i1": {"name": "plain.ex", "tags": tags,
                         "primary_node": node},
                  "i2": {"primary_node": None}}}


def test_luxids_answer_may_be_older_than_the_configuration(master, capsys,
                                                           monkeypatch):
  monkeypatch.setattr(config_data, "read", configuration(OLD, "n1"))
  assert run(capsys, "frozen", "plain.ex")[1].splitlines() == [
    "plain.ex: frozen"] + ["  " + tag for tag in OLD]
  monkeypatch.setattr(config_data, "read", configuration([], "n1"))
  master.instances["plain.ex"][2].update(OLD)
  assert "not frozen" in run(capsys, "thaw", "plain.ex")[1]
  assert master.jobs == []
  # it has just failed over from there
  master.instances["plain.ex"] = ["node2.ex", "kvm", set()]
  assert run(capsys, "freeze", "plain.ex")[0] == 0
  assert master.asked == ["node1.ex"] and len(master.jobs) == 1


def test_what_a_node_calls_a_tag_is_no_option(master, capsys):
  master.answer = lambda _: json.dumps({"error": None, "instances": [{
    "instance": "plain.ex", "error": None, "partition": None, "devices": [
      {"class": "disk", "index": 0, "tag": "--from=/etc/hosts"}]}]}, indent=2)
  for words in (["plain.ex"], ["--update", "plain.ex"]):
    master.instances["plain.ex"][2].add(OLD[0])
    status, _, err = run(capsys, "freeze", *words)
    assert status == 2
    assert "node node1.ex: ganeti-kvm-pci map prints what is no tag" in err
  assert master.jobs == []


def test_a_hook_does_nothing_elsewhere_than_on_the_master(master, capsys, job,
                                                          monkeypatch):
  gone_and_new(master)
  monkeypatch.setattr(cluster, "is_master", lambda: False)
  assert run(capsys, "freeze", "--hook")[:2] == (0, "")
  assert master.jobs == [] and master.asked == []
