"""The commands plan and check."""

import contextlib
import json
import os

import pytest

import genuine
import host
from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci import qemu_version
from ganeti_kvm_pci import time_limit
from ganeti_kvm_pci.cli import cmd_check
from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.cli import instance
from ganeti_kvm_pci.cli import machine_types
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.node import installation
from ganeti_kvm_pci.qemu import machine_type
from ganeti_kvm_pci.qemu.pci_functions import Function
from ganeti_kvm_pci.qemu.replies import Peripheral
from ganeti_kvm_pci.qmp import inventory
from ganeti_kvm_pci.qmp import queries
from ganeti_kvm_pci.runtime import configuration
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized
from test_cmd_upgrade import run
from test_cmd_upgrade import run_json


def test_the_plan_of_an_old_layout(here, capsys):
  here.add("v2.10.8-hdaspice+hotplug", runs=False)
  status, out, err = run(capsys, "plan")
  assert (status, err) == (0, "")
  assert out.splitlines() == [
    "hdaspice.ex: 6 devices will move (QEMU 0-7, disks 8-23, NICs 24-31)",
    "  balloon: slot 4 -> where QEMU chooses",
    "  spice: slot 5 -> where QEMU chooses",
    "  disk 0 (hotdisk-0000d151-pci-7): slot 7 -> slot 8",
    "  disk 1 (hotdisk-0000d152-pci-10): slot 10 -> slot 9",
    "  nic 0 (hotnic-000041c1-pci-9): slot 9 -> slot 24",
    "  nic 1 (hotnic-000041c2-pci-11): slot 11 -> slot 25"]


def test_disks_in_the_command_are_in_the_plan(here, capsys):
  here.add("v2.9.6-plain")
  out = run(capsys, "plan")[1].splitlines()
  assert out[0].startswith("plain.ex: 4 devices will move")
  assert out[1:3] == [
    "  disk in the command: where QEMU chooses -> slot 8",
    "  disk in the command: where QEMU chooses -> slot 9"]
  assert out[3] == "  nic 0 (-): where QEMU chooses -> slot 24"


def test_a_single_move_is_one_device(here, capsys):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  del data[1][1:]
  here.write(json.dumps(data))
  assert run(capsys, "plan")[1].startswith("plain.ex: 1 device will move (")


def test_the_plan_changes_nothing(here, capsys):
  paths = [here.write(genuine.text_of(name), name, runs=False)
           for name in genuine.NAMES]
  status, found = run_json(capsys, "plan")
  assert status == 0 and len(found) == 90
  for name, path in zip(genuine.NAMES, paths):
    assert path.read() == genuine.text_of(name)
    assert os.stat(str(path)).st_mtime == 1000
  assert here.names() == sorted(path.basename for path in paths)


def test_the_plan_as_json(here, capsys):
  path = here.add("v3.0.2-plain")
  status, found = run_json(capsys, "plan")
  assert status == 0
  assert found == [{
    "instance": "plain.ex", "remarks": [], "error": None,
    "file": str(path), "status": 0, "changed": False,
    "partition": {"unit": "slot", "qemu": [0, 11], "disks": [12, 23],
                  "nics": [24, 31]},
    "hotplug": [],
    "moves": [
      {"class": "nic", "index": 0, "id": "nic-000041c0-0000-4000", "old": 14,
       "new": 24, "unit": "slot", "old_unit": "slot"},
      {"class": "nic", "index": 1, "id": "nic-000041c1-0000-4000", "old": 15,
       "new": 25, "unit": "slot", "old_unit": "slot"}]}]


def test_a_plan_for_other_reservations(here, capsys):
  here.add("v3.0.2-plain")
  found = run_json(capsys, "plan", "--reservations", "8")[1]
  assert [(m["old"], m["new"]) for m in found[0]["moves"]] == [
    (12, 8), (13, 9), (14, 24), (15, 25)]
  assert found[0]["partition"]["qemu"] == [0, 7]


@pytest.mark.parametrize("number", ["-1", "33", "x", "1.5", ""])
def test_reservations_that_are_none_are_wrong_usage(here, capsys, number):
  with pytest.raises(SystemExit) as caught:
    entry.main(["plan", "--reservations", number])
  assert caught.value.code == 2
  capsys.readouterr()


