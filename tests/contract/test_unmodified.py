"""What the plugin expects of Ganeti."""

import pytest

from ganeti import constants
from ganeti import errors
from ganeti import hypervisor
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import versions
from ganeti_kvm_pci.qemu.option import keys as keys_of

import harness

UNMODIFIED = hv_kvm.KVMHypervisor
FIRST = harness.FIRST

#: The method that Ganeti allocates slots by; in 2.10 to 2.15, there is none.
ALLOCATES = ([name for name in ("_get_bus_manager", "_GetBusSlots")
              if hasattr(UNMODIFIED, name)] + ["_GenerateKVMRuntime"])[0]


def test_the_version_is_supported():
  assert versions.check(constants, hv_kvm) == constants.RELEASE_VERSION


def test_the_map_decides_which_class_is_used(monkeypatch):
  assert hypervisor._HYPERVISOR_MAP[constants.HT_KVM] is UNMODIFIED
  monkeypatch.setitem(hypervisor._HYPERVISOR_MAP, constants.HT_KVM, "ours")
  assert hypervisor.GetHypervisorClass(constants.HT_KVM) == "ours"


def test_errors_have_the_expected_order():
  assert issubclass(errors.HotplugError, errors.HypervisorError)


def test_a_start_generates_saves_and_executes(world):
  hyper = world.hypervisor(UNMODIFIED, note=[
    "_GenerateKVMRuntime", ALLOCATES, "_SaveKVMRuntime", "_WriteKVMRuntime",
    "_ExecuteKVMRuntime", "_RunKVMCmd"])
  instance = harness.instance_of(kvm_extra="-device virtio-rng-pci")
  hyper.StartInstance(instance, harness.block_devices(2), False)
  names = [call[0] for call in world.calls if call[0].startswith("_") and
           call[0] != "_ConfigureNIC"]
  assert [name for name in names if name[:5] != "_GetB" and
          name != "_get_bus_manager"] == [
    "_GenerateKVMRuntime", "_SaveKVMRuntime", "_WriteKVMRuntime",
    "_ExecuteKVMRuntime", "_RunKVMCmd"]
  if ALLOCATES.startswith("_Gen"):
    return
  # once, without a runtime, so that ours can tell a start from a hot-add
  asked, = [call for call in world.calls if call[0] == ALLOCATES]
  assert len(asked[1]) == 1 and not set(asked[2]) - set(["chipset"])


def test_kvm_extra_precedes_disks_and_nics(world):
  hyper = world.hypervisor(UNMODIFIED)
  instance = harness.instance_of(kvm_extra="-device virtio-rng-pci")
  hyper.StartInstance(instance, harness.block_devices(1), False)
  devices = [keys_of(value)["driver"] for flag, value in
             zip(world.commands()[0], world.commands()[0][1:])
             if flag == "-device"]
  assert devices[-4:] == ["virtio-rng-pci", "virtio-net-pci", "virtio-net-pci",
                          "virtio-blk-pci"]


def test_a_runtime_is_command_nics_parameters_disks(world):
  hyper = world.hypervisor(UNMODIFIED)
  instance = harness.instance_of()
  command, nics, hvparams, disks = hyper._GenerateKVMRuntime(
    instance, harness.block_devices(2), False, harness.KVMHELP)
  assert command[0] == instance.hvparams["kvm_path"]
  assert hvparams["disk_type"] == "paravirtual"
  assert [len(entry) for entry in disks] == [3, 3]
  for device, driver, slot in ((disks[0][0], "virtio-blk-pci", FIRST),
                               (disks[1][0], "virtio-blk-pci", FIRST + 1),
                               (nics[0], "virtio-net-pci", FIRST + 2),
                               (nics[1], "virtio-net-pci", FIRST + 3)):
    if harness.SLOT_IN_PCI:
      assert device.pci == slot
      continue
    assert sorted(device.hvinfo) == ["addr", "bus", "driver", "id"]
    assert device.hvinfo["driver"] == driver
    assert device.hvinfo["bus"] == "pci.0"
    assert device.hvinfo["addr"] == hex(slot)


@pytest.mark.parametrize("parameters", [
  {"disk_type": "ide"}, {"nic_type": "ne2k_isa"}])
def test_devices_off_the_bus_get_slots_all_the_same(world, parameters):
  hyper = world.hypervisor(UNMODIFIED)
  _, nics, _, disks = hyper._GenerateKVMRuntime(
    harness.instance_of(**parameters), harness.block_devices(1), False,
    harness.KVMHELP)
  device = disks[0][0] if "disk_type" in parameters else nics[0]
  assert harness.slot_of(device) is not None


@pytest.mark.skipif(ALLOCATES != "_GetBusSlots", reason="2.16 to 3.1")
def test_slots_can_be_widened_and_narrowed(world):
  slots = world.hypervisor(UNMODIFIED)._GetBusSlots({"kvm_pci_reservations": 8})
  bits = slots["pci.0"]
  assert [bool(bit) for bit in bits] == [True] * 8 + [False] * 24
  bits.extend([False] * 2)
  assert len(bits) == 34 and not bits[33]
  bits.setall(True)
  bits[20] = False
  assert [n for n, bit in enumerate(bits) if not bit] == [20]
  assert not any(slots["scsi.0"])


