"""Talking to QEMU's sockets, and what the lab's guest says on one."""

import os
import re
import select
import subprocess
import time

from commands import LabError


class Socket(object):
  """A connection to a socket of QEMU's, be it on another node."""

  def __init__(self, argv, timeout):
    """Connect.

    @param argv: command that connects its standard input and output with the
      socket
    @param timeout: seconds that all of the conversation may take

    """
    self._name = argv[-1]
    self._deadline = time.monotonic() + timeout
    self._buffer = ""
    self._child = subprocess.Popen(argv, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, bufsize=0)

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self._child.kill()
    self._child.stdin.close()
    self._child.stdout.close()
    self._child.wait()

  def send(self, line):
    self._child.stdin.write(line.encode("utf-8") + b"\n")

  def find(self, pattern):
    """Read until a pattern is found.

    @param pattern: regular expression
    @return: its match; what is before its end will not be looked at again

    """
    while True:
      match = re.search(pattern, self._buffer, re.M | re.S)
      if match:
        self._buffer = self._buffer[match.end():]
        return match
      left = self._deadline - time.monotonic()
      if left <= 0 or not select.select([self._child.stdout], [], [], left)[0]:
        raise LabError("%s: no %r in time, but %r" %
                       (self._name, pattern, self._buffer[-2000:]))
      data = os.read(self._child.stdout.fileno(), 65536)
      if not data:
        raise LabError("%s: no connection: %r" %
                       (self._name, self._buffer[-2000:]))
      self._buffer += data.decode("ascii", "replace").replace("\r", "")


#: The slot of pcie.0 whose functions are the first root ports of a q35 guest,
#: from rp3 on.
FIRST_PORT = 0x17


class Report(object):
  """What a guest reports of itself.

  @ivar text: the report as the guest printed it
  @ivar uptime: seconds since the guest has been booted
  The slot of a device on a root port of q35 is that port's number; of the rest
  of such a guest nothing is told.

  @ivar pci: dictionary of a slot of pci.0 to C{vendor:device} of its function 0
  @ivar disks: dictionary of a disk's name to its slot, or its controller's
  @ivar nics: dictionary of a NIC's name to its slot and MAC address
  @ivar output: what the line that the guest ran has printed
  @ivar status: exit status of that line

  """
  PATTERN = r"^REPORT up=([0-9.]+)\nPCI:(.*?)\nBLK:(.*?)\nNET:(.*?)\nEND\n"

  def __init__(self, match, output=None, status=None):
    self.text = match.group()
    self.uptime = float(match.group(1))
    self.output = output
    self.status = status
    self.pci = {}
    self.disks = {}
    self.nics = {}
    found = self._pairs(match.group(2))
    behind = [pair for pair in found if "-" in pair[0]]
    for (address, device) in behind or found:
      if address.endswith(".0"):
        self.pci[self._slot(address)] = device
    for (name, address) in self._pairs(match.group(3)):
      self.disks[name] = self._slot(address)
    for (name, place) in self._pairs(match.group(4)):
      (address, mac) = place.split("/")
      self.nics[name] = (self._slot(address), mac)

  @staticmethod
  def _pairs(text):
    return [item.split("=", 1) for item in text.split()]

  @staticmethod
  def _slot(address):
    (slot, function) = re.match(r"0000:00:(..)\.(.)", address).groups()
    if "-" not in address:
      return int(slot, 16)
    return (int(slot, 16) - FIRST_PORT) * 8 + int(function) + 3
