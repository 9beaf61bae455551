"""The program that Ganeti's watcher runs."""

import os
import re
import subprocess
import sys

import pytest

import host
from ganeti_kvm_pci.node import watcher

#: Which programs Ganeti's watcher takes, 2.10 to master
_TAKEN = re.compile("^[a-zA-Z0-9_-]+$")

CLI = """\
import signal, sys, time
def main(argv):
  left = signal.alarm(0)
  print("%s %s" % (argv, 0 < left <= 60))
  return 3
"""


@pytest.fixture
def node(tmpdir):
  return host.Host(tmpdir)


def program(node):
  return node.folder.join("root", "etc", "ganeti", "hooks", "watcher",
                          "ganeti-kvm-pci")


def test_enable_writes_it_and_disable_removes_it(node):
  done = node.run("enable")
  assert done.status == 0 and "written: %s\n" % program(node) in done.out
  assert os.access(str(program(node)), os.X_OK)
  assert _TAKEN.match(program(node).basename)
  assert program(node).read().startswith("#!%s\n" % sys.executable)
  assert str(program(node)) not in node.run("enable").out
  # of an older release, or of one that lay elsewhere
  program(node).write("#!/bin/sh\n")
  assert "written: %s\n" % program(node) in node.run("enable").out
  assert str(node.lib) in program(node).read()
  program(node).chmod(0o644)
  assert "written: %s\n" % program(node) in node.run("enable").out
  done = node.run("disable")
  assert "removed: %s\n" % program(node) in done.out
  assert program(node).dirpath().listdir() == []
  assert str(program(node)) not in node.run("disable").out


def run(tmpdir, folder):
  path = tmpdir.join("program")
  path.write(watcher._PROGRAM % {"python": sys.executable, "limit": 60,
                                 "folder": str(folder)})
  # cron gives it none
  environment = dict(os.environ)
  environment.pop("PYTHONPATH", None)
  process = subprocess.Popen([sys.executable, str(path)], cwd="/",
                             env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
  return (process.communicate()[0].decode(), process.returncode)


def test_it_runs_one_command_and_not_for_ever(tmpdir):
  package = tmpdir.join("lib", "ganeti_kvm_pci")
  package.ensure("__init__.py")
  package.join("cli.py").write(CLI)
  said, status = run(tmpdir, tmpdir.join("lib"))
  assert (said, status) == ("['check', '--repair', '--pending'] True\n", 3)


def test_where_the_package_is_missing_it_says_so(tmpdir):
  said, status = run(tmpdir, tmpdir.join("gone"))
  assert status == 1
  assert said == "ganeti_kvm_pci is no longer in %s; remove %s\n" % (
    tmpdir.join("gone"), tmpdir.join("program"))
