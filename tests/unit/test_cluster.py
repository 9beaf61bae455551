"""A whole cluster, asked by commands that stand in for Ganeti's.

They are programs on PATH; what they know and note are files in a folder.

"""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

import host
from ganeti_kvm_pci.node import cluster

#: Asks a node as the file of its name says.
GNT_CLUSTER = """\
echo $$ >> %(folder)s/pids
test "$1 $2" = "command -n" || exit 1
echo "$@" >> %(folder)s/asked
echo ------------------------------------------------
sh %(folder)s/nodes/$3 "$3"
"""

#: Notes tags as files; those of one instance may not be changed by two at once.
GNT_INSTANCE = """\
echo $$ >> %(folder)s/pids
verb=$1 name=$2
if [ $verb = list ]; then
  cat %(folder)s/list
  exit
fi
shift 2
mkdir %(folder)s/lock.$name || exit 9
echo $verb $name >> %(folder)s/jobs
sleep ${GNT_SLEEP:-0}
while [ -e %(folder)s/hold.$name ]; do
  sleep 0.05
done
rmdir %(folder)s/lock.$name
if [ -e %(folder)s/refuse.$name ]; then
  echo "Failure: $name is locked" >&2
  exit 1
fi
for tag; do
  if [ $verb = add-tags ]; then
    touch %(folder)s/tags/$name:$tag
  else
    rm %(folder)s/tags/$name:$tag || exit 8
  fi
done
"""

ANSWER = 'echo "node: $1"; cat %s; echo; echo "return code = 0"\n'


def document(*names):
  """What a node prints of its instances, each with one disk."""
  return json.dumps({"error": None, "instances": [
    {"instance": name, "error": None, "devices": [
      {"class": "disk", "index": 0, "tag": "kvm-pci:disk:0000d150:4"}]}
    for name in names]}, indent=2)


class Cluster(object):
  def __init__(self, folder):
    self.folder = folder
    for name in ("nodes", "tags", "bin"):
      folder.mkdir(name)
    for name, text in (("gnt-cluster", GNT_CLUSTER),
                       ("gnt-instance", GNT_INSTANCE)):
      path = folder.join("bin", name)
      path.write("#!/bin/sh\n" + text % {"folder": folder})
      path.chmod(0o755)
    folder.ensure("list")
    folder.ensure("jobs")
    self.path = "%s:%s" % (folder.join("bin"), os.environ["PATH"])

  def node(self, name, script=None, instances=()):
    """Add a node.

    @param script: what asking it does; by default, it tells its instances

    """
    answer = self.folder.join(name + ".json")
    answer.write(document(*instances))
    self.folder.join("nodes", name).write(script or ANSWER % answer)
    with open(str(self.folder.join("list")), "a") as stream:
      for one in instances:
        stream.write("%s|%s|kvm|-\n" % (one, name))

  def tags(self):
    return len(self.folder.join("tags").listdir())

  def jobs(self):
    return self.folder.join("jobs").read().splitlines()

  def command(self, *args, **options):
    """Start the command.

    @rtype: subprocess.Popen

    """
    environment = dict(os.environ, PATH=self.path, PYTHONPATH=host.compiled(),
                       PYTHONDONTWRITEBYTECODE="1",
                       GNT_SLEEP=str(options.pop("job", 0)))
    return subprocess.Popen(
      [sys.executable, "-c", "import sys; from ganeti_kvm_pci.node import"
       " installation; installation.become_daemon_python = lambda *_: None;"
       " from ganeti_kvm_pci.node import turns; turns._folder = lambda: %r;"
       " from ganeti_kvm_pci.cli import main; sys.exit(main())" % str(
         self.folder.ensure("turns", dir=True))] + list(args),
      env=environment, stdout=subprocess.PIPE,
      stderr=options.pop("stderr", subprocess.PIPE))

  def run(self, *args, **options):
    """Run the command; return exit status, output, errors."""
    process = self.command(*args, **options)
    out, err = process.communicate()
    return process.returncode, out.decode(), (err or b"").decode()

  def left(self):
    """List the processes of the commands that run on.

    What is killed may take a moment on a busy host.

    """
    patience = time.time() + 20
    while True:
      pids = self.folder.join("pids").read().split()
      found = [pid for pid in pids if os.path.exists("/proc/" + pid)]
      if not found or time.time() > patience:
        return found
      time.sleep(0.01)