def test_the_clusters_reservations_are_minded(here, capsys, monkeypatch):
  here.add("v3.0.2-plain")
  here.add("v2.15.2-rng")
  monkeypatch.setattr(installation, "cluster_reservations", lambda: 16)
  plain, rng = run_json(capsys, "plan")[1]
  # what was started with another number may have one of its own
  assert plain["partition"]["qemu"] == [0, 11]
  assert "see plan --reservations 16" in plain["remarks"][0]
  assert rng["partition"]["qemu"] == [0, 15] and rng["remarks"] == []
  assert "  started with kvm_pci_reservations 12, the cluster has 16" in \
    run(capsys, "plan", "plain")[1]
  assert run_json(capsys, "plan", "plain", "--reservations", "16")[1][0][
    "remarks"] == []


def test_what_would_not_start_is_a_warning(here, capsys):
  here.add("v3.0.2-plain")
  here.add("v3.0.2-scsihd")
  status, out, err = run(capsys, "plan", "--reservations", "29")
  assert status == 1
  assert err.count("\n") == 1 and "would not start: no PCI slot is left" in err
  assert out.startswith("scsihd.ex: ")


def test_a_bus_of_another_chipset_is_left_to_upstream(here, capsys):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[0] += ["-machine", "q35,smm=on"]
  data[2]["kvm_extra"] = "-machine q35,smm=on"
  here.write(json.dumps(data))
  reason = ("left to unmodified Ganeti: its command has no root ports, without"
            " which a guest of its machine type (q35) takes no disk or NIC; a"
            " cold boot by Ganeti 2.16 or later adds them\n")
  status, out, _ = run(capsys, "plan")
  assert (status, out) == (0, "plain.ex: nothing moves\n  " + reason)
  # and QEMU, which is not there, is not asked
  status, out, _ = run(capsys, "check", "--live")
  assert (status, out.splitlines()[0]) == (0, "plain.ex: info: " +
                                           reason.strip())


def test_on_older_ganetis_the_plan_is_theirs(here, capsys):
  here.add("v2.15.2-plain")
  here.version = (2, 15)
  status, found = run_json(capsys, "plan")
  assert status == 0 and [m["new"] for m in found[0]["moves"]] == [
    None, 8, 9, 24, 25]
  here.add("v3.0.2-rng")
  status, _, err = run(capsys, "plan")
  assert status == 2 and "rng.ex" in err


@pytest.fixture
def qemu(monkeypatch):
  """Provide QEMU's answers, and check's way to them."""
  class Qemu(object):
    """What the guest's QEMU has; by default, what the runtime file says."""
    lacks = ()
    functions = ()
    peripherals = ()
    error = None
    # backends, orphaned or not
    nodes = ()
    drives = ()
    netdevs = ()
    sets = ()
    passed = ()
    # why it could not go elsewhere
    problems = ()
    # what it is
    package = "Debian 7.2.22"
    in_use = False
    # what it is, and what the QEMU of the node lists by now
    running_type = "pc-i440fx-7.2"
    listing = machine_type.Listing(
      "Supported %s are:\n" % "machines" +
      "pc  Standard PC (alias of pc-i440fx-7.2)\n"
      "pc-i440fx-7.2  Standard PC (default)\n"
      "pc-i440fx-2.4  Standard PC (deprecated)\n")

    def __init__(self):
      self.known = None
      self.did = []

    @contextlib.contextmanager
    def monitor(self, known):
      if self.error:
        raise self.error
      self.known = known
      yield self.execute

    def ask(self, *_):
      own = [Function(0, 0, None, "Host bridge")] + [
        Function(d.slot, 0, d.id, d.driver) for d in self.known.devices
        if d.slot is not None and d.slot not in self.lacks]
      return (own + list(self.functions), list(self.peripherals))

    def execute(self, command, arguments):
      if command == "query-version":
        return {"qemu": {"major": 7, "minor": 2, "micro": 22},
                "package": self.package}
      if command == "query-named-block-nodes":
        return [{"node-name": name} for name in self.nodes] + [{}]
      if arguments == {"path": "/machine", "property": "type"}:
        return self.running_type + "-machine"
      if command == "query-block":
        return [{"device": name} for name in self.drives] + [
          {"device": "ide0", "qdev": "/machine/unattached/device[5]"}]
      if command == "query-fdsets":
        return [{"fdset-id": number, "fds": [{"fd": 20 + number}]}
                for number in self.sets]
      if command == "query-pci":
        return [{"bus": 0, "devices": []}]
      if command == "qom-list":
        return [{"name": f.id, "type": "child<%s>" % f.description}
                for f in self.ask(None)[0] if f.id]
      if command == "human-monitor-command":
        line = arguments["command-line"]
        if line == "info network":
          return "".join("%s: index=0,type=tap,fd=20\r\n" % name
                         for name in self.netdevs)
        self.did.append(line)
        return ""
      if command == "x-debug-query-block-graph":
        return {"nodes": [], "edges": []}
      if self.in_use:
        raise CommandError(command, "Node is in use")
      if command == "closefd" and arguments["fdname"] not in self.passed:
        raise CommandError(command, "File descriptor named x not found")
      self.did.append((command, list(arguments.values())[0]))
      return {}
  found = Qemu()
  monkeypatch.setattr(machine_types, "_listing", lambda _: found.listing)
  monkeypatch.setattr(instance, "monitor", found.monitor)
  monkeypatch.setattr(instance, "ask", found.ask)
  monkeypatch.setattr(queries, "held", lambda _: dict(
    (f.slot, f.id) for f in found.ask(None)[0]))
  monkeypatch.setattr(inventory, "topology", lambda _: [])
  monkeypatch.setattr(cmd_check, "_problems", lambda *_: list(found.problems))
  return found


