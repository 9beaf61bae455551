"""Which Ganeti is on the node, and where its files are."""

import os
import subprocess
import sys

import pytest

import host

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLAIN = os.path.join(ROOT, "tests", "data", "v3.0.2-plain.runtime")

#: Ganeti's own way, in few words.
PATHUTILS = """
import os
if bool(os.getenv("GANETI_ROOTDIR")) != bool(os.getenv("GANETI_HOSTNAME")):
  raise RuntimeError("Both root directory and hostname must be specified")
RUN_DIR = os.getenv("GANETI_ROOTDIR", "") + %r
DATA_DIR = RUN_DIR
CLUSTER_CONF_FILE = RUN_DIR + "/config.data"
"""


class Ganeti(object):
  """A Ganeti that is installed in a folder of its own.

  @ivar run: where its files are

  """
  def __init__(self, folder):
    self.folder = folder
    self.run = str(folder.join("odd", "run", "ganeti"))
    package = folder.mkdir("share").mkdir("ganeti")
    package.join("__init__.py").write("")
    package.join("pathutils.py").write(PATHUTILS % self.run)
    package.join("constants.py").write(
      "VERSION_MAJOR, VERSION_MINOR, RELEASE_VERSION = 3, 0, '3.0.2'\n")
    self.hv_kvm = package.mkdir("hypervisor").join("hv_kvm.py")
    self.hv_kvm.write("from ganeti import pathutils\n")
    package.join("hypervisor", "__init__.py").write("")
    self.script = folder.join("share", "ganeti-noded")
    self.script.write("#!%s\n" % sys.executable)

  def conf(self, root=""):
    path = root + self.run + "/kvm-hypervisor/conf"
    os.makedirs(path)
    return path

  def command(self, *args, **environment):
    """Run the command where only this Ganeti is.

    @return: exit status, output, errors

    """
    only = "installation._DAEMON_DIRS = [%r];" % str(self.folder.join("share"))
    # the other Python does not know the one in /usr/sbin either
    code = ("import sys; sys.path.insert(0, %r);"
            " from ganeti_kvm_pci.cli import entry;"
            " from ganeti_kvm_pci.node import installation; %s"
            " installation._MAIN = installation._MAIN.replace(%r, %r);"
            " sys.exit(entry.main())" %
            (host.compiled(), only, "from ganeti_kvm_pci.cli",
             "from ganeti_kvm_pci.node import installation; " + only +
             " from ganeti_kvm_pci.cli"))
    process = subprocess.Popen(
      [sys.executable, "-B", "-c", code] + list(args), cwd=str(self.folder),
      env=dict(environment, PATH="/nonexistent", PYTHONDONTWRITEBYTECODE="1"),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    return (process.returncode, out.decode(), err.decode())


@pytest.fixture
def ganeti(tmpdir):
  return Ganeti(tmpdir)


def put(folder, instance="plain.ex"):
  with open(os.path.join(folder, instance + ".runtime"), "w") as stream:
    stream.write(open(PLAIN).read())


@pytest.mark.parametrize("command", [["map"], ["check"], ["plan"],
                                     ["upgrade", "--to", "3.0"]])
def test_ganeti_is_asked_where_its_files_are(ganeti, command):
  put(ganeti.conf())
  status, out, err = ganeti.command(*command)
  assert (status, err) == (0, "") and out.startswith("plain.ex")
  assert ganeti.command(*(command + ["plain"]))[0] == 0


@pytest.mark.parametrize("command", ["map", "check", "plan"])
def test_also_that_of_a_virtual_cluster(ganeti, command):
  put(ganeti.conf(), "real.ex")
  root = str(ganeti.folder.join("virtual", "node1.ex"))
  put(ganeti.conf(root), "virtual.ex")
  both = {"GANETI_ROOTDIR": root, "GANETI_HOSTNAME": "node1.ex"}
  assert ganeti.command(command, "virtual", **both)[0] == 0
  assert ganeti.command(command, "real", **both)[0] == 2
  assert ganeti.command(command, "real")[0] == 0
  status, out, err = ganeti.command(command, GANETI_ROOTDIR=root)
  assert (status, out) == (2, "") and err.count("\n") == 1
  assert "Both root directory and hostname must be specified" in err


def test_where_nothing_is_that_is_said(ganeti):
  status, out, err = ganeti.command("map")
  assert (status, out) == (2, "")
  assert "there is no folder %s" % ganeti.run in err
  ganeti.conf()
  status, out, err = ganeti.command("map")
  assert (status, err) == (0, "") and "no runtime files in " in out


@pytest.mark.parametrize("source", [
  "print 'Python 2'\n", "raise RuntimeError('odd')\n"])
def test_a_ganeti_for_another_python_is_one_clear_error(ganeti, source):
  if str is bytes and "'odd'" not in source:
    source = "print('Python 3', file=None)\n"
  put(ganeti.conf())
  ganeti.hv_kvm.write(source)
  ganeti.hv_kvm.dirpath("..", "constants.py").write(source)
  for command in (["map"], ["status"], ["check", "--live"], ["plan", "plain"],
                  ["map", "--live", PLAIN]):
    status, out, err = ganeti.command(*command)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1 and "Ganeti does not import under" in err
  ganeti.hv_kvm.dirpath().dirpath("constants.py").write(source)
  for command in (["map"], ["plan"], ["check"]):
    status, out, err = ganeti.command(*(command + [PLAIN]))
    assert (status, err) == (0, "") and "plain.ex" in out


def test_it_is_run_by_its_own_python(ganeti, tmpdir):
  put(ganeti.conf())
  ganeti.hv_kvm.write("import os\nos.environ['OWN_PYTHON']\n")
  python = tmpdir.join("python-of-its-own")
  python.write("#!/bin/sh\nOWN_PYTHON=1 exec %s \"$@\"\n" % sys.executable)
  python.chmod(0o755)
  ganeti.script.write("#!%s\n" % python)
  status, out, err = ganeti.command("map")
  assert (status, err) == (0, "") and out.startswith("plain.ex")


def test_what_asks_no_qemu_imports_no_hypervisor(ganeti):
  """That takes three times as long as all that map does."""
  put(ganeti.conf())
  ganeti.hv_kvm.write("raise RuntimeError('odd')\n")
  status, out, err = ganeti.command("map")
  assert (status, err) == (0, "") and out.startswith("plain.ex")
  assert ganeti.command("map", "--live")[0] == 2
