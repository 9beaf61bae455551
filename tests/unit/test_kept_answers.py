"""Answers of a program that are kept in a file, and files that are none."""

import errno
import json
import os
import shutil
import stat
import subprocess
import time

import pytest

from ganeti_kvm_pci import kept_answers
from ganeti_kvm_pci import process
from ganeti_kvm_pci import qemu_program
from ganeti_kvm_pci import temporary

IDENTITY = {"running": [1, 2, 3, 4, 5], "version": [7, 2, 0, "Debian"]}


def is_text(answer):
  return isinstance(answer, type(u""))


class Program(object):
  """One that is asked, and counts how often."""

  def __init__(self, folder):
    self.folder = str(folder)
    self.identity = IDENTITY
    self.asked = 0
    self.said = u"an answer"

  def ask(self):
    self.asked += 1
    return self.said

  def of(self, fits=is_text, question="help"):
    """Ask as a process does that has just begun."""
    kept_answers._MEMORY.clear()
    return self.again(fits, question)

  def again(self, fits=is_text, question="help"):
    return kept_answers.Answers(self.folder, lambda: self.identity).of(
      question, self.ask, fits)

  @property
  def path(self):
    found, = kept_answers.files(self.folder)
    return found


@pytest.fixture
def program(tmpdir):
  yield Program(tmpdir)
  kept_answers._MEMORY.clear()


def test_a_program_is_asked_once(program):
  for _ in range(3):
    assert program.of() == "an answer"
  assert program.asked == 1
  status = os.lstat(program.path)
  assert stat.S_ISREG(status.st_mode)
  assert stat.S_IMODE(status.st_mode) == 0o600
  assert os.listdir(program.folder) == [os.path.basename(program.path)]


def test_memory_needs_no_file(program):
  program.of()
  os.unlink(program.path)
  assert program.again() == "an answer" and program.asked == 1


def test_each_question_has_an_answer_of_its_own(program):
  program.of()
  program.said = u"another"
  assert program.of(question="devices") == "another"
  assert program.of() == "an answer" and program.asked == 2


def test_another_program_is_asked_anew(program):
  program.of()
  for at in range(5):
    numbers = list(IDENTITY["running"])
    numbers[at] += 1
    program.identity = dict(IDENTITY, running=numbers)
    program.said = u"answer %d" % at
    assert program.of() == "answer %d" % at
    assert program.again() == "answer %d" % at
  assert program.asked == 6


def test_of_what_has_no_identity_nothing_is_kept(program):
  program.identity = None
  program.of()
  program.of()
  assert program.asked == 2 and os.listdir(program.folder) == []


def test_what_does_not_fit_is_not_kept(program):
  program.said = None
  assert program.of() is None
  assert os.listdir(program.folder) == []
  program.said = True
  assert program.of(lambda answer: answer is True) is True
  # the same question with an answer of another type
  program.said = u"an answer"
  assert program.of() == "an answer" and program.asked == 3


def test_a_program_that_is_replaced_while_it_is_asked(program):
  def ask():
    program.identity = dict(IDENTITY, version=[8, 0, 0, ""])
    return u"of the old one"

  program.ask = ask
  program.of()
  assert os.listdir(program.folder) == []


def rewrite(path, change):
  with open(path) as stream:
    data = json.load(stream)
  change(data)
  with open(path, "w") as stream:
    json.dump(data, stream)


def _other_key(path):
  rewrite(path, lambda data: data["of"].update(version=[7, 2, 1, "Debian"]))


def _copied(path):
  """Make it another file that may be read and written by its owner only."""
  shutil.copy(path, path + ".copy")
  os.chmod(path + ".copy", 0o600)
  os.unlink(path)
  return path + ".copy"


def _link(path):
  os.symlink(_copied(path), path)


def _hard_link(path):
  os.link(path, path + ".other")


def _pipe(path):
  os.unlink(path)
  os.mkfifo(path, 0o600)


def _folder(path):
  os.unlink(path)
  os.mkdir(path, 0o700)


