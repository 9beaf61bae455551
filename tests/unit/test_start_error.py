"""QEMU's refusals, in the words of several versions."""

import pytest

from ganeti_kvm_pci import errors
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.bus.root_ports import RootPorts
from ganeti_kvm_pci.qemu import config_file
from ganeti_kvm_pci.qemu import start_error

COMMAND = ["q", "-device",
           "virtio-blk-pci,id=disk-1,bus=pci.0,addr=0x8,drive=x"]


@pytest.mark.parametrize("text, slot, device, holder", [
  # QEMU 7.2 and later
  ("qemu-system-x86_64: -device virtio-blk-pci,id=disk-1,bus=pci.0,addr=0x8:"
   " PCI: slot 8 function 0 not available for virtio-blk-pci, in use by"
   " virtio-rng-pci,id=(null)\n", 8, "disk-1", "virtio-rng-pci"),
  ("PCI: slot 8 function 0 not available for virtio-blk-pci, in use by"
   " AC97,id=loud", 8, "disk-1", "AC97 (id loud)"),
  # up to QEMU 2.11
  ("PCI: slot 4 function 0 not available for virtio-net-pci, in use by"
   " virtio-balloon-pci", 4, "virtio-net-pci", "virtio-balloon-pci"),
  ("PCI: slot 9 function 0 not available for AC97, reserved", 9, "AC97", None),
  ("PCI: slot 31 function 0 already occupied by virtio-net-pci, new func"
   " AC97 cannot be exposed to guest.", 31, "AC97", "virtio-net-pci"),
  ])
def test_a_taken_slot(text, slot, device, holder):
  error = start_error.explain(text, COMMAND, Partition())
  assert (error.slot, error.device, error.holder) == (slot, device, holder)
  for part in ("slot %d" % slot, device, holder or "QEMU itself"):
    assert part in str(error)
  assert "\n" not in str(error)


TEXT = "PCI: slot %d function 0 not available for x, in use by y,id=(null)"


@pytest.mark.parametrize("slot, options, part, says", [
  # QEMU's own came before Ganeti's disk
  (8, [], Partition(8), "raise kvm_pci_reservations above 8, or take devices"),
  # this release has no such parameter
  (8, [], Partition(), "Ganeti's slots; take devices out of kvm_extra"),
  # QEMU chooses none so high
  (31, [], Partition(8), "no option that can be read names the slot"),
  (24, [], Partition(8), "look for its addr in what kvm_path and kvm_extra"),
  # the user's own option came too late
  (5, ["AC97,addr=0x5"], Partition(8), "take addr=0x5 away from AC97"),
  (10, ["AC97,addr=0xa"], Partition(8), "take addr=0xa away from AC97"),
  # two of the user's options want the same
  (10, ["AC97,addr=0xa", "e1000,id=e,addr=0xa"], Partition(8),
   "take addr=0xa away from AC97 and e in kvm_extra"),
  ])
def test_the_remedy_depends_on_who_named_the_slot(slot, options, part, says):
  command = COMMAND + [word for o in options for word in ("-device", o)]
  assert says in str(start_error.explain(TEXT % slot, command, part))


@pytest.mark.parametrize("text", [
  "PCI: no slot/function available for virtio-rng-pci, all in use or reserved",
  "PCI: no slot/function available for virtio-rng-pci, all in use",
  ])
def test_no_slot_left(text):
  error = start_error.explain(text, COMMAND, Partition())
  assert error.slot is None and error.device == "virtio-rng-pci"
  assert "all 32 slots" in str(error) and "kvm_extra" in str(error)


@pytest.mark.parametrize("text", ["", "could not open disk image", "PCI: "])
def test_other_failures_are_none_of_ours(text):
  assert start_error.explain(text, COMMAND, Partition()) is None


#: What only a file says that is not in the command.
FILE = {"usb.cfg": [config_file.Section("device", {
  "id": "ehci", "driver": "ich9-usb-ehci1", "addr": "1d.7"})]}


@pytest.mark.parametrize("words, configs, says", [
  (["-device", "virtio-rng-pci,id=rng0", "-set", "device.rng0.addr=0x1d"], {},
   "take addr=0x1d away from rng0 (-set device.rng0.addr=0x1d) in kvm_extra"),
  (["-net", "nic,model=e1000,addr=1d"], {},
   "away from e1000 (-net nic,model=e1000,addr=1d) in kvm_extra"),
  (["-readconfig", "usb.cfg"], FILE, "away from ehci (-readconfig usb.cfg) in"),
  (["-readconfig", "usb.cfg"], {"usb.cfg": None},
   "may name the slot (-readconfig usb.cfg): take its addr away there"),
  ([], {}, "no option that can be read names the slot"),
  ])
@pytest.mark.parametrize("text", [
  TEXT % 29, "PCI: single function device can't be populated in function 1d.7",
  "PCI: 1d.0 indicates single function, but 1d.7 is already populated."])
