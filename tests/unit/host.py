"""A node with a Ganeti, as far as the commands that turn the plugin on go."""

import atexit
import compileall
import gc
import logging
import os
import shutil
import sys
import tempfile
import traceback
import types

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
STUB = os.path.join(ROOT, "tests", "stubs")

_compiled = []


def compiled():
  """Return a folder with a copy of the package and its bytecode.

  Nothing writes bytecode into the source tree, and without it each process
  that a test starts would compile the package for itself.

  """
  if not _compiled:
    folder = tempfile.mkdtemp("-kvm-pci")
    _compiled.append(folder)
    atexit.register(_remove, folder, os.getpid())
    package = os.path.join(folder, "ganeti_kvm_pci")
    shutil.copytree(os.path.join(ROOT, "ganeti_kvm_pci"), package,
                    ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    compileall.compile_dir(package, quiet=1)
  return _compiled[0]


def configuration_at(monkeypatch, path):
  """Have Ganeti keep its configuration in another file."""
  ganeti = types.ModuleType("ganeti")
  ganeti.pathutils = types.ModuleType("ganeti.pathutils")
  ganeti.pathutils.CLUSTER_CONF_FILE = str(path)
  monkeypatch.setitem(sys.modules, "ganeti", ganeti)
  monkeypatch.setitem(sys.modules, "ganeti.pathutils", ganeti.pathutils)


def _remove(folder, pid):
  # not at the end of a forked process
  if os.getpid() == pid:
    shutil.rmtree(folder, ignore_errors=True)


class Done(object):
  """What a command did.

  @ivar status: its exit status
  @ivar out: standard output
  @ivar err: standard error

  """
  def __init__(self, function):
    """Run a function in a process of its own, as a Python's main program.

    It is a fork of this one, which has the standard library already: to start
    a Python anew costs several times the rest.

    """
    streams = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
    pid = os.fork()
    if pid == 0:
      _be_program(function, streams)
    status = os.waitpid(pid, 0)[1]
    self.status = (-os.WTERMSIG(status) if os.WIFSIGNALED(status) else
                   os.WEXITSTATUS(status))
    texts = []
    for stream in streams:
      stream.seek(0)
      texts.append(stream.read().decode())
      stream.close()
    self.out, self.err = texts


def _be_program(function, streams):
  """Leave pytest behind, run a function, and end."""
  status = 1
  try:
    for number, stream in enumerate(streams, 1):
      os.dup2(stream.fileno(), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    logging.getLogger().handlers[:] = []
    sys.meta_path[:] = [
      finder for finder in sys.meta_path
      if not type(finder).__module__.startswith("_pytest.")]
    for name in list(sys.modules):
      if name.split(".")[0] in ("ganeti", "ganeti_kvm_pci"):
        del sys.modules[name]
    sys.path[:] = [path for path in sys.path
                   if os.path.realpath(path) not in (ROOT, STUB, HERE)]
    sys.dont_write_bytecode = True
    # it would look at all that pytest has, and have it copied
    gc.disable()
    os.chdir("/")
    try:
      status = function()
    except SystemExit as err:
      status = err.code
    except BaseException: # pylint: disable=W0703
      traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
      stream.flush()
  finally:
    os._exit(status if isinstance(status, int) else
             0 if status is None else 1)


class Host(object):
  """A node.

  @ivar folder: py.path of all its files
  @ivar site: py.path of the site folder of the daemons' Python
  @ivar data: py.path of Ganeti's configuration
  @ivar lib: py.path of the folder that the package is in

  """
  def __init__(self, folder):
    self.folder = folder
    self.data = folder.ensure("root", "var", "lib", "ganeti", dir=True)
    # Ganeti has looked for KVM instances
    folder.ensure("root", "var", "run", "ganeti", "kvm-hypervisor", "conf",
                  dir=True)
    tree = folder.mkdir("tree")
    tree.join("ganeti").mksymlinkto(os.path.join(STUB, "ganeti"))
    tree.join("ganeti-noded").write("#!%s\n" % sys.executable)
    self.lib = folder.mkdir("package")
    shutil.copytree(os.path.join(compiled(), "ganeti_kvm_pci"),
                    str(self.lib.join("ganeti_kvm_pci")))
    self.python("3.11")

  def python(self, version):
    """Have Ganeti's daemons run by another Python, or so they think."""
    self.site = self.folder.join("prefix", "lib", "python" + version,
                                 "dist-packages")

  def run(self, *args):
    """Run a command of the package.

    @rtype: L{Done}

    """
    def _main():
      os.environ.update(STUB_ROOT=str(self.folder.join("root")),
                        PYTHONDONTWRITEBYTECODE="1")
      os.environ.pop("PYTHONPATH", None)
      sys.argv[:] = ["-c"] + list(args)
      sys.path.insert(0, str(self.lib))
      from ganeti_kvm_pci.cli import entry
      from ganeti_kvm_pci.node import installation
      from ganeti_kvm_pci.node import startup_files
      # the host's own hooks are none of the tests' business
      installation._DAEMON_DIRS = [str(self.folder.join("tree"))]
      installation.site_dir = lambda: str(self.site)
      startup_files._prefixes = lambda: [str(self.folder.join("prefix"))]
      return entry.main(list(args))
    return Done(_main)

  def ssconf(self, key, *lines):
    """Have Ganeti tell the node something about the cluster."""
    self.data.join("ssconf_" + key).write("".join(l + "\n" for l in lines))

  def hooks(self):
    """List the files of the hook, by their folders in the prefix."""
    prefix = self.folder.join("prefix")
    return sorted(path.relto(prefix) for path in prefix.visit()
                  if "kvm" in path.basename) if prefix.check() else []
