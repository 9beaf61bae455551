"""Runtime files read and replaced, whole or not at all."""

import errno
import os
import stat
import subprocess
import sys
import time

import pytest

import conftest
import genuine
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.node import guests
from ganeti_kvm_pci.node import replacement
from ganeti_kvm_pci.node import runtime_files

OLD = genuine.text_of("v3.0.2-plain")
NEW = genuine.text_of("v3.0.2-rng")

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def path(tmpdir):
  conf = tmpdir.mkdir("conf").join("vm1.runtime")
  conf.write(OLD)
  conf.chmod(0o640)
  os.utime(str(conf), (1000, 1000))
  return conf


def names(path):
  return sorted(os.listdir(os.path.dirname(str(path))))


def assert_untouched(path, others=()):
  assert path.read() == OLD
  assert os.stat(str(path)).st_mtime == 1000
  assert names(path) == sorted(["vm1.runtime"] + list(others))


def test_a_file_is_replaced_and_the_old_one_kept(path):
  inode = os.stat(str(path)).st_ino
  backup = replacement.replace(runtime_files.read(str(path)), NEW)
  assert path.read() == NEW
  assert backup == str(path) + ".backup"
  assert names(path) == ["vm1.runtime", "vm1.runtime.backup"]
  assert stat.S_IMODE(os.stat(str(path)).st_mode) == 0o640
  # it is the file itself, to the last of what belongs to one
  kept = os.stat(backup)
  assert (kept.st_ino, kept.st_mtime) == (inode, 1000)
  assert open(backup).read() == OLD


@as_root
def test_owner_and_group_stay(path):
  os.chown(str(path), 12, 34)
  replacement.replace(runtime_files.read(str(path)), NEW)
  assert (os.stat(str(path)).st_uid, os.stat(str(path)).st_gid) == (12, 34)
  assert stat.S_IMODE(os.stat(str(path)).st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o400, 0o4755])
def test_the_mode_stays(path, mode):
  path.chmod(mode)
  replacement.replace(runtime_files.read(str(path)), NEW)
  assert stat.S_IMODE(os.stat(str(path)).st_mode) == mode


def test_nobody_else_can_ever_read_what_is_being_written(path, monkeypatch):
  path.chmod(0o600)
  modes = []
  genuine_fsync = os.fsync
  monkeypatch.setattr(os, "fsync", lambda fd: modes.append(
    stat.S_IMODE(os.fstat(fd).st_mode)) or genuine_fsync(fd))
  replacement.replace(runtime_files.read(str(path)), NEW)
  assert modes == [0o600]


def test_a_backup_is_never_written_over(path):
  for number, text in enumerate([NEW, OLD, NEW]):
    backup = replacement.replace(runtime_files.read(str(path)), text)
    assert backup == str(path) + ".backup" + (".%d" % number if number else "")
  assert [open(str(path) + end).read() for end in (
    ".backup", ".backup.1", ".backup.2", "")] == [OLD, NEW, OLD, NEW]


def test_a_backup_may_go_elsewhere(path, tmpdir):
  folder = tmpdir.join("old", "ones")
  backup = replacement.replace(runtime_files.read(str(path)), NEW,
                                 str(folder))
  assert backup == str(folder.join("vm1.runtime.backup"))
  assert names(path) == ["vm1.runtime"]
  assert folder.join("vm1.runtime.backup").read() == OLD
  assert stat.S_IMODE(os.stat(str(folder)).st_mode) == 0o700


def refuse(number):
  def refused(*_):
    raise OSError(number, os.strerror(number))
  return refused


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_a_backup_on_another_file_system_is_a_copy(path, tmpdir, monkeypatch,
                                                   number):
  monkeypatch.setattr(os, "link", refuse(number))
  folder = tmpdir.mkdir("other")
  folder.join("vm1.runtime.backup").write("an older one")
  backup = replacement.replace(runtime_files.read(str(path)), NEW,
                                 str(folder))
  assert backup.endswith(".backup.1") and open(backup).read() == OLD
  assert stat.S_IMODE(os.stat(backup).st_mode) == 0o640
  assert folder.join("vm1.runtime.backup").read() == "an older one"
  assert path.read() == NEW


