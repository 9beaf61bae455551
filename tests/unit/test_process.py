"""What a process tells of itself."""

import os
import subprocess
import sys

import pytest

from ganeti_kvm_pci import process

_SYS_USERFAULTFD = 323

#: Opens a descriptor as the target of a postcopy does, and waits. That for the
#: faults of the process itself alone (UFFD_USER_MODE_ONLY, Linux 5.11) needs no
#: rights.
_FETCHES = """
import ctypes, sys
call = ctypes.CDLL(None).syscall
fd = max(call(%d, 1), call(%d, 0))
sys.stdout.write("%%d\\n" %% fd)
sys.stdout.flush()
sys.stdin.read()
""" % (_SYS_USERFAULTFD, _SYS_USERFAULTFD)


@pytest.mark.skipif(os.uname()[4] != "x86_64", reason="another number there")
def test_a_process_that_fetches_its_memory():
  child = subprocess.Popen([sys.executable, "-c", _FETCHES],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
  try:
    if int(child.stdout.readline()) < 0:
      pytest.skip("no userfaultfd here")
    assert process.fetches_memory(child.pid)
  finally:
    child.communicate(b"")
  assert not process.fetches_memory(child.pid)


def test_a_process_that_does_not():
  assert not process.fetches_memory(os.getpid())
