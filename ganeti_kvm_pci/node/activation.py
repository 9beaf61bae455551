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

"""Enable, disable, and tell whether the plugin is on.

What enables it is a file that Python reads at its start (see L{startup_files}
and L{import_hook}), in the site folder of the daemons' Python. Another Python,
such as the next release's, reads another folder: so the intent is kept apart
(L{intent}).

"""

import os

from .. import versions
from ..errors import GanetiError
from ..errors import KvmPciError
from ..errors import NodeError
from . import daemon
from . import hooks
from . import installation
from . import intent
from . import ownership
from . import startup_files
from . import watcher


class Hook(object):
  """What hooks the daemons' Python.

  @ivar folder: its site folder
  @ivar contents: see L{startup_files.contents}
  @ivar path: of the file that Python looks for
  @ivar package: path of the package's folder

  """
  package = installation.package()

  def __init__(self):
    """Ask the daemons' Python.

    @raise NodeError: if it does not answer

    """
    self.folder = installation.site_dir()
    self.contents = startup_files.contents(installation.python_version(),
                                           installation.package_parent())
    self.path = os.path.join(self.folder, self.contents[-1][0])

  def is_ours(self):
    """Tell whether what is there leads to this copy of the package."""
    return all(startup_files.read(os.path.join(self.folder, name)) == text
               for name, text in self.contents)

  def leads_to(self):
    """Tell which package what is there leads to.

    @rtype: string or None
    @return: path of its folder; None if it is none

    """
    folder = startup_files.package_folder(self.folder, self.contents)
    package = folder and os.path.join(folder, os.path.basename(self.package))
    return package if package and os.path.isfile(
      os.path.join(package, "hook.py")) else None

  def is_damaged(self):
    """Tell whether what is there leads to no package at all."""
    return self.leads_to() is None

  def writable(self):
    """Look for what of it and the package others than root can write.

    @rtype: list of L{ownership.Fault}

    """
    return ownership.faults(self.package, self.path)


def _places(hook):
  """Tell where the hook's files may be, for whatever Python of this node.

  @type hook: L{Hook} or None
  @rtype: list of strings
  @return: see L{startup_files.find}

  """
  places = [hook.path] if hook else []
  try:
    places.extend(intent.noted() or [])
  except Exception: # pylint: disable=broad-except
    # no Ganeti, or none that imports: to another Python it may be no syntax
    pass
  return places


def enable(hook, written=None):
  """Note that the plugin shall be on, and hook the daemons' Python.

  @type hook: L{Hook}
  @type written: list or None
  @param written: gets what was written, also where that fails half-way
  @rtype: list of strings
  @return: what was written: note and hook, as far as they had to be
  @raise NodeError: if it cannot be written, or the package is in an archive

  """
  written = [] if written is None else written
  if not os.path.isdir(hook.package):
    raise NodeError("the package is in an archive, where it is no use to"
                    " Ganeti's daemons: %s; unpack it, and enable it from there"
                    % hook.package)
  written.extend(intent.note(hook.path))
  if startup_files.put(hook.folder, hook.contents):
    written.append(hook.path)
  return written


def disable(removed=None):
  """Remove the hook, for every Python, the watcher's program, and the note.

  @type removed: list or None
  @param removed: gets what was removed, also where that fails half-way
  @rtype: list of strings
  @return: what was removed
  @raise NodeError: if something cannot be removed

  """
  removed = [] if removed is None else removed
  try:
    hook = Hook()
  except NodeError: # its Python was removed; what it had may still be there
    hook = None
  places = _places(hook)
  startup_files.remove(startup_files.find(places), removed)
  startup_files.sweep(places)
  watcher.remove(removed)
  try:
    intent.forget(removed)
  except KvmPciError:
    raise
  except Exception: # pylint: disable=broad-except
    # no Ganeti, or none that imports
    pass
  return removed


