"""q35 guests with UEFI firmware: Debian's package ovmf, given by kvm_extra."""

import os

import pytest

import cluster

from guests import Guest
from slots import on_q35
from test_partition import agree
from test_partition import hotplugged

FOLDER = "/usr/share/OVMF"

#: What an administrator gives: the whole as a BIOS, or code and variables as
#: flash, the latter a file of the guest's own on what the nodes share.
BIOS = "-bios /usr/share/ovmf/OVMF.fd"
FLASH = ("-drive if=pflash,format=raw,readonly=on,file=%s/OVMF_CODE_4M.fd"
         " -drive if=pflash,format=raw,file=/srv/ganeti/vars.fd" % FOLDER)

SHELL = "/srv/ganeti/shell.img"

#: It panics now and then where an emulated timer is late.
ARGUMENTS = "console=ttyS0,38400 quiet no_timer_check"

pytestmark = [
  on_q35, pytest.mark.two_nodes, pytest.mark.usefixtures("plugged"),
  pytest.mark.skipif(not os.path.isdir(FOLDER),
                     reason="Debian's package ovmf is not installed")]


def newest_kernel():
  """Return Debian's kernel as it is: the firmware starts no ELF file."""
  (newest, ) = sorted(name for name in os.listdir("/boot")
                      if name.startswith("vmlinuz-"))[-1:]
  return "/boot/" + newest


def fat(vm, target, *files):
  """Write a file system for the firmware, from files that are there.

  @param files: pairs of a path and a name in it, or of a text and a name

  """
  cluster.on(vm.node(), "sh", "-c", """set -e
f=$(mktemp -d)
mkdir $f/disk
%s
qemu-img convert -O raw fat:$f/disk $f/image
dd if=$f/image of=%s bs=1M conv=notrunc,sparse
rm -r $f""" % ("\n".join(
    ("cp %s $f/disk/%s" if path.startswith("/") else
     "printf '%s' > $f/disk/%s") % (path, name) for path, name in files),
               target))


def write_disks(vm):
  """Have the firmware boot Linux from the instance's own disk.

  Its shell does that, by a file on a disk that Linux has no driver for here.
  Without one that comes first, the firmware asks each NIC for a boot server.

  @return: what gives that disk

  """
  disk = vm._whole_config()["disks"][vm.config()["disks"][0]]
  fat(vm, disk["logical_id"][1], (newest_kernel(), "linux.efi"),
      ("/srv/ganeti/initrd.gz", "initrd.gz"))
  script = "".join(
    "if exist fs%d:linux.efi then\\r\\n fs%d:\\r\\n"
    " linux.efi initrd=initrd.gz %s\\r\\nendif\\r\\n" % (n, n, ARGUMENTS)
    for n in range(3))
  fat(vm, SHELL, (script, "startup.nsh"))
  return (" -drive if=none,id=shell,format=raw,file=%s"
          " -device ide-hd,drive=shell,bus=ide.2,bootindex=0" % SHELL)


def is_uefi(vm):
  return vm.guest("test -d /sys/firmware/efi", timeout=600).status == 0


def test_it_boots_from_a_disk_and_migrates(vm):
  vm.add(disks=1, nics=1, start=False, hvparams={
    "kernel_path": "", "initrd_path": "", "kvm_extra": BIOS})
  vm.set_hvparams(kvm_extra=BIOS + write_disks(vm))
  vm.start()
  assert is_uefi(vm)
  before = agree(vm, [11], [3])
  hotplugged(vm.modify("--disk", "add:size=1G"))
  agree(vm, [11, 12], [3])
  hotplugged(vm.modify("--disk", "1:remove"))
  agree(vm, [11], [3])
  hotplugged(vm.modify("--disk", "add:size=1G"))
  hotplugged(vm.modify("--net", "add"))
  before = agree(vm, [11, 12], [3, 4])
  for target in ("node2", "node1"):
    vm.migrate()
    assert vm.node() == target
    after = agree(vm, [11, 12], [3, 4])
    assert after.uptime > before.uptime and after.pci == before.pci
    before = after
  hotplugged(vm.modify("--disk", "1:remove"))
  agree(vm, [11], [3, 4])


def test_sixteen_disks_and_eight_nics(vm):
  cluster.on("node1", "cp", FOLDER + "/OVMF_VARS_4M.fd", "/srv/ganeti/vars.fd")
  guest = Guest(vm, disks=16, nics=8, hvparams={
    "kernel_path": newest_kernel(), "kernel_args": ARGUMENTS,
    "kvm_extra": FLASH})
  assert is_uefi(vm)
  every = list(range(11, 27))
  agree(vm, every, list(range(3, 11)))
  hotplugged(vm.modify("--disk", "3:remove"))
  agree(vm, every[:3] + every[4:], list(range(3, 11)))
  hotplugged(vm.modify("--disk", "3:add,size=1G"))
  seen = vm.guest(until=lambda r: len(r.disks) == 16)
  assert sorted(seen.disks.values()) == every
  for target in ("node2", "node1"):
    vm.migrate()
    assert vm.node() == target
    after = vm.guest(until=lambda r: len(r.disks) == 16)
    assert after.uptime > seen.uptime and after.pci == seen.pci
    seen = after
  assert guest.boot in vm.guest("cat /proc/sys/kernel/random/boot_id").output
