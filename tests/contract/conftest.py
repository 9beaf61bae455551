"""Which Ganeti the contract is held against.

C{GANETI_TREE} names the folder that has C{ganeti}: a stub of ours (the
default), an unpacked source tree or an installed package.

"""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
STUB = os.path.join(os.path.dirname(HERE), "stubs")
TREE = os.environ.get("GANETI_TREE", STUB)

sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, TREE)
sys.path.insert(0, HERE)


def pytest_report_header(config): # pylint: disable=W0613
  from ganeti import constants
  return "ganeti: %s from %s" % (constants.RELEASE_VERSION, TREE)


@pytest.fixture
def world(tmpdir, monkeypatch):
  """Provide a world in which nothing leaves the test."""
  import harness
  from ganeti_kvm_pci import qemu_version
  # whatever is installed under the path in a runtime file, or nothing
  monkeypatch.setattr(qemu_version, "version", lambda _: None)
  return harness.World(str(tmpdir), monkeypatch)
