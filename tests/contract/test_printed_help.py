"""What is kept of what a QEMU program prints for Ganeti."""

import os
import shutil

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import chipset
from ganeti_kvm_pci import hypervisor
from ganeti_kvm_pci import kept_answers
from ganeti_kvm_pci import qemu_program
from ganeti_kvm_pci.qemu import machine_type

import harness

pytestmark = pytest.mark.skipif(str is bytes, reason="kept on Python 3 only")

HELP = "QEMU emulator version 7.2.22 (Debian 1:7.2)\nusage: kvm [options]\n"
DEVICES = ('Storage devices:\nname "virtio-blk-pci", bus PCI, alias'
           ' "virtio-blk"\n\nNetwork devices:\nname "e1000", bus PCI\n')

ANSWERS = {"help": HELP, "devicelist": DEVICES,
           "mlist": "Supported mach%s are:\n" % "ines" + harness.MACHINE_TYPES}

#: What may be printed while packages are being replaced.
LINKER = ("%s: error while loading shared libraries: libfdt.so.1: cannot open"
          " shared object file: No such file or directory\n")


class Program(object):
  """A program, and what Ganeti is told by it."""

  def __init__(self, path):
    self.path = path
    self.told = dict(ANSWERS)
    self.asked = []

  def answer(self, option):
    self.asked.append(option)
    told = self.told[option]
    if isinstance(told, list):
      told = told.pop(0)
    if isinstance(told, Exception):
      raise told
    return told

  def of(self, option):
    """Ask as a process does that has just begun."""
    kept_answers._MEMORY.clear()
    return hypervisor.KVMHypervisor._GetKVMOutput(self.path, option)


@pytest.fixture
def program(tmpdir, monkeypatch):
  made = Program(str(tmpdir.mkdir("bin").join("qemu")))
  shutil.copy(os.path.realpath("/bin/sleep"), made.path)
  with open(made.path, "ab") as stream:
    stream.write(b"\0QEMU emulator version 7.2.22 (Debian 1:7.2)\0")
  conf = tmpdir.mkdir("conf")
  monkeypatch.setattr(qemu_program, "_SETTLED", -60)
  monkeypatch.setattr(hypervisor.KVMHypervisor, "_InstanceKVMRuntime",
                      classmethod(lambda _, name: str(conf.join(name))))
  monkeypatch.setattr(hv_kvm.KVMHypervisor, "_GetKVMOutput",
                      classmethod(lambda _, path, option: made.answer(option)))
  yield made
  kept_answers._MEMORY.clear()


@pytest.mark.parametrize("option", sorted(ANSWERS))
def test_what_qemu_prints_is_kept(program, option):
  for _ in range(3):
    assert program.of(option) == ANSWERS[option]
  assert program.asked == [option] * 2


@pytest.mark.parametrize("option", sorted(ANSWERS))
@pytest.mark.parametrize("told", [
  LINKER % "qemu", "", "Killed\n", DEVICES + "Failed to open module: no\n"])
def test_what_goes_wrong_twice_is_not_kept(program, option, told):
  """Its exit status need not tell, and of -device Ganeti does not look."""
  program.told[option] = told
  for _ in range(2):
    assert program.of(option) == told
  program.told[option] = ANSWERS[option]
  assert program.of(option) == ANSWERS[option]


def test_what_starts_another_is_asked_each_time(program):
  """A compiled one, too: the QEMU behind it may be replaced."""
  shutil.copy(os.path.realpath("/bin/sleep"), program.path)
  program.of("help")
  program.told["help"] = HELP.replace("7.2.22", "10.0.2")
  assert program.of("help") == program.told["help"]


def test_a_second_look_that_fails_is_no_failure(program):
  program.told["help"] = [HELP, errors.HypervisorError("cannot fork"), HELP,
                          HELP]
  assert [program.of("help") for _ in range(3)] == [HELP] * 3
  assert program.asked == ["help"] * 4


def test_no_other_question_is_kept(program):
  program.told["devicehelp"] = "virtio-blk-pci options:\n"
  program.of("devicehelp")
  program.told["devicehelp"] = "others\n"
  assert program.of("devicehelp") == "others\n"


def test_machine_types_are_asked_for_once(program, monkeypatch):
  """Each guest that arrives is compared with them, by a process of its own."""
  asked = []

  def ask(path):
    asked.append(path)
    return machine_type.Listing(program.told["mlist"])

  monkeypatch.setattr(chipset, "_ask", ask)

  def names():
    kept_answers._MEMORY.clear()
    monkeypatch.setattr(chipset, "_LISTINGS", qemu_program.Answers(ask))
    return chipset.machine_types(
      program.path, hypervisor.KVMHypervisor._Printed).names()

  found = names()
  assert "pc-i440fx-7.2" in found
  assert [names() for _ in range(3)] == [found] * 3
  assert asked == [program.path] * 2
  # it is what Ganeti is told
  assert program.of("mlist") == ANSWERS["mlist"] and program.asked == []
  # another program has others
  program.told["mlist"] = ANSWERS["mlist"].replace("7.2", "10.0")
  with open(program.path, "ab") as stream:
    stream.write(b"new")
  assert "pc-i440fx-10.0" in names()
