"""Replies of another shape than QEMU's: nothing but our errors comes of them.

"""

import copy
import functools

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import genuine
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.errors import KvmPciError
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qemu import reply_shapes
from ganeti_kvm_pci.qmp import board
from ganeti_kvm_pci.qmp import inventory
from ganeti_kvm_pci.qmp import queries
from ganeti_kvm_pci.qmp import vcpus


def function(slot, name, pci_class=256, number=0):
  return {"slot": slot, "function": number, "qdev_id": name,
          "class_info": {"class": pci_class, "desc": "a device"},
          "id": {"vendor": 0x1af4, "device": 0x1001},
          "regions": [{"address": 0xc000}]}


def child(name, driver):
  return {"name": name, "type": "child<%s>" % driver}


def link(*names):
  return [{"name": name, "type": "string"} for name in names]


ON_PCI = "/machine/i440fx/pci.0"

#: What a QEMU with a disk of each type and a NIC says.
GENUINE = {
  ("query-pci", None): [{"bus": 0, "devices": [
    function(0, "", 1536), function(1, ""), function(1, "", 257, 1),
    function(3, "scsi"), function(8, "disk-a"), function(24, "nic-a", 512),
    function(5, "")]}],
  ("query-block", None): [
    {"device": "drive-a", "qdev": "/machine/peripheral/disk-a/virtio-backend",
     "removable": False,
     "inserted": {"node-name": "#block1", "image": {"virtual-size": 4096}}},
    {"device": "ide0-cd0", "removable": True, "qdev": "/machine/unattached/x"}],
  ("query-named-block-nodes", None): [{"node-name": "disk-1-2-3"}, {}],
  ("query-cpus-fast", None): [{"cpu-index": 0}, {"cpu-index": 1}],
  ("query-hotpluggable-cpus", None): [
    {"qom-path": "/machine/peripheral/cpu1", "type": "qemu64-x86_64-cpu"},
    {"type": "qemu64-x86_64-cpu", "props": {"socket-id": 1, "core-id": 0}}],
  ("/machine/peripheral/cpu1", "apic-id"): 1,
  ("/machine", "memory"): {"size": 1 << 27, "slots": 2},
  ("query-fdsets", None): [{"fdset-id": 1, "fds": [{"fd": 9}]}],
  ("query-migrate", None): {"status": "completed"},
  ("query-status", None): {"status": "running"},
  ("human-monitor-command", None): "nic-1-2-3: index=0,type=tap,fd=20\r\n",
  ("/machine/peripheral", None): [
    child("scsi", "virtio-scsi-pci"), child("disk-a", "virtio-blk-pci"),
    child("nic-a", "virtio-net-pci"), child("disk-s", "scsi-hd"),
    child("cpu1", "qemu64-x86_64-cpu"),
    {"name": "type", "type": "string"}],
  ("/machine/peripheral-anon", None): [child("device[0]", "pcie-root-port")],
  ("/machine/unattached", None): [child("usb", "usb-tablet")],
  ("/machine/unattached/usb", None): link("parent_bus", "port"),
  ("/machine/unattached/usb", "parent_bus"): ON_PCI + "/usb-bus.0",
  ("/machine/unattached/usb", "port"): "1.2",
  ("/machine/unattached/x", "type"): "ide-cd",
  ("/machine/unattached/x", None): link("parent_bus", "unit"),
  ("/machine/unattached/x", "parent_bus"): "/machine/unattached/piix/ide.1",
  ("/machine/unattached/x", "unit"): 0,
  ("/machine/unattached/piix", "type"): "piix3-ide",
  ("/machine/unattached/piix", None): link("parent_bus", "addr"),
  ("/machine/unattached/piix", "parent_bus"): ON_PCI,
  ("/machine/unattached/piix", "addr"): 9,
  (ON_PCI, "type"): "PCI",
  (ON_PCI, None): link("name"),
  ("/machine/peripheral/scsi", "type"): "virtio-scsi-pci",
  ("/machine/peripheral/scsi", None): link("addr", "parent_bus", "num_queues",
                                           "vectors"),
  ("/machine/peripheral/disk-a", None): link("addr", "parent_bus", "num-queues",
                                             "vectors"),
  ("/machine/peripheral/nic-a", None): link("addr", "parent_bus", "netdev",
                                            "mac", "mq", "vectors",
                                            "acpi-index"),
  ("/machine/peripheral/scsi", "num_queues"): 2,
  ("/machine/peripheral/scsi", "vectors"): 5,
  ("/machine/peripheral/disk-a", "num-queues"): 2,
  ("/machine/peripheral/disk-a", "vectors"): 3,
  ("/machine/peripheral/nic-a", "mq"): False,
  ("/machine/peripheral/nic-a", "vectors"): 4,
  ("/machine/peripheral/nic-a", "acpi-index"): 0,
  ("/machine/peripheral/cpu1", None): link("core-id"),
  ("/machine/peripheral/disk-s", None): link("parent_bus", "channel",
                                             "scsi-id", "lun"),
  ("/machine/peripheral-anon/device[0]", None): link("addr", "parent_bus",
                                                     "port"),
  ("/machine/peripheral/scsi", "addr"): 24,
  ("/machine/peripheral/scsi", "parent_bus"): ON_PCI,
  ("/machine/peripheral/disk-a", "addr"): 64,
  ("/machine/peripheral/disk-a", "parent_bus"): ON_PCI,
  ("/machine/peripheral/nic-a", "addr"): 192,
  ("/machine/peripheral/nic-a", "parent_bus"): ON_PCI,
  ("/machine/peripheral/nic-a", "netdev"): "nic-a",
  ("/machine/peripheral/nic-a", "mac"): "aa:00:00:00:00:01",
  ("/machine/peripheral/disk-s", "parent_bus"):
    "/machine/peripheral/scsi/virtio-backend/scsi.0",
  ("/machine/peripheral/disk-s", "channel"): 0,
  ("/machine/peripheral/disk-s", "scsi-id"): 3,
  ("/machine/peripheral/disk-s", "lun"): 0,
  ("/machine/peripheral-anon/device[0]", "addr"): 40,
  ("/machine/peripheral-anon/device[0]", "port"): 0,
  ("/machine/peripheral-anon/device[0]", "parent_bus"): ON_PCI,
  }


