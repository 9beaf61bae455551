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

"""The runtime files of this node: which there are, read, replaced.

A file is replaced as a whole or not at all: written beside, brought to the
disk, renamed. The node daemon does the same without asking anybody, so what it
wrote meanwhile is looked for at the last moment.

"""

import collections
import contextlib
import errno
import itertools
import os
import stat

from .. import instance_lock
from .. import leftovers
from .. import temporary
from ..errors import NodeError
from ..errors import RuntimeFileError

_SUFFIX = ".runtime"

#: Where they would lie if the Ganeti that is not here were an ordinary one.
RUN_DIR = "/var/run/ganeti"

#: Not empty once there turned out to be none: to look for it again takes
#: longer than to read a file.
_WITHOUT_GANETI = []

#: In bytes; genuine files with 16 disks and 8 NICs stay below 20 kB.
_MAX_RUNTIME = 16 << 20

#: A file as it was read.
#:   - path, text: strings
#:   - status: its os.stat_result of that moment
Seen = collections.namedtuple("Seen", ["path", "text", "status"])


def control_dir(kind):
  """Return a folder of the KVM instances' files.

  @param kind: C{"conf"} (runtime files), C{"ctrl"} (sockets) or C{"pid"}

  """
  run_dir = RUN_DIR
  if not _WITHOUT_GANETI:
    try:
      # with a node's prefix in a virtual cluster
      from ganeti import pathutils
      run_dir = pathutils.RUN_DIR
    except Exception: # pylint: disable=broad-except
      # whatever another Python's Ganeti raises
      _WITHOUT_GANETI.append(True)
  return os.path.join(run_dir, "kvm-hypervisor", kind)


def all_runtimes():
  """List the runtime files of this node.

  @rtype: list of strings
  @raise NodeError: if their folder cannot be listed

  """
  folder = control_dir("conf")
  try:
    names = os.listdir(folder)
  except EnvironmentError as err:
    if err.errno == errno.ENOENT: # no instance was ever started here
      return []
    raise NodeError("cannot list runtime files: %s" % err)
  return [os.path.join(folder, name) for name in sorted(names)
          if name.endswith(_SUFFIX)]


def find_runtime(name):
  """Find the runtime file of an instance.

  @type name: string
  @param name: full name, or as much of its first labels as is unambiguous
  @rtype: string
  @raise NodeError: if there is none on this node, or several

  """
  folder = control_dir("conf")
  if os.path.lexists(os.path.join(folder, name + _SUFFIX)):
    return os.path.join(folder, name + _SUFFIX)
  found = [path for path in all_runtimes()
           if os.path.basename(path).startswith(name + ".")]
  if len(found) == 1:
    return found[0]
  if found:
    raise NodeError("%s may mean %s" % (name, " or ".join(
      os.path.basename(path)[:-len(_SUFFIX)] for path in found)))
  raise NodeError("no runtime file of an instance %s in %s: is it running on"
                  " this node?" % (name, folder))


def is_path(name):
  """Tell whether a user means a file, and not an instance.

  What lies in the current folder does not decide that.

  """
  return os.sep in name or name.endswith(_SUFFIX)


def named(name):
  """Find the file that a user means.

  @param name: an instance's name, or a path
  @rtype: string
  @raise NodeError: if it is neither

  """
  return name if is_path(name) else find_runtime(name)


def instance_of(path):
  """Tell which instance of this node a runtime file is of.

  @rtype: string or None

  """
  # a link to one of them is not read
  folder, name = os.path.split(path)
  try:
    folder = os.path.realpath(folder)
  except EnvironmentError: # the current folder was removed
    return None
  if name.endswith(_SUFFIX) and _are_same(folder, control_dir("conf")):
    return name[:-len(_SUFFIX)]
  return None


def own_instance(path):
  """Tell which instance of this node a runtime file is of.

  @rtype: string
  @raise NodeError: if it is of none: a copy, or a file of another node

  """
  instance = instance_of(path)
  if instance is None:
    raise NodeError("%s is not a runtime file of this node (they are in %s), so"
                    " there is no guest to ask; name the instance, or leave out"
                    " --live and --repair" % (path, control_dir("conf")))
  return instance


def runs(path):
  """Tell whether the guest of a runtime file runs.

  @rtype: bool or None
  @return: None for a file that is not one of this node's instances
  @raise NodeError: if that cannot be told

  """
  instance = instance_of(path)
  if instance is None:
    return None
  pid = _pid(instance)
  try:
    words = b"" if pid is None else _content("/proc/%d/cmdline" % pid)
  except EnvironmentError: # it has ended
    return False
  # the number may be another process's by now
  word = b"\0" + (instance if isinstance(instance, bytes)
                  else instance.encode("utf-8", "surrogateescape"))
  return word + b"\0" in words or word + b"," in words


