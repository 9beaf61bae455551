"""QEMU's refusals, in the words of several versions."""

import pytest

from ganeti_kvm_pci import refusal
from ganeti_kvm_pci import section
from ganeti_kvm_pci.partition import Partition

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
  error = refusal.explain(text, COMMAND, Partition())
  assert (error.slot, error.device, error.holder) == (slot, device, holder)
  for part in ("slot %d" % slot, device, holder or "QEMU itself"):
    assert part in str(error)
  assert "\n" not in str(error)


TEXT = "PCI: slot %d function 0 not available for x, in use by y,id=(null)"


@pytest.mark.parametrize("slot, options, part, says", [
  # QEMU's own came before Ganeti's disk
  (8, [], Partition(8), "raise kvm_pci_reservations above 8, or take devices"),
  # this series has no such parameter
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
def test_the_way_out_depends_on_who_named_the_slot(slot, options, part, says):
  command = COMMAND + [word for o in options for word in ("-device", o)]
  assert says in str(refusal.explain(TEXT % slot, command, part))


@pytest.mark.parametrize("text", [
  "PCI: no slot/function available for virtio-rng-pci, all in use or reserved",
  "PCI: no slot/function available for virtio-rng-pci, all in use",
  ])
def test_no_slot_left(text):
  error = refusal.explain(text, COMMAND, Partition())
  assert error.slot is None and error.device == "virtio-rng-pci"
  assert "all 32 slots" in str(error) and "kvm_extra" in str(error)


@pytest.mark.parametrize("text", ["", "could not open disk image", "PCI: "])
def test_other_failures_are_none_of_ours(text):
  assert refusal.explain(text, COMMAND, Partition()) is None


#: What only a file says that is not in the command.
FILE = {"usb.cfg": [section.Section("device", {
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
  error = refusal.explain(text, COMMAND + words, Partition(8), configs)
  assert error.slot == 29 and "slot 29" in str(error)
  assert says in str(error)
  assert "kvm_pci_reservations" not in str(error)
