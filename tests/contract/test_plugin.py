"""What the plugin does on this Ganeti."""

import errno
import json
import os

import pytest

from ganeti import constants
from ganeti import errors
from ganeti import objects
from ganeti import pathutils
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import clock
from ganeti_kvm_pci import cooldown
from ganeti_kvm_pci import pending_unplugs
from ganeti_kvm_pci import qemu_version
from ganeti_kvm_pci import start as start_
from ganeti_kvm_pci import time_limit
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qemu import command as command_
from ganeti_kvm_pci.qemu import ids
from ganeti_kvm_pci.qemu.option import keys as keys_of
from ganeti_kvm_pci.qmp import backends
from ganeti_kvm_pci.qmp import queries
from ganeti_kvm_pci.qmp import unplug as unplug_
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import unplug_request

import harness

DISK = harness.DISK
NIC = harness.NIC
EXTRA = harness.EXTRA

#: Whether Ganeti verifies a hot-add by the device's id: from 2.16 on.
BY_IDS = not harness.SLOT_IN_PCI

#: Whether it waits until the guest uses what is hot-added.
CLAIMS = hasattr(hv_kvm.QmpConnection, "WaitForDeviceClaim")


def start(world, disks=2, nics=2, **hvparams):
  world.running = False
  world.boots = True
  hyper = world.hypervisor()
  instance = harness.instance_of(nics, **hvparams)
  hyper.StartInstance(instance, harness.block_devices(disks), False)
  return hyper, instance


@pytest.mark.parametrize("reservations, disks, nics, expected", [
  (8, 2, 2, ([8, 9], [24, 25])),
  (12, 2, 2, ([12, 13], [24, 25])),
  (8, 16, 8, (list(range(8, 24)), list(range(24, 32)))),
  (12, 16, 4, (list(range(12, 24)) + [28, 29, 30, 31], [24, 25, 26, 27])),
  (31, 1, 0, ([31], [])),
  ])
def test_a_start_fills_the_pools(world, reservations, disks, nics, expected):
  hyper, instance = start(world, disks, nics,
                          kvm_pci_reservations=reservations)
  assert world.slots(hyper, instance) == expected


def test_ganetis_devices_come_first_on_the_command_line(world):
  start(world, kvm_pci_reservations=8, kvm_extra="-device virtio-rng-pci")
  command = world.commands()[0]
  devices = [keys_of(value)["driver"] for flag, value in
             zip(command, command[1:]) if flag == "-device"]
  assert devices[:4] == ["virtio-net-pci"] * 2 + ["virtio-blk-pci"] * 2
  assert devices[-1] == "virtio-rng-pci"


#: A disk that QEMU creates after all that is no JSON.
LATE = json.dumps({"driver": "virtio-blk-pci", "id": "d0", "drive": "d0",
                   "bus": "pci.0", "addr": "0x8", "iothread-vq-mapping": [
                     {"iothread": "iothread0"}, {"iothread": "iothread1"}]})


@pytest.mark.parametrize("is_boot, given", [
  (True, ["virtio-rng-pci"] * 5 + ["virtio-rng-pci,bus=pci.0,addr=0x9"]),
  # the source of a migration has said where its devices are
  (False, ["virtio-rng-pci"] * 6)])
def test_the_slot_of_a_disk_in_json_is_kept_free(world, monkeypatch, is_boot,
                                                 given):
  hyper = world.hypervisor()
  asked = []
  monkeypatch.setattr(type(hyper), "_GetKVMOutput", classmethod(
    lambda _, *args: asked.append(args) or 'name "virtio-rng-pci", bus PCI\n'))
  begun = start_.Start("vm1", partition=Partition(8), file_words=15,
                       is_boot=is_boot)
  with hyper._Starting(begun):
    hyper._RunKVMCmd("vm1", ["kvm", "-name", "vm1"] +
                     ["-device", "virtio-rng-pci"] * 6 + ["-device", LATE], [])
  command = world.commands()[-1]
  assert [word for word in command if word.startswith("virtio-rng")] == given
  assert LATE in command
  assert asked == ([("kvm", "devicelist")] if is_boot else [])


@pytest.mark.skipif(not hasattr(constants, "HV_VIRTIO_DISK_IOTHREADS"),
                    reason="no IOThreads here")
def test_disks_with_several_iothreads_keep_their_slots(world, monkeypatch):
  world.boots = True
  hyper = world.hypervisor()
  told = harness.KVMHELP + harness.DEVLIST + (
    'name "virtio-rng-pci", bus PCI\n'
    "virtio-blk-pci options:\n  iothread-vq-mapping="
    "<IOThreadVirtQueueMappingList>\n")
  monkeypatch.setattr(type(hyper), "_GetKVMOutput",
                      classmethod(lambda *_: told))
  instance = harness.instance_of(
    1, kvm_pci_reservations=8, disk_aio="native", virtio_disk_iothreads=2,
    kvm_extra=" ".join(["-device virtio-rng-pci"] * 9))
  instance.beparams["vcpus"] = 2
  hyper.StartInstance(instance, harness.block_devices(2), False)
  options = [value for flag, value in zip(world.commands()[-1],
                                          world.commands()[-1][1:])
             if flag == "-device"]
  assert [keys_of(option)["addr"] for option in options
          if "iothread-vq-mapping" in option] == ["0x8", "0x9"]
  # beside board and balloon, four have room below
  assert [keys_of(option).get("addr") for option in options
          if option.startswith("virtio-rng")] == [None] * 4 + [
            "0xa", "0xb", "0xc", "0xd", "0xe"]
  # what the file says of them is where they are
  told_of = [keys_of(word).get("addr") for word in
             json.loads(hyper._ReadKVMRuntime(instance.name))[0]
             if str(word).startswith("virtio-rng")]
  assert told_of == [None] * 4 + ["0xa", "0xb", "0xc", "0xd", "0xe"]


def test_addresses_of_kvm_extra_are_avoided(world):
  hyper, instance = start(world, kvm_pci_reservations=8,
                          kvm_extra="-device AC97,addr=0x8")
  assert world.slots(hyper, instance) == ([9, 10], [24, 25])


@pytest.mark.parametrize("parameters, disks, nics", [
  ({"disk_type": "ide"}, None, 24), ({"nic_type": "ne2k_isa"}, 8, None)])
def test_what_is_not_on_the_bus_gets_no_slot(world, parameters, disks, nics):
  hyper, instance = start(world, 1, 1, kvm_pci_reservations=8, **parameters)
  assert world.slots(hyper, instance) == ([disks], [nics])


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="2.16 and later")
def test_scsi_disks_keep_the_address_that_ganeti_gives(world):
  hyper = world.hypervisor()
  _, nics, _, disks = hyper._GenerateKVMRuntime(
    harness.instance_of(2, disk_type="scsi-hd"), harness.block_devices(2),
    False, harness.KVMHELP)
  assert [entry[0].hvinfo["scsi-id"] for entry in disks] == [0, 1]
  assert [nic.hvinfo["addr"] for nic in nics] == ["0x18", "0x19"]


def test_qemus_own_devices_are_left_to_qemu(world):
  """What commits 3a72e34a0 and 5e6d16abe of 2.10 addressed is not."""
  hyper = world.hypervisor()
  command = hyper._GenerateKVMRuntime(
    harness.instance_of(spice_bind="127.0.0.1"), [], False,
    harness.KVMHELP)[0]
  options = [str(word) for word in command]
  assert any("balloon" in word for word in options)
  assert "virtio-serial-pci,id=spice" in options
  assert not [word for word in options if "addr=0x" in word]


