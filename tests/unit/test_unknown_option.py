"""The option that only the plugin takes."""

import pytest

from ganeti_kvm_pci.qemu import unknown_option

COMMAND = ["/usr/bin/kvm", "-name", "vm1.ex", "-m", 128, "-append",
           "--ganeti-kvm-pci:"]


def test_it_is_the_first_that_qemu_reads():
  command = unknown_option.add(COMMAND, "vm1.ex")
  word = command[1]
  assert command[:1] + command[2:] == COMMAND
  assert word.startswith("--ganeti-kvm-pci: instance vm1.ex is a q35 guest")
  # what QEMU would take for the end of an option, or for two lines
  assert not set(word) & set(",\n\r%\\")


@pytest.mark.parametrize("times", [0, 1, 2])
def test_the_plugin_removes_it(times):
  command = COMMAND
  for _ in range(times):
    command = unknown_option.add(command, "vm1.ex")
  assert unknown_option.remove(command) == COMMAND


def test_another_releases_sentence_is_removed_as_well():
  assert unknown_option.remove(
    COMMAND[:3] + ["--ganeti-kvm-pci: whatever it says"] + COMMAND[3:]) == \
    COMMAND


def test_a_command_that_is_the_program_alone_stays():
  assert unknown_option.remove(["--ganeti-kvm-pci: x"]) == [
    "--ganeti-kvm-pci: x"]
