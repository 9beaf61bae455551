"""The lab seen from the host, as root: exit status, and what is left of it."""

import os
import pathlib
import select
import signal
import subprocess
import time

import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
UP = str(PROJECT / "lab" / "up")

pytestmark = [
  pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/usr/lib/ganeti"),
                     reason="needs root and Debian's ganeti package"),
  pytest.mark.skipif("LAB_NODE" in os.environ, reason="already in the lab"),
]


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
  """The guest, made once for all tests here."""
  path = tmp_path_factory.mktemp("guest")
  subprocess.run([str(PROJECT / "lab" / "guest"), str(path)], check=True)
  return str(path)


@pytest.mark.parametrize("command, status", [("true", 0), ("false", 1)])
def test_exit_status_is_the_commands(guest, command, status):
  assert subprocess.call([UP, "-n", "1", "-g", guest, command]) == status


def test_lab_that_does_not_come_up_has_a_status_of_its_own(tmp_path):
  # there is no guest in this directory
  assert subprocess.call([UP, "-n", "1", "-g", str(tmp_path), "true"]) == 99


def test_bare_nodes(guest, tmp_path):
  hello = tmp_path / "usr" / "local" / "hello"
  hello.parent.mkdir(parents=True)
  hello.write_text("hello from the tree\n")
  script = ("cat; pwd; hostname; ! touch lab/x || exit 3;"
            " touch /usr/local/mine; ssh -n node2 'hostname;"
            " cat /usr/local/hello; ls /usr/local/mine'")
  done = subprocess.run(
    [UP, "-b", "-g", guest, "-l", str(tmp_path), "bash", "-c", script],
    input="standard input\n", stdout=subprocess.PIPE, encoding="utf-8")
  assert done.returncode == 2, "node2 sees a file of node1's /usr"
  assert done.stdout.splitlines() == [
    "standard input", "/srv/project", "node1.gnt.test", "node2.gnt.test",
    "hello from the tree"]
  assert not os.path.exists("/usr/local/mine")


def test_a_node_waits_to_be_added(guest):
  script = ("ssh -n node3 ssh node2 hostname; echo $LAB_NODES $LAB_MEMBERS;"
            " PYTHONPATH=lab python3 -c 'import commands;"
            " print(commands.NODES, commands.SPARE)'")
  done = subprocess.run(
    [UP, "-b", "-n", "3", "-c", "2", "-g", guest, "bash", "-c", script],
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8")
  assert (done.returncode, done.stdout.splitlines()) == (0, [
    "node2.gnt.test", "3 2", "['node1', 'node2'] ['node3']"])


@pytest.mark.parametrize("options", [["-n", "4"], ["-n", "2", "-c", "3"],
                                     ["-c", "0"]])
def test_nodes_that_there_cannot_be(options):
  done = subprocess.run([UP] + options + ["true"], stderr=subprocess.PIPE)
  assert done.returncode == 64


NAMESPACES = ("mnt", "net", "pid", "uts", "ipc")


def _namespaces(pid):
  """Tell a process's namespaces; none if it has ended or is a zombie."""
  try:
    return {os.readlink("/proc/%s/ns/%s" % (pid, name)) for name in NAMESPACES}
  except OSError:
    return set()


def _pids():
  return [pid for pid in os.listdir("/proc") if pid.isdigit()]


def _parent(pid):
  try:
    stat = pathlib.Path("/proc", pid, "stat").read_text()
  except OSError:
    return None
  return stat.rpartition(")")[2].split()[1]


def _made_by(pid, host):
  """Tell the namespaces that a process has made for its descendants.

  @param host: a process that has what it was started with

  """
  parents = {pid: _parent(pid) for pid in _pids()}
  family = {str(pid)}
  while True:
    more = {child for (child, parent) in parents.items() if parent in family}
    if more <= family:
      break
    family |= more
  return set().union(*map(_namespaces, family)) - _namespaces(host)


def _is_inhabited(namespaces):
  """Tell whether a process runs on in some of them.

  One alone may be another's by now: the kernel gives a number again.

  """
  return any(len(_namespaces(pid) & namespaces) > 1 for pid in _pids())


@pytest.fixture
def host():
  """Provide a process for whose mounts a lab's would show, and nobody else's.

  They are shared with those who start from there, like those of any host.

  """
  script = """
for how in rprivate rshared; do
  # see lab/up: in a chroot, / need not be a mount point
  mount --make-$how / 2> /dev/null ||
    nsenter --mount=/proc/self/ns/mnt mount --make-$how /
done
echo ready
exec sleep infinity
"""
  process = subprocess.Popen(
    ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation",
     "unchanged", "sh", "-ec", script], stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE)
  with process.stdout:
    assert process.stdout.readline() == b"ready\n"
    yield str(process.pid)
  process.kill()
  process.wait()


def _traces(host, temporary):
  """Tell what a lab could leave behind, other than processes.

  @param host: a process whose mounts are the lab's host's
  @param temporary: the lab's folder for temporary files

  """
  mounts = pathlib.Path("/proc", host, "mountinfo").read_text()
  links = os.listdir("/sys/class/net")
  loops = sorted(str(loop) for loop in pathlib.Path("/sys/block").glob(
    "loop*/loop/backing_file"))
  files = []
  for place in ("/srv", "/run", "/root/.ssh", "/etc/ganeti", "/etc/ssh",
                "/var/lib/ganeti", "/var/log/ganeti", str(PROJECT / "lab")):
    for (directory, _, names) in os.walk(place):
      files.extend(os.path.join(directory, name) for name in names)
  return {"mounts": mounts, "links": links, "loops": loops,
          "netns": os.path.isdir("/run/netns") and os.listdir("/run/netns"),
          "temporary": os.listdir(str(temporary)), "files": sorted(files)}


def _wait_for(stream, text, timeout=240):
  deadline = time.monotonic() + timeout
  seen = b""
  while text not in seen:
    left = deadline - time.monotonic()
    assert left > 0 and select.select([stream], [], [], left)[0], seen
    data = os.read(stream.fileno(), 4096)
    assert data, seen
    seen += data


@pytest.mark.parametrize("moment, kill", [
  (b"starting", signal.SIGKILL),
  (b"cluster is initialised", signal.SIGKILL),
  (b"COMMAND RUNS", signal.SIGKILL),
  (b"COMMAND RUNS", signal.SIGTERM),
])
def test_nothing_is_left_of_a_lab_that_was_killed(moment, kill, host, tmp_path):
  options = [] if b"cluster" in moment else ["-b"]
  traces = _traces(host, tmp_path)
  lab = subprocess.Popen(
    ["nsenter", "--target", host, "--mount", "--root", "--wd", UP] + options +
    ["bash", "-c", "echo COMMAND RUNS >&2; exec sleep 1000"],
    stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0,
    env=dict(os.environ, TMPDIR=str(tmp_path)))
  try:
    _wait_for(lab.stderr, moment)
    namespaces = _made_by(lab.pid, host)
    assert len(namespaces) >= len(NAMESPACES)
    assert _traces(host, tmp_path)["mounts"] == traces["mounts"]
    lab.send_signal(kill)
    lab.wait(timeout=120)
  finally:
    lab.kill()
    lab.wait()
    lab.stderr.close()
  deadline = time.monotonic() + 240
  while _is_inhabited(namespaces):
    assert time.monotonic() < deadline, "processes are left"
    time.sleep(0.05)
  # the kernel may unmount a moment after the last process has ended
  while _traces(host, tmp_path) != traces and time.monotonic() < deadline:
    time.sleep(0.05)
  assert _traces(host, tmp_path) == traces
