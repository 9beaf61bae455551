"""The scripts that Ganeti runs with its jobs."""

import os
import re
import subprocess
import sys
import time

import pytest

import host
from ganeti_kvm_pci.node import hooks

#: What Ganeti runs of a folder: EXT_PLUGIN_MASK of its constants, 2.10 to master.
_TAKEN = re.compile("^[a-zA-Z0-9_-]+$")

FROZEN = {"GANETI_INSTANCE_HYPERVISOR": "kvm", "GANETI_INSTANCE_NAME": "vm1",
          "GANETI_INSTANCE_TAGS": "web kvm-pci:nic:000041c0:6"}

#: What a package does here instead: it leaves a note.
CLI = """
import os, sys, time
def main(argv):
  until = time.time() + 60
  while os.path.exists(%r) and time.time() < until:
    time.sleep(0.01)
  with open(%r, "w") as stream:
    stream.write("%%s %%s" %% (argv, os.getsid(0) != %d))
"""


@pytest.fixture
def node(tmpdir):
  return host.Host(tmpdir)


def scripts(node):
  folder = node.folder.join("root", "etc", "ganeti", "hooks")
  return [folder.join(script.folder, "ganeti-kvm-pci")
          for script in hooks.SCRIPTS if not script.is_optional]


def test_enable_writes_them_if_asked_and_disable_removes_them(node):
  assert node.run("enable").status == 0
  assert not any(path.check() for path in scripts(node))
  assert "job hooks    absent" in node.run("status").out
  done = node.run("enable", "--hooks")
  assert done.status == 0
  for path in scripts(node):
    assert "written: %s\n" % path in done.out
    assert path.stat().mode & 0o7777 == 0o755 and _TAKEN.match(path.basename)
    assert path.read().startswith("#!%s\n" % sys.executable)
    assert len(path.dirpath().listdir()) == 1
  assert "job hooks    in place (%d)" % len(scripts(node)) in \
    node.run("status").out
  assert "-post.d" not in node.run("enable", "--hooks").out
  done = node.run("disable")
  for path in scripts(node):
    assert "removed: %s\n" % path in done.out and not path.check()
  assert "-post.d" not in node.run("disable").out


def test_enable_alone_refreshes_those_of_another_release(node):
  node.run("enable", "--hooks")
  old, lost, locked = scripts(node)[:3]
  old.write("#!/usr/bin/python2\n%ssys.exit(main(['old']))\n" % hooks._MARK)
  lost.remove()
  locked.chmod(0o644)
  assert "job hooks    outdated, run enable again: " in node.run("status").out
  done = node.run("enable")
  for path in (old, lost, locked):
    assert "written: %s\n" % path in done.out
    assert "--hook" in path.read() and os.access(str(path), os.X_OK)
  assert "job hooks    in place" in node.run("status").out


def test_what_is_somebody_elses_stays(node):
  path = scripts(node)[0]
  link = scripts(node)[1]
  path.dirpath().ensure(dir=True)
  path.write("#!/bin/sh\nmy-own\n")
  link.dirpath().ensure(dir=True)
  link.mksymlinkto("/nowhere")
  done = node.run("enable", "--hooks")
  assert done.status == 1
  for other in (path, link):
    assert "not written: %s: there is a file of somebody else's" % other in \
      done.err
  assert "somebody else's, left alone: %s" % path in node.run("status").out
  done = node.run("disable")
  assert "left: %s: it is somebody else's" % path in done.out
  assert path.read() == "#!/bin/sh\nmy-own\n" and link.islink()
  assert not scripts(node)[2].check()


class Run(object):
  """A script that runs as Ganeti runs it.

  @ivar note: py.path of what the package leaves, once there is no file
      "wait"

  """
  def __init__(self, tmpdir, monkeypatch):
    self.tmpdir = tmpdir
    self.note = tmpdir.join("note")
    self.lib = tmpdir.join("lib")
    package = self.lib.join("ganeti_kvm_pci")
    for name in ("__init__.py", "node/__init__.py"):
      package.ensure(name)
    with open(os.path.join(host.ROOT, "ganeti_kvm_pci", "node",
                           "detached.py")) as stream:
      package.join("node", "detached.py").write(stream.read())
    package.join("cli.py").write(CLI % (
      str(tmpdir.join("wait")), str(self.note), os.getsid(0)))
    monkeypatch.setattr(hooks.installation, "daemon_python",
                        lambda: sys.executable)

  def __call__(self, script, env, monkeypatch):
    monkeypatch.setattr(hooks.installation, "package_parent",
                        lambda: str(self.lib))
    path = self.tmpdir.join("program")
    path.write(hooks._program(script))
    # Ganeti resets it
    process = subprocess.Popen([sys.executable, str(path)], cwd="/", env=env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return process.communicate()[0].decode(), process.returncode


@pytest.fixture
def run(tmpdir, monkeypatch):
  made = Run(tmpdir, monkeypatch)
  return lambda script, env: (made(script, env, monkeypatch), made.note,
                              made.lib)


def test_the_job_does_not_wait(run, tmpdir):
  before = time.time()
  wait = tmpdir.ensure("wait")
  result, note, _ = run(hooks.SCRIPTS[0], FROZEN)
  assert result == ("", 0) and not note.check()
  wait.remove()
  while not note.check() or not note.read():
    assert time.time() - before < 30
    time.sleep(0.1)
  assert note.read() == "['freeze', '--hook'] True"


@pytest.mark.parametrize("change", [
  {"GANETI_INSTANCE_HYPERVISOR": "xen-pvm"}, {"GANETI_INSTANCE_TAGS": ""},
  {"GANETI_INSTANCE_TAGS": "web kvm-pci:acpi-index"}])
def test_nothing_is_started_for_the_others(run, change):
  result, note, lib = run(hooks.SCRIPTS[0], dict(FROZEN, **change))
  assert result == ("", 0)
  # nor is the package looked for
  lib.remove()
  assert run(hooks.SCRIPTS[0], dict(FROZEN, **change))[0] == ("", 0)
  time.sleep(0.5)
  assert not note.check()


def test_where_the_package_is_missing_the_job_says_so(run, tmpdir, monkeypatch):
  _, _, lib = run(hooks.SCRIPTS[0], {})
  lib.remove()
  (said, status), _, _ = run(hooks.SCRIPTS[0], FROZEN)
  assert status == 1
  assert said == "ganeti_kvm_pci is no longer in %s; remove %s\n" % (
    lib, tmpdir.join("program"))
  # but no migration fails by that
  (refusing, ) = [script for script in hooks.SCRIPTS if script.is_optional]
  assert run(refusing, FROZEN)[0] == ("", 0)
