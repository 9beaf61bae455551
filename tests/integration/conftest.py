"""A version of Ganeti, from a tree, on a real QEMU.

C{GANETI_TREE} names the folder that has an importable C{ganeti}; run by root
with the Python of that version (2.7 up to 2.16). C{QEMU} is the program; what
it no longer understands is translated, see L{old_qemu}. Taps are real, in a
network namespace that these tests make for themselves.

Every test runs on unmodified Ganeti and with the plugin; C{MACHINE_TYPE} is
that of the guests, C{pc} or C{q35}. What is expected of
unmodified Ganeti is what that version can do with this QEMU, its faults
included. The plugin's tests are skipped where C{ganeti_kvm_pci.versions} does
not know the tree, and say so.

"""

import ctypes
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TREE = os.environ.get("GANETI_TREE")
_CLONE_NEWNET = 0x40000000

if not TREE or not os.path.isdir(os.path.join(TREE, "ganeti")):
  pytest.exit("tests/integration needs GANETI_TREE, a folder with an importable"
              " ganeti", 1)

sys.path.insert(0, ROOT)
sys.path.insert(0, TREE)
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)


def _own_network():
  """Put this process, and all QEMUs it will start, into a network of its own.

  """
  libc = ctypes.CDLL(None, use_errno=True)
  if libc.unshare(_CLONE_NEWNET):
    pytest.exit("tests/integration need to be root, for a network namespace:"
                " %s" % os.strerror(ctypes.get_errno()), 1)
  subprocess.check_call(["ip", "link", "set", "lo", "up"])


_own_network()


@pytest.fixture(autouse=True)
def without_hook(monkeypatch):
  """Have C{check} judge instances alone: no hook puts the plugin in here."""
  from ganeti_kvm_pci.cli import node_state
  monkeypatch.setattr(node_state, "judge_node", lambda *_: 0)


def pytest_report_header(config): # pylint: disable=W0613
  from ganeti import constants
  import nodes
  return ["ganeti: %s from %s" % (constants.RELEASE_VERSION, TREE),
          "plugin: %s" % (nodes.unknown() or "knows this Ganeti")]


def pytest_terminal_summary(terminalreporter):
  import old_releases
  for line in sorted(old_releases.MENDED):
    terminalreporter.write_line("mended: %s" % line)


@pytest.fixture(params=["unmodified", "plugin"], scope="module")
def which(request):
  """Say whose hypervisor it is."""
  import nodes
  if nodes.unfit(request.param):
    pytest.skip(nodes.unfit(request.param))
  return request.param


@pytest.fixture
def node(which, tmpdir):
  """Provide a node that stops its instances afterwards."""
  import nodes
  made = nodes.Node(which, str(tmpdir))
  try:
    yield made
  finally:
    made.stop()


@pytest.fixture(scope="session")
def guest(tmpdir_factory):
  """Build the lab's guest; gives the folder with its kernel."""
  folder = str(tmpdir_factory.mktemp("guest"))
  subprocess.check_call([os.path.join(ROOT, "lab", "guest"), folder])
  return folder


@pytest.fixture(scope="module")
def booted(which, guest, tmpdir_factory):
  """Provide a node with an instance whose guest is up."""
  import nodes
  made = nodes.Node(which, str(tmpdir_factory.mktemp(which)))
  try:
    made.start(**nodes.boot(guest))
    made.wait_for_guest()
    made.wait_for_ports()
    yield made
  finally:
    made.stop()
