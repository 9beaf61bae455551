"""What QEMU logged at a start, and what is no log."""

import os

from ganeti_kvm_pci import qemu_log


def test_what_was_written_since_is_told(tmp_path):
  path = tmp_path / "log"
  path.write_text(u"before")
  log = qemu_log.QemuLog(["qemu", "-D", str(path)])
  assert log.news() == ""
  path.write_text(u"no such device")
  assert log.news() == "no such device"


def test_what_is_no_file_says_nothing(tmp_path):
  assert qemu_log.QemuLog(["qemu", "-D", "a\0b"]).news() == ""
  pipe = str(tmp_path / "pipe")
  os.mkfifo(pipe)
  log = qemu_log.QemuLog(["qemu", "-D", pipe])
  os.utime(pipe, (1, 1))
  assert log.news() == ""
