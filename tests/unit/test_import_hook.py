"""The import hook, in Python processes of its own."""

import os
import subprocess
import sys

import pytest

from ganeti_kvm_pci.node import startup_files

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
STUB = os.path.join(ROOT, "tests", "stubs")

INSTALL = startup_files.pth_line(ROOT)
SHOW = ("import ganeti.hypervisor as h\n"
        "print(h.GetHypervisorClass('kvm').__module__)\n")


def run(code, before=""):
  """Run code in a process whose C{ganeti} is the stub.

  @return: tuple (standard output, standard error)

  """
  environment = dict(os.environ, PYTHONPATH=ROOT + os.pathsep + STUB,
                     PYTHONDONTWRITEBYTECODE="1")
  process = subprocess.Popen([sys.executable, "-c", before + code],
                             env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
  out, err = process.communicate()
  assert process.returncode == 0, err.decode()
  return out.decode(), err.decode()


def test_the_map_gets_our_class():
  assert run(INSTALL + SHOW) == ("ganeti_kvm_pci.hypervisor\n", "")


def test_without_the_hook_ganeti_is_unmodified():
  assert run(SHOW)[0] == "ganeti.hypervisor.hv_kvm\n"


def test_the_module_is_what_it_would_be_without():
  shown = ("import ganeti.hypervisor as h, inspect, sys\n"
           "print(h.__file__, h.__name__, h.__package__ or 'ganeti.hypervisor',"
           " h.__path__, type(h.__loader__).__name__ if sys.version_info[0] > 2"
           " else '', len(inspect.getsource(h)) > 0)\n")
  assert run(INSTALL + shown)[0] == run(shown)[0]


def test_nothing_is_imported_for_other_programs():
  code = ("import sys; before = set(sys.modules)\n" + INSTALL +
          "import json\nprint(sorted(n for n in set(sys.modules) - before"
          " if 'ganeti' in n))\n")
  assert run(code)[0] == "[]\n"


@pytest.mark.parametrize("damage, reason", [
  ("import ganeti.constants as c; c.VERSION_MINOR = 9; c.RELEASE_VERSION ="
   " '3.9.1'\n", "Ganeti 3.9.1 is not supported by this plugin"),
  ("import ganeti.constants as c; del c.RELEASE_VERSION\n", "cannot be told"),
  ("import ganeti.constants as c; del c.HOTPLUG_TARGET_NIC\n",
   "has no constants.HOTPLUG_TARGET_NIC"),
  ("import sys, ganeti; sys.modules['ganeti.constants'] = None;"
   " ganeti.__dict__.pop('constants', None)\n", None),
  ("import ganeti_kvm_pci.versions as s\n"
   "s._METHODS['_Gone'] = []\n", "has no KVMHypervisor._Gone"),
  ("import ganeti_kvm_pci.versions as s\n"
   "s._METHODS['_RunKVMCmd'] = ['x']\n", "has no KVMHypervisor._RunKVMCmd(x)"),
  ("import ganeti_kvm_pci.node.import_hook as h\n"
   "h._mark = lambda: 1 // 0\n", "division"),
  ])
def test_an_unknown_ganeti_stays_unmodified_and_one_line_says_why(
    damage, reason):
  if reason is None:
    # Ganeti itself is broken: the hook is not to blame, nor to hide it
    code = "try:\n  import ganeti.hypervisor\nexcept ImportError: print('own')"
    assert run(INSTALL + damage + code)[0] == "own\n"
    return
  logging = "import logging, sys; logging.basicConfig(stream=sys.stderr)\n"
  out, err = run(SHOW, INSTALL + logging + damage)
  assert out == "ganeti.hypervisor.hv_kvm\n"
  assert len(err.splitlines()) == 1
  assert "ganeti-kvm-pci stays off" in err and reason in err


@pytest.mark.parametrize("damage", ["def f(:", "1 / 0", "\0", "import oops"])
def test_a_damaged_package_does_not_stop_a_daemon(tmpdir, damage):
  package = tmpdir.mkdir("ganeti_kvm_pci")
  package.join("__init__.py").write("")
  package.join("hook.py").write(damage)
  line = startup_files.pth_line(str(tmpdir))
  environment = dict(os.environ, PYTHONPATH=STUB, PYTHONDONTWRITEBYTECODE="1")
  process = subprocess.Popen([sys.executable, "-c", line + SHOW], cwd="/",
                             env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
  out, err = process.communicate()
  assert out.decode() == "ganeti.hypervisor.hv_kvm\n"
  # where it is missing altogether, nothing is said
  assert len(err.splitlines()) == (0 if "oops" in damage else 1)


def test_a_process_without_standard_error_imports_as_well():
  damage = "import ganeti.constants as c; c.VERSION_MINOR = 9\n"
  closed = "import sys; sys.stderr = None\n"
  assert run(SHOW, INSTALL + closed + damage)[0] == "ganeti.hypervisor.hv_kvm\n"


def test_what_is_said_before_the_log_is_open_is_said_in_it_too(tmpdir):
  log = str(tmpdir.join("daemon.log"))
  later = ("import logging; logging.basicConfig(filename=%r, level=20)\n"
           "logging.info('daemon startup'); logging.info('more')\n" % log)
  damage = "import ganeti.constants as c; c.VERSION_MINOR = 9\n"
  err = run(SHOW + later, INSTALL + damage)[1]
  assert len(err.splitlines()) == 1 and "stays off" in err
  lines = open(log).read().splitlines()
  assert ["stays off" in line for line in lines] == [True, False, False]


def test_a_process_with_the_plugin_bears_its_mark():
  shown = ("print([l.split()[-1] for l in open('/proc/self/maps')"
           " if 'ganeti_kvm_pci/hypervisor.py' in l] != [])\n")
  assert run(INSTALL + SHOW + shown)[0].endswith("True\n")
  assert run(SHOW + shown)[0].endswith("False\n")