class Qemu(object):
  """A QEMU that says what it is told to.

  @ivar said: what it says, by command or path, and property
  @ivar leaves: (device, number): it leaves after so many questions

  """
  def __init__(self, said, leaves=None):
    self.said = said
    self.leaves = leaves
    self.asked = 0

  def __call__(self, command, arguments):
    arguments = arguments or {}
    self.asked += 1
    if self.leaves and self.asked > self.leaves[1]:
      self.remove(self.leaves[0])
    if command in ("qom-list", "qom-get"):
      path = arguments["path"]
      key = (path, arguments.get("property"))
    else:
      key = (command, None)
      path = command
    if key not in self.said:
      if command.startswith(("qom-", "blockdev-", "netdev_", "closefd",
                             "remove-")):
        raise CommandError(command, "kvm: error executing the %s command:"
                           " Device '%s' not found (DeviceNotFound):" %
                           (command, path))
      return {}
    return self.said[key]

  def remove(self, path):
    """Let a device leave."""
    folder, _, name = path.rpartition("/")
    self.said = dict((key, value) for key, value in self.said.items()
                     if key[0] != path)
    self.said[folder, None] = [item for item in self.said[folder, None]
                               if item["name"] != name]
    if "device[" in name:
      name = ""
    answer = copy.deepcopy(self.said["query-pci", None])
    answer[0]["devices"] = [
      f for f in answer[0]["devices"]
      if f["qdev_id"] != name or (not name and f["slot"] != 5)]
    self.said["query-pci", None] = answer
    self.said["query-block", None] = [
      drive for drive in self.said["query-block", None]
      if not drive.get("qdev", "").startswith(path + "/")]


def of_partition(question):
  """Ask of the partition of pci.0."""
  @functools.wraps(question)
  def ask(execute):
    return question(execute, Partition())
  return ask


