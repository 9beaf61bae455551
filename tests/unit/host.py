"""A node with a Ganeti, as far as the commands that turn the plugin on go."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
STUB = os.path.join(ROOT, "tests", "stubs")

# the host's own hooks are none of the tests' business
_RUN = """\
import sys
sys.path.insert(0, %r)
from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.node import installation, startup_files
installation._DAEMON_DIRS = [%r]
installation.site_dir = lambda: %r
startup_files._prefixes = lambda: [%r]
sys.exit(entry.main(sys.argv[1:]))
"""


class Done(object):
  """What a command did.

  @ivar status: its exit status
  @ivar out: standard output
  @ivar err: standard error

  """
  def __init__(self, process):
    self.out, self.err = [text.decode() for text in process.communicate()]
    self.status = process.returncode


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
    shutil.copytree(os.path.join(ROOT, "ganeti_kvm_pci"),
                    str(self.lib.join("ganeti_kvm_pci")),
                    ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    self.python("3.11")

  def python(self, version):
    """Have Ganeti's daemons run by another Python, or so they think."""
    self.site = self.folder.join("prefix", "lib", "python" + version,
                                 "dist-packages")

  def run(self, *args):
    """Run a command of the package.

    @rtype: L{Done}

    """
    code = _RUN % (str(self.lib), str(self.folder.join("tree")), str(self.site),
                   str(self.folder.join("prefix")))
    environment = dict(os.environ, STUB_ROOT=str(self.folder.join("root")),
                       PYTHONDONTWRITEBYTECODE="1")
    environment.pop("PYTHONPATH", None)
    return Done(subprocess.Popen(
      [sys.executable, "-c", code] + list(args), cwd="/", env=environment,
      stdout=subprocess.PIPE, stderr=subprocess.PIPE))

  def ssconf(self, key, *lines):
    """Have Ganeti tell the node something about the cluster."""
    self.data.join("ssconf_" + key).write("".join(l + "\n" for l in lines))

  def hooks(self):
    """List the files of the hook, by their folders in the prefix."""
    prefix = self.folder.join("prefix")
    return sorted(path.relto(prefix) for path in prefix.visit()
                  if "kvm" in path.basename) if prefix.check() else []
