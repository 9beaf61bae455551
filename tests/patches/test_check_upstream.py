"""What tools/check-upstream reports; how tools/ganeti-tree reads Haskell."""

import argparse
import importlib.machinery
import importlib.util
import os
import subprocess
import sys

import pytest

# pylint: disable=redefined-outer-name

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))

HASKELL = """
hvOld :: String
hvOld = "old"

-- | A comment, and the two lines below it.
hvNew :: String
hvNew = "new"  -- not this

htSome :: FrozenSet String
htSome = ConstantUtils.mkSet [hvOld, hvNew]

modes :: FrozenSet String
modes = ConstantUtils.mkSet $ map Types.modeToRaw [minBound..]

mode :: String
mode = Types.modeToRaw ModeA

defaults :: Map String PyValueEx
defaults = Map.fromList
  [ (hvOld, PyValueEx (2 * 8))
  , (hvNew, PyValueEx False)
  ]

difficult :: Int
difficult = 1024 ^ 2

configured :: Bool
configured = AutoConf.configured
"""
TYPES = {"Mode": [("ModeA", "a"), ("ModeB", "b")]}


def load(name):
  """Return a tool as a module."""
  loader = importlib.machinery.SourceFileLoader(
    name.replace("-", "_"), os.path.join(TOP, "tools", name))
  module = importlib.util.module_from_spec(
    importlib.util.spec_from_loader(loader.name, loader))
  loader.exec_module(module)
  return module


@pytest.fixture
def upstream():
  return load("check-upstream")


@pytest.fixture
def haskell():
  """A reader of constants that knows those of HASKELL."""
  tool = load("ganeti-tree")
  defined = tool.definitions(HASKELL)
  return tool, tool.Reader(defined, TYPES, {}, set(defined))


@pytest.mark.parametrize("letters, status", [
  ("", 2), ("f", 0), ("fff", 0), ("fuf", 1), ("ffn", 2), ("unf", 2),
  ("fb", 2)])
def test_the_status_says_the_worst(upstream, letters, status):
  shown = []
  report = upstream.Report(shown.append)
  raised = {"u": upstream.Failure("no such name"),
            "n": upstream.Untried("no git"), "b": KeyError("oops")}

  def part(letter):
    if letter in raised:
      raise raised[letter]
    return "7 passed"

  for letter in letters:
    report.part("contract", part, letter)
  assert report.status() == status
  words = {"f": "fits: 7 passed", "u": "DOES NOT FIT: no such name",
           "n": "NOT TRIED: no git", "b": "NOT TRIED: KeyError: 'oops'"}
  assert shown[:-1] == ["contract   " + words[letter] for letter in letters]
  assert shown[-1].startswith("check-upstream: %d of %d parts fit" % (
    letters.count("f"), len(letters)))


def test_a_long_explanation_is_cut(upstream):
  shown = []

  def part():
    raise upstream.Failure("\n".join("line %d" % n for n in range(100)))

  upstream.Report(shown.append).part("golden", part)
  lines = shown[0].split("\n")
  assert lines[0] == "golden     DOES NOT FIT: ..."
  assert lines[-1].strip() == "line 99"
  assert len(lines) < 20


def test_patches_that_do_not_apply_are_named(upstream, tmp_path):
  repository = tmp_path / "ganeti"
  subprocess.run(["git", "init", "-q", "-b", "master", str(repository)],
                 check=True)
  subprocess.run(["git", "-C", str(repository), "-c", "user.name=x", "-c",
                  "user.email=x@y.z", "commit", "-q", "--allow-empty", "-m",
                  "without lib"], check=True)
  shown = []
  upstream.Report(shown.append).part(
    "patches", upstream.check_patches,
    argparse.Namespace(ganeti_git=str(repository), commit="master"),
    str(tmp_path / "none"), str(tmp_path))
  # the first adds modules only
  assert shown[0].startswith(
    "patches    DOES NOT FIT: 0002-KVM-keep-disks-and-NICs-to-slots-of-their-"
    "own.patch does not apply, 1 of 4 do: error: lib/hypervisor/__init__.py:"
    " does not exist in index\n")


def test_an_empty_repository_gives_a_report(tmp_path):
  subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
  done = subprocess.run(
    [sys.executable, os.path.join(TOP, "tools", "check-upstream"),
     str(tmp_path), "--modules", str(tmp_path)], stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT, universal_newlines=True, check=False)
  assert done.returncode == 2, done.stdout
  assert "Traceback" not in done.stdout
  lines = done.stdout.split("\n")
  assert lines[0].startswith("tree       NOT TRIED: git rev-parse")
  assert lines[-2] == ("check-upstream: 0 of 5 parts fit, 0 do not, 5 could not"
                       " be tried")


