"""Whether a guest can migrate: the rules, and the command on the master.

The nodes' answers are made here; test_facts.py has a real one.

"""

import copy
import json

import pytest

from ganeti_kvm_pci.cli import cmd_hooks
from ganeti_kvm_pci.cli import cmd_preflight
from ganeti_kvm_pci.cli import report
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.node import cluster
from ganeti_kvm_pci.node import destinations
from ganeti_kvm_pci.node import installation
from ganeti_kvm_pci.runtime import preflight
from test_cmd_upgrade import run
from test_cmd_upgrade import run_json

QEMU = "/usr/bin/kvm"
A, B = "aaaa-1", "bbbb-2"


def guest_of(name="vm1.ex", **changes):
  found = report.entry("facts", {
    "instance": name, "running": True, "qemu": QEMU, "qemu_version": [7, 2],
    "machine_type": "pc-i440fx-7.2", "written_type": "pc", "chipset": "i440fx",
    "disks": [A]})
  found.update(changes)
  return found


def qemu_of(version=(7, 2), types=("pc-i440fx-7.2", "pc-q35-7.2"), **changes):
  found = {"is_there": True, "version": list(version), "error": None,
           "machine_types": sorted(types) + ["pc"], "default": types[0],
           "aliases": {"pc": types[0]}}
  found.update(changes)
  return found


def node_of(**changes):
  found = {"loaded": True, "stale": False, "package": "1.2", "knows_q35": False,
           "qemus": {QEMU: qemu_of()}}
  found.update(changes)
  return found


NEWER = {QEMU: qemu_of((10, 0), ("pc-i440fx-10.0", "pc-i440fx-7.2"))}
REMOVED = {"removed": [9, 0], "since": [5, 2], "by_ganeti": False,
           "text": "-no-acpi: removed"}


def test_two_nodes_alike_are_fine():
  assert preflight.of_target(guest_of(), node_of(), node_of()).found == []
  assert preflight.of_guest(guest_of(), [A], []).found == []


@pytest.mark.parametrize("guest, uuids, jobs, verdict, words", [
  ({"problems": ["slot 3: by hand"]}, None, [], "refused", "slot 3: by hand"),
  ({}, [B], [], "refused", "disk aaaa-1 is attached, but"),
  ({"disks": [], "inside": [0]}, [], [], "refused", "its command names disks"),
  ({"requested": ["disk 0 (x)"]}, None, [], "warning", "removal of disk 0 (x)"),
  ({"is_busy": True}, None, [], "warning", "holds its lock"),
  ({"is_leaving": True}, None, [], "warning", "migrating now"),
  ({}, None, ["7, X(vm1.ex)"], "warning", "job 7, X(vm1.ex)")])
def test_what_keeps_a_guest(guest, uuids, jobs, verdict, words):
  found = preflight.of_guest(guest_of(**guest), uuids, jobs)
  (reason, ) = found.found
  assert reason["verdict"] == found.verdict() == verdict
  assert words in reason["text"]