def _text(text):
  def spoil(path):
    with open(path, "w") as stream:
      stream.write(text)
  return spoil


def _truncated(path):
  with open(path, "r+") as stream:
    stream.truncate(os.path.getsize(path) - 3)


def _huge(path):
  with open(path, "a") as stream:
    stream.write(" " * kept_answers._MAX_SIZE)


SPOILT = {
  "other_owner": lambda path: os.chown(path, 1, -1),
  "group_may_read": lambda path: os.chmod(path, 0o640),
  "group_may_write": lambda path: os.chmod(path, 0o620),
  "others_may_write": lambda path: os.chmod(path, 0o602),
  "link": _link, "hard_link": _hard_link, "pipe": _pipe, "folder": _folder,
  "nothing": _text(""), "not_json": _text("{'of': 1}"),
  "binary": _text("\0\1\2"), "not_ascii": _text("\xff"),
  "nested": _text("[" * 100000), "a_list": _text("[]"), "null": _text("null"),
  "no_key": lambda path: rewrite(path, lambda data: data.pop("of")),
  "no_answers": lambda path: rewrite(path, lambda data: data.pop("answers")),
  "answers_are_a_list": lambda path: rewrite(
    path, lambda data: data.update(answers=["help"])),
  "answer_is_a_number": lambda path: rewrite(
    path, lambda data: data.update(answers={"help": 1})),
  "other_key": _other_key, "truncated": _truncated, "huge": _huge,
  }


@pytest.mark.parametrize("name", sorted(SPOILT))
def test_a_spoilt_file_is_not_believed(program, name):
  if name == "other_owner" and os.geteuid() != 0:
    pytest.skip("only root gives files away")
  program.of()
  before = program.path
  rewrite(before, lambda data: data["answers"].update(help="a lie"))
  os.chmod(before, 0o600)
  # the control: this one is believed
  assert program.of() == "a lie" and program.asked == 1
  SPOILT[name](before)
  assert program.of() == "an answer" and program.asked == 2
  # and it is replaced, but for a folder, by one that is believed
  if name != "folder":
    program.of()
    assert program.asked == 2
    assert stat.S_ISREG(os.lstat(before).st_mode)


def test_without_room_the_program_is_asked(program, monkeypatch):
  def full(*_, **__):
    raise EnvironmentError(errno.ENOSPC, "No space left on device")

  with monkeypatch.context() as patch:
    patch.setattr(temporary, "make", full)
    assert program.of() == program.of() == "an answer"
  with monkeypatch.context() as patch:
    patch.setattr(os, "rename", full)
    assert program.of() == program.of() == "an answer"
  assert program.asked == 4
  # nor is anything left half-written
  assert os.listdir(program.folder) == []


def test_the_folder_is_made(program):
  program.folder = os.path.join(program.folder, "kvm-pci")
  for _ in range(2):
    assert program.of() == "an answer"
  assert program.asked == 1
  assert stat.S_IMODE(os.lstat(program.folder).st_mode) == 0o700


def test_without_a_folder_the_program_is_asked(program):
  program.folder = os.path.join(program.folder, "none", "kvm-pci")
  assert program.of() == program.of() == "an answer"
  assert program.asked == 2 and kept_answers.files(program.folder) == []


def test_the_oldest_answers_go(program):
  for number in range(kept_answers._PROGRAMS + 5):
    program.identity = dict(IDENTITY, version=[number, 0, 0, ""])
    program.of()
    os.utime(max(kept_answers.files(program.folder), key=os.path.getctime),
             (number, number))
  assert len(kept_answers.files(program.folder)) == kept_answers._PROGRAMS
  program.asked = 0
  program.of()
  program.identity = dict(IDENTITY, version=[0, 0, 0, ""])
  program.of()
  assert program.asked == 1


def test_what_a_killed_process_left_goes_with_the_next(program):
  program.of()
  name = os.path.basename(program.path)
  fd, left = temporary.make(program.folder, name)
  os.close(fd)
  program.of(question="devices")
  assert not os.path.exists(left)
  fd, left = temporary.make(program.folder, name)
  os.close(fd)
  assert kept_answers.remove(program.folder) == [
    os.path.join(program.folder, name)]
  assert os.listdir(program.folder) == []
  assert kept_answers.remove(program.folder + "/none") == []


