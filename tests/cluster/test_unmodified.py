"""Scenarios on Ganeti as it is: they prove the lab, and the fault."""

import pytest

pytestmark = pytest.mark.usefixtures("unmodified")

DISK = "1af4:1001"
NIC = "1af4:1000"


def _layout(report):
  return (report.pci, report.disks, report.nics)


@pytest.mark.two_nodes
def test_guest_keeps_devices_and_data_when_migrated(vm):
  vm.add(disks=2, nics=2)
  report = vm.guest()
  assert report.disks == {"vda": 12, "vdb": 13}
  assert {name: slot for (name, (slot, _)) in report.nics.items()} == {
    "eth0": 14, "eth1": 15}

  vm.modify("--disk", "add:size=1G")
  vm.modify("--net", "add")
  report = vm.guest(until=lambda r: "vdc" in r.disks and "eth2" in r.nics)
  assert report.disks["vdc"] == 16
  assert report.nics["eth2"] == (17, vm.config()["nics"][2]["mac"])
  assert [report.pci[slot] for slot in range(12, 18)] == [
    DISK, DISK, NIC, NIC, DISK, NIC]

  report = vm.guest("echo kept | dd of=/dev/vdc conv=fsync")
  assert report.status == 0, report.output
  runtime = vm.runtime()
  for target in ("node2", "node1"):
    vm.migrate()
    assert vm.node() == target
    arrived = vm.guest("blockdev --flushbufs /dev/vdc &&"
                       " dd if=/dev/vdc bs=5 count=1 2> /dev/null")
    assert arrived.output == "kept\n"
    assert arrived.uptime > report.uptime
    assert _layout(arrived) == _layout(report)
    assert vm.runtime() == runtime
    report = arrived


def test_ninth_extra_device_keeps_instance_from_starting(vm):
  # QEMU's own devices end at slot 3: host bridge, PIIX3, VGA, balloon. What
  # kvm_extra adds follows, until it meets the first of Ganeti's at slot 12.
  def _extra(count):
    return " ".join(["-device virtio-rng-pci"] * count)

  vm.add(disks=1, nics=1, hvparams={"kvm_extra": _extra(8)})
  assert vm.running()
  vm.stop()
  vm.set_hvparams(kvm_extra=_extra(9))
  result = vm.start(check=False)
  assert result.returncode != 0
  assert "slot 12 function 0 not available" in vm.log()
  assert not vm.running()
