#
#

# Copyright (C) 2026 the Ganeti project
# All rights reserved.
#
# Redistribution and use in source and binary forms, with or without
# modification, are permitted provided that the following conditions are
# met:
#
# 1. Redistributions of source code must retain the above copyright notice,
# this list of conditions and the following disclaimer.
#
# 2. Redistributions in binary form must reproduce the above copyright
# notice, this list of conditions and the following disclaimer in the
# documentation and/or other materials provided with the distribution.
#
# THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS
# IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED
# TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR
# PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
# CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL,
# EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
# PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
# PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF
# LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
# NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS
# SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

"""What the plugin needs to know of the node it is on.

Where Ganeti is, and which Python runs it. All of it is found by looking, so
that packages and source installations of any release are served alike.

"""

import collections
import os
import subprocess
import sys

from .. import versions
from ..errors import GanetiError
from ..errors import NodeError
from . import config_data
from . import ganeti_import

_DAEMON = "ganeti-noded"
_DAEMON_DIRS = ["/usr/sbin", "/usr/local/sbin"]

#: Who has a C{kvm_pci_reservations} other than the cluster's.
#:   - oses, instances: dicts, name to int
#:   - os_of: dict, name of an instance to that of its OS
#:   - types: dict, name of an instance to its machine type, "" for QEMU's
#:     default, wherever it has it from
Own = collections.namedtuple("Own", ["oses", "instances", "os_of", "types"])

#: Set in the environment of a command that has changed its Python already.
REEXEC = "GANETI_KVM_PCI_REEXEC"

#: Taken where no Ganeti is installed: 2.16 and later read this one's runtime
#: files.
_ANY_VERSION = (3, 0)

# The folder must be in place before anything else is imported: what Python has
# there is the current folder, and this may run as root anywhere
_MAIN = ("import sys; sys.path[0] = %r; from ganeti_kvm_pci.cli import main;"
         " sys.exit(main())")
_SITE = ("import sys; sys.path.pop(0); import site, sysconfig;"
         " print((getattr(site, 'getsitepackages',"
         " lambda: [sysconfig.get_paths()['purelib']])())[0])")
_VERSION = "import sys; print('%d %d' % sys.version_info[:2])"


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
  """Return the path of the Python that Ganeti's daemons use.

  @raise NodeError: if it cannot be told

  """
  return _daemon_words()[0]


