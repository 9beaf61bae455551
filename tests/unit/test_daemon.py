"""Which copy of the plugin a process has."""

import os
import subprocess
import sys

import pytest

from ganeti_kvm_pci.node import daemon

#: What L{import_hook} leaves in a node daemon.
_HOLD = """
import mmap, sys
stream = open(sys.argv[1], "rb")
held = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
sys.stdout.write("held")
sys.stdout.flush()
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/maps"),
                                reason="no /proc")


@pytest.fixture
def package(tmpdir):
  folder = tmpdir.mkdir("with space").mkdir("ganeti_kvm_pci")
  folder.join("hypervisor.py").write("# some copy\n")
  return folder


@pytest.fixture
def pid(package):
  process = subprocess.Popen([sys.executable, "-c", _HOLD,
                              str(package.join("hypervisor.py"))],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
  assert process.stdout.read(4) == b"held"
  yield process.pid
  process.communicate()


def test_a_process_without_it():
  assert daemon.marks(None, "/x") == (False, None)
  assert daemon.marks(os.getpid(), "/x") == (False, None)


def test_the_copy_that_the_hook_leads_to(package, pid, tmpdir):
  assert daemon.marks(pid, str(package)) == (True, None)
  link = tmpdir.join("link")
  link.mksymlinkto(package)
  assert daemon.marks(pid, str(link)) == (True, None)
  # no hook, no other copy
  assert daemon.marks(pid) == daemon.marks(pid, None) == (True, None)


def test_a_copy_from_elsewhere_is_another(pid, tmpdir):
  assert daemon.marks(pid, str(tmpdir.mkdir("other"))) == (True, "another copy")


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_copy_that_is_no_longer_there_is_an_older_one(package, pid, tmpdir,
                                                        is_replaced):
  package.join("hypervisor.py").remove()
  if is_replaced:
    package.join("hypervisor.py").write("# a newer copy\n")
  for folder in (package, tmpdir):
    assert daemon.marks(pid, str(folder)) == (True, "an older copy")
