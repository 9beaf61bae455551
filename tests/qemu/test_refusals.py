"""What a real QEMU's human monitor says to those who hotplug by it alone.

Ganeti 2.10 to 2.12; L{start_error} reads it, and L{hmp_compat} asks.

"""

import os
import socket

import pytest

from ganeti_kvm_pci import hmp_compat
from ganeti_kvm_pci import operation
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.qmp import client

PROMPT = b"(qemu) "


class Device(object):
  uuid = "000000d5-1111-2222-3333-000000000001"
  pci = 8


ID = "hot%s-000000d5-pci-8"


class Compat(hmp_compat.HmpCompat):
  """That of these versions, with both monitors of one QEMU."""

  def __init__(self, qmp, human):
    self.qmp = qmp
    self.human = human
    self._operation = operation.Operation("vm1", qmp, "/nonexistent/conf/x")

  def _LeaveMonitor(self):
    pass

  def _Monitor(self, _):
    return client.connect(self.qmp)

  def _CallMonitorCommand(self, _, line):
    """Do what Ganeti's program does, and wait for the answer."""
    said = b""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(self.human)
    for prompts, words in ((1, b""), (2, line.encode() + b"\n")):
      sock.sendall(words)
      while said.count(PROMPT) < prompts or not said.endswith(PROMPT):
        more = sock.recv(65536)
        assert more
        said += more
    sock.close()

    class Result(object):
      stdout = said.decode()

    return Result


@pytest.fixture
def hv(qemu):
  human = os.path.join(qemu.folder, "human")
  return Compat(qemu.start("-monitor", "unix:%s,server,nowait" % human), human)


def refused(hv, device_type, *commands):
  with pytest.raises(CommandError) as caught:
    hv._CallHotplugCommands("vm1", commands)
    hv._VerifyHotplugCommand("vm1", Device, device_type, True)
  print(caught.value)
  return (caught.value.command, str(caught.value))


def test_a_disk(hv, tmpdir):
  drive = "drive_add dummy file=%s,if=none,id=" + ID % "disk" + ",format=raw"
  device = ("device_add virtio-blk-pci,bus=pci.0,addr=%s,drive=" + ID % "disk" +
            ",id=" + ID % "disk")
  absent = str(tmpdir.join("absent"))
  assert refused(hv, "hotdisk", drive % absent, device % "0x8") == (
    "drive_add", "Could not open '%s': No such file or directory" % absent)
  with open(absent, "wb") as stream:
    stream.truncate(1 << 20)
  command, words = refused(hv, "hotdisk", drive % absent, device % "0x2")
  assert command == "device_add" and "slot 2 function 0 not available" in words
  # the drive is there now
  hv._CallHotplugCommands("vm1", [device % "0x8"])
  hv._VerifyHotplugCommand("vm1", Device, "hotdisk", True)


def test_a_nic(hv):
  netdev = "netdev_add %s,id=" + ID % "nic"
  device = ("device_add virtio-net-pci,bus=pci.0,addr=0x8,netdev=" +
            ID % "nic" + ",id=" + ID % "nic")
  command, words = refused(hv, "hotnic", netdev % "tap,fd=none", device)
  assert command == "netdev_add" and "Error: " not in words
  assert words.startswith("File descriptor named 'none' has not been found; ")
  hv._CallHotplugCommands("vm1", [netdev % "user", device])
  hv._VerifyHotplugCommand("vm1", Device, "hotnic", True)
