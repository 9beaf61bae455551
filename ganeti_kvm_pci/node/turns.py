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
nothing to do.

"""

import contextlib
import errno
import fcntl
import os

_FOLDER = "kvm-pci-tags"


def _open(name):
  from ganeti import pathutils
  folder = os.path.join(pathutils.RUN_DIR, _FOLDER)
  if not os.path.isdir(folder):
    try:
      os.makedirs(folder, 0o700)
    except EnvironmentError as err:
      if err.errno != errno.EEXIST:
        raise
  fd = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT, 0o600)
  # Python 2 hands on all
  fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
  return fd


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
    try:
      fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except EnvironmentError as err:
      if err.errno not in (errno.EAGAIN, errno.EACCES):
        raise
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
