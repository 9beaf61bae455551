"""QEMUs of several versions, without Ganeti: what QEMU itself takes over.

That of this host, and those in the roots of C{tools/test-suite}. QMP is on the
standard streams, and guests travel over TCP, so that a root needs nothing from
outside.

"""

import glob
import json
import os
import re
import socket
import subprocess
import tempfile
import time

from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.qemu import reply_shapes
from ganeti_kvm_pci.qmp import board
from ganeti_kvm_pci.qmp import inventory
from ganeti_kvm_pci.qmp import vcpus
from ganeti_kvm_pci.runtime import topology_file

SUITES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__)))), ".cache", "suites")
_QEMU = "qemu-system-x86_64"
_PATIENCE = 120


def _found():
  """Find QEMUs: dict, version to the words that begin its command."""
  found = {}
  roots = [root for root in sorted(glob.glob(os.path.join(SUITES, "*")))
           if os.path.isdir(os.path.join(root, "usr"))]
  for words in [["chroot", root, _QEMU] for root in roots] + [
      [os.environ.get("QEMU", _QEMU)]]:
    try:
      text = subprocess.check_output(words + ["--version"]).decode()
    except (EnvironmentError, subprocess.CalledProcessError):
      continue
    found[re.search(r"version (\d+\.\d+)", text).group(1)] = words
  return found


QEMUS = _found()


class Refused(Exception):
  """QEMU did not start."""


class Qemu(object):
  """One QEMU."""

  def __init__(self, version, options, port=None):
    """Start it.

    @param port: where it waits for a guest; None if it has one
    @raise Refused: with its words

    """
    self._said = tempfile.TemporaryFile("w+")
    self._process = subprocess.Popen(
      QEMUS[version] + ["-display", "none", "-qmp", "stdio"] +
      options + (["-incoming", "tcp:127.0.0.1:%d" % port] if port else []),
      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
      universal_newlines=True, bufsize=1)
    if not self._read() or self("qmp_capabilities") is None:
      self.stop()
      raise Refused(self.said())

  def _read(self):
    line = self._process.stdout.readline()
    return json.loads(line) if line else None

  def __call__(self, command, arguments=None):
    """Be what runs a QMP command; None if it has ended."""
    try:
      self._process.stdin.write(json.dumps(
        {"execute": command, "arguments": arguments or {}}) + "\n")
      self._process.stdin.flush()
    except EnvironmentError:
      return None
    while True:
      reply = self._read()
      if reply is None:
        return None
      if "return" in reply:
        return reply["return"]
      if "error" in reply:
        raise CommandError(command, reply["error"]["desc"],
                           reply["error"]["class"])

  def said(self):
    """Return what it complained of."""
    self._said.seek(0)
    return "".join(line for line in self._said if "warning: " not in line)

  def stop(self):
    if self._process.poll() is None:
      self._process.kill()
    self._process.wait()

  def look(self):
    """Ask for all that is compared: parts, number of vCPUs, the rest."""
    execute = reply_shapes.checking(self)
    return (inventory.topology(execute), vcpus.count(execute),
            board.ask(execute))


def _free_port():
  taken = socket.socket()
  taken.bind(("127.0.0.1", 0))
  try:
    return taken.getsockname()[1]
  finally:
    taken.close()


def _send(source, target, port):
  """Send a guest; tell whether the target has it."""
  source("migrate-set-capabilities", {
    "capabilities": [{"capability": "return-path", "state": True}]})
  source("migrate", {"uri": "tcp:127.0.0.1:%d" % port})
  status = _wait(source, "query-migrate", ("completed", "failed"), True)
  # it is as the source was: running, paused, not started
  return status == "completed" and \
    _wait(target, "query-status", ("inmigrate", ), False) is not None


def _wait(qemu, query, states, are_wanted):
  """Wait until a state is one of some, or none of these; None if QEMU ends."""
  deadline = time.time() + _PATIENCE
  while time.time() < deadline:
    status = (qemu(query) or {"status": None}).get("status")
    if status is None and query == "query-status" or \
        (status in states) == are_wanted:
      return status
    time.sleep(0.02)
  raise AssertionError(qemu.said())


def _told(found):
  """Have it travel."""
  return topology_file.read(json.loads(json.dumps(topology_file.write(
    found[0], "source", *found[1:]))), "source", "test")


def move(versions, here, there, boot=0, until=None):
  """Send what one command makes to what another does.

  @type versions: tuple of two strings
  @param here: the source's options
  @param there: the target's
  @param boot: seconds that the guest runs before; 0 if it does not
  @param until: text; the guest runs until it has printed this
  @return: whether QEMU takes it, what the plugin says differs, and what the
      target's QEMU complained of
  @raise Refused: if one of them did not start

  """
  port = _free_port()
  started = []
  log = tempfile.NamedTemporaryFile("r")
  try:
    for version, options, where in (
        (versions[0], here + ([] if boot or until else ["-S"]), None),
        (versions[1], there, port)):
      if until:
        options = options + ["-serial", "file:%s" % (
          os.devnull if where else log.name)]
      started.append(Qemu(version, options, where))
    source, target = started
    time.sleep(boot)
    deadline = time.time() + _PATIENCE
    while until and until not in log.read():
      assert time.time() < deadline, "the guest does not boot"
      log.seek(0)
      time.sleep(0.2)
    differs = _told(source.look()).differences(*target.look())
    taken = _send(source, target, port)
    return (taken, differs, target.said())
  finally:
    for qemu in started:
      qemu.stop()
    log.close()
