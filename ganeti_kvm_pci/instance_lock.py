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

"""One operation on an instance's devices at a time, on this node.

Ganeti's locks do not keep out a command by hand, its watcher, or a job whose
master has given up. The node daemon serves each request in a process of its own
up to Ganeti 3.1, and in a thread from commit 14eb51bd8 on. The lock is on a
file that each holder has opened for itself, so it keeps out either; it ends
with the operation, and with the process, however that ends.

"""

import contextlib
import errno
import fcntl
import os
import stat
import time

from . import clock
from . import time_limit
from .errors import BusyError
from .errors import NodeError

_INTERVAL = 0.02

#: Of the plugin's own, beside the folder of the runtime files.
FOLDER = "kvm-pci"

#: What it adds to a runtime file's name.
SUFFIX = ".lock"


def beside(runtime_path, suffix):
  """Name a file that the plugin keeps for an instance.

  @param runtime_path: its runtime file; that one is replaced all the time, and
      Ganeti takes every file beside it for an instance's, so the plugin has a
      folder of its own
  @param suffix: what the file is
  @rtype: string

  """
  folder, name = os.path.split(os.path.abspath(runtime_path))
  return os.path.join(os.path.dirname(folder), FOLDER, name + suffix)


def path_for(runtime_path):
  """Name the lock of an instance.

  @param runtime_path: its runtime file

  """
  return beside(runtime_path, SUFFIX)


@contextlib.contextmanager
def held(path, patience=None):
  """Hold a lock.

  Its file is there only while somebody holds it, or was killed meanwhile.

  @param path: result of L{path_for}
  @type patience: number or None
  @param patience: how long others may have it, in seconds; None for
      L{time_limit.patience}
  @return: a context
  @raise BusyError: if somebody else does not release it
  @raise NodeError: if it cannot be had for another reason

  """
  fd = _acquire(path, patience)
  try:
    try:
      yield
    finally:
      _remove(fd, path)
      # another thread may have forked meanwhile, whose child has it open too
      fcntl.flock(fd, fcntl.LOCK_UN)
  finally:
    os.close(fd)


@contextlib.contextmanager
def nothing():
  """Hold nothing, where nobody else can come.

  @return: a context

  """
  yield


def is_at(fd, path):
  """Tell whether an open file is still what a path leads to.

  @rtype: bool

  """
  try:
    there = os.lstat(path)
  except EnvironmentError:
    return False
  here = os.fstat(fd)
  return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def try_lock(fd):
  """Lock an open file, if nobody else has locked it.

  @rtype: bool
  @raise EnvironmentError: if it cannot be locked at all

  """
  try:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
  except EnvironmentError as err:
    if err.errno not in (errno.EAGAIN, errno.EACCES):
      raise
    return False


def read(path):
  """Read a file of L{beside}.

  @rtype: string
  @raise EnvironmentError: if it cannot be read, or is no file
  @raise ValueError: if it is no text

  """
  with _regular(path, os.O_RDONLY) as stream:
    return stream.read().decode("utf-8")


def write(path, text):
  """Write a file of L{beside}.

  @type text: string
  @raise EnvironmentError: if it cannot be written, or is no file

  """
  with _regular(path, os.O_WRONLY | os.O_CREAT) as stream:
    stream.truncate()
    stream.write(text.encode("utf-8"))


def _regular(path, flags):
  # a pipe would never end, and who waits for it holds the lock
  fd = os.open(path, flags | os.O_NONBLOCK, 0o600)
  if not stat.S_ISREG(os.fstat(fd).st_mode):
    os.close(fd)
    raise EnvironmentError(errno.EINVAL, "not a regular file")
  return os.fdopen(fd, "rb" if flags == os.O_RDONLY else "wb")


def _open(path):
  flags = os.O_RDWR | os.O_CREAT
  try:
    try:
      return open_alone(path, flags)
    except EnvironmentError as err:
      if err.errno != errno.ENOENT:
        raise
      _make(os.path.dirname(path))
      return open_alone(path, flags)
  except EnvironmentError as err:
    raise NodeError("cannot open the lock %s: %s" % (path, err.strerror))


def open_alone(path, flags):
  """Open a file for this process, and for no program that it starts.

  @type flags: int
  @param flags: of C{os.open}; a file that is made is this user's alone
  @rtype: int
  @raise EnvironmentError: if it cannot be opened

  """
  fd = os.open(path, flags, 0o600)
  if not hasattr(os, "set_inheritable"): # Python 2 hands on all of them
    fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
  return fd


def _make(folder):
  try:
    os.mkdir(folder, 0o700)
  except EnvironmentError as err:
    if err.errno != errno.EEXIST: # somebody else was faster
      raise


def _remove(fd, path):
  """Remove the file of a lock that is held."""
  try:
    # somebody may have removed it by hand, and then it is another's
    if is_at(fd, path):
      os.unlink(path)
  except EnvironmentError: # it locks nobody out
    pass


def _acquire(path, patience):
  """Open and lock a file.

  Who held it before has removed it: what was waited for is the lock of nobody
  then, and others may hold the one that is there by now.

  """
  begun = clock.monotonic()
  while True:
    fd = _open(path)
    is_held = False
    try:
      is_held = try_lock(fd) and is_at(fd, path)
    except EnvironmentError as err:
      raise NodeError("cannot lock %s: %s" % (path, err.strerror))
    finally:
      if not is_held:
        os.close(fd)
    if is_held:
      return fd
    if patience is None: # nearly always, nobody else has it
      patience = time_limit.patience()
    if clock.monotonic() - begun > patience:
      raise BusyError("another operation on the instance's devices has held"
                      " %s for %d s; see which process has it open" %
                      (path, patience))
    time.sleep(_INTERVAL)
