"""What q35 takes of Ganeti's parameters, with the real QEMU.

Whatever QEMU starts, the plugin does; what q35 has not, is refused in words,
with the remedy. Then what boots: SeaBIOS is given a program of some bytes.

"""

import os
import struct
import time

import pytest

import nodes
from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm
from ganeti_kvm_pci import qemu_version

pytestmark = [
  pytest.mark.skipif(not hasattr(hv_kvm, "_GenerateDeviceHVInfo"),
                     reason="before 2.16, a runtime file has no root port"),
  pytest.mark.parametrize("which", ["plugin"], indirect=True)]

VERSION = qemu_version.version(nodes.QEMU) or (0, 0)

#: Stands for the path of an image.
IMAGE = "@"

#: Parameters that QEMU takes as they are: name to values.
VALUES = {
  "nic_type": ["rtl8139", "ne2k_isa", "ne2k_pci", "i82551", "i82557b",
               "i82559er", "pcnet", "e1000"],
  "disk_type": ["ide", "scsi", "pflash", "scsi-cd", "scsi-hd"],
  "usb_mouse": ["mouse", "tablet"],
  "vga": ["cirrus", "std", "vmware", "qxl", "none", "virtio"],
  "soundhw": ["sb16", "ac97", "hda", "es1370", "ac97,hda", "sb16,hda"],
  "serial_console": [False], "acpi": [False], "use_localtime": [True],
  "usb_devices": ["tablet", "tablet,mouse"], "use_guest_agent": [True],
  "vnc_bind_address": ["127.0.0.1"], "boot_order": ["network"],
  "floppy_image_path": [IMAGE], "cdrom_image_path": [IMAGE],
  }

