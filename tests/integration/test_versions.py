"""What QEMU takes over, goes; what it does not is refused before.

Bare QEMU is what is compared with: the same two commands, moved without Ganeti.
The versions are that of this host and those in the roots that
C{tools/test-suite} has made; C{VERSIONS=all} is every pair of them, with each
machine type that both have, and C{VERSIONS_TABLE} a file for the table of it.

"""

import itertools
import os

import pytest

import bare_qemu

HERE = [version for version, words in sorted(bare_qemu.QEMUS.items())
        if words[0] != "chroot"][0]

#: Debian's QEMU 10.0.13 gives all virtio queues a size of 1024; 11.1.3 refuses
#: more than its own device has, 5.2 and 7.2 take it.
_QUEUE_SIZE = "exceeds allocated max"


def block(number):
  return ["-blockdev", "null-co,read-zeroes=on,node-name=d%d" % number]


def disks(driver):
  return list(itertools.chain(*(block(n) + [
    "-device", "%s,id=disk%d,drive=d%d%s" % (
      driver, n, n, ",bus=ide.%d" % n if driver == "ide-hd" else "")]
                                for n in (0, 1))))


def nic(options="", driver="virtio-net-pci", number=0):
  return ["-netdev", "hubport,hubid=%d,id=n%d" % (number, number), "-device",
          "%s,id=nic%d,netdev=n%d,mac=aa:00:00:00:00:0%d%s" % (
            driver, number, number, number, options)]


#: Two disks and two NICs each, and what else has memory or queues.
CONFIGURATIONS = {
  "defaults": ["-nic", "none"] + disks("virtio-blk-pci") + nic() +
              nic(driver="e1000", number=1),
  "virtio": ["-vga", "std", "-device", "virtio-balloon-pci"] +
            disks("virtio-blk-pci") + nic() + nic(number=1),
  "legacy": ["-vga", "cirrus", "-usb", "-device", "usb-tablet", "-serial",
             "null"] + disks("ide-hd") + nic(driver="e1000") +
            nic(driver="rtl8139", number=1),
  "queues": ["-smp", "2,maxcpus=4", "-vga", "qxl", "-device",
             "virtio-scsi-pci,id=scsi,num_queues=4", "-device",
             "virtio-serial-pci", "-device", "virtio-rng-pci"] +
            disks("scsi-hd") + nic(",mq=on,vectors=10,host_mtu=1400") +
            nic(driver="e1000", number=1) + block(2) + [
              "-device", "virtio-blk-pci,id=disk2,drive=d2,num-queues=4"],
  "large": ["-m", "5120,slots=4,maxmem=8G", "-cpu", "Haswell", "-vga",
            "virtio"] + disks("virtio-blk-pci") +
           nic(driver="rtl8139") + nic(",disable-legacy=on,disable-modern=off", number=1),
  }

#: SeaBIOS has 128 KiB up to 1.7.
VERSIONED = ["1.7", "2.4", "4.2", "5.2", "7.2", "10.0", "11.1"]

_WHOLE = os.environ.get("VERSIONS") == "all"


def runs():
  """List what is moved: versions, machine type, configuration."""
  pairs = list(itertools.product(sorted(bare_qemu.QEMUS), repeat=2))
  for versions in pairs:
    for number, (chipset, name) in enumerate(itertools.product(
        ("pc-i440fx", "pc-q35"), sorted(CONFIGURATIONS))):
      for number_of_type in VERSIONED if _WHOLE else ["5.2"]:
        if _WHOLE or versions == (HERE, HERE) or HERE in versions and \
            number == pairs.index(versions) % (2 * len(CONFIGURATIONS)):
          yield (versions, "%s-%s" % (chipset, number_of_type), name)


def note(versions, machine_type, name, taken, differs, said):
  path = os.environ.get("VERSIONS_TABLE")
  if path:
    with open(path, "a") as table:
      table.write("%-5s %-5s %-14s %-7s %-6s %-4s %s\n" % (
        versions + (machine_type, name, "takes" if taken else "fails",
                    "no" if differs else "yes",
                    (said if not taken else "").strip().split("\n")[0][:120])))


@pytest.mark.parametrize("versions, machine_type, name", list(runs()),
                         ids=lambda value: value if isinstance(value, str)
                         else "-".join(value))
def test_what_qemu_takes_goes(versions, machine_type, name):
  options = ["-machine", machine_type, "-m", "64"] + CONFIGURATIONS[name] + \
    ([] if name == "defaults" else ["-nodefaults"])
  try:
    taken, differs, said = bare_qemu.move(versions, options, options, boot=0.8)
  except bare_qemu.Refused as err:
    assert "machine type" in str(err) or "not supported by: pc" in str(err)
    pytest.skip("one of them does not have this machine type, or it has no"
                " memory slots")
  note(versions, machine_type, name, taken, differs, said)
  if taken:
    assert differs == []
  else:
    assert differs or _QUEUE_SIZE in said, said


