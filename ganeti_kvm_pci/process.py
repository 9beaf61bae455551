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

"""What a process tells of itself, and the file of its number.

All that is read under C{/proc} is read here.

"""

import errno
import os
import stat

from .errors import NodeError


#: So much is read at once; a command is nearly always shorter.
_CHUNK = 1 << 16


def _contents(fd):
  """Read what is left of an open file, and close it."""
  try:
    chunks = []
    while True:
      chunk = os.read(fd, _CHUNK)
      if not chunk:
        return b"".join(chunks)
      chunks.append(chunk)
  finally:
    os.close(fd)


def number_in(path):
  """Read the file that has the number of a process.

  @rtype: int or None
  @return: the number of a process, which may have ended; None if there is no
      such file
  @raise ValueError: if there is no such number in it
  @raise EnvironmentError: if it cannot be read, or is no regular file

  """
  try:
    # a pipe would never end
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
  except EnvironmentError as err:
    if err.errno == errno.ENOENT:
      return None
    raise
  if not stat.S_ISREG(os.fstat(fd).st_mode):
    os.close(fd)
    raise EnvironmentError(errno.EINVAL, "not a regular file")
  pid = int(_contents(fd))
  if pid <= 0:
    raise ValueError("no number of a process")
  return pid


def _read(pid, name):
  """Read one of the files of a process."""
  return _contents(os.open("/proc/%d/%s" % (pid, name), os.O_RDONLY))


def has_argument(pid, name):
  """Tell whether one of the words after a process' first is a name.

  @type pid: int
  @type name: bytes
  @param name: a word, or what one begins with before a comma
  @rtype: bool
  @return: False if it has ended

  """
  try:
    found = _read(pid, "cmdline")
  except EnvironmentError:
    return False
  # each word ends with a zero byte; what comes after the last is none
  found = found[:found.rfind(b"\0") + 1]
  return b"\0%s\0" % name in found or b"\0%s," % name in found


def command(pid):
  """Read the command of a process.

  It is what QEMU was really given: the command of the runtime file, as changed
  by a wrapper that an administrator put into C{kvm_path}.

  @type pid: int
  @rtype: list of strings
  @raise NodeError: if it has ended

  """
  try:
    found = _read(pid, "cmdline").split(b"\0")[:-1]
  except EnvironmentError as err:
    raise NodeError("the command of process %d cannot be read: %s" %
                    (pid, err.strerror))
  return [word.decode("utf-8", "replace") for word in found]


def mapped(pid, end):
  """List the files that a process has mapped into its memory.

  @type pid: int
  @type end: string
  @param end: what a file's path ends with
  @rtype: list of tuples or None
  @return: one each: its path (bytes), and whether it was removed or replaced
      since; None if this user may not know

  """
  try:
    lines = _read(pid, "maps").splitlines()
  except EnvironmentError:
    return None
  end = end.encode("ascii")
  gone = b" (deleted)"
  # the path is the sixth word, and the last
  paths = [line.split(None, 5)[5] for line in lines
           if line.endswith((end, end + gone))]
  return [(path[:-len(gone)], True) if path.endswith(gone) else (path, False)
          for path in paths]


def fetches_memory(pid):
  """Tell whether a process fetches pages of its memory when they are needed.

  QEMU does where a guest arrives by postcopy. A page that does not come stops
  whoever needs it, the monitor's thread as well.

  @type pid: int
  @rtype: bool
  @return: False also where that cannot be told

  """
  folder = "/proc/%d/fd" % pid
  try:
    for name in os.listdir(folder):
      try:
        if os.readlink(os.path.join(folder, name)).endswith("[userfaultfd]"):
          return True
      except EnvironmentError: # it was closed
        continue
  except EnvironmentError: # it has ended
    pass
  return False


def is_replaced(pid):
  """Tell whether the program that a process runs is there no longer.

  @type pid: int
  @rtype: bool
  @return: False also where that cannot be told

  """
  try:
    return os.readlink("/proc/%d/exe" % pid).endswith(" (deleted)")
  except EnvironmentError: # it has ended
    return False


def runs_file(pid, path):
  """Tell whether a process runs the program that a path leads to now.

  @type pid: int
  @type path: string
  @rtype: bool or None
  @return: None where that cannot be told, or the path leads to a script, which
      runs another

  """
  try:
    with open(path, "rb") as stream:
      if stream.read(4) != b"\x7fELF":
        return None
      there = os.fstat(stream.fileno())
    running = os.stat("/proc/%d/exe" % pid)
  except (EnvironmentError, TypeError, ValueError): # no name of a file
    return None
  return (there.st_dev, there.st_ino) == (running.st_dev, running.st_ino)


def identity_of_program(pid):
  """Tell the program that a process runs from others.

  It is the one that was started, whatever is at its path by now.

  @type pid: int
  @rtype: list or None
  @return: see L{identity_of_file}; None if this user may not know

  """
  try:
    return identity_of_file(os.stat("/proc/%d/exe" % pid))
  except EnvironmentError: # it has ended
    return None


def identity_of_file(status):
  """Tell a file, with what it contains, from others.

  Whoever writes to it, or gives it the times of another, changes its ctime.

  @param status: its os.stat_result
  @rtype: list
  @return: what JSON can hold; on Python 2 the times are not quite exact

  """
  return [status.st_dev, status.st_ino, status.st_size,
          getattr(status, "st_mtime_ns", None) or repr(status.st_mtime),
          getattr(status, "st_ctime_ns", None) or repr(status.st_ctime)]


def boot():
  """Tell this boot of the node from others.

  @rtype: string or None

  """
  try:
    with open("/proc/sys/kernel/random/boot_id") as stream:
      return stream.read().strip()
  except EnvironmentError:
    return None


def identity(pid):
  """Tell a process from others, those too that will get its number.

  @type pid: int
  @rtype: string

  """
  try:
    # the name before that, in parentheses, may have anything in it
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return "%d %s" % (pid, fields[19].decode("ascii"))
  except (EnvironmentError, IndexError): # it has ended
    return "%d" % pid
