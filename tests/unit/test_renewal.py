"""Options that QEMU has removed, replaced in a command."""

import re

import pytest

import genuine
from ganeti_kvm_pci import qemu_version
from ganeti_kvm_pci.qemu import config_file
from ganeti_kvm_pci.qemu import removed_options
from ganeti_kvm_pci.qemu import renewal
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized

CARD = ["-audiodev", "none,id=soundhw", "-device", "AC97,audiodev=soundhw"]


def renew(text, qemu=(7, 2), **more):
  words, own = renewal.renew(text.split(), None)
  if qemu is None:
    return (" ".join(words), own)
  words, changes = renewal.renew(words, qemu, **more)
  return (" ".join(words), changes)


@pytest.mark.parametrize("old, qemu, new", [
  # each version takes what it is given, and what is newer stays until then
  ("-no-acpi -usb", (5, 1), "-no-acpi -usb"),
  ("-no-acpi -usb", (5, 2), "-machine acpi=off -usb"),
  ("--no-acpi -usb", (9, 0), "-machine acpi=off -usb"),
  ("-chroot /a,b", (7, 2), "-chroot /a,b"),
  ("-chroot /a,b", (8, 1), "-run-with chroot=/a,,b"),
  ("-runas joe", (9, 0), "-runas joe"),
  ("-runas joe", (10, 0), "-run-with user=joe"),
  ("-realtime mlock=on", (5, 2), "-overcommit mem-lock=on"),
  ("-realtime mlock", (5, 2), "-realtime mlock"),
  ("-drive file=/a,boot=on,if=floppy -drive file=/b,boot=off", (7, 2),
   "-drive file=/a,if=floppy -drive file=/b"),
  ("-drive file=/reboot=on -tdf -no-quit", (7, 2), "-drive file=/reboot=on"),
  ("-chardev tty,id=c,path=/dev/tty9", (7, 2),
   "-chardev serial,id=c,path=/dev/tty9"),
  ("-startdate 2020-02-29", (7, 2), "-rtc base=2020-02-29"),
  ("-soundhw pcspk -usb", (7, 2), "-usb"),
  # nobody knows which QEMU
  ("-no-acpi -soundhw ac97 -localtime", None,
   "-no-acpi -soundhw ac97 -rtc base=localtime"),
  ])
def test_successors(old, qemu, new):
  assert renew(old, qemu)[0] == new
  assert renew(new, qemu) == (new, [])


@pytest.mark.parametrize("old, new", [
  ("-soundhw ac97", " ".join(CARD)),
  ("-usb -soundhw ac97 -vga std", "-usb -vga std " + " ".join(CARD)),
  # QEMU made it before all other devices, wherever the option stood
  ("-device A -usb -soundhw ac97 -device B",
   " ".join(CARD) + " -device A -usb -device B"),
  ("-usb -balloon virtio -soundhw ac97",
   "-usb " + " ".join(CARD) + " -device virtio-balloon"),
  ("-readconfig /f -soundhw ac97", " ".join(CARD) + " -readconfig /f"),
  ("-spice port=1 -soundhw hda -device B",
   "-spice port=1 -audiodev spice,id=soundhw -device intel-hda -device"
   " hda-duplex,audiodev=soundhw -device B"),
  ])
def test_a_sound_card_is_the_first_device(old, new):
  assert renew(old)[0] == new


@pytest.mark.parametrize("text", [
  "-soundhw ac97,hda", "-soundhw all", "-soundhw sb16",
  "-soundhw ac97 -soundhw hda"])
def test_cards_whose_slots_are_uncertain_stay(text):
  assert renew(text) == (text, [])
  assert [item.words for item in renewal.find(text.split())] == [None] * len(
    re.findall("-soundhw", text))


def test_a_card_stays_where_devices_come_before_all_that_the_command_names():
  configs = {"/etc/qemu/qemu.conf": config_file.parse('[device "d"]\n')}
  assert renew("-soundhw ac97", configs=configs) == ("-soundhw ac97", [])
  configs = {"/etc/qemu/qemu.conf": config_file.parse('[%s]\n' % 'machine')}
  assert renew("-soundhw ac97", configs=configs)[1]


def test_what_a_version_has_is_left_where_nothing_else_is_needed():
  text = "-no-acpi -soundhw pcspk"
  assert renew(text, (7, 0), needed=True) == (text, [])
  assert renew(text, (7, 2), needed=True)[0] == "-no-acpi"
  assert renew(text, (9, 0), needed=True)[0] == "-machine acpi=off"


