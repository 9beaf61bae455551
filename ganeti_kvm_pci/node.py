"""What the plugin needs to know of the node it is on.

Where Ganeti is, which Python runs it, and where the instances' runtime files
are. All of it is found by looking, so that packages and source installations
of any series are served alike.

"""

import errno
import io
import os
import subprocess
import sys

from .errors import NodeError
from .errors import RecordError

_DAEMON = "ganeti-noded"
_DAEMON_DIRS = ["/usr/sbin", "/usr/local/sbin"]

#: Where runtime files lie unless Ganeti was configured otherwise.
RUN_DIR = "/var/run/ganeti"

#: Set in the environment of a command that has changed its Python already.
REEXEC = "GANETI_KVM_PCI_REEXEC"

# The folder must be in place before anything else is imported: what Python has
# there is the current folder, and this may run as root anywhere
_MAIN = ("import sys; sys.path[0] = %r; from ganeti_kvm_pci.cli import main;"
         " sys.exit(main())")
_SITE = ("import sys; sys.path.pop(0); import site, sysconfig;"
         " print((getattr(site, 'getsitepackages',"
         " lambda: [sysconfig.get_paths()['purelib']])())[0])")

_SUFFIX = ".runtime"

#: In bytes; genuine files with 16 disks and 8 NICs stay below 20 kB.
_MAX_RUNTIME = 16 << 20


def daemon_script():
  """Find the node daemon's program.

  @rtype: string
  @raise NodeError: if there is none

  """
  folders = os.environ.get("PATH", "").split(os.pathsep)
  for folder in _DAEMON_DIRS + [name for name in folders if name]:
    path = os.path.join(folder, _DAEMON)
    if os.path.exists(path):
      return path
  raise NodeError("no %s found in %s or PATH: is Ganeti installed on this"
                  " node?" % (_DAEMON, ", ".join(_DAEMON_DIRS)))


def daemon_python():
  """Find the Python that Ganeti's daemons use.

  @rtype: string
  @return: path of the interpreter, from the node daemon's first line
  @raise NodeError: if it cannot be told

  """
  script = daemon_script()
  try:
    with open(script, "rb") as stream:
      first = stream.readline().decode("utf-8", "replace")
  except EnvironmentError as err:
    raise NodeError("cannot read %s: %s" % (script, err))
  words = first[2:].split() if first.startswith("#!") else []
  if words and os.path.basename(words[0]) == "env":
    words = words[1:]
  if not words or "python" not in os.path.basename(words[0]):
    raise NodeError("%s does not say in its first line which Python runs it"
                    % script)
  return words[0]


def package_parent():
  """Return the folder that this package is imported from."""
  return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def is_rootly(folder):
  """Tell whether nobody but root can write to a folder and all above it.

  @rtype: bool

  """
  while True:
    status = os.stat(folder)
    # others may add to a sticky folder, but not replace what is in it
    if status.st_uid != 0 or (status.st_mode & 0o022 and
                              not status.st_mode & 0o1000):
      return False
    if folder == os.path.dirname(folder):
      return True
    folder = os.path.dirname(folder)


def make_ganeti_importable():
  """Let C{import ganeti} find what the node daemon would.

  Python puts the folder of the script, links resolved, first on its path;
  that is where Debian's packages keep the modules.

  @raise NodeError: if no Ganeti is installed

  """
  folder = os.path.dirname(os.path.realpath(daemon_script()))
  if folder not in sys.path:
    sys.path.insert(0, folder)


def become_daemon_python(argv):
  """Go on in the Python of Ganeti's daemons, unless this is it.

  Ganeti's modules import under that one only. Does not return if it has to
  change.

  @type argv: list of strings
  @param argv: the command's arguments
  @raise NodeError: if there is no Ganeti, or its Python does not start

  """
  python = daemon_python()
  make_ganeti_importable()
  try:
    import ganeti.hypervisor.hv_kvm # pylint: disable=unused-import
    return
  except ImportError as err:
    reason = err
  if os.environ.get(REEXEC):
    raise NodeError("Ganeti does not import under %s: %s" % (python, reason))
  environment = dict(os.environ)
  environment[REEXEC] = "1"
  # made for the Python that is left
  for name in ("PYTHONHOME", "PYTHONPATH"):
    environment.pop(name, None)
  try:
    os.execvpe(python, [python, "-c", _MAIN % package_parent()] + argv,
               environment)
  except OSError as err:
    raise NodeError("cannot run %s, the Python of Ganeti's daemons: %s" %
                    (python, err))


def site_dir():
  """Find where the daemons' Python looks for C{.pth} files.

  @rtype: string
  @raise NodeError: if it does not tell

  """
  try:
    output = subprocess.check_output([daemon_python(), "-E", "-c", _SITE])
  except (EnvironmentError, subprocess.CalledProcessError) as err:
    raise NodeError("cannot ask the daemons' Python for its site folder: %s" %
                    err)
  return output.decode("utf-8").strip()


def read_runtime(path):
  """Read a runtime file.

  @rtype: string
  @raise RecordError: if it cannot be read as text of a sane size

  """
  try:
    # a pipe or a device would never end
    if not os.path.isfile(path):
      raise RecordError(path, "no such file" if not os.path.exists(path)
                        else "not a regular file")
    if os.path.getsize(path) > _MAX_RUNTIME:
      raise RecordError(path, "larger than %d MB, that is no runtime file" %
                        (_MAX_RUNTIME >> 20))
    with io.open(path, encoding="utf-8") as stream:
      return stream.read()
  except EnvironmentError as err:
    raise RecordError(path, "cannot be read: %s" % err.strerror)
  except UnicodeDecodeError as err:
    raise RecordError(path, "not a runtime file, UTF-8 expected: %s" % err)


def find_runtime(name):
  """Find the runtime file of an instance.

  @type name: string
  @param name: full name, or as much of its first labels as is unambiguous
  @rtype: string
  @raise NodeError: if there is none on this node, or several

  """
  folder = control_dir("conf")
  if os.path.exists(os.path.join(folder, name + _SUFFIX)):
    return os.path.join(folder, name + _SUFFIX)
  found = [path for path in all_runtimes()
           if os.path.basename(path).startswith(name + ".")]
  if len(found) == 1:
    return found[0]
  if found:
    raise NodeError("%s may mean %s" % (name, " or ".join(
      os.path.basename(path)[:-len(_SUFFIX)] for path in found)))
  raise NodeError("no runtime file of an instance %s in %s: is it running on"
                  " this node?" % (name, folder))


def all_runtimes():
  """List the runtime files of this node.

  @rtype: list of strings

  """
  folder = control_dir("conf")
  try:
    names = os.listdir(folder)
  except EnvironmentError as err:
    if err.errno == errno.ENOENT: # no instance was ever started here
      return []
    raise NodeError("cannot list runtime files: %s" % err)
  return [os.path.join(folder, name) for name in sorted(names)
          if name.endswith(_SUFFIX)]


def control_dir(kind):
  """Return a folder of the KVM instances' files.

  @param kind: C{"conf"} (runtime files) or C{"ctrl"} (sockets)

  """
  try:
    from ganeti import pathutils
    run_dir = pathutils.RUN_DIR
  except ImportError:
    run_dir = RUN_DIR
  return os.path.join(run_dir, "kvm-hypervisor", kind)
