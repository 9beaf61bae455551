"""What CONTRIBUTING.md and its like name is there."""

import glob
import os
import re
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import documents # pylint: disable=wrong-import-position

PAGES = ["README.md", "CONTRIBUTING.md", "NEWS.md", "patches/README.md",
         "benchmarks/RESULTS.md"] + sorted(
           os.path.relpath(path, documents.TOP) for path in
           glob.glob(os.path.join(documents.TOP, "doc", "*.rst")))


def text_of(page):
  return "\n".join(documents.lines_of(page))


@pytest.mark.parametrize("page", PAGES)
def test_the_targets_that_a_page_names_can_be_made(page):
  rules = set(re.findall(r"(?m)^([\w-]+):", text_of("Makefile")))
  named = re.findall(r"(?:^ *|[`\"])make[ \n] *([a-z][a-z-]*)", text_of(page),
                     re.MULTILINE)
  assert set(named) - set(["check-local"]) <= rules # Ganeti's


def test_the_files_that_contributors_look_for_are_there():
  text = text_of("CONTRIBUTING.md")
  named = re.findall(r"\b(?:doc|tests|tools|lab|patches|ganeti_kvm_pci)/[\w./-]*"
                     r"|\b[A-Z]+\.md\b", text)
  missing = [name for name in named if
             not os.path.exists(os.path.join(documents.TOP, name.rstrip(".")))]
  assert len(named) > 15 and not missing


def test_the_names_that_contributors_look_for_are_there():
  assert re.search("(?m)^KNOWN = ", text_of("ganeti_kvm_pci/versions.py"))
  assert re.search("(?m)^LINES = ", text_of("tools/make-patches"))


def test_it_is_a_page():
  lines = documents.lines_of("CONTRIBUTING.md")
  assert len(lines) < 80 and max(len(line) for line in lines) <= 80


def test_the_news_tell_of_the_version_that_is_here():
  version = re.search(r'__version__ = "([^"]+)"',
                      text_of("ganeti_kvm_pci/__init__.py")).group(1)
  assert "\n## %s\n" % version in text_of("NEWS.md")
