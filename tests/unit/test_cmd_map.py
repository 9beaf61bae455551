"""The command map, of a guest whose QEMU is asked."""

import contextlib
import json

import pytest

import genuine
import q35_files
from ganeti_kvm_pci.cli import instance
from test_cmd_upgrade import run
from test_cmd_upgrade import run_json
from test_root_ports import HOST
from test_root_ports import bridge
from test_root_ports import function

BALLOON = "/machine/peripheral-anon/device[0]"


@pytest.fixture
def asked(monkeypatch):
  """Provide QEMU's answers; return what it was asked for."""
  found = []
  devices = [HOST, function(2, ""), bridge(3, function(0, "nic-000041c0-0000-"
                                                       "4000")), bridge(11)]
  answers = {
    "/machine/peripheral": [], "/machine/peripheral-anon": [
      {"name": "device[0]", "type": "child<virtio-balloon-pci>"}],
    BALLOON: [{"name": "addr", "type": "int32"},
              {"name": "parent_bus", "type": "link<bus>"}]}

  def execute(command, arguments):
    found.append(command)
    if command == "query-pci":
      return [{"bus": 0, "devices": devices}]
    if command == "qom-list":
      return answers[arguments["path"]]
    return {"addr": 16, "parent_bus": "/machine/q35/pcie.0"}[
      arguments["property"]]

  @contextlib.contextmanager
  def monitor(_):
    yield execute

  monkeypatch.setattr(instance, "monitor", monitor)
  return found


def test_both_buses_of_a_q35_guest_are_asked_for(here, capsys, asked):
  here.write(json.dumps(q35_files.packed()))
  status, out, err = run(capsys, "map", "--live")
  assert (status, err) == (0, "")
  assert out.splitlines()[1:9] == [
    "  pcie.0", "  0-31", "  Q_Q____________________PPP______",
    "  NICs     disks", "  rp3-rp10 rp11-rp26", "  N!______ !!______________",
    "  slot  class  index  id                       driver              known"
    " to",
    "     0  qemu   -      -                        class 0x0100        live"]
  assert "     2  qemu   -      -                        virtio-balloon-pci" \
    "  live" in out
  (entry, ) = run_json(capsys, "map", "--live")[1]
  assert [(d["bus"], d["slot"], d["source"]) for d in entry["devices"]] == [
    ("pcie.0", 0, "live"), ("pcie.0", 2, "live"), ("rp3", 3, "both"),
    ("rp4", 4, "runtime"), ("rp11", 11, "runtime"), ("rp12", 12, "runtime")]


@pytest.mark.parametrize("text", [
  genuine.text_of("v3.0.2-plain"), json.dumps(q35_files.packed())],
                         ids=["pc", "q35"])
def test_each_is_asked_for_once(here, capsys, asked, text):
  """Both buses, functions and options, are one look."""
  here.write(text)
  assert run(capsys, "map", "--live")[0] == 0
  lists = ["qom-list", "qom-list", "query-pci"]
  assert asked == lists + ["qom-list", "qom-get", "qom-get"] + lists


def test_findings_say_on_which_bus(here, capsys):
  data = q35_files.packed()
  data[0] += ["-device", "virtio-rng-pci,bus=rp20"]
  here.write(json.dumps(data))
  (entry, ) = run_json(capsys, "check")[1]
  assert [(f["bus"], f["slot"]) for f in entry["findings"]] == [("rp20", 20)]