PERIPHERALS = of_partition(queries.peripherals)

#: Everything that asks.
QUESTIONS = [
  of_partition(queries.functions), of_partition(queries.held), queries.ids,
  queries.scsi_ids, PERIPHERALS, inventory.topology, queries.is_leaving,
  queries.has_left, queries.postcopy, vcpus.count, vcpus.paths, board.ask]


def ask_all(said):
  """Ask everything; return how many questions were answered."""
  answered = 0
  for question in QUESTIONS:
    try:
      question(reply_shapes.checking(Qemu(said)))
      answered += 1
    except KvmPciError as err:
      assert "\n" not in str(err)
  return answered


@pytest.mark.parametrize("value", [{}, [], u"", 0, None, True, 2 ** 70],
                         ids=repr)
def test_nothing_but_our_errors_comes_of_one_odd_value_anywhere(value):
  """What is empty is as odd as what is of another type."""
  for key, reply in GENUINE.items():
    for where in range(len(genuine.list_places({"reply": reply}))):
      holder = {"reply": copy.deepcopy(reply)}
      genuine.mutate(holder, 1, where, 0, value)
      said = dict(GENUINE)
      said[key] = holder["reply"]
      ask_all(said)


def test_a_genuine_qemu_is_understood():
  assert ask_all(GENUINE) == len(QUESTIONS)


@pytest.mark.parametrize("missing", ["channel", "lun"])
def test_a_scsi_disk_whose_address_is_in_part_is_one_clear_error(missing):
  path = "/machine/peripheral/disk-s"
  said = dict(GENUINE)
  said[path, None] = [item for item in said[path, None]
                      if item["name"] != missing]
  with pytest.raises(MonitorError) as caught:
    inventory.topology(reply_shapes.checking(Qemu(said)))
  assert str(caught.value) == (
    "unexpected reply to QMP command qom-list: %s has scsi-id, but no %s" %
    (path, missing))


JSON = st.recursive(
  st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
  lambda inner: st.lists(inner, max_size=3) |
  st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=6)


@settings(max_examples=150)
@given(st.sampled_from(sorted(GENUINE, key=str)), st.lists(st.tuples(
  st.integers(0, 3), st.integers(0, 60), st.integers(0, 60),
  st.sampled_from(genuine.VALUES) | JSON), min_size=1, max_size=3))
def test_nothing_but_our_errors_comes_of_a_mutated_reply(key, changes):
  said = dict(GENUINE)
  holder = {"reply": copy.deepcopy(said[key])}
  for change, where, other, value in changes:
    if holder:
      genuine.mutate(holder, change, where, other, copy.deepcopy(value))
  said[key] = holder.get("reply")
  ask_all(said)


@settings(max_examples=150)
@given(st.sampled_from(sorted(GENUINE, key=str)), JSON)
def test_nor_of_any_reply(key, reply):
  said = dict(GENUINE)
  said[key] = reply
  ask_all(said)


@pytest.mark.parametrize("change, said", [
  ({"function": "0"}, "reply[0].devices[0].function: a function from 0 to 7"
   " expected, not '0'"),
  ({"slot": 32}, "reply[0].devices[0].slot: a slot from 0 to 31 expected"),
  ({"slot": True}, "slot: a slot from 0 to 31 expected, not True"),
  ({"qdev_id": 7}, "qdev_id: a text expected, not 7"),
  ({"class_info": []}, "class_info: an object expected, not []"),
  ({"class_info": {}}, "reply[0].devices[0].class_info: no class"),
  ({"id": {"vendor": 1}}, "reply[0].devices[0].id: no device"),
  ])
def test_what_is_odd_is_named(change, said):
  answer = [{"bus": 0, "devices": [dict(function(8, "x"), **change)]}]
  with pytest.raises(MonitorError) as caught:
    reply_shapes.check("query-pci", None, answer)
  assert str(caught.value).startswith(
    "unexpected reply to QMP command query-pci: ")
  assert said in str(caught.value)


