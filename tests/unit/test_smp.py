"""How many vCPUs a command gives to its guest."""

import pytest

from ganeti_kvm_pci.qemu import smp


@pytest.mark.parametrize("words, expected", [
  (["-smp", "2"], 2), (["-smp", "cpus=3"], 3), (["--smp", "2,maxcpus=4"], 2),
  (["-smp", "4,cores=2,threads=1,sockets=2"], 4),
  (["-smp", "1", "-smp", "2,maxcpus=4"], 2),
  (["-smp", "2", "-smp", "maxcpus=4"], 2),
  (["-smp", "1,maxcpus=3", "-device", "qemu64-x86_64-cpu,core-id=1",
    "-device", "virtio-rng-pci"], 2)])
def test_they_are_counted(words, expected):
  assert smp.vcpus(["kvm"] + words) == expected


@pytest.mark.parametrize("words", [
  [], ["-smp", "cores=2"], ["-smp", "two"], ["-smp"],
  ["-smp", "2", "-readconfig", "/x"],
  ["-smp", "2", "-machine", "pc,smp.cpus=4"], ["-smp", "2", "-M", "smp.cpus=4"],
  ["-device", "qemu64-x86_64-cpu,core-id=1"],
  ["-smp", '{"cpus":2}'], ["-smp", '{"cpus":"2"'], ["-smp", '{"cpus":[2]}'],
  ["-smp", u"\u00b2"], ["-smp", u"cpus=\u00b2"], ["-smp", u"\u0662"],
  ["-smp", ""], ["-smp", "+2"], ["-smp", "2\n"], ["-smp", "cpus"]])
def test_what_is_not_said_by_a_number_is_not_guessed(words):
  assert smp.vcpus(["kvm"] + words) is None
