"""Runtime files with options that QEMU has removed, in the commands."""

import json
import os

import pytest

import conftest
import genuine
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized
from test_cmd_upgrade import run
from test_cmd_upgrade import run_json

OLD = os.path.join(genuine.DATA, "removed", "v2.12.6-old.runtime")

CARD = ["-audiodev", "none,id=soundhw", "-device", "intel-hda", "-device",
        "hda-duplex,audiodev=soundhw"]


def text():
  with open(OLD) as stream:
    return stream.read()


@pytest.mark.parametrize("version", ["7.2", "10.0"])
def test_an_old_file_is_written_for_a_newer_qemu(here, capsys, version):
  path = here.write(text(), "old.ex")
  before = device_table.parse(text(), "f")
  status, found = run_json(capsys, "upgrade", "--qemu", version)
  result, = found
  # of these, the guest would notice
  assert status == 1 and result["changed"] is True
  assert [warning.split(":")[0] for warning in result["warnings"]] == [
    "-usbdevice host", "machine type pc-i440fx-2.1"]
  words = serialized.parse(path.read(), "f").words
  at = words.index("-device")
  assert words[at - 2:at + 4] == CARD and words[at + 4] == "-device"
  assert words[at + 5].startswith("virtio-balloon,id=balloon")
  assert words.count("-machine") == 2 and "acpi=off" in words
  assert ("-chroot" in words) == (version == "7.2")
  assert ("-run-with" in words) == (version == "10.0")
  assert "file=/srv/images/floppy,format=raw,media=disk,if=floppy" in words
  assert not set(["-soundhw", "-no-acpi", "-localtime", "-no-quit",
                  "-balloon"]) & set(words)
  # what has a slot of its own has it still
  after = device_table.parse(path.read(), "f")
  assert [d[:4] for d in after.devices] == [d[:4] for d in before.devices]
  status, found = run_json(capsys, "upgrade", "--qemu", version)
  assert status == 1 and found[0]["changed"] is False


def test_this_nodes_qemu_counts_where_none_is_named(here, capsys):
  here.write(text(), "old.ex")
  assert run(capsys, "upgrade", "--dry-run")[1] == \
    run(capsys, "upgrade", "--dry-run", "--qemu", "%d.%d" % conftest.QEMU)[1]


def test_a_file_elsewhere_names_no_qemu(here, capsys, monkeypatch, tmpdir):
  path = tmpdir.join("old.ex.runtime")
  path.write(text())
  status, out, _ = run(capsys, "upgrade", str(path))
  assert status == 1
  words = serialized.parse(path.read(), "f").words
  assert "-soundhw" in words and "-no-acpi" in words
  assert "-localtime" not in words
  assert "left as it is, because no QEMU is known that is to understand it" \
    " (see --qemu): -soundhw hda, -no-acpi, " in out


@pytest.mark.parametrize("version", ["seven", "7", ""])
def test_what_is_no_version_is_wrong_usage(here, capsys, version):
  with pytest.raises(SystemExit) as caught:
    run(capsys, "upgrade", "--qemu", version)
  assert caught.value.code == 2


def findings(capsys, *arguments):
  found = run_json(capsys, "check", *arguments)[1][0]
  return dict((f["text"].split(":")[0], f["severity"])
              for f in found["findings"] if "start with it" in f["text"])


@pytest.mark.parametrize("version", ["5.2", "7.2", "10.0"])
def test_check_tells_what_a_target_would_not_start(here, capsys, version):
  here.write(text(), "old.ex")
  names = ["-chroot /var/run/ganeti/kvm-hypervisor/chroot/old.ex",
           "-soundhw hda", "-no-acpi", "machine type pc-i440fx-2.1",
           "-no-quit", "-usbdevice host"]
  found = findings(capsys, "--qemu", version)
  drive = [name for name in found if name.startswith("-drive ")]
  assert sorted(found) == sorted(names + drive) and len(drive) == 1
  limits = {"-chroot": (9, 0), "-soundhw": (7, 1), "-no-acpi": (9, 0),
            "machine": (10, 0), "-no-quit": (7, 0), "-usbdevice": (5, 2),
            "-drive": (5, 2)}
  asked = tuple(int(part) for part in version.split("."))
  for name, severity in found.items():
    gone = limits[name.split()[0]]
    assert severity == ("warning" if asked >= gone else "info"), name


def test_without_a_version_it_is_not_told(here, capsys):
  here.write(text(), "old.ex")
  assert findings(capsys) == {}


def test_with_live_it_is_this_nodes(here, capsys):
  data = json.loads(text())
  # left to unmodified Ganeti: QEMU, which is not there, is not asked
  data[0] += ["-machine", "q35"]
  here.write(json.dumps(data), "old.ex")
  found = findings(capsys, "--live")
  assert found["-soundhw hda"] == "warning" and found["-no-acpi"] == "info"
  here.version = (3, 1)
  assert not any(name.startswith("-chroot") for name in
                 findings(capsys, "--live"))


def test_what_an_older_ganeti_reads_is_confined_still(here, capsys):
  here.write(text(), "old.ex")
  run(capsys, "upgrade", "--qemu", "10.0")
  status, found = run_json(capsys, "downgrade", "--to", "2.15")
  assert not any("confined" in warning for warning in found[0]["warnings"])
