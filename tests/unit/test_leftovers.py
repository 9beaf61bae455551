"""What is kept for an instance, what is half-written, and when it goes."""

import fcntl
import os
import subprocess
import sys

import pytest

import genuine
import schema
from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci import leftovers
from ganeti_kvm_pci import temporary
from ganeti_kvm_pci.cli import entry as entry_
from ganeti_kvm_pci.errors import NodeError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))

#: What there may be of an instance whose QEMU runs.
KEPT = ["vm1.ex.runtime" + suffix for suffix in (
  ".vacated", ".arriving", ".pending", ".backup", ".backup.1", ".backup.23")]

#: What killed processes leave: in the folder of the runtime files, and in the
#: plugin's own.
HALF = [".vm1.ex.runtime.abc123_x.kvm-pci", ".vm1.ex.runtime.aB3_x9"]
OWN_HALF = [".vm1.ex.runtime.backup.abc123_x.kvm-pci",
            ".vm1.ex.runtime.pending.abc123_x.kvm-pci",
            "vm1.ex.runtime.arrivingabc123_x.new"]
GANETIS = ["vm1.ex.runtimeabc123_x.new", "vm1.ex.runtimeaB3_x9.new"]

#: What is somebody else's.
OTHERS = [
  "vm1.ex.runtime", "vm1.runtime", "vm11.ex.runtime", "vm1.ex.runtime.swp",
  ".vm1.ex.runtime.swp", ".vm1.ex.runtime.backup", ".vm1.ex.runtime.original",
  ".vm1.ex.runtime.ORIGINAL", ".vm1.ex.runtime.20261126", ".vm1.ex.runtime.swpx", ".vm11.ex.runtime.abc123_x",
  "xvm1.ex.runtimeabc123_x.new", "vm1.ex.runtime.abc123_x",
  "vm1_ex.runtimeabc123_x.new"]
OWN_OTHERS = [
  "vm11.ex.runtime.vacated", "...runtime.lock", "..runtime.backup", "vm1.ex.runtime.backup.x", "vm1.ex.runtime.x",
  "vm1.ex.runtime.backup.runtime.backup", "notes", "ex.runtime.arriving"]


class Folders(object):
  """Of a node's runtime files, and of the plugin."""

  def __init__(self, tmpdir):
    self.conf = tmpdir.ensure("conf", dir=True)
    self.own = tmpdir.ensure("kvm-pci", dir=True)
    self.path = str(self.conf.join("vm1.ex.runtime"))

  def fill(self):
    for folder, names in ((self.conf, HALF + GANETIS + OTHERS),
                          (self.own, KEPT + OWN_HALF + OWN_OTHERS)):
      for name in names:
        folder.join(name).write("x")

  def names(self):
    return tuple(sorted(entry.basename for entry in folder.listdir())
                 for folder in (self.conf, self.own))


@pytest.fixture
def folders(tmpdir):
  return Folders(tmpdir)


def test_while_it_runs_half_written_files_go_and_nothing_else(folders):
  folders.fill()
  found = leftovers.half_written(folders.path)
  assert sorted(map(os.path.basename, found)) == sorted(HALF + OWN_HALF[:2])
  removed = leftovers.sweep(folders.path, False)
  assert sorted(map(os.path.basename, removed)) == sorted(HALF + OWN_HALF)
  assert folders.names() == (sorted(GANETIS + OTHERS),
                             sorted(KEPT + OWN_OTHERS))
  assert leftovers.sweep(folders.path, False) == []
  removed = leftovers.sweep(folders.path, True)
  assert sorted(map(os.path.basename, removed)) == sorted(GANETIS)
  assert folders.names() == (sorted(OTHERS), sorted(KEPT + OWN_OTHERS))


def test_once_it_has_ended_nothing_of_it_stays(folders):
  folders.fill()
  assert len(leftovers.kept(folders.path)) == len(KEPT + HALF + OWN_HALF)
  removed = leftovers.clear(folders.path, True)
  assert sorted(map(os.path.basename, removed)) == sorted(
    KEPT + HALF + OWN_HALF + GANETIS)
  assert folders.names() == (sorted(OTHERS), sorted(OWN_OTHERS))
  assert leftovers.clear(folders.path, True) == []
  assert leftovers.kept(folders.path) == []


def test_where_nothing_is_nothing_is_made(tmpdir):
  path = str(tmpdir.join("conf", "vm1.ex.runtime"))
  assert leftovers.clear(path, True) == leftovers.kept(path) == []
  assert leftovers.instances(path) == []
  assert tmpdir.listdir() == []


