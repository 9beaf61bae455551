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

"""What there is of an instance beside its runtime file, and when it goes.

While its QEMU runs, half-written files of killed processes go. Once that has
ended, or was started anew, nothing of it is of use: a backup is the way back to
a runtime file that is there no longer.

"""

import os
import re

from . import cooldown
from . import instance_lock
from . import pending_unplugs
from . import sent_devices
from . import temporary

#: Added to a runtime file's name: one that waits for its guest; one that was
#: replaced (a number may follow).
ARRIVING, BACKUP = ".arriving", ".backup"

_RUNTIME = ".runtime"

#: What Ganeti adds to the name of a file that it is about to replace.
_NEW = temporary.RANDOM + r"\.new"

#: What is in the plugin's folder.
_KEPT_RE = re.compile(
  r"(?P<name>[^.].*)%s(%s(\.\d+)?|%s|%s|%s|%s|%s(%s)?)\Z" % tuple(
    [re.escape(suffix) for suffix in (_RUNTIME, BACKUP, instance_lock.SUFFIX,
                                      cooldown.SUFFIX, pending_unplugs.SUFFIX,
                                      sent_devices.SUFFIX, ARRIVING)] +
    [_NEW]))

#: What is half-written there, or in the folder of the runtime files.
_HALF_RE = re.compile(r"\.(?P<name>[^.].*)%s(%s|%s)?\.%s(%s)?\Z" % (
  re.escape(_RUNTIME), re.escape(BACKUP), re.escape(pending_unplugs.SUFFIX),
  temporary.RANDOM, re.escape(temporary.MARK)))


def _folders(runtime_path):
  """Return the folder of the runtime files, and the plugin's own."""
  return (os.path.dirname(os.path.abspath(runtime_path)),
          os.path.dirname(instance_lock.path_for(runtime_path)))


def _entries(folder):
  try:
    return sorted(os.listdir(folder))
  except EnvironmentError: # nothing was ever kept, or nothing can be told
    return []


def _matching(folder, pattern):
  return [match for match in map(pattern.match, _entries(folder)) if match]


def _remove(paths):
  """Remove files.

  @rtype: list of strings
  @return: those that were there

  """
  removed = []
  for path in paths:
    try:
      os.unlink(path)
      removed.append(path)
    except EnvironmentError: # gone already, or it stays until it can be removed
      pass
  return removed


def instances(runtime_path):
  """List the instances of a node of which there is something.

  @param runtime_path: of any instance, even of none
  @rtype: list of strings

  """
  conf, own = _folders(runtime_path)
  return sorted(set(match.group("name") for folder, pattern in (
    (own, _KEPT_RE), (own, _HALF_RE), (conf, _HALF_RE))
                    for match in _matching(folder, pattern)))


def _half_written(runtime_path, tell, listed=None):
  """Look for half-written files of the plugin's own.

  @param tell: L{temporary.find} or L{temporary.sweep}
  @param listed: see L{half_written}

  """
  def of(folder):
    if listed is None:
      return None
    if folder not in listed:
      listed[folder] = temporary.hidden(folder)
    return listed[folder]

  conf, own = _folders(runtime_path)
  name = os.path.basename(runtime_path)
  return [path for folder, replaced in (
    (conf, name), (own, name + BACKUP), (own, name + pending_unplugs.SUFFIX))
          for path in tell(folder, replaced, only_ours=True,
                           listed=of(folder))]


def _new(folder, name, listed):
  """List what Ganeti's way of replacing a file left half-written.

  @param listed: what is in the folder

  """
  entries = [entry for entry in listed
             if entry.startswith(name) and entry.endswith(".new")]
  if not entries: # nearly always
    return []
  pattern = re.compile(re.escape(name) + _NEW + r"\Z")
  return [os.path.join(folder, entry) for entry in entries
          if pattern.match(entry)]


def half_written(runtime_path, listed=None):
  """List what killed processes left half-written for an instance.

  @type listed: dict or None
  @param listed: for who looks at many instances: empty at first, and kept by
      him; each folder is listed once
  @rtype: list of strings

  """
  return _half_written(runtime_path, temporary.find, listed)


def sweep(runtime_path, also_ganetis):
  """Remove what killed processes left half-written for an instance.

  Its lock must be held.

  @type also_ganetis: bool
  @param also_ganetis: whether the runtime file itself is written by nobody who
      does not hold it
  @rtype: list of strings
  @return: what was removed

  """
  conf, own = _folders(runtime_path)
  listed = {conf: _entries(conf), own: _entries(own)}
  name = os.path.basename(runtime_path)
  return _half_written(runtime_path, temporary.sweep, listed) + _remove(
    _new(own, name + ARRIVING, listed[own]) +
    (_new(conf, name, listed[conf]) if also_ganetis else []))


def kept(runtime_path, listed=None):
  """List all that there is of an instance, but for a lock that is held.

  @param listed: see L{half_written}
  @rtype: list of strings

  """
  name = os.path.basename(runtime_path)[:-len(_RUNTIME)]
  own = _folders(runtime_path)[1]
  found = [os.path.join(own, match.group())
           for match in _matching(own, _KEPT_RE) if match.group("name") == name]
  path = instance_lock.path_for(runtime_path)
  return half_written(runtime_path, listed) + [
    other for other in found if other != path or temporary.is_abandoned(other)]


def clear(runtime_path, also_ganetis, patience=None, is_needed=None):
  """Remove all that there is of an instance.

  @param also_ganetis: see L{sweep}
  @param patience: see L{instance_lock.held}
  @type is_needed: function or None
  @param is_needed: says at the last moment whether it must stay
  @rtype: list of strings
  @return: what was removed
  @raise NodeError: if another operation on the instance does not end

  """
  conf, name = os.path.split(os.path.abspath(runtime_path))
  if not kept(runtime_path) and not (also_ganetis and
                                     _new(conf, name, _entries(conf))):
    return []
  with instance_lock.held(instance_lock.path_for(runtime_path), patience):
    if is_needed and is_needed():
      return []
    return sweep(runtime_path, also_ganetis) + _remove(kept(runtime_path))
