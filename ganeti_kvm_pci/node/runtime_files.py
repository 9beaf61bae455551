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

"""The runtime files of this node: which there are, whose, and what is in one.

"""

import collections
import errno
import os
import stat

from ..errors import MalformedError
from ..errors import NodeError
from ..errors import RuntimeFileError
from ..errors import readable

#: How the name of each ends.
SUFFIX = ".runtime"

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


def control_dir(name):
  """Return a folder of the KVM instances' files.

  @param name: C{"conf"} (runtime files), C{"ctrl"} (sockets) or C{"pid"}

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
  return os.path.join(run_dir, "kvm-hypervisor", name)


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
          if name.endswith(SUFFIX)]


def find_runtime(name):
  """Find the runtime file of an instance.

  @type name: string
  @param name: full name, or as much of its first labels as is unambiguous
  @rtype: string
  @raise NodeError: if there is none on this node, or several

  """
  folder = control_dir("conf")
  if os.path.lexists(os.path.join(folder, name + SUFFIX)):
    return os.path.join(folder, name + SUFFIX)
  found = [path for path in all_runtimes()
           if os.path.basename(path).startswith(name + ".")]
  if len(found) == 1:
    return found[0]
  if found:
    raise NodeError("%s may mean %s" % (name, " or ".join(
      os.path.basename(path)[:-len(SUFFIX)] for path in found)))
  raise NodeError("no runtime file of an instance %s in %s: is it running on"
                  " this node?" % (name, folder))


def is_path(name):
  """Tell whether a user means a file, and not an instance.

  What lies in the current folder does not decide that.

  """
  return os.sep in name or name.endswith(SUFFIX)


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
  if folder == control_dir("conf"): # as all of L{all_runtimes}
    return name[:-len(SUFFIX)] if name.endswith(SUFFIX) else None
  try:
    folder = os.path.realpath(folder)
  except EnvironmentError: # the current folder was removed
    return None
  if name.endswith(SUFFIX) and _are_same(folder, control_dir("conf")):
    return name[:-len(SUFFIX)]
  return None


def own_instance(path, options="--live and --repair"):
  """Tell which instance of this node a runtime file is of.

  @param options: what asks a guest
  @rtype: string
  @raise NodeError: if it is of none: a copy, or a file of another node

  """
  instance = instance_of(path)
  if instance is None:
    raise NodeError("%s is not a runtime file of this node (they are in %s), so"
                    " there is no guest to ask; name the instance, or leave out"
                    " %s" % (path, control_dir("conf"), options))
  return instance


def own_path(path):
  """Return a runtime file's path as the node daemon has it."""
  return os.path.join(control_dir("conf"), os.path.basename(path))


def _are_same(folder, other):
  try:
    return folder == other or os.path.samefile(folder, other)
  except EnvironmentError: # one of them does not exist
    return False


def _read(fd, most):
  """Read an open file to its end, or so many bytes of it."""
  chunks = []
  while most > 0:
    chunks.append(os.read(fd, most))
    if not chunks[-1]:
      break
    most -= len(chunks[-1])
  return b"".join(chunks)


def read(path):
  """Read a runtime file.

  @rtype: L{Seen}
  @raise RuntimeFileError: if it cannot be read as text of a sane size
  @raise NodeError: if there is none, or this user may not read it

  """
  try:
    # a pipe would never end; a link leads to what is not this node's file
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
  except EnvironmentError as err:
    if err.errno == errno.ELOOP:
      raise RuntimeFileError(path, "a symbolic link; name the file itself")
    if err.errno == errno.ENOENT:
      raise NodeError("%s: no such file" % readable(path))
    if err.errno in (errno.EACCES, errno.EPERM):
      raise NodeError("%s: cannot be read: %s; run this as root" %
                      (readable(path), err.strerror))
    raise RuntimeFileError(path, "cannot be read: %s" % err.strerror)
  status = os.fstat(fd)
  if not stat.S_ISREG(status.st_mode):
    os.close(fd)
    raise RuntimeFileError(path, "not a regular file")
  try:
    if status.st_size > _MAX_RUNTIME:
      raise RuntimeFileError(path,
                             "larger than %d MB, that is no runtime file" %
                             (_MAX_RUNTIME >> 20))
    # at once: Ganeti replaces it, and writes to none that is there
    return Seen(path, _read(fd, status.st_size + 1).decode("utf-8"), status)
  except EnvironmentError as err:
    raise RuntimeFileError(path, "cannot be read: %s" % err.strerror)
  except UnicodeDecodeError as err:
    raise MalformedError(path, "not a runtime file, UTF-8 expected: %s" % err)
  finally:
    os.close(fd)
