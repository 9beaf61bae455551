"""Guests of the machine type q35, disks and NICs behind root ports.

What is told as slots are numbers of root ports.

"""

import pytest

import cluster
import documents

from guests import Guest
from test_partition import agree
from test_partition import hotplugged
from test_pending import entry_of
from test_pending import limited # noqa: F401 (a fixture)
from test_pending import watch

Q35 = {"machine_version": "q35"}

pytestmark = pytest.mark.two_nodes


def plan(vm, *args):
  return cluster.project_command(vm.node(), ["plan"] + list(args) + [vm.name])


def is_clean(vm):
  """Check what check and map have to say."""
  for args in (["check", "--live"], ["map", "--live"]):
    result = cluster.project_command(vm.node(), args + [vm.name], check=False)
    assert result.returncode == 0, result.output


def changes_type(vm, name):
  """Give an instance another machine type, as the documents say.

  @return: what C{plan} said before

  """
  said = plan(vm, "--machine", name).output
  vm.set_hvparams(machine_version=name)
  vm.stop()
  vm.start()
  return said


#: Of two disks and two NICs, as plan calls them.
SLOTS = ["slot 8", "slot 9", "slot 24", "slot 25"]
PORTS = ["port rp11", "port rp12", "port rp3", "port rp4"]


def moves(said, ids, before, after):
  """Have it said where each device goes."""
  for move in zip(ids, before, after):
    assert "(%s): %s -> %s" % move in said, said


def test_an_instance_becomes_q35_and_pc_again(vm, plugged):
  vm.add(disks=2, nics=2, hvparams={"kvm_pci_reservations": 8,
                                    "machine_version": "pc"})
  agree(vm, [8, 9], [24, 25])
  (ids, ) = [[device["qdev_id"] for device in vm.pci()
              if device["qdev_id"].startswith(("disk-", "nic-"))]]
  moves(changes_type(vm, "q35"), ids, SLOTS, PORTS)
  agree(vm, [11, 12], [3, 4])
  is_clean(vm)
  drawn = cluster.project_command(vm.node(), ["map", "--live", vm.name]).output
  documents.check("doc/operation.rst", "ganeti-kvm-pci map --live vm2", drawn)
  assert "nothing moves" in plan(vm).output
  moves(changes_type(vm, "pc"), ids, PORTS, SLOTS)
  agree(vm, [8, 9], [24, 25])
  is_clean(vm)


def test_an_unplug_that_the_guest_answers_late_is_settled(vm, plugged, limited):
  vm.add("--node=node2.gnt.test", disks=1, nics=2, hvparams=Q35)
  agree(vm, [11], [3, 4])
  device_id = vm.runtime()[1][1]["hvinfo"]["id"]
  vm.qmp("stop")
  output = vm.modify("--net", "1:remove").output
  assert "timed out after 1 s" in output and device_id in output
  assert entry_of(vm, device_id)["requested"]
  vm.qmp("cont")
  vm.until_ejected(device_id)
  assert "%s: repaired: nic 1 (%s)" % (vm.name, device_id) in watch("node2")
  assert entry_of(vm, device_id) is None
  agree(vm, [11], [3])
  # its port is free again
  hotplugged(vm.modify("--net", "add"))
  agree(vm, [11], [3, 4])


def test_a_guest_with_a_bus_pci_0_is_left_to_unmodified_ganeti(vm, plugged):
  """It names a bridge of kvm_extra's for all of the guest's devices."""
  vm.add(disks=1, nics=1, hvparams=dict(
    Q35, kvm_extra="-device pci-bridge,id=pci.0,bus=pcie.0,chassis_nr=1"))
  disk, nic = vm.runtime()[3][0][0], vm.runtime()[1][0]
  assert (disk["hvinfo"]["addr"], nic["hvinfo"]["addr"]) == ("0xc", "0xd")
  assert vm.running()


def test_a_root_port_that_kvm_extra_takes_is_left_to_it(vm, plugged):
  vm.add(disks=2, nics=1, hvparams=dict(
    Q35, kvm_extra="-device virtio-rng-pci,id=more,bus=rp12"))
  assert {device["qdev_id"][:5]: device["slot"] for device in vm.pci()
          if device["slot"] != 3} == {"disk-": 13, "more": 12}
  vm.migrate()
  hotplugged(vm.modify("--disk", "1:remove"))
  vm.set_hvparams(kvm_extra="")
  hotplugged(vm.modify("--disk", "add:size=1G"))
  agree_but = vm.guest(until=lambda r: sorted(r.disks.values()) == [11, 13])
  assert sorted(agree_but.disks.values()) == [11, 13]
  vm.stop()
  vm.start()
  agree(vm, [11, 12], [3])


def test_a_guest_stays_up_while_its_nodes_are_without_the_plugin(vm, plugin):
  plugin("enable")
  guest = Guest(vm, disks=2, nics=2, hvparams=Q35)
  guest.hotplugs()
  assert guest.slots() == ([11, 12, 13], [3, 4, 5])
  plugin("disable")
  guest.is_up()
  plugin("enable")
  guest.is_up()
  is_clean(vm)
  guest.hotplugs(False)
  guest.hotplugs()
  assert guest.slots() == ([11, 12, 13], [3, 4, 5])
  guest.moves("node2")
  guest.moves("node1")
