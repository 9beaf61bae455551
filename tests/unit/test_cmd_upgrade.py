"""The commands upgrade and downgrade."""

import collections
import errno
import json
import os
import stat

import pytest

import conftest
import genuine
import schema

try:
  import builtins
except ImportError: # Python 2
  import __builtin__ as builtins

from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci import time_limit
from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.node import replacement
from ganeti_kvm_pci.node import runtime_files
from ganeti_kvm_pci.qemu import renewal
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import upgrade

OLD = "v2.12.6-plain"


def run(capsys, *arguments):
  """Run the command; return its exit status, output and complaints."""
  status = entry.main(list(arguments))
  out, err = capsys.readouterr()
  return (status, out, err)


def run_json(capsys, *arguments):
  status, out, err = run(capsys, *(arguments + ("--json", )))
  assert err == ""
  document = schema.read(out)
  assert document["status"] == status
  return (status, document["instances"])


def inodes(here):
  """Tell all by which a file that was written to can be known."""
  found = dict((name, os.lstat(str(here.conf.join(name))))
               for name in here.names())
  return dict((name, (status.st_ino, status.st_mtime, status.st_ctime,
                      status.st_size)) for name, status in found.items())


def normalised(name, version=(3, 0)):
  loaded = genuine.load(name)
  upgrade.normalise(loaded, version)
  loaded.command[:] = renewal.renew(loaded.command, conftest.QEMU)[0]
  return loaded.dump()


def test_upgrade_takes_all_of_the_node(here, capsys):
  paths = [here.add(name) for name in (
    "v2.9.6-rng", OLD, "v2.15.2-hdaspice+hotplug", "v3.0.2-spice")]
  for path in paths:
    path.chmod(0o600)
  status, out, err = run(capsys, "upgrade")
  assert (status, err) == (0, "")
  assert [path.read() for path in paths[:3]] == [
    normalised(name) for name in ("v2.9.6-rng", OLD,
                                  "v2.15.2-hdaspice+hotplug")]
  assert paths[3].read() == genuine.text_of("v3.0.2-spice")
  assert here.names() == sorted(path.basename for path in paths)
  assert here.backups() == sorted(
    path.basename + ".backup" for path in paths[:3])
  assert stat.S_IMODE(os.stat(str(paths[0])).st_mode) == 0o600
  for line in ("plain.ex: written", "spice.ex: nothing to do",
               "  disk 0 (hotdisk-0000d150-pci-4): pci 4 to hvinfo",
               "  parameter disk_discard=default", "  -balloon to -device",
               "  before: %s" % here.backup()):
    assert line in out.splitlines()


def test_a_second_time_nothing_is_changed(here, capsys):
  for name in genuine.NAMES[::11]:
    here.write(genuine.text_of(name), name)
  here.version = (3, 1)
  assert run(capsys, "upgrade")[0] == 0
  before = inodes(here)
  status, found = run_json(capsys, "upgrade")
  assert status == 0 and len(found) == len(genuine.NAMES[::11])
  assert not any(f["changed"] or f["changes"] or f["backup"] for f in found)
  assert inodes(here) == before


@pytest.mark.parametrize("version", [(3, 0), (3, 1)])
def test_every_genuine_file_is_upgraded(here, capsys, monkeypatch, version):
  here.version = version
  paths = [here.write(genuine.text_of(name), name, runs=False)
           for name in genuine.NAMES]
  # files elsewhere are taken as they are
  monkeypatch.setattr(runtime_files, "control_dir", lambda name: "/nonexistent")
  status, found = run_json(capsys, "upgrade", "--qemu", "7.2",
                           *[str(path) for path in paths])
  assert status == 0 and len(found) == 90
  for name, path, result in zip(genuine.NAMES, paths, found):
    assert path.read() == (normalised(name, version) if result["changed"]
                           else genuine.text_of(name))
    assert (result["backup"] is not None) == result["changed"]