# which program it is

@pytest.fixture
def binary(tmpdir, monkeypatch):
  """A program that does nothing, in a folder of its own."""
  monkeypatch.setattr(qemu_program, "_SETTLED", -60)
  monkeypatch.delenv("QEMU_MODULE_DIR", raising=False)
  path = str(tmpdir.mkdir("bin").join("qemu"))
  shutil.copy(os.path.realpath("/bin/sleep"), path)
  return path


def test_a_program_stays_the_same(binary):
  found = qemu_program.identity(binary)
  assert found and qemu_program.identity(binary) == found
  assert json.loads(json.dumps(found)) == found


def test_a_program_that_was_replaced_is_another(binary):
  before = qemu_program.identity(binary)
  times = (os.stat(binary).st_atime, os.stat(binary).st_mtime)
  shutil.copy(binary, binary + ".new")
  os.utime(binary + ".new", times)
  os.rename(binary + ".new", binary)
  assert qemu_program.identity(binary) != before


def test_a_program_that_was_changed_in_place_is_another(binary):
  before = qemu_program.identity(binary)
  times = (os.stat(binary).st_atime, os.stat(binary).st_mtime)
  time.sleep(0.05)
  with open(binary, "r+b") as stream:
    stream.seek(100)
    stream.write(b"x")
  # as long, and as old, as it was
  os.utime(binary, times)
  assert qemu_program.identity(binary) != before


@pytest.mark.parametrize("folder", [
  "lib/qemu", "lib64/qemu", "lib/%s-linux-gnu/qemu" % os.uname()[4],
  "lib64/qemu-kvm"])
def test_a_program_with_other_modules_is_another(binary, monkeypatch, tmpdir,
                                                 folder):
  found = [qemu_program.identity(binary)]
  modules = tmpdir.ensure(*folder.split("/"), dir=True)
  found.append(qemu_program.identity(binary))
  time.sleep(0.05)
  modules.join("hw-display-qxl.so").write("")
  found.append(qemu_program.identity(binary))
  monkeypatch.setenv("QEMU_MODULE_DIR", str(tmpdir))
  found.append(qemu_program.identity(binary))
  for at, one in enumerate(found):
    assert one and one not in found[:at]


def test_another_name_may_mean_another_answer(binary):
  """QEMU looks how it was called: kvm."""
  os.symlink(binary, binary + ".kvm")
  assert qemu_program.identity(binary) != \
    qemu_program.identity(binary + ".kvm")


def test_what_was_changed_just_now_may_change_once_more(binary, monkeypatch):
  monkeypatch.setattr(qemu_program, "_SETTLED", 3600)
  assert qemu_program.identity(binary) is None


def test_a_script_hides_which_program_answers(binary):
  with open(binary, "w") as stream:
    stream.write("#!/bin/sh\nexec /usr/bin/kvm \"$@\"\n")
  os.chmod(binary, 0o755)
  assert qemu_program.identity(binary) is None


@pytest.mark.parametrize("path", ["/nonexistent/kvm", "/", "a\0b", None])
def test_what_is_no_program_has_no_identity(path):
  assert qemu_program.identity(path) is None


def test_of_a_process_the_program_counts_that_was_started(binary):
  child = subprocess.Popen([binary, "60"])
  try:
    while process.command(child.pid)[:1] != [binary]:
      time.sleep(0.01)
    started = process.identity_of_program(child.pid)
    assert started == process.identity_of_file(os.stat(binary))
    shutil.copy(binary, binary + ".new")
    os.rename(binary + ".new", binary)
    running = process.identity_of_program(child.pid)
    # its times are those of its removal now
    assert running[:4] == started[:4]
    assert running[:2] != process.identity_of_file(os.stat(binary))[:2]
  finally:
    child.kill()
    child.wait()
  assert process.identity_of_program(child.pid) is None
