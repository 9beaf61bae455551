"""What unmodified Ganeti loses in hotplug, and the plugin keeps.

Every test does the same on both, and says what the result is on unmodified
Ganeti. The SCSI bus is the affair of L{test_scsi}, processes at odds that of
L{test_adverse}.

"""

import time

import pytest

from ganeti import constants
from ganeti import errors
from ganeti import objects
from ganeti.hypervisor import hv_kvm

from qemu_state import Inventory, agree, runtime_devices, parse_devices, tell
from test_old_runtime_files import adopt
from nodes import DISK, NIC
import slow_guest
import nodes

VERSION = (constants.VERSION_MAJOR, constants.VERSION_MINOR)

pytestmark = pytest.mark.skipif(
  VERSION != (3, 0),
  reason="what unmodified Ganeti does is asserted as 3.0 does it")

DISK_AND_NIC = pytest.mark.parametrize("dev_type", [DISK, NIC],
                                       ids=["disk", "nic"])


class Died(BaseException):
  """The node daemon's process ends here."""


def die(*_):
  raise Died


def add_and_die(node, dev_type, monkeypatch):
  """Have the daemon die once QEMU has a device, number 2."""
  with monkeypatch.context() as patched:
    patched.setattr(node.hyper, "_VerifyHotplugCommand", die)
    with pytest.raises(Died):
      node.hot_add(dev_type, 2, 2)


def text_of(caught):
  """Return an error's text, in the report as well."""
  print("%s: %s" % (type(caught.value).__name__, caught.value))
  return str(caught.value)


def wait_until_gone(node, device_id, timeout=60):
  """Wait until the unplug of a device has completed."""
  deadline = time.time() + timeout
  while device_id in Inventory(node).devices:
    assert time.time() < deadline, "the guest keeps %s" % device_id
    time.sleep(0.02)


def id_of(dev_type, number):
  uuid = (nodes.nic if dev_type == NIC else nodes.disk)(number).uuid
  return hv_kvm._GenerateDeviceKVMId(dev_type, objects.NIC(uuid=uuid))


def test_devices_of_an_older_version_are_removed_and_modified(
    node, which, guest, monkeypatch):
  slow_guest.lend(node, monkeypatch)
  adopt(node, "v2.15.2-hdaspice+hotplug", guest)
  node.start_from_file()
  node.wait_for_guest()
  _, nics, _, disks = node.hyper._LoadKVMRuntime(node.instance)
  disk, nic = disks[-1][0], nics[-1]
  before = runtime_devices(node)
  disk_id, nic_id = disk.hvinfo["id"], nic.hvinfo["id"]
  slot = before[nic_id]
  assert disk_id.startswith("hotdisk-") and nic_id.startswith("hotnic-")

  def hot_del():
    node.hyper.HotDelDevice(node.instance, DISK, objects.Disk(uuid=disk.uuid),
                            None, len(disks) - 1)

  def hot_mod():
    node.hyper.HotModDevice(node.instance, NIC, objects.NIC.FromDict(dict(
      nic.ToDict(), hvinfo={})), None, len(nics) - 1)

  if which == "unmodified":
    for operation in (hot_del, hot_mod):
      with pytest.raises(errors.HypervisorError) as caught:
        operation()
      assert "not found" in text_of(caught)
    assert set([disk_id, nic_id]) <= set(Inventory(node).devices)
    return
  hot_del()
  found = agree(node)
  assert disk_id not in found.devices
  hot_mod()
  found = agree(node)
  # the same slot, under the name that this version gives
  assert nic_id not in found.devices
  assert found.devices[hv_kvm._GenerateDeviceKVMId(NIC, nic)] == slot


