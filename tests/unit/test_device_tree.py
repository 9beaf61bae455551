"""Properties in QEMU's C{info qtree}."""

import pytest

from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.qemu import device_tree
from ganeti_kvm_pci.qmp import properties

#: As QEMU 7.2 and 10.0 print it, but for the properties that are left out.
TEXT = """\
bus: main-system-bus
  type System
  dev: i440FX-pcihost, id ""
    vectors = 9 (0x9)
    bus: pci.0
      type PCI
      dev: virtio-net-pci, id "nic-a0"
        ioeventfd = true
        vectors = 4 (0x4)
        addr = 1b.0
        acpi-index = 0 (0x0)
        class Ethernet controller, addr 00:1b.0, pci id 1af4:1000
        bar 0: i/o at 0xffffffffffffffff [0x1e]
        bus: virtio-bus
          type virtio-pci-bus
          dev: virtio-net-device, id ""
            mq = false
            mac = "aa:00:00:00:00:03"
            netdev = "nic-a0"
            speed = -1 (0xffffffffffffffff)
      dev: virtio-scsi-pci, id "scsi"
        vectors = 5 (0x5)
        bus: virtio-bus
          type virtio-pci-bus
          dev: virtio-scsi-device, id ""
            num_queues = 3 (0x3)
            bus: scsi.0
              type SCSI
              dev: scsi-hd, id "disk-d0"
                serial = "SERIAL"
                scsi-id = 2 (0x2)
                lun = 0 (0x0)
      dev: PIIX3, id ""
        vectors = 8 (0x8)
"""

NAMES = ["vectors", "addr", "acpi-index", "mq", "mac", "netdev", "speed",
         "num_queues", "serial", "scsi-id", "lun"]

READ = {
  "nic-a0": {"vectors": 4, "acpi-index": 0, "mq": False, "speed": -1,
             "mac": "aa:00:00:00:00:03", "netdev": "nic-a0"},
  "scsi": {"vectors": 5, "num_queues": 3},
  "disk-d0": {"serial": "SERIAL", "scsi-id": 2, "lun": 0},
  }


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_device_has_its_own_and_those_of_its_inner_one(end):
  found = device_tree.parse(TEXT.replace("\n", end), NAMES)
  assert found == READ
  # no truth value instead of a number, or the other way round
  assert found["nic-a0"]["mq"] is False
  assert found["nic-a0"]["acpi-index"] is not False


def test_what_is_not_wanted_is_left_out():
  assert device_tree.parse(TEXT, ["mac"]) == {
    "nic-a0": {"mac": "aa:00:00:00:00:03"}, "scsi": {}, "disk-d0": {}}


@pytest.mark.parametrize("serial", [
  "x\n                scsi-id = 7 (0x7)",
  'x"\n                scsi-id = 7 (0x7)\n                y = "'])
def test_a_line_break_in_a_text_makes_up_no_property(serial):
  found = device_tree.parse(TEXT.replace("SERIAL", serial), NAMES)
  assert "scsi-id" not in found["disk-d0"] and found["disk-d0"]["lun"] == 0
  assert found["nic-a0"] == READ["nic-a0"]


def test_a_line_break_in_a_text_makes_up_no_device():
  found = device_tree.parse(TEXT.replace(
    "SERIAL", 'x"\n      dev: virtio-net-pci, id "nic-a0"\n        mq = true'),
                            NAMES)
  assert "nic-a0" not in found


@pytest.mark.parametrize("text", ['a\\"b', 'a"b', "<null>", "1b.0", "", "7",
                                  "0x7", "TRUE"])
def test_what_may_mean_something_else_is_left_out(text):
  assert device_tree.parse('dev: x, id "x"\n  mac = %s\n' % text,
                           NAMES) == {"x": {}}


@pytest.mark.parametrize("text", ["", "unknown command", "dev:", "bus: x"])
def test_another_text_tells_nothing(text):
  assert device_tree.parse(text, NAMES) == {}


class Qemu(object):
  """Answers what L{properties} asks.

  @ivar asked: list, what it was asked for

  """
  def __init__(self, tree):
    self._tree = tree
    self.asked = []

  def execute(self, command, arguments):
    self.asked.append(tuple(sorted(arguments.values())))
    if command == "human-monitor-command":
      if self._tree is None:
        raise CommandError(command, "no")
      return self._tree
    return [{"name": "mac", "type": "str"}, {"name": "vectors", "type": "int"},
            {"name": "parent_bus", "type": "link<bus>"}] \
      if command == "qom-list" else "got " + arguments["property"]


PATH = "/machine/peripheral/nic-a0"
WANTED = frozenset(["mac", "vectors", "parent_bus", "unit"])


def test_only_what_is_not_told_at_once_is_asked_for():
  qemu = Qemu(TEXT)
  asked = properties.Properties(qemu.execute, WANTED, 30)
  assert asked.of(PATH, "virtio-net-pci", WANTED) == {
    "mac": "aa:00:00:00:00:03", "vectors": 4, "parent_bus": "got parent_bus"}
  assert asked.of(PATH, "virtio-net-pci", frozenset(["mac"])) == {
    "mac": "aa:00:00:00:00:03"}
  assert qemu.asked == [("info qtree", ), (PATH, ), (PATH, "parent_bus")]


@pytest.mark.parametrize("tree, count", [(None, 30), ("", 30), (TEXT, 1)])
def test_without_all_properties_each_is_asked_for(tree, count):
  qemu = Qemu(tree)
  asked = properties.Properties(qemu.execute, WANTED, count)
  assert asked.of(PATH, "virtio-net-pci", WANTED) == {
    "mac": "got mac", "vectors": "got vectors",
    "parent_bus": "got parent_bus"}
  assert (("info qtree", ) in qemu.asked) == (count > 1)


@pytest.mark.parametrize("name", ["parent_bus", "unit"])
def test_a_line_break_in_a_text_makes_up_nothing_that_is_not_told(name):
  """The tree tells no link; nor has a driver what its list does not have."""
  wanted = frozenset([name, "mac"])
  text = TEXT.replace("mac = ", '%s = "/fake"\n        mac = ' % name)
  assert device_tree.parse(text, wanted)["nic-a0"][name] == "/fake"
  qemu = Qemu(text)
  found = properties.Properties(qemu.execute, wanted, 30).of(
    PATH, "virtio-net-pci", wanted)
  assert found["mac"] == "aa:00:00:00:00:03"
  assert found.get(name) == ("got parent_bus" if name == "parent_bus" else None)
