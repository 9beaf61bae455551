"""What the plugin expects of Ganeti."""

import pytest

from ganeti import constants
from ganeti import errors
from ganeti import hypervisor
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import series

import harness

STOCK = hv_kvm.KVMHypervisor


def test_the_series_is_known():
  assert series.check(constants, hv_kvm) == constants.RELEASE_VERSION


def test_the_map_decides_which_class_is_used(monkeypatch):
  assert hypervisor._HYPERVISOR_MAP[constants.HT_KVM] is STOCK
  monkeypatch.setitem(hypervisor._HYPERVISOR_MAP, constants.HT_KVM, "ours")
  assert hypervisor.GetHypervisorClass(constants.HT_KVM) == "ours"


def test_errors_have_the_expected_order():
  assert issubclass(errors.HotplugError, errors.HypervisorError)


def test_a_start_generates_saves_and_executes(world):
  hyper = world.hypervisor(STOCK, note=[
    "_GenerateKVMRuntime", "_GetBusSlots", "_SaveKVMRuntime",
    "_ExecuteKVMRuntime", "_RunKVMCmd"])
  instance = harness.instance_of(kvm_extra="-device virtio-rng-pci")
  hyper.StartInstance(instance, harness.block_devices(2), False)
  names = [call[0] for call in world.calls if call[0].startswith("_") and
           call[0] != "_ConfigureNIC"]
  assert names == ["_GenerateKVMRuntime", "_GetBusSlots", "_SaveKVMRuntime",
                   "_ExecuteKVMRuntime", "_RunKVMCmd"]
  # without a runtime, so that ours can tell a start from a hot-add
  asked = [call for call in world.calls if call[0] == "_GetBusSlots"][0]
  assert len(asked[1]) == 1 and not asked[2]


def test_stock_places_what_qemu_is_to_place_first(world):
  hyper = world.hypervisor(STOCK)
  instance = harness.instance_of(kvm_extra="-device virtio-rng-pci")
  hyper.StartInstance(instance, harness.block_devices(1), False)
  devices = [value.split(",")[0] for flag, value in
             zip(world.commands()[0], world.commands()[0][1:])
             if flag == "-device"]
  assert devices == ["virtio-balloon", "virtio-rng-pci", "virtio-net-pci",
                     "virtio-net-pci", "virtio-blk-pci"]


def test_a_runtime_is_command_nics_parameters_disks(world):
  hyper = world.hypervisor(STOCK)
  instance = harness.instance_of()
  command, nics, hvparams, disks = hyper._GenerateKVMRuntime(
    instance, harness.block_devices(2), False, harness.KVMHELP)
  assert command[0] == instance.hvparams["kvm_path"]
  assert hvparams["kvm_pci_reservations"] == 12
  assert [len(entry) for entry in disks] == [3, 3]
  for device, driver, slot in ((disks[0][0], "virtio-blk-pci", 12),
                               (disks[1][0], "virtio-blk-pci", 13),
                               (nics[0], "virtio-net-pci", 14),
                               (nics[1], "virtio-net-pci", 15)):
    assert sorted(device.hvinfo) == ["addr", "bus", "driver", "id"]
    assert device.hvinfo["driver"] == driver
    assert device.hvinfo["bus"] == "pci.0"
    assert device.hvinfo["addr"] == hex(slot)


@pytest.mark.parametrize("parameters", [
  {"disk_type": "ide"}, {"nic_type": "ne2k_isa"}])
def test_stock_gives_slots_to_what_does_not_use_them(world, parameters):
  hyper = world.hypervisor(STOCK)
  _, nics, _, disks = hyper._GenerateKVMRuntime(
    harness.instance_of(**parameters), harness.block_devices(1), False,
    harness.KVMHELP)
  device = disks[0][0] if "disk_type" in parameters else nics[0]
  assert device.hvinfo["bus"] == "pci.0"


def test_slots_can_be_widened_and_narrowed(world):
  slots = world.hypervisor(STOCK)._GetBusSlots({"kvm_pci_reservations": 8})
  bits = slots["pci.0"]
  assert [bool(bit) for bit in bits] == [True] * 8 + [False] * 24
  bits.extend([False] * 2)
  assert len(bits) == 34 and not bits[33]
  bits.setall(True)
  bits[20] = False
  assert [n for n, bit in enumerate(bits) if not bit] == [20]
  assert not any(slots["scsi.0"])


def test_stocks_allocation_runs_out(world):
  with pytest.raises(errors.GenericError):
    world.hypervisor(STOCK)._GenerateKVMRuntime(
      harness.instance_of(2, kvm_pci_reservations=31),
      harness.block_devices(2), False, harness.KVMHELP)


def started(world, cls=STOCK, disks=2, **hvparams):
  hyper = world.hypervisor(cls, note=["_GetBusSlots"])
  instance = harness.instance_of(**hvparams)
  hyper.StartInstance(instance, harness.block_devices(disks), False)
  del world.calls[:]
  return hyper, instance


def test_a_hot_add_asks_for_slots_with_the_runtime(world):
  hyper, instance = started(world)
  hyper.HotAddDevice(instance, constants.HOTPLUG_TARGET_NIC, harness.nic(5),
                     None, 2)
  asked = [call for call in world.calls if call[0] == "_GetBusSlots"]
  assert len(asked) == 1
  assert len(asked[0][1]) == 2 and len(asked[0][1][1]) == 4
  assert world.slots(hyper, instance) == ([12, 13], [14, 15, 16])


def test_a_hot_add_takes_the_only_slot_it_sees(world):
  hyper, instance = started(world)
  plain = hyper._GetBusSlots

  def only(hvp=None, runtime=None):
    slots = plain(hvp, runtime)
    slots["pci.0"].setall(True)
    slots["pci.0"][21] = False
    return slots

  hyper._GetBusSlots = only
  hyper.HotAddDevice(instance, constants.HOTPLUG_TARGET_DISK, harness.disk(5),
                     ("/dev/null", None), 2)
  assert world.slots(hyper, instance) == ([12, 13, 21], [14, 15])


def test_a_modified_nic_keeps_its_place(world):
  hyper, instance = started(world)
  for slot, number in ((14, 0), (15, 1)):
    world.bus[slot] = "nic-%s" % harness.nic(number).uuid.rsplit("-", 2)[0]
  hyper.HotModDevice(instance, constants.HOTPLUG_TARGET_NIC, harness.nic(0),
                     None, 0)
  assert sorted(world.slots(hyper, instance)[1]) == [14, 15]


def test_a_failed_start_says_so(world):
  world.refusal = "QEMU's own words"
  with pytest.raises(errors.HypervisorError) as caught:
    world.hypervisor(STOCK).StartInstance(harness.instance_of(), [], False)
  assert "QEMU's own words" in str(caught.value)


def test_the_monitor_is_reached_by_path():
  connection = hv_kvm.QmpConnection("/nonexistent/vm.qmp")
  with pytest.raises((errors.HypervisorError, EnvironmentError)):
    connection.connect()
  connection.close()
