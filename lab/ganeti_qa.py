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
from commands import LabError, gnt, on, wait_until

#: Seconds that one test may take; the longest takes some three minutes.
LIMIT = 900

#: What the suite says where a test finds that it has nothing to do.
NOTHING_TO_DO = re.compile(r"skipping|not supported|only supported|must specify")

#: The suite asks this before and after many tests. Beyond what it hands over,
#: an instance that runs has one QEMU, on its own node.
INSTANCE_CHECK = """#!/bin/sh
want=${INSTANCE_RUNNING:-0}
have=0
for node in node1 node2; do
  if ssh -n -o LogLevel=ERROR $node pgrep -f -- "'-name $INSTANCE_NAME[, ]'" \\
    > /dev/null; then have=$((have + 1)); on=$node; fi
done
[ $have = $want ] || { echo "$have QEMU instead of $want" >&2; exit 1; }
[ $want = 0 ] && exit 0
pnode=$(gnt-instance list --no-headers -o pnode $INSTANCE_NAME)
[ "$pnode" = $on.gnt.test ] || { echo "runs on $on, not $pnode" >&2; exit 1; }
"""

#: Commands that stand before those of the nodes: the kernel has no SysRq, which
#: C{gnt-cluster verify} calls an error; and the suite's own SSH client, which
#: has what it runs on its command line, is on a node here.
COMMANDS = {
  "gnt-cluster": """#!/bin/sh
[ "$1" != verify ] || { shift; set -- verify --ignore-errors=ENODESETUP "$@"; }
exec /usr/sbin/gnt-cluster "$@"
""",
  "pkill": """#!/bin/sh
[ "$1" != -f ] || set -- -f "^[^ ]*qemu.*$2"
exec /usr/bin/pkill "$@"
""",
}

BOUNDS = "/".join([
  "min:memory-size=128,cpu-count=1,disk-count=0,disk-size=512,nic-count=0,"
  "spindle-use=1",
  "max:memory-size=4096,cpu-count=8,disk-count=16,disk-size=65536,nic-count=8,"
  "spindle-use=12"])


def prepare(path):
  """Give the lab's nodes what the suite takes for granted.

  @param path: folder for what the suite reads

  """
  os.makedirs(path)
  with open(path + "/settings.json", "w", encoding="utf-8") as settings:
    json.dump(qa_settings.settings(os.environ.get("HVPARAMS") == "yes"),
              settings)
  with open(path + "/instance-check", "w", encoding="utf-8") as script:
    script.write(INSTANCE_CHECK)
  os.chmod(path + "/instance-check", 0o755)
  for node in cluster.NODES:
    for (name, script) in COMMANDS.items():
      on(node, "sh", "-c", 'printf %s "$1" > "$2" && chmod 755 "$2"', "sh",
         script, "/usr/local/sbin/" + name)
    # a node's own, while all else in /srv is shared
    on(node, "mount", "-t", "tmpfs", "-o", "mode=750", "lab",
       qa_settings.STORAGE["file"])
    # "Assume /sbin/init exists on all systems"
    on(node, "sh", "-c", "[ -e /sbin/init ] || touch /sbin/init")
    users = "/var/lib/ganeti/rapi/users"
    on(node, "sh", "-c", "echo ganeti-qa {CLEARTEXT}lab write > %s;"
       " chmod 644 %s" % (users, users))
  # Debian's listens on 127.0.0.1 only
  on("node1", "sh", "-c", "echo 'RAPI_ARGS=\"\"' >> /etc/default/ganeti")
  for action in ("stop", "start"):
    on("node1", "/usr/lib/ganeti/daemon-util", action, "ganeti-rapi")
  wait_until(lambda: on("node1", "sh", "-c", "ss -ltn | grep -q :5080",
                        check=False).returncode == 0, "RAPI listens")
  gnt("cluster", "modify", "--ipolicy-bounds-specs", BOUNDS)


class Results(object):
  """The results so far, printed one by one."""

  def __init__(self, output):
    """Begin.

    @param output: file that is written to

    """
    self._output = output
    self._seen = {}
    self._notes = []
    self.where = ""

  def note(self, text):
    """Remember what the suite says in a test."""
    self._notes.append(str(text))

  def begin(self):
    self._notes = []

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


def instance_state(name):
  """Tell an instance's status and primary node.

  @return: C{(None, None)} where there is no such instance

  """
  listed = gnt("instance", "list", "--no-headers", "--separator=|", "-o",
               "status,pnode", name, check=False)
  parts = listed.output.strip().split("|")
  return tuple(parts) if listed.returncode == 0 and len(parts) == 2 else (
    None, None)


def settle(name, before, should_run):
  """After a failed test, bring its instance to where the next expects it.

  @param before: what L{instance_state} said before the test
  @param should_run: whether it is to run

  """
  (status, node) = instance_state(name)
  if status is None:
    return
  if (status == "running") == should_run and node == before[1]:
    return
  print("lab: %s is %s on %s; settling" % (name, status, node))
  gnt("instance", "modify", "--online", name, check=False)
  gnt("instance", "shutdown", "--timeout=0", "--force", name, check=False)
  if node != before[1]:
    gnt("instance", "failover", "--force", "--ignore-consistency", name,
        check=False)
  if should_run:
    gnt("instance", "start", name, check=False)


def remove_all():
  """Remove what a part of the suite has left, and put the cluster right."""
  listed = gnt("instance", "list", "--no-headers", "-o", "name", check=False)
  for name in listed.output.split():
    print("lab: left behind: %s" % name)
    cluster.Instance(name).remove(check=False)
  templates = "sharedfile,file,diskless"
  gnt("cluster", "modify", "--enabled-disk-templates=" + templates,
      "--ipolicy-disk-templates=" + templates, check=False)
  gnt("cluster", "modify", "--user-shutdown=false", check=False)
  gnt("cluster", "modify", "--max-running-jobs=20", check=False)


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
    sys.path[:0] = [folder + "/qa", folder,
                    os.path.dirname(os.path.realpath("/usr/sbin/ganeti-noded"))]
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
      module.FormatInfo = self._noting(module.FormatInfo)

  def _noting(self, format_info):
    def _format(text):
      self._results.note(text)
      return format_info(text)
    return _format

  def run_test(self, function, *args, **kwargs):
    """Run a test, and go on where it fails.

    @raise Exception: where it fails and later tests need what it returns

    """
    name = getattr(args[0], "name", args[0]) if args else None
    if not isinstance(name, str) or not name.startswith("vm"):
      name = None
    before = instance_state(name) if name else (None, None)
    should_run = {"TestInstanceStartup": True, "TestRapiInstanceStartup": True,
                  "TestInstanceShutdown": False,
                  "TestRapiInstanceShutdown": False}.get(
                    function.__name__, before[0] == "running")
    self._results.begin()
    self._inside = True
    started = time.monotonic()
    signal.alarm(LIMIT)
    try:
      result = self._run_test(function, *args, **kwargs)
    except Exception as err:  # pylint: disable=W0703
      signal.alarm(0)
      self._results.add(function.__name__, "FAILED",
                        "%s: %s" % (type(err).__name__, err),
                        time.monotonic() - started)
      if "Add" in function.__name__ or "MultiAlloc" in function.__name__:
        remove_all()
        raise
      if name and "Remove" in function.__name__:
        cluster.Instance(name).remove(check=False)
      elif name:
        settle(name, before, should_run)
      # an export's name is that of its instance
      return name
    finally:
      signal.alarm(0)
      self._inside = False
    self._results.add(function.__name__, "passed",
                      seconds=time.monotonic() - started)
    return result

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
