"""The root ports of a q35 guest: numbers, pools, options."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganeti_kvm_pci.bus import address
from ganeti_kvm_pci.bus import allocator
from ganeti_kvm_pci.bus import root_ports
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.bus.root_ports import RootPorts
from ganeti_kvm_pci.errors import BusFullError
from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.qemu import named_slots
from ganeti_kvm_pci.qemu import pci_functions
from ganeti_kvm_pci.qemu import q35
from ganeti_kvm_pci.qmp import queries

OPTION_RE = re.compile(
  r"pcie-root-port,id=rp(\d+),bus=pcie\.0,chassis=(\d+),port=(\d+),addr=0x"
  r"([0-9a-f]+)(?:\.0x(\d))?(,multifunction=on)?$")


def ports_in(words):
  """Read the root ports of a command: number to (slot, function)."""
  found = {}
  for word in words:
    match = OPTION_RE.match(word)
    if match:
      numbers = set(match.group(1, 2, 3))
      assert len(numbers) == 1
      slot, function = int(match.group(4), 16), int(match.group(5) or 0)
      assert bool(match.group(6)) == (function == 0)
      found[int(numbers.pop())] = (slot, function)
  return found


def test_the_pools_are_upstreams():
  part = RootPorts.of({})
  assert part.pool(NIC) == list(range(3, 11))
  assert part.pool(DISK) == list(range(11, 27))
  assert str(part) == "NICs rp3-rp10, disks rp11-rp26"
  assert part.qemu is None and not part.adjustable and not part.is_shared


def test_scsi_disks_free_their_ports():
  part = RootPorts.of({"disk_type": "scsi-hd"})
  assert part.pool(DISK) == [] and part.lendable(NIC) == list(range(11, 27))


@pytest.mark.parametrize("name, number", [
  ("rp3", 3), ("rp26", 26), ("rp2", None), ("rp27", None), ("rp03", None),
  ("rp", None), ("rp3.0", None), ("xrp3", None), ("rp3\n", None), ("", None),
  (None, None), ("pci.0", None)])
def test_an_id_is_a_number_or_none(name, number):
  assert root_ports.number_of(name) == number
  assert number is None or root_ports.id_of(number) == name


@pytest.mark.parametrize("part", [Partition(), RootPorts.of({})], ids=str)
def test_a_location_leads_back_to_its_slot(part):
  for slot in part.slots:
    where = part.location(slot)
    assert root_ports.slot_in(where) == slot
    assert part.locate(where["bus"], address.parse(where["addr"])[0]) == slot


def test_what_is_elsewhere_has_no_slot():
  part = RootPorts.of({}, [3, 11])
  assert part.locate("rp3", 0) == 3
  for bus, slot in ((None, 3), ("pci.0", 3), ("rp3", 1), ("rp4", 0),
                    ("pcie.0", 0), ("", 0)):
    assert part.locate(bus, slot) is None
  for hvinfo in (None, {}, {"bus": "pcie.0", "addr": "0x3"},
                 {"bus": "scsi.0"}, {"bus": "rp3", "addr": "0x1"}):
    assert root_ports.slot_in(hvinfo) is None


def test_a_full_guest_is_one_clear_error():
  with pytest.raises(BusFullError) as caught:
    allocator.cold_boot(RootPorts.of({}), 17, 8, {})
  assert str(caught.value).startswith(
    "no PCI port is left for 17 disks and 8 NICs: the guest has 24 root ports,"
    " held by: nothing yet; move the disks to SCSI")
  assert "kvm_pci_reservations" not in str(caught.value)
  with pytest.raises(BusFullError) as caught:
    allocator.hot_add(RootPorts.of({}, [11]), DISK, [11], {11: "disk-1"})
  assert "held by: rp11 disk-1;" in str(caught.value)


def test_a_class_borrows_from_the_far_end():
  part = RootPorts.of({})
  assert allocator.cold_boot(part, 2, 9) == ([11, 12], list(range(3, 11)) +
                                             [26])


@pytest.mark.parametrize("words", [
  [], ["-device", "virtio-rng-pci"], ["-name", "x", "-device", "VGA,addr=0x2"]])
def test_ports_come_first_and_are_functions_of_three_slots(words):
  after = q35.with_ports(["qemu"] + words, None)
  assert ports_in(after) == dict(
    (number, (0x17 + (number - 3) // 8, (number - 3) % 8))
    for number in range(3, 27))
  assert [o.driver for o in command.devices(after)][:24] == \
    ["pcie-root-port"] * 24
  # all else is as it was
  assert [word for word in after if not OPTION_RE.match(word)] == \
    ["qemu"] + words[:-2] + ["-device"] * 24 + words[-2:]


@given(st.sets(st.integers(0, 31), max_size=19))
def test_ports_go_around_what_kvm_extra_names(slots):
  words = ["qemu"]
  for slot in sorted(slots):
    words += ["-device", "virtio-rng-pci,bus=pcie.0,addr=0x%x" % slot]
  placed = ports_in(q35.with_ports(words, None))
  assert sorted(placed) == root_ports.NUMBERS
  assert not set(slot for slot, _ in placed.values()) & slots
  assert len(set(placed.values())) == 24
  # nothing is where the chipset has its own
  assert not set(slot for slot, _ in placed.values()) & set([0, 29, 31])


@pytest.mark.parametrize("words, slot", [
  (["-net", "nic,model=e1000,addr=0x19"], 0x19),
  (["-device", "virtio-rng-pci,id=r", "-set", "device.r.addr=0x18"], 0x18),
  (["-global", "virtio-rng-pci.addr=0x17", "-device", "virtio-rng-pci"], 0x17),
  (["-device", '{"driver":"virtio-rng-pci","addr":"18.0"}'], 0x18)])
def test_ports_go_around_what_any_option_names(words, slot):
  placed = ports_in(q35.with_ports(["qemu"] + words, None))
  assert sorted(placed) == root_ports.NUMBERS
  assert slot not in set(where[0] for where in placed.values())


def test_too_many_named_slots_are_one_clear_error():
  words = ["qemu"]
  for slot in range(2, 26):
    words += ["-device", "virtio-rng-pci,addr=0x%x" % slot]
  with pytest.raises(BusFullError) as caught:
    q35.with_ports(words, None)
  assert "no 3 slots of pcie.0 are left for 24 root ports" in str(caught.value)


def test_the_command_tells_which_partition_it_is():
  assert q35.partition({}, ["qemu"]).unit == "slot"
  words = q35.with_ports(["qemu"], None)
  part = q35.partition({"disk_type": "ide"}, words)
  assert part.unit == "port" and part.slots == root_ports.NUMBERS
  assert part.pool(DISK) == []
  # what upstream's layout has, and what it has not
  some = ["qemu", "-device",
          "pcie-root-port,id=rp3,bus=pcie.0,addr=0x3,chassis=3,port=3",
          "-device", '{"driver":"pcie-root-port","id":"rp11","bus":"pcie.0",'
          '"chassis":11,"port":"11"}',
          "-device", "pcie-root-port,id=mine", "-device", "VGA,id=rp4"]
  assert command.ports(some) == [3, 11]


@pytest.mark.parametrize("option", [
  "pcie-root-port,id=rp5", "pcie-root-port,id=rp5,chassis=5,port=5",
  "pcie-root-port,id=rp5,bus=pci.0,chassis=5,port=5",
  "pcie-root-port,id=rp5,bus=pcie.0,chassis=50,port=5",
  "pcie-root-port,id=rp5,bus=pcie.0,chassis=5"])
def test_a_port_of_the_users_own_is_none_of_ganetis(option):
  """It may have such an id on pc as well."""
  words = ["qemu", "-M", "pc", "-device", option]
  assert command.ports(words) == []
  assert q35.partition({}, words).unit == "slot"


def test_what_kvm_extra_puts_behind_a_port_is_taken():
  words = q35.with_ports(["qemu"], None) + [
    "-device", "virtio-rng-pci,bus=rp11", "-device",
    "virtio-rng-pci,id=r,bus=rp12,addr=0x0", "-device",
    "virtio-rng-pci,bus=pcie.0,addr=0x5", "-device", "virtio-rng-pci,addr=0x3"]
  assert sorted(named_slots.taken(words)) == [11, 12]


def bridge(number, *behind, **more):
  inner = {"bus": {}}
  if more.get("numbered", True):
    inner["devices"] = list(behind)
  return dict(function(0x17, "rp%d" % number), pci_bridge=inner)


def function(slot, name, model=0x1001):
  return {"slot": slot, "function": 0, "qdev_id": name, "regions": [],
          "class_info": {"class": 256}, "id": {"vendor": 0x1af4,
                                               "device": model}}


HOST = dict(function(0, ""), id={"vendor": 0x8086, "device": 0x29c0})


def test_query_pci_is_read_behind_the_ports():
  answer = [{"bus": 0, "devices": [
    HOST, bridge(3, function(0, "nic-1")), bridge(11), bridge(30, function(
      0, "x"))]}]
  part = RootPorts.of({})
  found = pci_functions.functions(answer, part)
  assert [(f.slot, f.function, f.id) for f in found] == [(3, 0, "nic-1")]
  assert pci_functions.is_numbered(answer)
  details = pci_functions.details(answer)
  assert ("rp3", (0, 0)) in details and ("pcie.0", (0, 0)) in details
  assert details["rp3", (0, 0)].model is None


def test_what_a_bridge_without_id_has_is_left_to_the_object_model():
  """Only that tells the name of its bus (pci.1)."""
  answer = [{"bus": 0, "devices": [function(0, ""), dict(
    function(3, ""), pci_bridge={"bus": {}, "devices": [function(2, "")]})]}]
  assert list(pci_functions.details(answer)) == [
    ("pci.0", (0, 0)), ("pci.0", (3, 0))]
  assert len(pci_functions.functions(answer, Partition())) == 2


def test_a_port_that_the_firmware_has_not_numbered_tells_nothing():
  answer = [{"bus": 0, "devices": [HOST, bridge(3, numbered=False)]}]
  assert not pci_functions.is_numbered(answer)


def test_what_both_query_pci_and_the_object_model_tell_is_there_once():
  """One port has no number yet: behind it is a bridge that was hot-added."""
  answer = [{"bus": 0, "devices": [HOST, bridge(3, function(0, "nic-1")),
                                   bridge(11, numbered=False)]}]
  models = {"nic-1": ("virtio-net-pci", "rp3"), "hot": ("pcie-pci-bridge",
                                                        "rp11")}

  def execute(name, arguments):
    if name == "query-pci":
      return answer
    path = arguments["path"]
    if path in ("/machine/peripheral", "/machine/peripheral-anon"):
      return [{"name": key, "type": "child<%s>" % models[key][0]}
              for key in sorted(models) if path == "/machine/peripheral"]
    if name == "qom-list":
      return [{"name": key, "type": "x"} for key in ("addr", "parent_bus")]
    return 0 if arguments["property"] == "addr" else "/machine/%s" % models[
      path.rpartition("/")[2]][1]

  found = queries.functions(execute, RootPorts.of({}))
  assert [(f.slot, f.function, f.id) for f in found] == [
    (3, 0, "nic-1"), (11, 0, "hot")]
