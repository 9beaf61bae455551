"""A node with guests, as far as files and processes go."""

import os
import signal
import subprocess

import pytest
from hypothesis import HealthCheck
from hypothesis import settings

import genuine
from ganeti_kvm_pci import qemu_version as qemu_version_
from ganeti_kvm_pci import process
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.node import installation
from ganeti_kvm_pci.node import runtime_files


# A host that has much else to do is no reason to fail. The examples are the
# same each time, so that a change fails for what it changed; "make fuzz" looks
# for new ones.
settings.register_profile("patient", deadline=None,
                          derandomize=not os.environ.get("NEW_EXAMPLES"),
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# a shell has what it starts in the background ignore the first, nohup the
# second; what is tested of them would wait for a minute, and fail
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

#: The QEMU that all programs are.
QEMU = (7, 2)


@pytest.fixture(autouse=True)
def qemu_version(monkeypatch):
  """Whatever QEMU is installed, or none."""
  monkeypatch.setattr(qemu_version_, "version", lambda _: QEMU)
  monkeypatch.setattr(qemu_version_, "release", lambda _: None)


def start_guest(name):
  """Start a process that looks like a guest's; it ends with its input."""
  process = subprocess.Popen(["sh", "-c", "read x", "-name", name],
                             stdin=subprocess.PIPE)
  # its command line comes a moment after Popen thinks that it runs
  while True:
    with open("/proc/%d/cmdline" % process.pid) as stream:
      if name in stream.read():
        return process


class Node(object):
  """What a node looks like to the command.

  @ivar conf: folder of the runtime files

  """
  def __init__(self, folder):
    self._folder = folder
    self._processes = []
    for name in ("conf", "ctrl", "pid"):
      folder.ensure(name, dir=True)
    self.conf = folder.join("conf")
    self.version = (3, 0)

  def control_dir(self, name):
    return str(self._folder.join(name))

  def write(self, text, instance="plain.ex", runs=True):
    """Make a runtime file, and a process that looks like its guest.

    @return: path of the file

    """
    path = self.conf.join(instance + ".runtime")
    path.write_binary(text.encode("utf-8"))
    os.utime(str(path), (1000, 1000))
    if runs:
      self._processes.append(start_guest(instance))
      self._folder.join("pid", instance).write(str(self._processes[-1].pid))
    return path

  def add(self, name, runs=True):
    """Make the genuine runtime file of an instance of its own name."""
    return self.write(genuine.text_of(name), name.split("-")[1].split("+")[0] +
                      ".ex", runs)

  def backup(self, instance="plain.ex", number=0):
    """Return where the old file of an instance is kept."""
    return self._folder.join("kvm-pci", instance + ".runtime.backup" + (
      ".%d" % number if number else ""))

  def backups(self):
    """List what was kept."""
    folder = self._folder.join("kvm-pci")
    return sorted(entry.basename for entry in folder.listdir()
                  if ".backup" in entry.basename) if folder.check() else []

  def close(self):
    for process in self._processes:
      process.stdin.close()
      process.wait()

  def names(self):
    return sorted(entry.basename for entry in self.conf.listdir())


@pytest.fixture
def here(tmpdir, monkeypatch):
  """Provide a node whose Ganeti has a version that a test may choose."""
  made = Node(tmpdir.mkdir("node"))
  monkeypatch.setattr(runtime_files, "control_dir", made.control_dir)
  # no guest runs QEMU here
  monkeypatch.setattr(process, "runs_file", lambda pid, path: None)
  monkeypatch.setattr(installation, "become_daemon_python", lambda *_: None)
  monkeypatch.setattr(installation, "version", lambda: made.version)
  monkeypatch.setattr(installation, "cluster_reservations", lambda: None)
  monkeypatch.setattr(installation, "instance_tags", lambda _: set())
  yield made
  made.close()


@pytest.fixture
def no_ganeti(monkeypatch):
  """Take the Ganeti away."""
  def refuse(*_):
    raise NodeError("no Ganeti in this test")
  monkeypatch.setattr(installation, "become_daemon_python", refuse)


_BECOME = installation.become_daemon_python


@pytest.fixture(autouse=True)
def same_python(monkeypatch):
  """Keep the tests in the Python that they run in."""
  monkeypatch.setattr(installation, "become_daemon_python", lambda *_: None)


@pytest.fixture
def any_python(monkeypatch, same_python):
  """Look for the Ganeti of the node after all."""
  monkeypatch.setattr(installation, "become_daemon_python", _BECOME)
