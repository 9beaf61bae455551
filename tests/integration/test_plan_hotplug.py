"""plan --disk, plan --net: the plan, and a real hot-add after it."""

import pytest

from ganeti import constants
from ganeti import errors

from ganeti_kvm_pci.bus import pools
from ganeti_kvm_pci.cli import plan_hotplug
from ganeti_kvm_pci.node import installation
from ganeti_kvm_pci.qmp import client
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import placement
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime.dry_run import Change

import nodes
from nodes import DISK
from nodes import NIC
from qemu_state import tell

PLUGIN = pytest.mark.parametrize("which", ["plugin"], indirect=True)

CLASS = {DISK: pools.DISK, NIC: pools.NIC}

HAS_RESERVATIONS = "kvm_pci_reservations" in \
  constants.HVC_DEFAULTS[constants.HT_KVM]
RESERVATIONS = {"kvm_pci_reservations": 8} if HAS_RESERVATIONS else {}
HAS_SCSI = "scsi_controller_type" in constants.HVC_DEFAULTS[constants.HT_KVM]
SCSI = {"disk_type": "scsi-hd", "scsi_controller_type": "virtio-scsi-pci"}

#: What a plan may ask QEMU.
_READING = ("query-", "qom-list", "qom-get", "device-list-properties")


def runtime_of(node):
  return serialized.parse(node.hyper._ReadKVMRuntime(nodes.NAME), "f")


def plan(node, changes, tags=()):
  """Plan; return where each device would be, or the refusal."""
  before = node.hyper._ReadKVMRuntime(nodes.NAME)

  with client.connect(node.hyper._InstanceQmpMonitor(nodes.NAME)) as execute:
    def read_only(command, arguments):
      assert command.startswith(_READING), command
      return execute(command, arguments)
    found = plan_hotplug.rehearse(
      read_only, runtime_of(node), installation.version(), tags, None,
      [Change(CLASS[dev_type], action, index)
       for dev_type, action, index in changes])
  assert node.hyper._ReadKVMRuntime(nodes.NAME) == before
  return [outcome.refusal or (outcome.unit, outcome.number)
          for outcome in found]


def where(node, dev_type, number):
  """Tell where a device is by the runtime file."""
  loaded = runtime_of(node)
  uuid = (nodes.disk if dev_type == DISK else nodes.nic)(number).uuid
  table = device_table.DeviceTable(loaded)
  (device, ) = [
    d for d in table.devices if d.device_class == CLASS[dev_type] and
    d.index is not None and
    device_table.dict_of(loaded, d).get("uuid") == uuid]
  if device.slot is not None:
    return (table.partition.unit, device.slot)
  return ("scsi-id", device_table.dict_of(loaded, device)["hvinfo"]["scsi-id"])


def compare(node, adds, tags=()):
  """Plan some hot-adds, do them, and compare.

  @param adds: list of (type, number of the device, index) tuples

  """
  planned = plan(node, [(dev_type, "add", index)
                        for dev_type, _, index in adds], tags)
  real = []
  # as Ganeti does it, NICs first
  for dev_type, number, index in sorted(adds, key=lambda a: a[0] != NIC):
    node.hot_add(dev_type, number, index)
    real.append(where(node, dev_type, number))
  assert planned == real
  return planned


ADDS = [(DISK, 2, 2), (NIC, 2, 2), (DISK, 3, 1), (NIC, 3, 3), (DISK, 4, 4)]


@PLUGIN
def test_the_plan_is_what_happens(node):
  node.start(paused=True, **RESERVATIONS)
  # what somebody added by hand is not in the runtime file
  if nodes.ON_PC:
    tell(node, "device_add", driver="virtio-rng-pci", id="byhand", addr="0xa")
  found = compare(node, ADDS)
  assert len(found) == 5 and (not nodes.ON_PC or
                              found[2:] == [("slot", 11), ("slot", 12),
                                            ("slot", 13)])


@PLUGIN
@pytest.mark.skipif(not nodes.ON_PC or not HAS_RESERVATIONS,
                    reason="MACHINE_TYPE=q35 has it, or this Ganeti has none")
def test_the_plan_is_what_happens_on_q35(node):
  node.start(paused=True, machine_version="q35")
  assert set(unit for unit, _ in compare(node, ADDS)) == set(["port"])


@PLUGIN
@pytest.mark.skipif(not HAS_SCSI, reason="no SCSI controller to choose here")
def test_scsi_disks_get_the_planned_ids(node):
  node.start(paused=True, **SCSI)
  tell(node, "device_add", driver="scsi-cd", id="byhand", bus="scsi.0",
       **{"scsi-id": 2})
  found = compare(node, ADDS)
  assert found[2][0] == "scsi-id" and ("scsi-id", 2) not in found


@PLUGIN
@pytest.mark.skipif(not nodes.ON_PC, reason="slots of pci.0")
def test_slots_of_tags_are_kept_as_planned(node):
  kept = "kvm-pci:disk:deadbeef:10"
  tags = [kept, "kvm-pci:disk:%s:9" % nodes.disk(1).uuid[:8]]
  node.start(paused=True, tags=tags, **RESERVATIONS)
  found = compare(node, ADDS, tags)
  assert ("slot", 10) not in found
  # and the tags do not hide what is there
  assert set(placement.tags(runtime_of(node))) >= set([("disk", 4)])


@PLUGIN
def test_a_full_pool_borrows_and_a_full_bus_refuses_as_planned(node):
  node.start(disks=15, nics=8, paused=True, **RESERVATIONS)
  compare(node, [(DISK, 15, 15)])
  planned = plan(node, [(DISK, "add", -1), (NIC, "add", -1)])
  # NICs first; the refusal ends the plan, as it ends the job
  (refusal, ) = planned
  assert "is left for one more NIC" in refusal
  with pytest.raises(errors.HypervisorError) as caught:
    node.hot_add(NIC, 8, 8)
  assert refusal in str(caught.value)
  (refusal, ) = plan(node, [(DISK, "add", -1)])
  with pytest.raises(errors.HypervisorError) as caught:
    node.hot_add(DISK, 16, 16)
  assert refusal in str(caught.value)


@PLUGIN
def test_a_removal_frees_what_a_hot_add_gets(node, guest):
  node.start(**nodes.boot(guest))
  node.wait_for_guest()
  node.wait_for_ports()
  planned = plan(node, [(DISK, "remove", 0), (DISK, "add", 0),
                        (DISK, "add", -1)])
  before = where(node, DISK, 0)
  node.hot_del(DISK, 0, 0)
  node.hot_add(DISK, 7, 0)
  node.hot_add(DISK, 8, 2)
  assert planned == [before, where(node, DISK, 7), where(node, DISK, 8)]