@pytest.mark.parametrize("guest, source, target, verdict, words", [
  # the machine type
  ({"machine_type": "pc-i440fx-2.3"}, {}, {}, "refused",
   "pc-i440fx-2.3 is unknown to QEMU 7.2"),
  ({}, {"loaded": False}, {"qemus": NEWER}, "refused",
   "names pc, which is pc-i440fx-10.0"),
  ({"written_type": None}, {"loaded": False}, {"qemus": NEWER}, "refused",
   "names none, which is pc-i440fx-10.0"),
  ({"written_type": "pc-i440fx-7.2"}, {"loaded": False}, {"qemus": NEWER}, "ok",
   None),
  ({}, {}, {"qemus": NEWER}, "ok", None),
  ({"machine_type": None}, {}, {}, "ok", None),
  # QEMU
  ({"qemu_version": [8, 0]}, {}, {}, "warning", "QEMU 7.2 there is older"),
  ({}, {}, {"qemus": {QEMU: qemu_of(is_there=False)}}, "refused",
   "is not on that node"),
  ({}, {}, {"qemus": {QEMU: qemu_of(error="no list")}}, "warning", "no list"),
  ({}, {}, {"qemus": {}}, "warning", "was not looked at"),
  ({}, {}, {"qemus": {QEMU: qemu_of(version=None or (), types=(
    "pc-i440fx-7.2", ))}}, "warning", "does not tell its version"),
  # options
  ({"removed_options": [REMOVED]}, {}, {}, "ok", None),
  ({"removed_options": [REMOVED]}, {}, {"qemus": NEWER}, "ok", None),
  ({"removed_options": [dict(REMOVED, since=None)]}, {}, {"qemus": NEWER},
   "refused", "-no-acpi: removed"),
  ({"has_acpi_index": True}, {}, {"qemus": {QEMU: qemu_of((5, 2))}}, "refused",
   "acpi-index"),
  # the plugin
  ({}, {}, {"loaded": False}, "warning", "the plugin is off there"),
  ({"chipset": "q35"}, {}, {"loaded": False}, "refused", "it is a q35 guest"),
  ({"chipset": "q35"}, {}, {"loaded": False, "knows_q35": True}, "warning",
   "the plugin is off there"),
  ({}, {}, {"stale": True}, "warning", "an older copy of the plugin"),
  ({}, {}, {"package": "1.1"}, "warning", "1.1, older than the 1.2"),
  ({}, {}, {"package": "1.10"}, "ok", None)])
def test_what_keeps_it_from_a_target(guest, source, target, verdict, words):
  if target.get("qemus", {}).get(QEMU, {}).get("version") == []:
    target["qemus"][QEMU]["version"] = None
  found = preflight.of_target(guest_of(**guest), node_of(**source),
                              node_of(**target))
  texts = [reason["text"] for reason in found.found
           if reason["verdict"] == verdict]
  if words is None:
    assert found.found == []
  elif "qemu_version" not in guest and "older than" not in words and \
      "acpi" not in words:
    assert [words in text for text in texts] == [True]
  assert found.verdict() == verdict
  assert words is None or any(words in text for text in texts)


def test_without_the_plugin_an_option_that_qemu_lacks_is_refused():
  for by_ganeti, verdict in ((False, "refused"), (True, "warning")):
    found = preflight.of_target(
      guest_of(removed_options=[dict(REMOVED, by_ganeti=by_ganeti)]), node_of(),
      node_of(loaded=False, qemus=NEWER))
    assert found.verdict() == verdict


class Master(object):
  """Ganeti's commands on the master, and the nodes' answers.

  @ivar asked: list of tuples: nodes, arguments

  """
  def __init__(self):
    self.nodes = {"node1.ex": "g|N|N|Y", "node2.ex": "g|N|N|Y",
                  "node3.ex": "g|N|N|Y", "node4.ex": "h|N|N|Y"}
    self.instances = {"vm1.ex": "node1.ex|node2.ex|kvm|drbd|up|" + QEMU}
    self.jobs = []
    self.documents = dict((node, self.document()) for node in self.nodes)
    self.documents["node1.ex"] = self.document(guest_of())
    self.asked = []

  @staticmethod
  def document(*guests, **changes):
    node = node_of(**changes)
    return {"error": None, "qemus": node.pop("qemus"), "node": node,
            "instances": list(guests)}

  def run(self, command):
    assert command[1:4] == ["list", "--no-headers", "--separator=|"]
    if command[0] == "gnt-job":
      return "".join(line + "\n" for line in self.jobs)
    listed = self.nodes if command[0] == "gnt-node" else self.instances
    return "".join("%s|%s\n" % item for item in sorted(listed.items()))

  def ask(self, nodes, arguments, limit, progress=None):
    assert limit
    self.asked.append((sorted(nodes), arguments))
    for done in range(len(nodes) + 1) if progress else ():
      progress(done, len(nodes))
    return copy.deepcopy(dict((node, self.documents[node]) for node in nodes))


