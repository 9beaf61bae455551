"""What make prints, and what it does not install.

Each test runs make in a copy, with a C{PATH} of nothing but commands that write
down that they were called.

"""

import os
import re
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import documents # pylint: disable=wrong-import-position

#: Commands that install something.
INSTALLERS = ["apt", "apt-get", "dpkg", "pip", "pip3", "tox", "virtualenv"]

RECORDER = '#!/bin/sh\necho "${0##*/} $*" >> %s\nexit %d\n'


class Project(object):
  """A copy of what make reads, and what it calls.

  @ivar folder: the copy

  """
  def __init__(self, scratch):
    self.folder = str(scratch.join("project"))
    self._commands = str(scratch.mkdir("commands"))
    self._log = str(scratch.join("called"))
    os.mkdir(self.folder)
    shutil.copy(os.path.join(documents.TOP, "Makefile"), self.folder)
    for name in ("tools", "doc"):
      shutil.copytree(os.path.join(documents.TOP, name),
                      os.path.join(self.folder, name))
    os.symlink(shutil.which("awk"), os.path.join(self._commands, "awk"))
    for name in INSTALLERS:
      self.add(name)

  def add(self, name, status=0):
    """Add a command.

    @return: its path

    """
    path = os.path.join(self._commands, name)
    with open(path, "w") as stream:
      stream.write(RECORDER % (self._log, status))
    os.chmod(path, 0o755)
    return path

  def make(self, *arguments):
    """Run make.

    @return: the exit status, and all that was printed

    """
    done = subprocess.run(
      [shutil.which("make")] + list(arguments), cwd=self.folder, check=False,
      env={"PATH": self._commands, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode("utf-8")

  def called(self):
    """List the commands that were called, with their arguments."""
    if not os.path.exists(self._log):
      return []
    with open(self._log) as stream:
      return stream.read().splitlines()

  def files(self):
    """Return all files of the copy, with times and contents."""
    found = {}
    for path, _, names in os.walk(self.folder):
      found[path] = os.stat(path).st_mtime
      for name in names:
        name = os.path.join(path, name)
        with open(name, "rb") as stream:
          found[name] = os.stat(name).st_mtime, stream.read()
    return found


@pytest.fixture
def project(tmpdir):
  return Project(tmpdir)


def targets():
  """List the targets that are meant to be given to make."""
  text = "\n".join(documents.lines_of("Makefile")).replace("\\\n", "")
  return re.search(r"(?m)^\.PHONY:(.*)", text).group(1).split()


@pytest.mark.parametrize("arguments", [[], ["help"]])
def test_make_alone_prints_each_target_and_does_nothing(project, arguments):
  before = project.files()
  status, printed = project.make(*arguments)
  lines = printed.splitlines()
  assert status == 0
  assert sorted(re.match(r"  (\S+) +\S+", line).group(1)
                for line in lines[1:]) == sorted(targets())
  assert max(len(line) for line in lines) <= 80
  assert (project.files(), project.called()) == (before, [])


@pytest.mark.parametrize("target", ["test", "demo"])
def test_what_the_readme_names_sets_up_by_itself(project, target):
  status, printed = project.make("-n", target)
  assert status == 0
  assert printed.splitlines()[0] == "tools/install-needs"


@pytest.mark.parametrize("target", ["help", "test-unit", "doc", "patches",
                                    "dist", "clean"])
def test_what_needs_little_installs_nothing(project, target):
  status, printed = project.make("-n", target)
  assert status == 0
  assert "install-needs" not in printed


def test_the_unit_tests_name_what_is_missing(project):
  python = project.add("python", status=1)
  before = project.files()
  status, printed = project.make("test-unit", "PYTHON=" + python)
  assert status != 0
  assert "pytest, a module of %s\n" % python in printed
  assert "hypothesis, a module of" in printed and "make needs" in printed
  assert project.files() == before
  assert project.called() == ["python -B -c import pytest",
                              "python -B -c import hypothesis"]


def test_a_missing_interpreter_is_named_once(project):
  status, printed = project.make("test-unit", "PYTHON=/none/python")
  assert status != 0
  assert printed.count("/none/python") == 1 and "make needs" in printed
  assert project.called() == []


def test_the_unit_tests_run_where_nothing_is_missing(project):
  python = project.add("python")
  assert project.make("test-unit", "PYTHON=" + python)[0] == 0
  assert project.called()[2:] == [
    "python -m pytest -p no:cacheprovider -q tests/unit"]


@pytest.mark.parametrize("there", [[], ["dot"], ["sphinx-build"]])
def test_the_pages_name_what_is_missing(project, there):
  for name in there:
    project.add(name)
  before = project.files()
  status, printed = project.make("doc")
  assert status != 0 and "make needs" in printed
  for name in ("dot", "sphinx-build"):
    assert ("\n  %s\n" % name in printed) == (name not in there)
  assert (project.files(), project.called()) == (before, [])


def test_the_pages_are_written_where_nothing_is_missing(project):
  project.add("sphinx-build")
  project.add("dot")
  status, printed = project.make("doc")
  assert status == 0 and "written: build/doc/index.html" in printed
  assert [line.split()[0] for line in project.called()] == ["sphinx-build"]
