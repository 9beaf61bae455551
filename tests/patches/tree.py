"""A checkout of Ganeti, and how its tests and ours are run on it."""

import glob
import os
import shutil
import subprocess
from xml.etree import ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

#: A test of unmodified Ganeti only: it says whose class the map holds.
NOT_PATCHED = ("tests/contract/test_unmodified.py::"
               "test_the_map_decides_which_class_is_used")

#: Generated modules that only Ganeti's own tests need, and only to import.
ONLY_FOR_TESTS = ("opcodes.py", "_generated_rpc.py", "rpc/stub/metad.py",
                  "rpc/stub/wconfd.py")

_IMPORT = """
from ganeti import constants, hypervisor
from ganeti.hypervisor import hv_kvm
from ganeti.hypervisor.kvm_pci import versions
cls = hypervisor._HYPERVISOR_MAP[constants.HT_KVM]
assert cls.__module__ == "ganeti.hypervisor.kvm_pci.hypervisor", cls
assert issubclass(cls, hv_kvm.KVMHypervisor)
assert isinstance(hypervisor.GetHypervisor(constants.HT_KVM), cls)
print(versions.check(constants, hv_kvm))
"""


class Failure(Exception):
  """Something that should work does not."""


def run(command, **kwargs):
  """Run a command and return what it prints."""
  try:
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=600,
                          stderr=subprocess.STDOUT, errors="replace",
                          stdin=subprocess.DEVNULL, check=False, **kwargs)
  except (subprocess.TimeoutExpired, OSError) as err:
    raise Failure(str(err))
  if done.returncode:
    raise Failure("%s\n%s" % (" ".join(command), done.stdout[-3000:].strip()))
  return done.stdout.strip()


def git(folder, *command):
  return run(["git", "-C", folder, "-c", "user.name=check-patches", "-c",
              "user.email=check-patches@example.com", "-c", "commit.gpgsign=no",
              "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false"] +
             list(command))


