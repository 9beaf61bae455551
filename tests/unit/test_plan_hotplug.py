"""The plan of a hotplug."""

import contextlib
import json

import pytest

import genuine
import host
import schema
from ganeti_kvm_pci.bus.frozen import Frozen
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.cli import entry as entry_
from ganeti_kvm_pci.cli import instance
from ganeti_kvm_pci.cli import plan_hotplug
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.node import cluster
from ganeti_kvm_pci.node import configured
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import dry_run
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime.dry_run import Change


def run(name="v3.0.2-plain", tags=(), order=None, for_all=False, change=None):
  data = json.loads(genuine.text_of(name))
  if change:
    change(data)
  loaded = serialized.parse(json.dumps(data), "f")
  table = device_table.DeviceTable(loaded)
  return dry_run.DryRun(loaded, table.held(), dict(table.scsi_ids or {}),
                        Frozen(tags), order, for_all)


def places(made, *changes):
  return [(o.unit, o.number) if o.refusal is None else o.refusal
          for o in (made.apply(Change(*change)) for change in changes)]


def test_each_is_placed_beside_those_before_it():
  # disks on 12 and 13, NICs on 14 and 15
  assert places(run(), (DISK, "add", -1), (DISK, "add", -1), (NIC, "add", -1),
                (NIC, "add", 2)) == [
                  ("slot", 16), ("slot", 17), ("slot", 24), ("slot", 25)]


def test_what_is_removed_is_free_afterwards():
  assert places(run(), (DISK, "remove", 1), (DISK, "add", -1),
                (NIC, "modify", 0), (NIC, "remove", -1)) == [
                  ("slot", 13), ("slot", 13), ("slot", 14), ("slot", 15)]


def test_devices_have_names():
  def change(data):
    data[3][1][0]["name"] = "data"
  assert places(run(change=change), (DISK, "remove", "data"))[0] == (
    "slot", 13)


def test_what_was_added_can_be_removed():
  assert places(run(), (DISK, "add", 0), (DISK, "remove", 0),
                (DISK, "remove", 0)) == [("slot", 16), ("slot", 16),
                                         ("slot", 12)]


def test_the_configuration_counts_not_the_file():
  uuids = [disk[0]["uuid"] for disk in
           json.loads(genuine.text_of("v3.0.2-plain"))[3]]
  order = {DISK: [uuids[1], "cold", uuids[0]], NIC: []}
  found = [run(order=order).apply(Change(DISK, "remove", which))
           for which in (0, 2, -1, uuids[0], 1)]
  assert [o.number for o in found] == [13, 12, 12, 12, None]
  assert "added without hotplug" in found[4].refusal


@pytest.mark.parametrize("change, text", [
  ((DISK, "remove", 2), "there is no disk 2: the instance has 2"),
  ((NIC, "remove", "x"), "there is no NIC x: the instance has 2"),
  ((DISK, "add", 3), "no disk can be added as number 3: the instance has 2"),
  ((DISK, "add", "x"), "no disk can be added as number x")])
def test_what_is_not_there_is_refused(change, text):
  assert places(run(), change)[0].startswith(text)


def test_a_full_bus_is_refused_in_the_words_of_a_hot_add():
  found = places(run(), *[(DISK, "add", -1)] * 17)
  assert [place[1] for place in found[:8]] == list(range(16, 24))
  assert sorted(place[1] for place in found[8:-1]) == list(range(24, 32))
  assert found[-1].startswith("no PCI slot is left for one more disk")


def test_scsi_disks_get_ids():
  made = run("v3.0.2-scsihd")
  first = max(made.scsi_ids) + 1
  assert places(made, (DISK, "add", -1), (DISK, "remove", 0),
                (NIC, "add", -1))[0] == ("scsi-id", first)
  assert first in made.scsi_ids


def test_what_ganeti_cannot_hot_add_is_refused():
  def on_ide(data):
    data[2]["disk_type"] = "ide"
  assert places(run(change=on_ide), (DISK, "add", -1)) == [
    "Ganeti hot-adds no disk of the type ide"]
  assert "is not on a bus" in places(run(change=on_ide),
                                     (DISK, "remove", 0))[0]
  # but 2.10 to 2.15 did
  assert places(run(change=on_ide, for_all=True), (DISK, "add", -1))[0][0] == \
    "slot"


def test_slots_of_tags_are_kept_free():
  assert places(run(tags=["kvm-pci:disk:deadbeef:16"]),
                (DISK, "add", -1)) == [("slot", 17)]


@pytest.mark.parametrize("text, expected", [
  ("add", ("add", -1)), ("add:size=1g,metavg=x", ("add", -1)),
  ("remove", ("remove", -1)), ("-1:remove", ("remove", -1)),
  ("0:add,size=1g", ("add", 0)), ("2:remove", ("remove", 2)),
  ("attach:uuid=x", ("add", -1)), ("0000d150-x:detach", ("remove",
                                                         "0000d150-x")),
  ("1:modify,link=br1", ("modify", 1)), ("1:link=br1", ("modify", 1))])
