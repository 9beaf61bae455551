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

"""Guests whose QEMU is not the one that is installed.

A process goes on with the program that it was started from, whatever is
installed meanwhile: an update of QEMU, of security too, is in force for a guest
only after a migration or a new start. Nothing is changed here.

"""

from .. import process
from .. import qemu_version
from ..errors import CommandError
from ..qemu import release


def judge(execute, pid, path):
  """Compare a guest's QEMU with the one that is installed.

  @param execute: see L{queries}; None if QEMU is not to be asked
  @type pid: int
  @type path: string
  @param path: the program, as the runtime file names it; perhaps a script
  @rtype: dict
  @return: C{running} and C{installed}, strings or None; C{outdated}: why the
      former is not the latter, or None
  @raise MonitorError: if QEMU does not answer

  """
  running = None
  if execute is not None:
    try:
      running = release.of_reply(execute("query-version", None))
    except CommandError:
      pass # what the files tell is still something
  installed = qemu_version.release(path)
  return {"running": running and release.show(running),
          "installed": installed and release.show(installed),
          "outdated": _reason(pid, path, running, installed)}


def _reason(pid, path, running, installed):
  runs = "it runs QEMU %s" % release.show(running)
  if running and installed and running != installed:
    return "%s, installed is %s" % (runs, release.show(installed))
  if process.is_replaced(pid):
    return "%s, whose file was replaced or removed since; installed is %s" % (
      runs, release.show(installed))
  if process.runs_file(pid, path) is False:
    return "%s, which is not the file that %s is now" % (runs, path)
  return None


def explain(reason):
  """Say what to do about it.

  @param reason: C{outdated} of L{judge}
  @rtype: string

  """
  return ("not the installed QEMU: %s; an update that was installed since is"
          " not in force for this guest: migrate it, or run gnt-instance reboot"
          " (a reboot inside the guest is not enough)" % reason)
