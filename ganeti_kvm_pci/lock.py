"""One operation on an instance's devices at a time, on this node.

Each RPC that hotplugs runs in a process of its own, and Ganeti's locks do not
keep out a command by hand. The lock goes with the process, however it ends.

"""

import contextlib
import errno
import fcntl
import os
import time

from . import clock
from .errors import NodeError

#: In seconds; an unplug that the guest ignores takes 5, or up to 40 where the
#: node daemon's environment says so (see L{hotplug}).
_PATIENCE = 60

_INTERVAL = 0.02

#: Of the plugin's own, beside the folder of the runtime files.
FOLDER = "kvm-pci"


def path_for(runtime_path):
  """Name the lock of an instance.

  @param runtime_path: its runtime file; that one is replaced all the time, and
      Ganeti takes every file beside it for an instance's, so the lock is a
      file in a folder of the plugin's own

  """
  folder, name = os.path.split(os.path.abspath(runtime_path))
  return os.path.join(os.path.dirname(folder), FOLDER, name + ".lock")


@contextlib.contextmanager
def held(path):
  """Hold a lock.

  @param path: result of L{path_for}
  @return: a context
  @raise NodeError: if somebody else does not let go of it

  """
  try:
    if not os.path.isdir(os.path.dirname(path)):
      _make(os.path.dirname(path))
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    # Python 2 would hand it on to each program that it starts
    fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
  except EnvironmentError as err:
    raise NodeError("cannot open the lock %s: %s" % (path, err.strerror))
  try:
    _await(fd, path)
    try:
      yield
    finally:
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


def _make(folder):
  try:
    os.mkdir(folder, 0o700)
  except EnvironmentError as err:
    if err.errno != errno.EEXIST: # somebody else was faster
      raise


def _await(fd, path):
  deadline = clock.monotonic() + _PATIENCE
  while True:
    try:
      fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
      return
    except EnvironmentError as err:
      if err.errno not in (errno.EAGAIN, errno.EACCES):
        raise NodeError("cannot lock %s: %s" % (path, err.strerror))
    if clock.monotonic() > deadline:
      raise NodeError("another operation on the instance's devices has held"
                      " %s for %d s; see which process has it open" %
                      (path, _PATIENCE))
    time.sleep(_INTERVAL)
