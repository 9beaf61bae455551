"""What unmodified Ganeti loses in hotplug, and the plugin keeps.

Every test does the same on both; what the result is on unmodified Ganeti says
L{faults}, release by release. The SCSI bus is the affair of L{test_scsi},
processes at odds that of L{test_adverse}.

"""

import re
import threading
import time

import pytest

from ganeti import errors
from ganeti import objects
from ganeti.hypervisor import hv_kvm

from qemu_state import Inventory, agree, runtime_devices, parse_devices, tell
from qemu_state import wait_until_gone
from test_old_runtime_files import adopt
from nodes import DISK, NIC
import faults
import patched
import slow_guest
import nodes

pytestmark = pytest.mark.skipif(faults.column() is None, reason=faults.NONE)

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


def hasten(monkeypatch):
  """Have unmodified Ganeti give up sooner, where no guest will answer.

  Up to 3.0 it sleeps five times for a second, at f4cb0f63 it waits for 30 s.

  """
  plain = time.sleep
  monkeypatch.setattr(time, "sleep", lambda seconds: plain(min(seconds, 0.2)))
  monkeypatch.setattr(hv_kvm.QmpConnection, "_HOT_UNPLUG_EVENT_TIMEOUT", 3,
                      raising=False)


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
    assert faults.here("hotplugged before 2.16: cannot be removed")
    for operation in (hot_del, hot_mod):
      with pytest.raises(errors.HypervisorError) as caught:
        operation()
      assert re.search("not found|Failed to find", text_of(caught))
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
  if which == "unmodified" and \
      faults.here("a dead daemon's device: its slot is given again"):
    assert id_of(dev_type, 2) not in runtime_devices(node)
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_add(dev_type, 3, 2)
    # a root port's NIC has an index as well, which QEMU looks at before
    assert re.search("not available|acpi-index = 3 already", text_of(caught))
    return
  node.hot_add(dev_type, 3, 2)
  # unmodified Ganeti writes down only what it has added
  found = agree(node) if which == "plugin" else Inventory(node)
  assert id_of(dev_type, 3) in runtime_devices(node)
  assert (found.devices[id_of(dev_type, 3)] ==
          found.devices[id_of(dev_type, 2)] + 1)


def test_adding_again_what_a_dead_daemon_added_changes_nothing(
    node, which, monkeypatch):
  node.start()
  add_and_die(node, DISK, monkeypatch)
  if which == "unmodified":
    assert faults.here("a dead daemon's device: refused when added again")
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
  if which == "unmodified" and \
      faults.here("a refused NIC leaves its netdev"):
    assert id_of(NIC, 2) in Inventory(node).netdevs
    # QEMU 5.2 takes a second one of the same name
    if qemu_major(node) >= 6:
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
    tell(node, "device_add", driver="virtio-rng-pci", id="byhand",
         bus=disk.hvinfo["bus"], addr=disk.hvinfo["addr"])
    return plain(self, disk, *args, **kwargs)

  monkeypatch.setattr(hv_kvm.QmpConnection, "HotAddDisk", HotAddDisk)


def test_a_refused_disk_leaves_nothing_behind(node, which, monkeypatch):
  node.start()
  occupy_at_the_last_moment(node, monkeypatch)
  with pytest.raises(errors.GenericError) as caught:
    node.hot_add(DISK, 2, 2)
  text = text_of(caught)
  if which == "unmodified" and \
      faults.here("a refused disk leaves its drive"):
    assert id_of(DISK, 2) in Inventory(node).drives
    # runtime file and QEMU still disagree
    with pytest.raises(errors.HypervisorError):
      node.hot_add(DISK, 2, 2)
    return
  if which == "plugin":
    for word in (nodes.NAME, id_of(DISK, 2), nodes.at(0)[:5]):
      assert word in text
    # QEMU 5.2 names the driver alone
    assert "byhand" in text or "virtio-rng-pci holds that slot" in text
  agree(node)
  node.hot_add(DISK, 2, 2)
  found = agree(node)
  assert found.devices[id_of(DISK, 2)] not in (
    slot for slot, name in node.live().items() if name == "byhand")


