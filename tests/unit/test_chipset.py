"""Which instances have the bus that is partitioned."""

import os

import pytest

from ganeti_kvm_pci import chipset
from ganeti_kvm_pci import qemu_program

PRINTS = """#!/bin/sh
echo "$@" >> %s
cat <<END
Supported machine types are:
ours                 Our PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)
pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996)%s
q35                  Standard PC (Q35 + ICH9, 2009)%s
virt                 QEMU 7.2 ARM virt
END
exit %d
"""


class Program(object):
  """A QEMU that prints its machine types."""

  def __init__(self, folder, monkeypatch):
    self.path = str(folder.join("qemu"))
    self.log = folder.join("asked")
    self.write()
    monkeypatch.setattr(chipset, "_LISTINGS",
                        qemu_program.Answers(chipset._ask))

  def write(self, default="pc", status=0, text=None, replaced=False):
    path = self.path + ".new" * replaced
    with open(path, "w") as stream:
      stream.write(PRINTS % (self.log, " (default)" * (default == "pc"),
                             " (default)" * (default == "q35"), status)
                   if text is None else "#!/bin/sh\necho '%s'\n" % text)
    os.chmod(path, 0o755)
    os.rename(path, self.path)

  def asked(self):
    return self.log.read().splitlines() if self.log.check() else []


@pytest.fixture
def program(tmpdir, monkeypatch):
  return Program(tmpdir, monkeypatch)


@pytest.mark.parametrize("version, words, reason", [
  ("pc-i440fx-7.2", [], None), ("pc", ["-machine", "accel=kvm"], None),
  ("q35", ["-machine", "pc"], None), # the command is what QEMU was given
  ("pc", ["-machine", "pc", "-M", "q35"], "has no root ports"),
  ("q35", ["-device", "pcie-root-port,id=rp3,bus=pcie.0,chassis=3,port=3"],
   None),
  ("q35", ["-device", "pcie-root-port,id=rp3"], "has no root ports"),
  ("q35", ["-device", "pcie-root-port,id=mine"], "has no root ports"),
  ("q35", ["-device", "pci-bridge,id=pci.0", "-device",
           "pcie-root-port,id=rp3"], "its bus pci.0 is a device"),
  (None, ["-M", "isapc"], "(isapc) is neither i440fx nor q35"),
  (None, ["-device", "pci-bridge,id=pci.0,chassis_nr=1", "-M", "pc"],
   "its bus pci.0 is a device"),
  (None, ["-device", '{"driver":"pci-bridge","id":"pci.0"}', "-M", "pc"],
   "its bus pci.0 is a device"),
  (None, ["-device", "pci-bridge,id=pci.01", "-M", "pc"], None),
  ])
def test_where_the_name_tells_nobody_is_asked(program, version, words, reason):
  found = chipset.obstacle([program.path] + words, {"machine_version": version})
  assert found is None if reason is None else reason in found
  assert program.asked() == []


@pytest.mark.parametrize("default", ["pc", "q35"])
@pytest.mark.parametrize("version", [None, ""])
def test_qemus_default_is_asked_for(program, default, version):
  program.write(default)
  found = chipset.obstacle([program.path, "-machine", "accel=tcg"],
                           {"machine_version": version})
  assert (found is None) == (default == "pc")
  assert program.asked() == ["-machine help"]


@pytest.mark.parametrize("name, ours", [
  ("ours", True), ("virt", False), ("pseries", False), ("Q35", False),
  ("xenfv", False)])
def test_a_name_that_does_not_tell_is_looked_up(program, name, ours):
  for _ in range(3):
    assert chipset.applies([program.path, "-machine", name], {}) == ours
    assert chipset.applies([program.path], {"machine_version": name}) == ours
  assert program.asked() == ["-machine help"]


def test_who_does_not_answer_is_not_partitioned(program):
  program.write(status=3)
  found = chipset.obstacle([program.path], {})
  assert "QEMU's default" in found and "status 3" in found
  assert "\n" not in found
  os.unlink(program.path)
  found = chipset.obstacle([program.path, "-M", "ours"], {})
  assert "(ours) is not known to be i440fx or q35: cannot run" in found


@pytest.mark.parametrize("text", ["", "qemu: cannot open shared object file",
                                  "some pc: (i440FX + PIIX, 1996) (default)"])
def test_who_lists_nothing_is_not_partitioned_whatever_its_status(program,
                                                                  text):
  """Another thread that collects children leaves Python status 0."""
  program.write(text=text)
  found = chipset.obstacle([program.path], {})
  assert "(QEMU's default) is not known to be i440fx" in found
  assert "-machine help does not list machine types: " + text in found
  # and it is not held against the program
  program.write()
  assert chipset.obstacle([program.path], {}) is None


def test_a_program_that_is_replaced_is_asked_anew(program):
  """A node daemon of threads outlives an upgrade of QEMU."""
  assert chipset.applies([program.path], {})
  program.write("q35", replaced=True)
  assert not chipset.applies([program.path], {})
  assert len(program.asked()) == 2


def test_a_program_that_a_file_names_is_not_run(program):
  found = chipset.obstacle([program.path, "-M", "ours"], {}, False)
  assert "was not asked" in found
  assert program.asked() == []


def test_what_is_no_name_of_a_program_is_not_partitioned():
  found = chipset.obstacle(["/usr/bin/qemu\0"], {})
  assert "is not known to be i440fx or q35: cannot run" in found