#: Options of kvm_extra that QEMU takes.
EXTRA = ["-device " + text for text in (
  "isa-serial", "ne2k_isa", "sb16", "isa-ide", "isa-fdc",
  "isa-fdc -device floppy", "isa-debug-exit", "ib700", "pvpanic", "piix3-ide",
  "piix3-usb-uhci", "ich9-usb-ehci1", "AC97", "intel-hda",
  "pci-bridge,chassis_nr=1", "i82801b11-bridge", "ahci", "usb-tablet -usb",
  "am53c974", "lsi", "pcie-root-port,id=mine,chassis=40", "ioh3420,chassis=41",
  "virtio-rng-pci,bus=rp3", "virtio-rng-pci,bus=pcie.0,addr=0x17", "VGA",
  "cirrus-vga", "vmcoreinfo")] + [
    "-fda " + IMAGE, "-fdb " + IMAGE, "-hda " + IMAGE, "-cdrom " + IMAGE,
    "-drive if=floppy,file=%s,format=raw" % IMAGE,
    "-drive if=ide,index=5,file=%s,format=raw" % IMAGE,
    "-machine q35,accel=tcg", "-machine smm=off,vmport=off", "-usbdevice tablet",
    "-net nic,model=ne2k_isa -net user", "-nic user,model=rtl8139",
    "-parallel null", "-global ICH9-LPC.disable_s3=1",
    "-global PIIX4_PM.disable_s3=1", "-nodefaults",
    "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]

_NO_UNIT = "a q35 guest has 6 IDE buses, ide.0 to ide.5, with one unit each"

#: What is refused: parameters, disks, and the words.
REFUSED = [
  ({"disk_type": "ide"}, 7, "no IDE unit is left for"),
  ({"disk_type": "ide", "cdrom_image_path": IMAGE}, 6,
   "no IDE unit is left for"),
  ({"kvm_extra": "-drive if=ide,index=6,format=raw,file=" + IMAGE}, 1, _NO_UNIT),
  ({"kvm_extra": "-drive if=ide,bus=0,unit=1,format=raw,file=" + IMAGE}, 1,
   _NO_UNIT),
  ({"kvm_extra": "-drive if=none,id=x0,format=raw,file=%s -device ide-hd"
                 ",bus=ide.0,unit=1,drive=x0" % IMAGE}, 1, _NO_UNIT),
  ({"kvm_extra": "-device floppy"}, 1, "put -device isa-fdc before it"),
  ({"kvm_extra": "-device virtio-rng-pci,bus=pci.0"}, 1,
   "QEMU has no bus pci.0 for virtio-rng-pci: that of a q35 guest is pcie.0"),
  ({"kvm_extra": "-device virtio-rng-pci,addr=0x1f"}, 1,
   "take addr=0x1f away from virtio-rng-pci in kvm_extra"),
  ({"kvm_extra": "-global virtio-blk-pci.disable-legacy=off"}, 15,
   "take disable-legacy=off out of kvm_extra"),
  ]
if VERSION < (10, 0): # which has no type as old as that
  REFUSED.append(({"machine_version": "pc-q35-2.6"}, 15,
                  "set machine_version to q35 or one from pc-q35-2.7 on"))


def taken():
  """List what QEMU is to take: name, parameters, disks."""
  chosen = [("%s=%s" % (name, value), {name: value}, 2)
            for name, values in sorted(VALUES.items()) for value in values
            if name in constants.HVC_DEFAULTS[constants.HT_KVM]]
  chosen += [(text, {"kvm_extra": text}, 2) for text in EXTRA]
  for disk_type in ("paravirtual", "ide"):
    chosen.append(("two CD-ROMs, " + disk_type, {
      "cdrom_disk_type": disk_type, "cdrom_image_path": IMAGE,
      "cdrom2_image_path": IMAGE + "2"}, 2))
  chosen += [
    ("SPICE", {"spice_bind": "127.0.0.1", "spice_use_vdagent": True}, 2),
    ("6 IDE disks", {"disk_type": "ide"}, 6)]
  for controller in ("lsi", "megasas", "virtio-scsi-pci"):
    chosen.append(("SCSI on " + controller, {
      "disk_type": "scsi-hd", "scsi_controller_type": controller}, 2))
  return chosen


TAKEN = taken()


def filled(node, parameters):
  """Give parameters the paths of images."""
  path = node.image(90)
  os.rename(node.image(91), path + "2")
  return dict((name, value.replace(IMAGE, path)
               if hasattr(value, "replace") else value)
              for name, value in parameters.items())


def start(node, disks, parameters):
  node.start(disks, 2, paused=True, **dict(
    {"machine_version": "q35"}, **filled(node, parameters)))


def is_missing(text):
  """Tell whether this QEMU has dropped, or lacks, what a table has."""
  said = str(text)
  return any(words in said for words in (
    "is not a valid device model name", "invalid option", "does not start with",
    "not support if=scsi", "Unsupported", "not found in the list"))


@pytest.mark.parametrize("parameters, disks", [row[1:] for row in TAKEN],
                         ids=[row[0] for row in TAKEN])
def test_what_qemu_takes_starts(node, parameters, disks):
  try:
    start(node, disks, parameters)
  except errors.HypervisorError as err:
    if VERSION[:1] != (7, ) and is_missing(err):
      pytest.skip(str(err)[-200:])
    raise
  node.hyper.MigrationInfo(node.instance)


@pytest.mark.parametrize("parameters, disks, words", REFUSED,
                         ids=[row[2][:40] for row in REFUSED])
def test_what_q35_has_not_is_refused_in_words(node, parameters, disks, words):
  with pytest.raises(errors.HypervisorError) as caught:
    start(node, disks, parameters)
  assert words in str(caught.value)
  assert not os.path.exists(node.hyper._InstancePidFile(nodes.NAME))


def program(word):
  """Make a program that writes a word to the serial port, for ever."""
  code = b"\xba\xf8\x03" # mov dx, 0x3f8
  for letter in word:
    code += b"\xb0" + letter.encode("ascii") + b"\xee" # mov al, x; out dx, al
  code += b"\x31\xc9" + b"\xe2\xfe" * 2 # xor cx, cx; loop here, twice
  return code + b"\xe9" + struct.pack("<h", -(len(code) + 3)) # jmp to the start


def boot_sector(word, size):
  """Make a disk, or floppy, that a BIOS boots."""
  sector = program(word).ljust(510, b"\0") + b"\x55\xaa"
  return sector.ljust(size, b"\0")


def cdrom(word):
  """Make a CD-ROM by El Torito: no file, one boot image."""
  sector = 2048
  check = struct.pack("<HHHH", 1, 0, 0, 0).ljust(28, b"\0")
  key = 0xaa55
  total = (sum(struct.unpack("<14H", check)) + key) & 0xffff
  catalog = check + struct.pack("<HH", -total & 0xffff, key)
  catalog += (b"\x88" + b"\0" * 5 + struct.pack("<HI", 4, 20)).ljust(32, b"\0")
  descriptor = (b"\0CD001\1EL TORITO SPECIFICATION".ljust(0x47, b"\0") +
                struct.pack("<I", 19))
  return b"".join([b"\0" * 16 * sector] + [
    part.ljust(sector, b"\0") for part in (
      b"\1CD001\1", descriptor, b"\xffCD001\1", catalog,
      boot_sector(word, sector))])


def says(node, word, timeout=60):
  """Wait until the guest says a word on its serial port."""
  serial = nodes.Socket(node.hyper._InstanceSerial(nodes.NAME), timeout)
  deadline = time.time() + timeout
  text = b""
  try:
    while word.encode("ascii") not in text and time.time() < deadline:
      text = text[-100:] + serial.sock.recv(4096)
  finally:
    serial.sock.close()
  return word.encode("ascii") in text


def write(path, content):
  with open(path, "wb") as stream:
    stream.write(content)


#: How a guest comes to its boot program: parameters, disks, what the image is.
BOOTS = {
  "a disk on a root port": ({}, 1, "disk"),
  "the last of 14 disks with I/O ports": (
    {"kvm_extra": "-global virtio-blk-pci.disable-legacy=off"}, 14, "disk"),
  "all 16 disks": ({}, 16, "disk"),
  "an IDE disk": ({"disk_type": "ide"}, 3, "disk"),
  "a SCSI disk": ({"disk_type": "scsi-hd"}, 2, "disk"),
  "an IDE CD-ROM": ({"boot_order": "cdrom", "cdrom_image_path": IMAGE}, 1,
                    "CD-ROM"),
  # which Ganeti makes an IDE one
  "a virtio CD-ROM that is to be booted": (
    {"boot_order": "cdrom", "cdrom_image_path": IMAGE,
     "cdrom_disk_type": "paravirtual"}, 1, "CD-ROM"),
  "a virtio CD-ROM with a boot sector": (
    {"cdrom_image_path": IMAGE, "cdrom_disk_type": "paravirtual"}, 1,
    "boot sector"),
  "a floppy": ({"kvm_extra": "-boot order=a", "floppy_image_path": IMAGE}, 1,
               "floppy"),
  }


@pytest.mark.parametrize("name", sorted(BOOTS))
def test_what_boots_on_pc_boots_on_q35(node, name):
  parameters, disks, content = BOOTS[name]
  parameters = filled(node, dict(parameters, machine_version="q35"))
  path = node.image(90)
  if content == "disk":
    make = node.image
    def image(number):
      made = make(number)
      if number == 0:
        write(made, boot_sector("BOOTED", 1 << 20))
      return made
    node.image = image
  else:
    write(path, cdrom("BOOTED") if content == "CD-ROM" else
          boot_sector("BOOTED", 1474560))
  node.start(disks, 1, **parameters)
  assert says(node, "BOOTED")
