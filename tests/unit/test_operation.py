"""The operator's page has each error, in the words of the code."""

import ast
import os
import re

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))

#: Functions that are given an error's text, and errors that nobody gets to see
#: as they are.
_TELLING_RE = re.compile(r"Error$|^_error$|^_Refuse$|^_strange$")
_INTERNAL = frozenset(["TypeError", "ValueError", "ImportError"])

#: What a text has in place of what varies.
_PLACE_RE = re.compile(r"%(?:\.\d+)?[sdrg]")


def text_of(node):
  """Return a string of the code, without what is put into it."""
  if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
    return text_of(node.left)
  what = type(node).__name__
  value = {"Constant": "value", "Str": "s"}.get(what)
  found = getattr(node, value) if value else None
  return found if hasattr(found, "split") else None


def texts(path):
  """List the error texts of a module."""
  with open(path) as stream:
    tree = ast.parse(stream.read())
  for node in ast.walk(tree):
    if not isinstance(node, ast.Call):
      continue
    function = node.func
    name = getattr(function, "attr", getattr(function, "id", ""))
    appends = name == "append" and getattr(
      getattr(function, "value", None), "attr", "") == "problems"
    if (_TELLING_RE.search(name) or appends) and name not in _INTERNAL:
      for argument in node.args:
        text = text_of(argument)
        if text and " " in text:
          yield text


def plain(text):
  return " ".join(text.split())


@pytest.fixture(scope="module")
def page():
  with open(os.path.join(TOP, "doc", "operation.rst")) as stream:
    return plain(stream.read())


MODULES = sorted(
  os.path.relpath(os.path.join(path, name), TOP)
  for path, _, names in os.walk(os.path.join(TOP, "ganeti_kvm_pci"))
  for name in names if name.endswith(".py"))


@pytest.mark.parametrize("module", MODULES)
def test_the_page_has_each_error_of(module, page):
  for text in texts(os.path.join(TOP, module)):
    longest = plain(max(_PLACE_RE.split(text), key=len).strip(" ;:,()"))
    assert longest in page, text


def test_errors_are_found_at_all():
  found = [text for module in MODULES
           for text in texts(os.path.join(TOP, module))]
  assert len(found) > 80