def test_all_is_well(here, capsys, qemu):
  here.add("v3.0.2-scsihd")
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  del data[1][:]
  here.write(json.dumps(data))
  for arguments in ([], ["--live"], ["--repair"]):
    status, out, err = run(capsys, "check", "plain", *arguments)
    assert (status, out, err) == (0, "plain.ex: all is well\n", "")


def test_without_live_no_ganeti_is_needed(here, capsys, no_ganeti):
  path = str(here.add("v3.0.2-plain"))
  assert run(capsys, "check", path)[0] == 0
  status, out, err = run(capsys, "check", path, "--live")
  assert (status, out) == (2, "") and "no Ganeti in this test" in err
  assert run(capsys, "check", path, "--repair")[0] == 2


@pytest.mark.parametrize("command", [
  ["check", "--repair"], ["check", "--live"], ["map", "--live"]])
def test_only_files_of_this_node_lead_to_a_guest(here, tmpdir, capsys, qemu,
                                                 command):
  path = here.add("v3.0.2-plain")
  text = path.read()
  copy = tmpdir.join("plain.ex.runtime")
  copy.write(text)
  # as a file of this node, but by its command another's
  other = here.write(text, "other.ex")
  link = tmpdir.join("link.runtime")
  link.mksymlinkto(copy)
  inside = here.conf.join("inside.ex.runtime")
  inside.mksymlinkto(copy)
  qemu.error = MonitorError("asked")
  for name, reason in (
      (copy, "is not a runtime file of this node"),
      (link, "a symbolic link"),
      (inside, "a symbolic link"),
      (other, "is that of instance plain.ex")):
    status, out, err = run(capsys, *(command + [str(name)]))
    assert (status, out) == (2, "")
    assert err.count("\n") == 1 and reason in err and str(name) in err
  # by whatever way, this is the file itself
  tmpdir.join("way").mksymlinkto(here.conf)
  with tmpdir.as_cwd():
    for name in (str(path), "plain.ex", "way/plain.ex.runtime"):
      assert "asked" in run(capsys, *(command + [name]))[2]


def test_another_way_to_a_file_leads_to_the_same_lock(here, tmpdir, capsys,
                                                      qemu, monkeypatch):
  path = here.add("v3.0.2-plain")
  tmpdir.join("way").mksymlinkto(here.conf)
  monkeypatch.setattr(time_limit, "patience", lambda: 0.05)
  with instance_lock.held(instance_lock.path_for(str(path))):
    status, _, err = run(capsys, "check", "--repair",
                         str(tmpdir.join("way", "plain.ex.runtime")))
  assert status == 2 and "another operation" in err


def test_information_leaves_the_status_at_0(here, capsys, qemu):
  here.add("v3.0.2-plain")
  for arguments in ([], ["--live"]):
    status, out, err = run(capsys, "check", *arguments)
    assert (status, err) == (0, "")
    assert out.startswith("plain.ex: info: slot 14, nic 0 (nic-000041c0-")
    assert out.count("\n") == 2


