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

"""The node daemon: whether it runs, with which plugin, and its restart."""

import os
import subprocess
import time

from .. import clock
from .. import process
from ..errors import NodeError
from . import installation

#: How long the node daemon may take to come up again, in seconds.
_RESTART_LIMIT = 20


def pid_of_daemon():
  """Return the process of the running node daemon, or None.

  @rtype: int or None
  @raise NodeError: if that is not for this user to know

  """
  from ganeti import constants
  from ganeti import utils
  path = utils.DaemonPidFileName(constants.NODED)
  try:
    pid = process.number_in(path)
  except ValueError:
    return None
  except EnvironmentError as err:
    raise NodeError("cannot tell whether the node daemon runs: %s: %s; run this"
                    " as root" % (path, err.strerror))
  return pid if pid is not None and utils.IsProcessAlive(pid) else None


def _bytes_of(path):
  return path if isinstance(path, bytes) else os.fsencode(path)


def marks(pid, package=None):
  """Look for the marks of L{import_hook} in a process.

  @param package: path of the package's folder that the hook leads to, or None
  @rtype: tuple of a bool, and a string or None
  @return: whether it has the plugin; and which copy, if that is not what it
      would load now: "an older copy", whose file was replaced or removed since,
      or "another copy", of another folder

  """
  if pid is None:
    return (False, None)
  found = process.mapped(pid, "/ganeti_kvm_pci/hypervisor.py")
  if found is None:
    raise NodeError("cannot look into the node daemon (pid %d): run this as"
                    " root" % pid)
  if any(is_replaced for _, is_replaced in found):
    return (True, "an older copy")
  wanted = package and _bytes_of(os.path.join(os.path.realpath(package),
                                              "hypervisor.py"))
  if wanted and any(path != wanted for path, _ in found):
    return (True, "another copy")
  return (bool(found), None)


def _check_start(environment):
  """Look whether the node daemon would start again.

  After an upgrade of Python, the Ganeti that runs may be none for the new one.
  Before it tells its version, the daemon imports all that it needs.

  @param environment: what it is started with
  @raise NodeError: if it would not

  """
  script = installation.daemon_script()
  try:
    started = subprocess.Popen([script, "--version"], env=environment,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    output = started.communicate()[0].decode("utf-8", "replace").strip()
    reason = started.returncode and (output.rpartition("\n")[2] or
                                     "no message")
  except EnvironmentError as err:
    reason = str(err)
  if reason:
    raise NodeError("the node daemon would not start again, and was not"
                    " restarted: %s --version: %s; is an upgrade of Ganeti"
                    " half done (gnt-cluster upgrade)?" % (script, reason))


def restart(expect_loaded):
  """Restart the node daemon.

  Instances are not touched; jobs that talk to this node at that moment fail.

  @type expect_loaded: bool
  @param expect_loaded: whether it should have the plugin afterwards
  @raise NodeError: if it does not come up, or not as expected; it is not
      stopped where it would not start again

  """
  from ganeti import constants
  from ganeti import pathutils
  # what this process needed to import is not the daemon's business
  environment = dict((k, v) for k, v in os.environ.items()
                     if not k.startswith(("PYTHON", installation.REEXEC)))
  _check_start(environment)
  before = pid_of_daemon()
  for action in ("stop", "start"):
    try:
      started = subprocess.Popen(
        [pathutils.DAEMON_UTIL, action, constants.NODED],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
      output = started.communicate()[0].decode("utf-8", "replace").strip()
      failed = started.returncode
    except EnvironmentError as err:
      failed, output = True, "%s: %s" % (pathutils.DAEMON_UTIL, err.strerror)
    if failed:
      raise NodeError("daemon-util %s %s failed: %s" %
                      (action, constants.NODED, output or "no message"))
  deadline = clock.monotonic() + _RESTART_LIMIT
  while clock.monotonic() < deadline:
    pid = pid_of_daemon()
    if pid not in (None, before) and marks(pid)[0] == expect_loaded:
      return
    time.sleep(0.1)
  if pid_of_daemon() is None:
    raise NodeError("the node daemon did not come up within %d s" %
                    _RESTART_LIMIT)
  if pid_of_daemon() == before:
    raise NodeError("the node daemon (pid %d) was not stopped within %d s" %
                    (before, _RESTART_LIMIT))
  raise NodeError("the node daemon runs, but %s the plugin; what it says of"
                  " it is in its log" %
                  ("without" if expect_loaded else "still with"))