@pytest.mark.parametrize("name, value", [
  ("hvNew", "new"),
  ("htSome", frozenset(["old", "new"])),
  ("modes", frozenset(["a", "b"])),
  ("mode", "a"),
  ("defaults", {"old": 16, "new": False}),
  ])
def test_constants_are_read(haskell, name, value):
  assert haskell[1].value(name) == value


@pytest.mark.parametrize("name, rest", [
  ("difficult", r"\^ 2"), ("configured", "AutoConf.configured")])
def test_what_cannot_be_read_is_an_error_that_names_it(haskell, name, rest):
  tool, reader = haskell
  with pytest.raises(tool.Failure, match="the constant %s of .* cannot be read"
                                         " from '%s'" % (name, rest)):
    reader.value(name)


def test_what_uses_a_changed_constant_has_changed(haskell):
  tool = haskell[0]
  old = tool.definitions(HASKELL)
  new = dict(old, hvNew='"newer"')
  assert tool.changed_names(old, new, TYPES, TYPES) == set(
    ["hvNew", "htSome", "defaults"])
  assert tool.changed_names(old, old, TYPES, {"Mode": [("ModeA", "aa"), (
    "ModeB", "b")]}) == set(["modes", "mode"])


@pytest.mark.parametrize("name, python", [
  ("hvKvmSpiceUseTls", "HV_KVM_SPICE_USE_TLS"),
  ("maxVirtioNetQueues", "MAX_VIRTIO_NET_QUEUES"),
  ("rpcTmo_1day", "RPC_TMO_1DAY"),
  ("drbdBNone", "DRBD_B_NONE"),
  ])
def test_names_are_written_as_ganetis_build_does(haskell, name, python):
  assert haskell[0].python_name(name) == python


#: What each commit has: paths, and the texts.
RELEASE = {
  "lib/__init__.py": "",
  "lib/rpc_defs.py": "",
  "src/Ganeti/Constants.hs": HASKELL[:HASKELL.index("htSome")],
  "configure.ac": """
m4_define([gnt_version_major], [2])
m4_define([gnt_version_minor], [11])
m4_define([gnt_version_revision], [8])
""",
  }
STUB, CORE = "lib/rpc/stub/__init__.py", "src/Ganeti/WConfd/Core.hs"


@pytest.mark.parametrize("more, status, module, words", [
  ([], 0, False, ["without rpc/stub/wconfd.py", "without rpc/stub/metad.py"]),
  ([STUB], 0, True, []),
  ([STUB, CORE], 0, True, []),
  ([CORE], 2, False, ["has no folder lib/rpc/stub for rpc/stub/wconfd.py, though"
                      " it has " + CORE])],
  ids=["2.11", "2.12", "2.16", "moved"])
def test_a_folder_that_is_not_in_the_commit(tmp_path, more, status, module,
                                            words):
  repository, modules = tmp_path / "git", tmp_path / "modules"
  for name, text in dict(RELEASE, **dict.fromkeys(more, "")).items():
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  for command in (["init", "-q", "-b", "master"], ["add", "."],
                  ["commit", "-q", "-m", "a release"], ["tag", "v2.11.8"]):
    subprocess.run(["git", "-C", str(repository), "-c", "user.name=x", "-c",
                    "user.email=x@y.z"] + command, check=True)
  (modules / "rpc" / "stub").mkdir(parents=True)
  for name in ("opcodes", "_generated_rpc", "rpc/stub/metad",
               "rpc/stub/wconfd"):
    (modules / (name + ".py")).write_text("")
  (modules / "_constants.py").write_text('RELEASE_VERSION = "2.11.8"\n')
  made = tmp_path / "made"
  done = subprocess.run(
    [sys.executable, os.path.join(TOP, "tools", "ganeti-tree"),
     str(repository), "master", str(made), "--modules", str(modules)],
    stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
    check=False)
  assert done.returncode == status, done.stderr
  assert (made / "ganeti" / "rpc" / "stub" / "wconfd.py").exists() == module
  assert (made / "ganeti" / "opcodes.py").exists() == (status == 0)
  said = done.stderr.splitlines()
  assert len(said) == len(words)
  for word in words:
    assert any(word in line for line in said), said