def test_the_scenario_of_the_original_proposal(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  hyper.HotAddDevice(instance, NIC, harness.nic(2), None, 2)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  hyper.HotDelDevice(instance, NIC, harness.nic(2), None, 2)
  hyper.HotAddDevice(instance, DISK, harness.disk(3), EXTRA, 3)
  assert world.slots(hyper, instance) == ([8, 9, 10, 11], [24, 25])


def test_the_slot_of_a_device_added_by_hand_is_avoided(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  world.bus[10] = "by-hand"
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert world.slots(hyper, instance)[0] == [8, 9, 11]


def test_a_device_that_qemu_lost_is_dropped_from_the_runtime_file(world):
  """The guest completed the unplug late, or was reset."""
  hyper, instance = start(world, kvm_pci_reservations=8)
  del world.bus[9]
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert world.slots(hyper, instance)[0] == [8, 9]
  del world.bus[8]
  sent = json.loads(hyper.MigrationInfo(instance))[:4]
  sent[0] = harness.as_named(sent[0])
  assert sent == json.loads(hyper._ReadKVMRuntime(instance.name))
  assert world.slots(hyper, instance)[0] == [9]


@pytest.mark.parametrize("parameters", [
  {"disk_type": "ide"}, {"nic_type": "ne2k_isa"}])
def test_what_is_not_on_the_bus_is_not_missed_there(world, parameters):
  """Unmodified Ganeti writes slots for it to the runtime file all the same."""
  instance = harness.instance_of(**parameters)
  unmodified = world.hypervisor(hv_kvm.KVMHypervisor)
  unmodified._SaveKVMRuntime(instance, unmodified._GenerateKVMRuntime(
    instance, harness.block_devices(1), False, harness.KVMHELP))
  world.boots = True
  world.run(unmodified._LoadKVMRuntime(instance)[0])
  hyper = world.hypervisor()
  before = hyper._LoadKVMRuntime(instance)
  hyper.MigrationInfo(instance)
  after = hyper._LoadKVMRuntime(instance)
  kept = 3 if "disk_type" in parameters else 1
  assert len(before[kept]) == len(after[kept]) > 0


def test_the_runtime_file_is_written_ahead(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  written = []

  def plug(slot, devid):
    written.extend(world.slots(hyper.__class__(), instance)[0])
    world.bus[slot] = devid

  monkeypatch.setattr(world, "plug", plug)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert written == [8, 9, 10]
  assert world.slots(hyper, instance)[0] == [8, 9, 10]


def test_a_refusal_is_reported_though_the_monitor_closes(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)

  def refuse(slot, devid):
    world.monitor = False
    raise errors.HypervisorError(
      "kvm: error executing the device_add command: out of order"
      " (GenericError):")

  monkeypatch.setattr(world, "plug", refuse)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  for part in ("vm1.example.com: ", "(slot 10, ", "was not added: QEMU refused"
               " device_add: out of order; nor does QEMU tell whether it has",
               "cannot be reached"):
    assert part in str(caught.value)
  # what is not known is not forgotten
  assert world.slots(hyper, instance)[0] == [8, 9, 10]


@pytest.mark.parametrize("error, words", [
  (OSError(30, "Read-only file system", "/dev/null"),
   "the node daemon cannot open /dev/null: Read-only file system; have the"),
  (errors.HypervisorError("Failed to open /dev/net/tun"),
   "Failed to open /dev/net/tun; mend that, then detach the disk"),
  ], ids=["OSError", "Ganeti's"])
def test_an_error_of_the_node_is_reported(world, monkeypatch, error, words):
  hyper, instance = start(world, kvm_pci_reservations=8)
  before = json.loads(hyper._ReadKVMRuntime(instance.name))

  def fail(*_):
    raise error

  monkeypatch.setattr(world, "plug", fail)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert "slot 10, %s) was not added: %s" % (os.devnull, words) in str(
    caught.value)
  assert json.loads(hyper._ReadKVMRuntime(instance.name)) == before


def test_a_fault_of_the_code_is_not_hidden(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  before = json.loads(hyper._ReadKVMRuntime(instance.name))
  monkeypatch.setattr(world, "plug", lambda *_: {}["fault"])
  with pytest.raises(KeyError):
    hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert json.loads(hyper._ReadKVMRuntime(instance.name)) == before


def test_a_refused_hot_add_leaves_nothing_behind(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  before = hyper._ReadKVMRuntime(instance.name)

  def refuse(slot, devid):
    world.netdevs.append(devid)
    raise errors.HypervisorError(
      "kvm: error executing the device_add command: PCI: slot %d function 0 not"
      " available for virtio-net-pci, in use by e1000,id=x (GenericError):" %
      slot)

  monkeypatch.setattr(world, "plug", refuse)
  del world.calls[:]
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.HotAddDevice(instance, NIC, harness.nic(2), None, 2)
  for part in ("vm1.example.com", harness.device_id("nic", 2, 26), "slot 26",
               "e1000 (id x) holds that slot by now; modify the NIC again"):
    assert part in str(caught.value)
  assert ("netdev_del", {"id": harness.device_id("nic", 2, 26)}) in world.calls
  assert json.loads(hyper._ReadKVMRuntime(instance.name)) == \
    json.loads(json.dumps(json.loads(before)))


def test_a_device_that_qemu_added_despite_an_error_is_kept(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)

  def plug(slot, devid):
    world.bus[slot] = devid
    raise IOError("disk full")

  monkeypatch.setattr(world, "plug", plug)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert world.slots(hyper, instance)[0] == [8, 9, 10]


def test_an_unplug_that_times_out_keeps_the_device(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.05")
  monkeypatch.setattr(world, "unplug", lambda devid: None)
  before = hyper._ReadKVMRuntime(instance.name)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotDelDevice(instance, NIC, harness.nic(0), None, 0)
  for part in ("vm1.example.com", harness.device_id("nic", 0, 24), "slot 24",
               "timed out after 0.05 s"):
    assert part in str(caught.value)
  assert hyper._ReadKVMRuntime(instance.name) == before
  assert "netdev_del" not in [call[0] for call in world.calls]


def asked_for(hyper, instance):
  return pending_unplugs.Pending(
    hyper._InstanceKVMRuntime(instance.name),
    hyper._InstancePidAlive(instance.name)[1]).requests()


@pytest.mark.parametrize("dev_type, device, slot", [
  (DISK, harness.disk, 8), (NIC, harness.nic, 24)], ids=["disk", "nic"])
def test_a_removal_that_timed_out_is_noted_until_it_is_completed(
    world, monkeypatch, dev_type, device, slot):
  hyper, instance = start(world, kvm_pci_reservations=8)
  device_id = harness.device_id("disk" if dev_type == DISK else "nic", 0, slot)
  assert asked_for(hyper, instance) == {}
  with monkeypatch.context() as patched:
    patched.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.05")
    patched.setattr(world, "unplug", lambda devid: None)
    with pytest.raises(errors.HotplugError):
      hyper.HotDelDevice(instance, dev_type, device(0), None, 0)
  (request, ) = asked_for(hyper, instance).values()
  assert list(asked_for(hyper, instance)) == [device_id]
  assert (request.slot, request.stays) == (slot, False)
  # the guest still has it, whatever else is done
  hyper.HotAddDevice(instance, NIC, harness.nic(2), None, 2)
  assert list(asked_for(hyper, instance)) == [device_id]
  world.unplug(device_id)
  hyper.HotDelDevice(instance, NIC, harness.nic(2), None, 2)
  assert asked_for(hyper, instance) == {}
  assert slot not in sum(world.slots(hyper, instance), [])


def test_a_slot_rests_longest_after_a_removal_that_timed_out(world,
                                                            monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  waits = []

  class Clock(object):
    sleep = waits.append

  with monkeypatch.context() as patched:
    patched.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.05")
    patched.setattr(world, "unplug", lambda devid: None)
    with pytest.raises(errors.HotplugError):
      hyper.HotDelDevice(instance, NIC, harness.nic(1), None, 1)
  now = clock.monotonic()
  monkeypatch.setattr(clock, "monotonic", lambda: now)
  world.unplug(harness.device_id("nic", 1, 25))
  monkeypatch.setattr(cooldown, "MOST", 9.0)
  monkeypatch.setattr(cooldown, "time", Clock)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert not waits
  hyper.HotAddDevice(instance, NIC, harness.nic(2), None, 1)
  (waited, ) = waits
  assert 8.9 < waited < 9.1


def test_an_unplug_that_qemu_never_ends_is_told_as_such(world, monkeypatch):
  """A request that a reset of the guest has lost, on QEMU 5.2."""
  hyper, instance = start(world, kvm_pci_reservations=8)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.05")

  def refuse(devid):
    raise errors.HypervisorError(
      "kvm: error executing the device_del command: Device %s is already in the"
      " process of unplug (GenericError):" % devid)

  monkeypatch.setattr(world, "unplug", refuse)
  before = hyper._ReadKVMRuntime(instance.name)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotDelDevice(instance, DISK, harness.disk(0), EXTRA, 0)
  for part in ("vm1.example.com", harness.device_id("disk", 0, 8), "slot 8",
               "timed out after 0.05 s: QEMU took no request",
               "shut the instance down and start it"):
    assert part in str(caught.value)
  assert hyper._ReadKVMRuntime(instance.name) == before


def test_the_time_limit_is_read_from_the_daemons_defaults(
    world, monkeypatch, tmpdir):
  monkeypatch.delenv(time_limit.VARIABLE, raising=False)
  monkeypatch.setattr(pathutils, "CONF_DIR", str(tmpdir.join("ganeti")))
  assert time_limit.unplug() == 30
  tmpdir.mkdir("default").join("ganeti").write(
    "NODED_ARGS=\n%s=0.25\n" % time_limit.VARIABLE)
  hyper, instance = start(world, kvm_pci_reservations=8)
  monkeypatch.setattr(world, "unplug", lambda devid: None)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotDelDevice(instance, NIC, harness.nic(0), None, 0)
  assert "timed out after 0.25 s" in str(caught.value)


@pytest.mark.parametrize("limit", ["1", "30", "120", "86400"])
def test_the_lock_is_waited_for_longer_than_four_unplugs_take(monkeypatch,
                                                              limit):
  monkeypatch.setenv(time_limit.VARIABLE, limit)
  assert time_limit.patience() >= 4 * (time_limit.unplug() + 10)
  # what comes after that wait takes its time as well
  assert (time_limit.unplug() + time_limit.patience() <
          getattr(constants, "RPC_TMO_NORMAL", 900) - 200)


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="2.16 and later")
def test_a_device_of_an_older_version_is_removed_by_its_own_id(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  for number, entry in enumerate([loaded[3][0][0], loaded[1][0]]):
    old = "hot%s-of-old-%d" % (("disk", "nic")[number], number)
    world.bus[int(entry["hvinfo"]["addr"], 16)] = old
    entry["hvinfo"]["id"] = old
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(loaded, stream)
  hyper.HotDelDevice(instance, DISK, harness.disk(0), EXTRA, 0)
  hyper.HotModDevice(instance, NIC, harness.nic(0), None, 0)
  assert world.slots(hyper, instance) == ([9], [25, 24])
  # under the id that unmodified Ganeti will ask for
  assert world.bus[24] == harness.device_id("nic", 0, 24)
  hyper.HotDelDevice(instance, NIC, harness.nic(0), None, 0)
  assert 24 not in world.bus


def test_a_device_missing_from_the_runtime_file_is_one_clear_error(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotDelDevice(instance, DISK, harness.disk(7), EXTRA, 7)
  assert "added without hotplug" in str(caught.value)


def test_a_modified_nic_keeps_its_slot(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  hyper.HotModDevice(instance, NIC, harness.nic(0), None, 0)
  assert sorted(world.slots(hyper, instance)[1]) == [24, 25]


def test_an_interrupted_modification_is_completed(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  hyper.HotDelDevice(instance, NIC, harness.nic(0), None, 0)
  hyper.HotModDevice(instance, NIC, harness.nic(0), None, 0)
  # the first of the NICs, below the others again
  assert sorted(world.slots(hyper, instance)[1]) == [24, 25]
  assert world.bus[24] == harness.device_id("nic", 0, 24)


def test_only_a_slot_that_was_just_freed_is_waited_for(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  waits = []

  class Clock(object):
    sleep = waits.append

  monkeypatch.setattr(cooldown, "time", Clock)
  monkeypatch.setattr(clock, "monotonic", lambda: 100.0)
  monkeypatch.setattr(cooldown, "REST", 1.0)
  hyper.HotDelDevice(instance, NIC, harness.nic(1), None, 1)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert not waits
  hyper.HotAddDevice(instance, NIC, harness.nic(2), None, 1)
  assert waits == [1.0]


def test_a_slot_rests_for_as_long_as_its_guest_was_slow(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  requests, waits = [], []
  monkeypatch.setattr(cooldown, "after", lambda answers, was_asked: (
    requests.append((len(answers), was_asked)) or 7.0))
  monkeypatch.setattr(cooldown, "MOST", 10.0)
  monkeypatch.setattr(unplug_, "_REPEAT", 0)
  # only an unplug's pauses take time
  pauses = []
  monkeypatch.setattr(clock, "monotonic", lambda: 100 + sum(pauses))
  monkeypatch.setattr(unplug_.time, "sleep", pauses.append)
  # the guest ejects at the third request
  left = [2]
  plain = unplug_._request

  def _request(execute, device_id):
    left[0] -= 1
    return plain(execute, device_id) if left[0] < 0 else True

  monkeypatch.setattr(unplug_, "_request", _request)
  hyper.HotDelDevice(instance, NIC, harness.nic(1), None, 1)
  assert requests == [(2, False)]

  class Clock(object):
    sleep = waits.append

  monkeypatch.setattr(cooldown, "time", Clock)
  hyper.HotAddDevice(instance, NIC, harness.nic(2), None, 1)
  assert waits == [7.0]


@pytest.mark.parametrize("device_class, number, slot", [("disk", 2, 20),
                                                        ("nic", 2, 20)])
def test_what_only_qemu_has_is_written_with_its_slot(world, device_class,
                                                     number, slot):
  hyper, instance = start(world, kvm_pci_reservations=8)
  # its node daemon died before it was written to the runtime file
  world.bus[slot] = harness.device_id(device_class, number, slot)
  bus = dict(world.bus)
  if device_class == "disk":
    hyper.HotAddDevice(instance, DISK, harness.disk(number), EXTRA, number)
  else:
    hyper.HotAddDevice(instance, NIC, harness.nic(number), None, number)
  assert world.slots(hyper, instance)[device_class == "nic"][-1] == slot
  assert world.bus == bus


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="2.16 and later")
def test_a_scsi_disk_is_inserted_where_it_belongs(world, monkeypatch):
  hyper, instance = start(world, 3, kvm_pci_reservations=8,
                          disk_type="scsi-hd")
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  del loaded[3][1] # scsi-id 1 is free
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(loaded, stream)
  world.elsewhere = [entry[0]["hvinfo"]["id"] for entry in loaded[3]]
  monkeypatch.setattr(queries, "scsi_ids", lambda _: {})
  monkeypatch.setattr(world, "plug", lambda _, devid: world.elsewhere.append(
    devid))
  added = harness.disk(7)
  hyper.HotAddDevice(instance, DISK, added, EXTRA, 1)
  assert added.hvinfo["scsi-id"] == 1


def test_what_only_qemu_has_can_be_removed(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  world.bus[20] = harness.device_id("disk", 2, 20)
  hyper.HotDelDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert 20 not in world.bus
  assert world.slots(hyper, instance)[0] == [8, 9]


def test_a_nic_that_only_qemu_has_is_modified(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  world.bus[20] = harness.device_id("nic", 2, 20)
  hyper.HotModDevice(instance, NIC, harness.nic(2), None, 2)
  assert world.slots(hyper, instance)[1] == [24, 25, 20]
  assert len([call for call in world.calls
              if call[0] in ("device_del", )]) == 1


def test_a_nic_that_cannot_be_changed_is_put_back(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  refusals = ["bridge nosuch does not exist"]

  def plug(slot, devid):
    if refusals:
      raise errors.HypervisorError(refusals.pop())
    world.bus[slot] = devid

  monkeypatch.setattr(world, "plug", plug)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotModDevice(instance, NIC, harness.nic(0), None, 0)
  for part in ("vm1.example.com", "slot 24", "bridge nosuch",
               "the NIC is as it was before"):
    assert part in str(caught.value)
  assert world.bus[24] == harness.device_id("nic", 0, 24)
  assert sorted(world.slots(hyper, instance)[1]) == [24, 25]
  refusals += ["bridge nosuch does not exist"] * 2
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotModDevice(instance, NIC, harness.nic(0), None, 0)
  assert "the guest is without this NIC now" in str(caught.value)
  assert 24 not in world.bus
  assert world.slots(hyper, instance)[1] == [25]


def test_a_nic_without_uuid_in_the_runtime_file_is_known_by_its_mac(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  known = loaded[1][0].pop("uuid")
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(loaded, stream)
  assert hyper._LoadKVMRuntime(instance)[1][0].uuid not in (None, known)
  if harness.SLOT_IN_PCI: # the id follows from the uuid
    world.bus[24] = ids.old_id(
      "nic", hyper._LoadKVMRuntime(instance)[1][0].uuid, 24)
  hyper.HotDelDevice(instance, NIC, harness.nic(0), None, 0)
  assert 24 not in world.bus
  assert world.slots(hyper, instance)[1] == [25]


def still_there(world, caught, number, mac):
  for part in ("vm1.example.com", "the guest still has a NIC with this MAC"
               " address, %s" % mac, "slot %d" % number, "reboot"):
    assert part in str(caught.value)


def test_a_nic_is_not_taken_for_another_by_its_mac(world, monkeypatch):
  """The guest has not completed the unplug of the one that was removed."""
  hyper, instance = start(world, kvm_pci_reservations=8)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.05")
  monkeypatch.setattr(world, "unplug", lambda devid: None)
  with pytest.raises(errors.HotplugError):
    hyper.HotDelDevice(instance, NIC, harness.nic(0), None, 0)
  before, bus = hyper._ReadKVMRuntime(instance.name), dict(world.bus)
  added = harness.nic(7)
  added.mac = harness.nic(0).mac.upper()
  del world.calls[:]
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotAddDevice(instance, NIC, added, None, 1)
  still_there(world, caught, 24, added.mac)
  assert (hyper._ReadKVMRuntime(instance.name), world.bus) == (before, bus)
  assert not [call for call in world.calls
              if call[0] in ("_ConfigureNIC", "netdev_add", "device_add")]


def test_a_nic_that_only_qemu_has_keeps_its_mac_for_itself(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  world.bus[12] = "by-hand"
  world.macs["by-hand"] = harness.nic(2).mac
  before = hyper._ReadKVMRuntime(instance.name)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotAddDevice(instance, NIC, harness.nic(2), None, 2)
  still_there(world, caught, 12, harness.nic(2).mac)
  # nor is one removed that could not be added again
  changed = harness.nic(0)
  changed.mac = harness.nic(2).mac
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotModDevice(instance, NIC, changed, None, 0)
  still_there(world, caught, 12, harness.nic(2).mac)
  assert hyper._ReadKVMRuntime(instance.name) == before
  assert "device_del" not in [call[0] for call in world.calls]


def test_a_nic_is_not_removed_by_its_mac_alone(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  other = harness.nic(7)
  other.mac = harness.nic(0).mac
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotDelDevice(instance, NIC, other, None, 0)
  assert other.uuid in str(caught.value)
  assert world.slots(hyper, instance)[1] == [24, 25] and 24 in world.bus


def test_a_device_is_removed_though_its_backend_is_in_use(
    world, monkeypatch, caplog):
  hyper, instance = start(world, kvm_pci_reservations=8)

  def take_back(*arguments):
    raise CommandError("blockdev-del", "Node %s is in use" % arguments[2])

  monkeypatch.setattr(backends, "take_back", take_back)
  hyper.HotDelDevice(instance, DISK, harness.disk(1), EXTRA, 1)
  assert ("%s was not closed: Node" % harness.device_id("disk", 1, 9) in
          caplog.text)
  assert world.slots(hyper, instance)[0] == [8]
  # nor does it keep others from being added
  world.unplug(harness.device_id("disk", 0, 8))
  hyper.HotAddDevice(instance, NIC, harness.nic(2), None, 2)
  assert world.slots(hyper, instance) == ([], [24, 25, 26])


def test_a_removal_succeeds_once_the_device_is_detached(world, monkeypatch,
                                                        caplog):
  hyper, instance = start(world, kvm_pci_reservations=8)
  written = []

  def take_back(*_):
    written.append(world.slots(hyper, instance)[0])
    raise MonitorError("QEMU's monitor does not answer drive_del")

  monkeypatch.setattr(backends, "take_back", take_back)
  hyper.HotDelDevice(instance, DISK, harness.disk(1), EXTRA, 1)
  # before its backend is closed
  assert written == [[8]]
  for part in ("vm1.example.com", harness.device_id("disk", 1, 9),
               "does not answer drive_del", "check --live"):
    assert part in caplog.text
  assert world.slots(hyper, instance)[0] == [8]


@pytest.mark.parametrize("more", [",romfile=/etc/shadow", "\n", "0"])
def test_a_malformed_id_is_not_taken_for_ganetis(world, more):
  """A QEMU that a guest has taken over may answer anything."""
  hyper, instance = start(world, kvm_pci_reservations=8)
  disk = harness.disk(5)
  world.bus[11] = ids.old_id("disk", disk.uuid, 11) + more
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotDelDevice(instance, DISK, disk, EXTRA, 2)
  assert "neither the runtime file nor QEMU has" in str(caught.value)
  hyper.HotAddDevice(instance, DISK, disk, EXTRA, 2)
  assert world.slots(hyper, instance)[0] == [8, 9, 10]
  text = hyper._ReadKVMRuntime(instance.name)
  assert "romfile" not in text and "pci-11" not in text
  (entry, ) = [d for d, _ in json.loads(text)[3] if "00d5" in d["uuid"]] \
    if EXTRA == "/dev/null" else \
    [d for d, _, _ in json.loads(text)[3] if "00d5" in d["uuid"]]
  assert (entry.get("hvinfo") or {}).get("id", "") in (
    "", ids.new_id("disk", disk.uuid))


def test_what_could_not_be_read_again_is_not_written(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  before = hyper._ReadKVMRuntime(instance.name)
  nic = harness.nic(2)
  nic.mac = "aa:00:00:00:00:02,romfile=/etc/shadow"
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotAddDevice(instance, NIC, nic, None, 2)
  assert "is no mac" in str(caught.value)
  assert hyper._ReadKVMRuntime(instance.name) == before


def test_nothing_is_added_without_a_monitor(world):
  hyper, instance = start(world)
  before = hyper._ReadKVMRuntime(instance.name)
  world.monitor = False
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert "vm1.example.com" in str(caught.value)
  assert "cannot be reached" in str(caught.value)
  assert hyper._ReadKVMRuntime(instance.name) == before


def test_a_full_bus_is_one_clear_error(world):
  hyper, instance = start(world, 16, 4, kvm_pci_reservations=12)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotAddDevice(instance, NIC, harness.nic(4), None, 4)
  for part in ("vm1.example.com", "one more NIC", "31 disk 15",
               "lower kvm_pci_reservations"):
    assert part in str(caught.value)
  with pytest.raises(errors.HypervisorError) as caught:
    start(world, 16, 5, kvm_pci_reservations=12)
  assert not isinstance(caught.value, errors.HotplugError)
  assert "16 disks and 5 NICs" in str(caught.value)


def test_what_overflowed_gets_its_address_in_the_runtime_file(world):
  world.bus.update({7: "", 10: ""})
  world.unnamed = [("virtio-rng-pci", 7), ("virtio-rng-pci", 10)]
  hyper = world.hypervisor()
  instance = harness.instance_of(
    2, kvm_pci_reservations=8,
    kvm_extra="-device virtio-rng-pci -device virtio-rng-pci")
  if not harness.SLOT_IN_PCI: # there, the balloon has an id
    world.unnamed.insert(0, ("virtio-balloon-pci", 3))
  hyper.StartInstance(instance, harness.block_devices(2), False)
  command = json.loads(hyper._ReadKVMRuntime(instance.name))[0]
  devices = [value for flag, value in zip(command, command[1:])
             if flag == "-device" and "rng" in value]
  assert devices == ["virtio-rng-pci", "virtio-rng-pci,bus=pci.0,addr=0xa"]
  # unmodified Ganeti reads it as it reads its own
  unmodified = world.hypervisor(hv_kvm.KVMHypervisor)
  assert unmodified._LoadKVMRuntime(instance)[0] == command
  # and the next hot-add avoids it
  for number in (0, 1):
    world.bus[8 + number] = harness.device_id("disk", number, 8 + number)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert world.slots(hyper, instance)[0] == [8, 9, 11]


@pytest.mark.parametrize("change", [
  {"function": "1"}, {"function": None}, {"slot": "10"}, {"slot": 32},
  {"qdev_id": 7}, {"qdev_id": ["x"]}, {"class_info": []}, {"class_info": None},
  {"class_info": {"class": None, "desc": {}}}, None])
def test_a_guest_runs_whatever_its_qemu_replies(world, monkeypatch, change):
  genuine = harness.FakeQmp.run

  def run(self, command, arguments=None):
    answer = genuine(self, command, arguments)
    if command == "query-pci":
      for device in answer[0]["devices"]:
        device.update(change or {})
        if change is None:
          device.clear()
    return answer
  monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, run)
  world.bus.update({7: "", 10: ""})
  world.unnamed = [("virtio-rng-pci", 7), ("virtio-rng-pci", 10)]
  if not harness.SLOT_IN_PCI: # there, the balloon has an id
    world.unnamed.insert(0, ("virtio-balloon-pci", 3))
  hyper = world.hypervisor()
  instance = harness.instance_of(
    2, kvm_pci_reservations=8,
    kvm_extra="-device virtio-rng-pci -device virtio-rng-pci")
  hyper.StartInstance(instance, harness.block_devices(1), False)
  assert len(world.commands()) == 1
  # later operations are refused in one line, and by no error but Ganeti's
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.MigrationInfo(instance)
  assert "unexpected reply to QMP command query-pci" in str(caught.value)


def test_the_target_of_a_migration_is_not_touched(world):
  hyper = world.hypervisor()
  instance = harness.instance_of()
  runtime = hyper._GenerateKVMRuntime(instance, harness.block_devices(1),
                                      False, harness.KVMHELP)
  del world.calls[:]
  hyper._ExecuteKVMRuntime(instance, runtime, harness.KVMHELP,
                           incoming=("192.0.2.2", 8102))
  assert "query-pci" not in [call[0] for call in world.calls]


def test_a_refused_slot_is_explained(world):
  slot = 8 if harness.SLOT_IN_PCI else 12
  world.refusal = ("PCI: slot %d function 0 not available for virtio-blk-pci,"
                   " in use by e1000,id=(null)" % slot)
  with pytest.raises(errors.HypervisorError) as caught:
    start(world)
  for part in ("vm1.example.com", "slot %d" % slot,
               harness.device_id("disk", 0, slot), "held by e1000",
               "take devices out of kvm_extra"):
    assert part in str(caught.value)


def test_qemus_log_is_quoted_when_it_is_new(world, tmpdir, monkeypatch):
  log = tmpdir.join("vm.log")
  log.write("PCI: slot 9 function 0 not available for old, in use by news\n")
  run = world.run

  def run_and_log(command, **kwargs):
    log.write("noise\nqemu: 'foo' is not a valid device model name\n")
    world.refusal = ""
    return run(command, **kwargs)

  hyper = world.hypervisor()

  def run_kvm():
    with hyper._Starting(start_.Start("vm1", partition=Partition())):
      hyper._RunKVMCmd("vm1", ["q", "-D", str(log)], [])

  monkeypatch.setattr(hv_kvm.utils, "RunCmd", run_and_log)
  with pytest.raises(errors.HypervisorError) as caught:
    run_kvm()
  assert str(caught.value).endswith(
    "QEMU's log says: qemu: 'foo' is not a valid device model name")
  monkeypatch.setattr(hv_kvm.utils, "RunCmd", run)
  with pytest.raises(errors.HypervisorError) as caught:
    run_kvm()
  assert "log" not in str(caught.value)


def test_hvinfo_takes_no_extra_keys(world):
  hyper, instance = start(world)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  runtime = hyper._LoadKVMRuntime(instance)
  for device in [entry[0] for entry in runtime[3]] + list(runtime[1]):
    if harness.SLOT_IN_PCI:
      assert type(device.pci) is int
      continue
    assert sorted(device.hvinfo) == ["addr", "bus", "driver", "id"]


@pytest.mark.parametrize("version, extra", [
  ("virt", ""), ("unheard-of", ""), ("isapc", ""),
  # there, pci.0 is a bridge that kvm_extra makes: nothing may precede it
  ("", "-device pci-bridge,id=pci.0,bus=pcie.0,chassis_nr=1")])
def test_another_chipset_is_left_to_unmodified_ganeti(world, caplog, version,
                                                      extra):
  results = []
  for cls in (hv_kvm.KVMHypervisor, None):
    world.running = False
    hyper = world.hypervisor(*([cls] if cls else []))
    instance = harness.instance_of(machine_version=version, kvm_extra=extra)
    hyper.StartInstance(instance, harness.block_devices(2), False)
    results.append((world.slots(hyper, instance), world.commands()[-1]))
  assert results[0] == results[1]
  assert "left to unmodified Ganeti" in caplog.text
  if harness.SLOT_IN_PCI:
    return # Ganeti itself asks QEMU there
  del world.calls[:]
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert "query-pci" not in [call[0] for call in world.calls]


def addresses(hyper, instance):
  """Return bus and address of the disks, and of the NICs."""
  _, nics, _, disks = hyper._LoadKVMRuntime(instance)[:4]
  return tuple([(d.hvinfo["bus"], d.hvinfo["addr"]) for d in devices]
               for devices in ([entry[0] for entry in disks], nics))


Q35 = pytest.mark.parametrize("version, extra", [
  ("q35", ""), ("pc-q35-7.2", ""), ("", "-machine q35,smm=on"),
  ("pc", "-M q35"), ("", "-machine smm=on,type=q35")])
NO_BUSES = pytest.mark.skipif(harness.SLOT_IN_PCI, reason="2.16 and later")


@NO_BUSES
@Q35
def test_disks_and_nics_of_a_q35_guest_are_on_root_ports(world, version, extra):
  world.boots = True
  hyper = world.hypervisor()
  instance = harness.instance_of(machine_version=version, kvm_extra=extra)
  hyper.StartInstance(instance, harness.block_devices(2), False)
  assert addresses(hyper, instance) == (
    [("rp11", "0x0"), ("rp12", "0x0")],
    [("rp%d" % (3 + n), "0x0") for n in range(len(instance.nics))])
  command = world.commands()[-1]
  made = command_.ports(command)
  assert made == list(range(3, 27))
  # what sits on a port is created after it
  drivers = [option.driver for option in command_.devices(command)]
  assert drivers[:24] == ["pcie-root-port"] * 24
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  hyper.HotAddDevice(instance, NIC, harness.nic(5), None, len(instance.nics))
  disks, nics = addresses(hyper, instance)
  assert disks[-1] == ("rp13", "0x0") and nics[-1] == (
    "rp%d" % (3 + len(instance.nics)), "0x0")
  assert "query-pci" in [call[0] for call in world.calls]


@NO_BUSES
@pytest.mark.parametrize("version, indices", [
  ((5, 2), [None, None, 3]), ((6, 1), [1, 2, 3]), (None, [None, None, 3])])
def test_a_nic_of_a_q35_guest_is_named_by_its_port(world, monkeypatch, version,
                                                   indices):
  monkeypatch.setattr(qemu_version, "version", lambda _: version)
  world.boots = True
  hyper, instance = start(world, 1, 2, machine_version="q35")
  # whatever was installed, the running QEMU says that it has the property
  hyper.HotAddDevice(instance, NIC, harness.nic(5), None, 2)
  assert [nic.hvinfo.get("acpi-index") for nic in
          hyper._LoadKVMRuntime(instance)[1]] == indices


@NO_BUSES
@pytest.mark.parametrize("extra, says", [
  ("-device pcie-root-port,id=mine,bus=pcie.0,chassis=3",
   "mine: a device of kvm_extra has chassis=3"),
  ("-device pcie-root-port,id=rp5,bus=pcie.0,chassis=5,port=5",
   "rp5: a device of kvm_extra has the id of one of Ganeti's root ports")])
def test_a_name_of_ganetis_in_kvm_extra_is_said_before_the_start(world, extra,
                                                                 says):
  hyper = world.hypervisor()
  instance = harness.instance_of(machine_version="q35", kvm_extra=extra)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.StartInstance(instance, harness.block_devices(1), False)
  assert says in str(caught.value)
  assert instance.name in str(caught.value)
  assert not world.commands()


TAG = "kvm-pci:acpi-index"


def indices(hyper, instance):
  return [nic.hvinfo.get("acpi-index")
          for nic in hyper._LoadKVMRuntime(instance)[1]]


def start_tagged(world, nics, tags=(TAG, "other"), **hvparams):
  world.boots = True
  hyper = world.hypervisor()
  instance = harness.instance_of(nics, **hvparams)
  instance.tags = set(tags)
  hyper.StartInstance(instance, harness.block_devices(1), False)
  return hyper, instance


@NO_BUSES
@pytest.mark.parametrize("version, expected", [
  ((6, 0), [1, 2, 3]), ((7, 2), [1, 2, 3]), ((5, 2), [None, None]),
  (None, [None, None])])
def test_a_nic_on_pci_0_has_a_number_by_the_tag(world, monkeypatch, caplog,
                                                version, expected):
  monkeypatch.setattr(qemu_version, "version", lambda _: version)
  hyper, instance = start_tagged(world, 2)
  assert ("gets no acpi-index" in caplog.text or
          "get no acpi-index" in caplog.text) == (expected[0] is None)
  assert [keys_of(word).get("acpi-index") for word in world.commands()[-1]
          if str(word).startswith("virtio-net-pci")] == [
            str(number) if number else None for number in expected[:2]]
  # whatever the tags are by now, a NIC is as the others are
  instance.tags = set() if expected[0] else set([TAG])
  hyper.HotAddDevice(instance, NIC, harness.nic(5), None, 2)
  assert indices(hyper, instance) == (expected + [None])[:3]
  hyper.RebootInstance(instance)
  assert indices(hyper, instance) == (expected + [None])[:3]


@NO_BUSES
def test_without_the_tag_a_nic_on_pci_0_has_no_number(world, monkeypatch):
  monkeypatch.setattr(qemu_version, "version", lambda _: (7, 2))
  hyper, instance = start_tagged(world, 2, ["kvm-pci"])
  assert indices(hyper, instance) == [None, None]
  hyper.HotAddDevice(instance, NIC, harness.nic(5), None, 2)
  assert indices(hyper, instance) == [None] * 3


@NO_BUSES
@pytest.mark.parametrize("tags, expected", [([TAG], 1), ([], None)])
def test_the_tag_decides_for_the_first_nic(world, tags, expected):
  hyper, instance = start_tagged(world, 0, tags)
  hyper.HotAddDevice(instance, NIC, harness.nic(0), None, 0)
  assert indices(hyper, instance) == [expected]


@NO_BUSES
@pytest.mark.parametrize("chip", ["pc", "q35"])
def test_no_number_is_given_twice(world, monkeypatch, caplog, chip):
  monkeypatch.setattr(qemu_version, "version", lambda _: (7, 2))
  hyper, instance = start_tagged(world, 3, machine_version=chip,
                                 kvm_extra="-device e1000,id=own,acpi-index=02")
  assert indices(hyper, instance) == [1, None, 3]
  assert ("NIC 1, %s, gets no acpi-index: own of kvm_extra has it" %
          {"pc": "slot 25", "q35": "port rp4"}[chip]) in caplog.text
  hyper.RebootInstance(instance)
  assert indices(hyper, instance) == [1, None, 3]
  world.running = False
  hyper, instance = start_tagged(world, 3, machine_version=chip)
  world.elsewhere.append("byhand")
  world.settings["byhand"] = {"acpi-index": 4}
  hyper.HotAddDevice(instance, NIC, harness.nic(5), None, 3)
  hyper.HotAddDevice(instance, NIC, harness.nic(6), None, 4)
  assert indices(hyper, instance) == [1, 2, 3, None, 5]


@NO_BUSES
def test_a_reboot_on_an_older_qemu_drops_the_numbers(world, monkeypatch):
  monkeypatch.setattr(qemu_version, "version", lambda _: (7, 2))
  hyper, instance = start_tagged(world, 2)
  monkeypatch.setattr(qemu_version, "version", lambda _: (5, 2))
  hyper.RebootInstance(instance)
  assert indices(hyper, instance) == [None, None]


@NO_BUSES
def test_a_nic_that_only_qemu_has_keeps_its_number(world):
  hyper, instance = start(world)
  name = harness.device_id("nic", 5, 29)
  world.plug(29, name)
  world.settings[name] = {"acpi-index": 6}
  hyper.HotAddDevice(instance, NIC, harness.nic(5), None, 2)
  assert indices(hyper, instance) == [None, None, 6]


@pytest.mark.skipif(not harness.SLOT_IN_PCI, reason="2.10 to 2.15")
def test_an_old_ganeti_says_that_it_has_no_numbers(world, caplog):
  start_tagged(world, 2)
  assert ("get no acpi-index: Ganeti before 2.16 cannot note it" in
          caplog.text)


@pytest.mark.skipif(not harness.SLOT_IN_PCI, reason="2.10 to 2.15")
@Q35
def test_an_old_ganeti_has_no_root_ports(world, caplog, version, extra):
  hyper = world.hypervisor()
  instance = harness.instance_of(machine_version=version, kvm_extra=extra)
  hyper.StartInstance(instance, harness.block_devices(2), False)
  assert "has no root ports" in caplog.text
  assert not command_.ports(world.commands()[-1])


@NO_BUSES
def test_a_soft_reboot_keeps_the_ports_and_closes_holes(world):
  hyper = world.hypervisor()
  instance = harness.instance_of(machine_version="q35")
  hyper.StartInstance(instance, harness.block_devices(3), False)
  before = world.commands()[-1]
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  del loaded[3][1]
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(loaded, stream)
  hyper.RebootInstance(instance)
  after = world.commands()[-1]
  assert [word for word in after if "pcie-root-port" in str(word)] == \
    [word for word in before if "pcie-root-port" in str(word)]
  assert addresses(hyper, instance)[0] == [("rp11", "0x0"), ("rp12", "0x0")]


def test_a_nic_is_added_though_ide_disks_have_fictitious_slots(world):
  """Unmodified Ganeti's runtime file of an instance that it started."""
  instance = harness.instance_of(disk_type="ide", kvm_extra="-device"
                                 " AC97,addr=%s" % hex(harness.FIRST))
  unmodified = world.hypervisor(hv_kvm.KVMHypervisor)
  unmodified._SaveKVMRuntime(instance, unmodified._GenerateKVMRuntime(
    instance, harness.block_devices(1), False, harness.KVMHELP))
  if harness.SLOT_IN_PCI:
    pytest.skip("a disk's pci may be real there: hotplug adds virtio disks")
  world.hypervisor().HotAddDevice(instance, NIC, harness.nic(5), None, 2)
  assert world.slots(unmodified, instance)[1][-1] == 24


def test_a_monitor_that_hangs_up_is_one_clear_error(world, monkeypatch):
  hyper, instance = start(world)

  def hang_up(*_):
    raise TypeError("'NoneType' object is not subscriptable")

  monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, hang_up)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert "does not answer query-status" in str(caught.value)


#: A state in which devices are not changed, and what is said of it.
REFUSED = pytest.mark.parametrize("state, words", [
  ("suspended", ["suspended (S3)", "system_wakeup"]),
  ("postmigrate", ["paused after a migration", "--cleanup"])])


@REFUSED
def test_a_guest_that_sleeps_or_has_left_keeps_its_devices(world, state, words):
  hyper, instance = start(world, 2, 2)
  before, bus = hyper._ReadKVMRuntime(instance.name), dict(world.bus)
  world.state = state
  for change in (
      lambda: hyper.HotAddDevice(instance, DISK, harness.disk(5), EXTRA, 2),
      lambda: hyper.HotAddDevice(instance, NIC, harness.nic(5), None, 2),
      lambda: hyper.HotDelDevice(instance, DISK, harness.disk(1), EXTRA, 1),
      lambda: hyper.HotDelDevice(instance, NIC, harness.nic(1), None, 1),
      lambda: hyper.HotModDevice(instance, NIC, harness.nic(1), None, 1)):
    with pytest.raises(errors.HotplugError) as caught:
      change()
    for word in words + [instance.name]:
      assert word in str(caught.value)
    assert hyper._ReadKVMRuntime(instance.name) == before
    assert world.bus == bus
  world.state = "running"
  hyper.HotAddDevice(instance, DISK, harness.disk(5), EXTRA, 2)


@REFUSED
def test_a_job_is_refused_before_it_changes_the_configuration(world, state,
                                                              words):
  """What Ganeti asks first; later it would delete the disk all the same."""
  hyper, instance = start(world)
  for other in ("running", "paused", "prelaunch"):
    world.state = other
    hyper.HotplugSupported(instance)
  world.state = state
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotplugSupported(instance)
  for word in words + [instance.name]:
    assert word in str(caught.value)


def test_a_monitor_that_hangs_up_is_named_before_anything_changes(world,
                                                                  monkeypatch):
  hyper, instance = start(world)

  def hang_up(*_):
    raise TypeError("'NoneType' object is not subscriptable")

  monkeypatch.setattr(hv_kvm.KVMHypervisor, "HotplugSupported", lambda *_: None)
  monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, hang_up)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotplugSupported(instance)
  for word in (instance.name, "does not answer query-status"):
    assert word in str(caught.value)


@pytest.mark.parametrize("err, words", [
  (errors.HotplugError("Instance is probably down"),
   ["Instance is probably down"]),
  # Ganeti's client, since 3.1
  (OSError(errno.ENOENT, "No such file or directory"),
   ["vm1.example.com", "No such file"])])
def test_what_ganeti_refuses_by_itself_is_refused(world, monkeypatch, err,
                                                  words):
  hyper, instance = start(world)

  def refuse(*_):
    raise err

  monkeypatch.setattr(hv_kvm.KVMHypervisor, "HotplugSupported", refuse)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotplugSupported(instance)
  for word in words:
    assert word in str(caught.value)


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="2.16 and later")
def test_a_runtime_file_with_other_ids_keeps_its_devices(world):
  """What a downgrade and an upgrade make of the ids of a running guest."""
  hyper, instance = start(world, kvm_pci_reservations=8)
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  for device_class, entries in (("disk", [entry[0] for entry in loaded[3]]),
                                ("nic", loaded[1])):
    for entry in entries:
      entry["hvinfo"]["id"] = "hot%s-%s-pci-%d" % (
        device_class, entry["uuid"].split("-")[0],
        int(entry["hvinfo"]["addr"], 16))
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(loaded, stream)
  hyper.MigrationInfo(instance)
  assert world.slots(hyper, instance) == ([8, 9], [24, 25])
  # and they are removed by the ids that QEMU has
  hyper.HotDelDevice(instance, DISK, harness.disk(1), EXTRA, 1)
  hyper.HotDelDevice(instance, NIC, harness.nic(0), None, 0)
  assert world.slots(hyper, instance) == ([8], [25])
  assert sorted(world.bus)[-2:] == [8, 25]


def test_the_target_gets_the_runtime_file_of_this_version(world):
  hyper, instance = start(world)
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  del loaded[2]["vnet_hdr"]
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(loaded, stream)
  assert json.loads(hyper.MigrationInfo(instance))[2]["vnet_hdr"] is True


def test_a_removal_succeeds_though_no_cooldown_can_be_written(world, request):
  hyper, instance = start(world, kvm_pci_reservations=8)
  # what cannot be written
  path = cooldown.path_for(hyper._InstanceKVMRuntime(instance.name))
  os.makedirs(path)
  # all tests have this folder
  request.addfinalizer(lambda: os.rmdir(path))
  del world.calls[:]
  hyper.HotDelDevice(instance, DISK, harness.disk(0), EXTRA, 0)
  assert 8 not in world.bus and 8 not in world.slots(hyper, instance)[0]
  # what is left of it is looked for
  asked = [call[0] for call in world.calls]
  assert "query-block" in asked[asked.index("device_del"):]


def test_an_operation_is_of_one_instance(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  other = harness.instance_of(kvm_pci_reservations=8)
  other.name = "vm2.example.com"
  hyper._WriteKVMRuntime(other.name, "[]")
  with hyper._Operate(instance) as begun:
    text = hyper._ReadKVMRuntime(instance.name)
    assert hyper._ReadKVMRuntime(other.name) == "[]"
    hyper._WriteKVMRuntime(other.name, "[1]")
    assert hyper._ReadKVMRuntime(instance.name) == begun.text == text
    with hyper._Operate(other) as inner:
      assert inner is not begun and inner.name == other.name
      assert hyper._ReadKVMRuntime(other.name) == "[1]"
    with hyper._Operate(instance) as again:
      assert again is begun


def test_a_qemu_that_ends_meanwhile_is_not_waited_for(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "2")
  looks = []

  def end(_):
    world.monitor = world.running = False

  monkeypatch.setattr(world, "unplug", end)
  genuine = queries.ids

  def ids(execute):
    if not world.running:
      raise MonitorError("QEMU has ended")
    return genuine(execute)

  monkeypatch.setattr(queries, "ids", ids)
  monkeypatch.setattr(unplug_.time, "sleep", looks.append)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotDelDevice(instance, DISK, harness.disk(0), EXTRA, 0)
  assert "QEMU has ended" in str(caught.value) and looks == []


class Looks(object):
  """Upstream's own looks at a hot-added device, and what ours asks instead."""

  def __init__(self, world, monkeypatch):
    self.upstreams = []
    self._world = world
    self._start = None
    for name in ("HasDevice", "WaitForDeviceClaim"):
      monkeypatch.setattr(harness.FakeQmp, name, self._noting(name), False)
    for name in ("HotAddDisk", "HotAddNic"):
      monkeypatch.setattr(harness.FakeQmp, name, self._marking(name))

  def _noting(self, name):
    def look(_, devid, **__):
      self.upstreams.append((name, devid))
      raise errors.HypervisorError("Guest did not claim %s within 5 s" % devid)
    return look

  def _marking(self, name):
    plain = harness.FakeQmp.__dict__[name]

    def add(*args, **kwargs):
      plain(*args, **kwargs)
      self._start = len(self._world.calls)
    return add

  def commands(self):
    """List what QEMU was asked since it was given a device."""
    return [call for call in self._world.calls[self._start:]
            if call[0] not in ("close", "hmp")]


#: What is asked once a device is attached, whatever the guest does with it;
#: whether the guest runs was asked before. Python 2 leaves the monitor where
#: kvm-ifup is run, and asks that anew.
ASKED = [[("qom-list", {"path": "/machine/peripheral"})]]
ASKED_OF_NIC = ASKED + ([ASKED[0] + [("query-status", None)]]
                        if str is bytes else [])

BY_ID = pytest.mark.skipif(not BY_IDS, reason="up to 2.15")


@BY_ID
@pytest.mark.parametrize("state", ["running", "paused", "prelaunch"])
@pytest.mark.parametrize("dev_type, device, extra, slot", [
  (DISK, harness.disk(5), EXTRA, 14), (NIC, harness.nic(5), None, 26)])
def test_a_device_that_the_guest_does_not_claim_stays(
    world, monkeypatch, caplog, dev_type, device, extra, slot, state):
  """Paused, in its boot loader, or without the driver."""
  hyper, instance = start(world, 2, 2, kvm_pci_reservations=12)
  looks = Looks(world, monkeypatch)
  world.state = state
  device.hvinfo = {}
  with caplog.at_level("WARNING"):
    hyper.HotAddDevice(instance, dev_type, device, extra, 2)
  assert looks.commands() in (ASKED if dev_type == DISK else
                              ASKED_OF_NIC) and looks.upstreams == []
  assert ("does not run (%s)" % state in caplog.text) == (state != "running")
  assert "in spite of" not in caplog.text
  assert world.slots(hyper, instance)[dev_type == NIC][-1] == slot
  assert world.bus[slot] == device.hvinfo["id"]
  # and the next one goes to the next slot
  other = harness.disk(6) if dev_type == DISK else harness.nic(6)
  hyper.HotAddDevice(instance, dev_type, other, extra, 3)
  assert slot + 1 in world.bus


@BY_ID
def test_a_scsi_disk_is_not_waited_for(world, monkeypatch):
  """From 3.1 on upstream does not find it among the block devices."""
  hyper, instance = start(world, 2, 2, kvm_pci_reservations=8,
                          disk_type="scsi-hd")
  looks = Looks(world, monkeypatch)
  monkeypatch.setattr(world, "plug", lambda _, devid: world.elsewhere.append(
    devid))
  added = harness.disk(7)
  hyper.HotAddDevice(instance, DISK, added, EXTRA, 2)
  assert looks.commands() in ASKED and looks.upstreams == []
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  assert loaded[3][-1][0]["hvinfo"]["id"] == added.hvinfo["id"]


@BY_ID
def test_a_device_that_qemu_has_not_got_is_missed(world, monkeypatch):
  hyper, instance = start(world, 2, 2, kvm_pci_reservations=8)
  monkeypatch.setattr(world, "plug", lambda *_: None)
  text = hyper._ReadKVMRuntime(instance.name)
  added = harness.disk(7)
  with pytest.raises(errors.HotplugError) as caught:
    hyper.HotAddDevice(instance, DISK, added, EXTRA, 2)
  for part in ("was not added", "does not have", added.hvinfo["id"], "slot 10"):
    assert part in str(caught.value)
  assert json.loads(hyper._ReadKVMRuntime(instance.name)) == json.loads(text)


def test_what_the_guest_has_not_mapped_is_told_at_the_next_operation(
    world, caplog):
  hyper, instance = start(world, 2, 2, kvm_pci_reservations=12)
  hyper.HotAddDevice(instance, DISK, harness.disk(5), EXTRA, 2)
  added = world.bus[14]
  world.mapped = {2: True, 14: False}
  for unmapped in (True, False):
    world.mapped[14] = not unmapped
    caplog.clear()
    with caplog.at_level("INFO"):
      hyper._Settle(instance)
    assert ("has not mapped %s so far" % added in caplog.text) == unmapped
  # one that has not begun to boot finds it then
  world.mapped = {2: False, 14: False}
  with caplog.at_level("INFO"):
    hyper._Settle(instance)
  # nor is it of interest where it is to be removed
  world.mapped[2] = True
  hyper._Pending(instance).note({added: unplug_request.Request(14, 1, False)})
  with caplog.at_level("INFO"):
    hyper._Settle(instance)
  assert "has not mapped" not in caplog.text


def test_no_event_is_waited_for(world, monkeypatch):
  """Upstream's wait takes any device's event, and fails on one without data."""
  def wait(*_):
    raise KeyError("data")

  monkeypatch.setattr(harness.FakeQmp, "wait_for_qmp_event", wait, False)
  hyper, instance = start(world, 2, 2)
  slots = world.slots(hyper, instance)
  hyper.HotDelDevice(instance, DISK, harness.disk(0), None, 0)
  hyper.HotDelDevice(instance, NIC, harness.nic(0), None, 0)
  assert slots[0][0] not in world.bus and slots[1][0] not in world.bus
  hyper.HotAddDevice(instance, DISK, harness.disk(7), EXTRA, 2)


@pytest.mark.skipif(not hasattr(constants, "HV_VIRTIO_DISK_IOTHREADS"),
                    reason="master with iothreads")
@pytest.mark.parametrize("cls", [hv_kvm.KVMHypervisor, None])
def test_the_queues_of_a_hot_added_disk_are_in_the_runtime_file(
    world, monkeypatch, cls):
  monkeypatch.setattr(harness.FakeQmp, "GetCpuInformation",
                      lambda self: [{"cpu-index": n} for n in range(3)])
  instance = harness.instance_of(disk_aio="native")
  hyper = world.hypervisor(*([cls] if cls else []))
  hyper.StartInstance(instance, harness.block_devices(2), False)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  loaded = serialized.parse(hyper._ReadKVMRuntime(instance.name), "test")
  assert loaded.unknown == []
  hvinfo = loaded.disks[-1][0]["hvinfo"]
  assert (hvinfo["num-queues"], hvinfo["iothread"]) == (3, "iothread0")


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="2.16 and later")
def test_what_upstream_sets_while_it_adds_a_disk_is_in_the_runtime_file(
    world, monkeypatch):
  """As master with iothreads does, after the device was written ahead."""
  hyper, instance = start(world)
  genuine = harness.FakeQmp.HotAddDisk

  def add(self, disk, *args, **kwargs):
    ahead = serialized.parse(hyper._ReadKVMRuntime(instance.name), "test")
    assert "num-queues" not in ahead.disks[-1][0]["hvinfo"]
    disk.hvinfo["num-queues"] = 3
    genuine(self, disk, *args, **kwargs)

  monkeypatch.setattr(harness.FakeQmp, "HotAddDisk", add)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  loaded = serialized.parse(hyper._ReadKVMRuntime(instance.name), "test")
  assert loaded.unknown == [] and len(loaded.disks) == 3
  assert loaded.disks[-1][0]["hvinfo"]["num-queues"] == 3


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="2.16 and later")
def test_firmware_takes_no_slot_and_no_disk_moves(world, monkeypatch):
  """Ganeti gives such a disk no address (pull request 1955)."""
  monkeypatch.setattr(
    objects.Disk, "role",
    property(lambda self: "firmware" if self.uuid == harness.disk(0).uuid
             else None), raising=False)
  hyper = world.hypervisor()
  instance = harness.instance_of()
  disks = [harness.disk(number) for number in range(3)]
  for disk in disks[1:]:
    disk.hvinfo = {"driver": "virtio-blk-pci"}
  runtime = (["kvm", "-name", instance.name], [], instance.hvparams,
             [(disk, "/x", None) for disk in disks])
  hyper._AssignAddresses(runtime, instance)
  assert not disks[0].hvinfo
  assert [harness.slot_of(disk) for disk in disks[1:]] == [12, 13]
