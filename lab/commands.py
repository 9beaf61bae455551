"""Running commands on the lab's nodes, Ganeti's above all."""

import collections
import os
import shlex
import subprocess
import time

_ALL = ["node1", "node2", "node3"][:int(os.environ.get("LAB_NODES", 1))]

#: Those of the cluster, and those that wait to be added to it
NODES = _ALL[:int(os.environ.get("LAB_MEMBERS", 1))]
SPARE = _ALL[len(NODES):]

#: What a command gave: exit status, and standard output and error together
Result = collections.namedtuple("Result", ["returncode", "output"])


class LabError(Exception):
  """Something did not go as a scenario wants it."""


def _run(argv, check, timeout):
  try:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, encoding="utf-8", errors="replace")
  except subprocess.TimeoutExpired as err:
    raise LabError("%s: not done after %s s\n%s" %
                   (shlex.join(argv), timeout, err.output))
  if check and done.returncode != 0:
    raise LabError("%s: exit status %d\n%s" %
                   (shlex.join(argv), done.returncode, done.stdout))
  return Result(done.returncode, done.stdout)


def gnt(command, *args, check=True, timeout=300):
  """Run one of Ganeti's commands.

  Many of them exit with 0 and a warning where something has failed.

  @param command: what follows C{gnt-}, e.g. C{instance}
  @param args: its arguments
  @param check: whether to raise L{LabError} if the exit status is not 0
  @param timeout: seconds it may take
  @return: L{Result}

  """
  return _run(["gnt-" + command] + [str(arg) for arg in args], check, timeout)


def begin_gnt(command, *args):
  """Begin one of Ganeti's commands, and go on while it runs.

  @param command: what follows C{gnt-}, e.g. C{instance}
  @param args: its arguments
  @rtype: C{subprocess.Popen}
  @return: the command; its standard output has standard error, too

  """
  return subprocess.Popen(["gnt-" + command] + [str(arg) for arg in args],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8")


def argv_on(node, argv):
  """Tell the command that runs a command on a node."""
  if node == os.environ["LAB_NODE"]:
    return list(argv)
  return ["ssh", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", node,
          shlex.join(argv)]


def on(node, *argv, check=True, timeout=120):
  """Run a command on a node.

  @param node: C{node1}, C{node2} or C{node3}
  @param argv: the command and its arguments
  @param check: whether to raise L{LabError} if the exit status is not 0
  @param timeout: seconds it may take
  @return: L{Result}

  """
  return _run(argv_on(node, argv), check, timeout)


def write_file(node, path, text, mode=None):
  """Write a file on a node.

  @param mode: its permissions, as C{chmod} takes them; none for the same as
      before, or the usual ones

  """
  chmod = ' && chmod %s "$2"' % mode if mode else ""
  on(node, "sh", "-c", 'printf %s "$1" > "$2"' + chmod, "sh", text, path)


def daemon_util(node, action, daemon="ganeti-noded", check=True):
  """Start, stop or check one of Ganeti's daemons on a node.

  @param action: of Ganeti's C{daemon-util}
  @param check: whether to raise L{LabError} if the exit status is not 0
  @return: L{Result}

  """
  return on(node, "/usr/lib/ganeti/daemon-util", action, daemon, check=check)


#: As long as anything may take on a busy host, in seconds.
PATIENCE = 600


def wait_until(predicate, what, timeout=PATIENCE, interval=0.2):
  """Wait until something is true.

  @param predicate: function without arguments
  @param what: what is waited for, for the error message
  @param timeout: seconds to wait
  @param interval: seconds between two looks
  @return: the first true value that C{predicate} returns

  """
  deadline = time.monotonic() + timeout
  while True:
    value = predicate()
    if value:
      return value
    if time.monotonic() > deadline:
      raise LabError("not within %s s: %s" % (timeout, what))
    time.sleep(interval)


def signal_node_daemon(node, name, check=True):
  """Send a signal to a node daemon, not to the processes it has forked."""
  on(node, "sh", "-c", "kill -%s $(cat /run/ganeti/ganeti-noded.pid)" % name,
     check=check)


def start_node_daemon(node):
  """Start a node daemon that has died, and wait until it answers."""
  # a dead daemon's children may hold its port for a moment
  wait_until(lambda: daemon_util(node, "start", check=False).returncode == 0,
             "%s: the node daemon starts" % node, interval=1)

  def answers():
    found = gnt("node", "list", "--no-headers", "-o", "mtotal",
                node + ".gnt.test", check=False)
    return found.returncode == 0 and found.output.strip() not in ("", "?")

  wait_until(answers, "%s answers" % node, interval=1)
