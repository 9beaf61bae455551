"""The design document has the table of faults that the tests go by."""

import glob
import io
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
INTEGRATION = os.path.join(os.path.dirname(HERE), "integration")
sys.path[:0] = [os.path.dirname(HERE), INTEGRATION]

import documents # pylint: disable=wrong-import-position
import faults # pylint: disable=wrong-import-position


def test_the_table_is_that_of_the_tests():
  rows = [tuple([row["Fault"]] + [row[name] for name in faults.COLUMNS])
          for row in documents.table("Faults of hotplug by release")]
  assert rows == [(name, ) + cells for name, cells in faults.TABLE]


@pytest.mark.parametrize("name, cells", faults.TABLE,
                         ids=[name for name, _ in faults.TABLE])
def test_each_row_has_a_test(name, cells):
  assert set(cells) <= set([faults.YES, faults.NO, faults.UNSEEN])
  assert len(cells) == len(faults.COLUMNS)
  found = []
  for path in glob.glob(os.path.join(INTEGRATION, "test_*.py")):
    with io.open(path, encoding="utf-8") as stream:
      if '"%s"' % name in stream.read():
        found.append(path)
  assert found, "no test looks for it"
