"""What pip makes of the project, with Debian's Python and without network.

With C{PIP=all} (C{make test-pip}): with each Python that pyenv has, as its pip
installs what setup.py needs; that takes minutes, and PyPI.

"""

import glob
import os
import re
import subprocess
import sys
import zipfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))

import documents # pylint: disable=wrong-import-position
import ganeti_kvm_pci # pylint: disable=wrong-import-position
from test_sdist import build # pylint: disable=wrong-import-position
from test_sdist import checkout # pylint: disable=unused-import,wrong-import-position

VERSION = ganeti_kvm_pci.__version__
FILE = os.path.join(documents.TOP, "tests", "data", "v3.0.2-plain.runtime")

OWN = [sys.executable, "-m", "pip"]
#: What has no network.
QUIETLY = ["-q", "--no-index", "--no-deps", "--disable-pip-version-check"]

PYTHONS = ["here"]
if os.environ.get("PIP") == "all":
  PYTHONS += sorted(glob.glob(os.path.join(
    os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")), "versions",
    "*", "bin", "python")))

#: The node has a Ganeti, or not: here it has none.
WITHOUT_GANETI = ("import ganeti_kvm_pci.node.installation as i;"
                  " i._DAEMON_DIRS[:] = ['/nonexistent']\n")


def run(*command, **more):
  """Run a command.

  @return: exit status, what it prints

  """
  done = subprocess.run(list(command), check=False, stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                        cwd="/", **more)
  return done.returncode, done.stdout.decode("utf-8", "replace")


def must(*command, **more):
  status, said = run(*command, **more)
  assert status == 0, said
  return said


if run(*(OWN + ["--version"]))[0]:
  pytest.skip("%s has no pip" % sys.executable, allow_module_level=True)


@pytest.fixture(scope="module")
def wheel(checkout, tmpdir_factory): # pylint: disable=redefined-outer-name
  """Provide the wheel's path."""
  folder = str(tmpdir_factory.mktemp("pip").join("wheels"))
  must(*(OWN + ["wheel", "--no-build-isolation", "-w", folder] + QUIETLY +
         [checkout]))
  (name, ) = os.listdir(folder)
  return os.path.join(folder, name)


def test_one_wheel_is_for_all_pythons(wheel):
  assert os.path.basename(wheel) == (
    "ganeti_kvm_pci-%s-py2.py3-none-any.whl" % VERSION)
  with zipfile.ZipFile(wheel) as archive:
    names = archive.namelist()
    (about, ) = [name for name in names if name.endswith("/WHEEL")]
    assert re.findall(r"(?m)^Tag: (.+)$", archive.read(about).decode()) == [
      "py2-none-any", "py3-none-any"]
    (text, ) = [name for name in names if name.endswith("/METADATA")]
    said = archive.read(text).decode("utf-8")
  assert "Project-URL: Ganeti, https://" in said
  for end in ("dist-info/LICENSE", "share/man/man8/ganeti-kvm-pci.8",
              "share/doc/ganeti-kvm-pci/doc/operation.rst",
              "share/bash-completion/completions/ganeti-kvm-pci",
              "ganeti_kvm_pci/cli/entry.py"):
    assert [name for name in names if name.endswith(end)], end
  # nothing else lies beside the package
  assert set(name.split("/")[0] for name in names) == set([
    "ganeti_kvm_pci", "ganeti_kvm_pci-%s.dist-info" % VERSION,
    "ganeti_kvm_pci-%s.data" % VERSION])


class Environment(object):
  """A virtual environment.

  @ivar bin: path of its programs

  """
  def __init__(self, folder, python):
    self._folder = folder
    self.bin = os.path.join(folder, "bin")
    if python == "here":
      must(sys.executable, "-m", "venv", "--without-pip", folder)
      self._pip = OWN + ["--python", os.path.join(self.bin, "python")]
    else:
      must(sys.executable, "-m", "virtualenv", "-q", "--download", "-p", python,
           folder)
      self._pip = [os.path.join(self.bin, "python"), "-m", "pip"]
      # what pip compiles of itself comes with its first run
      must(*(self._pip + ["uninstall", "-q", "-y", "nothing"]))
    self._is_here = python == "here"

  def install(self, wheel, checkout): # pylint: disable=redefined-outer-name
    if self._is_here:
      must(*(self._pip + ["install", wheel] + QUIETLY))
    else:
      must(*(self._pip + ["install", "-q", checkout]))
    (site, ) = glob.glob(os.path.join(self._folder, "lib", "python*",
                                      "site-packages"))
    self._pth = os.path.join(site, "without_ganeti.pth")
    with open(self._pth, "w") as stream:
      stream.write(WITHOUT_GANETI)

  def uninstall(self):
    os.unlink(self._pth)
    must(*(self._pip + ["uninstall", "-q", "-y", "ganeti-kvm-pci"]))

  def files(self):
    """List what there is, but for what Python compiles of others."""
    return set(path for path in (
      os.path.join(folder, name) for folder, folders, names in
      os.walk(self._folder) for name in folders + names)
               if "kvm_pci" in path or not (
                 "__pycache__" in path or path.endswith(".pyc")))

  def command(self, *arguments):
    return run(os.path.join(self.bin, "ganeti-kvm-pci"), *arguments,
               env={"PATH": self.bin, "LC_ALL": "C.UTF-8"})


@pytest.mark.parametrize("python", PYTHONS)
def test_without_ganeti_it_reads_files_and_says_what_it_cannot(
    python, wheel, checkout, tmpdir): # pylint: disable=redefined-outer-name
  made = Environment(str(tmpdir.join("environment")), python)
  if python != "here":
    print(must(os.path.join(made.bin, "python"), "--version").strip())
  before = made.files()
  made.install(wheel, checkout)
  assert made.command("--version") == (0, VERSION + "\n")
  for words, expected, text in (
      ("map", 0, "disk   0 "), ("check", 0, "plain.ex: info: slot 14"),
      ("plan", 0, "plain.ex: 2 devices will move"),
      ("upgrade --dry-run --to 3.0", 0, "plain.ex: nothing to do"),
      ("downgrade --dry-run --to 2.15", 1, "plain.ex: would be written")):
    status, said = made.command(*(words.split() + [FILE]))
    assert (status, text in said) == (expected, True), said
  for words in (["enable"], ["status"], ["map"], ["check", "vm1"],
                ["upgrade", FILE], ["freeze", "--all"]):
    status, said = made.command(*words)
    assert status == 2 and said.count("\n") == 1, said
    assert "no ganeti-noded found in" in said
    assert "is Ganeti installed on this node?" in said
  made.uninstall()
  left = made.files() ^ before
  # pip leaves folders that others may use, such as share/man, empty
  assert [path for path in left if not os.path.isdir(path) or
          "kvm" in os.path.basename(path)] == []


@pytest.mark.skipif(os.environ.get("PIP") != "all", reason="make test-pip")
def test_pypi_would_take_it(wheel, checkout, tmpdir): # pylint: disable=redefined-outer-name
  made = Environment(str(tmpdir.join("twine")), sys.executable)
  python = os.path.join(made.bin, "python")
  must(python, "-m", "pip", "install", "-q", "twine")
  build(checkout, "-c", "from setuptools import build_meta\n"
        "build_meta.build_sdist('dist')")
  (sdist, ) = glob.glob(os.path.join(checkout, "dist", "*.tar.gz"))
  said = must(python, "-m", "twine", "check", "--strict", wheel, sdist)
  print(said)
  assert said.count("PASSED") == 2
