"""tools/check-patches tries known commits of Ganeti only, unless it is told."""

import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys

import pytest

# pylint: disable=redefined-outer-name

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))
TOOL = os.path.join(TOP, "tools", "check-patches")


def git(folder, *command):
  return subprocess.run(
    ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@y.z",
     "-c", "commit.gpgsign=no"] + list(command), check=True,
    stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()


@pytest.fixture(scope="module")
def tool():
  sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
  loader = importlib.machinery.SourceFileLoader("check_patches", TOOL)
  module = importlib.util.module_from_spec(
    importlib.util.spec_from_loader(loader.name, loader))
  loader.exec_module(module)
  return module


@pytest.fixture
def repository(tmp_path):
  """A repository whose master no patch fits."""
  git(tmp_path, "init", "-q", "-b", "master")
  git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
  git(tmp_path, "tag", "v3.1.7")
  git(tmp_path, "commit", "-q", "--allow-empty", "-m", "second")
  return tmp_path


def check(repository, *options):
  done = subprocess.run(
    [sys.executable, TOOL, str(repository)] + list(options), check=False,
    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
  assert "Traceback" not in done.stdout, done.stdout
  return done.returncode, done.stdout


@pytest.mark.parametrize("branch, name, more", [
  ("master", "master", "; --commit c35736d8a takes the known one"),
  ("stable-3.1", "v3.1.7", "")])
def test_an_unknown_commit_is_refused_in_words(repository, branch, name, more):
  commit = git(repository, "rev-parse", name)[:9]
  known = {"master": "c35736d8a (commit c35736d8a)",
           "stable-3.1": "v3.1.1 (commit ca408b336)"}[branch]
  status, said = check(repository, "--release", branch)
  assert status == 2
  assert said == (
    "%-12s REFUSED: %s (commit %s) is not known: the patches were run on %s"
    " only. --any tries it all the same%s\n"
    "check-patches: REFUSED what is not known\n" % (
      branch, name, commit, known, more))


def test_an_unknown_commit_is_tried_if_one_wants_to(repository):
  status, said = check(repository, "--release", "master", "--any")
  assert status == 1
  assert re.match(r"master +FAILED: 0002-.*patch does not apply", said)


def test_a_commit_of_master_can_be_named(repository):
  first = git(repository, "rev-parse", "v3.1.7")
  status, said = check(repository, "--release", "master", "--commit", "v3.1.7")
  assert status == 2 and "v3.1.7 (commit %s)" % first[:9] in said


def test_known_ones_are_not_refused(tool):
  for branch, (name, commit) in tool.RUN.items():
    assert tool.refusal(branch, name, commit) is None
    assert tool.refusal(branch, name, commit[::-1]) is not None
  assert sorted(tool.RUN) == sorted(tool.BRANCHES)


@pytest.mark.parametrize("branch, version, is_known", [
  ("stable-3.0", "3.0.2-3", True), ("stable-3.1", "3.1.0~rc2-3", True),
  ("stable-3.1", "3.1.0~rc2-3+deb13u1", True), ("stable-3.1", "3.1.1-1", False),
  ("stable-3.2", "3.2.0-1", False)])
def test_debians_packages_are_known_by_their_upstream_version(
    tool, branch, version, is_known):
  said = tool.refusal_of_debian(branch, version)
  assert (said is None) == is_known
  if said:
    assert said == (
      "Debian's %s is not known: the patches were run on Debian's 3.0.2 and"
      " Debian's 3.1.0~rc2. --any tries it all the same" % version)


def test_the_readme_names_the_same_commits(tool):
  with open(os.path.join(tool.PATCHES, "README.md")) as stream:
    rows = dict((row[0], row[1:]) for row in re.findall(
      r"(?m)^\| `([^`]+)` +\| (.*?) +\| `(\w+)` +\|$", stream.read()))
  assert sorted(rows) == sorted(tool.RUN)
  for branch, (name, commit) in tool.RUN.items():
    assert commit.startswith(rows[branch][1])
    if branch != "master":
      assert name in rows[branch][0]
  for branch, version in tool.RUN_DEBIAN.items():
    assert "Debian's %s" % version in rows[branch][0]