def test_what_ganeti_replaces_is_left_to_it():
  for words in (["-localtime"], ["-balloon", "virtio"], ["-vnc", ":1,tls"]):
    assert renewal.renew(words, removed_options.LATEST) == (words, [])
    assert renewal.renew(words, removed_options.LATEST,
                         needed=True) == (words, [])
    assert renewal.renew(words, None)[1]


def test_numbers_and_arguments_are_not_taken_for_options():
  words = ["qemu", "-m", 192, "-soundhw", 5, "-vnc"]
  assert renewal.find(words) == [] and renewal.renew(words, (7, 2))[0] == words
  # the name of a guest
  assert [item.position for item in renewal.find(
    ["-chroot", "-no-acpi", "-no-acpi"])] == [0, 2]


@pytest.mark.parametrize("name, removed", [
  ("pc-0.12", (5, 2)), ("pc-1.3", (6, 0)), ("pc-i440fx-1.7", (10, 0)),
  ("pc-i440fx-2.3", (10, 0)), ("pc-i440fx-2.12", (10, 1)),
  ("pc-q35-4.1", (10, 1)), ("pc-i440fx-4.2", (10, 2)),
  ("pc-i440fx-5.1", (11, 1)), ("pc-i440fx-5.2", None), ("pc", None),
  ("pc-i440fx-focal", None), ("virt", None)])
def test_machine_types(name, removed):
  found = renewal.find(["qemu", "-machine", "%s,accel=kvm" % name])
  assert [item.option.removed for item in found] == (
    [removed] if removed else [])
  for item in found:
    assert name in renewal.explain(item, None)


def test_what_is_said():
  def said(text, qemu):
    return [renewal.explain(item, qemu) for item in renewal.find(text.split())]
  assert said("-no-acpi", (7, 2)) == [
    "-no-acpi: QEMU 9.0 and later do not start with it; ganeti-kvm-pci upgrade"
    " replaces it by '-machine acpi=off'"]
  assert said("-no-acpi", (10, 0)) == [
    "-no-acpi: QEMU 10.0 does not start with it (removed in 9.0);"
    " ganeti-kvm-pci upgrade replaces it by '-machine acpi=off'"]
  assert said("-chroot /x", (7, 2)) == [
    "-chroot /x: QEMU 9.0 and later do not start with it; its successor,"
    " '-run-with chroot=/x', is known to QEMU 8.1 and later"]
  assert said("-usbdevice host:1.2", (7, 2)) == [
    "-usbdevice host:1.2: QEMU 7.2 does not start with it (not in 5.2), and"
    " has no successor that keeps the guest the same; take it out of"
    " usb_devices (gnt-instance modify -H usb_devices=...), name a -device"
    " usb-... in kvm_extra instead, shut the instance down and start it"]
  assert said("-usbdevice tablet -usbdevice mouse", (11, 1)) == []


@pytest.mark.parametrize("name", genuine.NAMES)
def test_genuine_files_keep_their_devices(name):
  loaded = genuine.load(name)
  words = loaded.words
  before = device_table.DeviceTable(loaded)
  loaded.command[:], changes = renewal.renew(loaded.command, None)
  loaded.command[:], more = renewal.renew(loaded.command,
                                          removed_options.LATEST)
  changes += more
  after = device_table.DeviceTable(serialized.parse(loaded.dump(), name))
  assert after.devices == before.devices
  assert bool(changes) == (loaded.words != words)
  assert renewal.find(loaded.words) == []


def test_sound_tells_what_the_option_makes():
  assert renewal.sound(["-soundhw", "hda"]) == ["intel-hda", "hda-duplex"]
  assert renewal.sound(["-soundhw", "pcspk"]) == []
  assert renewal.sound(["-soundhw", "ac97,hda"]) == []
  assert renewal.sound(CARD) == []


@pytest.mark.parametrize("text, version", [
  ("7.2", (7, 2)), ("10.0", (10, 0)), ("11.1.3", (11, 1))])
def test_a_version_is_read(text, version):
  assert qemu_version.parse(text) == version


@pytest.mark.parametrize("text", ["", "7", "seven", "7.2-rc1", "7.2.", " 7.2"])
def test_what_is_no_version_is_refused(text):
  with pytest.raises(ValueError):
    qemu_version.parse(text)
