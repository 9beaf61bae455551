"""What does not fit into QEMU's range, where disks are created last."""

import json

import pytest

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.qemu import command as command_
from ganeti_kvm_pci.qemu import config_file
from ganeti_kvm_pci.qemu import creation_order
from ganeti_kvm_pci.qemu import overflow

#: As QEMU 10.0 prints it.
HELP = """Controller/Bridge/Hub devices:
name "pci-bridge", bus PCI, desc "Standard PCI Bridge"

USB devices:
name "usb-tablet", bus usb-bus

Storage devices:
name "lsi53c895a", bus PCI, alias "lsi"
name "virtio-blk-pci", bus PCI, alias "virtio-blk"

Misc devices:
name "ich9-intel-hda", bus PCI, desc "Intel HD Audio Controller (ich9)"
name "isa-debugcon", bus ISA
name "loader", desc "Generic Loader"
name "virtio-balloon-pci", bus PCI, alias "virtio-balloon"
name "virtio-rng-pci", bus PCI, alias "virtio-rng"
"""
KNOWN = overflow.types(HELP)
RNG = ["-device", "virtio-rng-pci"]
NIC = ["-device", "virtio-net-pci,id=n0,bus=pci.0,addr=0x18,netdev=n0"]


def disk(slot, **more):
  return ["-device", json.dumps(dict({
    "driver": "virtio-blk-pci", "id": "d%d" % slot, "drive": "d%d" % slot,
    "bus": "pci.0", "addr": hex(slot), "iothread-vq-mapping": [
      {"iothread": "iothread0"}, {"iothread": "iothread1"}]}, **more))]


def boot(command, board=3):
  """Place the devices of a command as QEMU does.

  @return: dict, slot to id or driver; an address that is taken is an error

  """
  bus = dict((slot, "board") for slot in range(board))
  options = command_.devices(command)
  late = [option for option in options if option.is_json]
  drives = [None] * len(command_.virtio_drives(command))
  for option in [o for o in options if not o.is_json] + drives + late:
    if option is not None and not KNOWN.get(option.driver, True):
      continue
    slot = (option.address[0] if option is not None and option.address else
            min(set(range(32)) - set(bus)))
    assert slot not in bus, "slot %d for %s: %s" % (slot, option, bus[slot])
    bus[slot] = "drive" if option is None else option.id or option.driver
  return bus


def started(words, ganetis, part=None):
  """Return the command as the hypervisor gives it to QEMU."""
  command = ["q"] + words + ganetis
  known = 1 + len(words)
  part = part or Partition(8)
  late = creation_order.late_disks(command, known)
  own = creation_order.slots(command, known)
  command = creation_order.addressed_first(command, known)
  crowded = overflow.is_crowded(command, part, late, own)
  if late or crowded:
    command = overflow.address_rest(command, part, KNOWN, is_whole=crowded)
  return command


def slots_of(bus, name):
  return sorted(slot for slot in bus if bus[slot] == name)


def test_the_types_are_read():
  assert [name for name in sorted(KNOWN) if KNOWN[name]] == [
    "ich9-intel-hda", "lsi", "lsi53c895a", "pci-bridge", "virtio-balloon",
    "virtio-balloon-pci", "virtio-blk", "virtio-blk-pci", "virtio-rng",
    "virtio-rng-pci"]
  assert [name for name in sorted(KNOWN) if not KNOWN[name]] == [
    "isa-debugcon", "loader", "usb-tablet"]
  assert overflow.types("") == {}


def test_nine_rngs_do_not_take_the_slots_of_disks_in_json():
  ganetis = NIC + disk(8) + disk(9)
  words = ["-device", "virtio-balloon"] + RNG * 9
  with pytest.raises(AssertionError):
    boot(creation_order.addressed_first(["q"] + words + ganetis, 21))
  bus = boot(started(words, ganetis))
  assert slots_of(bus, "virtio-rng-pci") == [4, 5, 6, 7, 10, 11, 12, 13, 14]
  assert (bus[8], bus[9], bus[24]) == ("d8", "d9", "n0")
  # as if the disks were no JSON
  in_words = ["-device", "virtio-blk-pci,id=d8,addr=0x8,drive=a", "-device",
              "virtio-blk-pci,id=d9,addr=0x9,drive=b"]
  assert boot(started(words, NIC + in_words)) == bus


def test_what_fits_is_left_to_qemu():
  words = RNG * 5
  command = started(words, NIC + disk(8))
  assert [word for word in command if word.startswith("virtio-rng")] == \
    ["virtio-rng-pci"] * 5
  assert slots_of(boot(command), "virtio-rng-pci") == [3, 4, 5, 6, 7]
  # and without VGA one slot stays free
  command = started(["-vga", "none"] + RNG * 6, NIC + disk(8))
  assert slots_of(boot(command, 2), "virtio-rng-pci") == [2, 3, 4, 5, 6, 9]


def test_disks_in_words_or_elsewhere_need_none():
  for disk_option in (
      ["-device", "virtio-blk-pci,id=d,addr=0x8,drive=d"],
      ["-device", '{"driver":"virtio-blk-pci","addr":"0x8","drive":"d"}'],
      ["-device", '{"driver":"scsi-hd","bus":"scsi.0","drive":"d","x":[]}'],
      ["-device", '{"driver":"virtio-scsi-pci","id":"scsi","x":[]}']):
    assert not creation_order.late_disks(["q"] + disk_option, 1)
  assert creation_order.late_disks(["q"] + disk(8), 1)
  # one of kvm_extra is no disk of Ganeti's
  assert not creation_order.late_disks(["q"] + disk(8), 3)


