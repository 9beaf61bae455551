"""The numbers by which guests name NICs."""

import json

import pytest

import genuine
import host
from ganeti_kvm_pci import outdated_options
from ganeti_kvm_pci import qemu_version
from ganeti_kvm_pci.bus import root_ports
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.node import installation
from ganeti_kvm_pci.qemu import acpi_index
from ganeti_kvm_pci.qemu import config_file
from ganeti_kvm_pci.qmp import acpi_indices
from ganeti_kvm_pci.runtime import layout
from ganeti_kvm_pci.runtime import serialized
from test_cmd_upgrade import run


@pytest.mark.parametrize("option, number", [
  ("e1000,acpi-index=3", 3), ("e1000,id=own,acpi-index=0x10", 16),
  ('{"driver":"e1000","acpi-index":5}', 5), ("e1000,acpi-index=0", None),
  # as QEMU reads it
  ("e1000,acpi-index=010", 8), ('{"driver":"e1000","acpi-index":true}', None),
  ("e1000", None), ("e1000,acpi-index=x", None),
  ('{"driver":"e1000","acpi-index":[1]}', None)])
def test_the_numbers_that_a_command_names(option, number):
  found = acpi_index.named(["kvm", "-device", option])
  assert found == ({number: "own" if "own" in option else "e1000"}
                   if number else {})


def test_the_numbers_that_a_file_names():
  sections = config_file.parse('[device "own"]\n driver = "e1000"\n'
                               ' acpi-index = "2"\n')
  assert acpi_index.named(["kvm", "-readconfig", "f"], {"f": sections}) == {
    2: "own"}


@pytest.mark.parametrize("is_shared, has_tag, version, expected", [
  (True, True, (6, 0), True), (True, False, (7, 2), False),
  (True, True, (5, 2), False), (True, True, None, False),
  (False, False, (6, 1), True), (False, True, (6, 0), False),
  (False, False, None, False)])
def test_who_gets_one(is_shared, has_tag, version, expected):
  assert acpi_index.is_there(is_shared, has_tag, version) is expected


def test_a_nic_has_the_same_number_on_slot_and_port():
  slots, ports = Partition(12), root_ports.RootPorts(root_ports.NUMBERS)
  for part in (slots, ports):
    assert "acpi-index" not in part.location(part.first_nic, NIC)
    part.has_acpi_index = True
  for number in range(8):
    for part in (slots, ports):
      slot = part.pool(NIC)[number]
      assert part.location(slot, NIC)["acpi-index"] == number + 1
      assert "acpi-index" not in part.location(slot, DISK)


@pytest.mark.parametrize("part, slot", [
  (Partition(12), 23), (root_ports.RootPorts(root_ports.NUMBERS), 11)])
def test_a_borrowed_slot_and_a_number_that_is_used_give_none(part, slot):
  part.has_acpi_index = True
  part.used_indices = {2: "own"}
  assert part.acpi_index(slot) is None
  assert part.acpi_index(part.first_nic + 1) is None
  assert part.acpi_index(part.first_nic + 2) == 3


def load(*numbers, **others):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  for nic, number in zip(data[1], numbers):
    if number:
      nic["hvinfo"]["acpi-index"] = number
  data[0] += others.get("words", [])
  return serialized.parse(json.dumps(data), "f")


def numbers_of(loaded):
  return [nic["hvinfo"].get("acpi-index") for nic in loaded.nics]


@pytest.mark.parametrize("before, is_named, after", [
  ((None, None), None, [None, None]), ((1, 2), None, [1, 2]),
  # one was borrowed, and comes to the pool
  ((None, 7), None, [1, 2]), ((1, 2), False, [None, None]),
  ((None, None), True, [1, 2])])
def test_a_layout_keeps_numbers_or_does_as_it_is_told(before, is_named, after):
  loaded = load(*before)
  layout.lay_out(loaded, (3, 0), 12, is_named=is_named)
  assert numbers_of(loaded) == after