@pytest.fixture
def made(tmpdir, monkeypatch):
  found = Cluster(tmpdir)
  monkeypatch.setenv("PATH", found.path)
  return found


#: How nodes fail: what asking does, and what is said of it.
FAILURES = {
  "hangs": ("sleep 60", "no answer within 8 s"),
  "down": ('echo "node: $1"; echo; echo "return code = 255"',
           "ssh does not get there (status 255)"),
  "slow": ('echo "node: $1"; echo; echo "return code = 124"',
           "ganeti-kvm-pci map took more than 8 s there"),
  "offline": ('echo "Note: skipping offline node(s): $1" >&2',
              "asked no node: Note: skipping offline node(s): offline"),
  "unknown": ('echo "Failure: prerequisites not met" >&2; exit 1',
              "gnt-cluster command exits with status 1: Failure:"
              " prerequisites not met"),
  "bare": ('echo "node: $1"; echo "timeout: failed to run command";'
           ' echo "return code = 127"',
           "does not work there: timeout: failed to run command"),
  "rubbish": ('echo "node: $1"; head -c 5000 /bin/sh; echo "return code = 0"',
              "ganeti-kvm-pci map does not work there: "),
  "half": ('echo "node: $1"; echo "{"; echo "  \\"error\\": nu"',
           'does not work there: { "error": nu'),
  "silent": ("true", "asked no node: it prints nothing"),
  }


def test_each_node_that_fails_says_why(made):
  for name, (script, _) in FAILURES.items():
    made.node(name, script)
  made.node("fine", instances=["a"])
  begun = time.time()
  found = cluster.ask(list(FAILURES) + ["fine"], ["map", "--json"], 8)
  assert time.time() - begun < 30
  assert made.left() == []
  assert found.pop("fine")["instances"][0]["instance"] == "a"
  assert set(found) == set(FAILURES)
  for name, (_, words) in FAILURES.items():
    assert words in found[name]
    assert len(found[name]) < 300 and "\n" not in found[name]


def test_what_surrounds_the_document_does_not_matter(made):
  made.node("a", 'echo "node: $1"; echo "Welcome"; echo "{"; echo "}";'
            ' echo "{"; echo "  x"; echo \'%s\'; echo "bye {}"' % document("vm1"))
  # the first object is not always the document
  found = cluster.maps(["a"])
  assert found == {"a": "ganeti-kvm-pci map prints what is no map"}
  made.node("a", 'echo "node: $1"; echo "{"; echo "  motd";'
            ' echo \'%s\'; echo "bye {}"' % document("vm1"))
  assert list(cluster.maps(["a"])["a"]) == ["vm1"]


def test_words_reach_the_node_as_they_are(made):
  made.node("a")
  cluster.ask(["a"], ["check", "--live", "x y;z"], 7)
  assert made.folder.join("asked").read() == (
    "command -n a timeout -k 5 7 ganeti-kvm-pci check --live 'x y;z'\n")


def test_a_hundred_nodes_are_asked_side_by_side(made, monkeypatch):
  names = ["node%d" % number for number in range(100)]
  for name in names:
    made.node(name, "sleep 0.6\n" + ANSWER % made.folder.join(name + ".json"))
  made.node("node50", "sleep 60")
  told = []
  begun = time.time()
  found = cluster.ask(names, ["map", "--json"], 8,
                      lambda done, total: told.append((done, total)))
  assert time.time() - begun < 40 # one after another: 60
  assert told == [(number, 100) for number in range(101)]
  assert [name for name in names if not isinstance(found[name], dict)] == [
    "node50"]
  assert made.left() == []


def test_no_node_is_no_question(made):
  assert cluster.ask([], ["map"], 5) == cluster.maps([]) == {}


def test_without_ganeti_it_says_where_to_run(monkeypatch, tmpdir):
  monkeypatch.setenv("PATH", str(tmpdir))
  assert cluster.ask(["a"], ["map"], 5)["a"] == (
    "cannot run gnt-cluster: No such file or directory; run this on the master")