def test_a_removal_is_looked_for_at_once_and_not_a_second_later(
    booted, which, monkeypatch):
  slow_guest.lend(booted, monkeypatch)
  booted.hot_add(DISK, 8, 2)
  expected = 0.1 # at most
  if which == "unmodified":
    # or not at all: it waits for QEMU's event
    expected = int(faults.here("an unplug is looked for once a second"))
  pauses = []
  plain = time.sleep

  def sleep(seconds):
    if not pauses:
      tell(booted, "cont")
    pauses.append(seconds)
    plain(seconds)

  if expected:
    # so that it is there when they first look
    tell(booted, "stop")
  monkeypatch.setattr(time, "sleep", sleep)
  booted.hot_del(DISK, 8, 2)
  assert id_of(DISK, 8) not in Inventory(booted).devices
  if which == "plugin":
    assert pauses[0] == 0.01 and max(pauses) <= expected
  else:
    assert max(pauses or [0]) == expected


def qemu_major(node):
  return tell(node, "query-version")["qemu"]["major"]


def has_netdev(node, name, tuns):
  """Tell whether a netdev was not removed from under its NIC.

  QEMU goes on listing it, and since 10.0 its tap is open until the NIC is
  removed. (QEMU 5.2 takes a second one of the same name.)

  @param tuns: how many taps there were before

  """
  if qemu_major(node) < 10:
    return Inventory(node).tuns == tuns
  qmp = node.watch()
  try:
    answer = qmp.ask("netdev_add", type="hubport", id=name, hubid=99)
    if "error" in answer:
      assert "uplicate" in answer["error"]["desc"], answer
      return True
    qmp.execute("netdev_del", id=name)
    return False
  finally:
    qmp.sock.close()


#: What is lost with the first unplug.
LOST = {DISK: "an unplug that times out: the disk's drive goes",
        NIC: "an unplug that times out: its netdev goes"}


@DISK_AND_NIC
def test_what_the_guest_still_has_keeps_its_backend(booted, which, dev_type,
                                                    monkeypatch):
  number = 4 + (dev_type == NIC)
  device_id = id_of(dev_type, number)
  booted.hot_add(dev_type, number, 2)
  slot = runtime_devices(booted)[device_id]
  tuns = Inventory(booted).tuns
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "1.5")
  hasten(monkeypatch)
  tell(booted, "stop")
  try:
    with pytest.raises(errors.GenericError) as caught:
      booted.hot_del(dev_type, number, 2)
    text = text_of(caught)
    found = Inventory(booted)
    assert device_id in found.devices and device_id in runtime_devices(booted)
    has_backend = (has_netdev(booted, device_id, tuns) if dev_type == NIC else
                   device_id in found.drives)
    assert has_backend == (which == "plugin" or
                           not faults.here(LOST[dev_type]))
    if which == "plugin":
      for word in (nodes.NAME, device_id, nodes.at(slot), "1.5 s"):
        assert word in text
  finally:
    tell(booted, "cont")
  wait_until_gone(booted, device_id)
  if which == "unmodified" and \
      faults.here("unplugged late: in the runtime file for good"):
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
  hasten(monkeypatch)
  tell(booted, "stop")
  try:
    with pytest.raises(errors.GenericError):
      booted.hot_del(dev_type, number, 2)
  finally:
    tell(booted, "cont")
  wait_until_gone(booted, device_id)
  if patched.has("migration"):
    # as each instance has them that a node is told of
    booted.instance.disks = [
      disk.uuid for disk, _, _ in booted.hyper._LoadKVMRuntime(
        booted.instance)[3]]
  info = booted.hyper.MigrationInfo(booted.instance)
  if which == "unmodified" and \
      faults.here("unplugged late: the target of a migration has it"):
    assert device_id in parse_devices(info)
    return
  assert parse_devices(info) == Inventory(booted).devices
  if which == "plugin":
    agree(booted)


@DISK_AND_NIC
def test_what_the_guest_does_not_claim_is_in_the_runtime_file(node, which,
                                                              dev_type):
  node.start(paused=True)
  is_lost = which == "unmodified" and \
      faults.here("unclaimed in 5 s: not in the runtime file")
  if is_lost:
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_add(dev_type, 2, 2)
    # behind a root port, nobody sees it before the firmware ran
    assert ("did not claim" if nodes.ON_PC else "is missing") in text_of(caught)
  else:
    node.hot_add(dev_type, 2, 2)
  assert id_of(dev_type, 2) in Inventory(node).devices
  assert (id_of(dev_type, 2) in runtime_devices(node)) != is_lost
  if not is_lost:
    agree(node)


def meanwhile(node, command, **arguments):
  """Have QEMU do something while an operation waits for a guest."""
  timer = threading.Timer(0.7, tell, [node, command], arguments)
  timer.start()
  return timer


