"""What others' suites test of hotplug and migration: C{make test-peers}.

Here are the tests on one node, with the fixtures and modules of
C{tests/integration}; in C{cluster} those in the lab, with C{tests/cluster}'s.

"""

import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)


def borrowed(folder, here):
  """Return the fixtures and hooks of another folder of tests.

  @param here: the folder that they are for
  @rtype: dict

  """
  path = os.path.join(TESTS, folder, "conftest.py")
  spec = importlib.util.spec_from_file_location("conftest_of_" + folder, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  module.HERE = here
  sys.path.insert(1, os.path.dirname(path))
  return dict((name, value) for name, value in vars(module).items()
              if not name.startswith("_") and name != "HERE")


@pytest.fixture
def patient(monkeypatch):
  """Give guests time for an unplug: the host is busy."""
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "120")


# the lab's have a Ganeti of their own
if "LAB_NODE" not in os.environ:
  globals().update(borrowed("integration", HERE))
