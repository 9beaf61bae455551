"""QEMU refuses what is for the plugin alone."""

import os
import subprocess
import time

import pytest

from conftest import QEMU

from ganeti_kvm_pci.qemu import unknown_option


@pytest.mark.parametrize("more", [
  [], ["-daemonize"], ["--no-such-option"], ["-device", "no-such-device"],
  ["-drive", "file=/no/such/file,if=none"], ["-incoming", "tcp:127.0.0.1:1"]])
def test_qemu_prints_the_sentence_once_and_ends(tmpdir, more):
  pid = str(tmpdir.join("pid"))
  command = unknown_option.add(
    [QEMU, "-name", "vm1.ex", "-machine", "q35", "-display", "none", "-S",
     "-pidfile", pid] + more, "vm1.ex")
  began = time.time()
  process = subprocess.Popen(command, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
  text = process.communicate()[0].decode()
  print("%.3f s: %s" % (time.time() - began, text))
  assert process.returncode == 1 and not os.path.exists(pid)
  assert text == "%s: %s: invalid option\n" % (QEMU, command[1])
  assert time.time() - began < 100
