"""Which version of QEMU a program is."""

import pytest

from ganeti_kvm_pci import qemu_program
from ganeti_kvm_pci import qemu_version

#: Before conftest has it say another.
ASK = qemu_version.version


@pytest.mark.parametrize("text, expected", [
  ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)", (7, 2)),
  ("QEMU emulator version 10.0.13", (10, 0)),
  ("QEMU PC emulator version 1.1.2 (qemu-kvm-1.1.2)", (1, 1)),
  ("something else", None)])
def test_a_program_tells(tmpdir, monkeypatch, text, expected):
  monkeypatch.setattr(qemu_version, "_VERSIONS",
                      qemu_program.Answers(qemu_version._ask))
  path = tmpdir.join("kvm")
  path.write("#!/bin/sh\ntest \"$*\" = --version && echo '%s'\n" % text)
  path.chmod(0o755)
  assert ASK(str(path)) == expected
  # an upgrade, while the node daemon goes on
  later = tmpdir.join("kvm.new")
  later.write("#!/bin/sh\necho 'QEMU emulator version 11.0.1'\n")
  later.chmod(0o755)
  later.move(path)
  assert ASK(str(path)) == (11, 0)


@pytest.mark.parametrize("path", ["/nonexistent/kvm", "/", "a\0b"])
def test_what_is_no_program_does_not(path, monkeypatch):
  monkeypatch.setattr(qemu_version, "_VERSIONS",
                      qemu_program.Answers(qemu_version._ask))
  assert ASK(path) is None
