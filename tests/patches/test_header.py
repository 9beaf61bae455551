"""Every module begins with the licence, as Ganeti's check-header wants it.

Where Debian's source of Ganeti has been fetched (by tools/check-patches),
Ganeti's own script looks at a patched tree as well.

"""

import os
import re
import sys

import pytest

# a fixture of pytest is found by its name
# pylint: disable=unused-import,redefined-outer-name
from test_patches import new_files
from test_patches import PACKAGE
from test_patches import patches
from test_patches import PATCHES
from test_patches import read
from test_patches import TOP
from tree import Failure
from tree import git
from tree import Tree

#: What is there of "tools/debian-source SUITE".
SOURCES = os.path.join(TOP, ".cache", "debian-source")

#: Since Ganeti 3.0; before, Google Inc. and years up to 2019 only.
HOLDER = re.compile(r"# Copyright \(C\) 20[0-2]\d(, 20[0-2]\d)*"
                    r" (the Ganeti project|Google Inc\.)$")


def licence():
  """Return the lines of C{LICENSE} below the copyright, as comments."""
  text = read(TOP, "LICENSE").partition("\n\n--\n")[0]
  return [("# " + line).strip() for line in text.split("\n")[1:]]


def is_headed(text):
  """Tell whether a module begins as it should, in our own words."""
  lines = text.split("\n")
  expected = licence()
  return (lines[0] in ("#", "#!/usr/bin/python3") and
          lines[1:3] == ["#", ""] and
          HOLDER.match(lines[3]) is not None and
          lines[4:4 + len(expected)] == expected and
          lines[4 + len(expected)] == "")


def modules():
  return sorted(os.path.relpath(os.path.join(path, name), PACKAGE)
                for path, _, names in os.walk(PACKAGE) for name in names
                if name.endswith(".py"))


def test_the_licence_itself_has_a_holder():
  assert HOLDER.match("# " + read(TOP, "LICENSE").split("\n")[0])
  assert licence()[0] == "# All rights reserved."
  assert licence()[-1].endswith(" DAMAGE.")


@pytest.mark.parametrize("module", modules())
def test_each_module_is_headed(module):
  assert is_headed(read(PACKAGE, module))


def test_each_new_module_of_the_patches_is_headed(patches):
  added = dict((path, text) for path, text in new_files(patches).items()
               if path.endswith(".py"))
  assert len(added) > 10
  assert [path for path, text in added.items() if not is_headed(text)] == []


def test_a_module_that_is_not_headed_is_found():
  good = "#\n#\n\n# %s\n%s\n\nx = 1\n" % (
    read(TOP, "LICENSE").split("\n")[0], "\n".join(licence()))
  assert is_headed(good)
  for old, new in (("#\n#\n\n", "#\n\n"), ("#\n#\n\n", "#\n#\n"),
                   ("2026", "1999"), ("the Ganeti project", "nobody"),
                   ("DAMAGE.", "DAMAGE"), ("\n\nx", "\nx")):
    assert old in good and not is_headed(good.replace(old, new))


def test_ganetis_own_script_says_so(tmpdir):
  """All patched trees that can be had without a network, be it none."""
  for suite in sorted(os.listdir(SOURCES)) if os.path.isdir(SOURCES) else []:
    folder = os.path.join(SOURCES, suite)
    version = "stable-" + re.match(r"\d+\.\d+",
                                   read(folder, "version")).group()
    tree = Tree(str(tmpdir.mkdir(suite)), os.path.join(folder, "source"),
                "HEAD")
    tree.make_importable(os.path.join(folder, "modules"), None, sys.executable)
    for name in read(PATCHES, version, "series").split():
      git(tree.root, "am", "-q", os.path.join(PATCHES, version, name))
    assert tree.check_header() > 10
    path = os.path.join(tree.root, "lib", "hypervisor", "kvm_pci",
                        "__init__.py")
    with open(path) as stream:
      text = stream.read()
    with open(path, "w") as stream:
      stream.write(text.replace("Redistribution and use", "Use", 1))
    with pytest.raises(Failure) as err:
      tree.check_header()
    assert "__init__.py: Line 7: " in str(err.value)