def test_a_warning_makes_it_1_and_an_error_2(here, capsys, qemu):
  here.add("v3.0.2-plain")
  qemu.lacks = [13]
  status, out, _ = run(capsys, "check", "--live")
  assert status == 1
  assert "plain.ex: warning: slot 13, disk 1 (disk-0000d151-0000-4000): " \
    "QEMU does not have it" in out
  here.write("{")
  status, out, err = run(capsys, "check", "--live")
  assert (status, out) == (2, "") and "JSON expected" in err


@pytest.fixture
def configured(tmpdir, monkeypatch, here):
  """Provide what Ganeti's configuration has of an instance's devices.

  At first that is what its runtime file has.

  """
  here.add("v3.0.2-plain")
  path = tmpdir.join("config.data")
  host.configuration_at(monkeypatch, path)
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  found = {"disks": [disk[0]["uuid"] for disk in data[3]],
           "nics": [{"uuid": nic["uuid"], "mac": nic["mac"]}
                    for nic in data[1]]}

  def change(disks=lambda _: None, nics=lambda _: None):
    disks(found["disks"])
    nics(found["nics"])
    new = tmpdir.join("new")
    new.write(json.dumps({"instances": {"u": dict(found, name="plain.ex")}}))
    new.rename(path)
  change()
  return change


def test_what_the_configuration_has_alone_is_information(here, capsys, qemu,
                                                         configured):
  assert " configuration" not in run(capsys, "check", "--live")[1]
  configured(lambda disks: disks.insert(0, "d-new"),
             lambda nics: nics.append({"uuid": "n-new", "mac": "aa:0:0:0:0:9"}))
  status, out, err = run(capsys, "check", "--live")
  assert (status, err) == (0, "")
  cause = ("is in Ganeti's configuration, but not in the guest: it was added"
           " without hotplug, its hot-add failed, or a job that Ganeti refused"
           " had removed it before; ")
  assert [line for line in out.splitlines() if "configuration" in line] == [
    "plain.ex: info: disk 0 (d-new) " + cause + "detach the disk and attach it"
    " again (gnt-instance modify --disk), or reboot the instance",
    "plain.ex: info: nic 2 (n-new) " + cause + "modify the NIC again"
    " (gnt-instance modify --net), or reboot the instance"]
  # it asks nobody for it
  assert " configuration" not in run(capsys, "check")[1]


def test_what_the_guest_has_alone_is_told(here, capsys, qemu, configured):
  configured(nics=lambda nics: nics.pop(0))
  status, out, err = run(capsys, "check", "--live")
  assert (status, err) == (0, "")
  assert ("plain.ex: info: nic 0 (nic-000041c0-0000-4000) is in the guest, but"
          " not in Ganeti's configuration: it was removed without hotplug, its"
          " hot-remove failed, or a job that Ganeti refused had added it"
          " before; reboot the instance") in out.splitlines()
  # a guest with such a disk does not migrate
  configured(lambda disks: disks.pop())
  status, out, err = run(capsys, "check", "--live")
  assert (status, err) == (1, "")
  assert out.count("is in the guest, but not in Ganeti's") == 1
  (entry_, ) = run_json(capsys, "check", "--live")[1]
  (refusal, ) = entry_["refusals"]
  assert "is attached, but Ganeti's configuration no longer has it" in refusal
  assert "plain.ex: warning: a migration would be refused: %s" % refusal in \
    out.splitlines()


def test_a_repair_tells_of_what_it_removes_and_the_configuration_has(
    here, capsys, qemu, configured):
  qemu.lacks = [15]
  status, out, err = run(capsys, "check", "--repair")
  assert (status, err) == (0, "")
  assert "nic 1 (nic-000041c1-0000-4000): removed from the runtime file" in out
  assert "plain.ex: info: nic 1 (000041c1-" in out
  assert "is in Ganeti's configuration, but not in the guest" in out