@pytest.mark.skipif(ALLOCATES != "_get_bus_manager", reason="master")
def test_allocators_can_be_widened_and_narrowed(world):
  manager = world.hypervisor(UNMODIFIED)._get_bus_manager(
    {"kvm_pci_reservations": 8})
  assert sorted(manager.allocators) == ["pci", "scsi"]
  # made anew by two names, and looked up in that dict
  manager.allocators["pci"] = type(manager.allocators["pci"])(
    max_slots=22, reserved_slots=21)


def test_the_allocation_runs_out(world):
  with pytest.raises((errors.GenericError, RuntimeError)):
    world.hypervisor(UNMODIFIED)._GenerateKVMRuntime(
      harness.instance_of(20, kvm_pci_reservations=12),
      harness.block_devices(16), False, harness.KVMHELP)


def started(world, cls=UNMODIFIED, disks=2, **hvparams):
  hyper = world.hypervisor(cls, note=[ALLOCATES])
  instance = harness.instance_of(**hvparams)
  hyper.StartInstance(instance, harness.block_devices(disks), False)
  del world.calls[:]
  return hyper, instance


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="2.16 and later")
def test_a_hot_add_asks_for_slots_with_the_runtime(world):
  hyper, instance = started(world)
  hyper.HotAddDevice(instance, harness.NIC, harness.nic(5),
                     None, 2)
  asked = [call for call in world.calls if call[0] == ALLOCATES]
  assert len(asked) == 1
  assert len(asked[0][1]) == 2 and len(list(asked[0][1][1])) == 4
  assert world.slots(hyper, instance) == ([12, 13], [14, 15, 16])


@pytest.mark.skipif(not harness.SLOT_IN_PCI, reason="2.10 to 2.15")
def test_a_hot_add_takes_the_slot_it_is_given(world):
  hyper, instance = started(world)
  disk = harness.disk(5)
  assert disk.pci is None
  disk.pci = 21
  try:
    hyper.HotAddDevice(instance, harness.DISK, disk, harness.EXTRA, 2)
  except errors.HypervisorError:
    # Ganeti of 2.10 to 2.12 does not see the device that it has added
    assert "_FIND_PCI_DEVICE_RE" in dir(UNMODIFIED)
    assert world.bus[21] == harness.device_id("disk", 5, 21)
  else:
    assert world.slots(hyper, instance)[0][-1] == 21


@pytest.mark.skipif(ALLOCATES != "_GetBusSlots", reason="2.16 to 3.1")
def test_a_hot_add_takes_the_only_slot_it_sees(world):
  hyper, instance = started(world)
  plain = hyper._GetBusSlots

  def only(hvp=None, runtime=None):
    slots = plain(hvp, runtime)
    slots["pci.0"].setall(True)
    slots["pci.0"][21] = False
    return slots

  hyper._GetBusSlots = only
  hyper.HotAddDevice(instance, harness.DISK, harness.disk(5),
                     harness.EXTRA, 2)
  assert world.slots(hyper, instance) == ([12, 13, 21], [14, 15])


def test_a_modified_nic_keeps_its_slot(world):
  hyper, instance = started(world)
  first = FIRST + 2
  for number in (0, 1):
    world.bus[first + number] = harness.device_id("nic", number,
                                                  first + number)
  if "_FIND_PCI_DEVICE_RE" in dir(UNMODIFIED):
    pytest.skip("Ganeti of 2.10 to 2.12 does not see the device it has added")
  hyper.HotModDevice(instance, harness.NIC, harness.nic(0),
                     None, 0)
  assert sorted(world.slots(hyper, instance)[1]) == [first, first + 1]


def test_a_failed_start_says_so(world):
  world.refusal = "QEMU's own words"
  with pytest.raises(errors.HypervisorError) as caught:
    world.hypervisor(UNMODIFIED).StartInstance(harness.instance_of(), [], False)
  assert "QEMU's own words" in str(caught.value)


def test_the_monitor_is_reached_by_path():
  connection = hv_kvm.QmpConnection("/nonexistent/vm.qmp")
  with pytest.raises((errors.HypervisorError, EnvironmentError)):
    connection.connect()
  connection.close()


def test_ours_passes_on_what_upstream_adds(world):
  """With a default, by name; and by its position where nothing has one."""
  names = set(versions._METHODS).union(*versions._COMPAT_METHODS.values())
  ours = world.hypervisor().__class__.__mro__
  for cls in ours:
    if "kvm_pci" not in cls.__module__:
      continue
    for name in names.intersection(vars(cls)) - set(["StopInstance"]):
      if not hasattr(UNMODIFIED, name):
        continue
      method = vars(cls)[name]
      code = getattr(getattr(method, "__func__", method), "__code__", None)
      # CO_VARKEYWORDS
      assert code and code.co_flags & 8, (cls, name)


@pytest.mark.skipif(ALLOCATES != "_get_bus_manager", reason="master")
def test_the_bus_manager_of_q35_is_upstreams(world):
  upstream = world.hypervisor(UNMODIFIED)
  if "chipset" not in upstream._get_bus_manager.__code__.co_varnames:
    pytest.skip("master before q35")
  hvp = harness.instance_of(machine_version="q35").hvparams
  asked = [hyper._get_bus_manager(hvp, chipset="q35").allocators
           for hyper in (upstream, world.hypervisor())]
  assert sorted(asked[0]) == sorted(asked[1]) == ["pcie-disk", "pcie-nic",
                                                  "scsi"]
  # and where q35 is what upstream takes the guest for
  hvp["machine_version"] = "pc"
  found = world.hypervisor()._get_bus_manager(hvp, chipset="q35").allocators
  assert type(found["pcie-nic"]) is type(asked[0]["pcie-nic"])
