"""A soft reboot places what a cold boot places, and loses nothing."""

import pytest

import cluster

from slots import IS_Q35
from slots import at
from test_partition import agree
from test_partition import hotplugged
from test_partition import settled
from test_partition import slots_of

pytestmark = pytest.mark.usefixtures("plugged")


def by_configuration(vm):
  """Tell the slots of disks and NICs, in the configuration's order, by QEMU.

  """
  live = {device["qdev_id"]: device["slot"] for device in vm.pci()}
  config = vm.config()
  return ([live.get("disk-" + uuid[:18]) for uuid in config["disks"]],
          [live.get("nic-" + nic["uuid"][:18]) for nic in config["nics"]])


def by_guest(vm, disks, nics):
  """Tell the slots by the guest.

  @return: sizes of its disks in sectors by their slots, MAC addresses of its
    NICs by theirs

  """
  # hotplug appends to the runtime file, so that its order is not the bus's
  assert (sorted(slots_of(vm, "disk")), sorted(slots_of(vm, "nic"))) == (
    disks, nics)
  vm.guest(until=lambda report: settled(report, disks, nics))
  seen = vm.guest("grep -H . /sys/block/vd*/size")
  sizes = seen.output.split()
  found = dict(line.replace("/sys/block/", "").split("/size:")
               for line in sizes)
  return ({slot: found[name] for name, slot in seen.disks.items()},
          {slot: mac for slot, mac in seen.nics.values()})


def planned(vm):
  return cluster.project_command(vm.node(), ["plan", vm.name]).output


def boots_alike(vm, disks, nics, expected):
  """Check that a soft reboot, and then a cold boot, lead to the same.

  @param expected: what the guest is to see, see L{by_guest}

  """
  for boot in (lambda: vm.reboot("soft"), lambda: (vm.stop(), vm.start())):
    boot()
    assert by_configuration(vm) == (disks, nics)
    assert by_guest(vm, disks, nics) == expected
    assert planned(vm).startswith("%s: nothing moves\n" % vm.name)


def test_what_hotplug_inserted_stays_where_it_is(vm):
  vm.add(disks=[{"size": "1G"}, {"size": "2G"}], nics=2,
         hvparams={"kvm_pci_reservations": 8})
  agree(vm, at(8, 9), at(24, 25))
  for change in (("--net", "0:remove"), ("--net", "0:add"),
                 ("--disk", "0:remove"), ("--disk", "0:add,size=3G")):
    hotplugged(vm.modify(*change))
  assert by_configuration(vm) == (at(8, 9), at(24, 25))
  before = by_guest(vm, at(8, 9), at(24, 25))
  assert before[0] == dict(zip(at(8, 9), (str(3 << 21), str(2 << 21))))
  assert planned(vm).startswith("%s: nothing moves\n" % vm.name), planned(vm)
  boots_alike(vm, at(8, 9), at(24, 25), before)


def test_what_hotplug_appended_moves_down_with_its_data(vm):
  vm.add(disks=[{"size": "1G"}, {"size": "2G"}], nics=2,
         hvparams={"kvm_pci_reservations": 8})
  agree(vm, at(8, 9), at(24, 25))
  for change in (("--net", "0:remove"), ("--net", "add"),
                 ("--disk", "0:remove"), ("--disk", "add:size=3G")):
    hotplugged(vm.modify(*change))
  assert by_configuration(vm) == (at(9, 10), at(25, 26))
  sizes, macs = by_guest(vm, at(9, 10), at(25, 26))
  assert sizes == dict(zip(at(9, 10), (str(2 << 21), str(3 << 21))))
  boots_alike(vm, at(8, 9), at(24, 25),
              ({now: sizes[then] for now, then in zip(at(8, 9), at(9, 10))},
               {now: macs[then] for now, then in zip(at(24, 25), at(25, 26))}))


def test_a_device_added_without_hotplug_has_its_slot_kept_free(vm):
  vm.add(disks=1, nics=1, hvparams={"kvm_pci_reservations": 8})
  agree(vm, at(8), at(24))
  vm.modify("--net", "0:add", hot=False)
  vm.reboot("soft")
  assert by_configuration(vm) == (at(8), [None] + at(25))
  agree(vm, at(8), at(25))
  vm.stop()
  vm.start()
  assert by_configuration(vm) == (at(8), at(24, 25))


def test_scsi_ids_are_placed_by_both_alike(vm):
  vm.add(disks=2, nics=1, hvparams={
    "kvm_pci_reservations": 8, "disk_type": "scsi-hd",
    "scsi_controller_type": "virtio-scsi-pci"})
  vm.guest(until=lambda report: len(report.disks) == 2)
  hotplugged(vm.modify("--disk", "0:remove"))
  device = "disk-" + vm.config()["disks"][0][:18]

  def number():
    return vm.qmp("qom-get", path="/machine/peripheral/" + device,
                  property="scsi-id")
  assert number() == 1
  assert "disk 0 (%s): scsi-id 1 -> scsi-id 0" % device in planned(vm)
  for boot in (lambda: vm.reboot("soft"), lambda: (vm.stop(), vm.start())):
    boot()
    assert number() == 0
    assert planned(vm).startswith("%s: nothing moves\n" % vm.name)
  vm.guest(until=lambda report: len(report.disks) == 1)


#: Linux numbers its slots by itself where ports have none, and tells of each
#: the address of what is in it. Three times eight ports are functions of slots.
EJECT_BEHIND = (
  "n=$((%d - 3)); b=$(cat /sys/bus/pci/devices/$(printf 0000:00:%%02x.%%x"
  " $((0x17 + n / 8)) $((n %% 8)))/secondary_bus_number);"
  " s=$(grep -l $(printf '^0000:%%02x:00' $b) /sys/bus/pci/slots/*/address);"
  " echo 0 > ${s%%/*}/power")


def eject(vm, *slots):
  """Have the guest switch slots off, and wait until QEMU says so."""
  vm.guest("; ".join((EJECT_BEHIND if IS_Q35 else
                      "echo 0 > /sys/bus/pci/slots/%d/power") % slot
                     for slot in slots))
  cluster.wait_until(
    lambda: not {device["slot"] for device in vm.pci()}.intersection(slots),
    "the guest ejects slots %s" % (slots, ))


def test_what_the_guest_ejected_is_back_after_a_soft_reboot(vm):
  vm.add(disks=2, nics=2, hvparams={"kvm_pci_reservations": 8})
  before = by_guest(vm, at(8, 9), at(24, 25))
  eject(vm, *at(9, 25))
  vm.reboot("soft")
  assert by_guest(vm, at(8, 9), at(24, 25)) == before


@pytest.mark.two_nodes
def test_hotplug_and_migration_do_not_lose_what_the_guest_ejected(vm):
  vm.add(disks=2, nics=2, hvparams={"kvm_pci_reservations": 8})
  before = by_guest(vm, at(8, 9), at(24, 25))
  eject(vm, *at(9, 25))
  hotplugged(vm.modify("--net", "add"))
  vm.migrate()
  seen = vm.guest(until=lambda report: settled(report, at(8), at(24, 26)))
  assert sorted(seen.disks.values()) == at(8)
  assert sorted(slot for slot, _ in seen.nics.values()) == at(24, 26)
  vm.migrate()
  vm.reboot("soft")
  sizes, macs = by_guest(vm, at(8, 9), at(24, 25, 26))
  assert sizes == before[0]
  assert {slot: macs[slot] for slot in before[1]} == before[1]