@DISK_AND_NIC
def test_a_slot_that_a_dead_daemon_filled_is_not_given_again(
    node, which, dev_type, monkeypatch):
  node.start()
  add_and_die(node, dev_type, monkeypatch)
  if which == "unmodified":
    assert id_of(dev_type, 2) not in runtime_devices(node)
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_add(dev_type, 3, 2)
    assert "not available" in text_of(caught)
    return
  node.hot_add(dev_type, 3, 2)
  found = agree(node)
  assert (found.devices[id_of(dev_type, 3)] ==
          found.devices[id_of(dev_type, 2)] + 1)


def test_adding_again_what_a_dead_daemon_added_changes_nothing(
    node, which, monkeypatch):
  node.start()
  add_and_die(node, DISK, monkeypatch)
  if which == "unmodified":
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_add(DISK, 2, 2)
    assert "Duplicate" in text_of(caught)
    return
  node.hot_add(DISK, 2, 2)
  assert len(agree(node).of(DISK)) == 3


def test_a_refused_nic_leaves_nothing_behind(node, which):
  node.start()
  before = vars(Inventory(node))
  refused = nodes.nic(2)
  refused.mac = "no such address"
  with pytest.raises(errors.HypervisorError) as caught:
    node.hyper.HotAddDevice(node.instance, NIC, refused, None, 2)
  assert "mac" in text_of(caught)
  if which == "unmodified":
    assert id_of(NIC, 2) in Inventory(node).netdevs
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_add(NIC, 2, 2)
    assert "Duplicate" in text_of(caught)
    return
  found = vars(agree(node))
  # the tests' own process holds the tap until it ends; a daemon's would end
  assert dict(found, taps=0) == dict(before, taps=0)
  node.hot_add(NIC, 2, 2)
  assert id_of(NIC, 2) in agree(node).netdevs


def occupy_at_the_last_moment(node, monkeypatch):
  """Fill the slot chosen for a disk before QEMU is asked for it."""
  plain = hv_kvm.QmpConnection.HotAddDisk

  def HotAddDisk(self, disk, *args, **kwargs):
    monkeypatch.undo()
    tell(node, "device_add", driver="virtio-rng-pci", id="byhand", bus="pci.0",
         addr=disk.hvinfo["addr"])
    return plain(self, disk, *args, **kwargs)

  monkeypatch.setattr(hv_kvm.QmpConnection, "HotAddDisk", HotAddDisk)


def test_a_refused_disk_leaves_nothing_behind(node, which, monkeypatch):
  node.start()
  occupy_at_the_last_moment(node, monkeypatch)
  with pytest.raises(errors.GenericError) as caught:
    node.hot_add(DISK, 2, 2)
  text = text_of(caught)
  if which == "unmodified":
    assert id_of(DISK, 2) in Inventory(node).drives
    # runtime file and QEMU still disagree
    with pytest.raises(errors.HypervisorError):
      node.hot_add(DISK, 2, 2)
    return
  for word in (nodes.NAME, id_of(DISK, 2), "slot ", "byhand"):
    assert word in text
  agree(node)
  node.hot_add(DISK, 2, 2)
  found = agree(node)
  assert found.devices[id_of(DISK, 2)] not in (
    slot for slot, name in node.live().items() if name == "byhand")


def test_a_removal_is_looked_for_ten_times_a_second_and_not_once(
    booted, which, monkeypatch):
  slow_guest.lend(booted, monkeypatch)
  booted.hot_add(DISK, 8, 2)
  pauses = []
  plain = time.sleep

  def sleep(seconds):
    if not pauses:
      tell(booted, "cont")
    pauses.append(seconds)
    plain(seconds)

  # so that it is there when they first look
  tell(booted, "stop")
  monkeypatch.setattr(time, "sleep", sleep)
  booted.hot_del(DISK, 8, 2)
  assert id_of(DISK, 8) not in Inventory(booted).devices
  assert max(pauses) == {"unmodified": 1, "plugin": 0.1}[which]


