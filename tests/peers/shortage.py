"""A process that has no descriptor, or no room on the disk, at some moment.

What a process opens, makes or renames is told to its audit hooks (Python 3.8
and later), which may refuse it. These cannot be removed: all of this is for a
process of its own, see L{child_processes}.

"""

import errno
import os
import resource
import sys

HAS_HOOKS = hasattr(sys, "addaudithook")

#: Why a test is skipped elsewhere.
NO_HOOKS = "sys.addaudithook is of Python 3.8 and later"

#: What needs a descriptor.
_OPENS = frozenset(["open", "socket.__new__", "os.listdir", "os.scandir",
                    "subprocess.Popen"])

#: What changes a folder, beside a file that is opened for writing.
_CHANGES = frozenset(["os.mkdir", "os.rename", "os.remove", "os.link",
                      "os.symlink"])


def opens(event, args):
  """Tell whether an event needs a descriptor."""
  # where Python looks for a module, it takes it that there is none
  return event in _OPENS and not str(args[:1]).endswith((".pyc',)", ".py',)"))


def writes(folder):
  """Make the function that tells what may need room below a folder."""
  def is_write(event, args):
    if event == "open":
      flags = args[2] if isinstance(args[2], int) else 0
      return (str(args[0]).startswith(folder) and
              flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) != 0)
    return event in _CHANGES and str(args[0]).startswith(folder)
  return is_write


def at(number, is_meant, then, lasts):
  """Have something happen at one of the events.

  @type number: int
  @param number: which of those that are meant, from 1 on
  @param is_meant: function of an event and its arguments
  @param then: function without arguments; what it raises, the event raises
  @param lasts: whether at all that follow as well
  @rtype: function
  @return: ends it; returns how many there were

  """
  seen = [0]
  ended = []

  def hook(event, args):
    if ended or not is_meant(event, args):
      return
    seen[0] += 1
    if seen[0] == number or lasts and seen[0] > number:
      then()

  def end():
    ended.append(True)
    return seen[0]

  sys.addaudithook(hook)
  return end


def refuse(number):
  """Make the function that raises an error of the kernel's."""
  def then():
    raise OSError(number, os.strerror(number))
  return then


def leave_descriptors(count):
  """Leave this process so many descriptors, and no more.

  @rtype: function
  @return: ends it

  """
  limits = resource.getrlimit(resource.RLIMIT_NOFILE)
  highest = max(int(name) for name in os.listdir("/proc/self/fd"))
  resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
  held = []
  while True:
    try:
      held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as err:
      assert err.errno == errno.EMFILE
      break
  # those between may not suffice
  resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + count, limits[1]))

  def end():
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    for fd in held:
      os.close(fd)

  return end


def fill(folder):
  """Fill a file system until nothing more can be written to it.

  @param folder: one of its folders
  @return: path of what fills it

  """
  path = os.path.join(folder, "filling")
  fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
  try:
    for size in (1 << 16, 1 << 12, 1):
      while True:
        try:
          os.write(fd, b"x" * size)
        except OSError as err:
          assert err.errno == errno.ENOSPC
          break
  finally:
    os.close(fd)
  return path


def fill_names(folder):
  """Make files until the file system has room for no more of them.

  @return: folder with what fills it

  """
  path = os.path.join(folder, "names")
  try:
    os.mkdir(path)
    number = 0
    while True:
      os.close(os.open(os.path.join(path, "%d" % number),
                       os.O_WRONLY | os.O_CREAT, 0o600))
      number += 1
  except OSError as err:
    assert err.errno in (errno.ENOSPC, errno.EEXIST)
  return path


def clear(folder):
  """Remove what L{fill} and L{fill_names} have made."""
  names = os.path.join(folder, "names")
  for path in [os.path.join(folder, "filling")] + (
      [os.path.join(names, name) for name in os.listdir(names)]
      if os.path.isdir(names) else []):
    if os.path.exists(path):
      os.unlink(path)
  if os.path.isdir(names):
    os.rmdir(names)
