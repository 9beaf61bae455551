"""Ganeti as the RPMs of jfut/ganeti-rpm lay it out, on RHEL and its relatives.

Their spec (3.1.0.rc2-1) configures Ganeti with C{--enable-symlinks} and
C{--libdir=/usr/lib64}; Ganeti's Makefile.am (C{install-exec-local}) makes the
links of it. Red Hat's Python has its site folders in C{lib64} and, first of all
and unless it is started with C{-s}, in C{/usr/local} (Fedora's patch 251).

"""

import os
import subprocess
import sys

import pytest

import host

#: Red Hat's Python, as far as site folders go: the arguments are options, then
#: -c and a program.
PYTHON = """\
import site
import sys
root = %r
words = sys.argv[1:]
flags = ""
while words[0] != "-c":
  flags += words.pop(0)
prefixes = [root + "/usr/local"] * ("s" not in flags) + [root + "/usr"]
folders = [prefix + "/" + lib + "/python%%d.%%d/site-packages" %%
           sys.version_info[:2] for prefix in prefixes
           for lib in ("lib64", "lib")]
site.getsitepackages = lambda: folders
for folder in folders:
  site.addsitedir(folder)
sys.argv = words[:1] + words[2:]
sys.path[0] = ""
exec(words[1], {"__name__": "__main__"})
"""

#: What the node daemon does.
IMPORT = ("import sys; sys.path[0] = %r; import ganeti.hypervisor as h;"
          " print(h.GetHypervisorClass('kvm').__module__)")

_RUN = """\
import sys
sys.path.insert(0, %r)
from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.node import installation, startup_files
installation._DAEMON_DIRS = [%r]
startup_files._prefixes = lambda: %r
sys.exit(entry.main(sys.argv[1:]))
"""


class RedHat(object):
  """A node.

  @ivar root: py.path of all its files

  """
  def __init__(self, root, option):
    self.root = root
    self._option = option
    for name in ("etc/ganeti", "usr/sbin", "usr/bin", "usr/share/ganeti/3.1",
                 "usr/lib64/ganeti", "usr/local", "var/lib/ganeti",
                 "var/run/ganeti/kvm-hypervisor/conf"):
      root.ensure(name, dir=True)
    share = root.join("usr", "share", "ganeti")
    share.join("3.1", "ganeti").mksymlinkto(os.path.join(host.STUB, "ganeti"))
    root.join("etc", "ganeti", "share").mksymlinkto(share.join("3.1"))
    share.join("default").mksymlinkto(root.join("etc", "ganeti", "share"))
    root.join("usr", "sbin", "ganeti-noded").mksymlinkto(
      share.join("default", "ganeti-noded"))
    self.python = root.join("usr", "bin", "python3")
    root.join("python.py").write(PYTHON % str(root))
    self.python.write("#!/bin/sh\nexec %s -B %s \"$@\"\n" % (
      sys.executable, root.join("python.py")))
    self.python.chmod(0o755)
    share.join("3.1", "ganeti-noded").write("#!%s %s\n" % (self.python, option))

  def run(self, *args):
    """Run a command of the package; it has to exit with 0.

    @return: what it prints

    """
    code = _RUN % (host.ROOT, str(self.root.join("usr", "sbin")),
                   [str(self.root.join("usr")),
                    str(self.root.join("usr", "local"))])
    process = subprocess.Popen(
      [sys.executable, "-B", "-c", code] + list(args), cwd="/",
      env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = process.communicate()[0].decode()
    assert process.returncode == 0, out
    return out

  def daemon(self):
    """Start what the node daemon is started with.

    @return: the module whose class it has for KVM

    """
    folder = os.path.dirname(os.path.realpath(str(
      self.root.join("usr", "sbin", "ganeti-noded"))))
    return subprocess.check_output(
      [str(self.python)] + [self._option] * bool(self._option) +
      ["-c", IMPORT % folder], cwd="/", env=self._environment()
    ).decode().strip()

  def _environment(self):
    return {"PATH": os.environ["PATH"], "STUB_ROOT": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1"}

  def hooks(self):
    return sorted(path.relto(self.root) for path in
                  self.root.join("usr").visit(rec=lambda p: not p.islink())
                  if "kvm-pci" in path.basename)


@pytest.mark.parametrize("option, prefix", [
  ("", "usr/local"), ("-s", "usr"), ("-Es", "usr")])
def test_it_is_enabled_where_the_daemons_python_looks(tmpdir, option, prefix):
  node = RedHat(tmpdir, option)
  assert node.daemon() == "ganeti.hypervisor.hv_kvm"
  # whoever else can write to where the tests are is not the matter
  said = node.run("enable", "--force", "--hooks")
  hook = "%s/lib64/python%d.%d/site-packages/ganeti-kvm-pci.pth" % (
    (prefix, ) + sys.version_info[:2])
  assert node.hooks() == [hook] and str(node.root.join(hook)) in said
  assert node.daemon() == "ganeti_kvm_pci.hypervisor"
  assert str(node.root.join(hook)) in node.run("status")
  assert node.root.join("var", "lib", "ganeti",
                        "ganeti-kvm-pci.enabled").check()
  node.run("disable")
  assert node.hooks() == [] and node.daemon() == "ganeti.hypervisor.hv_kvm"
