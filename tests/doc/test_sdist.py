"""What is packaged: by Debian's setuptools, from a copy."""

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import documents # pylint: disable=wrong-import-position

#: What only the repository has, and what is made where it is not cloned.
NOT_PACKAGED = re.compile(r"\.(ci/|git)")
MADE = re.compile(r"[^/]+\.egg-info/|(PKG-INFO|setup\.cfg)$|"
                  r"\.|(.*/)?__pycache__/|(build|dist)/")


def files():
  """List the project's files.

  @rtype: set of strings
  @return: what git has; where there is no git, what is there and was not made

  """
  if os.path.exists(os.path.join(documents.TOP, ".git")):
    names = subprocess.check_output(
      ["git", "-c", "safe.directory=*", "ls-files"],
      cwd=documents.TOP).decode("utf-8").split("\n")
  else:
    paths = [os.path.relpath(os.path.join(path, name), documents.TOP)
             for path, _, found in os.walk(documents.TOP) for name in found]
    names = [path for path in paths if not MADE.match(path)]
  return set(name for name in names if name and
             os.path.exists(os.path.join(documents.TOP, name)) and
             not NOT_PACKAGED.match(name))


@pytest.fixture(scope="module")
def checkout(tmpdir_factory):
  """Provide a copy of the project's files."""
  folder = str(tmpdir_factory.mktemp("sdist").join("checkout"))
  for name in files():
    target = os.path.join(folder, name)
    if not os.path.isdir(os.path.dirname(target)):
      os.makedirs(os.path.dirname(target))
    shutil.copy2(os.path.join(documents.TOP, name), target)
  return folder


def build(checkout, *command):
  done = subprocess.run([sys.executable, "-B", "-W", "ignore"] + list(command),
                        cwd=checkout, check=False, stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
  assert done.returncode == 0, done.stdout.decode("utf-8")


@pytest.fixture(scope="module")
def sdist(checkout):
  """Provide what is in the source distribution: names to contents."""
  build(checkout, "-c", "from setuptools import build_meta\n"
        "build_meta.build_sdist('dist')")
  (name, ) = os.listdir(os.path.join(checkout, "dist"))
  with tarfile.open(os.path.join(checkout, "dist", name)) as archive:
    return dict((member.name.partition("/")[2],
                 archive.extractfile(member).read())
                for member in archive.getmembers() if member.isfile())


def test_the_source_distribution_has_all_of_the_project(sdist):
  assert set(name for name in sdist if not MADE.match(name)) == files()


def test_its_metadata_is_whole(sdist):
  said = email.message_from_string(sdist["PKG-INFO"].decode("utf-8"))
  version = re.search(r'__version__ = "([^"]+)"', "\n".join(
    documents.lines_of("ganeti_kvm_pci/__init__.py"))).group(1)
  assert (said["Name"], said["Version"]) == ("ganeti-kvm-pci", version)
  assert said["License"] == "BSD-2-Clause"
  assert said["Description-Content-Type"] == "text/markdown"
  assert ">=2.7" in said["Requires-Python"]
  assert "!=3.5.*" in said["Requires-Python"]
  assert said["Summary"] and said["Keywords"] and said["Author"]
  assert len(said.get_all("Classifier")) > 10


def test_what_is_installed_is_the_package(checkout):
  build(checkout, "setup.py", "-q", "build", "--build-base", "base",
        "--build-lib", "built")
  folder = os.path.join(checkout, "built")
  installed = set(os.path.relpath(os.path.join(path, name), folder)
                  for path, _, names in os.walk(folder) for name in names)
  assert installed == set(name for name in files()
                          if name.startswith("ganeti_kvm_pci/"))