FLASH = "if=pflash,format=raw,readonly=on,file="
VGA = ["-vga", "none", "-device"]
#: Source, target, and what is said of it; None: QEMU takes it, and we do.
CHANGES = [
  (nic(), nic(",rombar=0"), ["RAM block 0000:00:03.0/virtio-net-pci.rom",
                             "slot 3, virtio-net-pci (id nic0), option ROM",
                             "262144 bytes on the source, missing on the"
                             " target", "ipxe-qemu"]),
  (nic(",rombar=0"), nic(), None),
  (nic(), nic(",romsize=0x80000"), ["262144 bytes on the source, 524288 bytes"
                                    " on the target"]),
  (["-bios", "bios.bin"], [], ["pc.bios (firmware)", "131072", "262144",
                               "seabios"]),
  ([], ["-bios", "bios.bin"], ["pc.bios (firmware)"]),
  (["-drive", FLASH + "F1"], [], ["system.flash0 (firmware)", "missing"]),
  ([], ["-drive", FLASH + "F1"], ["pc.bios (firmware)", "missing"]),
  (["-drive", FLASH + "F2"], ["-drive", FLASH + "F1"],
   ["system.flash0 (firmware): 2097152 bytes on the source, 1048576"]),
  (["-m", "96"], [], ["pc.ram (memory): 100663296 bytes on the source, 67108864"
                      " bytes on the target"]),
  ([], ["-m", "96"], ["pc.ram (memory)"]),
  (["-object", "memory-backend-ram,id=m0,size=64M", "-machine",
    "memory-backend=m0"], [], ["RAM block m0 (memory)", "missing"]),
  (["-m", "64,slots=2,maxmem=1G"], [], ["memory slots: 2 on the source, 0"]),
  ([], ["-m", "64,slots=2,maxmem=1G"], ["memory slots: 0 on the source, 2"]),
  (["-m", "64,slots=2,maxmem=2G"], ["-m", "64,slots=2,maxmem=1G"], None),
  (["-smp", "1,maxcpus=4"], [], None),
  ([], ["-smp", "1,maxcpus=4"], None),
  (["-smp", "2"], [], ["vCPUs: 2 on the source, 1 on the target"]),
  (["-smp", "6,sockets=2,cores=3"], ["-smp", "6,sockets=6,cores=1"],
   ["the last has APIC id 6 on the source, 5 on the target"]),
  (["-smp", "4,sockets=4"], ["-smp", "4,sockets=1,cores=4"], None),
  (VGA + ["VGA,vgamem_mb=32"], VGA + ["VGA,vgamem_mb=16"],
   ["slot 2, VGA, graphics memory", "vgamem_mb"]),
  ([], ["-machine", "hpet=off"], ["hpet: 1 on the source, 0 on the target"]),
  (["-machine", "hpet=off"], [], None),
  ([], ["-machine", "vmport=off"], ["vmmouse: 1 on the source, 0"]),
  (["-serial", "null"], [], ["isa-serial: 1 on the source, 0"]),
  ([], ["-serial", "null"], None),
  (["-parallel", "null"], [], ["isa-parallel: 1 on the source, 0"]),
  (["-acpitable", "sig=SSDT,data=F2"], [], None),
  (["-cpu", "qemu64,+avx"], ["-cpu", "qemu64"], None),
  (nic(), nic(",host_mtu=1400"), None),
  (nic(",host_mtu=1400"), nic(",host_mtu=1500"), None),
  ]


def with_files(options, folder):
  """Put files in place of F1 and F2, of so many MiB."""
  for name, size in (("F1", 1 << 20), ("F2", 2 << 20)):
    path = os.path.join(str(folder), name)
    with open(path, "wb") as stream:
      stream.truncate(size)
    options = [word.replace(name, path) for word in options]
  return options


def command(options, folder):
  return ["-nodefaults", "-machine", "pc", "-m", "64"] + \
    ([] if "-vga" in options else ["-vga", "std"]) + with_files(options, folder)


@pytest.mark.parametrize("here, there, words", CHANGES,
                         ids=[str(n) for n in range(len(CHANGES))])
def test_one_difference(tmpdir, here, there, words):
  if any("acpitable" in word for word in here):
    # a table as large as QEMU takes one by that option
    with open(os.path.join(str(tmpdir), "table"), "wb") as stream:
      stream.truncate(512)
    here = [word.replace("F2", stream.name) for word in here]
  taken, differs, said = bare_qemu.move(
    (HERE, HERE), command(here, tmpdir), command(there, tmpdir))
  assert taken == (words is None), said
  text = "; ".join(differs)
  if words is None:
    assert text == ""
  else:
    assert len(differs) == 1 or "pflash" in str(here + there), differs
  for word in words or []:
    assert word in text


def test_a_cpu_of_another_model_is_refused(tmpdir):
  """QEMU would take it; the guest has looked once what its CPU can do."""
  taken, differs, _ = bare_qemu.move(
    (HERE, HERE), command(["-cpu", "Haswell"], tmpdir), command([], tmpdir))
  (text, ) = differs
  assert taken
  assert "CPU model: Haswell on the source, qemu64 on the target" in text


@pytest.mark.skipif(not _WHOLE, reason="half a minute: with VERSIONS=all")
def test_a_guest_that_uses_host_mtu_ends_a_qemu_without(tmpdir, guest):
  linux = ["-m", "256", "-kernel", os.path.join(guest, "vmlinuz"), "-initrd",
           os.path.join(guest, "initrd.gz"), "-append",
           "quiet no_timer_check console=ttyS0"]
  taken, differs, said = bare_qemu.move(
    (HERE, HERE), command(nic(",host_mtu=1400"), tmpdir) + linux,
    command(nic(), tmpdir) + linux, until="REPORT")
  assert not taken and "eatures" in said
  (text, ) = differs
  assert "slot 3, virtio-net-pci (id nic0): host_mtu: 1400 on the source, none" \
    " on the target" in text
