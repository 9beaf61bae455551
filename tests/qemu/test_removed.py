"""Options that QEMU has removed: their successors make the same guest.

Where this QEMU has the option still, both commands are started and compared;
where it has not, the old one must fail, and the new one start.

"""

import os
import subprocess

import pytest

from conftest import QEMU as PROGRAM
from conftest import version

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.qemu import removed_options
from ganeti_kvm_pci.qemu import renewal
from ganeti_kvm_pci.qemu import topology as topology_
from ganeti_kvm_pci.qmp import client
from ganeti_kvm_pci.qmp import inventory
from ganeti_kvm_pci.qmp import queries

QEMU = version()

#: What Ganeti writes around the sound card: what stands before it on the bus,
#: and what behind.
_BEFORE = "-nodefaults -vga std -usb -usbdevice tablet -device virtio-balloon "
_BEHIND = " -device virtio-serial-pci,id=spice -device virtio-rng-pci"
#: As 2.10 to 2.15 do, whose devices have addresses of their own.
_ADDRESSED = (" -device virtio-balloon,id=balloon,bus=pci.0,addr=0x6"
              " -device virtio-rng-pci,bus=pci.0,addr=0x5")

COMMANDS = [_BEFORE + "-soundhw " + card + _BEHIND for card in (
  "ac97", "es1370", "hda", "pcspk")] + [
    "-spice unix=on,addr=IMAGE.spice,disable-ticketing=on -vga qxl -soundhw"
    " hda" + _BEHIND,
    "-nodefaults -vga std -soundhw hda" + _ADDRESSED,
    "-nodefaults -net nic,model=e1000 -soundhw ac97 -vga cirrus",
    "-nodefaults -device intel-hda,id=mine -device hda-micro,audiodev=none"
    " -soundhw hda",
    "-no-acpi -usb", "-no-acpi -machine accel=tcg", "-no-hpet",
    "-realtime mlock=off", "-no-quit -alt-grab -ctrl-grab", "-show-cursor",
    "-drive file=IMAGE,format=raw,if=floppy,boot=on",
    "-drive file=IMAGE,format=raw,media=cdrom,boot=on,if=ide",
    "-no-kvm", "-disable-kvm", "-no-kvm-irqchip", "-no-kvm-pit-reinjection",
    "-tdf -no-kvm-pit", "-rtc-td-hack -localtime", "-startdate 2020-02-29",
    "-balloon virtio -device virtio-rng-pci", "-balloon none",
    "-vnc none,tls", "-chroot /", "-runas nobody",
  ]


#: What is left alone, as far as QEMU tells why.
LEFT = [
  "-usb -usbdevice host:1.1", "-usb -usbdevice disk:IMAGE",
  "-usb -usbdevice serial::null", "-usb -usbdevice net:user",
  "-usb -usbdevice bt", "-usb -usbdevice audio", "-usb -usbdevice ccid",
  "-soundhw sb16", "-soundhw ac97,es1370", "-soundhw ac97 -soundhw hda", "-watchdog i6300esb",
  "-enable-fips", "-std-vga", "-redir tcp:1::1", "-tftp /", "-tb-size 32",
  "-nodefconfig", "-sdl", "-curses", "-writeconfig /dev/null", "-hdachs 1,2,3",
  "-bootp x", "-smb /", "-singlestep", "-async-teardown", "-portrait",
  "-rotate 90", "-vnc none,acl", "-spice port=5999,password=x",
  "-smp 2,sockets=0", "-device ivshmem", "-device ide-drive",
  "-device scsi-disk", "-device sga", "-device pvrdma",
  "-fsdev proxy,id=f,socket=IMAGE",
  ]


def look(qemu, words):
  """Start a QEMU and tell what its guest sees; None if it does not start."""
  socket = qemu.start(*words)
  if socket is None:
    return None
  with client.connect(socket) as execute:
    return ([f[:2] for f in queries.functions(execute, Partition())],
            inventory.topology(execute))


def written(text, tmpdir):
  image = tmpdir.join("image")
  image.write_binary(b"\0" * (1 << 20))
  return [word.replace("IMAGE", str(image)) for word in text.split()]


@pytest.mark.parametrize("text", COMMANDS)
def test_the_successor_makes_the_same_guest(qemu, tmpdir, text):
  old = written(text, tmpdir)
  found = renewal.find(old)
  assert found and all(item.words is not None for item in found)
  since = max(item.option.since for item in found)
  gone = min(item.option.removed for item in found)
  if ("-chroot" in old or "-runas" in old) and os.getuid():
    pytest.skip("needs root")
  if QEMU >= since:
    new, _ = renewal.renew(renewal.renew(old, None)[0], QEMU)
    assert new != old and not renewal.find(new)
    after = look(qemu, new)
    assert after, qemu.output
  if QEMU >= gone:
    assert look(qemu, old) is None
  else:
    before = look(qemu, old)
    assert before, qemu.output
    assert QEMU < since or (
      before[0] == after[0] and not topology_.differences(before[1], after[1]))


@pytest.mark.parametrize("text", LEFT)
def test_what_has_no_successor_is_known(qemu, tmpdir, text):
  old = written(text, tmpdir)
  found = renewal.find(old)
  assert found and all(item.words is None for item in found)
  assert renewal.renew(old, removed_options.LATEST) == (old, [])
  if QEMU >= min(item.option.removed for item in found):
    assert qemu.start(*old) is None


def test_machine_types_go_when_they_are_said_to():
  text = subprocess.check_output([PROGRAM, "-machine", "help"]).decode()
  for number in ("pc-0.12", "pc-1.3", "pc-i440fx-1.4", "pc-i440fx-2.3",
                 "pc-i440fx-2.4", "pc-i440fx-4.2", "pc-i440fx-5.1",
                 "pc-i440fx-5.2", "pc-q35-4.2"):
    found = renewal.find(["qemu", "-machine", number])
    gone = found[0].option.removed if found else (99, 0)
    has = any(line.split()[:1] == [number] for line in text.splitlines())
    assert has == (QEMU < gone), number