def test_a_layout_gives_no_number_that_kvm_extra_has():
  loaded = load(1, 2, words=["-device", "e1000,acpi-index=2"])
  layout.lay_out(loaded, (3, 0), 12)
  assert numbers_of(loaded) == [1, None]


def test_an_older_qemu_is_named(monkeypatch):
  command = ["kvm", "-device", "virtio-net-pci,id=nic-1,acpi-index=1"]
  monkeypatch.setattr(qemu_version, "version", lambda _: (5, 2))
  assert outdated_options.explain(command) == [
    "QEMU 5.2 does not know acpi-index (6.0 does), which nic-1 has: a guest"
    " that runs can go to nodes with a newer QEMU only; what kvm_extra does not"
    " name is without after a shutdown and a start here"]
  monkeypatch.setattr(qemu_version, "version", lambda _: (6, 0))
  assert outdated_options.explain(command) == []


#: As QEMU 7.2 has it, shortened.
TREE = """\
bus: main-system-bus\r
  type System\r
  dev: q35-pcihost, id ""\r
    bus: pcie.0\r
      type PCIE\r
      dev: e1000, id ""\r
        mac = "52:54:00:12:34:56"\r
        acpi-index = 5 (0x5)\r
        class Ethernet controller, addr 00:19.0, pci id 8086:100e (sub 1af4:1100)\r
      dev: pcie-root-port, id "rp3"\r
        acpi-index = 0 (0x0)\r
        bus: rp3\r
          type PCIE\r
          dev: virtio-net-pci, id "nic-a"\r
            acpi-index = 16383 (0x3fff)\r
            bus: virtio-bus\r
              type virtio-pci-bus\r
              dev: virtio-net-device, id ""\r
                mac = "52:54:00:12:34:57"\r
      dev: mch, id ""\r
        acpi-index = 0 (0x0)\r
"""


@pytest.mark.parametrize("text, found", [
  (TREE, {5: "e1000", 16383: "nic-a"}),
  (TREE.replace("5 (0x5)", "0 (0x0)"), {16383: "nic-a"}),
  # a text among the values: one too many
  (TREE.replace("12:34:57", "\n acpi-index = 7 (0x7)\n"),
   {5: "e1000", 16383: "nic-a", 7: "virtio-net-device"}),
  # it does not tell of all, or nothing can be made of it
  ("", None), ("unknown command: 'info qtree'\r\n", None),
  ("\n".join(line for line in TREE.splitlines() if "acpi" not in line), None),
  (TREE.replace("0 (0x0)", "<null>"), None),
  (TREE.replace("16383 (0x3fff)", '"16383"'), None)])
def test_the_numbers_that_a_running_qemu_shows(text, found):
  assert acpi_index.shown(text) == found


def test_all_numbers_are_one_question():
  asked = []

  def execute(command, arguments):
    asked.append((command, arguments))
    return TREE

  assert acpi_indices.used(execute) == {5: "e1000", 16383: "nic-a"}
  assert asked == [("human-monitor-command", {"command-line": "info qtree"})]


@pytest.mark.parametrize("text", ["", None])
def test_a_qemu_that_shows_none_is_asked_for_each(text):
  devices = {"nic-a": 1, "disk-a": 0}

  def execute(command, arguments):
    if command == "human-monitor-command":
      if text is None:
        raise CommandError(command, "not found", "CommandNotFound")
      return text
    if command == "qom-list":
      return [{"name": name, "type": "child<x>"} for name in sorted(devices)
              if arguments["path"] == "/machine/peripheral"]
    return devices[arguments["path"].rpartition("/")[2]]

  assert acpi_indices.used(execute) == {1: "nic-a"}
  assert acpi_indices.of(execute, "nic-a") == 1


@pytest.mark.parametrize("text, tags", [
  ('{"instances": {"u": {"name": "vm1", "tags": ["a"]}}}', set(["a"])),
  ('{"instances": {"u": {"name": "vm1"}}}', set()),
  ('{"instances": {"u": {"name": "vm2", "tags": ["a"]}}}', None),
  ('{"instances": []}', None), ("no JSON", None), (None, None)])