@pytest.mark.parametrize("name", ["v2.9.6-plain", "v2.10.8-hda", "v2.15.2-hda"])
def test_devices_without_a_uuid_are_not_compared(here, name):
  loaded = serialized.parse(genuine.text_of(name), "f")
  assert [found for side in configuration.differences(
    loaded, configuration.Configuration(["d"], [])) for found in side
          if found[0] == "disk"] == ([] if name == "v2.9.6-plain" else [
            ("disk", 0, "d")] + [("disk", index, entry[0]["uuid"]) for
                                 index, entry in enumerate(loaded.disks)])
  for nic in loaded.nics:
    nic.pop("uuid", None)
  assert [found for side in configuration.differences(
    loaded, configuration.Configuration([], [("n", "m")])) for found in side
          if found[0] == "nic"] == []


def test_two_devices_on_one_slot_are_an_error(here, capsys):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[1][0]["hvinfo"]["addr"] = "0xc"
  here.write(json.dumps(data))
  status, out, err = run(capsys, "check")
  assert (status, out) == (2, "")
  assert err.count("\n") == 1 and "slot 12 is given to two devices" in err


def test_check_as_json(here, capsys, qemu):
  here.write("[]", "broken.ex")
  here.add("v3.0.2-plain")
  qemu.lacks = [12]
  status, found = run_json(capsys, "check", "--live")
  assert status == 2 and len(found) == 2
  broken, plain = found
  assert (broken["instance"], broken["findings"]) == ("broken.ex", [])
  assert "a list of command" in broken["error"] and broken["status"] == 2
  assert sorted(broken) == sorted(plain) and plain["error"] is None
  assert (plain["instance"], plain["repaired"]) == ("plain.ex", [])
  assert [(f["severity"], f["slot"]) for f in plain["findings"]] == [
    ("warning", 12), ("info", 14), ("info", 15)]
  assert plain["findings"][0]["device"] == "disk 0 (disk-0000d150-0000-4000)"


def test_a_silent_qemu_is_an_error_and_nothing_is_repaired(here, capsys, qemu):
  path = here.add("v3.0.2-plain")
  qemu.error = MonitorError("no answer")
  status, _, err = run(capsys, "check", "--repair")
  assert status == 2 and "no answer" in err
  assert os.stat(str(path)).st_mtime == 1000


def test_what_does_not_run_is_not_asked(here, capsys, qemu):
  here.add("v3.0.2-plain", runs=False)
  qemu.error = MonitorError("not to be seen")
  assert run(capsys, "check", "--repair") == (
    0, "plain.ex: info: not running: its next start writes the file anew\n", "")


def test_live_alone_repairs_nothing(here, capsys, qemu):
  path = here.add("v3.0.2-plain")
  qemu.lacks = [12]
  assert run(capsys, "check", "--live")[0] == 1
  assert os.stat(str(path)).st_mtime == 1000


def test_repair_takes_stale_entries_out_and_keeps_the_old_file(here, capsys,
                                                               qemu):
  path = here.add("v3.0.2-plain")
  before = json.loads(path.read())
  qemu.lacks = [12, 15]
  status, out, err = run(capsys, "check", "--repair")
  assert (status, err) == (0, "")
  assert "plain.ex: repaired: disk 0 (disk-0000d150-0000-4000): " \
    "removed from the runtime file, QEMU does not have it" in out.splitlines()
  after = json.loads(path.read())
  assert after == [before[0], before[1][:1], before[2], before[3][1:]]
  assert here.backup().read() == genuine.text_of("v3.0.2-plain")
  inode = os.stat(str(path)).st_ino
  status, found = run_json(capsys, "check", "--repair")
  assert status == 0 and found[0]["repaired"] == []
  assert os.stat(str(path)).st_ino == inode


def test_a_repair_that_would_not_make_sense_is_not_written(here, capsys, qemu):
  path = here.add("v3.0.2-plain")
  # the first disk is where the runtime file has the second, which QEMU lacks
  qemu.lacks = [12, 13]
  qemu.functions = [Function(13, 0, "disk-0000d150-0000-4000", "disk")]
  status, _, err = run(capsys, "check", "--repair")
  assert status == 2 and "slot 13 is given to two devices" in err
  assert path.read() == genuine.text_of("v3.0.2-plain")
  assert here.backups() == []