def test_what_is_needed_at_the_last_moment_stays(folders):
  folders.fill()
  before = folders.names()
  asked = []

  def is_needed():
    asked.append(os.path.exists(instance_lock.path_for(folders.path)))
    return True

  assert leftovers.clear(folders.path, True, is_needed=is_needed) == []
  assert asked == [True] and folders.names() == before


def test_an_operation_that_is_under_way_is_waited_for(folders):
  folders.fill()
  before = folders.names()
  with instance_lock.held(instance_lock.path_for(folders.path)):
    with pytest.raises(NodeError):
      leftovers.clear(folders.path, True, 0)
  assert folders.names() == before


def test_a_lock_is_left_only_if_nobody_holds_it(folders):
  path = instance_lock.path_for(folders.path)
  with instance_lock.held(path):
    assert leftovers.kept(folders.path) == []
    assert leftovers.clear(folders.path, True, 0) == []
    assert os.path.exists(path)
  with open(path, "w"):
    pass
  assert leftovers.kept(folders.path) == [path]
  leftovers.clear(folders.path, True, 0)
  assert not os.path.exists(path)


def test_the_instances_are_told_by_full_names(folders):
  folders.fill()
  assert leftovers.instances(folders.path) == [
    "ex", "vm1.ex", "vm1.ex.runtime.backup", "vm11.ex"]
  folders.conf.join(".vm9.runtime.abcdefgh.kvm-pci").write("")
  assert "vm9" in leftovers.instances(folders.path)


def test_what_somebody_writes_now_stays(folders):
  fd, path = temporary.make(str(folders.conf), "vm1.ex.runtime")
  assert os.path.basename(path).startswith(".vm1.ex.runtime.")
  assert os.path.basename(path) not in HALF
  for tell in (temporary.find, temporary.sweep):
    assert tell(str(folders.conf), "vm1.ex.runtime") == []
  os.close(fd)
  assert temporary.find(str(folders.conf), "vm1.ex.runtime") == [path]
  assert temporary.sweep(str(folders.conf), "vm1.ex.runtime") == [path]
  assert folders.names() == ([], [])


def test_what_was_swept_before_it_was_locked_is_made_again(folders,
                                                           monkeypatch):
  genuine_flock = fcntl.flock
  swept = []

  def flock(fd, how):
    if not swept:
      swept.extend(temporary.sweep(str(folders.conf), "vm1.ex.runtime")
                   if how == fcntl.LOCK_EX else [])
    return genuine_flock(fd, how)

  monkeypatch.setattr(fcntl, "flock", flock)
  fd, path = temporary.make(str(folders.conf), "vm1.ex.runtime")
  assert len(swept) == 1 and swept[0] != path and os.path.exists(path)
  os.close(fd)


def test_only_marked_files_are_swept_where_an_administrator_keeps_his(folders):
  folders.fill()
  assert temporary.sweep(str(folders.conf), "vm1.ex.runtime") == [
    str(folders.conf.join(HALF[0]))]


def test_links_pipes_and_folders_are_nobodys(folders):
  name = "." + os.path.basename(folders.path) + ".%s.kvm-pci"
  folders.conf.join("target").write("x")
  folders.conf.join(name % "abcdef").mksymlinkto(folders.conf.join("target"))
  os.mkfifo(str(folders.conf.join(name % "abcdeg")))
  folders.conf.mkdir(name % "abcdeh")
  before = folders.names()
  assert leftovers.clear(folders.path, True) == []
  assert folders.names() == before


#: Dies with a half-written runtime file, and one that is to be a backup.
_DIES = """
import os, sys
sys.path[0] = %r
from ganeti_kvm_pci.node import replacement
from ganeti_kvm_pci.node import runtime_files as files
files.control_dir = lambda name: os.path.join(sys.argv[1], name)
seen = files.read(sys.argv[2])
def link(old, new):
  raise OSError(18, "another file system")
os.link = link
left = [int(sys.argv[3])]
def rename(old, new):
  left[0] -= 1
  if not left[0]:
    os._exit(9)
files.os.rename = rename
replacement.replace(seen, seen.text)
"""


def die(path, number):
  folder = os.path.dirname(os.path.dirname(str(path)))
  assert subprocess.call([sys.executable, "-B", "-c", _DIES % ROOT, folder,
                          str(path), str(number)]) == 9


def run(capsys, *arguments):
  status = entry_.main(list(arguments))
  out, err = capsys.readouterr()
  assert err == ""
  return (status, out)


def run_json(capsys, *arguments):
  status, out = run(capsys, *(arguments + ("--json", )))
  document = schema.read(out)
  assert document["status"] == status
  return document


def own(here):
  folder = here.conf.dirpath("kvm-pci")
  return sorted(e.basename for e in folder.listdir()) if folder.check() else []


