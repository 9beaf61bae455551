"""What plan --machine says: from one machine type to another."""

import json

import genuine
from test_cmd_upgrade import run
from test_cmd_upgrade import run_json


def test_the_plan_for_q35_has_every_device_on_a_port(here, capsys):
  here.add("v3.0.2-plain")
  status, out, err = run(capsys, "plan", "--machine", "q35")
  assert (status, err) == (0, "")
  lines = out.splitlines()
  assert lines[0] == ("plain.ex: 4 devices will move (NICs rp3-rp10, disks"
                      " rp11-rp26)")
  assert "Windows takes them for new devices" in out and "eno1" in out
  assert [line.rpartition(": ")[2] for line in lines[-4:]] == [
    "slot 12 -> port rp11", "slot 13 -> port rp12", "slot 14 -> port rp3",
    "slot 15 -> port rp4"]


def test_equal_numbers_are_no_equal_places(here, capsys):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[3][0][0]["hvinfo"]["addr"] = "0xb"
  here.write(json.dumps(data))
  found = run_json(capsys, "plan", "--machine", "pc-q35-7.2")[1][0]
  move = [m for m in found["moves"] if m["class"] == "disk"][0]
  assert (move["old_unit"], move["old"], move["unit"], move["new"]) == \
    ("slot", 11, "port", 11)
  assert found["partition"] == {"unit": "port", "qemu": None,
                                "disks": [11, 26], "nics": [3, 10]}


def test_reservations_mean_nothing_to_q35(here, capsys):
  here.add("v3.0.2-plain")
  out = run(capsys, "plan", "--machine", "q35", "--reservations", "20")[1]
  assert "kvm_pci_reservations means nothing to a q35 guest" in out
  assert "slot 12 -> port rp11" in out


def test_the_same_machine_type_says_nothing_of_it(here, capsys):
  here.add("v3.0.2-plain")
  assert run(capsys, "plan", "--machine", "pc")[1] == run(capsys, "plan")[1]


def test_what_has_no_partition_is_left_alone(here, capsys):
  here.add("v3.0.2-plain")
  out = run(capsys, "plan", "--machine", "isapc")[1]
  assert "left to unmodified Ganeti: its machine type (isapc) is neither" in out


def test_before_2_16_no_port_can_be_named(here, capsys):
  here.version = (2, 15)
  here.add("v2.15.2-plain")
  out = run(capsys, "plan", "--machine", "q35")[1]
  assert "a cold boot by Ganeti 2.16 or later adds them" in out


def test_a_name_of_ganetis_in_kvm_extra_is_said_beforehand(here, capsys):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  option = "pcie-root-port,id=mine,chassis=5,bus=pci.0"
  data[0] += ["-device", option]
  data[2]["kvm_extra"] = "-device " + option
  here.write(json.dumps(data))
  status, found = run_json(capsys, "plan", "--machine", "q35")
  assert status == 1
  assert found[0]["error"].startswith("would not start: mine: a device of"
                                      " kvm_extra has chassis=5")
  assert run(capsys, "plan")[0] == 0


def plan_with(here, capsys, extra, name="q35"):
  """Plan for an instance with this kvm_extra."""
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[0] += extra.split()
  data[2]["kvm_extra"] = extra
  here.write(json.dumps(data))
  return run_json(capsys, "plan", "--machine", name)[1][0]


def test_the_type_that_kvm_extra_names_counts(here, capsys):
  for extra, name, unit, times in (
      ("-machine pc,accel=tcg", "q35", "slot", 1), ("-M q35", "pc", "port", 1),
      ("-machine accel=tcg", "q35", "port", 0)):
    found = plan_with(here, capsys, extra, name)
    assert found["partition"]["unit"] == unit
    said = [text for text in found["remarks"] if "kvm_extra names" in text]
    assert len(said) == times


def test_a_bus_that_q35_lacks_is_said_beforehand(here, capsys):
  for bus in ("pci.0", "/i440FX-pcihost/pci.0"):
    found = plan_with(here, capsys, "-device virtio-rng-pci,id=r,bus=%s" % bus)
    assert found["error"].startswith("would not start: QEMU has no bus pci.0"
                                     " for r: ")
  assert plan_with(here, capsys, "-device virtio-rng-pci,bus=pcie.0")[
    "error"] is None


def test_who_has_a_bus_of_that_name_keeps_it(here, capsys):
  found = plan_with(here, capsys, "-device pcie-pci-bridge,id=pci.0"
                    " -device virtio-rng-pci,bus=pci.0")
  assert found["remarks"] == ["left to unmodified Ganeti: its bus pci.0 is a"
                              " device of kvm_extra"]
  assert found["error"] is None and found["moves"] == []


def test_too_many_ide_disks_are_said_beforehand(here, capsys):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[2]["disk_type"] = "ide"
  data[0] += ["-drive", "file=/cd.iso,if=ide,media=cdrom"]
  disk = data[3][0]
  for entry in data[3]:
    entry[0]["hvinfo"] = {}
  for number in range(2, 6):
    more = json.loads(json.dumps(disk))
    more[0]["uuid"] = more[0]["uuid"][:-1] + str(number)
    data[3].append(more)
  here.write(json.dumps(data))
  found = run_json(capsys, "plan", "--machine", "q35")[1][0]
  assert found["error"].startswith("would not start: no IDE unit is left for"
                                   " disk 5: a q35 guest has 6")
  assert run_json(capsys, "plan")[1][0]["error"] is None
  data[3].pop()
  here.write(json.dumps(data))
  assert run_json(capsys, "plan", "--machine", "q35")[1][0]["error"] is None