def test_repair_writes_down_qemus_strays(here, capsys, qemu):
  path = here.add("v3.0.2-rng")
  balloon = Peripheral("virtio-balloon-pci", None, (3, 0))
  qemu.functions = [Function(20, 0, None, "RNG")]
  qemu.peripherals = [balloon, Peripheral("virtio-rng-pci", None, (20, 0))]
  status, found = run_json(capsys, "check", "--repair")
  assert status == 0
  assert found[0]["repaired"] == ["RNG, slot 20: QEMU's own, slot written to"
                                  " the runtime file"]
  assert device_table.parse(path.read(), "f").held()[20] == "virtio-rng-pci"


@pytest.mark.parametrize("hv_types", [
  {"disk_type": "ide", "nic_type": "ne2k_isa"},
  {"disk_type": "sd", "nic_type": "ne2k_isa"}])
def test_repair_never_takes_what_is_not_on_the_bus(here, capsys, qemu,
                                                   hv_types):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[2].update(hv_types)
  path = here.write(json.dumps(data))
  assert run(capsys, "check", "--repair")[0] == 0
  assert os.stat(str(path)).st_mtime == 1000


def test_what_is_not_wholly_known_is_not_repaired(here, capsys, qemu):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[1][0]["vlan"] = 5
  path = here.write(json.dumps(data))
  qemu.lacks = [12]
  status, out, _ = run(capsys, "check", "--repair")
  assert status == 1 and os.stat(str(path)).st_mtime == 1000
  assert "not repaired: unsupported: vlan of nic 0" in out


def test_what_the_node_daemon_writes_meanwhile_wins(here, capsys, qemu,
                                                    monkeypatch):
  path = here.add("v3.0.2-plain")
  qemu.lacks = [12]

  def ask(execute, *_):
    path.remove()
    path.write("the daemon's")
    return qemu.ask(execute)
  monkeypatch.setattr(instance, "ask", ask)
  status, _, err = run(capsys, "check", "--repair")
  assert status == 2 and "changed meanwhile" in err
  assert path.read() == "the daemon's"


def test_orphaned_backends_are_named_and_removed(here, capsys, qemu):
  path = here.add("v3.0.2-plain")
  # those of 2.15, of 3.0 and by hand; one of a device in the runtime file; one
  # of its lost device
  qemu.nodes = ["disk-00000001-0000-4000", "byhand", "#block123",
                "disk-0000d150-0000-4000"]
  qemu.drives = ["hotdisk-00000002-pci-7", "ide0-cd0"]
  qemu.netdevs = ["nic-00000003-0000-4000", "hotnic-00000004-pci-9", "user0",
                  "nic-000041c0-0000-4000"]
  left = ["disk-00000001-0000-4000", "hotdisk-00000002-pci-7",
          "hotnic-00000004-pci-9", "nic-00000003-0000-4000"]
  status, found = run_json(capsys, "check", "--live")
  assert status == 1 and qemu.did == []
  assert [f["device"] for f in found[0]["findings"]
          if f["severity"] == "warning"] == left
  qemu.lacks = [12] # disk 0
  found = run_json(capsys, "check", "--repair")[1]
  assert qemu.did == [
    ("blockdev-del", "disk-00000001-0000-4000"),
    ("blockdev-del", "disk-0000d150-0000-4000"),
    "drive_del hotdisk-00000002-pci-7",
    ("netdev_del", "hotnic-00000004-pci-9"),
    ("netdev_del", "nic-00000003-0000-4000")]
  assert "block node disk-00000001-0000-4000, which nothing uses: removed" \
    in found[0]["repaired"]
  assert len(json.loads(path.read())[3]) == 1


def test_a_migration_that_would_be_refused_is_predicted(here, capsys, qemu):
  here.add("v3.0.2-plain")
  qemu.problems = ["slot 20: x is missing from the runtime file"]
  status, out, _ = run(capsys, "check", "--live")
  assert status == 1
  assert "plain.ex: warning: a migration would be refused: slot 20: x is" \
    " missing from the runtime file" in out.splitlines()
  assert run(capsys, "check")[0] == 0


def test_descriptors_that_no_disk_reads_from_are_closed(here, capsys, qemu):
  here.add("v3.0.2-plain")
  qemu.sets = [0, 1, 12]
  qemu.nodes = ["byhand reads /dev/fdset/1"]
  status, found = run_json(capsys, "check", "--repair")
  assert status == 0 and qemu.did == [("remove-fd", 0), ("remove-fd", 12)]
  assert found[0]["repaired"][0] == \
    "descriptors /dev/fdset/0, which nothing uses: removed"


