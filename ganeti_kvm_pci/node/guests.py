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

"""The guests of this node: which runs, and what its files are for then.

  - the process of one, by the file of its number
  - the lock that keeps the plugin's own operations on one apart
  - the files beside its runtime file that are of no use any more

"""

import contextlib
import os

from .. import instance_lock
from .. import leftovers
from .. import process
from ..errors import NodeError
from . import runtime_files


def runs(path):
  """Tell whether the guest of a runtime file runs.

  @rtype: bool or None
  @return: None for a file that is not one of this node's instances
  @raise NodeError: if that cannot be told

  """
  if runtime_files.instance_of(path) is None:
    return None
  return pid_if_running(path) is not None


def pid_if_running(path):
  """Tell the process of an instance, if its guest runs.

  @rtype: int or None
  @return: None also for a file that is not one of this node's instances
  @raise NodeError: if that cannot be told

  """
  instance = runtime_files.instance_of(path)
  pid = None if instance is None else _pid(instance)
  if pid is None:
    return None
  name = (instance if isinstance(instance, bytes)
          else instance.encode("utf-8", "surrogateescape"))
  # the number may be another process's by now
  return pid if process.has_argument(pid, name) else None


def _pid(instance):
  """Tell the process of an instance, which may have ended.

  @rtype: int or None
  @return: None if there is no file that names one
  @raise NodeError: if the file does not

  """
  path = os.path.join(runtime_files.control_dir("pid"), instance)
  try:
    return process.number_in(path)
  except ValueError:
    reason = "no number of a process in it"
  except EnvironmentError as err:
    reason = err.strerror
  raise NodeError("cannot tell whether instance %s runs: %s: %s" %
                  (instance, path, reason))


def pid_of(path):
  """Tell the process of an instance of this node, which runs.

  @rtype: int
  @raise NodeError: if it has ended, or is of no instance of this node

  """
  pid = _pid(runtime_files.own_instance(path))
  if pid is None:
    raise NodeError("no process of %s's guest: it has ended" % path)
  return pid


@contextlib.contextmanager
def alone(path, patience=None):
  """Keep the plugin's own operations from a running guest's devices.

  @param patience: see L{instance_lock.held}
  @return: a context, which gives what L{runs} says; it raises L{NodeError} if
      they do not end

  """
  running = runs(path)
  # whatever way led to the file, the lock is the node daemon's
  with (instance_lock.held(
      instance_lock.path_for(runtime_files.own_path(path)), patience)
        if running else instance_lock.nothing()):
    yield running


def left_behind(path, listed=None):
  """List the files of an instance that are of no use any more.

  @param path: its runtime file, there or not
  @param listed: see L{leftovers.half_written}
  @rtype: list of strings
  @return: empty for a file that is not one of this node's instances

  """
  running = runs(path)
  if running is None:
    return []
  return (leftovers.half_written if running else leftovers.kept)(
    runtime_files.own_path(path), listed)


def remove_left_behind(path):
  """Remove them.

  @param path: see L{left_behind}; the lock of one that runs must be held
  @rtype: list of strings
  @return: what was removed
  @raise NodeError: if another operation on the instance does not end

  """
  running = runs(path)
  if running is None:
    return []
  # the node daemon's Ganeti may be unmodified, and asks nobody
  if running:
    return leftovers.sweep(runtime_files.own_path(path), False)
  return leftovers.clear(runtime_files.own_path(path), False,
                         is_needed=lambda: runs(path))


def of_no_instance():
  """List the runtime files that are not there, but something beside them.

  @rtype: list of strings
  @return: paths; the guest of one that waits for it runs

  """
  folder = runtime_files.control_dir("conf")
  paths = [os.path.join(folder, name + runtime_files.SUFFIX) for name in
           leftovers.instances(os.path.join(folder, runtime_files.SUFFIX))]
  return [path for path in paths
          if not os.path.lexists(path) and not runs(path)]