def _daemon_words():
  """Read the node daemon's first line.

  @rtype: list of strings
  @return: path of the interpreter, and its options
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
  return words


def package():
  """Return the folder of this package."""
  return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def package_parent():
  """Return the folder that this package is imported from."""
  return os.path.dirname(package())


def make_ganeti_importable():
  """Let C{import ganeti} find what the node daemon would.

  Python puts the folder of the script, links resolved, first on its path;
  that is where Debian's packages keep the modules.

  @raise NodeError: if no Ganeti is installed

  """
  folder = os.path.dirname(os.path.realpath(daemon_script()))
  if folder not in sys.path:
    sys.path.insert(0, folder)


def become_daemon_python(argv, needs_hypervisor=True):
  """Go on in the Python of Ganeti's daemons, unless this is it.

  Ganeti's modules import under that one only. Returns only if this is it.

  @param argv: the command's arguments, a list of strings
  @param needs_hypervisor: see L{ganeti_import.take}
  @raise NodeError: if there is no Ganeti, or its Python does not start

  """
  python = daemon_python()
  make_ganeti_importable()
  try:
    ganeti_import.take(python, needs_hypervisor)
    return
  except Exception as err: # pylint: disable=broad-except
    # another Python's Ganeti may be no syntax to this one
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


def _ask_python(code, what):
  """Have the daemons' Python print something.

  With C{-s}, Red Hat's has no site folder in C{/usr/local}.

  """
  try:
    output = subprocess.check_output(_daemon_words() + ["-E", "-c", code])
  except (EnvironmentError, subprocess.CalledProcessError) as err:
    raise NodeError("cannot ask the daemons' Python for its %s: %s" %
                    (what, err))
  return output.decode("utf-8").strip()


def site_dir():
  """Find where the daemons' Python looks for files to read at its start.

  @rtype: string
  @raise NodeError: if it does not tell

  """
  return _ask_python(_SITE, "site folder")


def python_version():
  """Tell the version of the daemons' Python.

  @rtype: tuple of two ints
  @raise NodeError: if it does not tell

  """
  return tuple(int(number) for number in
               _ask_python(_VERSION, "version").split())


def version():
  """Tell the version of this node's Ganeti.

  @rtype: tuple of two ints
  @return: where no Ganeti is installed, the latest of those that read each
      other's runtime files
  @raise GanetiError: if it is none that the plugin knows

  """
  try:
    from ganeti import constants
  except Exception: # pylint: disable=broad-except
    # see become_daemon_python
    return _ANY_VERSION
  release, found = versions.installed(constants)
  if found not in versions.KNOWN:
    raise GanetiError("Ganeti %s is unsupported" % release)
  return found


def cluster_reservations():
  """Tell the cluster's C{kvm_pci_reservations}.

  @rtype: int or None
  @return: None where it has none, or this is no node of a cluster

  """
  try:
    from ganeti import ssconf
    # its own reading fails where any value has a "=", such as kernel_args
    with open(ssconf.SimpleStore().KeyToFilename("hvparams_kvm")) as stream:
      found = dict(line.strip().split("=", 1) for line in stream)
    return int(found["kvm_pci_reservations"])
  except Exception: # pylint: disable=broad-except
    # whatever the reason: it is a courtesy, and says so where it matters
    return None


def default_reservations():
  """Tell Ganeti's own C{kvm_pci_reservations}.

  @rtype: int or None
  @return: None where it has no such parameter

  """
  from ganeti import constants
  return constants.HVC_DEFAULTS[constants.HT_KVM].get("kvm_pci_reservations")


def without_q35():
  """Tell whether this Ganeti is one that does not know q35.

  @rtype: string or None
  @return: its release; None if it does

  """
  from ganeti import constants
  from ganeti.hypervisor import hv_kvm
  if versions.knows_q35(hv_kvm.KVMHypervisor):
    return None
  return versions.installed(constants)[0]


def instance_tags(name):
  """Tell the tags of an instance.

  @type name: string
  @rtype: set of strings, or None
  @return: None where the configuration is not at hand, or does not have it

  """
  try:
    return config_data.tags(name)
  except Exception: # pylint: disable=broad-except
    # whatever the reason: it is a courtesy, and says so where it matters
    return None


def own_reservations():
  """Tell who has a C{kvm_pci_reservations} other than the cluster's.

  An OS may have one (C{gnt-os modify}), which holds for its instances, but
  for those that have one themselves.

  @rtype: L{Own} or None
  @return: None where the configuration is not at hand: it is on master
      candidates only

  """
  try:
    config = config_data.read()
    # by which hypervisor, is the first key of an OS's
    by_os = dict((name, params.get("kvm", {})) for name, params in
                 (config["cluster"].get("os_hvp") or {}).items())
    by_cluster = config["cluster"].get("hvparams", {}).get("kvm", {})
    ours = [i for i in config["instances"].values() if i["hypervisor"] == "kvm"]
    return Own(_reserved(by_os.items()),
               _reserved((i["name"], i["hvparams"]) for i in ours),
               dict((i["name"], i.get("os")) for i in ours),
               dict((i["name"], _first(
                 "machine_version", i["hvparams"], by_os.get(i.get("os"), {}),
                 by_cluster)) for i in ours))
  except (EnvironmentError, ValueError, KeyError, TypeError, AttributeError):
    return None


def _first(key, *parameters):
  """Return the first value of a parameter, or an empty one."""
  return ([found[key] for found in parameters if key in found] or [""])[0]


def _reserved(named):
  """Pick C{kvm_pci_reservations} out of pairs (name, parameters)."""
  return dict((name, int(hvparams["kvm_pci_reservations"]))
              for name, hvparams in named if "kvm_pci_reservations" in hvparams)
