"""Guests whose slots stay, by tags."""

import json
import logging
import os

import pytest

from ganeti import objects

from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import placement
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import upgrade

import harness
from test_old_runtime_files import VERSION
from test_old_runtime_files import older_names
from test_old_runtime_files import text_of
from test_plugin import start

#: What Ganeti 2.10.0 and later write, with slots of Ganeti's own choice.
NAMES = [name for name in older_names() if not name.startswith("v2.9")]


def runtime_of(name):
  loaded = serialized.parse(text_of(name), name)
  upgrade.normalise(loaded, VERSION)
  return loaded


def slots_of(loaded):
  return [(d.device_class, d.index, d.slot)
          for d in device_table.DeviceTable(loaded).devices
          if d.index is not None]


def boot(world, loaded, tags, **parameters):
  """Boot the instance of a runtime file, which Ganeti no longer has.

  @return: hypervisor and instance

  """
  world.running = False
  world.boots = True
  for key in ("disk_type", "nic_type", "soundhw", "spice_bind", "kvm_extra"):
    if key in loaded.hvparams:
      parameters.setdefault(key, loaded.hvparams[key])
  instance = harness.instance_of(0, **parameters)
  instance.tags = set(tags)
  instance.nics = [
    objects.NIC(uuid=nic["uuid"], mac=nic["mac"],
                nicparams={"mode": "bridged", "link": "br0"})
    for nic in loaded.nics]
  disks = [(objects.Disk(uuid=disk[0]["uuid"], mode="rw", dev_type="file",
                         params={}), os.devnull, None)
           for disk in loaded.disks]
  hyper = world.hypervisor()
  hyper.StartInstance(instance, disks, False)
  return hyper, instance


def after(hyper, instance):
  return serialized.parse(hyper._ReadKVMRuntime(instance.name), "after")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reservations", [8, 12])
def test_a_cold_boot_moves_nothing_that_is_frozen(world, caplog, name,
                                                  reservations):
  before = runtime_of(name)
  tags = placement.tags(before)
  hyper, instance = boot(world, before, list(tags.values()) + ["web"],
                         kvm_pci_reservations=reservations)
  found = after(hyper, instance)
  assert slots_of(found) == slots_of(before)
  assert placement.tags(found) == tags
  assert "of its tag" not in caplog.text
  # QEMU is given them, and nothing twice
  given = [o.address[0] for o in command.devices(world.commands()[-1])
           if o.address]
  assert len(given) == len(set(given))
  assert set(given) >= set(slot for _, _, slot in slots_of(before)
                           if slot is not None)


@pytest.mark.parametrize("name", [
  name for name in NAMES if not name.endswith("scsi") and "scsihd" not in name])
def test_without_tags_all_come_to_the_pools(world, name):
  before = runtime_of(name)
  hyper, instance = boot(world, before, [])
  found = slots_of(after(hyper, instance))
  first = {DISK: 12 if VERSION >= (2, 16) else 8, "nic": 24}
  assert found == [(device_class, index, first[device_class] + index)
                   for device_class, index, _ in found]
  assert found != slots_of(before)


def tagged(world, tags, disks=2, nics=2, **hvparams):
  """Boot an instance of the harness's with tags."""
  world.running = False
  world.boots = True
  instance = harness.instance_of(nics, **hvparams)
  instance.tags = set(tags)
  hyper = world.hypervisor()
  hyper.StartInstance(instance, harness.block_devices(disks), False)
  return hyper, instance


OLD = ["kvm-pci:disk:000000d0:4", "kvm-pci:disk:000000d1:5",
       "kvm-pci:nic:000000a0:6", "kvm-pci:nic:000000a1:7"]


def test_a_tag_that_cannot_be_honoured_stops_no_guest(world, caplog):
  caplog.set_level(logging.WARNING)
  hyper, instance = tagged(world, [
    "kvm-pci:disk:000000d0:32", "kvm-pci:disk:000000d1:rp11",
    "kvm-pci:nic:000000a0:1", "kvm-pci:nic:000000a1:9", "kvm-pci:nic:x:9"],
                           kvm_pci_reservations=8,
                           kvm_extra="-device AC97,addr=0x9")
  assert world.slots(hyper, instance) == ([8, 10], [24, 25])
  for words in (
      "Instance vm1.example.com: disk 0 (000000d0) does not get slot 32 of its"
      " tag kvm-pci:disk:000000d0:32: the guest has no such slot",
      "disk 1 (000000d1) does not get port rp11",
      "NIC 0 (000000a0) does not get slot 1",
      "NIC 1 (000000a1) does not get slot 9 of its tag kvm-pci:nic:000000a1:9:"
      " it is taken by AC97 by kvm_extra; run ganeti-kvm-pci freeze"
      " vm1.example.com", "the tag kvm-pci:nic:x:9 means nothing"):
    assert words in caplog.text


def test_hotplug_goes_on_beside_frozen_devices(world):
  hyper, instance = tagged(world, OLD + ["kvm-pci:nic:000000a5:3",
                                         "kvm-pci:disk:000000d6:8"],
                           kvm_pci_reservations=8)
  assert world.slots(hyper, instance) == ([4, 5], [6, 7])
  # its own slot by its tag, though not in the pool
  del world.bus[3]
  hyper.HotAddDevice(instance, harness.NIC, harness.nic(5), None, 2)
  # and no other's
  hyper.HotAddDevice(instance, harness.DISK, harness.disk(5), harness.EXTRA, 2)
  assert world.slots(hyper, instance) == ([4, 5, 9], [6, 7, 3])


def test_a_soft_reboot_honours_them(world):
  hyper, instance = start(world)
  instance.tags = set(OLD)
  slots = world.slots(hyper, instance)
  assert slots != ([4, 5], [6, 7])
  world.running = True
  hyper.RebootInstance(instance)
  assert world.slots(hyper, instance) == ([4, 5], [6, 7])


@pytest.mark.skipif(harness.SLOT_IN_PCI, reason="2.16 and later")
def test_scsi_ids_stay(world):
  hyper, instance = tagged(world, ["kvm-pci:disk:000000d1:scsi0"],
                           disk_type="scsi-hd",
                           scsi_controller_type="virtio-scsi-pci")
  found = json.loads(hyper._ReadKVMRuntime(instance.name))[3]
  assert [disk[0]["hvinfo"]["scsi-id"] for disk in found] == [1, 0]


def test_a_hot_add_that_gets_another_slot_than_its_tags_says_so(world, caplog):
  """What QEMU has there may be no tag's concern: somebody added it by hand."""
  caplog.set_level(logging.WARNING)
  hyper, instance = tagged(world, OLD + ["kvm-pci:nic:000000a5:4",
                                         "kvm-pci:nic:x"],
                           kvm_pci_reservations=8)
  caplog.clear()
  hyper.HotAddDevice(instance, harness.NIC, harness.nic(5), None, 2)
  assert world.slots(hyper, instance) == ([4, 5], [6, 7, 24])
  assert ("Instance vm1.example.com: NIC 2 (000000a5) does not get slot 4 of its"
          " tag kvm-pci:nic:000000a5:4: it is taken by " in caplog.text)
  # for the next boot to say
  assert "means nothing" not in caplog.text
