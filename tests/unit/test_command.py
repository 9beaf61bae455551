"""QEMU's command line as data."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.qemu import creation_order
from ganeti_kvm_pci.qemu import option


def test_the_forms_of_a_device_option():
  options = command.devices([
    "qemu", "-m", 128, "-device", "virtio-balloon", "-name", "vm1",
    "--device", "virtio-rng-pci,id=r,bus=pci.0,addr=0xa",
    "-device", "driver=AC97,addr=10",
    "-device", "virtio-blk-pci,id=d,bus=pci.0,addr=8.1,drive=x",
    "-device", "usb-tablet,bus=usb.0", "-device", "pc-dimm,addr=0x100000000",
    "-device", "e1000,bus=hp0,addr=0x3,netdev=n"])
  named = dict((o.driver, o) for o in options)
  assert named["virtio-rng-pci"].address == (10, 0)
  assert named["virtio-rng-pci"].id == "r"
  assert named["AC97"].address == (16, 0)
  assert named["virtio-blk-pci"].address == (8, 1)
  assert named["virtio-blk-pci"].backend == "x"
  assert named["usb-tablet"].address is None
  assert named["pc-dimm"].address is None
  assert named["e1000"].address is None


def test_a_balloon_is_a_device():
  option, = command.devices(["q", "-balloon", "virtio,id=balloon,addr=0x3"])
  assert (option.driver, option.id, option.address) == ("virtio-balloon", "balloon",
                                                        (3, 0))


def test_json_devices_come_last_as_they_do_in_qemu():
  options = command.devices(
    ["q", "-device", '{"driver":"AC97","addr":"5"}', "-device", "a",
     "-device", '{"driver":"b","addr":88,"bus":"pci.0"}'])
  assert [o.driver for o in options] == ["a", "AC97", "b"]
  assert [o.address for o in options] == [None, (5, 0), (11, 0)]


def test_an_option_that_is_no_json_is_read_as_words():
  assert command.devices(["q", "-device", "{oops"])[0].driver == "{oops"
  assert command.devices(["q", "-device", "[1]"])[0].driver == "[1]"


def test_a_doubled_comma_is_part_of_a_value():
  text = "virtio-serial,id=a,,b"
  assert command.split_option(text)[1] == ("id", "a,b")
  placed = command.with_address(["q", "-device", text], 2, 10)
  assert placed[2] == "virtio-serial,id=a,,b,bus=pci.0,addr=0xa"


def test_an_address_is_written_once():
  before = ["q", "-device", "AC97,bus=pci.0"]
  after = command.with_address(before, 2, 10, 1)
  assert after == ["q", "-device", "AC97,bus=pci.0,addr=0xa.0x1"]
  assert before[2] == "AC97,bus=pci.0"
  assert command.devices(after)[0].address == (10, 1)


def test_an_address_in_json():
  after = command.with_address(["q", "-device", '{"driver": "AC97"}'], 2, 10)
  assert json.loads(after[2]) == {"driver": "AC97", "bus": "pci.0",
                                  "addr": "0xa"}
  assert " " not in after[2]


def test_virtio_drives_are_found():
  assert command.virtio_drives(
    ["q", "-drive", "file=a,if=virtio", "-drive", "file=b,if=none",
     "--drive", "if=virtio,file=c"]) == [2, 6]


DISK = "virtio-blk-pci,id=d0,bus=pci.0,addr=0x8,drive=d0"
NIC = "virtio-net-pci,id=n0,bus=pci.0,addr=0x18,netdev=n0"


def test_ganetis_devices_go_before_what_qemu_places():
  before = ["q", "-S", "-device", "virtio-balloon", "-usb",
            "-device", "virtio-rng-pci", "-netdev", "tap,id=n0",
            "-device", NIC, "-device", DISK, "-drive", "if=none,id=d0"]
  after = creation_order.addressed_first(before, 7)
  assert after == ["q", "-S", "-device", NIC, "-device", DISK,
                   "-device", "virtio-balloon", "-usb",
                   "-device", "virtio-rng-pci", "-netdev", "tap,id=n0",
                   "-drive", "if=none,id=d0"]
  assert creation_order.addressed_first(after, 2) == after


def as_json(text, **more):
  keys = command.keys_of(text)
  return json.dumps(dict(keys, **more))


def test_disks_in_json_go_before_what_qemu_places_too():
  before = ["q", "-device", "virtio-balloon", "-device", "virtio-rng-pci",
            "-device", NIC, "-device", as_json(DISK, **{
              "num-queues": 4, "share-rw": False, "serial": "a,b"})]
  words = ("virtio-blk-pci,addr=0x8,bus=pci.0,drive=d0,id=d0,num-queues=4,"
           "serial=a,,b,share-rw=off")
  assert creation_order.addressed_first(before, 5) == [
    "q", "-device", NIC, "-device", words, "-device", "virtio-balloon",
    "-device", "virtio-rng-pci"]
  assert command.keys_of(words)["serial"] == "a,b"


@pytest.mark.parametrize("disk", [
  as_json(DISK, **{"iothread-vq-mapping": [{"iothread": "iothread0"}]}),
  as_json(DISK, x=None), as_json(DISK, x=1.5), as_json(DISK, **{"a,b": "c"}),
  as_json("scsi-hd,bus=scsi.0,drive=d0"), as_json("ide-hd,bus=ide.0,drive=d0"),
  as_json("virtio-scsi-pci,id=scsi"), as_json("virtio-rng-pci,addr=0x9")])
def test_other_json_stays(disk):
  before = ["q", "-device", "virtio-rng-pci", "-device", disk]
  after = creation_order.addressed_first(before, 3)
  assert [(o.driver, o.is_json) for o in command.devices(after)] == [
    ("virtio-rng-pci", False), (command.keys_of(disk)["driver"], True)]
  assert disk in after


@pytest.mark.parametrize("text", [
  "virtio-blk-pci,id=x", '{"id":"x","drive":"d","addr":"0x5"}',
  '{"driver":"virtio-blk-pci","addr":24,"drive":"d"}'])
def test_what_words_cannot_say_is_left_as_it_is(text):
  assert option.from_json_to_words(text) is None


def test_json_in_the_runtime_file_stays():
  before = ["q", "-device", as_json(DISK), "-device", NIC]
  assert creation_order.addressed_first(before, 3)[-1] == before[2]


def test_nothing_else_is_moved():
  # a port without a bus belongs to the controller created last
  before = ["q", "-device", "virtio-serial,id=a", "-device", "virtserialport",
            "-device", "virtio-serial,id=b,bus=pci.0,addr=0xa",
            "-device", "virtserialport",
            "-device", "scsi-hd,bus=scsi.0,drive=s", "-m", 128]
  assert creation_order.addressed_first(before, 0) == before


def test_the_runtime_files_options_keep_their_order():
  before = ["q", "-device", "virtio-rng-pci", "-device", DISK, "-device", NIC]
  assert creation_order.addressed_first(before, 5) == [
    "q", "-device", NIC, "-device", "virtio-rng-pci", "-device", DISK]


def test_a_command_without_devices_is_left_alone():
  assert creation_order.addressed_first(["q", "-m", 128], 3) == ["q", "-m", 128]


@pytest.mark.parametrize("text, placed", [
  ("virtio-rng-pci,", "virtio-rng-pci,bus=pci.0,addr=0xa"),
  ("driver=AC97,", "driver=AC97,bus=pci.0,addr=0xa"),
  ("a,,b=c,id=x", "a,,b=c,id=x,bus=pci.0,addr=0xa"),
  ("a,romfile=x,,,bus=y", "a,romfile=x,,,bus=pci.0,addr=0xa"),
  ("addr=3,ioeventfd,driver=a", "ioeventfd=on,driver=a,bus=pci.0,addr=0xa"),
  ("bus=y,noioeventfd,driver=a", "ioeventfd=off,driver=a,bus=pci.0,addr=0xa"),
  ("a,addr=0x1,serial=addr=0x2,addr=4", "a,serial=addr=0x2,bus=pci.0,addr=0xa"),
  ("{'driver':'a','addr':9}", '{"addr":"0xa","bus":"pci.0","driver":"a"}'),
  ])
def test_an_address_is_written_into_any_form(text, placed):
  assert command.with_address(["q", "-device", text], 2, 10)[2] == placed


@pytest.mark.parametrize("text, driver, name, address", [
  ("id=x,driver=a,id=y,addr=1,addr=2", "a", "x", (2, 0)),
  ("nonsense,driver=a", "a", None, None), ("a,id", "a", "on", None),
  ("a,noid,addr= +0x1.+2", "a", "off", (1, 2)), ("a,addr", "a", None, None),
  ("", "", None, None), ("a,b,,id=x", "a", "x", None),
  ("{'driver':\"a\",'id':'it\\'s \"x\"',\"addr\":80}", "a", "it's \"x\"",
   (10, 0)),
  ("{'driver':'a'", "{'driver':'a'", None, None),
  ])
def test_an_option_is_read_as_qemu_does(text, driver, name, address):
  found, = command.devices(["q", "-device", text])
  assert (found.driver, found.id, found.address) == (driver, name, address)


@pytest.mark.parametrize("text", [
  "", ",", "=", "a,", ",a", "a,b=", "=b,a", "a=b=c,d", "a=1,b,c=2,",
  "virtio-net-pci,id=x,addr=0xd", "a=b\nc,d"])
def test_what_is_read_does_not_depend_on_a_doubled_comma_elsewhere(text):
  longer = text + ("" if text.endswith(",") else ",") + "z=,,"
  assert command.split_option(longer) == command.split_option(text) + [
    ("z", ",")]


@given(st.lists(st.tuples(st.sampled_from(["a", "noa", "bus", "addr", "id"]),
                          st.text("ab,=\"' \n{"))), st.text("dr,{'", min_size=1))
def test_whatever_is_joined_is_split_again(pairs, first):
  assert command.split_option(option.join([(first, None)] + pairs)) \
    == [(first, None)] + pairs


@given(st.text("ab,=no{}'\" idbusadr."))
def test_any_text_takes_an_address(text):
  before, = command.devices(["q", "-device", text])
  after, = command.devices(command.with_address(["q", "-device", text], 2, 10))
  assert after.address == (10, 0)
  assert (after.id, after.is_json) == (before.id, before.is_json)
  if before.driver and not before.driver.startswith(("bus", "addr")):
    assert after.driver == before.driver