@pytest.fixture
def master(monkeypatch):
  made = Master()
  monkeypatch.setattr(cluster, "run", made.run)
  monkeypatch.setattr(cluster, "ask", made.ask)
  monkeypatch.setattr(installation, "become_daemon_python", lambda *_: None)
  monkeypatch.setattr(destinations, "disk_uuids", lambda: {"vm1.ex": [A]})
  monkeypatch.setattr(cluster, "is_master", lambda: True)
  return made


def test_a_node_that_can_be_emptied(master, capsys):
  status, out, err = run(capsys, "preflight", "node1")
  assert (status, err) == (0, "")
  assert out.splitlines() == [
    "INSTANCE  NODE      TARGET    VERDICT",
    "vm1.ex    node1.ex  node2.ex  ok",
    "",
    "1 instance of 1 node: 1 ok"]
  assert master.asked == [
    (["node2.ex"], ["facts", "--json", "--no-guests", "--qemu", QEMU]),
    (["node1.ex"], ["facts", "--json", "--qemu", QEMU])]


def test_the_reasons_are_below_the_table(master, capsys):
  master.instances["vm2.ex"] = "node1.ex||kvm|rbd|up|" + QEMU
  master.instances["vm3.ex"] = "node1.ex||kvm|plain|up|" + QEMU
  master.instances["vm4.ex"] = "node1.ex||kvm|rbd|down|" + QEMU
  master.instances["vm5.ex"] = "node2.ex||kvm|rbd|up|" + QEMU
  master.instances["vm6.ex"] = "node1.ex||xen-pvm|rbd|up|-"
  master.documents["node1.ex"] = master.document(
    guest_of(problems=["slot 3: by hand"]), guest_of("vm2.ex"),
    guest_of("vm3.ex"))
  master.documents["node3.ex"] = master.document(loaded=False)
  status, out, err = run(capsys, "preflight", "node1.ex")
  assert (status, err) == (1, "")
  assert out.splitlines() == [
    "INSTANCE  NODE      TARGET    VERDICT",
    "vm1.ex    node1.ex  node2.ex  refused",
    "vm2.ex    node1.ex  node2.ex  ok",
    "vm2.ex    node1.ex  node3.ex  warning",
    "vm3.ex    node1.ex  -         refused",
    "vm4.ex    node1.ex  -         down, nothing to move; gnt-instance failover"
    " takes it to another node",
    "",
    "vm1.ex:",
    "  refused: slot 3: by hand",
    "",
    "vm2.ex:",
    "  warning (node3.ex): the plugin is off there, so nobody compares the"
    " target's devices with the guest's; enable it there (ganeti-kvm-pci enable"
    " --restart)",
    "",
    "vm3.ex:",
    "  refused: cannot be migrated: disk template plain",
    "",
    "4 instances of 1 node: 1 warning, 2 refused, 1 down"]


def test_what_is_down_is_told_and_nothing_is_asked_for_it(master, capsys):
  master.instances = {"vm1.ex": "node1.ex||kvm|plain|down|" + QEMU,
                      "vm2.ex": "node1.ex||kvm|rbd|offline|/other/qemu"}
  master.documents["node1.ex"] = "no answer within 60 s"
  status, found = run_json(capsys, "preflight", "node1")
  assert status == 0 and master.asked == []
  assert [(one["verdict"], one["remarks"], one["targets"], one["reasons"])
          for one in found] == [
            ("ok", ["down, nothing to move"], [], []),
            ("ok", ["down, nothing to move; gnt-instance failover takes it to"
                    " another node"], [], [])]


@pytest.mark.parametrize("line, words", [
  ("g|Y|N|Y", "node2.ex is offline"), ("g|N|Y|Y", "node2.ex is drained"),
  ("g|N|N|N", "node2.ex is not vm_capable")])
def test_a_secondary_that_takes_nothing(master, capsys, line, words):
  master.nodes["node2.ex"] = line
  status, (found, ) = run_json(capsys, "preflight", "node1")
  assert status == 1 and found["verdict"] == "refused"
  assert words in found["reasons"][0]["text"] and found["targets"] == []
  # where the storage is shared, another one takes it
  master.instances["vm1.ex"] = "node1.ex||kvm|sharedfile|up|" + QEMU
  status, (found, ) = run_json(capsys, "preflight", "node1")
  assert [target["node"] for target in found["targets"]] == ["node3.ex"]
  assert (status, found["verdict"]) == (0, "ok")


