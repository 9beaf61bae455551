"""What plan and map say of tags by which devices keep their slots."""

from ganeti_kvm_pci.node import installation
from test_cmd_upgrade import run
from test_cmd_upgrade import run_json

OLD = set(["kvm-pci:disk:0000d150:4", "kvm-pci:disk:0000d151:5",
           "kvm-pci:nic:000041c0:6", "kvm-pci:nic:000041c1:7"])


def tags(monkeypatch, found):
  monkeypatch.setattr(installation, "instance_tags", lambda _: found)


def moved(entry):
  return [(m["class"], m["index"], m["new"]) for m in entry["moves"]
          if m["index"] is not None]


def test_a_frozen_instance_moves_nothing(here, capsys, monkeypatch):
  here.add("v2.10.8-plain")
  assert len(moved(run_json(capsys, "plan")[1][0])) == 4
  tags(monkeypatch, OLD)
  (entry, ) = run_json(capsys, "plan", "--reservations", "12")[1]
  assert (moved(entry), entry["remarks"]) == ([], [])


def test_it_can_be_planned_without_tags(here, capsys):
  here.add("v2.10.8-plain")
  (entry, ) = run_json(capsys, "plan", "--frozen")[1]
  assert (moved(entry), entry["remarks"]) == ([], [])


def test_where_the_tags_are_not_known_the_plan_says_so(here, capsys,
                                                       monkeypatch):
  here.add("v2.10.8-plain")
  tags(monkeypatch, None)
  (entry, ) = run_json(capsys, "plan")[1]
  assert "only master candidates" in entry["remarks"][-1]
  assert run_json(capsys, "plan", "--frozen")[1][0]["remarks"] == []


def test_a_tag_that_means_nothing_is_named(here, capsys, monkeypatch):
  here.add("v2.10.8-plain")
  tags(monkeypatch, set(["kvm-pci:disk:0000d150:32"]) | OLD -
       set(["kvm-pci:disk:0000d150:4"]))
  status, out, _ = run(capsys, "plan")
  assert status == 0
  assert ("  disk 0 (0000d150) does not get slot 32 of its tag"
          " kvm-pci:disk:0000d150:32: the guest has no such slot; run"
          " ganeti-kvm-pci freeze plain.ex") in out
  assert "disk 0 (hotdisk-0000d150-pci-4): slot 4 -> slot" in out


def test_a_tag_of_nobody_is_named(here, capsys, monkeypatch):
  here.add("v2.10.8-plain")
  tags(monkeypatch, OLD | set(["kvm-pci:disk:0badcafe:9",
                               "kvm-pci:nic:0000d150:10"]))
  (entry, ) = run_json(capsys, "plan")[1]
  assert (moved(entry), entry["status"]) == ([], 0)
  # the uuid of a disk is none of a NIC
  assert entry["remarks"] == [
    "the tag %s is of no device of the instance, and keeps slot %d free as long as"
    " possible" % tag for tag in (("kvm-pci:disk:0badcafe:9", 9),
                                  ("kvm-pci:nic:0000d150:10", 10))]


def test_on_q35_tags_of_pci_0_mean_nothing(here, capsys, monkeypatch):
  here.add("v3.0.2-plain")
  tags(monkeypatch, set(["kvm-pci:nic:000041c0:14", "kvm-pci:nic:000041c1:rp9"]))
  (entry, ) = run_json(capsys, "plan", "--machine", "q35")[1]
  assert ("nic", 1, 9) in moved(entry)
  assert [text for text in entry["remarks"] if "of its tag" in text][0] \
    .startswith("NIC 0 (000041c0) does not get slot 14 of its tag"
                " kvm-pci:nic:000041c0:14: the guest's devices have a port")


def test_the_map_says_of_what_is_frozen_elsewhere(here, capsys, monkeypatch):
  here.add("v2.10.8-plain")
  tags(monkeypatch, OLD | set(["kvm-pci:nic:000041c1:7"]))
  assert "!" not in run(capsys, "map")[1]
  tags(monkeypatch, set(["kvm-pci:disk:0000d150:9", "kvm-pci:nic:000041c0:rp3"]))
  (entry, ) = run_json(capsys, "map")[1]
  assert [(d["class"], d["index"], d["remark"]) for d in entry["devices"]
          if d["remark"]] == [
            ("disk", 0, "by its tag it is to move to slot 9 at the next cold"
             " boot")]


def test_the_map_has_the_tag_of_each_device(here, capsys):
  here.add("v2.10.8-plain")
  here.add("v3.0.2-scsihd")
  plain, scsi = run_json(capsys, "map")[1]
  assert set(d["tag"] for d in plain["devices"] if d["tag"]) == OLD
  assert [d["tag"] for d in scsi["devices"] if d["class"] == "disk"] == [
    "kvm-pci:disk:0000d150:scsi0", "kvm-pci:disk:0000d151:scsi1"]