def test_changes_are_in_ganetis_words(text, expected):
  assert plan_hotplug.parser_of(DISK)(text) == Change(DISK, *expected)


@pytest.mark.parametrize("arguments", [
  ["x", "--disk", "grow"], ["x", "--disk", "-2:remove"], ["x", "--net", ""],
  ["x", "--net", ":add"], ["--net", "add"], ["x", "y", "--net", "add"],
  ["x", "--net", "add", "--machine", "q35"], ["x", "--disk", "add", "--frozen"]])
def test_wrong_usage(capsys, arguments):
  with pytest.raises(SystemExit) as caught:
    entry_.main(["plan"] + arguments)
  assert caught.value.code == 2 and "plan" in capsys.readouterr()[1]


@pytest.fixture
def outcomes(monkeypatch):
  """Provide a list that says which questions led to what."""
  made = []

  @contextlib.contextmanager
  def monitor(_):
    yield None

  def rehearse(_, loaded, version, tags, configuration, changes):
    known = run()
    made.append((version, tags, configuration, changes))
    return [known.apply(change) for change in changes]
  monkeypatch.setattr(instance, "monitor", monitor)
  monkeypatch.setattr(plan_hotplug, "rehearse", rehearse)
  monkeypatch.setattr(configured, "devices", lambda _: None)
  return made


def test_the_command_tells_and_changes_nothing(here, capsys, outcomes):
  path = here.add("v3.0.2-plain")
  before = path.read()
  assert entry_.main(["plan", "plain", "--disk", "add:size=1g", "--disk",
                      "-1:remove", "--net", "1:remove"]) == 0
  out, err = capsys.readouterr()
  assert err == "" and out.splitlines()[0] == \
    "plain.ex: hotplug would do this; nothing was changed"
  assert out.splitlines()[-3:] == [
    "  add disk 2: gets slot 16", "  remove disk 2: frees slot 16",
    "  remove nic 1: frees slot 15"]
  assert "only master candidates" in out
  assert [c.index for c in outcomes[0][3]] == [-1, -1, 1]
  assert path.read() == before


def test_a_refusal_is_an_answer(here, capsys, outcomes):
  here.add("v3.0.2-plain")
  assert entry_.main(["plan", "plain", "--json", "--disk", "7:remove"]) == 1
  document = schema.read(capsys.readouterr()[0])
  (entry, ) = document["instances"]
  assert entry["error"].startswith("would be refused: there is no disk 7")
  assert entry["hotplug"] == [
    {"class": "disk", "action": "remove", "index": None, "uuid": None,
     "id": None, "unit": None, "number": None, "refusal": entry["error"][18:]}]


def test_a_file_elsewhere_has_no_guest(here, tmpdir, capsys, outcomes):
  copy = tmpdir.join("plain.ex.runtime")
  copy.write(here.add("v3.0.2-plain").read())
  assert entry_.main(["plan", str(copy), "--disk", "add"]) == 2
  err = capsys.readouterr()[1]
  assert "name the instance, or leave out --disk and --net\n" in err
  assert "--live" not in err and outcomes == []


def test_only_a_running_guest_takes_a_hot_add(here, capsys, outcomes):
  here.add("v3.0.2-plain", runs=False)
  assert entry_.main(["plan", "plain", "--net", "add"]) == 2
  assert "plain.ex does not run here" in capsys.readouterr()[1]


@pytest.mark.parametrize("disks", [[{"uuid": "d"}], ["d"]])
def test_the_configuration_is_read(tmpdir, monkeypatch, disks):
  path = tmpdir.join("config.data")
  host.configuration_at(monkeypatch, path)
  assert configured.devices("a.ex") is None
  path.write(json.dumps({"instances": {
    "u": {"name": "a.ex", "disks": disks,
          "nics": [{"uuid": "n", "mac": "m"}]},
    "v": {"name": "old.ex", "disks": [{}], "nics": []}}}))
  assert configured.devices("a.ex") == (["d"], [("n", "m")])
  assert configured.devices("b.ex") is None
  assert configured.devices("old.ex") is None
  path.write("{ }")
  assert configured.devices("a.ex") is None


def test_devices_says_where_an_instance_runs(here, capsys, monkeypatch):
  here.add("v3.0.2-plain", runs=False)
  assert entry_.main(["devices", "plain"]) == 2
  assert "plain.ex does not run here: there is no guest" in \
    capsys.readouterr()[1]

  def refuse():
    raise NodeError("no master")
  for instances, text in (
      (refuse, "on the master, this command says where it runs"),
      (lambda: [cluster.Instance("far.ex", "node2.ex", [])],
       "far.ex is an instance of node node2.ex: run ganeti-kvm-pci devices"
       " far.ex there")):
    monkeypatch.setattr(cluster, "instances", instances)
    assert entry_.main(["devices", "far", "--json"]) == 2
    (entry, ) = schema.read(capsys.readouterr()[0])["instances"]
    assert text in entry["error"]
