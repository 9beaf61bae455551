"""The patches are the package's, and quote next to nothing of Ganeti."""

import ast
import os
import re
import shutil
import subprocess

import pytest

from series import NEWS
from series import SERIES

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))
PATCHES = os.path.join(TOP, "patches", "package")
PACKAGE = os.path.join(TOP, "ganeti_kvm_pci")
FOLDER = "lib/hypervisor/kvm_pci/"
VERSION = ["stable-2.10", "stable-2.15", "stable-2.16", "stable-3.0",
           "stable-3.1", "master"]
REGISTRY = "  constants.HT_KVM: hv_kvm.KVMHypervisor,"


def read(*path):
  with open(os.path.join(*path), "rb") as stream:
    return stream.read().decode("utf-8")


def contents(folder):
  return dict((os.path.relpath(os.path.join(path, name), folder),
               read(path, name))
              for path, _, names in os.walk(folder) for name in names
              if name != "README.md")


def diffs(patch):
  """Take a patch apart.

  @return: list of (path, whether the file is new, hunks), a hunk being the
      four numbers of its head and a list of lines

  """
  found = []
  body = patch.partition("\ndiff --git ")[2].rpartition("\n-- \n")[0]
  for text in body.split("\ndiff --git "):
    head, hunks = re.match(r"(?s)(.*?)\n(@@ .*)", text).groups()
    found.append((re.search(r"\n\+\+\+ b/(.*)", head).group(1),
                  "--- /dev/null" in head,
                  [(tuple(int(n) for n in re.findall(r"\d+", numbers)),
                    lines.split("\n")) for numbers, lines in
                   re.findall(r"(?s)@@ (.*?) @@\n(.*?)(?=\n@@ |\Z)", hunks)]))
  return found


@pytest.fixture(params=VERSION)
def patches(request):
  """Provide the texts of a version's patches, in order."""
  names = read(PATCHES, request.param, "series").split()
  files = [os.path.basename(name) for name in names]
  assert files == sorted(files) and len(files) == 4
  # once for all, but for the last
  assert [os.path.dirname(name) for name in names] == 3 * [".."] + [""]
  assert set(os.listdir(os.path.join(PATCHES, request.param))) == \
    set(files[3:] + ["series"])
  return [read(PATCHES, request.param, name) for name in names]


def new_files(patches):
  return dict((path, "".join(line[1:] + "\n" for line in hunks[0][1]))
              for patch in patches for path, new, hunks in diffs(patch) if new)


def test_there_is_a_folder_for_each_version_and_a_readme():
  assert set(name for name in os.listdir(PATCHES)
             if not name.endswith(".patch")) == set(VERSION)
  assert set(os.listdir(os.path.dirname(PATCHES))) <= \
    set(["README.md", "package", NEWS]) | set(SERIES)


def test_patches_are_what_make_patches_writes(tmpdir):
  """Run "make patches" if this fails."""
  folder = str(tmpdir.join("patches"))
  shutil.copytree(PATCHES, folder)
  tmpdir.join("patches", "master", "0009-old.patch").write("old")
  for _ in range(2):
    subprocess.check_call([os.path.join(TOP, "tools", "make-patches"), folder])
    assert contents(folder) == contents(PATCHES)


def test_modules_are_the_packages_byte_for_byte(patches):
  modules = dict((path[len(FOLDER):], text)
                 for path, text in new_files(patches).items()
                 if path.startswith(FOLDER))
  assert "hypervisor.py" in modules and "__init__.py" in modules
  for name, text in modules.items():
    assert text == read(PACKAGE, name)


def test_new_files_are_modules_and_the_design_document(patches):
  others = [path for path in new_files(patches)
            if not path.startswith(FOLDER)]
  assert others == ["doc/design-pci-partition.rst"]
  assert new_files(patches)[others[0]] == read(TOP, others[0])


def test_each_step_finds_what_it_imports(patches):
  there = set()
  for patch in patches:
    files = new_files([patch])
    there.update(files)
    for path, text in files.items():
      if not path.endswith(".py"):
        continue
      for node in ast.walk(ast.parse(text)):
        # "from ..x import y" needs x, or y in the folder x
        if isinstance(node, ast.ImportFrom) and node.level:
          whole = os.path.join(os.path.normpath(os.path.join(
            os.path.dirname(path), *[".."] * (node.level - 1))),
            *(node.module or "").split(".")).rstrip("/")
          assert (whole + "/").startswith(FOLDER)
          for alias in node.names:
            assert whole + ".py" in there or \
              "%s/%s.py" % (whole, alias.name) in there


def test_nothing_but_what_the_hypervisor_needs_goes_along(patches):
  for path in new_files(patches):
    assert not re.match(FOLDER + "(node|cli)/", path)
    assert path not in [FOLDER + name for name in (
      "hook.py", "__main__.py", "runtime/slot_map.py")]


def test_the_first_step_knows_nothing_of_ganeti(patches):
  assert all(new for _, new, _ in diffs(patches[0]))
  for text in new_files(patches[:1]).values():
    assert not re.search(r"(?m)^\s*(from|import) ganeti\b", text)


def test_ganetis_text_is_one_line_around_each_change(patches):
  for patch in patches:
    for path, new, hunks in diffs(patch):
      for numbers, lines in hunks:
        signs = "".join(line[0] for line in lines)
        assert re.match(r"\++$" if new else r" -?\++ $", signs), path
        assert numbers[1] == len(re.sub(r"\+", "", signs))
        assert numbers[3] == len(signs.replace("-", ""))


def test_the_registry_line_is_all_that_goes(patches):
  removed = [(path, line[1:]) for patch in patches
             for path, _, hunks in diffs(patch) for _, lines in hunks
             for line in lines if line[0] == "-"]
  assert removed == [("lib/hypervisor/__init__.py", REGISTRY)]


def test_the_build_knows_all_new_files(patches):
  added = [line[1:] for patch in patches for path, _, hunks in diffs(patch)
           if path == "Makefile.am" for _, lines in hunks for line in lines
           if line[0] == "+"]
  listed = set(line.strip(" \t\\") for line in added)
  assert set(new_files(patches)) <= listed
  # a list goes on as long as lines end in a backslash
  count = 0
  for folder in ("", "_bus", "_qemu", "_runtime", "_qmp"):
    first = added.index("hypervisor_kvm_pci%s_PYTHON = \\" % folder)
    last = added.index("", first)
    count += last - first - 1
    assert [line.endswith(" \\") for line in added[first:last]] == \
      [True] * (last - first - 1) + [False]
  # the document is listed elsewhere
  assert count == len(new_files(patches)) - 1


def test_messages_are_in_ganetis_manner(patches):
  for number, patch in enumerate(patches, 1):
    head, _, rest = patch.partition("\n\n")
    message = rest.partition("\n---\n")[0]
    assert "Subject: [PATCH %d/4] " % number in head
    assert len(head.partition("/4] ")[2].split("\n")[0]) <= 72
    assert all(len(line) <= 72 for line in message.split("\n"))
    assert "\nFrom: A person has to sign this <nobody@example.com>\n" in head
    assert "Signed-off-by:" not in message
    assert message.endswith("has no Signed-off-by yet.")