def _pid(instance):
  """Tell the process of an instance, which may have ended.

  @rtype: int or None
  @return: None if there is no file that names one
  @raise NodeError: if the file does not

  """
  path = os.path.join(control_dir("pid"), instance)
  try:
    pid = int(_content(path))
    if pid > 0:
      return pid
    reason = "no number of a process in it"
  except ValueError:
    reason = "no number of a process in it"
  except EnvironmentError as err:
    if err.errno == errno.ENOENT:
      return None
    reason = err.strerror
  raise NodeError("cannot tell whether instance %s runs: %s: %s" %
                  (instance, path, reason))


def pid_of(path):
  """Tell the process of an instance of this node, which runs.

  @rtype: int
  @raise NodeError: if it has ended, or is of no instance of this node

  """
  pid = _pid(own_instance(path))
  if pid is None:
    raise NodeError("no process of %s's guest: it has ended" % path)
  return pid


def _are_same(folder, other):
  try:
    return folder == other or os.path.samefile(folder, other)
  except EnvironmentError: # one of them does not exist
    return False


def _content(path):
  # a pipe would never end
  fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
  with os.fdopen(fd, "rb", 0) as stream:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
      raise EnvironmentError(errno.EINVAL, "not a regular file")
    return stream.read()


def read(path):
  """Read a runtime file.

  @rtype: L{Seen}
  @raise RuntimeFileError: if it cannot be read as text of a sane size

  """
  try:
    # a pipe would never end; a link leads to what is not this node's file
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
  except EnvironmentError as err:
    if err.errno == errno.ELOOP:
      raise RuntimeFileError(path, "a symbolic link; name the file itself")
    if err.errno == errno.ENOENT:
      raise RuntimeFileError(path, "no such file")
    raise RuntimeFileError(path, "cannot be read: %s" % err.strerror)
  status = os.fstat(fd)
  if not stat.S_ISREG(status.st_mode):
    os.close(fd)
    raise RuntimeFileError(path, "not a regular file")
  try:
    with os.fdopen(fd, "rb") as stream:
      if status.st_size > _MAX_RUNTIME:
        raise RuntimeFileError(path,
                               "larger than %d MB, that is no runtime file" %
                               (_MAX_RUNTIME >> 20))
      return Seen(path, stream.read(status.st_size + 1).decode("utf-8"), status)
  except EnvironmentError as err:
    raise RuntimeFileError(path, "cannot be read: %s" % err.strerror)
  except UnicodeDecodeError as err:
    raise RuntimeFileError(path, "not a runtime file, UTF-8 expected: %s" % err)


def own_path(path):
  """Return a runtime file's path as the node daemon has it."""
  return os.path.join(control_dir("conf"), os.path.basename(path))


def left_behind(path):
  """List the files of an instance that are of no use any more.

  @param path: its runtime file, there or not
  @rtype: list of strings
  @return: empty for a file that is not one of this node's instances

  """
  running = runs(path)
  if running is None:
    return []
  return (leftovers.half_written if running else leftovers.kept)(
    own_path(path))


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
    return leftovers.sweep(own_path(path), False)
  return leftovers.clear(own_path(path), False, is_needed=lambda: runs(path))


def of_no_instance():
  """List the runtime files that are not there, but something beside them.

  @rtype: list of strings
  @return: paths; the guest of one that waits for it runs

  """
  paths = [os.path.join(control_dir("conf"), name + _SUFFIX) for name in
           leftovers.instances(os.path.join(control_dir("conf"), _SUFFIX))]
  return [path for path in paths
          if not os.path.lexists(path) and not runs(path)]


@contextlib.contextmanager
def alone(path, patience=None):
  """Keep the plugin's own operations from a running guest's devices.

  @param patience: see L{instance_lock.held}
  @return: a context, which gives what L{runs} says; it raises L{NodeError} if
      they do not end

  """
  running = runs(path)
  # whatever way led to the file, the lock is the node daemon's
  with (instance_lock.held(instance_lock.path_for(own_path(path)), patience)
        if running else instance_lock.nothing()):
    yield running


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


def replace(seen, text, backup_dir=None):
  """Put another text in the place of a file that was read.

  Owner and mode stay. What stood there is kept: in a folder of its own, where
  it is an instance's of this node, or beside. Both names last once L{sync} has
  returned. What killed processes left half-written is removed.

  @type seen: L{Seen}
  @type text: string
  @type backup_dir: string or None
  @param backup_dir: is made if it is not there
  @rtype: string
  @return: path of the backup
  @raise NodeError: if it was changed meanwhile, or cannot be written; then it
      is as it was

  """
  folder, name = os.path.split(os.path.abspath(seen.path))
  is_own = instance_of(seen.path) is not None
  # Ganeti takes every file in its folder for an instance's
  backup_dir = backup_dir or (control_dir(instance_lock.FOLDER) if is_own
                              else folder)
  surplus = []
  try:
    if not os.path.isdir(backup_dir):
      os.makedirs(backup_dir, 0o700)
    temporary.sweep(folder, name, only_ours=is_own)
    temporary.sweep(backup_dir, name + leftovers.BACKUP)
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
