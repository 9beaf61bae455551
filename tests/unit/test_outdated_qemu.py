"""Guests whose QEMU is not the installed one."""

import os
import shutil
import subprocess

import pytest

from ganeti_kvm_pci import process
from ganeti_kvm_pci import qemu_version
from ganeti_kvm_pci.cli import outdated_qemu
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qemu import release

OLD = release.Release("7.2.22", "Debian 1:7.2+dfsg-7+deb12u17")
NEW = OLD._replace(package="Debian 1:7.2+dfsg-7+deb12u18")


def answers(found):
  numbers = [int(number) for number in found.version.split(".")]
  return lambda command, arguments: {
    "qemu": dict(zip(("major", "minor", "micro"), numbers)),
    "package": found.package}


@pytest.mark.parametrize("text, expected", [
  ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright",
   ("7.2.22", "Debian 1:7.2+dfsg-7+deb12u18+b3")),
  ("QEMU emulator version 10.0.13\nCopyright (c)", ("10.0.13", "")),
  ("QEMU PC emulator version 1.1.2 (qemu-kvm-1.1.2+dfsg-6), Copyright",
   ("1.1.2", "qemu-kvm-1.1.2+dfsg-6")),
  ("something else", None)])
def test_a_release_is_read(text, expected):
  found = release.of_text(text)
  assert found == (expected and release.Release(*expected))
  if found:
    assert release.of_reply(answers(found)("query-version", None)) == found
    assert found.version in release.show(found)


@pytest.mark.parametrize("answer", [{}, [], {"qemu": {"major": 1}}])
def test_a_reply_of_another_shape_is_an_error(answer):
  with pytest.raises(MonitorError) as caught:
    release.of_reply(answer)
  assert "query-version" in str(caught.value)


@pytest.fixture
def program(tmpdir):
  """Provide a program that runs, and its number."""
  path = str(tmpdir.join("qemu"))
  shutil.copy("/bin/sleep", path)
  running = subprocess.Popen([path, "60"])
  try:
    # Popen returns once it is started
    yield path, running.pid
  finally:
    running.kill()
    running.wait()


def judge(monkeypatch, program, running, installed):
  monkeypatch.setattr(qemu_version, "release", lambda _: installed)
  return outdated_qemu.judge(running and answers(running), program[1],
                             program[0])


def test_the_installed_one_is_well(monkeypatch, program):
  assert judge(monkeypatch, program, OLD, OLD) == {
    "running": release.show(OLD), "installed": release.show(OLD),
    "outdated": None}
  # where nothing is known, nothing is wrong
  assert judge(monkeypatch, program, None, None)["outdated"] is None


def test_another_package_of_the_same_version_is_one(monkeypatch, program):
  found = judge(monkeypatch, program, OLD, NEW)["outdated"]
  assert found == ("it runs QEMU 7.2.22 (Debian 1:7.2+dfsg-7+deb12u17),"
                   " installed is 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)")
  assert "gnt-instance reboot" in outdated_qemu.explain(found)


def test_a_file_that_was_replaced_is_one(monkeypatch, program):
  path, pid = program
  assert process.runs_file(pid, path) is True
  shutil.copy(path, path + ".new")
  os.rename(path + ".new", path)
  assert "was replaced or removed" in judge(monkeypatch, program, OLD,
                                            OLD)["outdated"]
  # also if QEMU is not asked
  assert "an unknown release" in judge(monkeypatch, program, None,
                                       OLD)["outdated"]


def test_a_file_that_was_renamed_is_one(monkeypatch, program):
  path, pid = program
  os.rename(path, path + ".old")
  shutil.copy(path + ".old", path)
  assert not process.is_replaced(pid)
  assert "is not the file that %s is now" % path in judge(
    monkeypatch, program, OLD, OLD)["outdated"]


def test_a_script_tells_nothing_of_the_file(monkeypatch, program):
  path, pid = program
  script = path + ".sh"
  with open(script, "w") as stream:
    stream.write("#!/bin/sh\nexec %s\n" % path)
  assert process.runs_file(pid, script) is None
  assert process.runs_file(pid, path + ".none") is None


def test_a_qemu_that_refuses_the_question_is_judged_by_its_file(monkeypatch,
                                                                program):
  def execute(command, _):
    raise CommandError(command, "no")
  monkeypatch.setattr(qemu_version, "release", lambda _: OLD)
  found = outdated_qemu.judge(execute, program[1], program[0])
  assert found["running"] is None and found["outdated"] is None
