"""What the human monitor says, to the releases that hotplug by it alone."""

import contextlib

import pytest

from ganeti_kvm_pci import hmp_compat
from ganeti_kvm_pci.errors import CommandError


class Operation(object):
  """What L{operation.Operation} has for it."""

  def __init__(self):
    self.human_replies = []


class Upstream(object):
  """What is called up to."""

  def __init__(self):
    self.answers = {}
    self.asked = []
    self.operation = Operation()

  def _Running(self, _):
    return self.operation

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


class Compat(Upstream, hmp_compat.HmpCompat):
  pass


class Device(object):
  uuid = "000000d5-1111-2222-3333-000000000001"
  pci = 8


DISK = ["drive_add dummy file=/x", "device_add virtio-blk-pci"]
NIC = ["netdev_add tap,id=x", "device_add virtio-net-pci"]


def said(hyper):
  hyper._VerifyHotplugCommand("vm1", Device, "hotdisk", True)
  return hyper.said


def test_a_disk_is_added_by_qmp_where_no_answer_is_lost():
  hyper = Compat()
  hyper.answers = {"drive_add": "OK\r\n", "device_add": "no such bus\r\n"}
  hyper._CallHotplugCommands("vm1", DISK)
  assert hyper.asked == [("QMP", line) for line in DISK]
  assert said(hyper) == [("device_add", "no such bus")]


def test_a_drive_that_was_refused_is_the_last_command():
  hyper = Compat()
  hyper.answers = {"drive_add": "Could not open '/x'\r\n"}
  with pytest.raises(CommandError) as caught:
    hyper._CallHotplugCommands("vm1", DISK)
  assert str(caught.value) == "Could not open '/x'"
  assert hyper.asked == [("QMP", DISK[0])]


def test_a_nic_is_added_where_its_descriptor_is():
  hyper = Compat()
  hyper.answers = {"netdev_add": "no tap\r\n", "device_add": "no netdev\r\n"}
  hyper._CallHotplugCommands("vm1", NIC)
  assert hyper.asked == [("socket", line) for line in NIC]
  assert said(hyper) == [("netdev_add", "no tap"),
                         ("device_add", "no netdev")]
  hyper.answers = {}
  hyper._CallHotplugCommands("vm1", NIC)
  assert not said(hyper)


def test_what_was_said_ends_with_the_operation():
  hyper = Compat()
  hyper.answers = {"device_add": "no such bus\r\n"}
  hyper._CallHotplugCommands("vm1", DISK[1:])
  assert said(hyper)
  hyper.operation = Operation()
  assert not said(hyper)
