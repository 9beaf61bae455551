"""Run what Ganeti's own QA suite has on instances, in the lab::

  lab/up -n 2 -g GUESTDIR /usr/bin/python3 lab/ganeti_qa.py DIR [--plugin]

C{DIR/qa} is the suite of the Ganeti that is installed. It runs as it is, by its
own C{RunQa}. It ends at the first test that fails; here that test is noted, its
instance is brought to where the next test wants it, and the suite goes on.
Results go to standard output, a JSON object a line, and all else to standard
error.

"""

import importlib.machinery
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time

import yaml

import cluster
import qa_settings
from commands import LabError, gnt
from qa_nodes import instance_state, prepare, remove_all, settle

#: Seconds that one test may take; the longest takes some three minutes.
LIMIT = 900

#: What the suite says where a test finds that it has nothing to do.
NOTHING_TO_DO = re.compile("skipping|not supported|only supported|must specify")

class Results(object):
  """The results so far, printed one by one."""

  def __init__(self, output):
    """Begin.

    @param output: file that is written to

    """
    self._output = output
    self._seen = {}
    self._notes = []
    self._stderr = ""
    self.where = ""

  def note(self, text):
    """Remember what the suite says in a test."""
    self._notes.append(str(text))

  def note_output(self, _, stderr):
    """Remember what a command of the suite's said last on standard error."""
    self._stderr = stderr or ""

  def begin(self):
    self._notes = []

  def reason(self, err):
    """Tell why a test failed.

    @param err: the exception
    @return: text, with what the command said where one failed

    """
    text = "%s: %s" % (type(err).__name__, err)
    if "Command '" in text and self._stderr.strip():
      text += ": " + self._stderr.strip().splitlines()[-1]
    return text

  def add(self, name, status, reason="", seconds=0):
    """Print a test's result.

    @param name: name of the suite's function; those of one name are numbered

    """
    if status == "passed":
      reason = "; ".join(n for n in self._notes if NOTHING_TO_DO.search(n))
      status = "skipped" if reason else status
    if self.where:
      name = "%s: %s" % (self.where, name)
    count = self._seen[name] = self._seen.get(name, 0) + 1
    json.dump({"name": name if count == 1 else "%s #%d" % (name, count),
               "status": status, "reason": " ".join(reason.split())[:400],
               "seconds": round(seconds, 1)}, self._output)
    self._output.write("\n")
    self._output.flush()


def _expire(*_):
  raise LabError("not done after %d s" % LIMIT)