def test_json_says_the_same(here, capsys):
  path = here.add(OLD)
  status, found = run_json(capsys, "upgrade")
  assert status == 0
  assert found[0]["status"] == 0 and found[0]["remarks"] == []
  assert found[0]["file"] == str(path) and found[0]["changed"] is True
  assert found[0]["instance"] == "plain.ex" and found[0]["error"] is None
  assert found[0]["backup"] == str(here.backup())
  assert "-balloon to -device" in found[0]["changes"]


def test_a_dry_run_writes_nothing(here, capsys):
  path = here.add(OLD)
  status, out, _ = run(capsys, "upgrade", "--dry-run", "--backup-dir",
                       str(here.conf.join("backups")))
  assert status == 0 and "plain.ex: would be written\n" in out
  assert "-balloon to -device" in out
  assert path.read() == genuine.text_of(OLD)
  assert os.stat(str(path)).st_mtime == 1000
  assert here.names() == ["plain.ex.runtime"]


def test_a_guest_that_does_not_run_is_left_alone(here, capsys):
  path = here.add(OLD, runs=False)
  assert run(capsys, "upgrade") == (
    0, "plain.ex: not running: its next start writes the file anew\n", "")
  assert os.stat(str(path)).st_mtime == 1000
  assert here.names() == ["plain.ex.runtime"]


def test_a_backup_folder_holds_all_backups(here, tmpdir, capsys, monkeypatch):
  here.add(OLD)
  here.add("v2.10.2-rng")
  synced = []
  monkeypatch.setattr(replacement, "sync", synced.extend)
  folder = tmpdir.join("backups")
  assert run(capsys, "upgrade", "--backup-dir", str(folder))[0] == 0
  assert folder.join("plain.ex.runtime.backup").read() == genuine.text_of(OLD)
  assert here.names() == ["plain.ex.runtime", "rng.ex.runtime"]
  assert set(synced) >= set([str(folder), str(here.conf)])


def test_only_those_named_are_upgraded(here, capsys):
  here.add(OLD)
  other = here.add("v2.10.2-rng")
  assert run(capsys, "upgrade", "plain")[0] == 0
  assert here.names() == ["plain.ex.runtime", "rng.ex.runtime"]
  assert here.backups() == ["plain.ex.runtime.backup"]
  assert run(capsys, "upgrade", str(other))[0] == 0
  assert other.read() == normalised("v2.10.2-rng")
  assert run(capsys, "upgrade", "nobody")[0] == 2


def test_what_cannot_be_read_wholly_is_left_byte_for_byte(here, capsys):
  data = json.loads(genuine.text_of(OLD))
  data[1][0]["vl\nan"] = 5
  text = json.dumps(data, indent=1)
  path = here.write(text)
  status, out, err = run(capsys, "upgrade")
  assert (status, out) == (2, "")
  assert err.count("\n") == 1 and "vl\\nan of nic 0" in err and str(path) in err
  assert path.read() == text and os.stat(str(path)).st_mtime == 1000


BAD = {
  "empty": b"", "cut": genuine.text_of(OLD)[:1000].encode("ascii"),
  "words": b"no JSON", "latin": b'["\xe9"]', "shape": b'{"a": 1}',
  "zeros": b"\0" * 5000, "twice": b'[["kvm"], [], {"a": 1, "a": 2}, []]',
  "nan": b'[["kvm"], [], {"a": NaN}, []]',
  "huge": b'[["kvm"], [], {"a": 1e999}, []]',
  "slot": b'[["kvm"], [{"pci": 32}], {}, []]',
  "one slot": b'[["kvm"], [{"pci": 9, "uuid": "a"}, {"pci": 9, "uuid": "b"}],'
              b' {}, []]',
  }