@DISK_AND_NIC
def test_what_the_guest_still_has_keeps_its_backend(booted, which, dev_type,
                                                    monkeypatch):
  number = 4 + (dev_type == NIC)
  device_id = id_of(dev_type, number)
  booted.hot_add(dev_type, number, 2)
  slot = runtime_devices(booted)[device_id]
  tuns = Inventory(booted).tuns
  # unmodified Ganeti takes its time whatever is set here
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "1.5")
  tell(booted, "stop")
  try:
    with pytest.raises(errors.GenericError) as caught:
      booted.hot_del(dev_type, number, 2)
    text = text_of(caught)
    found = Inventory(booted)
    assert device_id in found.devices and device_id in runtime_devices(booted)
    # QEMU goes on listing a netdev that was removed from under its NIC
    has_backend = (found.tuns == tuns if dev_type == NIC else
                   device_id in found.drives)
    assert has_backend == (which == "plugin")
    if which == "plugin":
      for word in (nodes.NAME, device_id, "slot %d" % slot, "1.5 s"):
        assert word in text
  finally:
    tell(booted, "cont")
  wait_until_gone(booted, device_id)
  if which == "unmodified":
    # nor does a second attempt help
    with pytest.raises(errors.HypervisorError) as caught:
      booted.hot_del(dev_type, number, 2)
    assert "not found" in text_of(caught)
    assert device_id in runtime_devices(booted)
  else:
    booted.hot_del(dev_type, number, 2)
    agree(booted)


@DISK_AND_NIC
def test_a_migration_takes_no_device_that_was_unplugged_late(
    booted, which, dev_type, monkeypatch):
  number = 6 + (dev_type == NIC)
  device_id = id_of(dev_type, number)
  booted.hot_add(dev_type, number, 2)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.5")
  tell(booted, "stop")
  try:
    with pytest.raises(errors.GenericError):
      booted.hot_del(dev_type, number, 2)
  finally:
    tell(booted, "cont")
  wait_until_gone(booted, device_id)
  info = booted.hyper.MigrationInfo(booted.instance)
  if which == "unmodified":
    assert device_id in parse_devices(info)
    return
  assert parse_devices(info) == Inventory(booted).devices
  agree(booted)


def test_a_nic_without_uuid_has_the_same_at_each_load(node, which, guest):
  adopt(node, "v2.9.6-plain", guest)
  path = node.hyper._InstanceKVMRuntime(node.instance.name)
  text = nodes.json.loads(open(path).read())
  for nic in text[1]:
    nic.pop("uuid", None)
  with open(path, "w") as stream:
    nodes.json.dump(text, stream)
  node.start_from_file()
  loads = [[nic.uuid for nic in node.hyper._LoadKVMRuntime(node.instance)[1]]
           for _ in range(2)]
  assert all(loads[0])
  assert (loads[0] == loads[1]) == (which == "plugin")


def test_disks_that_are_not_on_pci_hold_no_slot(node, which):
  node.start(paused=True, disk_type="ide")
  slots = [slot for _, slot in node.runtime_slots()[DISK]]
  if which == "unmodified":
    # slots that QEMU has nothing in
    assert None not in slots and not set(slots) & set(node.live())
    return
  assert slots == [None, None]
  node.hot_add(NIC, 2, 2)
  assert node.runtime_slots()[NIC][-1][1] in node.live()


def test_nics_that_are_not_on_pci_hold_no_slot(node, which):
  if which == "unmodified":
    with pytest.raises(errors.HypervisorError):
      node.start(paused=True, nic_type="ne2k_isa")
    assert None not in [slot for _, slot in node.runtime_slots()[NIC]]
    return
  node.start(paused=True, nic_type="ne2k_isa")
  assert [slot for _, slot in node.runtime_slots()[NIC]] == [None, None]
  assert not set(node.live()) & set(range(24, 32))
  node.hot_add(DISK, 2, 2)
  assert node.runtime_slots()[DISK][-1][1] in node.live()
