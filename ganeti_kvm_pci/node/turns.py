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

"""One process at a time for an instance, and at most one that waits for it.

What one does that has begun to wait is of the state after that; so a third has
nothing to do. C{freeze} and C{thaw} take the same turn (L{all_turns}): else one
that has looked before would write tags again that they have removed.

"""

import contextlib
import errno
import fcntl
import os
import resource
import stat
import time

from ..clock import monotonic
from ..errors import NodeError
from ..errors import show

_FOLDER = "kvm-pci-tags"

#: How often a lock that another has is tried again, in seconds.
_INTERVAL = 0.1

#: How many files this process has open beside those of instances, at most.
_OTHER_FILES = 200


def _folder():
  """Make the folder of the locks.

  Ganeti's own belongs to the group of its daemons, which need not be root.

  """
  from ganeti import pathutils
  folder = os.path.join(pathutils.RUN_DIR, _FOLDER)
  try:
    os.mkdir(folder, 0o700)
  except EnvironmentError as err:
    if err.errno != errno.EEXIST:
      raise
  found = os.lstat(folder)
  if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
    raise EnvironmentError(errno.EPERM, "not a folder of this user's", folder)
  return folder


def _open(name):
  fd = os.open(os.path.join(_folder(), name),
               os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
  # Python 2 hands on all
  fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
  return fd


def _take(fd):
  """Take a lock, if nobody has it.

  @rtype: bool
  @return: whether it was taken

  """
  try:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except EnvironmentError as err:
    if err.errno not in (errno.EAGAIN, errno.EACCES):
      raise
    return False
  return True


@contextlib.contextmanager
def turn(instance):
  """Wait for the process that works on an instance's tags.

  @type instance: string
  @return: a context; of whether there is something to do: False if another
      waits that has not begun
  @raise EnvironmentError: if the lock cannot be had

  """
  waiting = _open(instance + ".waiting")
  try:
    if not _take(waiting):
      yield False
      return
    working = _open(instance + ".working")
    try:
      fcntl.flock(working, fcntl.LOCK_EX)
      # who comes from now on may know more than this one will see
      fcntl.flock(waiting, fcntl.LOCK_UN)
      yield True
    finally:
      os.close(working)
  finally:
    os.close(waiting)


def _make_room(number):
  """Have this process open as many files, if it may."""
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  if soft != resource.RLIM_INFINITY and soft < number:
    resource.setrlimit(resource.RLIMIT_NOFILE, (
      number if hard == resource.RLIM_INFINITY else min(number, hard), hard))


@contextlib.contextmanager
def all_turns(instances, limit):
  """Keep all others from the tags of several instances.

  @type instances: collection of strings
  @type limit: number
  @param limit: how long others are waited for, in seconds
  @return: a context; of the set of those which others have not left by then
  @raise NodeError: if a lock cannot be had

  """
  until = monotonic() + limit
  held = []
  busy = set()
  try:
    try:
      _make_room(len(instances) + _OTHER_FILES)
      # in the same order all over, or two would wait for each other
      for instance in sorted(instances):
        fd = _open(instance + ".working")
        held.append(fd)
        while not _take(fd):
          if monotonic() >= until:
            busy.add(instance)
            break
          time.sleep(_INTERVAL)
    except (EnvironmentError, ImportError, ValueError) as err:
      raise NodeError("cannot lock the tags of instances: %s" % show(err))
    yield busy
  finally:
    for fd in held:
      os.close(fd)