class Tree(object):
  """A checkout of Ganeti, to be patched and tested."""

  def __init__(self, folder, repository, commit):
    self.root = os.path.join(folder, "tree")
    self._scratch = folder
    self._python = None
    # Ganeti's own way to have a node's /var/run/ganeti elsewhere
    self._node = os.path.join(folder, "node.example.com")
    os.makedirs(self._node + "/var/run/ganeti")
    run(["git", "clone", "-q", "--shared", "--no-checkout", repository,
         self.root])
    git(self.root, "checkout", "-q", "--detach", commit)

  @property
  def interpreter(self):
    """The Python that its code is for."""
    return self._python

  def am(self, paths):
    """Apply patches.

    @raise Failure: if one does not apply; which, and git's words

    """
    for path in paths:
      try:
        git(self.root, "am", "-q", path)
      except Failure as err:
        raise Failure("%s does not apply: %s" % (
          os.path.basename(path), str(err).partition("\n")[2]))

  def apply(self, folder, after=lambda: None):
    """Apply the patches of a folder.

    @param after: called after each
    @rtype: int
    @return: how many these are
    @raise Failure: if one does not apply; which, and git's words

    """
    with open(os.path.join(folder, "series"), encoding="utf-8") as stream:
      names = stream.read().split()
    for number, name in enumerate(names):
      try:
        git(self.root, "am", "-q", os.path.join(folder, name))
      except Failure as err:
        raise Failure("%s does not apply, %d of %d do: %s" % (
          os.path.basename(name), number, len(names),
          str(err).partition("\n")[2]))
      after()
    return len(names)

  def make_importable(self, modules, rest, python):
    """Add what the build would: a link, and modules that are generated."""
    os.symlink("lib", os.path.join(self.root, "ganeti"))
    names = [os.path.relpath(os.path.join(path, name), modules)
             for path, _, files in os.walk(modules) for name in files]
    for folder, wanted in ((modules, names), (rest, ONLY_FOR_TESTS)):
      for name in wanted:
        source = os.path.join(folder or "", name)
        target = os.path.join(self.root, "lib", name)
        if (name.endswith(".py") and os.path.exists(source) and
            os.path.isdir(os.path.dirname(target)) and
            not os.path.exists(target)):
          shutil.copy(source, target)
    self._python = python

  def python(self, arguments, cwd, folders=()):
    tests = [os.path.join(self.root, "test", "py", "legacy"),
             os.path.join(self.root, "test", "py")]
    return run([self._python, "-W", "ignore"] + arguments, cwd=cwd, env=dict(
      PATH=os.environ["PATH"], LC_ALL="C.UTF-8", HOME=self._scratch,
      PYTHONDONTWRITEBYTECODE="1", TOP_SRCDIR=self.root, GANETI_TREE=self.root,
      GANETI_ROOTDIR=self._node, GANETI_HOSTNAME=os.path.basename(self._node),
      PYTHONPATH=os.pathsep.join([self.root] + list(folders) + tests)))

  def pytest(self, arguments, cwd=TOP, folders=()):
    """Run tests.

    @return: the names of those that passed, the names of those that failed,
        and the output if pytest says that something is wrong

    """
    report = os.path.join(self._scratch, "report.xml")
    said = ""
    if os.path.exists(report):
      os.remove(report)
    try:
      self.python(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
                   "--junitxml=" + report] + arguments, cwd, folders)
    except Failure as err:
      said = str(err)
      if not os.path.exists(report):
        raise
    passed, failed = set(), set()
    for case in ElementTree.parse(report).iter("testcase"):
      results = set(child.tag for child in case)
      name = "%s.%s" % (case.get("classname"), case.get("name"))
      if results & set(["failure", "error"]):
        failed.add(name)
      elif "skipped" not in results:
        passed.add(name)
    return passed - failed, failed, said

  def own_tests(self, others=(), before=frozenset()):
    """Run Ganeti's tests of the KVM hypervisor.

    Some wait for a fraction of a second only, which a busy host may not keep:
    where one of those that passed before fails, all get a second try.

    @param others: paths of further tests, where there are such
    @param before: the names of those that passed before

    """
    passed, failed, said = self._own_tests(others)
    if before - passed:
      again, failed, said = self._own_tests(others)
      passed, failed = passed | again, failed - passed
    return passed, failed, said

  def _own_tests(self, others):
    folder = os.path.join(self._scratch, "own")
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    with open(os.path.join(folder, "pytest.ini"), "w") as stream:
      stream.write("[pytest]\n")
    # pytest does not import files with dots in their names
    for path in glob.glob(self.root + "/test/py/**/ganeti.hypervisor*_unittest"
                          ".py", recursive=True):
      name = os.path.basename(path)[:-3].replace(".", "_")
      if "hv_" not in name or "hv_kvm" in name:
        shutil.copy(path, os.path.join(folder, "test_%s.py" % name))
    for path in glob.glob(self.root + "/test/py/unit/hypervisor/**/test_*.py",
                          recursive=True):
      shutil.copy(path, folder)
    # these go by their names, and import what is beside them
    others = [os.path.join(self.root, path) for path in sorted(others)
              if path.endswith("_unittest.py") and "hypervisor" not in path]
    others = [path for path in others if os.path.exists(path)]
    return self.pytest(
      ["-c", os.path.join(folder, "pytest.ini"), folder] + others,
      cwd=self.root, folders=sorted(set(map(os.path.dirname, others))))

  def check_header(self):
    """Have Ganeti's own script look at how the new modules begin.

    @rtype: int
    @return: how many these are
    @raise Failure: if it is not content with all of them

    """
    paths = glob.glob(self.root + "/lib/hypervisor/kvm_pci/**/*.py",
                      recursive=True)
    self.python([os.path.join(self.root, "autotools", "check-header")] + paths,
                self._scratch)
    return len(paths)

  def check_import(self):
    package = os.path.join(TOP, "ganeti_kvm_pci")
    for folder, _, names in os.walk(package):
      for name in names:
        ours = os.path.join(folder, name)
        path = os.path.join(self.root, "lib/hypervisor/kvm_pci",
                            os.path.relpath(ours, package))
        if os.path.exists(path):
          run(["cmp", ours, path])
    return self.check_class()

  def check_class(self):
    """Check that the class in the map is ours, and fits."""
    return self.python(["-c", _IMPORT], self._scratch)

  def check_contract(self, *arguments):
    passed, failed, said = self.pytest(
      ["-p", "patched_tree", "--deselect", NOT_PATCHED] + list(arguments),
      folders=[HERE])
    if failed or said or not passed:
      raise Failure("the contract fails\n" + said)
    return len(passed)