def hot_del_in_vain(node, dev_type):
  """Hot-remove a device whose guest does not answer: its id, and the error.

  The error is None if there was none.

  """
  try:
    node.hot_del(dev_type, 1, 1)
  except Exception as err: # pylint: disable=broad-except
    print("%s: %s" % (type(err).__name__, err))
    return (id_of(dev_type, 1), err)
  return (id_of(dev_type, 1), None)


#: What the event of another device ends.
BY_ANOTHER = {DISK: "another's event ends the wait for a disk",
              NIC: "another's event ends the wait for a NIC"}


@DISK_AND_NIC
def test_an_event_of_another_device_ends_no_wait(node, which, dev_type,
                                                 monkeypatch):
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "2")
  hasten(monkeypatch)
  node.start(paused=True, kvm_extra="-device piix3-usb-uhci")
  # its unplug completes without the guest
  tell(node, "device_add", driver="usb-mouse", id="byhand")
  timer = meanwhile(node, "device_del", id="byhand")
  device_id, err = hot_del_in_vain(node, dev_type)
  timer.join()
  assert device_id in Inventory(node).devices
  ended = which == "unmodified" and faults.here(BY_ANOTHER[dev_type])
  if dev_type == DISK:
    assert ("is in use" in str(err)) == ended
  else:
    # its tap goes from under it
    assert (err is None) == ended
  assert (device_id in runtime_devices(node)) == (dev_type == DISK or not ended)
  if which == "plugin":
    agree(node)


#: What an event without data ends.
BY_RESUME = {DISK: "RESUME ends the wait for a disk, by KeyError",
             NIC: "RESUME ends the wait for a NIC, by KeyError"}


@DISK_AND_NIC
def test_an_event_without_data_ends_no_wait(node, which, dev_type,
                                            monkeypatch):
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "2")
  hasten(monkeypatch)
  node.start(paused=True)
  timer = meanwhile(node, "cont")
  device_id, err = hot_del_in_vain(node, dev_type)
  timer.join()
  assert device_id in Inventory(node).devices
  assert device_id in runtime_devices(node)
  assert isinstance(err, KeyError) == (
    which == "unmodified" and faults.here(BY_RESUME[dev_type]))
  if which == "plugin":
    assert isinstance(err, errors.HypervisorError)
    agree(node)


def test_a_nic_without_uuid_has_the_same_at_each_load(node, which, guest):
  adopt(node, "v2.9.6-plain", guest)
  path = node.hyper._InstanceKVMRuntime(node.instance.name)
  text = nodes.json.loads(open(path).read())
  for nic in text[1]:
    nic.pop("uuid", None)
  with open(path, "w") as stream:
    nodes.json.dump(text, stream)
  # 2.9 put disks into the command
  if which == "unmodified" and faults.here("a runtime file of 2.9: IndexError"):
    assert faults.here("a NIC without UUID has another at each load") is None
    with pytest.raises(IndexError):
      node.hyper._LoadKVMRuntime(node.instance)
    return
  loads = [[nic.uuid for nic in node.hyper._LoadKVMRuntime(node.instance)[1]]
           for _ in range(2)]
  assert all(loads[0])
  assert (loads[0] != loads[1]) == (
    which == "unmodified" and
    faults.here("a NIC without UUID has another at each load"))


@nodes.NOT_ON_GANETIS_Q35
def test_disks_that_are_not_on_pci_hold_no_slot(node, which):
  node.start(paused=True, disk_type="ide")
  slots = [slot for _, slot in node.runtime_slots()[DISK]]
  if which == "unmodified":
    assert faults.here("IDE disks hold slots of pci.0")
    # slots that QEMU has nothing in
    assert None not in slots and not set(slots) & set(node.live())
    return
  assert slots == [None, None]
  node.hot_add(NIC, 2, 2)
  assert node.runtime_slots()[NIC][-1][1] in node.live()


@nodes.NOT_ON_GANETIS_Q35
def test_nics_that_are_not_on_pci_hold_no_slot(node, which):
  if which == "unmodified":
    assert faults.here("an instance with an ISA NIC does not start")
    with pytest.raises(errors.HypervisorError):
      node.start(paused=True, nic_type="ne2k_isa")
    assert None not in [slot for _, slot in node.runtime_slots()[NIC]]
    return
  node.start(paused=True, nic_type="ne2k_isa")
  assert [slot for _, slot in node.runtime_slots()[NIC]] == [None, None]
  assert not set(node.live()) & set(nodes.pools()[NIC])
  node.hot_add(DISK, 2, 2)
  assert node.runtime_slots()[DISK][-1][1] in node.live()
