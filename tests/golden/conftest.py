"""Which Ganeti the golden commands are compared with.

C{GANETI_TREE} names the folder that has a real C{ganeti}. Stubs of ours say
nothing of the command that Ganeti makes.

"""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
TREE = os.environ.get("GANETI_TREE")

if (not TREE or not os.path.isdir(os.path.join(TREE, "ganeti")) or
    os.path.realpath(TREE) == os.path.join(TESTS, "stubs")):
  pytest.exit("tests/golden needs GANETI_TREE, a folder with an importable"
              " ganeti that is no stub", 1)

for _folder in (os.path.dirname(TESTS), TREE, os.path.join(TESTS, "contract"),
                HERE):
  sys.path.insert(0, _folder)


def pytest_report_header(config): # pylint: disable=W0613
  import node
  return "ganeti: %s from %s" % (node.STATE, TREE)