@pytest.mark.parametrize("command", ["upgrade", "downgrade", "plan", "check"])
def test_bad_files_are_one_clear_error_each_and_untouched(here, capsys,
                                                          command):
  good = here.add("v3.0.2-plain")
  os.utime(str(good), (1000, 1000))
  for name, content in BAD.items():
    here.conf.join(name + ".runtime").write_binary(content)
    os.utime(str(here.conf.join(name + ".runtime")), (1000, 1000))
  big = here.conf.join("big.runtime")
  with open(str(big), "w") as stream:
    stream.truncate(100 << 20)
  here.conf.mkdir("folder.runtime")
  os.mkfifo(str(here.conf.join("pipe.runtime")))
  here.conf.join("link.runtime").mksymlinkto(good)
  before = inodes(here)
  status, out, err = run(capsys, command, *(
    ["--dry-run"] if command == "downgrade" else []))
  assert status == 2 and "plain.ex" in out
  lines = err.splitlines()
  for name in list(BAD) + ["big", "folder", "pipe", "link"]:
    assert len([line for line in lines if "/%s.runtime" % name in line]) == 1
  assert len(lines) == len(BAD) + 4
  assert inodes(here) == before
  for name, content in BAD.items():
    assert here.conf.join(name + ".runtime").read_binary() == content


def test_a_file_that_is_cut_anywhere_is_never_written(here, capsys):
  text = genuine.text_of(OLD)
  path = here.conf.join("x.ex.runtime")
  for length in range(0, len(text) - 1, 97):
    path.write(text[:length])
    assert run(capsys, "upgrade", str(path))[0] == 2
    assert path.read() == text[:length]
  assert here.names() == ["x.ex.runtime"]


def test_names_in_other_letters_are_no_trouble(here, capsys):
  data = json.loads(genuine.text_of(OLD))
  data[0][2] = u"\u00fcber.ex"
  here.write(json.dumps(data))
  status, _, err = run(capsys, "upgrade")
  assert (status, err) == (0, "")
  data[3][1][0]["pci"] = data[3][0][0]["pci"]
  here.write(json.dumps(data))
  status, _, err = run(capsys, "upgrade")
  assert status == 2 and err.count("\n") == 1
  assert run_json(capsys, "upgrade")[0] == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_is_one_clear_error_for_each(here, capsys, monkeypatch,
                                                 number):
  def fail(_):
    raise OSError(number, os.strerror(number))
  paths = [here.add(OLD), here.add("v2.10.2-rng")]
  monkeypatch.setattr(os, "fsync", fail)
  status, _, err = run(capsys, "upgrade")
  assert status == 2 and len(err.splitlines()) == 2
  assert all(os.strerror(number) in line for line in err.splitlines())
  assert [path.read() for path in paths] == [
    genuine.text_of(name) for name in (OLD, "v2.10.2-rng")]
  assert here.names() == ["plain.ex.runtime", "rng.ex.runtime"]


def test_what_the_node_daemon_writes_meanwhile_wins(here, capsys, monkeypatch):
  path = here.add(OLD)
  genuine_read = runtime_files.read

  def read(name):
    seen = genuine_read(name)
    path.remove()
    path.write("the daemon's")
    return seen
  monkeypatch.setattr(runtime_files, "read", read)
  status, _, err = run(capsys, "upgrade")
  assert status == 2 and "changed meanwhile" in err
  assert path.read() == "the daemon's"
  assert here.names() == ["plain.ex.runtime"]


def test_a_folder_that_cannot_be_synced_is_reported(here, capsys, monkeypatch):
  here.add(OLD)
  genuine_fsync = os.fsync

  def fsync(fd):
    if stat.S_ISDIR(os.fstat(fd).st_mode):
      raise OSError(errno.EIO, "Input/output error")
    genuine_fsync(fd)
  monkeypatch.setattr(os, "fsync", fsync)
  status, out, err = run(capsys, "upgrade")
  assert status == 2 and "cannot be brought to the disk" in err
  assert out.startswith("plain.ex: written\n")
  here.add("v2.10.2-rng")
  status = entry.main(["upgrade", "--json"])
  document = schema.read(capsys.readouterr()[0])
  assert status == 2 and len(document["instances"]) == 2
  assert "cannot be brought to the disk" in document["error"]