class Status(object):
  """What is installed and what runs on this node.

  @ivar release: string, Ganeti's version
  @ivar version: string, e.g. "3.0"
  @ivar unfit: string, why the plugin does not act on this Ganeti, or None
  @ivar python: string, the daemons' Python
  @ivar hook: L{Hook}
  @ivar hooked: bool, whether it is there
  @ivar others: list of strings, hooks of other Pythons, which do nothing
  @ivar reasons: see L{intent.reasons}
  @ivar elsewhere: bool, whether it is there but for a package elsewhere
  @ivar pid: int, the node daemon's process, or None if it does not run
  @ivar loaded: bool, whether that process has the plugin
  @ivar stale: string or None, see L{daemon.marks}

  """
  def __init__(self):
    """Look.

    Ganeti must be importable (see L{installation.become_daemon_python}).

    @raise NodeError: if there is no Ganeti

    """
    try:
      from ganeti import constants
      from ganeti.hypervisor import hv_kvm
    except Exception as err: # pylint: disable=broad-except
      # another Python's may be no syntax to this one
      raise NodeError("Ganeti does not import: %s" % err)
    self.unfit = None
    self.release = self.version = "?"
    try:
      self.release, numbers = versions.installed(constants)
      self.version = "%d.%d" % numbers
      versions.check(constants, hv_kvm)
    except GanetiError as err:
      self.unfit = str(err)
    self.python = installation.daemon_python()
    self.hook = Hook()
    self.hooked = os.path.exists(self.hook.path)
    self.elsewhere = (self.hooked and not self.hook.is_ours() and
                      not self.hook.is_damaged())
    folder = os.path.realpath(self.hook.folder)
    self.others = [path for path in startup_files.find(_places(self.hook))
                   if os.path.realpath(os.path.dirname(path)) != folder]
    self.reasons = intent.reasons()
    self.pid = daemon.pid_of_daemon()
    self.loaded, self.stale = daemon.marks(self.pid, self.hook.leads_to())

  @property
  def damaged(self):
    """Whether the hook is there, but leads to no package."""
    return self.hooked and self.hook.is_damaged()

  def missing(self):
    """Tell why the plugin is off where it should be on.

    @rtype: string or None
    @return: the reason, and the remedy; None where all is as it should be

    """
    if not self.reasons:
      return None
    remedy = "run ganeti-kvm-pci enable --restart"
    if self.unfit:
      reason, remedy = self.unfit, "install a version of it that does"
    elif not self.hooked:
      reason = "%s, the Python of Ganeti's daemons, has no hook (%s)" % (
        self.python, self.hook.path)
    elif self.damaged:
      reason = "the hook %s leads to no package" % self.hook.path
    elif self.pid is not None and not self.loaded:
      reason = "the node daemon (pid %d) runs without it" % self.pid
    else:
      return None
    return ("the plugin should be on here, because %s, and is off: %s; %s" %
            (" and ".join(self.reasons), reason, remedy))

  def consistent(self):
    """Tell whether what runs is what is installed."""
    if self.hooked and (self.unfit or self.damaged):
      return False
    return self.pid is None or self.loaded == self.hooked and not self.stale

  def as_data(self):
    """Say it to a program: C{node} of C{--json}.

    @rtype: dict

    """
    return {
      "ganeti": self.release, "unfit": self.unfit, "python": self.python,
      "hook": self.hook.path, "hooked": self.hooked, "damaged": self.damaged,
      "elsewhere": self.elsewhere, "other_hooks": self.others,
      "wanted": self.reasons, "missing": self.missing(), "pid": self.pid,
      "loaded": self.loaded, "stale": bool(self.stale),
      "consistent": self.consistent(), "job_hooks": hooks.states(),
      }

  def lines(self):
    """Say it to an administrator.

    @rtype: list of strings

    """
    fits = "supported"
    if self.unfit:
      fits = "not supported, the plugin leaves it alone: " + self.unfit
    found = ["Ganeti       %s (version %s): %s" % (self.release, self.version,
                                                  fits),
             "Python       %s" % self.python,
             "hook         %s %s%s" %
             ("in place:" if self.hooked else "absent:", self.hook.path,
              " (for another copy of the package)" if self.elsewhere else
              " (damaged: it leads to no package)" if self.damaged else "")]
    found.extend("hook         of another Python, without effect: %s (disable"
                 " removes it)" % path for path in self.others)
    found.append("wanted       %s" % (" and ".join(self.reasons) or "no: it was"
                                      " not enabled here, and the cluster has"
                                      " no tag %s" % intent.TAG))
    if self.pid is None:
      state = "not running"
    else:
      state = "running (pid %d), %s the plugin" % (
        self.pid, "with" if self.loaded else "without")
      if self.stale:
        state += ", %s" % self.stale
      if not self.consistent() and not self.unfit:
        state += "; restart it (enable --restart or disable --restart)"
    found.append("node daemon  " + state)
    return found + hooks.describe()