def test_the_option_that_names_the_slot_is_named(words, configs, says, text):
  error = start_error.explain(text, COMMAND + words, Partition(8), configs)
  assert error.slot == 29 and "slot 29" in str(error)
  assert says in str(error)
  assert "kvm_pci_reservations" not in str(error)


#: What QEMU 7.2 prints, without the program.
_OF_Q35 = ("-device %s: PCI: slot %d function 0 not available for"
           " virtio-rng-pci, in use by %s,id=%s")


@pytest.mark.parametrize("option, slot, holder, number, says", [
  ("virtio-rng-pci,id=r,bus=rp3,addr=0", 0, "e1000", 3,
   "slot 0 of rp3 for r: it is held by e1000 (id x); name no root port of"
   " Ganeti's (NICs rp3-rp10, disks rp11-rp26) in kvm_extra: take bus=rp3 away"
   " from r"),
  ("virtio-rng-pci,bus=pcie.0,addr=0x17", 23, "pcie-root-port", 23,
   "slot 23 of pcie.0 for virtio-rng-pci: it is held by pcie-root-port (id x);"
   " take addr=0x17 away from virtio-rng-pci in kvm_extra, so that"),
  ])
def test_a_slot_of_a_q35_guest(option, slot, holder, number, says):
  error = start_error.explain(
    _OF_Q35 % (option, slot, holder, "x"),
    ["q", "-device", "pcie-root-port,id=rp3,bus=pcie.0,chassis=3,port=3"
     ",addr=0x17", "-device", option], RootPorts.of({}))
  assert error.slot == number and says in str(error)
  assert "pci.0 " not in str(error).replace("pcie.0", "")
  assert "kvm_pci_reservations" not in str(error)


@pytest.mark.parametrize("words, configs, says", [
  (["-device", "virtio-rng-pci,id=r", "-set", "device.r.addr=0x17"], {},
   "take addr=0x17 away from r (-set device.r.addr=0x17) in kvm_extra"),
  (["-net", "nic,model=e1000,addr=17"], {},
   "away from e1000 (-net nic,model=e1000,addr=17) in kvm_extra"),
  (["-readconfig", "usb.cfg"], {"usb.cfg": [config_file.Section("device", {
    "id": "ehci", "driver": "ich9-usb-ehci1", "addr": "17.7"})]},
   "away from ehci (-readconfig usb.cfg) in"),
  (["-readconfig", "usb.cfg"], {"usb.cfg": None},
   "may name the slot (-readconfig usb.cfg): take its addr away there"),
  ])
def test_the_option_that_names_a_slot_of_pcie_0_is_named(words, configs, says):
  port = "pcie-root-port,id=rp3,bus=pcie.0,chassis=3,port=3,addr=0x17"
  for text in (_OF_Q35 % ("virtio-rng-pci,id=r", 23, "pcie-root-port", "rp3"),
               TEXT % 23, "PCI: single function device can't be populated in"
               " function 17.7"):
    error = start_error.explain(text, ["q", "-device", port] + words,
                                RootPorts.of({}), configs)
    assert error.slot == 23 and says in str(error)


def test_a_floppy_controller_that_a_q35_guest_has_not():
  said = "qemu: -device floppy: No 'floppy-bus' bus found for device 'floppy'"
  assert str(start_error.explain(said, ["kvm"], RootPorts.of({}))) == (
    "QEMU has no floppy controller for floppy: a q35 guest has one if"
    " floppy_image_path or -drive if=floppy asks for it; put -device isa-fdc"
    " before it in kvm_extra")


def test_a_bus_and_a_slot_that_a_q35_guest_has_not():
  command = ["q", "-device", "e1000,id=e,bus=pci.0,addr=0x5"]
  text = "q: -device e1000,id=e,bus=pci.0,addr=0x5: Bus 'pci.0' not found"
  assert "QEMU has no bus pci.0 for e: " in str(
    start_error.explain(text, command, RootPorts.of({})))
  assert start_error.explain(text, command, Partition()) is None
  text = "PCI: no slot/function available for e1000, all in use or reserved"
  error = start_error.explain(text, command, RootPorts.of({}))
  assert "no free slot of pcie.0 for its device e1000" in str(error)


def test_a_port_that_a_hot_add_finds_taken():
  text = CLIENT % ("device_add", "PCI: slot 0 function 0 not available for"
                   " virtio-blk-pci, in use by e1000,id=x")
  assert start_error.reason(errors.MonitorError(text), RootPorts.of({})) == (
    "e1000 (id x) holds that port by now", None)


#: What Ganeti's client makes of a refusal.
CLIENT = "kvm: error executing the %s command: %s (GenericError):"


@pytest.mark.parametrize("text, found", [
  (CLIENT % ("device_add", "Bus 'pci.0' does not support hotplugging"),
   ("device_add", "Bus 'pci.0' does not support hotplugging")),
  # QEMU's own brackets, and lines
  (CLIENT % ("blockdev-add", "Failed to get \"write\" lock (13)\nIs another"
             " process using the image [/x]?"),
   ("blockdev-add", "Failed to get \"write\" lock (13) Is another process using"
    " the image [/x]?")),
  ("Failed to open /dev/vhost-net", None),
  ("", None),
  ])
