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

"""Who can write the code that Ganeti's daemons run as root.

That is the package, and the hook that leads to it. Whoever can write to one of
their files, to a folder that one of these is found in, or to a folder above,
is root on this node.

"""

import collections
import grp
import os
import pwd
import stat

#: Something that others than root can write.
#:   - path, owner, group: strings
#:   - mode: int, permissions alone
Fault = collections.namedtuple("Fault", ["path", "owner", "group", "mode"])


def _way(path, found):
  """Add to a list all that decides what a path is, links followed."""
  if path in found:
    return
  parent = os.path.dirname(path)
  if parent != path:
    _way(parent, found)
  found.append(path)
  if os.path.islink(path):
    _way(os.path.abspath(os.path.join(os.path.realpath(parent),
                                      os.readlink(path))), found)


def _tree(folder):
  """List a folder and all that is in it."""
  found = [folder]
  for above, folders, names in os.walk(folder):
    found.extend(os.path.join(above, name) for name in sorted(folders + names))
  return found


def _fault(path, may_be_sticky):
  """Return a L{Fault}, or None."""
  try:
    status = os.lstat(path)
  except EnvironmentError: # not there, and its folder is looked at
    return None
  mode = stat.S_IMODE(status.st_mode)
  # who has a link may not change it, and all have its mode
  others = mode & 0o022 and not stat.S_ISLNK(status.st_mode)
  # others may add to a sticky folder, but not replace what is in it
  if may_be_sticky and mode & stat.S_ISVTX:
    others = False
  if status.st_uid == 0 and not others:
    return None
  try:
    owner = pwd.getpwuid(status.st_uid).pw_name
  except KeyError:
    owner = str(status.st_uid)
  try:
    group = grp.getgrgid(status.st_gid).gr_name
  except KeyError:
    group = str(status.st_gid)
  return Fault(path, owner, group, mode)


def faults(package, hook):
  """Look for what others than root can write.

  @param package: path of the package's folder
  @param hook: path of the hook, there already or not
  @rtype: list of L{Fault}

  """
  # what Python may look for a module in: there, to add is to replace
  searched = [package, os.path.dirname(package), os.path.dirname(hook)]
  strict = set(os.path.realpath(path) for path in searched)
  tree = _tree(os.path.realpath(package))
  strict.update(tree)
  paths = []
  for path in [os.path.abspath(package), os.path.abspath(hook)] + tree:
    _way(path, paths)
  return [fault for fault in (_fault(path, path not in strict)
                              for path in paths) if fault]


def describe(found, limit=3):
  """Say it to an administrator.

  @type found: list of L{Fault}
  @param limit: how many of them to name
  @rtype: list of strings

  """
  lines = ["%s (%s:%s, mode %04o) can be written by others than root, and"
           " Ganeti's daemons run what is there as root; chown -h root %s,"
           " chmod go-w %s, or put the package into a folder of root's" %
           (f.path, f.owner, f.group, f.mode, f.path, f.path)
           for f in found[:limit]]
  if len(found) > limit:
    lines.append("%d more paths can be written by others than root" %
                 (len(found) - limit))
  return lines
