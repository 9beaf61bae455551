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

"""The program that Ganeti's watcher runs on this node: see L{settle}.

From 2.10 to master, C{ganeti-watcher} runs what lies in C{hooks/watcher} of
Ganeti's configuration folder (RunWatcherHooks in lib/watcher/__init__.py): on
each node, master or not, before it looks at instances, as the user that cron
starts it as (root, every five minutes), and not while the watcher is paused. It
takes programs whose names have letters, digits, C{-} and C{_} only, waits for
each as long as it takes, and logs those that fail with what they say. So this
one ends by itself, and speaks of what went wrong only.

"""

import os

from . import installation
from . import startup_files

_NAME = "ganeti-kvm-pci"

#: In seconds; with nothing to do, it takes half a second.
_TIME_LIMIT = 60

#: The folder must be in place before anything else is imported: what Python has
#: there is the folder of the program.
_PROGRAM = """\
#!%(python)s
# ganeti-kvm-pci enable writes this file, and disable removes it. Ganeti's
# watcher runs it: removals that a guest has completed late are finished.
import signal
import sys
signal.alarm(%(limit)d)
sys.path[0] = %(folder)r
try:
  from ganeti_kvm_pci.cli import main
except ImportError:
  sys.exit("ganeti_kvm_pci is no longer in %%s; remove %%s" %%
           (sys.path[0], __file__))
sys.exit(main(["check", "--repair", "--pending"]))
"""


def path():
  """Name the program; Ganeti must be importable."""
  from ganeti import constants
  from ganeti import pathutils
  return os.path.join(pathutils.HOOKS_BASE_DIR, constants.HOOKS_NAME_WATCHER,
                      _NAME)


def put():
  """Write the program.

  @rtype: bool
  @return: whether it had to be changed
  @raise NodeError: if it cannot be written, or the daemons' Python not found

  """
  program = _PROGRAM % {"python": installation.daemon_python(),
                        "limit": _TIME_LIMIT,
                        "folder": installation.package_parent()}
  if startup_files.read(path()) == program and os.access(path(), os.X_OK):
    return False
  startup_files.write(path(), program, 0o755)
  return True


def remove(removed):
  """Remove the program.

  @type removed: list of strings
  @param removed: gets its path, if it was there
  @raise NodeError: if it cannot be removed

  """
  try:
    found = [path()]
  except Exception: # pylint: disable=broad-except
    # no Ganeti, or none that imports: nor is there a watcher
    return
  found = [name for name in found if os.path.lexists(name)]
  startup_files.remove(found, removed)
