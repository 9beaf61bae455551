"""What QEMU's answers mean, and how they are asked for."""

import pytest

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qemu import pci_functions
from ganeti_kvm_pci.qemu import replies
from ganeti_kvm_pci.qmp import queries

#: As QEMU 7.2 gives it, shortened.
PCI = [{"bus": 0, "devices": [
  {"slot": 1, "function": 1, "qdev_id": "",
   "class_info": {"class": 257, "desc": "IDE controller"}},
  {"slot": 0, "function": 0, "qdev_id": "",
   "class_info": {"class": 1536, "desc": "Host bridge"}},
  {"slot": 1, "function": 0, "qdev_id": "",
   "class_info": {"class": 1537, "desc": "ISA bridge"}},
  {"slot": 3, "function": 0, "qdev_id": "", "class_info": {"class": 255}},
  {"slot": 8, "function": 0, "qdev_id": "disk-a",
   "class_info": {"class": 256, "desc": "SCSI controller"}},
  ]}, {"bus": 1, "devices": []}]

QOM = {
  ("/machine/peripheral", None): [
    {"name": "type", "type": "string"},
    {"name": "disk-a", "type": "child<virtio-blk-pci>"}],
  ("/machine/peripheral-anon", None): [
    {"name": "device[10]", "type": "child<virtio-rng-pci>"},
    {"name": "device[2]", "type": "child<virtserialport>"}],
  ("/machine/peripheral/disk-a", None): [{"name": "addr", "type": "int32"},
                                         {"name": "parent_bus",
                                          "type": "link<bus>"}],
  ("/machine/peripheral-anon/device[2]", None): [{"name": "parent_bus",
                                                  "type": "link<bus>"}],
  ("/machine/peripheral-anon/device[10]", None): [{"name": "addr", "type": "x"},
                                                  {"name": "parent_bus",
                                                   "type": "link<bus>"}],
  ("/machine/peripheral/disk-a", "addr"): 64,
  ("/machine/peripheral/disk-a", "parent_bus"): "/machine/i440fx/pci.0",
  ("/machine/peripheral-anon/device[10]", "addr"): 24,
  ("/machine/peripheral-anon/device[10]", "parent_bus"):
    "/machine/peripheral/hp0/hp0",
  }


def execute(command, arguments):
  if command == "query-pci":
    return PCI
  return QOM[(arguments["path"], arguments.get("property"))]


def test_functions_come_by_slot_from_the_first_bus():
  found = queries.functions(execute, Partition())
  assert [(f.slot, f.function) for f in found] == [
    (0, 0), (1, 0), (1, 1), (3, 0), (8, 0)]
  assert found[-1].id == "disk-a" and found[0].id is None
  assert found[3].description == "class 0x00ff"


def device(slot, *addresses):
  return {"slot": slot, "function": 0, "qdev_id": "d%d" % slot,
          "class_info": {"class": 256},
          "regions": [{"address": address} for address in addresses]}


@pytest.mark.parametrize("devices, expected", [
  ([device(8, 0xc000, -1), device(9, -1, -1), device(10)], ["d9"]),
  # QEMU's integers have signs or not
  ([device(8, 0xc000), device(9, (1 << 64) - 1)], ["d9"]),
  ([dict(device(8, 0xc000), qdev_id=""), device(9, -1)], ["d9"]),
  ([device(8, 0xc000), dict(device(9, -1), qdev_id="")], []),
  # it has not begun to boot, and will find all of them
  ([device(8, -1), device(9, -1)], []),
  ([{"slot": 8, "function": 0, "class_info": {"class": 256}}], [])])
def test_what_the_guest_has_not_mapped(devices, expected):
  found = pci_functions.functions([{"bus": 0, "devices": devices}],
                                  Partition())
  assert sorted(pci_functions.unclaimed(found)) == expected


def test_a_slot_is_named_after_its_device():
  assert pci_functions.held(queries.functions(execute, Partition())) == {
    0: "Host bridge", 1: "ISA bridge", 3: "class 0x00ff", 8: "disk-a"}


def test_peripherals_without_id_come_in_order_of_creation():
  assert queries.peripherals(execute, Partition()) == [
    replies.Peripheral("virtio-blk-pci", "disk-a", (8, 0)),
    replies.Peripheral("virtserialport", None, None),
    replies.Peripheral("virtio-rng-pci", None, None)]


@pytest.mark.parametrize("answer", [
  None, [], {}, [{}], [{"devices": None}], [{"devices": [{}]}],
  [{"devices": ["x"]}],
  [{"devices": [{"slot": 32, "function": 0, "class_info": {"class": 1}}]}],
  [{"devices": [{"slot": "1", "function": 0, "class_info": {"class": 1}}]}],
  [{"devices": [{"slot": 1, "function": 0, "class_info": None}]}],
  ])
def test_an_answer_of_another_shape_is_one_clear_error(answer):
  with pytest.raises(MonitorError) as caught:
    pci_functions.functions(answer, Partition())
  assert "query-pci" in str(caught.value)


@pytest.mark.parametrize("answer", [None, 3, [None], [{}], [{"type": 3}]])
def test_a_list_of_another_shape_is_one_clear_error(answer):
  with pytest.raises(MonitorError):
    replies.children(answer)


@pytest.mark.parametrize("bus, devfn", [
  (None, 8), ("/machine/x/pcie.0", 8), ("/machine/i440fx/pci.0", 256),
  ("/machine/i440fx/pci.0", "08.0"), ("pci.0", 8),
  ])
def test_what_is_not_on_the_bus_has_no_address(bus, devfn):
  assert replies.address_of(bus, devfn, Partition()) is None


PROPERTIES = [{"name": "mq", "type": "bool"}, {"name": "vectors",
                                               "type": "uint32"},
              {"name": "addr", "type": "int32"}, {"name": "mac", "type": "str"},
              {"name": "write-cache", "type": "OnOffAuto"}]


@pytest.mark.parametrize("name, value, expected", [
  ("mq", "on", True), ("mq", "off", False), ("mq", True, True),
  ("mq", False, False), ("mq", "perhaps", "perhaps"), ("vectors", 6, 6),
  # as an int, it would be slot and function
  ("addr", "0xc", "0xc"), ("addr", "12", "12"),
  ("mac", "on", "on"), ("write-cache", "on", "on"), ("unknown", "on", "on")])
def test_truth_is_no_text(name, value, expected):
  given = {"driver": "virtio-net-pci", name: value}
  found = replies.typed(given, PROPERTIES)
  assert found == {"driver": "virtio-net-pci", name: expected}
  assert type(found[name]) is type(expected)


@pytest.mark.parametrize("answer", [None, 3, [{}], [{"name": "mq"}]])
def test_properties_of_another_shape_are_one_clear_error(answer):
  with pytest.raises(MonitorError):
    replies.typed({"mq": "on"}, answer)
