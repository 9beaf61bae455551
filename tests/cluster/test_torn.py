"""What becomes of the same guests on unmodified Ganeti; see L{test_migration}.

C{make test-torn} runs these; each costs a guest.

"""

import os

import pytest

import cluster

from guests import marks
from test_migration import LARGE
from test_migration import SMALL
from test_migration import Moving
from test_migration import edited_for_good
from test_migration import exchange
from test_migration import exchange_data
from test_migration import exchange_nics
from test_migration import forget
from test_migration import move
from test_migration import shuffle
from test_migration import wrapped

pytestmark = [
  pytest.mark.two_nodes,
  pytest.mark.skipif(not os.environ.get("TORN"), reason="make test-torn"),
  ]


@pytest.fixture
def moving(vm, unmodified):
  vm.add(disks=[{"size": SMALL}, {"size": SMALL}, {"size": LARGE}], nics=2)
  return Moving(vm)


def answers(vm):
  """Tell whether the guest answers, wherever Ganeti has it."""
  try:
    vm.guest(timeout=20)
    return True
  except Exception: # whatever it is
    return False


def succeeds(vm):
  """Have Ganeti migrate, and find that it did."""
  result = vm.migrate(check=False)
  print(result.output)
  assert result.returncode == 0 and "done" in result.output
  assert vm.node() == "node2"


def by_hand(vm):
  vm.qmp("device_add", driver="virtio-rng-pci", id="hand")


@pytest.mark.parametrize("spoil", [
  by_hand, lambda vm: edited_for_good(vm, move),
  lambda vm: edited_for_good(vm, forget)], ids=["by hand", "moved", "missing"])
def test_the_guest_is_dead_and_the_job_has_succeeded(moving, spoil):
  vm = moving.vm
  spoil(vm)
  succeeds(vm)
  assert not answers(vm)


@pytest.mark.parametrize("change, wrong", [
  (exchange(0, 1), "ab"), (exchange_data, "ab")], ids=["slots", "links"])
def test_exchanged_disks_are_not_noticed(moving, change, wrong):
  vm = moving.vm
  edited_for_good(vm, change)
  succeeds(vm)
  # it goes on, and reads the other disk's data
  found = marks(vm, sorted(moving.expected))
  expected = dict(moving.expected)
  one, other = ["vd" + letter for letter in wrong]
  expected[one], expected[other] = expected[other], expected[one]
  assert found == expected


def test_exchanged_disks_of_different_size_are_not_noticed(moving):
  vm = moving.vm
  edited_for_good(vm, exchange(0, 2))
  succeeds(vm)
  found = marks(vm, ["vda", "vdc"])
  assert (found["vda"], found["vdc"]) == (moving.expected["vdc"],
                                          moving.expected["vda"])


def test_exchanged_nics_are_not_noticed(moving):
  vm = moving.vm
  before = vm.runtime()
  edited_for_good(vm, exchange_nics)
  succeeds(vm)
  assert vm.guest().nics == moving.before.nics
  # the guest's first NIC is now connected to what was the second's tap
  ids = [nic["hvinfo"]["id"] for nic in before[1]]
  live = dict((d["slot"], d["qdev_id"]) for d in vm.pci())
  slots = [int(nic["hvinfo"]["addr"], 16) for nic in before[1]]
  assert [live[slot] for slot in slots] == ids[::-1]


def test_a_stale_device_of_the_runtime_file_is_not_noticed(moving):
  vm = moving.vm
  lost = vm.runtime()[3][1][0]["hvinfo"]["id"]
  vm.qmp("device_del", id=lost)
  moving.changes(lambda r: len(r.disks) == 2)
  succeeds(vm)
  # QEMU has a device that the guest does not know
  assert lost in [device["qdev_id"] for device in vm.pci()]
  assert len(vm.guest().disks) == 2


def test_a_target_with_other_devices_is_not_noticed(moving):
  with wrapped("node2", "-device virtio-rng-pci,id=more,addr=0x1e"):
    succeeds(moving.vm)
  assert "more" in [device["qdev_id"] for device in moving.vm.pci()]
  assert 30 not in moving.vm.guest().pci


@pytest.mark.parametrize("on", [False, True], ids=["unmodified", "plugin"])
def test_a_disks_file_is_removed_while_the_guest_has_it(vm, plugin_state, on):
  """Ganeti does that after a hotplug that failed; no hypervisor is asked."""
  plugin_state.switch(on)
  vm.add(disks=2, nics=1)
  vm.guest()
  (_, (disk, link, _)) = vm.runtime()[3]
  path = cluster.on("node1", "readlink", "-e", link).output.strip()
  # a guest that does not answer
  vm.qmp("stop")
  result = vm.modify("--disk", "1:remove", check=False)
  print(result.output)
  assert result.returncode == 0 and "hotplug:failed" in result.output
  assert ("timed out after" in result.output) == on
  assert cluster.on("node1", "test", "-e", path, check=False).returncode == 1
  assert disk["hvinfo"]["id"] in [device["qdev_id"] for device in vm.pci()]
  # the runtime file still has it
  assert len(vm.runtime()[3]) == 2


def test_hotplug_alone_exchanges_disks(vm, unmodified):
  vm.add(disks=1, nics=1)
  guest = shuffle(vm)
  succeeds(vm)
  found = marks(vm, sorted(guest.expected))
  assert found != guest.expected
  assert sorted(found.values()) == sorted(guest.expected.values())


def test_without_its_first_disk_a_guest_cannot_move(moving):
  vm = moving.vm
  vm.modify("--disk", "0:remove")
  moving.changes(lambda r: len(r.disks) == 2)
  result = vm.migrate(check=False)
  print(result.output)
  assert result.returncode != 0
  # the target has no disk of the name in the runtime file
  assert "Failed to start instance" in result.output
  assert vm.node() == moving.home
  moving.is_alive()