def test_a_whole_cluster_is_frozen_but_what_cannot_be(made):
  for number in range(20):
    made.node("node%d" % number, instances=["vm%d-%d" % (number, one)
                                            for one in range(3)])
  made.node("down", FAILURES["down"][0], ["vm-down"])
  made.folder.ensure("refuse.vm7-1")
  begun = time.time()
  status, out, err = made.run("freeze", "--all", job=1)
  # one after another, the jobs alone would take 60 s
  assert time.time() - begun < 50
  assert status == 2
  assert sorted(err.splitlines()) == [
    "ganeti-kvm-pci: vm-down: node down: ssh does not get there (status 255)",
    "ganeti-kvm-pci: vm7-1: gnt-instance add-tags exits with status 1: Failure:"
    " vm7-1 is locked"]
  assert out.count(": frozen (1 devices)") == made.tags() == 59
  assert made.left() == []


def test_the_report_keeps_the_order_of_the_instances(made):
  names = ["vm%02d" % number for number in range(12)]
  made.node("a", instances=names)
  made.folder.ensure("refuse.vm03")
  status, out, _ = made.run("freeze", "--all", "--json")
  found = json.loads(out)["instances"]
  assert status == 2
  assert [one["instance"] for one in found] == names
  assert [one["instance"] for one in found if one["error"]] == ["vm03"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_freeze_goes_on_when_run_again(made, number):
  made.node("a", instances=["vm%d" % index for index in range(40)])
  # the jobs of all but eight end after the interrupt
  holds = [made.folder.ensure("hold.vm%d" % index) for index in range(8, 40)]
  process = made.command("freeze", "--all")
  while made.tags() < 8 and process.poll() is None:
    time.sleep(0.05)
  process.send_signal(number)
  # long enough for one that is impatient to end them
  time.sleep(0.5)
  for hold in holds:
    hold.remove()
  out, err = [text.decode() for text in process.communicate()]
  assert process.returncode == 2
  kept = made.tags()
  assert 8 <= kept < 40 and out.count("frozen (1 devices)") == kept
  assert err == (
    "ganeti-kvm-pci: interrupted: the tags of %d of 40 instances were changed;"
    " the same command goes on with the others\n" % kept)
  assert made.left() == []
  with open(str(made.folder.join("list")), "w") as stream:
    for one in range(40):
      mine = made.folder.join("tags", "vm%d:kvm-pci:disk:0000d150:4" % one)
      stream.write("vm%d|a|kvm|%s\n" % (one, mine.basename.split(":", 1)[1]
                                       if mine.check() else "-"))
  made.folder.join("jobs").write("")
  status, out, err = made.run("freeze", "--all")
  assert (status, err, made.tags()) == (0, "", 40)
  assert len(made.jobs()) == 40 - kept
  assert out.count("frozen already") == kept


def test_an_interrupt_while_nodes_are_asked_changes_nothing(made):
  made.node("a", "touch %s; sleep 60" % made.folder.join("here"), ["vm1"])
  process = made.command("freeze", "--all")
  while not made.folder.join("here").check() and process.poll() is None:
    time.sleep(0.05)
  process.send_signal(signal.SIGINT)
  out, err = [text.decode() for text in process.communicate()]
  assert (process.returncode, out, err) == (
    2, "", "ganeti-kvm-pci: interrupted\n")
  assert made.left() == [] and made.jobs() == []


def on_terminal(made, *args):
  """Run the command with its errors on a terminal; return what that got."""
  ours, its = pty.openpty()
  process = made.command(*args, stderr=its)
  os.close(its)
  found = b""
  try:
    while True:
      more = os.read(ours, 4096)
      if not more:
        break
      found += more
  except OSError: # Linux says so at the end
    pass
  os.close(ours)
  out = process.communicate()[0].decode()
  return process.returncode, out, found.decode()


def test_a_terminal_shows_how_far_it_is(made):
  for name in "abc":
    made.node(name, instances=["vm-%s%d" % (name, one) for one in range(4)])
  status, out, seen = on_terminal(made, "freeze", "--all")
  assert status == 0 and out.count("frozen (1 devices)") == 12
  parts = seen.split("\r\033[K")
  for words in ("nodes asked: 0 of 3", "nodes asked: 3 of 3",
                "instances changed: 0 of 12", "instances changed: 12 of 12"):
    assert words in parts
  # the last is erased at the end, and no line stays
  assert parts[-1] == "" and "\n" not in seen


def test_neither_a_program_nor_one_node_gets_a_line(made):
  made.node("a", instances=["vm1"])
  assert on_terminal(made, "freeze", "--all")[2] == ""
  made.node("b", instances=["vm2"])
  assert on_terminal(made, "freeze", "--all", "--json")[2] == ""