def test_an_error_of_ganetis_client(text, found):
  assert start_error.refused(text) == found


def echo(line):
  """Give back what is typed as QEMU's human monitor does, key by key."""
  return line[0] + "".join("\x1b[K%s%s" % ("\x1b[D" * end, line[:end + 1])
                           for end in range(1, len(line)))


#: What came from the socket of QEMU 7.2.
ADD = "drive_add dummy file=/nonexistent/x,if=none,id=x,format=raw"
BY_SOCKET = ("QEMU 7.2.22 monitor - type 'help' for more information\r\n"
             "(qemu) %s\x1b[K\r\n%%s(qemu) " % echo(ADD))


@pytest.mark.parametrize("answer, said", [
  ("OK\r\n", []),
  ("warning: no good idea\r\nOK\r\n", ["warning: no good idea"]),
  # QEMU that does not say
  ("", []),
  ])
@pytest.mark.parametrize("by", ["%s", BY_SOCKET], ids=["QMP", "socket"])
def test_a_drive_that_was_added(answer, said, by):
  assert start_error.check(ADD, by % answer) == said


@pytest.mark.parametrize("answer, words", [
  ("invalid cache option\r\n", "invalid cache option"),
  ("Failed to get \"write\" lock\r\n"
   "Is another process using the image [x]?\r\n",
   "Failed to get \"write\" lock Is another process using the image [x]?"),
  ])
@pytest.mark.parametrize("by", ["%s", BY_SOCKET], ids=["QMP", "socket"])
def test_a_drive_that_was_refused(answer, words, by):
  with pytest.raises(errors.CommandError) as caught:
    start_error.check(ADD, by % answer)
  assert (caught.value.command, str(caught.value)) == ("drive_add", words)


def test_of_other_commands_it_may_be_a_warning():
  assert start_error.check("netdev_add tap,id=x", "warning: x\r\n") == [
    "warning: x"]


@pytest.mark.parametrize("words, device_class, says", [
  # QEMU 2.10 to 11.1
  ("Failed to get \"write\" lock", "disk", "end it, then detach the disk"),
  ("Failed to get shared \"write\" lock", "disk", "another process has"),
  ("Failed to lock byte 201", "disk", "another process has the image open"),
  ("Could not open '/x': Permission denied", "disk", "owner and mode"),
  ("[Errno 30] Read-only file system: '/x'", "disk", "owner and mode"),
  ("Could not open '/x': No such file or directory", "disk", "activate-disks"),
  ("invalid cache option", "disk", "disk_cache"),
  ("aio=native was specified, but it requires cache.direct=on, which was not"
   " specified.", "disk", "disk_cache"),
  ("file system may not support O_DIRECT", "disk", "disk_cache"),
  ("invalid aio option", "disk", "disk_aio=threads, then shut the instance"),
  ("Parameter 'discard' does not accept value 'x'", "disk", "disk_discard"),
  ("Unknown protocol 'rbd'", "disk", "qemu-block-extra"),
  ("Bus 'pci.0' does not support hotplugging", "nic", "acpi=True, then shut"),
  ("Duplicate ID 'x' for drive", "disk", "out of kvm_extra"),
  ("Bus 'scsi.0' not found", "disk", "scsi_controller_type"),
  ("'e1001' is not a valid device model name", "nic", "set nic_type"),
  ("vhost-net requested but could not be initialized", "nic",
   "vhost_net=False"),
  ("something else", "nic", "mend that, then modify the NIC again"),
  ("something else", "disk", "mend that, then detach the disk and attach"),
  (None, "disk", "detach the disk and attach it again"),
  # what only the disk's name says
  ("Could not open '/cache option/vhost/aio/discard': Input/output error",
   "disk", "mend that, then"),
  ("[Errno 5] Input/output error: '/srv/Permission denied'", "disk",
   "mend that, then"),
  ])
def test_what_to_do(words, device_class, says):
  assert says in start_error.remedy(words, device_class)


@pytest.mark.parametrize("error, reason, words", [
  (Exception(CLIENT % ("netdev_add", "no")), "QEMU refused netdev_add: no",
   "no"),
  (errors.CommandError("drive_add", "no"), "QEMU refused drive_add: no", "no"),
  (errors.CommandError("human-monitor-command", CLIENT % ("x", "no")),
   "QEMU refused x: no", "no"),
  (errors.MonitorError("silent"), "silent", "silent"),
  (OSError(13, "Permission denied", "/x"),
   "the node daemon cannot open /x: Permission denied",
   "[Errno 13] Permission denied: '/x'"),
  (OSError(11, "Busy"), "[Errno 11] Busy", "[Errno 11] Busy"),
  (Exception(TEXT % 8), "y holds that slot by now", None),
  ])
def test_why_a_device_was_not_added(error, reason, words):
  assert start_error.reason(error, Partition()) == (reason, words)
