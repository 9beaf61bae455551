"""QEMU's devices beyond their range, put into the runtime file's command."""

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.qemu import explicit
from ganeti_kvm_pci.qemu.pci_functions import Function
from ganeti_kvm_pci.qemu.replies import Peripheral


def function(slot, device_id=None, number=0):
  return Function(slot, number, device_id, "class 0x00ff")


def addresses(*slots):
  return [(s, 0) if s is not None else None for s in slots]


def test_only_what_the_runtime_file_does_not_have_is_a_stray():
  functions = [function(s) for s in (0, 3, 7, 8, 10, 24)]
  assert explicit.beyond(Partition(), functions, {8: "d", 24: "n"}) == [
    function(10)]
  assert explicit.beyond(Partition(12), functions, {24: "n"}) == []
  assert explicit.beyond(Partition(8, False), functions, {24: "n"}) == []


def test_strays_are_matched_by_the_order_of_creation():
  command = ["q", "-device", "virtio-balloon", "-device", "usb-tablet",
             "-device", "virtio-rng-pci", "-device", "virtio-rng-pci"]
  peripherals = [Peripheral(driver, None, where) for driver, where in zip(
    ["virtio-balloon-pci", "usb-tablet", "virtio-rng-pci", "virtio-rng-pci"],
    addresses(3, None, 7, 10))]
  after, named, left = explicit.fix(command, peripherals, [function(10)])
  assert after == command[:-1] + ["virtio-rng-pci,bus=pci.0,addr=0xa"]
  assert (named, left) == ([function(10)], [])


def test_strays_with_an_id_are_matched_by_it():
  command = ["q", "-device", "virtio-serial,id=qga0"]
  peripherals = [Peripheral("virtio-blk-pci", "disk-1", (8, 0)),
                 Peripheral("virtio-serial-pci", "qga0", (10, 0))]
  after, _, left = explicit.fix(command, peripherals, [function(10, "qga0")])
  assert after[2] == "virtio-serial,id=qga0,bus=pci.0,addr=0xa"
  assert left == []


def test_drives_and_nics_without_id_come_between_words_and_json():
  command = ["q", "-device", '{"driver":"AC97"}', "-drive", "if=virtio",
             "-device", "virtio-rng-pci"]
  peripherals = [Peripheral("virtio-rng-pci", None, (7, 0)),
                 Peripheral("ne2k_isa", None, None),
                 Peripheral("virtio-blk-pci", None, (10, 0)),
                 Peripheral("AC97", None, (11, 0))]
  strays = [function(10), function(11)]
  after, named, left = explicit.fix(command, peripherals, strays, 1)
  assert '"addr":"0xb"' in after[2] and after[3:] == command[3:]
  # no -device option stands for the drive
  assert (named, left) == ([function(11)], [function(10)])


def test_an_unknown_alias_does_not_matter_where_all_are_accounted_for():
  command = ["q", "-device", "what-a-name", "-device", "virtio-rng-pci"]
  peripherals = [Peripheral("something-else", None, (10, 0)),
                 Peripheral("virtio-rng-pci", None, (11, 0))]
  after, _, left = explicit.fix(command, peripherals,
                                [function(10), function(11)])
  assert after[2] == "what-a-name,bus=pci.0,addr=0xa" and not left


def test_a_device_that_no_option_made_confuses_only_its_like():
  # -virtfs makes a virtio-9p-pci
  command = ["q", "-device", "virtio-rng-pci", "-virtfs", "local",
             "-device", "virtio-9p-pci", "-device", "ahci"]
  peripherals = [Peripheral("virtio-rng-pci", None, (10, 0)),
                 Peripheral("virtio-9p-pci", None, (11, 0)),
                 Peripheral("virtio-9p-pci", None, (12, 0)),
                 Peripheral("ich9-ahci", None, (13, 0))]
  strays = [function(s) for s in (10, 11, 12, 13)]
  after, named, left = explicit.fix(command, peripherals, strays)
  assert after[2] == "virtio-rng-pci,bus=pci.0,addr=0xa"
  assert after[6] == "virtio-9p-pci"
  assert after[8] == "ahci,bus=pci.0,addr=0xd"
  assert [f.slot for f in named] == [10, 13]
  assert [f.slot for f in left] == [11, 12]


def test_where_order_and_drivers_disagree_nothing_is_guessed():
  command = ["q", "-device", "virtio-rng-pci", "-device", "AC97"]
  strays = [function(10), function(11), function(12)]
  for drivers in (["AC97", "virtio-rng-pci", "e1000"], ["virtio-rng-pci"], [],
                  ["virtio-rng-pci", "virtio-rng-pci", "e1000"]):
    peripherals = [Peripheral(driver, None, (10 + n, 0))
                   for n, driver in enumerate(drivers)]
    after, named, left = explicit.fix(command, peripherals, strays)
    assert (after, named, left) == (command, [], strays)


def test_aliases_of_drivers_are_known_by_their_shape():
  command = ["q", "-device", "lsi", "-device", "ES1370", "-device",
             "virtio-scsi-pci"]
  peripherals = [Peripheral("lsi53c895a", None, (10, 0)),
                 Peripheral("es1370", None, (11, 0)),
                 Peripheral("virtio-scsi-pci", None, (12, 0))]
  strays = [function(10), function(11), function(12)]
  assert explicit.fix(command, peripherals, strays)[2] == []


def test_what_qemu_made_itself_is_left():
  after, named, left = explicit.fix(["q", "-net", "nic"], [], [function(9)])
  assert (after, named, left) == (["q", "-net", "nic"], [], [function(9)])


def test_addresses_that_the_user_did_not_write_are_taken_back():
  extra = "-device virtio-rng-pci,addr=0x5 -device AC97"
  before = ["q", "-balloon", "virtio,id=balloon,bus=pci.0,addr=0x3", "-device",
            "virtio-serial-pci,id=spice,bus=pci.0,addr=0x4",
            "-device", "virtio-rng-pci,addr=0x5",
            "-device", "AC97,bus=pci.0,addr=0xa"]
  after, freed = explicit.without_addresses(before, extra)
  assert after == ["q", "-balloon", "virtio,id=balloon",
                   "-device", "virtio-serial-pci,id=spice",
                   "-device", "virtio-rng-pci,addr=0x5", "-device", "AC97"]
  assert [option.address[0] for option in freed] == [3, 4, 10]
  assert explicit.without_addresses(after, extra) == (after, [])
