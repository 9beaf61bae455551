"""A runtime file that somebody has damaged, and all that is done to its guest.

What needs the file is refused with the remedy, and the guest goes on; what does
not need it works; and the remedy is one.

"""

import json

import pytest

import cluster

from slots import address
from slots import at
from test_partition import hotplugged
from test_partition import slots_of

pytestmark = [pytest.mark.two_nodes, pytest.mark.usefixtures("plugged")]

REMEDY = "cold boot (shutdown and start)"


def changed(text, change):
  data = json.loads(text)
  change(data)
  return json.dumps(data)


def beyond(data):
  data[1][0]["hvinfo"]["addr"] = "0x20"


def twice(data):
  data[1][0]["hvinfo"].update(address(8))


TWICE = "two on one slot"

DAMAGES = {
  "empty": lambda _: "",
  "truncated": lambda text: text[:len(text) // 2],
  "no JSON": lambda text: "This is a runtime file.\n",
  "another JSON": lambda text: '{"a": 1}',
  "slot 32": lambda text: changed(text, beyond),
  TWICE: lambda text: changed(text, twice),
  }


def pid_of(vm):
  pid = vm.pid()
  assert pid
  return pid


def damage(vm, how):
  """Damage the file, and return how it is then."""
  text = DAMAGES[how](vm.runtime_text())
  vm.write_runtime(text)
  assert vm.runtime_text() == text
  return text


def is_whole(vm, lacking=0):
  """Check that the file is right, and that QEMU says so.

  @param lacking: how many of the last NICs await a cold boot

  """
  config = vm.config()
  disks, nics = len(config["disks"]), len(config["nics"]) - lacking
  assert (slots_of(vm, "disk"), slots_of(vm, "nic")) == (
    at(*range(8, 8 + disks)), at(*range(24, 24 + nics)))
  found = cluster.project_command(vm.node(), ["check", "--live", vm.name])
  assert found.returncode == 0


def works(vm):
  """Check what needs no file."""
  for line in [("info", ), ("console", "--show"),
               ("list", "-o", "name,status")]:
    said = cluster.gnt("instance", *line, vm.name).output
    print(said)
    assert vm.name in said
    assert line[0] != "list" or "running" in said


def are_refused(vm, text, *results):
  """Check what was refused, and that it has changed nothing."""
  for result in results:
    print(result.returncode, result.output)
    assert result.returncode != 0 or "hotplug:failed" in result.output
    assert REMEDY in result.output
    assert "Traceback" not in result.output
  assert vm.runtime_text() == text


def test_a_cold_boot_mends_a_damaged_file(vm):
  vm.add(disks=2, nics=1, hvparams={"kvm_pci_reservations": 8})
  is_whole(vm)
  for how in DAMAGES:
    print(how)
    text, pid = damage(vm, how), pid_of(vm)
    works(vm)
    are_refused(
      vm, text, vm.migrate(check=False),
      vm.modify("--net", "add", check=False),
      cluster.project_command(vm.node(), ["check", "--live", vm.name],
                              check=False))
    rebooted = vm.reboot("soft", check=False)
    if how == TWICE:
      # it assigns all slots anew
      assert rebooted.returncode == 0, rebooted.output
      is_whole(vm, 1)
      damage(vm, how)
    else:
      are_refused(vm, text, rebooted)
      assert pid_of(vm) == pid
    vm.stop()
    assert cluster.on(vm.node(), "test", "-e", vm.runtime_path(),
                      check=False).returncode == 1
    vm.start()
    is_whole(vm)
    assert pid_of(vm) != pid
  # what it added meanwhile, and could not hotplug
  assert len(vm.config()["nics"]) == 1 + len(DAMAGES)


def test_other_boots_mend_it_as_well(vm):
  vm.add(disks=2, nics=2, hvparams={"kvm_pci_reservations": 8})
  text, pid = damage(vm, "truncated"), pid_of(vm)
  are_refused(vm, text, vm.modify("--disk", "add:size=1G", check=False),
              vm.modify("--net", "0:remove", check=False))
  assert pid_of(vm) == pid

  def killed():
    cluster.on(vm.node(), "kill", "-9", str(pid_of(vm)))
    cluster.wait_until(lambda: not vm.running(), "the end of QEMU")
    vm.start()

  def moved():
    print(vm.failover().output)
    assert vm.node() == "node2"

  for boot in (vm.reboot, lambda: vm.reboot("full"), killed, moved):
    damage(vm, "truncated")
    boot()
    is_whole(vm)
  hotplugged(vm.modify("--disk", "add:size=1G"))
  vm.migrate()
  is_whole(vm)
