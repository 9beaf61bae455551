"""What two QEMUs are told to have, held against what the one sends the other.

QEMU's stream does not say where most devices off the PCI bus are; what it does
not notice must be seen before.

"""

import os
import time

import pytest

from conftest import version

from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.qemu import topology as topology_
from ganeti_kvm_pci.qmp import client
from ganeti_kvm_pci.qmp import inventory
from ganeti_kvm_pci.qmp import properties

IDS = ["disk-000000d%d-1111-2222" % n for n in range(2)]

#: As Ganeti up to 3.0 starts IDE disks, and as 3.1 does. What names no bus
#: goes to the first one in the one case, to the last in the other.
BY_DRIVE = ["-nodefaults"] + [
  "-drive if=ide,format=raw,file=D%d" % n for n in range(2)]
BY_OPTION = ["-nodefaults"] + [
  "-drive if=none,format=raw,file=D%d,id=%s -device ide-hd,drive=%s" %
  (n, name, name) for n, name in enumerate(IDS)]
THERE = ["-nodefaults"] + [text + ",bus=ide.0,unit=%d" % n
                           for n, text in enumerate(BY_OPTION[1:])]
CD = "-nodefaults -drive if=none,media=cdrom,format=raw,file=D1,id=cd -device "
FLOPPY = "-drive if=none,format=raw,file=D0,id=fd -device floppy,drive=fd"
STICK = "-usb -drive if=none,format=raw,file=D0,id=s -device usb-storage,drive=s"
PORTS = ("-chardev null,id=c -device virtio-serial-pci -device"
         " virtserialport,chardev=c,id=agent")
SCSI = ("-device virtio-scsi-pci,id=scsi -device virtio-scsi-pci -drive"
        " if=none,format=raw,file=D0,id=x -device scsi-hd,drive=x,bus=")
#: The names of both buses are scsi.0.
FIRST = "pci.0/scsi/virtio-bus/virtio-scsi-device/scsi.0"

SAME = [
  (" ".join(BY_DRIVE), " ".join(THERE)),
  (" ".join(BY_DRIVE), " ".join(THERE[:1] + THERE[:0:-1])),
  (" ".join(BY_OPTION), " ".join(THERE).replace("ide.0", "ide.1")),
  ("-nodefaults -drive if=ide,media=cdrom,format=raw,file=D1",
   CD + "ide-cd,drive=cd,bus=ide.0"),
  # QEMU's own drive is where the option would put another
  ("-vga std", "-device ide-cd,bus=ide.1,unit=0"),
  ("-drive if=floppy,format=raw,file=D0", FLOPPY),
  ("-usb -usbdevice tablet", "-usb -device usb-tablet,id=pointer"),
  ("-usb -device usb-kbd", "-usb -device usb-kbd,id=k,port=1"),
  (PORTS, PORTS + ",nr=1"),
  (SCSI + "scsi.0", SCSI + "scsi.0,scsi-id=0"),
  # their port is a number, and no USB port
  ("-nodefaults -device pcie-root-port",
   "-nodefaults -device pcie-root-port,addr=2"),
  ]

#: A sound card that QEMU makes by itself, on old and newer QEMU.
SOUND = "-nodefaults -soundhw %s" if version() < (7, 1) else \
  "-nodefaults -audio none,model=%s"
SAME += [
  (SOUND % "ac97", "-nodefaults -device AC97,audiodev=none"),
  (SOUND % "hda", "-nodefaults -device intel-hda -device"
   " hda-duplex,audiodev=none"),
  ]

DIFFERENT = [
  (SOUND % "hda", "-nodefaults -device intel-hda", "hda-duplex"),
  (SOUND % "ac97", "-nodefaults -device ES1370,audiodev=none", "PCI device"),
  (" ".join(BY_DRIVE), " ".join(BY_OPTION), "ide-hd"),
  (" ".join(BY_DRIVE), " ".join(THERE).replace("unit=0", "unit=").replace(
    "unit=1", "unit=0").replace("unit= ", "unit=1 "), "ide-hd"),
  (" ".join(BY_DRIVE[:2]), " ".join(THERE[:2]).replace("unit=0", "unit=1"),
   "ide-hd"),
  (CD + "ide-cd,drive=cd,bus=ide.0", CD + "ide-cd,drive=cd,bus=ide.1",
   "ide-cd"),
  (FLOPPY, FLOPPY + ",unit=1", "floppy"),
  (STICK + ",port=1", STICK + ",port=2", "usb-storage"),
  (PORTS + ",nr=3", PORTS + ",nr=5", "virtserialport"),
  (SCSI + "scsi.0,scsi-id=5,lun=0", SCSI + "scsi.0,scsi-id=5,lun=1", "scsi-hd"),
  (SCSI + "scsi.0", SCSI + FIRST, "scsi-hd"),
  ]


