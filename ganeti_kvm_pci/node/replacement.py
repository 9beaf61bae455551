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

"""A runtime file replaced, as a whole or not at all; the old one is kept.

The new one is written beside, brought to the disk, and renamed. The node daemon
does the same without asking anybody, so what it wrote meanwhile is looked for
at the last moment.

"""

import errno
import itertools
import os
import stat

from .. import instance_lock
from .. import leftovers
from .. import temporary
from ..errors import NodeError
from . import runtime_files


def _is_unchanged(seen, keys=("st_ino", "st_dev", "st_size", "st_mtime",
                                "st_ctime")):
  """Tell whether a file is still the one that was read."""
  try:
    now = os.lstat(seen.path)
  except EnvironmentError:
    return False
  return all(getattr(now, key) == getattr(seen.status, key) for key in keys)


def _dressed(text, status):
  """Tell what makes a file like one that is there: L{temporary.written}."""
  return (text.encode("utf-8"), stat.S_IMODE(status.st_mode),
          (status.st_uid, status.st_gid))


def _copy(seen, path):
  """Keep a file, where it cannot get another name, as a copy.

  @raise EnvironmentError: also if there is something of that name

  """
  name = os.path.basename(seen.path) + leftovers.BACKUP
  with temporary.written(os.path.dirname(path), name, *_dressed(
      seen.text, seen.status)) as new:
    # who writes backups of this file holds the instance's lock
    if os.path.lexists(path):
      raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(new, path)


def _keep(seen, path):
  """Keep a file under another name; it is about to be renamed over.

  @rtype: bool
  @return: False if there is something of that name

  """
  try:
    try:
      os.link(seen.path, path)
    except EnvironmentError as err:
      # another file system, or one without links
      if err.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
        raise
      _copy(seen, path)
    return True
  except EnvironmentError as err:
    if err.errno != errno.EEXIST:
      raise
    return False


def _back_up(seen, folder):
  """Keep a file under a name that is free.

  @rtype: string

  """
  base = path = os.path.join(folder, os.path.basename(seen.path) +
                             leftovers.BACKUP)
  numbers = itertools.count(1)
  while not _keep(seen, path):
    path = "%s.%d" % (base, next(numbers))
  return path


def _sweep(folder, name, listed, only_ours=False):
  """Remove what killed processes left that were to replace a file.

  @param listed: see L{replace}

  """
  if listed is not None and folder not in listed:
    listed[folder] = temporary.hidden(folder)
  temporary.sweep(folder, name, only_ours,
                  None if listed is None else listed[folder])


def replace(seen, text, backup_dir=None, listed=None):
  """Replace a file that was read by another text.

  Owner and mode stay. What stood there is kept: in a folder of its own, where
  it is an instance's of this node, or beside. Both names last once L{sync} has
  returned. What killed processes left half-written is removed.

  @type seen: L{runtime_files.Seen}
  @type text: string
  @type backup_dir: string or None
  @param backup_dir: is made if it is not there
  @type listed: dict or None
  @param listed: for who replaces many: empty at first, and kept by him; each
      folder is looked at for what was left half-written, once
  @rtype: string
  @return: path of the backup
  @raise NodeError: if it was changed meanwhile, or cannot be written; then it
      is as it was

  """
  folder, name = os.path.split(os.path.abspath(seen.path))
  is_own = runtime_files.instance_of(seen.path) is not None
  # Ganeti takes every file in its folder for an instance's
  backup_dir = backup_dir or (
    runtime_files.control_dir(instance_lock.FOLDER) if is_own else folder)
  surplus = []
  try:
    if not (listed and backup_dir in listed) and not os.path.isdir(backup_dir):
      os.makedirs(backup_dir, 0o700)
    _sweep(folder, name, listed, only_ours=is_own)
    _sweep(backup_dir, name + leftovers.BACKUP, listed)
    with temporary.written(folder, name, *_dressed(text, seen.status)) as new:
      unchanged = _is_unchanged(seen)
      if unchanged:
        backup = _back_up(seen, backup_dir)
        surplus.append(backup)
        # the backup's link has changed the inode's time
        unchanged = _is_unchanged(seen, ("st_ino", "st_dev", "st_size",
                                         "st_mtime"))
      if not unchanged:
        raise NodeError("%s was changed meanwhile, probably by the node daemon;"
                        " nothing was written, try again" % seen.path)
      os.rename(new, seen.path)
      surplus = []
    return backup
  except EnvironmentError as err:
    raise NodeError("%s cannot be replaced: %s" % (seen.path, err))
  finally:
    for path in surplus:
      os.unlink(path)


def sync(folders):
  """Bring the names in some folders to the disk.

  @type folders: collection of strings
  @raise NodeError: if that fails

  """
  for folder in folders:
    try:
      fd = os.open(folder, os.O_RDONLY)
      try:
        os.fsync(fd)
      finally:
        os.close(fd)
    except EnvironmentError as err:
      raise NodeError("%s cannot be brought to the disk: %s" % (folder, err))
