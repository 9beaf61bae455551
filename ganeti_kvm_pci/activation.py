"""Enable, disable, and tell whether the plugin is on.

What enables it is one C{.pth} file, which Python executes at its start (see
L{hook}). It names the folder that the package is in, so that the package may
lie anywhere on the node.

"""

import os
import subprocess
import tempfile
import time

from . import clock
from . import node
from . import series
from .errors import GanetiError
from .errors import NodeError

_PTH = "ganeti-kvm-pci.pth"

#: Every Python process of the node runs this when it starts. So it imports
#: nothing; L{hook} is loaded when C{ganeti.hypervisor} is about to be, from a
#: folder that is not left on the path. Where the package has gone, stock it is;
#: where it is damaged as well, but not in silence.
_SENTINEL = """\
class GanetiKvmPci(object):
  def _Wake(self):
    sys.path.insert(0, %(folder)r)
    try:
      from ganeti_kvm_pci import hook
      return hook.Finder(self)
    except ImportError:
      return None
    except Exception:
      if sys.stderr:
        sys.stderr.write("ganeti-kvm-pci stays off: %%s\\n" %%
                         sys.exc_info()[1])
      return None
    finally:
      sys.path.remove(%(folder)r)
  def find_spec(self, name, path=None, target=None):
    if name == "ganeti.hypervisor":
      finder = self._Wake()
      return finder and finder.find_spec(name, path, target)
  def find_module(self, name, path=None):
    if name == "ganeti.hypervisor":
      return self._Wake()
sys.meta_path.insert(0, GanetiKvmPci())
"""

#: How long the node daemon may take to come up again, in seconds.
_RESTART_LIMIT = 20


def pth_path():
  """Return the path of the C{.pth} file.

  @raise NodeError: if the daemons' Python cannot be asked

  """
  return os.path.join(node.site_dir(), _PTH)


def pth_line():
  """Return what the C{.pth} file has to say.

  @rtype: string
  @return: one line; Python executes lines of such files that begin with
      C{import}

  """
  source = _SENTINEL % {"folder": node.package_parent()}
  return "import sys; exec(%r, {'sys': sys})\n" % source


def _read(path):
  try:
    with open(path) as stream:
      return stream.read()
  except EnvironmentError:
    return None


def enable():
  """Write the C{.pth} file.

  @rtype: tuple (string, bool)
  @return: its path, and whether anything had to be changed
  @raise NodeError: if it cannot be written

  """
  path = pth_path()
  if _read(path) == pth_line():
    return (path, False)
  folder = os.path.dirname(path)
  try:
    if not os.path.isdir(folder):
      os.makedirs(folder)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix="." + _PTH)
    try:
      with os.fdopen(handle, "w") as stream:
        stream.write(pth_line())
        stream.flush()
        os.fchmod(stream.fileno(), 0o644)
        os.fsync(stream.fileno())
      os.rename(temporary, path)
    except BaseException:
      os.unlink(temporary)
      raise
  except EnvironmentError as err:
    raise NodeError("cannot write %s: %s" % (path, err.strerror))
  return (path, True)


def disable():
  """Remove the C{.pth} file.

  @rtype: tuple (string, bool)
  @return: its path, and whether it was there
  @raise NodeError: if it cannot be removed

  """
  path = pth_path()
  if not os.path.lexists(path):
    return (path, False)
  try:
    os.unlink(path)
  except EnvironmentError as err:
    raise NodeError("cannot remove %s: %s" % (path, err.strerror))
  return (path, True)


