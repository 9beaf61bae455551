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

"""Scripts that Ganeti runs with its jobs, in its hooks folder.

C{enable --hooks} writes them, C{disable} removes them. From 2.10 to master the
node daemon runs what lies in C{hooks/NAME-post.d} or C{-pre.d} of Ganeti's
configuration folder (HooksRunner in lib/backend.py): for the jobs below on the
master and on the nodes of the instance, as root, with an environment of
C{GANETI_...} and a short C{PATH}; and waits until the script, and all that have
its output, have ended. What a script that fails says is a warning of the job.

"""

import collections
import os

from . import installation
from . import startup_files

_NAME = "ganeti-kvm-pci"

#: By which a file is known to be one of these, whichever release wrote it.
_MARK = ("# ganeti-kvm-pci enable --hooks writes this file, and disable removes"
         " it.\n")

#: One script.
#:   - folder: string, in that of Ganeti's hooks
#:   - words: list of strings, the command that it runs
#:   - condition: string, in Python: when it has something to do; C{env} is the
#:     environment
#:   - is_detached: bool, whether the job goes on meanwhile
#:   - is_optional: bool, whether C{--hooks} leaves it out unless it is named
Script = collections.namedtuple("Script", [
  "folder", "words", "condition", "is_detached", "is_optional"])

#: Nothing is started for the others.
_IS_FROZEN = ("env.get('GANETI_INSTANCE_HYPERVISOR') == 'kvm' and"
              " any(tag.startswith(('kvm-pci:disk:', 'kvm-pci:nic:'))"
              " for tag in env.get('GANETI_INSTANCE_TAGS', '').split())")


def _keeps_tags(folder):
  """Make the script that brings the tags of an instance up to date.

  It cannot wait for them: its own job has the instance's lock.

  """
  return Script(folder, ["freeze", "--hook"], _IS_FROZEN, True, False)


#: Of a script that refuses, and so only if it is asked for.
MIGRATE = "instance-migrate-pre.d"

#: All that there are. The first changes the layout of a running instance; the
#: others boot instances, where a device without a tag gets its first slot.
SCRIPTS = [
  _keeps_tags("instance-modify-post.d"),
  _keeps_tags("instance-start-post.d"),
  _keeps_tags("instance-reboot-post.d"),
  _keeps_tags("instance-failover-post.d"),
  # with --allow-failover
  _keeps_tags("instance-migrate-post.d"),
  _keeps_tags("instance-move-post.d"),
  # of one that is shut down for it
  _keeps_tags("instance-export-post.d"),
  Script("cluster-verify-post.d", ["hook-verify"], "True", False, False),
  Script(MIGRATE, ["hook-migrate"],
         "env.get('GANETI_INSTANCE_HYPERVISOR') == 'kvm'", False, True),
  ]

#: The folder must be in place before anything else is imported: what Python has
#: there is the folder of the program. What cannot be imported is said while the
#: job still waits.
_PROGRAM = """\
#!%(python)s
%(mark)simport os
import sys
env = os.environ
if not (%(condition)s):
  sys.exit(0)
sys.path[0] = %(folder)r
try:
  from ganeti_kvm_pci.cli import main
  from ganeti_kvm_pci.node import detached
except ImportError:
  if %(refuses)r:
    # no migration fails by what is left of the package
    sys.exit(0)
  sys.exit("ganeti_kvm_pci is no longer in %%s; remove %%s" %%
           (sys.path[0], __file__))
if %(is_detached)r and not detached.begin():
  sys.exit(0)
sys.exit(main(%(words)r))
"""

#: What may be at the path of a script.
ABSENT = "absent"
INSTALLED = "installed"
OUTDATED = "outdated"
FOREIGN = "foreign"


def path(script):
  """Name a script's file; Ganeti must be importable.

  @type script: L{Script}

  """
  from ganeti import pathutils
  return os.path.join(pathutils.HOOKS_BASE_DIR, script.folder, _NAME)


def _program(script):
  """Write a script.

  @raise NodeError: if the daemons' Python is not found

  """
  return _PROGRAM % {
    "python": installation.daemon_python(), "mark": _MARK,
    "folder": installation.package_parent(), "condition": script.condition,
    "is_detached": script.is_detached, "words": script.words,
    "refuses": script.folder == MIGRATE}


def state(script):
  """Tell what is at the path of a script.

  @type script: L{Script}
  @rtype: string
  @return: L{ABSENT}, L{INSTALLED}, L{OUTDATED} (another release's, or not to be
      run), or L{FOREIGN} (somebody else's)

  """
  where = path(script)
  if not os.path.lexists(where):
    return ABSENT
  text = startup_files.read(where)
  if text is None or text.split("\n", 1)[-1][:len(_MARK)] != _MARK:
    return FOREIGN
  return INSTALLED if (text == _program(script) and
                       os.access(where, os.X_OK)) else OUTDATED


def put(is_wanted, named=()):
  """Write the scripts, or refresh those that are there.

  @type is_wanted: bool
  @param is_wanted: whether they are asked for; if not, one that is there asks
      for all that are not optional: a later release may have more
  @type named: collection of strings
  @param named: folders of optional ones that are asked for
  @rtype: tuple of two lists of strings
  @return: paths of what was written, and of what is somebody else's
  @raise NodeError: if one cannot be written

  """
  known = [(script, state(script)) for script in SCRIPTS]
  there = [script for script, found in known if found in (INSTALLED, OUTDATED)]
  is_wanted = is_wanted or any(not script.is_optional for script in there)
  written = []
  foreign = []
  for script, found in known:
    if script not in there and script.folder not in named and not (
        is_wanted and not script.is_optional):
      continue
    if found == FOREIGN:
      foreign.append(path(script))
    elif found != INSTALLED:
      startup_files.write(path(script), _program(script), 0o755)
      written.append(path(script))
  return written, foreign


def remove(removed):
  """Remove the scripts.

  @type removed: list of strings
  @param removed: gets the paths of those that were there
  @rtype: list of strings
  @return: paths of what is somebody else's
  @raise NodeError: if one cannot be removed

  """
  try:
    known = [(path(script), state(script)) for script in SCRIPTS]
  except Exception: # pylint: disable=broad-except
    # no Ganeti, or none that imports: nor is there a job
    return []
  startup_files.remove([where for where, found in known
                        if found in (INSTALLED, OUTDATED)], removed)
  return [where for where, found in known if found == FOREIGN]


def states():
  """Tell what of these is on this node.

  @rtype: dict
  @return: each path to its L{state}

  """
  return dict((path(script), state(script)) for script in SCRIPTS)


def describe():
  """Say it to an administrator.

  @rtype: list of strings

  """
  found = states()
  ours = [where for where in sorted(found)
          if found[where] in (INSTALLED, OUTDATED)]
  old = [where for where in ours if found[where] == OUTDATED]
  if not ours:
    lines = ["absent (enable --hooks writes them)"]
  elif old:
    lines = ["outdated, run enable again: %s" % ", ".join(old)]
  else:
    lines = ["in place (%d)" % len(ours)]
  lines += ["somebody else's, left alone: %s" % where for where in sorted(found)
            if found[where] == FOREIGN]
  return ["job hooks    " + line for line in lines]
