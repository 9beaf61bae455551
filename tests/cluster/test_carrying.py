"""A guest that unmodified Ganeti started meets the plugin while it runs."""

import json

import pytest

import cluster
import documents

#: A name that no test gives.
RENAMED = "renamed.gnt.test"


def command(vm, *args, check=True):
  return cluster.project_command(vm.node(), list(args) + [vm.name], check)


def agree(vm, disks, nics, since=None):
  """Check that map, QEMU and guest have disks and NICs just there.

  @param since: an earlier report; the guest has not been reset after it

  """
  found = cluster.pci_map(vm, live=True)[0]["devices"]
  for device_class, expected in (("disk", disks), ("nic", nics)):
    entries = [d for d in found if d["class"] == device_class]
    assert sorted(d["slot"] for d in entries) == expected
    assert all(d["source"] == "both" for d in entries)
  seen = vm.guest(until=lambda r: sorted(r.disks.values()) == disks and sorted(
    slot for slot, _ in r.nics.values()) == nics)
  if since:
    assert seen.uptime > since.uptime
  return seen


def test_a_guest_of_unmodified_ganeti_keeps_its_slots_until_a_boot(vm, plugin):
  plugin("disable")
  vm.add(disks=2, nics=2)
  before = agree(vm, [12, 13], [14, 15])
  plugin("enable")
  plan = json.loads(command(vm, "plan", "--json").output)["instances"][0]
  assert [(m["class"], m["index"], m["old"], m["new"])
          for m in plan["moves"]] == [("nic", 0, 14, 24), ("nic", 1, 15, 25)]
  documents.check("doc/operation.rst", "ganeti-kvm-pci plan vm1",
                  command(vm, "plan").output)
  assert "nothing to do" in command(vm, "upgrade").output
  documents.check("doc/operation.rst", "ganeti-kvm-pci devices vm1",
                  command(vm, "devices").output)
  documents.check("doc/operation.rst", "ganeti-kvm-pci check --nagios vm1",
                  command(vm, "check", "--nagios").output)
  documents.check(
    "doc/operation.rst",
    "ganeti-kvm-pci plan --disk add --disk 1:remove --net add vm1",
    command(vm, "plan", "--disk", "add", "--disk", "1:remove", "--net",
            "add").output)
  # stays where it is; what is new goes into the pools
  assert "hotplug:done" in vm.modify("--net", "add").output
  assert "hotplug:done" in vm.modify("--disk", "add:size=1G").output
  before = agree(vm, [12, 13, 16], [14, 15, 24], before)
  checked = command(vm, "check", "--live").output
  assert "slot 14, nic 0" in checked and "not in the NICs' pool" in checked
  assert "warning" not in checked
  vm.migrate()
  assert vm.node() == "node2"
  before = agree(vm, [12, 13, 16], [14, 15, 24], before)
  plugin("disable", "node1")
  vm.migrate()
  assert vm.node() == "node1"
  before = agree(vm, [12, 13, 16], [14, 15, 24], before)
  plugin("enable", "node1")
  vm.reboot("soft")
  after = agree(vm, [12, 13, 14], [24, 25, 26])
  assert after.uptime < before.uptime
  # unmodified Ganeti's ids, so that they can be removed again
  assert "hotplug:done" in vm.modify("--disk", "1:remove").output
  agree(vm, [12, 14], [24, 25, 26], after)
  vm.stop()
  vm.start()
  agree(vm, [12, 13], [24, 25, 26])


@pytest.mark.two_nodes
def test_an_old_runtime_file_is_upgraded_while_its_guest_runs(vm, plugin):
  """As Ganeti 2.12 to 2.15 write it, but for the ids."""
  plugin("enable")
  vm.add(disks=1, nics=1, hvparams={"kvm_pci_reservations": 8})
  before = agree(vm, [8], [24])
  data = vm.runtime()
  for name in ("disk_aio", "disk_discard", "virtio_net_queues"):
    del data[2][name]
  vm.write_runtime(json.dumps(data))
  told = command(vm, "upgrade", "--dry-run").output
  assert "parameter disk_aio=threads" in told and "would be" in told
  assert vm.runtime() == data
  told = command(vm, "upgrade").output
  assert vm.runtime()[2]["disk_aio"] == "threads"
  assert vm.runtime()[:2] == data[:2]
  assert cluster.on("node1", "stat", "-c", "%a", vm.runtime_path()
                    ).output == "600\n"
  backup = "%s/kvm-pci/%s.runtime.backup" % (cluster.KVM_DIR, vm.name)
  assert backup[len("/run"):] in told
  assert cluster.on("node1", "cat", backup).output == json.dumps(data)
  assert "nothing to do" in command(vm, "upgrade").output
  leave_behind(vm)
  assert "hotplug:done" in vm.modify("--disk", "add:size=1G").output
  agree(vm, [8, 9], [24], before)
  # its backup is the way back for as long as it runs here
  assert beside(vm.name)["node1"] == [vm.name + ".runtime.backup"]
  leave_behind(vm)
  vm.migrate()
  assert beside(vm.name) == NOTHING
  leave_behind(vm)
  vm.stop()
  assert beside(vm.name) == NOTHING
  # it was stopped while the plugin was off
  leave_behind(vm)
  old = vm.name
  vm.rename(RENAMED)
  told = cluster.project_command("node2", ["check"]).output
  assert told.count("%s: info: " % old) == len(LEFT_BEHIND)
  cluster.project_command("node2", ["check", "--repair"])
  assert beside(old) == beside(vm.name) == NOTHING


#: What processes leave that are killed, by folder: the plugin's own forms, and
#: Ganeti's.
LEFT_BEHIND = ["conf/.%s.runtime.abc12_xy.kvm-pci",
               "kvm-pci/.%s.runtime.backup.abc12_xy.kvm-pci",
               "kvm-pci/%s.runtime.arrivingabc12_xy.new",
               "kvm-pci/%s.runtime.lock"]


def leave_behind(vm):
  """Leave what processes would that are killed, on the instance's node."""
  cluster.on(vm.node(), "touch", *["%s/%s" % (cluster.KVM_DIR, form % vm.name)
                                   for form in LEFT_BEHIND])


NOTHING = {"node1": [], "node2": []}


def beside(name):
  """List what each node has of an instance beside its runtime file."""
  folders = ["%s/%s" % (cluster.KVM_DIR, part) for part in ("conf", "kvm-pci")]
  found = {node: cluster.on(node, "ls", "-A", *folders, check=False)
           for node in NOTHING}
  return {node: [entry for entry in result.output.split() if name in entry and
                 entry != name + ".runtime"]
          for node, result in found.items()}


def test_check_repair_removes_a_stale_entry(vm, plugin):
  """A removal that completed late: only the runtime file has the device."""
  plugin("enable")
  vm.add(disks=2, nics=1, hvparams={"kvm_pci_reservations": 8})
  before = agree(vm, [8, 9], [24])
  vm.qmp("device_del", id=vm.runtime()[3][1][0]["hvinfo"]["id"])
  vm.guest(until=lambda r: len(r.disks) == 1)
  result = command(vm, "check", "--live", check=False)
  assert result.returncode == 1
  assert "slot 9, disk 1" in result.output
  assert "QEMU does not have it" in result.output
  result = command(vm, "check", "--repair")
  assert "removed from the runtime file" in result.output
  vm.migrate()
  agree(vm, [8], [24], before)