def test_a_backup_that_cannot_be_written_leaves_nothing(path, tmpdir,
                                                        monkeypatch):
  calls = []

  def fsync(_):
    calls.append(1)
    if len(calls) > 1:
      raise OSError(errno.ENOSPC, "No space left on device")
  monkeypatch.setattr(os, "link", refuse(errno.EXDEV))
  monkeypatch.setattr(os, "fsync", fsync)
  folder = tmpdir.mkdir("other")
  with pytest.raises(NodeError) as caught:
    replacement.replace(runtime_files.read(str(path)), NEW, str(folder))
  assert "No space left" in str(caught.value)
  assert folder.listdir() == []
  assert_untouched(path)


def test_a_backup_folder_that_is_none_is_one_clear_error(path, tmpdir):
  tmpdir.join("x").write("")
  for folder in ("x", "x/y"):
    with pytest.raises(NodeError) as caught:
      replacement.replace(runtime_files.read(str(path)), NEW,
                            str(tmpdir.join(folder)))
    assert "cannot be replaced" in str(caught.value)
  assert_untouched(path)


def by_rename(path):
  other = path.dirpath("other")
  other.write(OLD)
  other.rename(path)


def in_place(path):
  with open(str(path), "r+") as stream:
    stream.write(OLD[:5] + "9" + OLD[6:])


def in_place_with_its_times(path):
  time.sleep(0.02)
  with open(str(path), "r+") as stream:
    stream.write("[" + OLD[1:])
  os.utime(str(path), (1000, 1000))


def by_removal(path):
  path.remove()


def by_a_link(path):
  path.rename(path.dirpath("other"))
  os.symlink("other", str(path))


CHANGES = [by_rename, in_place, in_place_with_its_times, by_removal, by_a_link]


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_meanwhile_is_left_alone(path, change):
  seen = runtime_files.read(str(path))
  change(path)
  before = names(path)
  text = path.check() and path.read()
  with pytest.raises(NodeError) as caught:
    replacement.replace(seen, NEW)
  assert "changed meanwhile" in str(caught.value)
  assert names(path) == before
  assert (path.check() and path.read()) == text


@pytest.mark.parametrize("change", [by_rename, in_place, by_removal])
@pytest.mark.parametrize("apart", [True, False])
def test_nor_what_is_changed_at_the_last_moment(path, tmpdir, monkeypatch,
                                                change, apart):
  genuine_link = os.link
  after = []

  def link(old, new):
    if apart:
      genuine_link(old, new)
    change(path)
    after.append(path.check() and path.read())
    if not apart:
      genuine_link(old, new)
  monkeypatch.setattr(os, "link", link)
  folder = tmpdir.mkdir("backups")
  with pytest.raises(NodeError):
    replacement.replace(runtime_files.read(str(path)), NEW, str(folder))
  assert folder.listdir() == []
  assert names(path) == (["vm1.runtime"] if path.check() else [])
  assert (path.check() and path.read()) == after[0]


