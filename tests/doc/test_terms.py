"""Documents, code and messages call a thing by the name that the field knows.

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
from terms import offences_in_code # pylint: disable=wrong-import-position
from terms import offences_in_script # pylint: disable=wrong-import-position
from terms import said # pylint: disable=wrong-import-position
from terms import words_of # pylint: disable=wrong-import-position

PAGES = ["README.md", "CONTRIBUTING.md", "NEWS.md", "patches/README.md",
         "benchmarks/RESULTS.md", "tests/golden/README.md"] + (
  sorted(os.path.relpath(path, documents.TOP) for path in
         glob.glob(os.path.join(documents.TOP, "doc", "*.rst"))))

#: Where code is, beside C{setup.py}
FOLDERS = ["ganeti_kvm_pci", "tests", "lab", "demo", "benchmarks", "tools",
           "doc"]

#: The table, and the examples of what it finds
EXAMPLES = ["tests/terms.py", "tests/doc/test_terms.py"]

#: Files that others than Python read. CI's is not in the source distribution
SCRIPTS = ["Makefile", "tox.ini", "pyproject.toml"] + [
  name for name in [".ci/run"]
  if os.path.exists(os.path.join(documents.TOP, name))]


def text_of(name):
  return "\n".join(documents.lines_of(name))


def is_script(name):
  """Tell whether a file without a suffix is one that is run."""
  path = os.path.join(documents.TOP, name)
  with open(path, "rb") as stream:
    return "." not in os.path.basename(name) and stream.read(2) == b"#!"


def files():
  """List the project's code.

  @rtype: tuple of two lists of strings
  @return: names of Python files; of scripts

  """
  code, scripts = ["setup.py"], list(SCRIPTS)
  for folder, _, names in [
      found for top in FOLDERS
      for found in os.walk(os.path.join(documents.TOP, top))]:
    for name in names:
      name = os.path.relpath(os.path.join(folder, name), documents.TOP)
      if name.endswith(".py"):
        code.append(name)
      elif is_script(name):
        python = "python" in text_of(name).partition("\n")[0]
        (code if python else scripts).append(name)
  return sorted(set(code) - set(EXAMPLES)), sorted(scripts)


CODE, ALL_SCRIPTS = files()


def hold(name, found):
  """Complain of each term that was found in a file."""
  assert not found, "\n".join("%s:%d: %r: say %s" % ((name, ) + offence)
                              for offence in found)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_terms_of_the_field(page):
  hold(page, offences(text_of(page), page.endswith(".md")))


@pytest.mark.parametrize("name", CODE)
def test_code_has_the_terms_of_the_field(name):
  hold(name, offences_in_code(text_of(name)))


@pytest.mark.parametrize("name", ALL_SCRIPTS)
def test_a_script_has_the_terms_of_the_field(name):
  hold(name, offences_in_script(text_of(name)))


def test_all_code_is_looked_at():
  assert set(["setup.py", "ganeti_kvm_pci/hotplug.py", "lab/cluster.py",
              "tests/documents.py", "tests/doc/test_sdist.py", "demo/demo.py",
              "benchmarks/hotplug.py", "tools/run-tox"]) <= set(CODE)
  assert set(["Makefile", "lab/up", "tools/install-needs"]) <= set(ALL_SCRIPTS)


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


def of_code(*lines):
  return [(line, what) for line, what, _ in offences_in_code("\n".join(lines))]


@pytest.mark.parametrize("name, words", [
  ("place", "place"), ("_old_record", "old record"), ("__init__", "init"),
  ("HasRecord", "has record"), ("HTTPServer", "http server"),
  ("_CheckKVM2Kind", "check kvm2 kind"), ("KINDS", "kinds")])
def test_a_name_is_read_as_words(name, words):
  assert words_of(name) == words


def test_what_code_says_is_names_comments_and_messages():
  assert list(said('# one\n#: two\nMAX_AGE = f(\n  "to be",'
                   ' "value", "or" " not") # three\n')) == [
    (1, "one\ntwo"), (3, "max age"), (3, "f"), (4, "to be"), (4, "or not"),
    (4, "three")]


@pytest.mark.parametrize("lines, found", [
  # names
  (["the_kind = 1"], [(1, "kind")]), (["", "class StockGuest: pass"],
                                      [(2, "stock")]),
  (["kindly = restock"], []),
  # values
  (["x = 'stock'"], []), (["x = ('-', 'stock')"], []),
  (["x = 'stock '"], [(1, "stock")]), (["x = 'stock\\n'"], [(1, "stock")]),
  # comments
  (["a = 1 # on stock"], [(1, "stock")]),
  (["# the device has", "# gone"], [(1, "has gone")]),
  (["#: the device has", "#: gone"], [(1, "has gone")]),
  (["#: once", "#: on", "#: stock"], [(3, "stock")]),
  (["a = 1 # it has", "", "# gone are the days"], []),
  (["# one", "", "", "# on stock"], [(4, "stock")]),
  (["# the end: stock"], [(1, "stock")]),
  # docstrings
  (['def f():', '  """Do.', '', '  It has', '  gone.', '', '  """'],
   [(4, "has gone")]),
  (['"""On C{stock} and I{stock} L{stock} `stock`"""'], []),
  (['"""On C{a', 'stock}', '', 'on stock"""'], [(4, "stock")]),
  # messages
  (['x = "it has" " gone"'], [(1, "has gone")]),
  (['x = ("it has"', '     " gone")'], [(1, "has gone")]),
  (['x = ("it "', '     "has "', '     "gone")'], [(2, "has gone")]),
  (['x = ("it is a k"', '     "ind, or"', '     " so")'], [(1, "kind")]),
  (['x = ("on", "stock")'], []), (['x = ("it has", " gone")'], []),
  (['x = ("it has" # why', '     " gone")'], [(1, "has gone")]),
  (['x = ("%s has"', '', '     " gone" % y)'], [(1, "has gone")]),
  (['x = "on %stock"'], []), (['x = "the %s place"'], [(1, "the place")]),
  (["x = u'it\\'s stock'"], [(1, "stock")]),
  (["x = r'\\bstock \\w'"], []), (["x = b'on stock'"], [(1, "stock")]),
  (["x = 'on \\", "stock'"], [(2, "stock")])])
def test_terms_of_code(lines, found):
  assert of_code(*lines) == found


@pytest.mark.parametrize("text, found", [
  ("## one\n# it has\n# gone\nx:\n\techo a stock", [(2, "has gone"),
                                                  (5, "stock")]),
  ("#!/bin/sh\n  # it was\n  # already gone", [(2, "was already gone")]),
  ("qemu -machine pc # `stock`\ntest_records.py", []),
  ("cat debian/patches/series", []), ("<type machine='pc'>", [])])
def test_terms_of_a_script(text, found):
  assert [(line, what) for line, what, _ in offences_in_script(text)] == found
