"""The documents call a thing by the name that the field knows.

What stands between ticks, or in a literal block, is quoted from the code or
from what a command prints, and is not looked at.

"""

import glob
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import documents # pylint: disable=wrong-import-position
from terms import TERMS # pylint: disable=wrong-import-position
from terms import offences # pylint: disable=wrong-import-position

#: C{benchmarks/RESULTS.md} is not among them: C{benchmarks/hotplug.py} writes
#: it, and the design document quotes its rows.
PAGES = ["README.md", "CONTRIBUTING.md", "NEWS.md", "patches/README.md"] + (
  sorted(os.path.relpath(path, documents.TOP) for path in
         glob.glob(os.path.join(documents.TOP, "doc", "*.rst"))))

@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_terms_of_the_field(page):
  found = offences("\n".join(documents.lines_of(page)), page.endswith(".md"))
  assert not found, "\n".join("%s:%d: %r: say %s" % ((page, ) + offence)
                              for offence in found)


@pytest.mark.parametrize("pattern, instead, wrong, right", TERMS)
def test_a_term_is_found_and_its_like_is_not(pattern, instead, wrong, right):
  assert pattern and instead in [say for _, _, say in offences(wrong, True)]
  assert instead not in [say for _, _, say in offences(right, True)]


@pytest.mark.parametrize("text, markdown, lines", [
  ("a\non stock,\n", True, [2]),
  ("`stock`", True, []), ("``on stock,\non stock``", False, []),
  ("``a``\nstock ``b``", False, [2]), ("`stock`_", False, [1]),
  ("```\nstock\n```\nstock", True, [4]),
  ("prints::\n\n  stock\n\n  stock\n\nstock", False, [7]),
  ("- prints::\n\n    stock\n\n- stock", False, [5]),
  ("  prints::\n\n    stock\n\n  stock", False, [5]),
  (".. list-table::\n\n   * - stock", False, [3]),
  ("has\ngone", False, [1])])
def test_what_is_quoted_is_not_looked_at(text, markdown, lines):
  assert [line for line, _, _ in offences(text, markdown)] == lines
