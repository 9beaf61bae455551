"""A node reboots in the midst of an operation: its /run is empty afterwards.

What is below /run is about QEMUs that run, and none does any more. The guest is
started again, and everybody agrees on its devices.

"""

import os
import random
import sys

import pytest

import cluster

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../soak"))

import agreement # noqa: E402
from disturbances import POWER_CUT # noqa: E402
from kept_guest import KeptGuest # noqa: E402
from operations import Operations # noqa: E402

pytestmark = [pytest.mark.two_nodes, pytest.mark.usefixtures("plugged")]

NODE = "node2"


class Kept(KeptGuest):
  """One that the test's fixture removes; on the node that is not the master."""

  def __init__(self, vm):
    super().__init__(vm.name, disks=2, nics=2)
    self.steps = 0
    self.operations = Operations(random.Random(1), [self])
    self.vm.migrate(NODE)

  def holds(self):
    self.steps += 1
    agreement.all_holds([self], [self], self.steps)


@pytest.fixture
def kept(vm):
  guest = Kept(vm)
  guest.holds()
  return guest


def starts_again(guest):
  """Start it, as the watcher or an administrator does, and go on with it."""
  print(guest.vm.start().output)
  guest.boots()
  guest.holds()
  for operation in ("add_disk", "add_nic", "remove_nic", "migrate",
                    "reboot_soft"):
    assert getattr(guest.operations, operation)(guest)
    guest.holds()


@pytest.mark.parametrize("change", [
  ("--disk", "add:size=1G"), ("--net", "add"), ("--net", "1:remove")],
                         ids=["disk added", "NIC added", "NIC removed"])
def test_during_a_hotplug(kept, change):
  command = cluster.begin_gnt("instance", "modify", "--force", "--hotplug",
                              *change, kept.name)
  # the plugin holds it while it changes the guest
  lock = "%s/kvm-pci/%s.runtime.lock" % (cluster.KVM_DIR, kept.name)
  cluster.on(NODE, "sh", "-c", "until [ -e %s ]; do sleep 0.01; done; %s" %
             (lock, POWER_CUT), timeout=300)
  kept.operations.reboot_node(NODE)
  said = command.communicate(timeout=300)[0]
  print(said)
  assert "hotplug:failed" in said
  starts_again(kept)


def test_with_a_removal_requested(kept):
  kept.vm.qmp("stop")
  with cluster.hotplug_limit(1, NODE):
    said = kept.vm.modify("--net", "1:remove").output
  assert "timed out after" in said, said
  kept.operations.reboot_node(NODE)
  starts_again(kept)


def reboots_on_the_way(kept):
  """Have the node reboot while the guest is copied: the job fails."""
  command, there = kept.operations._begun(kept)
  print("at %s %%" % there)
  try:
    if there is not None:
      kept.operations.reboot_node(NODE)
  finally: # the cluster's bandwidth is as it was for others
    done = kept.operations._ended(command)
  print(kept.operations.said)
  assert there is not None and not done


def test_the_target_while_a_guest_is_on_its_way(kept):
  kept.vm.migrate("node1")
  kept.holds()
  reboots_on_the_way(kept)
  assert kept.vm.node() == "node1"
  # the guest has not noticed
  kept.holds()
  assert kept.operations.migrate(kept)
  kept.holds()


def test_the_source_while_a_guest_is_on_its_way(kept):
  reboots_on_the_way(kept)
  assert kept.vm.node() == NODE
  kept.operations._settle(kept)
  print(kept.operations.said)
  kept.boots()
  kept.holds()
  assert kept.operations.migrate(kept)
  kept.holds()