class Two(object):
  """Two QEMUs and their disks."""

  def __init__(self, qemu, folder):
    self._qemu = qemu
    self._folder = folder
    self._names = {}
    for number, name in enumerate(IDS):
      path = self._image(number)
      self._names[path] = name
      with open(path, "wb") as stream:
        stream.truncate(1 << 20)

  def _image(self, number):
    return os.path.join(self._folder, "disk%d" % number)

  def start(self, text, *more):
    """Start one; returns its monitor."""
    for number in range(len(IDS)):
      text = text.replace("file=D%d" % number, "file=" + self._image(number))
    socket = self._qemu.start(*(text.split() + list(more)))
    assert socket, self._qemu.output
    return socket

  def compare(self, one, other):
    """Send what one command makes to what the other does.

    @return: what differs, and what QEMU says of the migration in the end

    """
    place = os.path.join(self._folder, "stream")
    target = self.start(other, "-incoming", "unix:" + place)
    source = self.start(one)
    parts = []
    for socket in (source, target):
      with client.connect(socket) as execute:
        parts.append(inventory.topology(execute, self._names))
    with client.connect(source) as execute:
      execute("migrate-set-capabilities", {
        "capabilities": [{"capability": "return-path", "state": True}]})
      execute("migrate", {"uri": "unix:" + place})
      status = None
      deadline = time.time() + 60
      while status not in ("completed", "failed"):
        assert time.time() < deadline, status
        time.sleep(0.02)
        status = execute("query-migrate", None).get("status")
    self._qemu.stop()
    found = topology_.differences(*parts)
    print(status, found)
    return found, status


@pytest.fixture
def two(qemu, tmpdir):
  return Two(qemu, str(tmpdir))


@pytest.mark.parametrize("one, other", SAME)
def test_what_qemu_takes_over_is_the_same(two, one, other):
  assert two.compare(one, other) == ([], "completed")
  assert two.compare(other, one) == ([], "completed")


@pytest.mark.parametrize("one, other, driver", DIFFERENT)
def test_what_is_elsewhere_is_seen_though_qemu_may_not_tell(two, one, other,
                                                            driver):
  for pair in ((one, other), (other, one)):
    found, _ = two.compare(*pair)
    assert found and any(driver in text for text in found)


NAMES = inventory._OF_ALL | inventory._OF_VIRTIO

#: Of most drivers what has the properties that are asked for.
MANY = [
  "-nodefaults" + "".join(
    " -netdev hubport,hubid=0,id=n%d -device %s,netdev=n%d,id=nic%d" %
    (n, driver, n, n) for n, driver in enumerate([
      "virtio-net-pci", "e1000", "rtl8139",
      "virtio-net-pci,mq=on,vectors=10,host_mtu=9000,mac=52:54:00:12:34:56"])),
  "-nodefaults -device virtio-balloon-pci,id=balloon -device"
  " virtio-rng-pci,id=rng " + SCSI.replace("-pci,id", "-pci,num_queues=3,id") +
  "scsi.0,scsi-id=3,lun=2 " + PORTS,
  "-nodefaults -usb -device usb-tablet,id=t,port=2 -device usb-kbd,id=k -device"
  " lsi,id=l -device intel-hda,id=h -drive if=none,format=raw,file=D0,id=x"
  " -device virtio-blk-pci,id=y,drive=x,serial=a=b -device ide-cd,id=c,bus=ide.1",
  ]


#: A guest of Ganeti's, which starts QEMU with its own drives.
USUAL = "-usb -device usb-tablet -device virtio-balloon-pci" + "".join(
  " -drive if=none,format=raw,file=D%d,id=disk%d -device"
  " virtio-blk-pci,drive=disk%d,id=disk%d" % (n, n, n, n) for n in range(2))


def all_of(options):
  return sorted(set(text for pair in options for text in pair[:2]))


@pytest.mark.parametrize("options", MANY + [USUAL] + all_of(SAME + DIFFERENT))
def test_what_is_told_at_once_is_what_qom_get_tells(two, options, monkeypatch):
  trees, commands = [], []
  read = properties.device_tree.Tree
  monkeypatch.setattr(properties.device_tree, "Tree", lambda *args:
                      trees.append(read(*args)) or trees[-1])
  with client.connect(two.start(options)) as execute:

    def noting(command, arguments):
      commands.append(command)
      return execute(command, arguments)

    def without_tree(command, arguments):
      if "info qtree" in (arguments or {}).values():
        raise CommandError(command, "no")
      return noting(command, arguments)

    found = inventory.topology(noting)
    counts = [len(commands)]
    assert inventory.topology(without_tree) == found
    counts.append(len(commands) - counts[0])
    (told, _) = trees
    known = {}
    for path, values in told.properties.items():
      known[path] = set(item["name"] for item in
                        execute("qom-list", {"path": path}))
      for name, value in values.items():
        if name in NAMES & known[path]:
          answer = execute("qom-get", {"path": path, "property": name})
          assert (answer, type(answer)) == (value, type(value)), (path, name)
    for path, bus in told.buses.items():
      answer = execute("qom-get", {"path": path, "property": "parent_bus"})
      if bus.startswith("//"):
        bus = bus[bus.rindex("/"):]
      assert answer == bus or bus.count("/") == 1 and answer.endswith(bus)
  print(counts)
  assert counts[0] <= counts[1] + 1
  # of the usual ones, nothing is left to be asked
  if options == USUAL:
    assert "qom-get" not in commands[:counts[0]] and counts[1] > counts[0] + 12
