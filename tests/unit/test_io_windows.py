"""How many root ports with I/O ports a q35 guest can boot with."""

import pytest

from ganeti_kvm_pci.errors import BusFullError
from ganeti_kvm_pci.qemu import io_windows


def command(disks, nics=0, machine_type="q35", nic_type="virtio-net-pci",
            extra=()):
  words = ["kvm", "-machine", machine_type] + list(extra)
  for number in range(disks):
    words += ["-device", "virtio-blk-pci,id=disk-%d,bus=rp%d,addr=0x0,drive=d%d"
              % (number, 11 + number, number)]
  for number in range(nics):
    words += ["-device", "%s,id=nic-%d,bus=rp%d,addr=0x0,netdev=nic-%d" % (
      nic_type, number, 3 + number, number)]
  return words


GLOBAL = ["-global", "virtio-blk-pci.disable-legacy=off"]
ALL = ["-global", "virtio-pci.disable-legacy=off"]


@pytest.mark.parametrize("words", [
  command(16, 8), command(16, 8, nic_type="e1000"),
  command(14, 0, "pc-q35-2.6"), command(16, 8, "pc-q35-2.7"),
  command(14, 8, extra=GLOBAL), command(16, 8, extra=[
    "-global", "virtio-blk-pci.disable-legacy=on"]),
  command(16, 0, "pc-q35-2.6", extra=["-bios", "OVMF.fd"]),
  command(16, 0, "pc-q35-2.6", extra=["-drive", "if=pflash,file=x"]),
  command(16, 0, "pc-q35-2.6", extra=["-machine", "pflash0=ovmf-code"]),
  command(0, 8, nic_type="e1000", extra=sum([[
    "-device", "%s,bus=rp%d" % (driver, port)] for port, driver in enumerate(
      7 * ["virtio-rng-pci", "qemu-xhci"], 11)], [])),
  # not on a root port
  command(14, 0, "pc-q35-2.6", extra=["-device", "e1000"])])
def test_what_boots_is_not_refused(words):
  io_windows.check(words)


@pytest.mark.parametrize("words, cure", [
  (command(15, 0, "pc-q35-2.6"), "set machine_version to q35 or one from"),
  (command(13, 2, "pc-q35-2.4"), "set machine_version to q35 or one from"),
  (command(7, 8, nic_type="rtl8139", extra=GLOBAL), "take disable-legacy=off"),
  (command(7, 8, extra=ALL), "take disable-legacy=off")])
def test_one_more_is_refused(words, cure):
  with pytest.raises(BusFullError) as caught:
    io_windows.check(words)
  assert "and there are 15: " in str(caught.value)
  assert "(rp11), disk-1 (rp12)" in str(caught.value)
  assert cure in str(caught.value)


def test_a_device_that_says_so_itself_counts():
  words = command(14, 0, "pc-q35-2.6", extra=[
    "-device", "virtio-net-pci,bus=rp3,disable-legacy=on"])
  io_windows.check(words)
  words[words.index("-device") + 1] = \
    "virtio-net-pci,bus=rp3,disable-legacy=off"
  with pytest.raises(BusFullError):
    io_windows.check(words)