def test_tags_are_those_of_the_configuration(tmpdir, monkeypatch, text, tags):
  path = tmpdir.join("config.data")
  if text is not None:
    path.write(text)
  host.configuration_at(monkeypatch, path)
  assert installation.instance_tags("vm1") == tags


def test_the_configuration_is_read_once_while_it_stays_the_same(tmpdir,
                                                                monkeypatch):
  path = tmpdir.join("config.data")
  path.write('{"instances": {"u": {"name": "vm1", "tags": ["a"]}}}')
  host.configuration_at(monkeypatch, path)
  whole = json.load
  read = []
  monkeypatch.setattr(json, "load", lambda one: read.append(1) or whole(one))
  for _ in range(3):
    assert installation.instance_tags("vm1") == set(["a"])
    assert installation.instance_tags("vm2") is None
  assert len(read) == 1
  # as Ganeti does it, and even within the same second
  new = tmpdir.join("new")
  new.write('{"instances": {"u": {"name": "vm1", "tags": ["b"]}}}')
  new.rename(path)
  assert installation.instance_tags("vm1") == set(["b"])
  assert len(read) == 2


NOW = ("NIC 0: no acpi-index now, 1 after the boot: the guest may call it"
       " eno1")


def plan(here, capsys, monkeypatch, loaded, tags, *options):
  monkeypatch.setattr(installation, "instance_tags", lambda name: tags)
  here.write(loaded.dump())
  status, out, err = run(capsys, "plan", *options)
  assert (status, err) == (0, "")
  return out


def test_the_plan_says_which_names_the_tag_gives(here, capsys, monkeypatch):
  tagged = set([acpi_index.TAG])
  assert NOW in plan(here, capsys, monkeypatch, load(), tagged)
  assert NOW in plan(here, capsys, monkeypatch, load(), set(), "--acpi-index")
  assert "acpi-index" not in plan(here, capsys, monkeypatch, load(), set())
  assert "acpi-index" not in plan(here, capsys, monkeypatch, load(), None)
  out = plan(here, capsys, monkeypatch, load(1, 2), set())
  assert ("NIC 1: acpi-index 2 now, no acpi-index after the boot: the guest"
          " names it after its slot") in out
  out = plan(here, capsys, monkeypatch, load(1, 2), None)
  assert "is not known here" in out and "NIC 0" not in out


def test_the_plan_for_q35_says_that_numbers_stay(here, capsys, monkeypatch):
  tagged = set([acpi_index.TAG])
  options = ("--machine", "q35")
  out = plan(here, capsys, monkeypatch, load(1, 2), tagged, *options)
  assert "NIC 1 keeps acpi-index 2: eno2, if the guest calls it so" in out
  assert NOW in plan(here, capsys, monkeypatch, load(), set(), *options)
  monkeypatch.setattr(qemu_version, "version", lambda _: (5, 2))
  out = plan(here, capsys, monkeypatch, load(), tagged, *options)
  assert "NICs get no acpi-index: QEMU 5.2 does not have it" in out


def test_the_plan_names_a_nic_without(here, capsys, monkeypatch):
  loaded = load(words=["-device", "e1000,acpi-index=2"])
  out = plan(here, capsys, monkeypatch, loaded, set([acpi_index.TAG]))
  assert NOW in out and "NIC 1 gets no acpi-index: it is borrowed, or" in out


def test_the_plan_says_that_kvm_extra_has_a_number(here, capsys, monkeypatch):
  loaded = load(words=["-device", "e1000,acpi-index=2"])
  loaded.hvparams["kvm_extra"] = "-device e1000,acpi-index=2"
  monkeypatch.setattr(installation, "instance_tags", lambda name: set())
  here.write(loaded.dump())
  status, out, _ = run(capsys, "plan", "--acpi-index")
  assert status == 0
  assert "NIC 1 gets no acpi-index: it is borrowed, or kvm_extra has" in out