def test_a_node_that_does_not_answer_is_an_error_of_its_own_guests(master,
                                                                   capsys):
  master.instances["vm5.ex"] = "node2.ex|node3.ex|kvm|drbd|up|" + QEMU
  master.documents["node2.ex"] = master.document(guest_of("vm5.ex"))
  master.documents["node1.ex"] = "no answer within 60 s"
  status, found = run_json(capsys, "preflight", "--all")
  assert status == 2
  assert [(one["instance"], one["verdict"]) for one in found] == [
    ("vm1.ex", "unknown"), ("vm5.ex", "ok")]
  assert found[0]["error"] == "node node1.ex: no answer within 60 s"
  status, out, err = run(capsys, "preflight", "--all")
  assert status == 2 and "vm1.ex: node node1.ex: no answer within 60 s" in err
  assert master.asked[-1][0] == ["node1.ex", "node2.ex"]
  assert "vm1.ex    node1.ex  -         unknown" in out


def test_a_target_that_does_not_answer_is_not_known(master, capsys):
  for said in ("no answer within 60 s", {"error": None},
               {"error": "no Ganeti", "instances": []}):
    master.documents["node2.ex"] = said
    status, (found, ) = run_json(capsys, "preflight", "node1")
    assert (status, found["verdict"]) == (2, "unknown")
    assert "node node2.ex: " in found["targets"][0]["reasons"][0]["text"]


def test_a_guest_that_is_not_there_or_cannot_be_asked(master, capsys):
  master.documents["node1.ex"] = master.document(guest_of(running=False))
  status, (found, ) = run_json(capsys, "preflight", "node1")
  assert (status, found["verdict"]) == (1, "refused")
  assert "should run on node node1.ex" in found["reasons"][0]["text"]
  master.documents["node1.ex"] = master.document(guest_of(error="it hangs"))
  status, (found, ) = run_json(capsys, "preflight", "node1")
  assert (status, found["error"]) == (2, "node node1.ex: it hangs")


def test_jobs_that_have_not_ended(master, capsys):
  master.jobs = ["7|running|INSTANCE_MODIFY(vm1.ex)", "8|success|X(vm1.ex)",
                 "9|waiting|INSTANCE_MODIFY(vm11.ex)"]
  status, (found, ) = run_json(capsys, "preflight", "node1")
  assert status == 1
  assert [reason["text"].split(" has")[0] for reason in found["reasons"]] == [
    "Ganeti's job 7, INSTANCE_MODIFY(vm1.ex)"]


@pytest.mark.parametrize("arguments, words", [
  (["node9"], "no node is called node9"), (["node"], "no node is called node")])
def test_what_is_no_node(master, capsys, arguments, words):
  status, _, err = run(capsys, "preflight", *arguments)
  assert status == 2 and words in err
  assert master.asked == []


def test_a_node_has_to_be_named(capsys):
  with pytest.raises(SystemExit):
    run(capsys, "preflight")
  assert "preflight needs a NODE, or --all" in capsys.readouterr()[1]


@pytest.fixture
def migrating(master, monkeypatch):
  for name, value in (("INSTANCE_NAME", "vm1.ex"), ("OLD_PRIMARY", "node1.ex"),
                      ("NEW_PRIMARY", "node2.ex"), ("MIGRATE_CLEANUP", "False"),
                      ("INSTANCE_HYPERVISOR", "kvm")):
    monkeypatch.setenv("GANETI_" + name, value)
  return master


def test_the_script_lets_a_migration_go_on(migrating, capsys):
  assert run(capsys, "hook-migrate") == (0, "", "")
  assert migrating.asked == [
    (["node1.ex"], ["facts", "--json", "vm1.ex"]),
    (["node2.ex"], ["facts", "--json", "--no-guests", "--qemu", QEMU])]
  # warnings are none of its business
  migrating.documents["node2.ex"] = migrating.document(loaded=False)
  assert run(capsys, "hook-migrate") == (0, "", "")


