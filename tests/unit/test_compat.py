"""What the human monitor says, in the series that hotplug by it alone."""

import contextlib

import pytest

from ganeti_kvm_pci import compat
from ganeti_kvm_pci.errors import CommandError


class Stock(object):
  """What is called up to, and what L{reconcile} has."""

  def __init__(self):
    self.answers = {}
    self.asked = []

  def _CallMonitorCommand(self, _, line):
    self.asked.append(("socket", line))

    class Result(object):
      stdout = "QEMU 2.0 monitor\r\n(qemu) x\r\n%s(qemu) " % self.answers.get(
        line.split(" ")[0], "")

    return Result

  @contextlib.contextmanager
  def _Monitor(self, _):
    def execute(command, arguments):
      assert command == "human-monitor-command"
      self.asked.append(("QMP", arguments["command-line"]))
      return self.answers.get(arguments["command-line"].split(" ")[0], "")
    yield execute

  def _VerifyDevice(self, _name, _id, _should_exist, said):
    self.said = list(said)


class Kind(compat.HmpCompat, Stock):
  pass


class Device(object):
  uuid = "000000d5-1111-2222-3333-000000000001"
  pci = 8


DISK = ["drive_add dummy file=/x", "device_add virtio-blk-pci"]
NIC = ["netdev_add tap,id=x", "device_add virtio-net-pci"]


def said(kind):
  kind._VerifyHotplugCommand("vm1", Device, "hotdisk", True)
  return kind.said


def test_a_disk_is_added_by_qmp_where_no_answer_is_lost():
  kind = Kind()
  kind.answers = {"drive_add": "OK\r\n", "device_add": "no such bus\r\n"}
  kind._CallHotplugCommands("vm1", DISK)
  assert kind.asked == [("QMP", line) for line in DISK]
  assert said(kind) == [("device_add", "no such bus")]


def test_a_drive_that_was_refused_is_the_last_command():
  kind = Kind()
  kind.answers = {"drive_add": "Could not open '/x'\r\n"}
  with pytest.raises(CommandError) as caught:
    kind._CallHotplugCommands("vm1", DISK)
  assert str(caught.value) == "Could not open '/x'"
  assert kind.asked == [("QMP", DISK[0])]


def test_a_nic_is_added_where_its_descriptor_is():
  kind = Kind()
  kind.answers = {"netdev_add": "no tap\r\n", "device_add": "no netdev\r\n"}
  kind._CallHotplugCommands("vm1", NIC)
  assert kind.asked == [("socket", line) for line in NIC]
  assert said(kind) == [("netdev_add", "no tap"),
                              ("device_add", "no netdev")]
  kind.answers = {}
  kind._CallHotplugCommands("vm1", NIC)
  assert not said(kind)