def test_descriptors_of_a_nic_that_never_came_are_closed(here, capsys, qemu):
  here.add("v3.0.2-plain")
  qemu.lacks = [14]
  qemu.passed = ["nic-000041c0-0000-4000-0", "nic-000041c1-0000-4000-0"]
  status, found = run_json(capsys, "check", "--repair")
  assert status == 0
  assert qemu.did == [("closefd", "nic-000041c0-0000-4000-0")]
  assert found[0]["repaired"][0] == "descriptor nic-000041c0-0000-4000-0," \
    " passed for a NIC that is not there: closed"


def test_what_is_in_use_is_a_warning_and_the_file_right(here, capsys, qemu):
  path = here.add("v3.0.2-plain")
  qemu.lacks = [12]
  qemu.nodes = ["disk-0000d150-0000-4000"]
  qemu.in_use = True
  status, out, err = run(capsys, "check", "--repair")
  assert (status, err) == (1, "")
  assert "warning: not removed: disk-0000d150-0000-4000: " in out
  assert len(json.loads(path.read())[3]) == 1


def test_what_is_the_users_own_is_neither_named_nor_removed(here, capsys, qemu):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[0] += ["-drive", "if=none,id=disk-00000001-0000-4000,file=x",
              "-netdev", "user,id=hotnic-00000004-pci-9"]
  here.write(json.dumps(data))
  qemu.drives = ["disk-00000001-0000-4000", "disk-extra"]
  qemu.netdevs = ["hotnic-00000004-pci-9", "nic-mgmt"]
  assert run(capsys, "check", "--live")[0] == 0
  assert run(capsys, "check", "--repair")[0] == 0
  assert qemu.did == []


def test_drives_of_disks_that_are_no_devices_are_left(here, capsys, qemu):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[2]["disk_type"] = "ide"
  here.write(json.dumps(data))
  qemu.drives = ["disk-0000d150-0000-4000", "disk-0000d151-0000-4000"]
  assert run(capsys, "check", "--repair")[0] == 0
  assert qemu.did == []


@pytest.mark.parametrize("tags, said", [
  (None, []), ([], []), (["web"], []),
  (["kvm-pci:disk:0000d150:4", "kvm-pci:disk:0000d151:5",
    "kvm-pci:nic:000041c0:6", "kvm-pci:nic:000041c1:7",
    "kvm-pci:nic:0000abcd:30"], []),
  (["kvm-pci:disk:0000d150:4", "kvm-pci:disk:0000d151:9",
    "kvm-pci:nic:000041c0:6", "kvm-pci:nic:0000abcd:7"], [
      "disk 1 (0000d151) has slot 5, not slot 9 of its tag"
      " kvm-pci:disk:0000d151:9: it is to move there at the next cold boot; run"
      " ganeti-kvm-pci freeze plain.ex on the master, which writes all tags anew",
      "nic 1 (000041c1) has no tag: slot 7 is not kept for it; run"
      " ganeti-kvm-pci freeze --update plain.ex on the master",
      "the tag kvm-pci:nic:0000abcd:7 is of a device that is not there, and"
      " another has slot 7; run ganeti-kvm-pci freeze --update plain.ex on the"
      " master"]),
  (["kvm-pci:disk:0000d150:2", "kvm-pci:disk:0000d151:5",
    "kvm-pci:nic:000041c0:6", "kvm-pci:nic:000041c1:7"], ["disk 0 (0000d150) has"
      " slot 4, not slot 2 of its tag kvm-pci:disk:0000d150:2: it cannot,"
      " slots 0 to 2 are those of devices that QEMU creates before; run"
      " ganeti-kvm-pci freeze plain.ex on the master"])])
def test_tags_that_are_out_of_date_are_warned_of(here, capsys, monkeypatch, tags,
                                                 said):
  here.add("v2.10.8-plain")
  monkeypatch.setattr(installation, "instance_tags", lambda _: tags)
  status, (found, ) = run_json(capsys, "check")
  assert status == (1 if said else 0)
  texts = [finding["text"] for finding in found["findings"]
           if finding["severity"] == "warning"]
  assert len(texts) == len(said)
  for text, words in zip(texts, said):
    assert text.startswith(words)


def with_type(name):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  del data[1][:]
  data[0] = machine_type.with_type(data[0], name)
  return json.dumps(data)


