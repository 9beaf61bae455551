"""Properties in QEMU's C{info qtree}."""

import pytest

from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.qemu import device_tree
from ganeti_kvm_pci.qemu import replies
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
  "nic-a0": {"vectors": 4, "addr": 0x1b << 3, "acpi-index": 0, "mq": False,
             "speed": -1, "mac": "aa:00:00:00:00:03", "netdev": "nic-a0"},
  "scsi": {"vectors": 5, "num_queues": 3},
  "disk-d0": {"serial": "SERIAL", "scsi-id": 2, "lun": 0},
  }


def parse(text, names):
  """Return what is told of devices with an id, by that."""
  found = device_tree.Tree(text, names, [], {}).properties
  return dict((path.rpartition("/")[2], dict(
    (name, value) for name, value in told.items() if name in names))
              for path, told in found.items()
              if path.startswith(replies.WITH_ID + "/"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_device_has_its_own_and_those_of_its_inner_one(end):
  found = parse(TEXT.replace("\n", end), NAMES)
  assert found == READ
  # no truth value instead of a number, or the other way round
  assert found["nic-a0"]["mq"] is False
  assert found["nic-a0"]["acpi-index"] is not False


def test_what_is_not_wanted_is_left_out():
  assert parse(TEXT, ["mac"]) == {
    "nic-a0": {"mac": "aa:00:00:00:00:03"}, "scsi": {}, "disk-d0": {}}


@pytest.mark.parametrize("serial", [
  "x\n                scsi-id = 7 (0x7)",
  'x"\n                scsi-id = 7 (0x7)\n                y = "'])
def test_a_line_break_in_a_text_makes_up_no_property(serial):
  found = parse(TEXT.replace("SERIAL", serial), NAMES)
  assert "scsi-id" not in found["disk-d0"] and found["disk-d0"]["lun"] == 0
  assert found["nic-a0"] == READ["nic-a0"]


def test_a_line_break_in_a_text_makes_up_no_device():
  found = parse(TEXT.replace(
    "SERIAL", 'x"\n      dev: virtio-net-pci, id "nic-a0"\n        mq = true'),
                NAMES)
  assert "nic-a0" not in found


@pytest.mark.parametrize("text", ['a\\"b', 'a"b', "<null>", "1b.0", "", "7",
                                  "0x7", "TRUE"])
def test_what_may_mean_something_else_is_left_out(text):
  assert parse('dev: x, id "x"\n  mac = %s\n' % text, NAMES) == {"x": {}}


@pytest.mark.parametrize("text", ["", "unknown command", "dev:", "bus: x"])
def test_another_text_tells_nothing(text):
  assert parse(text, NAMES) == {}


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


@pytest.mark.parametrize("addr", ["<unset>", "20.0", "0.0", "1b.8", "1b"])
def test_an_address_has_a_slot_and_a_function(addr):
  assert parse('dev: x, id "x"\n  addr = %s\n' % addr, NAMES) == {"x": {}}


def test_only_what_is_not_told_at_once_is_asked_for():
  qemu = Qemu(TEXT.replace("bus: pci.0", "bus:"))
  asked = properties.Properties(qemu.execute, WANTED)
  assert asked.of(PATH, "virtio-net-pci", WANTED) == {
    "mac": "aa:00:00:00:00:03", "vectors": 4, "parent_bus": "got parent_bus"}
  assert asked.of(PATH, "virtio-net-pci", frozenset(["mac"])) == {
    "mac": "aa:00:00:00:00:03"}
  assert qemu.asked == [("info qtree", ), (PATH, ), (PATH, "parent_bus")]


@pytest.mark.parametrize("tree", [None, ""])
def test_without_all_properties_each_is_asked_for(tree):
  qemu = Qemu(tree)
  asked = properties.Properties(qemu.execute, WANTED)
  assert asked.of(PATH, "virtio-net-pci", WANTED) == {
    "mac": "got mac", "vectors": "got vectors",
    "parent_bus": "got parent_bus"}
  assert qemu.asked[0] == ("info qtree", )


@pytest.mark.parametrize("name", ["parent_bus", "unit"])
def test_a_line_break_in_a_text_makes_up_nothing_that_is_not_told(name):
  """The tree tells no link; nor has a driver what its list does not have."""
  wanted = frozenset([name, "mac"])
  text = TEXT.replace("mac = ", '%s = "/fake"\n            mac = ' %
                      name).replace("bus: pci.0", "bus:")
  assert parse(text, wanted)["nic-a0"][name] == "/fake"
  qemu = Qemu(text)
  found = properties.Properties(qemu.execute, wanted).of(
    PATH, "virtio-net-pci", wanted)
  assert found["mac"] == "aa:00:00:00:00:03"
  assert found.get(name) == ("got parent_bus" if name == "parent_bus" else None)


def test_which_properties_a_driver_has_is_asked_once_for_a_program():
  """It is the same in all QEMUs that run it."""
  answers = {}

  def kept(question, ask, fits):
    if question not in answers:
      answers[question] = ask()
    assert fits(answers[question]) and not fits(None) and not fits({"x": 1})
    return answers[question]

  asked = []
  for _ in range(2):
    qemu = Qemu(TEXT)
    properties.Properties(qemu.execute, WANTED, kept=kept).of(
      PATH, "virtio-net-pci", WANTED)
    asked.append(qemu.asked)
  assert asked == [[("info qtree", ), (PATH, )], [("info qtree", )]]
  # another release of the plugin may want others
  qemu = Qemu(TEXT)
  properties.Properties(qemu.execute, WANTED | frozenset(["mq"]),
                        kept=kept).of(PATH, "virtio-net-pci", WANTED)
  assert (PATH, ) in qemu.asked


#: As of a guest with QEMU's own drives, and two disks on one bus.
DRIVES = """\
bus: main-system-bus
  type System
  dev: i440FX-pcihost, id ""
    bus: pci.0
      type PCI
      dev: virtio-balloon-pci, id ""
        addr = 03.0
        acpi-index = 0 (0x0)
        bus: virtio-bus
          type virtio-pci-bus
          dev: virtio-balloon-device, id ""
      dev: virtio-scsi-pci, id "scsi"
        addr = 04.0
        bus: virtio-bus
          type virtio-pci-bus
          dev: virtio-scsi-device, id ""
            bus: scsi.0
              type SCSI
              dev: scsi-hd, id "disk-d0"
                drive = "disk-d0"
                lun = 0 (0x0)
      dev: piix3-ide, id ""
        addr = 01.1
        bus: ide.1
          type IDE
          dev: ide-hd, id ""
            drive = "ide1-hd0"
            unit = 0 (0x0)
          dev: ide-cd, id ""
            drive = "ide1-cd1"
            serial = "SERIAL"
            unit = 1 (0x1)
        bus: ide.0
          type IDE
          dev: ide-hd, id ""
            drive = "ide0-hd0"
            unit = 0 (0x0)
"""

OWN = "/machine/unattached/device[%d]"
UNNAMED = [("/machine/peripheral-anon/device[0]", "virtio-balloon-pci"),
           (OWN % 1, "piix3-ide"), (OWN % 2, "ide-hd"), (OWN % 3, "ide-hd"),
           (OWN % 4, "ide-cd"), (OWN % 5, "irq")]
NAMED_DRIVES = {OWN % 2: "ide0-hd0", OWN % 3: "ide1-hd0", OWN % 4: "ide1-cd1"}


def tree(text, unnamed=None, drives=None):
  return device_tree.Tree(text, NAMES + ["unit"],
                          UNNAMED if unnamed is None else unnamed,
                          NAMED_DRIVES if drives is None else drives)


def test_what_has_no_id_is_known_by_its_drive_or_its_driver():
  found = tree(DRIVES)
  assert found.buses == {
    "/machine/peripheral-anon/device[0]": "/pci.0",
    "/machine/peripheral/scsi": "/pci.0",
    "/machine/peripheral/disk-d0":
      "/machine/peripheral/scsi/virtio-backend/scsi.0",
    OWN % 1: "/pci.0", OWN % 2: OWN % 1 + "/ide.0",
    OWN % 3: OWN % 1 + "/ide.1", OWN % 4: OWN % 1 + "/ide.1"}
  assert found.properties["/machine/peripheral-anon/device[0]"] == {
    "addr": 3 << 3, "acpi-index": 0}
  assert [found.properties[OWN % number]["unit"]
          for number in (2, 3, 4)] == [0, 0, 1]


@pytest.mark.parametrize("text, unnamed, drives, path", [
  # two of a driver
  (DRIVES.replace("piix3-ide", "virtio-balloon-pci"), None, None,
   UNNAMED[0][0]),
  (DRIVES, UNNAMED + [(OWN % 6, "virtio-balloon-pci")], None, UNNAMED[0][0]),
  # two of a drive, or none
  (DRIVES.replace("ide1-hd0", "ide0-hd0"), None, None, OWN % 2),
  (DRIVES, None, {OWN % 2: "ide0-hd0", OWN % 3: "ide0-hd0"}, OWN % 2),
  (DRIVES, None, {OWN % 2: None}, OWN % 2),
  # it is no such device
  (DRIVES, None, {OWN % 5: "ide0-hd0"}, OWN % 5),
  # a text goes on in the next line, which looks like a bus
  (DRIVES.replace("SERIAL", "x\n        bus: ide.2"), None, None, OWN % 2),
  ])
def test_what_may_be_another_device_is_left_out(text, unnamed, drives, path):
  found = tree(text, unnamed, drives)
  assert path not in found.properties and path not in found.buses


def test_a_controller_in_the_chipset_is_known_by_its_address():
  found = tree(DRIVES, [pair for pair in UNNAMED if pair[1] != "piix3-ide"])
  (path, ) = found.controllers
  assert found.controllers[path] == ("pci.0", 1 << 3 | 1)
  assert [found.buses[OWN % number] for number in (2, 3, 4)] == [
    path + "/ide.0", path + "/ide.1", path + "/ide.1"]
  assert path not in found.properties


@pytest.mark.parametrize("text, path", [
  # off PCI, the bus's owner is asked for its address
  (DRIVES.replace("piix3-ide", "other-ide").replace("addr = 01.1", ""),
   OWN % 2),
  (DRIVES.replace("addr = 03.0", "addr = <unset>"), UNNAMED[0][0]),
  (DRIVES.replace("addr = 03.0", "addr = 3 (0x3)"), UNNAMED[0][0]),
  (DRIVES.replace("SERIAL", "x\n        bus: ide.2"),
   "/machine/peripheral/disk-d0"),
  ])
def test_a_bus_that_is_not_sure_is_left_out(text, path):
  found = tree(text)
  assert path in found.properties and path not in found.buses