class Suite(object):
  """The suite, whose C{RunTest} and C{RunTestBlock} go on after a failure."""

  def __init__(self, folder, results):
    """Import it.

    @param folder: the one with C{qa}
    @param results: L{Results}

    """
    self._results = results
    self._inside = False
    # as when it is started by its name; it imports by both ways
    sys.path[:0] = [folder + "/qa", folder, cluster.TREE]
    # PyYAML 6 wants to be told a loader, and the suite of 3.0 tells none
    load = yaml.load
    yaml.load = lambda text, Loader=yaml.SafeLoader: load(text, Loader)
    from ganeti import constants
    constants.DT_PLAIN = qa_settings.PLAIN
    loader = importlib.machinery.SourceFileLoader(
      "ganeti_qa_main", folder + "/qa/ganeti-qa.py")
    spec = importlib.util.spec_from_loader(loader.name, loader)
    self._main = importlib.util.module_from_spec(spec)
    loader.exec_module(self._main)
    self._run_test = self._main.RunTest
    self._run_instance_tests = self._main.RunInstanceTests
    self._main.RunTest = self.run_test
    self._main.RunTestBlock = self.run_block
    self._main.RunInstanceTests = lambda: None
    self._set_up_cluster = self._main.SetupCluster
    self._main.SetupCluster = self.set_up
    self._main.ReportTestSkip = lambda description, names: None
    self._verify = self._main.qa_cluster.AssertClusterVerify
    self._main.qa_cluster.AssertClusterVerify = self.verify
    # there is no firewall to clean
    self._main.qa_iptables.CleanRules = lambda nodes: None
    # where DT_PLAIN is a file, its storage is not LVM's
    supported = self._main.qa_config.IsStorageTypeSupported
    self._main.qa_config.IsStorageTypeSupported = lambda storage: (
      storage == constants.ST_LVM_VG or supported(storage))
    for name in ("qa.qa_utils", "qa_utils"):
      module = sys.modules[name]
      module.FormatInfo = self._noting(module.FormatInfo,
                                       self._results.note)
      module._PrintCommandOutput = self._noting(  # pylint: disable=W0212
        module._PrintCommandOutput,  # pylint: disable=W0212
        self._results.note_output)

  @staticmethod
  def _noting(function, note):
    def _noted(*args):
      note(*args)
      return function(*args)
    return _noted

  def run_test(self, function, *args, **kwargs):
    """Run a test, and go on where it fails.

    @raise Exception: where it fails and later tests need what it returns

    """
    name = getattr(args[0], "name", args[0]) if args else None
    if not isinstance(name, str) or not name.startswith("vm"):
      name = None
    before = instance_state(name) if name else (None, )
    should_run = {"TestInstanceStartup": True, "TestRapiInstanceStartup": True,
                  "TestInstanceShutdown": False,
                  "TestRapiInstanceShutdown": False}.get(
                    function.__name__, before[0] == "running")
    attempts = qa_settings.ATTEMPTS if function.__name__ in (
      qa_settings.RACY) else 1
    self._results.begin()
    started = time.monotonic()
    for left in reversed(range(attempts)):
      (result, err) = self._attempt(function, args, kwargs)
      if err is None:
        self._results.add(function.__name__, "passed",
                          seconds=time.monotonic() - started)
        return result
      if left and name:
        settle(name, before, should_run)
    self._results.add(function.__name__, "FAILED", self._results.reason(err),
                      time.monotonic() - started)
    if "Add" in function.__name__ or "MultiAlloc" in function.__name__:
      remove_all()
      raise err
    if name and "Remove" in function.__name__:
      cluster.Instance(name).remove(check=False)
    elif name:
      settle(name, before, should_run)
    # an export's name is that of its instance
    return name

  def _attempt(self, function, args, kwargs):
    """Run a test once.

    @return: what it returns and None, or None and the exception

    """
    self._inside = True
    signal.alarm(LIMIT)
    try:
      return (self._run_test(function, *args, **kwargs), None)
    except Exception as err:  # pylint: disable=W0703
      return (None, err)
    finally:
      signal.alarm(0)
      self._inside = False

  def run_block(self, function, *args, **kwargs):
    """Run some tests, and go on where the block itself fails."""
    try:
      return function(*args, **kwargs)
    except Exception as err:  # pylint: disable=W0703
      self._results.begin()
      self._results.add(function.__name__, "FAILED",
                        "%s: %s" % (type(err).__name__, err))
      return None

  def verify(self, *args, **kwargs):
    """C{gnt-cluster verify}, which is no test where it is called alone."""
    if self._inside:
      return self._verify(*args, **kwargs)
    self._verify.__name__ = "AssertClusterVerify"
    return self.run_test(self._verify, *args, **kwargs)

  def set_up(self):
    """The suite's C{SetupCluster}, and the instance tests at once after it.

    They are what a run is for; the suite has them late.

    """
    self._set_up_cluster()
    self.run_block(self.run_instance_tests)

  def run_instance_tests(self):
    """The suite's instance tests, one disk template after the other."""
    instance = self._main.qa_instance
    config = self._main.qa_config.GetConfig()
    everything = instance.available_instance_tests
    entries = dict((entry[1], entry) for entry in everything
                   if self._main.qa_config.TestEnabled(entry[0]))
    for template in os.environ["TEMPLATES"].split(","):
      entry = entries[template]
      instance.available_instance_tests = [entry]
      config["file-storage-dir"] = qa_settings.STORAGE[template]
      self._results.where = template
      self.run_block(self._run_instance_tests)
      if template == "sharedfile":
        self.run_block(self._nodes)
      instance.available_instance_tests = everything
      self._results.where = ""
      remove_all()

  def _nodes(self):
    """What the suite does with the nodes of an instance that has two.

    One with shared disks can go from node to node, but has no second node, so
    the suite leaves that out.

    """
    (first, second) = self._main.qa_config.get("nodes")
    instance = self.run_test(
      self._main.qa_instance.TestInstanceAddSharedFile, [first])
    for test in (self._main.qa_node.TestNodeFailover,
                 self._main.qa_node.TestNodeMigrate):
      self.run_test(test, first, second)
    self.run_test(self._main.qa_instance.TestInstanceRemove, instance)
    instance.Release()

  def run(self, settings):
    """Run it.

    @param settings: file with its configuration

    """
    self._main.qa_config.Load(settings)
    self._main.UsesRapiClient(lambda: self.run_block(self._main.RunQa))()


def main(argv):
  """Run the suite; the exit status is 0, whatever it found."""
  signal.signal(signal.SIGALRM, _expire)
  output = os.fdopen(os.dup(1), "w", encoding="utf-8")
  os.dup2(2, 1)
  sys.stdout.reconfigure(line_buffering=True)
  (folder, plugged) = (os.path.abspath(argv[0]), "--plugin" in argv)
  prepare("/srv/lab/qa")
  if plugged:
    cluster.plugin("enable")
    gnt("cluster", "modify", "-H", "kvm:kvm_pci_reservations=8")
  results = Results(output)
  Suite(folder, results).run("/srv/lab/qa/settings.json")
  remove_all()
  if plugged:
    for (node, result) in sorted(cluster.plugin("status").items()):
      print("%s:\n%s" % (node, result.output))
  subprocess.call(["tail", "-n", "30", "/var/log/ganeti/node-daemon.log"])
  return 0


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