def test_the_script_refuses_what_is_sure(migrating, capsys):
  migrating.documents["node1.ex"] = migrating.document(
    guest_of(machine_type="pc-i440fx-2.3", problems=["slot 3: by hand"]))
  status, out, _ = run(capsys, "hook-migrate")
  assert status == 1
  assert out.startswith("Instance vm1.ex cannot migrate to node2.ex: slot 3: by"
                        " hand | its machine type pc-i440fx-2.3 is unknown to QEMU 7.2")


def test_the_script_refuses_nothing_that_it_cannot_tell(migrating, capsys,
                                                        monkeypatch):
  bad = migrating.document(guest_of(problems=["slot 3: by hand"]))
  migrating.documents["node1.ex"] = bad
  assert run(capsys, "hook-migrate")[0] == 1

  def goes_on():
    assert run(capsys, "hook-migrate") == (0, "", "")
  for node, said in (("node2.ex", "no answer within 20 s"),
                     ("node1.ex", "no answer within 20 s"),
                     ("node1.ex", migrating.document())):
    good = migrating.documents[node]
    migrating.documents[node] = said
    goes_on()
    migrating.documents[node] = good
  # somebody changes its devices
  bad["instances"][0]["is_busy"] = True
  goes_on()
  bad["instances"][0]["is_busy"] = False
  for name, value in (("MIGRATE_CLEANUP", "True"),
                      ("INSTANCE_HYPERVISOR", "xen-pvm"), ("NEW_PRIMARY", "")):
    with monkeypatch.context() as patched:
      patched.setenv("GANETI_" + name, value)
      goes_on()
  # of another release, or with a fault of its own
  del bad["instances"][0]["is_busy"]
  goes_on()
  bad["instances"][0]["is_busy"] = False

  def refuse(*_):
    raise NodeError("not found")
  for place, name in ((cmd_hooks.installation, "daemon_script"),
                      (installation, "become_daemon_python"),
                      (cmd_hooks.destinations, "disk_uuids")):
    with monkeypatch.context() as patched:
      patched.setattr(place, name, refuse)
      assert run(capsys, "hook-migrate")[0] == int(
        name == "become_daemon_python")
  monkeypatch.setattr(cluster, "is_master", lambda: False)
  goes_on()
  assert cmd_hooks.MIGRATE_LIMIT < cmd_preflight.LIMIT


def test_a_node_of_another_release_is_named(master, capsys):
  del master.documents["node2.ex"]["node"]["stale"]
  status, found = run_json(capsys, "preflight", "node1")
  (target, ) = found[0]["targets"]
  assert (status, target["verdict"]) == (2, "unknown")
  assert "node node2.ex: its ganeti-kvm-pci is another release" in \
    target["reasons"][0]["text"]
  del master.documents["node1.ex"]["instances"][0]["is_leaving"]
  status, found = run_json(capsys, "preflight", "node1")
  assert status == 2 and found[0]["error"].startswith(
    "node node1.ex: its ganeti-kvm-pci is another release")


def test_two_hundred_guests_and_targets_that_are_many(master, capsys):
  for number in range(200):
    name = "g%d.ex" % number
    master.instances[name] = "node1.ex||kvm|rbd|up|" + QEMU
  master.documents["node1.ex"] = master.document(
    guest_of(), *[guest_of("g%d.ex" % number) for number in range(200)])
  status, found = run_json(capsys, "preflight", "node1")
  assert (status, len(found), len(master.asked)) == (0, 201, 2)
  assert json.dumps(found)


def test_ganeti_that_lists_nothing_is_an_error(master, capsys, monkeypatch):
  def refuse(command):
    raise NodeError("%s: not the master" % command[0])
  monkeypatch.setattr(cluster, "run", refuse)
  status, _, err = run(capsys, "preflight", "node1")
  assert status == 2 and "not the master" in err