def test_what_is_as_long_as_it_likes_is_not_quoted_in_full():
  with pytest.raises(MonitorError) as caught:
    reply_shapes.check("query-status", None, ["x" * 100000])
  assert len(str(caught.value)) < 200


def test_what_is_not_read_may_be_anything():
  for answer in (None, 3, [], {"x": 1}):
    assert reply_shapes.check("cont", None, answer) is answer
    assert reply_shapes.check("qom-get", {"property": "x"}, answer) is answer


DEVICES = ["/machine/peripheral/disk-a", "/machine/peripheral/nic-a",
           "/machine/peripheral/disk-s", "/machine/peripheral-anon/device[0]"]


@pytest.mark.parametrize("path", DEVICES)
@pytest.mark.parametrize("question", [inventory.topology, PERIPHERALS,
                                      queries.scsi_ids])
def test_what_leaves_while_it_is_looked_at_is_not_there(path, question):
  with_it = question(reply_shapes.checking(Qemu(GENUINE)))
  gone = Qemu(GENUINE)
  gone.remove(path)
  without = question(reply_shapes.checking(gone))
  for moment in range(60):
    qemu = Qemu(GENUINE, leaves=(path, moment))
    found = question(reply_shapes.checking(qemu))
    assert found in (with_it, without)
    if qemu.asked <= moment:
      break
  assert found == with_it and moment < 59


def test_devices_that_change_all_the_time_are_one_clear_error():
  qemu = Qemu(dict(GENUINE))
  numbers = iter(range(10000))

  def execute(command, arguments):
    if (arguments or {}).get("path") == "/machine/peripheral":
      return [child("disk-%d" % next(numbers), "virtio-blk-pci")]
    return qemu(command, arguments)
  with pytest.raises(MonitorError) as caught:
    inventory.topology(reply_shapes.checking(execute))
  assert "QEMU's devices changed during each of 20 looks" in str(caught.value)


def test_a_refusal_that_is_not_about_that_is_passed_on():
  def execute(command, arguments):
    if command == "qom-get":
      raise CommandError(command, "kvm: error executing qom-get: no way")
    return GENUINE[(arguments or {}).get("path", command), None]
  for question in (inventory.topology, PERIPHERALS):
    with pytest.raises(CommandError):
      question(reply_shapes.checking(execute))


@pytest.mark.parametrize("command", sorted(reply_shapes._SHAPES))
def test_the_short_check_finds_what_the_long_one_finds(command):
  """Each value is replaced by others, at each depth, and each key left out."""
  shape = reply_shapes._SHAPES[command]
  fits = reply_shapes._fitting(shape)
  count = {True: 0, False: 0}
  for reply in replies_like(shape):
    found = reply_shapes._misfit(reply, shape, "reply") is None
    assert fits(reply) == found, reply
    count[found] += 1
  assert count[True] and count[False]


def replies_like(shape):
  """Make replies that have a shape, and such as nearly have it."""
  if isinstance(shape, reply_shapes._Shape):
    return [None, True, 0, 7, 31, 32, -1, 1 << 70, 1.5, "", "1.2", "x", [], {}]
  if isinstance(shape, list):
    inner = replies_like(shape[0])
    return [None, {}, "x", []] + [[item] for item in inner] + [
      [inner[-1], item] for item in inner]
  values = {}
  for key, inner in shape.items():
    values[key] = replies_like(
      inner.shape if isinstance(inner, reply_shapes._Optional) else inner)
  good = dict((key, fitting(inner)) for key, inner in shape.items())
  found = [None, [], "x", {}, good]
  for key, others in values.items():
    found.append(dict(pair for pair in good.items() if pair[0] != key))
    found += [dict(good, **{key: other}) for other in others]
  return found


def fitting(shape):
  """Make a reply that has a shape."""
  if isinstance(shape, reply_shapes._Optional):
    return fitting(shape.shape)
  if isinstance(shape, list):
    return [fitting(shape[0])]
  if isinstance(shape, dict):
    return dict((key, fitting(inner)) for key, inner in shape.items())
  return [value for value in (True, 7, "1.2") if shape.fits(value)][0]
