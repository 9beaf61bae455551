"""The package is laid out as its docstring says."""

import ast
import os
import re

import pytest

import ganeti_kvm_pci

PACKAGE = os.path.dirname(os.path.abspath(ganeti_kvm_pci.__file__))

#: Each imports from its own folder and from those before it only.
FOLDERS = ["errors", "clock", "bus", "qemu", "runtime", "qmp", "", "node",
           "cli"]

#: Those that touch no socket, no file and no Ganeti.
PURE = ["errors", "bus", "qemu", "runtime"]

#: What a pure module may import of Python's own.
HARMLESS = frozenset(["calendar", "collections", "contextlib", "itertools",
                      "json", "re", "shlex", "sys", "time", "uuid"])

#: Names that files outside the package have.
OLD_PLACES = frozenset(["hook"])

MODULES = sorted(
  os.path.relpath(os.path.join(folder, name), PACKAGE)[:-len(".py")]
  for folder, _, names in os.walk(PACKAGE)
  for name in names if name.endswith(".py"))


def folder_of(module):
  """Return one of L{FOLDERS}."""
  first = module.split("/")[0]
  return first if first in FOLDERS else ""


def tree_of(module):
  with open(os.path.join(PACKAGE, module + ".py")) as stream:
    return ast.parse(stream.read())


def imports(module):
  """List what of the package a module imports, as paths."""
  for node in ast.walk(tree_of(module)):
    if isinstance(node, ast.ImportFrom) and node.level:
      start = module.split("/")[:-node.level]
      whole = "/".join(start + (node.module or "").split(".")).strip("/")
      for alias in node.names:
        name = ("%s/%s" % (whole, alias.name)).strip("/")
        yield ([found for found in (whole, name) if found in MODULES] or
               [(whole + "/__init__").strip("/")])[0]


@pytest.mark.parametrize("module", [
  name for name in MODULES if not name.endswith("__main__") and
  name not in OLD_PLACES])
def test_imports_go_one_way(module):
  for other in imports(module):
    assert FOLDERS.index(folder_of(other)) <= FOLDERS.index(
      folder_of(module)), other


@pytest.mark.parametrize("module", [name for name in MODULES
                                    if folder_of(name) in PURE])
def test_what_is_pure_touches_nothing(module):
  for node in ast.walk(tree_of(module)):
    if isinstance(node, ast.Import):
      assert set(alias.name for alias in node.names) <= HARMLESS
    if isinstance(node, ast.ImportFrom) and not node.level:
      assert node.module in HARMLESS
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
      assert node.func.id != "open"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_read_in_one_sitting(module):
  with open(os.path.join(PACKAGE, module + ".py")) as stream:
    lines = stream.read().splitlines()
  while lines and (not lines[0] or lines[0].startswith("#")):
    del lines[0]
  assert len(lines) <= 300


def test_no_import_leads_in_a_circle():
  known = dict((name, set(imports(name))) for name in MODULES)
  done = set()
  while True:
    free = set(name for name in known if name not in done and
               not known[name] - done)
    if not free:
      break
    done |= free
  assert set(known) == done


@pytest.mark.parametrize("module", [name for name in MODULES
                                    if not name.endswith("__main__")])
def test_its_folders_docstring_names_each_module(module):
  folder, _, name = module.rpartition("/")
  if name == "__init__" or name in OLD_PLACES:
    return
  text = ast.get_docstring(tree_of((folder + "/__init__").strip("/")))
  assert re.search(r"L\{%s\}" % name, text)


def test_no_module_is_named_like_one_of_pythons():
  """Python 2 would find ours."""
  for module in MODULES:
    name = module.rpartition("/")[2]
    assert name not in ("ganeti", "json", "socket", "select", "queue",
                        "platform", "resource", "signal")


def test_what_a_module_makes_is_used():
  """By its own name, or as another module's, in the package."""
  trees = dict((module, tree_of(module)) for module in MODULES)
  used = set()
  for module, tree in trees.items():
    whose = {}
    for node in ast.walk(tree):
      if isinstance(node, ast.ImportFrom):
        whose.update((alias.asname or alias.name, alias.name)
                     for alias in node.names)
        used.update((None, alias.name) for alias in node.names)
    for node in ast.walk(tree):
      if isinstance(node, ast.Name):
        used.add((module, node.id))
      elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        used.add((whose.get(node.value.id), node.attr))
      elif isinstance(node, ast.Str): # code of a hook
        used.update(re.findall(r"(?<!L{)\b(\w+)\.(\w+)", node.s))
  idle = []
  for module, tree in trees.items():
    for node in tree.body:
      if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and \
          used.isdisjoint([(None, node.name), (module, node.name),
                           (module.rpartition("/")[2], node.name)]):
        idle.append("%s.%s" % (module, node.name))
  assert idle == []
