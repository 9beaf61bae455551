"""What the plugin does on this Ganeti."""

import json

import pytest

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

import harness

DISK = constants.HOTPLUG_TARGET_DISK
NIC = constants.HOTPLUG_TARGET_NIC
EXTRA = ("/dev/null", None)


def start(world, disks=2, nics=2, **hvparams):
  world.running = False
  hyper = world.hypervisor()
  instance = harness.instance_of(nics, **hvparams)
  hyper.StartInstance(instance, harness.block_devices(disks), False)
  for slots, kind in zip(world.slots(hyper, instance), ("disk", "nic")):
    for slot in slots:
      if slot is not None:
        world.bus[slot] = "%s-of-start" % kind
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
  devices = [value.split(",")[0] for flag, value in zip(command, command[1:])
             if flag == "-device"]
  assert devices == ["virtio-net-pci", "virtio-net-pci", "virtio-blk-pci",
                     "virtio-blk-pci", "virtio-balloon", "virtio-rng-pci"]


def test_addresses_of_kvm_extra_are_gone_around(world):
  hyper, instance = start(world, kvm_pci_reservations=8,
                          kvm_extra="-device AC97,addr=0x8")
  assert world.slots(hyper, instance) == ([9, 10], [24, 25])


@pytest.mark.parametrize("parameters, disks, nics", [
  ({"disk_type": "ide"}, None, 24), ({"nic_type": "ne2k_isa"}, 8, None)])
def test_what_is_not_on_the_bus_gets_no_place(world, parameters, disks, nics):
  hyper, instance = start(world, 1, 1, kvm_pci_reservations=8, **parameters)
  assert world.slots(hyper, instance) == ([disks], [nics])


def test_scsi_disks_keep_stocks_place(world):
  hyper = world.hypervisor()
  _, nics, _, disks = hyper._GenerateKVMRuntime(
    harness.instance_of(2, disk_type="scsi-hd"), harness.block_devices(2),
    False, harness.KVMHELP)
  assert [entry[0].hvinfo["scsi-id"] for entry in disks] == [0, 1]
  assert [nic.hvinfo["addr"] for nic in nics] == ["0x18", "0x19"]


def test_the_scenario_of_the_original_proposal(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  hyper.HotAddDevice(instance, NIC, harness.nic(2), None, 2)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  hyper.HotDelDevice(instance, NIC, harness.nic(2), None, 2)
  hyper.HotAddDevice(instance, DISK, harness.disk(3), EXTRA, 3)
  assert world.slots(hyper, instance) == ([8, 9, 10, 11], [24, 25])


def test_a_device_added_by_hand_is_gone_around(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  world.bus[10] = "by-hand"
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert world.slots(hyper, instance)[0] == [8, 9, 11]


def test_a_device_that_only_the_record_knows_is_gone_around(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  del world.bus[9]
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert world.slots(hyper, instance)[0] == [8, 9, 10]


def test_a_modified_nic_keeps_its_slot(world):
  hyper, instance = start(world, kvm_pci_reservations=8)
  world.bus[24] = "nic-%s" % harness.nic(0).uuid.rsplit("-", 2)[0]
  hyper.HotModDevice(instance, NIC, harness.nic(0), None, 0)
  assert sorted(world.slots(hyper, instance)[1]) == [24, 25]


def test_nothing_is_added_unseen(world):
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
  with pytest.raises(errors.HotplugError) as caught:
    start(world, 16, 5, kvm_pci_reservations=12)
  assert "16 disks and 5 NICs" in str(caught.value)


def test_what_overflowed_is_put_into_the_record(world):
  world.bus.update({7: "", 10: ""})
  world.unnamed = [("virtio-balloon-pci", 3), ("virtio-rng-pci", 7),
                   ("virtio-rng-pci", 10)]
  hyper = world.hypervisor()
  instance = harness.instance_of(
    2, kvm_pci_reservations=8,
    kvm_extra="-device virtio-rng-pci -device virtio-rng-pci")
  hyper.StartInstance(instance, harness.block_devices(2), False)
  command = json.loads(hyper._ReadKVMRuntime(instance.name))[0]
  devices = [value for flag, value in zip(command, command[1:])
             if flag == "-device"]
  assert devices == ["virtio-balloon", "virtio-rng-pci",
                     "virtio-rng-pci,bus=pci.0,addr=0xa"]
  # stock reads it as it reads its own
  stock = world.hypervisor(hv_kvm.KVMHypervisor)
  assert stock._LoadKVMRuntime(instance)[0] == command
  # and the next hot-add goes around it
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  assert world.slots(hyper, instance)[0] == [8, 9, 11]


def test_a_guest_runs_though_the_monitor_does_not_tell(world):
  world.monitor = False
  hyper = world.hypervisor()
  hyper.StartInstance(harness.instance_of(), harness.block_devices(1), True)
  assert len(world.commands()) == 1


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
  world.refusal = ("PCI: slot 12 function 0 not available for virtio-blk-pci,"
                   " in use by e1000,id=(null)")
  with pytest.raises(errors.HypervisorError) as caught:
    start(world)
  for part in ("vm1.example.com", "slot 12", "disk-000000d0-1111-2222",
               "held by e1000", "raise kvm_pci_reservations"):
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
  monkeypatch.setattr(hv_kvm.utils, "RunCmd", run_and_log)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper._RunKVMCmd("vm1", ["q", "-D", str(log)], [])
  assert str(caught.value).endswith(
    "QEMU's log says: qemu: 'foo' is not a valid device model name")
  monkeypatch.setattr(hv_kvm.utils, "RunCmd", run)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper._RunKVMCmd("vm1", ["q", "-D", str(log)], [])
  assert "log" not in str(caught.value)


def test_hvinfo_takes_no_extra_keys(world):
  hyper, instance = start(world)
  hyper.HotAddDevice(instance, DISK, harness.disk(2), EXTRA, 2)
  runtime = hyper._LoadKVMRuntime(instance)
  for device in [entry[0] for entry in runtime[3]] + list(runtime[1]):
    assert sorted(device.hvinfo) == ["addr", "bus", "driver", "id"]
