"""A real QEMU, paused, asked through Ganeti's own client."""

import os
import re
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.errors import KvmPciError # pylint: disable=C0413
from ganeti_kvm_pci.node import installation # pylint: disable=C0413

QEMU = os.environ.get("QEMU", "qemu-system-x86_64")

try:
  installation.make_ganeti_importable()
except KvmPciError as err:
  pytest.exit("tests/qemu needs a real Ganeti: %s" % err, 1)


def version():
  """Return QEMU's version: tuple of two ints."""
  text = subprocess.check_output([QEMU, "--version"]).decode()
  return tuple(int(n) for n in re.search(r"(\d+)\.(\d+)", text).groups())


class Qemu(object):
  """Starts QEMUs, and ends them.

  @ivar output: what the last one printed

  """
  def __init__(self, folder):
    self.folder = folder
    self.processes = []
    self.output = ""

  def start(self, *options, **others):
    """Start a paused QEMU of machine type pc.

    @param others: C{machine_type}, another than pc
    @return: path of its QMP socket; None if it gave up

    """
    socket = os.path.join(self.folder, "qmp%d" % len(self.processes))
    log = open(socket + ".log", "w+")
    process = subprocess.Popen(
      [QEMU] + list(options) +
      ["-machine", others.get("machine_type", "pc"), "-m", "32", "-S",
       "-display", "none", "-audiodev",
       "none,id=none", "-qmp", "unix:%s,server,nowait" % socket],
      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    self.processes.append(process)
    deadline = time.time() + 30
    while process.poll() is None and not os.path.exists(socket):
      assert time.time() < deadline
      time.sleep(0.01)
    # the socket is there before the devices are
    while process.poll() is None and time.time() < deadline:
      from ganeti_kvm_pci.qmp import client
      from ganeti_kvm_pci.qmp import queries
      try:
        with client.connect(socket) as execute:
          queries.functions(execute, Partition())
        break
      except KvmPciError:
        time.sleep(0.02)
    log.seek(0)
    self.output = log.read()
    return socket if process.poll() is None else None

  def stop(self):
    for process in self.processes:
      if process.poll() is None:
        process.kill()
      process.wait()


@pytest.fixture
def qemu(tmpdir):
  started = Qemu(str(tmpdir))
  yield started
  started.stop()