def test_an_older_ganeti_does_not_get_newer_places(here, capsys):
  path = here.add("v3.0.2-plain")
  here.version = (2, 15)
  status, _, err = run(capsys, "upgrade")
  assert status == 2 and "ganeti-kvm-pci downgrade" in err
  assert os.stat(str(path)).st_mtime == 1000


def test_downgrade_writes_what_older_ganetis_read(here, capsys):
  path = here.add("v3.0.2-plain")
  before = device_table.parse(path.read(), "f")
  status, found = run_json(capsys, "downgrade", "--to", "2.15")
  # QEMU's ids are not those that 2.10 to 2.15 will look for
  assert status == 1 and len(found[0]["warnings"]) == 4
  data = json.loads(path.read())
  assert [nic["pci"] for nic in data[1]] == [14, 15]
  assert genuine.slots(device_table.parse(path.read(), "f")) == \
    genuine.slots(before)
  assert here.backup().read() == genuine.text_of("v3.0.2-plain")
  here.version = (2, 15)
  assert run(capsys, "upgrade")[0] == 0
  status, out, _ = run(capsys, "downgrade")
  assert (status, out) == (0, "plain.ex: nothing to do\n")


def test_upgrade_and_downgrade_lead_back(here, capsys):
  path = here.add(OLD)
  assert run(capsys, "upgrade")[0] == 0
  status, out, _ = run(capsys, "downgrade", "--to", "2.12")
  assert status == 0 and "disk 0: hvinfo to pci 4" in out
  before, after = json.loads(genuine.text_of(OLD)), json.loads(path.read())
  assert (after[1], after[3]) == (before[1], before[3])
  assert here.backup().read() == genuine.text_of(OLD)
  assert device_table.parse(here.backup(number=1).read(), "f").held()


def test_downgrade_says_where_it_is_impossible(here, capsys):
  path = here.add("v3.0.2-scsihd")
  here.version = (2, 16)
  status, out, err = run(capsys, "downgrade")
  assert (status, out) == (2, "")
  assert "disk 0 (scsi-hd on scsi.0) cannot be had before Ganeti 2.16" in err
  assert os.stat(str(path)).st_mtime == 1000


def test_without_a_ganeti_the_version_must_be_named(here, capsys, no_ganeti):
  path = here.add(OLD)
  for command in ("upgrade", "downgrade"):
    status, out, err = run(capsys, command)
    assert (status, out) == (2, "") and "no Ganeti in this test" in err
  assert os.stat(str(path)).st_mtime == 1000
  assert run(capsys, "upgrade", "--to", "3.1")[0] == 2
  assert os.stat(str(path)).st_mtime == 1000
  assert run(capsys, "upgrade", "--to", "3.1", str(path))[0] == 0
  assert path.read() == normalised(OLD, (3, 1))


@pytest.mark.parametrize("word", ["3", "2.9", "3.3", "x", "3.0.2", ""])
def test_a_version_that_is_none_is_one_clear_error(here, capsys, word):
  path = here.add(OLD)
  status, out, err = run(capsys, "upgrade", "--to", word)
  if word:
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert "is not a supported Ganeti version" in err
    assert os.stat(str(path)).st_mtime == 1000


def test_downgrade_is_to_the_release_before_this_nodes(here, capsys):
  path = here.add("v3.0.2-plain")
  status, out, _ = run(capsys, "downgrade")
  assert (status, out) == (0, "plain.ex: nothing to do\n")
  here.version = (2, 16)
  assert run(capsys, "downgrade")[0] == 1
  assert "pci" in json.loads(path.read())[1][0]


