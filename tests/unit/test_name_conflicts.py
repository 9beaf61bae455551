"""What kvm_extra may not name, because Ganeti's devices have it."""

import pytest

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.bus.root_ports import RootPorts
from ganeti_kvm_pci.errors import NameTakenError
from ganeti_kvm_pci.qemu import config_file
from ganeti_kvm_pci.qemu import name_conflicts
from ganeti_kvm_pci.qemu import q35


def check(extra, part=None, configs=None):
  words = ["qemu", "-device", "virtio-balloon"] + extra.split()
  name_conflicts.check(part or RootPorts.of({}), q35.with_ports(words, configs),
                       extra, configs)


@pytest.mark.parametrize("extra, says", [
  ("-device virtio-rng-pci,id=rp3", "rp3: a device of kvm_extra has the id of"
   " one of Ganeti's root ports (rp3 to rp26); give it another id"),
  ("-device pcie-root-port,id=rp26,chassis=40", "rp26: "),
  ("-device pcie-root-port,id=rp5,bus=pcie.0,chassis=5,port=5", "rp5: "),
  ("-device pcie-root-port,id=x,chassis=3", "x: a device of kvm_extra has"
   " chassis=3, which is that of Ganeti's root port rp3; give it one from 27"),
  ("-device ioh3420,chassis=0x1a,slot=0", "ioh3420: a device of kvm_extra has"
   " chassis=26, which is that of Ganeti's root port rp26"),
  ("-device xio3130-downstream,id=d,chassis=012,slot=0x0", "chassis=10,"),
  ('-device {"driver":"pcie-root-port","chassis":4}', "pcie-root-port: ")])
def test_it_is_named_with_the_remedy(extra, says):
  with pytest.raises(NameTakenError) as caught:
    check(extra)
  assert says in str(caught.value)
  assert str(caught.value).endswith(" in kvm_extra")


@pytest.mark.parametrize("extra", [
  "", "-device virtio-rng-pci,id=rp2", "-device virtio-rng-pci,id=rp27",
  "-device pcie-root-port,chassis=27", "-device pcie-root-port,id=x",
  # QEMU compares both (tried with 7.2)
  "-device pcie-root-port,chassis=3,slot=1",
  # another key: that of a bridge
  "-device pci-bridge,chassis_nr=3", "-device e1000,chassis=x",
  '-device {"driver":"e1000","chassis":null}',
  # no NIC gets that number then
  "-device e1000,acpi-index=1",
  "-netdev user,id=rp3 -device virtio-rng-pci,bus=rp3"])
def test_what_qemu_takes_is_let_through(extra):
  check(extra)


def test_a_file_of_readconfig_is_read():
  text = '[device "mine"]\n  driver = "pcie-root-port"\n  chassis = "3"\n'
  with pytest.raises(NameTakenError) as caught:
    check("-readconfig /f", configs={"/f": config_file.parse(text)})
  assert str(caught.value).startswith("mine (-readconfig /f): a device of")


def test_ganetis_own_devices_are_no_conflict():
  words = q35.with_ports(["qemu"], None) + [
    "-device", "virtio-net-pci,bus=rp3,acpi-index=1"]
  name_conflicts.check(RootPorts.of({}), words, "", None)


def test_a_pc_guest_has_no_root_ports():
  check("-device pcie-root-port,id=rp3,chassis=3 -device e1000,acpi-index=1",
        Partition())
