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

"""Files that are being written, beside those that they are to replace.

A process that is killed leaves them. They are told by their names, and by the
lock that their writer holds until they have their right name, or are removed:
what nobody holds is written by nobody.

"""

import binascii
import contextlib
import errno
import fcntl
import os
import re
import stat

from . import instance_lock

#: What is made up, here and by C{mkstemp} in every Python.
RANDOM = "[A-Za-z0-9_]{6,8}"

#: Of so many bytes, in hexadecimal digits.
_RANDOM_BYTES = 4

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

#: At the end of a name, so that it cannot be an administrator's.
MARK = ".kvm-pci"

#: What is a word, or a date, was not made up.
_CHOSEN = r"(?![a-z]+\Z|[A-Z]+\Z|[0-9]+\Z)"


def make(folder, name):
  """Make a file that is to replace another.

  @param name: of the other, which need not be there
  @rtype: tuple (int, string)
  @return: its descriptor, which must stay open until the file has its right
      name or is removed, and its path
  @raise EnvironmentError: if that fails

  """
  while True:
    path = os.path.join(folder, ".%s.%s%s" % (
      name, binascii.hexlify(os.urandom(_RANDOM_BYTES)).decode("ascii"), MARK))
    try:
      fd = instance_lock.open_alone(path, _NEW)
    except EnvironmentError as err:
      if err.errno != errno.EEXIST:
        raise
      continue
    try:
      fcntl.flock(fd, fcntl.LOCK_EX)
    except EnvironmentError: # so does L{_is_abandoned}, and leaves it
      return fd, path
    if instance_lock.is_at(fd, path):
      return fd, path
    # it was swept before it was locked
    os.close(fd)


@contextlib.contextmanager
def written(folder, name, data, mode, owner=None, lasting=True):
  """Write a whole file.

  @param name: of the file that it is to become
  @type data: bytes
  @param mode: its permissions
  @type owner: tuple (int, int) or None
  @param owner: user and group; None for those of this process
  @type lasting: bool
  @param lasting: whether it is to be on the disk before it gets its name, so
      that a loss of power leaves it or the one before whole. What is about a
      QEMU that runs needs that not: no QEMU outlives it. Nor does a process
      that is killed (kill -9) leave half a file under the name
  @return: a context, which gives its path; what has no other by its end is
      removed
  @raise EnvironmentError: if it cannot be written

  """
  fd, path = make(folder, name)
  try:
    while data:
      data = data[os.write(fd, data):]
    made = os.fstat(fd)
    if owner and (made.st_uid, made.st_gid) != owner:
      os.fchown(fd, *owner)
    os.fchmod(fd, mode)
    if lasting:
      os.fsync(fd)
    yield path
  finally:
    try:
      if instance_lock.is_at(fd, path):
        os.unlink(path)
    finally: # what stays is swept then
      os.close(fd)


def is_abandoned(path, remove=False):
  """Tell whether a file is there that nobody holds.

  @param remove: whether it is removed, if so
  @rtype: bool

  """
  try:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
  except EnvironmentError: # gone, or none that was made here
    return False
  try:
    found = (stat.S_ISREG(os.fstat(fd).st_mode) and
             instance_lock.try_lock(fd) and instance_lock.is_at(fd, path))
    if found and remove:
      os.unlink(path)
    return found
  except EnvironmentError:
    return False
  finally:
    os.close(fd)


def hidden(folder):
  """List what is hidden in a folder: half-written files are.

  @rtype: list of strings
  @return: names; none if the folder cannot be read

  """
  try:
    return sorted(entry for entry in os.listdir(folder)
                  if entry.startswith("."))
  except EnvironmentError:
    return []


def _candidates(folder, name, only_ours, listed):
  start = "." + name
  entries = [entry for entry in (hidden(folder) if listed is None else listed)
             if entry.startswith(start)]
  if not entries: # nearly always
    return []
  own = re.compile(r"\.%s%s\Z" % (re.escape(name), (
    # up to 0.1.0, without the mark
    r"\.?(%s%s|%s%s)" % (_CHOSEN, RANDOM, RANDOM, re.escape(MARK))
    if only_ours else r"\.%s%s" % (RANDOM, re.escape(MARK)))))
  return [os.path.join(folder, entry) for entry in entries if own.match(entry)]


def find(folder, name, only_ours=False, listed=None):
  """List what killed processes left that were to replace a file.

  @param name: of the file
  @param only_ours: whether nobody else hides files of such names there, so that
      what has no mark is meant as well
  @param listed: what L{hidden} has found, for who goes through a whole folder;
      what was left there since is left
  @rtype: list of strings
  @return: paths; empty also where the folder cannot be read

  """
  return [path for path in _candidates(folder, name, only_ours, listed)
          if is_abandoned(path)]


def sweep(folder, name, only_ours=False, listed=None):
  """Remove what L{find} finds.

  @param listed: see L{find}
  @rtype: list of strings
  @return: paths of what was removed

  """
  return [path for path in _candidates(folder, name, only_ours, listed)
          if is_abandoned(path, remove=True)]