@pytest.mark.parametrize("number", [1, 2])
def test_the_next_upgrade_removes_what_a_killed_one_left(here, capsys, number):
  path = here.add("v2.12.6-plain")
  text = path.read()
  die(path, number)
  half = [name for name in here.names() + own(here) if name.startswith(".")]
  assert len(half) == (2 if number == 1 else 1)
  assert path.read() == text
  status, out = run(capsys, "upgrade")
  assert status == 0 and "plain.ex: written" in out
  assert here.names() == ["plain.ex.runtime"]
  assert own(here) == ["plain.ex.runtime.backup"]


def test_check_tells_and_repair_removes_it(here, capsys, monkeypatch):
  from ganeti_kvm_pci.cli import cmd_check
  from ganeti_kvm_pci.cli import instance
  monkeypatch.setattr(cmd_check, "_check_live", lambda *_: None)
  monkeypatch.setattr(instance, "monitor", lambda _: instance_lock.nothing())
  path = here.add("v3.0.2-plain")
  die(path, 1)
  for name in KEPT:
    # what a guest that runs needs
    here.conf.dirpath("kvm-pci").join(name.replace("vm1", "plain")).write("")
  status, out = run(capsys, "check", "plain.ex")
  lines = [line for line in out.splitlines() if "left" in line]
  assert status == 0 and len(lines) == 2
  for line in lines:
    assert line.startswith("plain.ex: info: /") and ".kvm-pci: " in line
    assert "so does check --repair" in line
  document = run_json(capsys, "check", "--repair", "plain.ex")
  (entry, ) = document["instances"]
  assert document["status"] == 0 and document["changed"]
  assert len(entry["repaired"]) == 2 and entry["findings"] == []
  assert here.names() == ["plain.ex.runtime"]
  assert own(here) == sorted(name.replace("vm1", "plain") for name in KEPT)
  assert not run_json(capsys, "check", "--repair", "plain.ex")["changed"]


@pytest.mark.parametrize("has_file", [True, False])
def test_of_an_instance_that_does_not_run_nothing_is_of_use(here, capsys,
                                                            has_file):
  here.add("v3.0.2-rng")
  if has_file:
    here.write(genuine.text_of("v3.0.2-plain"), "vm1.ex", runs=False)
  folders = Folders(here.conf.dirpath())
  for name in KEPT:
    folders.own.join(name).write("")
  document = run_json(capsys, "check")
  assert document["status"] == 0 and not document["changed"]
  found = [e for e in document["instances"] if e["instance"] == "vm1.ex" or
           (e["file"] or "").endswith("vm1.ex.runtime")]
  assert len(found) == 1 and bool(found[0]["file"]) == has_file
  texts = [f["text"] for f in found[0]["findings"] if "left of" in f["text"]]
  assert len(texts) == len(KEPT)
  status, out = run(capsys, "check")
  assert status == 0 and out.count("does not run here") == len(KEPT)
  assert own(here) == sorted(KEPT)


def test_repair_of_all_removes_what_belongs_to_nobody(here, capsys):
  Folders(here.conf.dirpath()).fill()
  for name in OTHERS:
    here.conf.join(name).remove()
  document = run_json(capsys, "check", "--repair")
  assert document["changed"] and document["status"] == 0
  # the other instance, and what is none
  assert not any(name.startswith("vm1.ex.runtime.") and name in KEPT
                 for name in own(here))
  # while unmodified Ganeti may be writing its own
  assert here.names() == sorted(GANETIS)
  assert not run_json(capsys, "check", "--repair")["changed"]


def test_a_guest_that_is_still_to_come_keeps_what_waits_for_it(here, capsys):
  path = here.write(genuine.text_of("v3.0.2-plain"), "vm1.ex")
  path.remove()
  Folders(here.conf.dirpath()).own.join("vm1.ex.runtime.arriving").write("x")
  assert run_json(capsys, "check", "--repair")["changed"] is False
  assert own(here) == ["vm1.ex.runtime.arriving"]


def test_a_file_that_cannot_be_removed_is_not_held(tmpdir, monkeypatch):
  """Who comes next sweeps it; the node daemon may live for months."""
  def refuse(_):
    raise EnvironmentError(30, "Read-only file system")

  with monkeypatch.context() as patched:
    patched.setattr(temporary.os, "unlink", refuse)
    with pytest.raises(EnvironmentError):
      with temporary.written(str(tmpdir), "x", b"", 0o600):
        pass
  (left, ) = temporary.find(str(tmpdir), "x")
  assert temporary.sweep(str(tmpdir), "x") == [left]