def test_json_of_kvm_extra_goes_around_disks_too():
  words = RNG * 5 + ["-device", '{"driver":"virtio-rng-pci","id":"late"}'] * 2
  bus = boot(started(words, NIC + disk(8)))
  assert slots_of(bus, "late") == [9, 10]


def test_a_disk_in_json_keeps_a_slot_among_qemus_own():
  """By its tag, see L{frozen}."""
  words = RNG * 3 + ["-device", "usb-tablet", "-net", "nic"]
  bus = boot(started(words, NIC + disk(4) + disk(9)), 4)
  assert (bus[4], bus[9]) == ("d4", "d9")
  assert slots_of(bus, "virtio-rng-pci") == [5, 6, 7]


@pytest.mark.parametrize("more", [
  ["-device", "virtio-rng-pci,id=own,addr=0x7"],
  ["-device", '{"driver":"virtio-rng-pci","id":"own","addr":"7"}']])
def test_frozen_disks_push_nothing_to_a_slot_of_kvm_extras(more):
  ganetis = ["-device", "virtio-blk-pci,id=d4,addr=0x4,drive=a", "-device",
             "virtio-blk-pci,id=d5,addr=0x5,drive=b"] + NIC
  words = RNG * 4 + more
  bus = boot(started(words, ganetis))
  assert (bus[4], bus[5], bus[7]) == ("d4", "d5", "own")
  assert slots_of(bus, "virtio-rng-pci") == [3, 6, 8, 9]
  # where nothing is in the way, QEMU goes around
  assert started(RNG * 4, ganetis) == ["q"] + ganetis + RNG * 4


def test_a_device_in_json_of_kvm_extra_is_no_such_disk():
  words = RNG * 2 + ["-device", '{"driver":"virtio-rng-pci","addr":"0x6"}']
  assert started(words, NIC + disk(8)) == ["q"] + NIC + disk(8) + words


@pytest.mark.parametrize("more, board", [
  (["-net", "nic,model=e1000"], 4), (["-net", "nic,addr=0x1f"], 4), (["-nic", "user"], 4),
  (["-audio", "driver=none,model=hda"], 4),
  (["-nic", "none", "-net", "none", "-audio", "none"], 3)])
def test_what_the_machine_type_brings_counts(more, board):
  words = RNG * 7 + more
  bus = boot(started(words, NIC + disk(8)), board)
  assert bus[8] == "d8"
  assert slots_of(bus, "virtio-rng-pci")[-2:] == {
    4: [10, 11], 3: [9, 10]}[board]


def test_drives_come_after_the_options_and_get_qemus_last_slots():
  words = RNG * 5 + ["-drive", "file=a,if=virtio", "-drive", "if=virtio,file=b"]
  bus = boot(started(words, NIC + disk(8)))
  assert slots_of(bus, "drive") == [6, 7]
  assert slots_of(bus, "virtio-rng-pci") == [3, 4, 5, 9, 10]


def test_what_is_not_on_the_bus_stays():
  words = ["-device", "pci-bridge,id=hp0", "-device",
           "virtio-rng-pci,bus=hp0,addr=0x8", "-device",
           "virtio-rng-pci,bus=hp0", "-device", "usb-tablet", "-device",
           "isa-debugcon"] + RNG * 5
  command = started(words, NIC + disk(8))
  assert command[command.index("-device"):][:4] == NIC + disk(8)
  assert command[5:15] == words[:10]
  assert command[-2:] == ["-device", "virtio-rng-pci,bus=pci.0,addr=0x9"]


def test_an_unknown_type_may_take_a_slot_and_is_not_touched():
  words = RNG * 5 + ["-device", "what-a-name"]
  bus = boot(started(words, NIC + disk(8)))
  assert slots_of(bus, "what-a-name") == [7]
  assert slots_of(bus, "virtio-rng-pci") == [3, 4, 5, 6, 9]
  assert overflow.address_rest(["q"] + words, Partition(8), {}) == \
    ["q"] + words


def test_addresses_that_are_named_are_avoided():
  words = RNG * 6 + ["-device", "virtio-rng-pci,addr=0x9", "-device",
                     "virtio-rng-pci,id=r,addr=0x5", "-device",
                     "virtio-rng-pci,id=s", "-set", "device.s.addr=0xb"]
  command = started(words, NIC + disk(8))
  assert [o.address[0] for o in command_.devices(command) if o.address] == [
    24, 10, 12, 9, 5, 11, 8]


def test_devices_of_a_file_have_no_option_and_come_first():
  config = {"f": config_file.parse('[device]\n  driver = "virtio-rng-pci"\n')}
  command = ["q"] + NIC + ["-readconfig", "f"] + RNG * 5 + disk(8)
  after = overflow.address_rest(command, Partition(8), KNOWN, config)
  assert after[:-4] == command[:-4]
  assert after[-4:] == ["-device", "virtio-rng-pci,bus=pci.0,addr=0x9"] + \
    disk(8)


def test_a_bus_that_is_too_full_is_left_to_qemus_refusal():
  ganetis = [word for slot in range(8, 32) for word in disk(slot)]
  command = started(RNG * 6, ganetis)
  assert [word for word in command if word.startswith("virtio-rng")] == \
    ["virtio-rng-pci"] * 6


def test_without_a_range_of_qemus_all_get_addresses():
  after = overflow.address_rest(["q"] + RNG * 2 + disk(4), Partition(0), KNOWN)
  assert [o.address[0] for o in command_.devices(after)] == [3, 5, 4]
