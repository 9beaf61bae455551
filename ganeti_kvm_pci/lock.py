"""One operation on an instance's devices at a time, on this node.

Each RPC that hotplugs runs in a process of its own, and Ganeti's locks do not
keep out a command by hand. The lock goes with the process, however it ends.

"""

import contextlib
import errno
import fcntl
import os
import time

from .errors import NodeError

#: In seconds; an unplug that the guest ignores takes 5.
_PATIENCE = 60

_INTERVAL = 0.02


def path_for(runtime_path):
  """Name the lock of an instance.

  @param runtime_path: its runtime file; that one is replaced all the time, so
      the lock is a file beside it, which stays

  """
  folder, name = os.path.split(runtime_path)
  return os.path.join(folder, ".%s.lock" % name)


@contextlib.contextmanager
def held(path):
  """Hold a lock.

  @param path: result of L{path_for}
  @return: a context
  @raise NodeError: if somebody else does not let go of it

  """
  try:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0),
                 0o600)
  except EnvironmentError as err:
    raise NodeError("cannot open the lock %s: %s" % (path, err.strerror))
  try:
    _await(fd, path)
    yield
  finally:
    os.close(fd)


def _await(fd, path):
  deadline = time.time() + _PATIENCE
  while True:
    try:
      fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
      return
    except EnvironmentError as err:
      if err.errno not in (errno.EAGAIN, errno.EACCES):
        raise NodeError("cannot lock %s: %s" % (path, err.strerror))
    if time.time() > deadline:
      raise NodeError("another operation on the instance's devices has held"
                      " %s for %d s; see which process has it open" %
                      (path, _PATIENCE))
    time.sleep(_INTERVAL)
