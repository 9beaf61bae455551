"""Jobs of Ganeti's that leave a guest as its configuration does not have it.

Both faults are unmodified Ganeti's, outside of its hypervisors, so the plugin
does not mend them. What a guest comes to by them it does see to.

"""

import pytest

import cluster

from guests import mark
from guests import marks

pytestmark = pytest.mark.two_nodes

LINKS = "/var/run/ganeti/instance-disks"


@pytest.fixture(scope="module", params=[False, True],
                ids=["unmodified", "plugin"])
def plugged(request, plugin_state):
  """All nodes run Ganeti as it is, or with the plugin."""
  plugin_state.switch(request.param)
  return request.param


def links(vm):
  """Read where the links to both disks lead on the instance's node.

  One of another instance that had the name may be there as well.

  """
  return cluster.on(vm.node(), "readlink", *[
    "%s/%s:%d" % (LINKS, vm.name, index) for index in (0, 1)]).output.split()


def grown(vm):
  """Have the second of two disks grown, and return the links before that."""
  before = links(vm)
  assert len(set(before)) == 2
  print(cluster.gnt("instance", "grow-disk", vm.name, "1", "128M").output)
  # cmdlib/instance_storage.py: LUInstanceGrowDisk has the disk assembled alone,
  # and AssembleInstanceDisks counts those that it is given
  assert links(vm) == [before[1]] * 2
  return before


def data(vm):
  """Read what each disk begins with, in the guest."""
  found = marks(vm)
  assert len(set(found.values())) == len(found) > 1
  return found


def test_grow_disk_has_the_first_link_lead_to_another_disk(plugged, vm):
  vm.add(disks=2, nics=1)
  vm.guest(timeout=600)
  mark(vm)
  whose = data(vm)
  before = grown(vm)
  # QEMU goes on with what it has open
  assert data(vm) == whose
  # both of these make all links anew
  vm.migrate("node2")
  assert links(vm) == before and data(vm) == whose
  grown(vm)
  cluster.gnt("instance", "activate-disks", vm.name)
  assert links(vm) == before
  grown(vm)
  rebooted = vm.reboot("soft", check=False)
  print(rebooted.output)
  if plugged:
    assert rebooted.returncode == 0
  else:
    assert rebooted.returncode != 0 and not vm.running()
    assert 'Failed to get "write" lock' in vm.log()
    vm.start()
  assert links(vm) == before and data(vm) == whose


def nics(vm):
  """Count the NICs: in the configuration, QEMU and the runtime file."""
  return (len(vm.config()["nics"]),
          len([device for device in vm.pci() if
               (device["qdev_id"] or "").startswith("nic-")]),
          len(vm.runtime()[1]))


def is_refused(vm, what, *changes):
  """Have a job hotplug a NIC, and be refused by Ganeti's policy.

  @param what: what the policy says of it

  """
  result = vm.modify("--net", *changes, check=False)
  print(result.output)
  assert result.returncode != 0
  assert "Hotplug done" in result.output
  assert "Instance allocation to group" in result.output
  assert what in result.output


def told(vm, *words):
  """Look for one line of C{check --live} with some words."""
  (line, ) = [
    line for line in cluster.project_command(
      vm.node(), ["check", "--live", vm.name]).output.splitlines()
    if "Ganeti's configuration" in line]
  print(line)
  assert all(word in line for word in words)


def is_well(vm):
  assert "configuration" not in cluster.project_command(
    vm.node(), ["check", "--live", vm.name]).output


def test_a_job_that_is_refused_has_removed_the_last_nic(plugged, vm):
  vm.add(disks=1, nics=1)
  vm.guest(timeout=600)
  uuid = vm.config()["nics"][0]["uuid"]
  # cmdlib/instance_set_params.py: CheckPrereq changes NICs, and then asks
  # whether that is allowed
  is_refused(vm, "nic-count value 0", "0:remove")
  assert nics(vm) == (1, 0, 0)
  if not plugged:
    # it has to boot
    assert "hotplug:failed" in vm.modify("--net", "0:modify,link=br0").output
    assert nics(vm) == (1, 0, 0)
    vm.reboot()
    assert nics(vm) == (1, 1, 1)
    return
  told(vm, "nic 0 (%s)" % uuid, "a job that Ganeti refused had removed it",
       "modify the NIC again", "or reboot the instance")
  assert "hotplug:done" in vm.modify("--net", "0:modify,link=br0").output
  assert nics(vm) == (1, 1, 1)
  is_well(vm)
  is_refused(vm, "nic-count value 0", "0:remove")
  vm.reboot()
  assert nics(vm) == (1, 1, 1)
  is_well(vm)


def test_a_job_that_is_refused_has_added_a_nic(plugged, vm):
  vm.add(disks=1, nics=1)
  # more than Ganeti's policy allows
  refused = ("cpu-count value 9", "add", "-B", "vcpus=9")
  is_refused(vm, *refused)
  assert nics(vm) == (1, 2, 2)
  if plugged:
    told(vm, "nic 1 (nic-", "a job that Ganeti refused had added it",
         "reboot the instance")
    vm.reboot("soft")
    assert nics(vm) == (1, 1, 1)
    is_well(vm)
    is_refused(vm, *refused)
  # it goes along
  vm.migrate("node2")
  assert nics(vm) == (1, 2, 2)
  vm.reboot()
  assert nics(vm) == (1, 1, 1)