class Status(object):
  """What is installed and what runs on this node.

  @ivar release: string, Ganeti's version
  @ivar series: string, e.g. "3.0"
  @ivar unfit: string, why the plugin does not act on this Ganeti, or None
  @ivar python: string, the daemons' Python
  @ivar pth: string, path of the C{.pth} file
  @ivar hooked: bool, whether it is there
  @ivar elsewhere: bool, whether it is there but for a package elsewhere
  @ivar pid: int, the node daemon's process, or None if it does not run
  @ivar loaded: bool, whether that process has the plugin
  @ivar stale: bool, whether it has an older copy of the plugin's file

  """
  def __init__(self):
    """Look.

    Ganeti must be importable (see L{node.become_daemon_python}).

    @raise NodeError: if there is no Ganeti

    """
    try:
      from ganeti import constants
      from ganeti.hypervisor import hv_kvm
    except ImportError as err:
      raise NodeError("Ganeti does not import: %s" % err)
    self.unfit = None
    self.release = self.series = "?"
    try:
      self.release, numbers = series.version(constants)
      self.series = "%d.%d" % numbers
      series.check(constants, hv_kvm)
    except GanetiError as err:
      self.unfit = str(err)
    self.python = node.daemon_python()
    self.pth = pth_path()
    line = _read(self.pth)
    self.hooked = line is not None
    self.elsewhere = self.hooked and line != pth_line()
    self.pid = node_daemon_pid()
    self.loaded, self.stale = _marks(self.pid)

  def consistent(self):
    """Tell whether what runs is what is installed."""
    if self.pid is None:
      return not (self.hooked and self.unfit)
    return (self.loaded == self.hooked and not self.stale and
            not (self.hooked and self.unfit))

  def lines(self):
    """Say it to an administrator.

    @rtype: list of strings

    """
    fits = "supported"
    if self.unfit:
      fits = "not supported, the plugin leaves it alone: " + self.unfit
    found = ["Ganeti       %s (series %s): %s" % (self.release, self.series,
                                                  fits),
             "Python       %s" % self.python,
             "hook         %s %s%s" %
             ("in place:" if self.hooked else "absent:", self.pth,
              " (for another copy of the package)" if self.elsewhere else "")]
    if self.pid is None:
      daemon = "not running"
    else:
      daemon = "running (pid %d), %s the plugin" % (
        self.pid, "with" if self.loaded else "without")
      if self.stale:
        daemon += ", an older copy"
      if not self.consistent() and not self.unfit:
        daemon += "; restart it (enable --restart or disable --restart)"
    found.append("node daemon  " + daemon)
    return found


def node_daemon_pid():
  """Return the process of the running node daemon, or None.

  @rtype: int or None

  """
  from ganeti import constants
  from ganeti import utils
  pid = utils.ReadPidFile(utils.DaemonPidFileName(constants.NODED))
  return pid if pid > 0 and utils.IsProcessAlive(pid) else None


def _marks(pid):
  """Look for the marks of L{hook} in a process.

  @rtype: tuple of two bools
  @return: whether it has the plugin, and whether that copy was replaced since

  """
  if pid is None:
    return (False, False)
  text = _read("/proc/%d/maps" % pid)
  if text is None:
    raise NodeError("cannot look into the node daemon (pid %d): run this as"
                    " root" % pid)
  marks = [line for line in text.splitlines()
           if "/ganeti_kvm_pci/hypervisor.py" in line]
  return (bool(marks), any(line.endswith("(deleted)") for line in marks))


def restart(expect_loaded):
  """Restart the node daemon.

  Instances are not touched; jobs that talk to this node at that moment fail.

  @type expect_loaded: bool
  @param expect_loaded: whether it should have the plugin afterwards
  @raise NodeError: if it does not come up, or not as expected

  """
  from ganeti import constants
  from ganeti import pathutils
  # what this process needed to import is not the daemon's business
  environment = dict((k, v) for k, v in os.environ.items()
                     if not k.startswith(("PYTHON", node.REEXEC)))
  for action in ("stop", "start"):
    process = subprocess.Popen(
      [pathutils.DAEMON_UTIL, action, constants.NODED],
      env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.communicate()[0].decode("utf-8", "replace").strip()
    if process.returncode:
      raise NodeError("daemon-util %s %s failed: %s" %
                      (action, constants.NODED, output or "no message"))
  deadline = clock.monotonic() + _RESTART_LIMIT
  while clock.monotonic() < deadline:
    pid = node_daemon_pid()
    if pid is not None and _marks(pid)[0] == expect_loaded:
      return
    time.sleep(0.1)
  if node_daemon_pid() is None:
    raise NodeError("the node daemon did not come up within %d s" %
                    _RESTART_LIMIT)
  raise NodeError("the node daemon runs, but %s the plugin; what it says of"
                  " it is in its log" %
                  ("without" if expect_loaded else "still with"))