@pytest.mark.parametrize("name", ["fsync", "fchmod", "rename", "link"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_is_full_or_broken_leaves_all_as_it_was(
    path, monkeypatch, name, number):
  seen = runtime_files.read(str(path))
  monkeypatch.setattr(os, name, refuse(number))
  with pytest.raises(NodeError) as caught:
    replacement.replace(seen, NEW)
  said = str(caught.value)
  assert os.strerror(number) in said and str(path) in said
  assert "\n" not in said
  assert_untouched(path)


def test_a_really_full_disk_leaves_all_as_it_was(path):
  code = ("import resource, signal, sys; sys.path[0] = %r\n"
          "from ganeti_kvm_pci import errors\n"
          "from ganeti_kvm_pci.node import replacement\n"
          "from ganeti_kvm_pci.node import runtime_files as files\n"
          "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
          "seen = files.read(%r)\n"
          "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
          "try: replacement.replace(seen, 'x' * 5000)\n"
          "except errors.NodeError as err: sys.exit(7)" % (ROOT, str(path)))
  assert subprocess.call([sys.executable, "-B", "-c", code]) == 7
  assert_untouched(path)


class Interrupted(BaseException):
  """What no ordinary except clause catches."""


@pytest.mark.parametrize("name", ["fsync", "fchmod", "rename", "link"])
def test_an_interruption_leaves_all_as_it_was(path, monkeypatch, name):
  def interrupt(*_):
    raise Interrupted
  seen = runtime_files.read(str(path))
  monkeypatch.setattr(os, name, interrupt)
  with pytest.raises(Interrupted):
    replacement.replace(seen, NEW)
  assert_untouched(path)


#: Dies before or after the Nth call of any function that writes.
_DIES = """
import itertools, os, sys
sys.path[0] = %r
from ganeti_kvm_pci import temporary
from ganeti_kvm_pci.node import replacement
from ganeti_kvm_pci.node import runtime_files as files
left = itertools.count(int(sys.argv[2]), -1)
def deadly(function):
  def call(*args, **kwargs):
    if next(left) == 0:
      os._exit(9)
    result = function(*args, **kwargs)
    if next(left) == 0:
      os._exit(9)
    return result
  return call
seen = files.read(sys.argv[1])
for module, name in ((temporary, "make"), (os, "write"), (os, "fchmod"),
                     (os, "fsync"), (os, "link"), (os, "rename")):
  setattr(module, name, deadly(getattr(module, name)))
replacement.replace(seen, sys.argv[3])
replacement.sync([os.path.dirname(sys.argv[1])])
"""


def test_killed_at_any_point_it_leaves_the_old_file_or_the_new_one(path):
  found = []
  for point in range(100):
    path.write(OLD)
    status = subprocess.call([sys.executable, "-B", "-c", _DIES % ROOT,
                              str(path), str(point), NEW])
    found.append(path.read())
    assert found[-1] in (OLD, NEW)
    backups = [name for name in names(path) if name.endswith(".backup")]
    if found[-1] == NEW:
      assert path.dirpath(backups[0]).read() == OLD
    # what is left over is no runtime file to anybody
    assert [name for name in names(path) if name.endswith(".runtime")] == [
      "vm1.runtime"]
    for name in names(path):
      path.dirpath(name).remove()
    if status == 0:
      break
  assert status == 0 and point == 14
  assert found == sorted(found, key=[OLD, NEW].index)
  assert found[0] == OLD and NEW in found[:-1]


def test_file_and_folders_are_brought_to_the_disk(path, tmpdir, monkeypatch):
  synced = []
  monkeypatch.setattr(os, "fsync", lambda fd: synced.append(
    os.readlink("/proc/self/fd/%d" % fd)))
  replacement.replace(runtime_files.read(str(path)), NEW)
  assert len(synced) == 1 and os.path.basename(synced[0]).startswith(
    ".vm1.runtime.")
  replacement.sync([str(path.dirpath()), str(tmpdir)])
  assert synced[1:] == [str(path.dirpath()), str(tmpdir)]


def test_a_folder_that_cannot_be_synced_is_one_clear_error(tmpdir, monkeypatch):
  with pytest.raises(NodeError):
    replacement.sync([str(tmpdir.join("gone"))])
  monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
  with pytest.raises(NodeError) as caught:
    replacement.sync([str(tmpdir)])
  assert str(tmpdir) in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_what_may_not_be_read_is_one_clear_error(path):
  path.chmod(0)
  with pytest.raises(RuntimeFileError) as caught:
    runtime_files.read(str(path))
  assert "Permission denied" in str(caught.value)


@pytest.mark.parametrize("size, is_read", [(16 << 20, True),
                                           ((16 << 20) + 1, False),
                                           (100 << 20, False)])
def test_only_files_of_a_sane_size_are_read(path, size, is_read):
  with open(str(path), "r+") as stream:
    stream.truncate(size)
  if is_read:
    assert len(runtime_files.read(str(path)).text) == size
    return
  with pytest.raises(RuntimeFileError) as caught:
    runtime_files.read(str(path))
  assert "larger than 16 MB" in str(caught.value)


@pytest.fixture
def guest(tmpdir, monkeypatch):
  """Make the folders of a node, and a process that looks like a guest's."""
  monkeypatch.setattr(runtime_files, "control_dir", lambda name: str(
    tmpdir.join("node", name)))
  for name in ("conf", "ctrl", "pid"):
    tmpdir.ensure("node", name, dir=True)
  process = conftest.start_guest("vm1.ex,x=y")
  yield process
  process.stdin.close()
  process.wait()


def test_a_guest_runs_if_a_process_of_that_name_does(tmpdir, guest):
  conf = tmpdir.join("node", "conf")
  pids = tmpdir.join("node", "pid")
  pids.join("vm1.ex").write("%d\n" % guest.pid)
  pids.join("vm2.ex").write("%d\n" % guest.pid)
  pids.join("vm3.ex").write("99999999999")
  assert guests.runs(str(conf.join("vm1.ex.runtime"))) is True
  for name in ("vm2.ex", "vm3.ex", "vm6.ex", "vm1"):
    assert guests.runs(str(conf.join(name + ".runtime"))) is False
  # not one of this node's
  assert guests.runs(str(tmpdir.join("vm1.ex.runtime"))) is None
  assert guests.runs(str(conf.join("vm1.ex.runtime.backup"))) is None
  # but by another way to the same folder
  tmpdir.join("way").mksymlinkto(conf)
  assert guests.runs(str(tmpdir.join("way", "vm1.ex.runtime"))) is True


@pytest.mark.parametrize("content", ["x", "-1", "", "folder", "pipe"])
def test_a_process_number_that_is_none_does_not_mean_that_nothing_runs(
    tmpdir, guest, content):
  path = tmpdir.join("node", "pid", "vm1.ex")
  if content == "folder":
    path.mkdir()
  elif content == "pipe":
    os.mkfifo(str(path))
  else:
    path.write(content)
  name = str(tmpdir.join("node", "conf", "vm1.ex.runtime"))
  for look in (guests.runs, guests.pid_of, lambda name: guests.alone(
      name).__enter__()):
    with pytest.raises(NodeError) as caught:
      look(name)
    assert str(caught.value).startswith(
      "cannot tell whether instance vm1.ex runs: %s: " % path)


def test_a_link_is_not_taken_for_the_instance_that_it_leads_to(tmpdir, guest):
  conf = tmpdir.join("node", "conf")
  conf.join("vm1.ex.runtime").write("[]")
  conf.join("vm2.ex.runtime").mksymlinkto(conf.join("vm1.ex.runtime"))
  tmpdir.join("vm1.ex.runtime").mksymlinkto(conf.join("vm1.ex.runtime"))
  assert runtime_files.instance_of(str(conf.join("vm2.ex.runtime"))) == "vm2.ex"
  assert runtime_files.instance_of(str(tmpdir.join("vm1.ex.runtime"))) is None


def test_a_name_that_is_no_text_is_no_guests(tmpdir, guest):
  name = "\xff" if str is bytes else os.fsdecode(b"\xff")
  with open(str(tmpdir.join("node", "pid", name)), "w") as stream:
    stream.write(str(guest.pid))
  assert guests.runs(str(tmpdir.join("node", "conf", name + ".runtime"))) is \
    False