@pytest.mark.parametrize("named, running, arguments, words", [
  # the version is sent when it moves
  ("pc", "pc-i440fx-7.2", ["--live"], None),
  ("pc-i440fx-7.2", "pc-i440fx-7.2", ["--live"], None),
  # the node has another QEMU by now
  ("pc", "pc-i440fx-5.2", ["--live"],
   "info: machine type pc-i440fx-5.2 in QEMU, pc in the runtime file, which is"
   " pc-i440fx-7.2 to this node's QEMU by now: a migration keeps pc-i440fx-5.2,"
   " a reboot by Ganeti or a cold boot changes it"),
  ("pc-i440fx-2.4", "pc-i440fx-2.4", ["--live"],
   "warning: machine type pc-i440fx-2.4: deprecated; a newer type needs a cold"
   " boot"),
  ("pc", "pc-i440fx-2.4", ["--live"],
   "warning: machine type pc-i440fx-2.4: deprecated, and the guest cannot move"
   " to a node with QEMU 10.1 or later, which do not have it; a newer type"
   " needs a cold boot"),
  ("pc-i440fx-7.2", "pc-i440fx-7.2", ["--qemu", "10.0"], None),
  ("pc-i440fx-7.2", "pc-i440fx-7.2", ["--qemu", "11.1"],
   "warning: machine type pc-i440fx-7.2: deprecated in QEMU 11.1, and the guest"
   " cannot move to a node with QEMU 13.2 or later, which do, by QEMU's rule,"
   " not have it; a newer type"),
  ("pc", "pc-i440fx-7.2", ["--live", "--qemu", "11.1"],
   "warning: machine type pc-i440fx-7.2: deprecated in QEMU 11.1"),
  # what is not there any more
  ("pc", "pc-i440fx-4.2", ["--live", "--qemu", "11.1"],
   "warning: machine type pc-i440fx-4.2: QEMU 11.1 does not start with it"),
  ("pc-i440fx-4.2", "pc-i440fx-4.2", ["--live", "--qemu", "11.1"],
   "warning: machine type pc-i440fx-4.2: QEMU 11.1 does not start with it"),
  ])
def test_the_version_of_the_machine_type(here, capsys, qemu, monkeypatch, named,
                                         running, arguments, words):
  monkeypatch.setattr(qemu_version, "version", lambda _: None)
  here.write(with_type(named))
  qemu.running_type = running
  status, out, err = run(capsys, "check", *arguments)
  lines = [line for line in out.splitlines() if "machine type" in line]
  assert err == "" and bool(lines) == bool(words), out
  assert status == (1 if words and words.startswith("warning") else 0)
  if words:
    assert [line for line in lines if line.startswith("plain.ex: " + words)]


@pytest.mark.parametrize("named, parameter, words", [
  ("pc-i440fx-7.2", "", None), ("pc-i440fx-7.2", "pc", None),
  ("pc", "pc", None),
  ("pc-i440fx-5.2", "pc-i440fx-5.2", None),
  ("pc-i440fx-5.2", "pc",
   "machine type pc-i440fx-5.2, which stays when the guest moves or Ganeti"
   " reboots it; a shutdown and a start make it pc-i440fx-7.2"),
  ("pc-i440fx-5.2", "",
   "machine type pc-i440fx-5.2, which stays when the guest moves or Ganeti"
   " reboots it; a shutdown and a start make it pc-i440fx-7.2"),
  ("pc-i440fx-2.4", "pc-i440fx-2.4",
   "machine type pc-i440fx-2.4: deprecated, and the guest cannot move to a node"
   " with QEMU 10.1 or later, which do not have it; a newer type needs a cold"
   " boot: take it out of machine_version and kvm_extra, if it stands there,"
   " shut the instance down and start it")])
def test_the_plan_says_what_a_newer_type_needs(here, capsys, qemu, monkeypatch,
                                               named, parameter, words):
  monkeypatch.setattr(qemu_version, "version", lambda _: None)
  data = json.loads(with_type(named))
  data[2]["machine_version"] = parameter
  here.write(json.dumps(data))
  assert run_json(capsys, "plan")[1][0]["remarks"] == ([words] if words else [])
  # who asks for another type is told of that one
  assert run_json(capsys, "plan", "--machine", "pc")[1][0]["remarks"] == []