def test_a_guest_that_is_being_hotplugged_is_waited_for(here, capsys,
                                                        monkeypatch):
  path = here.add(OLD)
  monkeypatch.setattr(time_limit, "patience", lambda: 0.05)
  with instance_lock.held(instance_lock.path_for(str(path))):
    status, _, err = run(capsys, "upgrade")
    assert status == 2 and "another operation" in err
    assert os.stat(str(path)).st_mtime == 1000
  assert run(capsys, "upgrade")[0] == 0


def test_a_warning_is_shown_as_one(here, capsys):
  here.add("v3.0.2-plain")
  status, out, err = run(capsys, "downgrade", "--to", "2.10", "--dry-run")
  assert status == 1 and err == ""
  assert len([line for line in out.splitlines()
              if line.startswith("  warning: ")]) == 4


@pytest.mark.parametrize("count", [3, 30])
def test_no_folder_is_listed_for_each_file(here, capsys, monkeypatch, count):
  """With many files, that would take longer than all else."""
  text = genuine.text_of(OLD)
  for number in range(count):
    here.write(text.replace("plain.ex", "vm%d.ex" % number),
               "vm%d.ex" % number)
  left = here.conf.join(".vm1.ex.runtime.abc_1234.kvm-pci")
  left.write("{")
  listed = []
  genuine_listdir = os.listdir
  monkeypatch.setattr(os, "listdir", lambda *folder: listed.append(folder) or
                      genuine_listdir(*folder))
  status, entries = run_json(capsys, "upgrade")
  assert status == 0 and [found["changed"] for found in entries] == \
    [True] * count
  assert len(listed) <= 3
  # what a killed process left is removed all the same
  assert not left.check()


#: What asks the system for something.
SYSTEM = ["open", "stat", "lstat", "fstat", "listdir", "fdopen", "dup", "read",
          "write", "link", "rename", "unlink", "fsync", "fchmod", "fchown"]


def calls(monkeypatch, module, names):
  """Count calls of functions; returns a dict that is filled by them."""
  counted = collections.Counter()

  def count(name, function):
    def call(*args, **kwargs):
      counted[name] += 1
      return function(*args, **kwargs)
    return call
  for name in names:
    monkeypatch.setattr(module, name, count(name, getattr(module, name)))
  return counted


def test_what_one_more_file_asks_the_system_for(here, capsys, monkeypatch):
  # the first makes the folder of the locks
  found = []
  for names in (["vm0.ex"], ["vm1.ex"], ["vm2.ex", "vm3.ex", "vm4.ex"]):
    for name in names:
      here.write(genuine.text_of(OLD).replace("plain.ex", name), name)
    with monkeypatch.context() as patch:
      counted = calls(patch, os, SYSTEM)
      opened = calls(patch, builtins, ["open"])
      assert run(capsys, "upgrade", *names)[0] == 0
    found.append((counted, opened["open"]))
  (before, opened_before), (after, opened_after) = found[1:]
  more = dict((name, (after[name] - before[name]) / 2) for name in SYSTEM)
  assert opened_after == opened_before
  # its process' number and command, the lock, the file, the one beside it
  assert more["open"] == 5
  # each of the first three is a whole at its end only
  assert more["read"] == 6
  # twice whether the file was changed; whether the lock is still there, when it
  # is taken and given back; the same of the file beside; and by its name here
  assert more["lstat"] == 7
  # the number, the file; the lock, twice; the file beside, twice
  assert more["fstat"] == 6
  for name in ("write", "link", "rename", "unlink", "fsync", "fchmod"):
    assert more[name] == 1, name
  for name in ("stat", "listdir", "fdopen", "dup", "fchown"):
    assert more[name] == 0, name


def test_a_command_is_looked_through_once_for_removed_options(
    here, capsys, monkeypatch):
  here.version = (3, 0)
  here.add("v3.0.2-spice")
  counted = calls(monkeypatch, renewal, ["_options"])
  assert run(capsys, "upgrade")[0] == 0
  assert counted["_options"] == 1
