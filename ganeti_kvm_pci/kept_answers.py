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

"""What a QEMU program answers alike each time: asked once, and kept.

C{kvm --help} or C{query-qmp-schema} takes longer than all else of a hot-add.
The node daemon serves each request in a process of its own up to Ganeti 3.1, so
the answers are kept in a file for each program, in the plugin's folder (see
L{instance_lock.beside}), and in memory besides.

A file is believed only if it is a regular one of this process's user, nobody
else may read or write it, it is whole, and it says of itself that it is of the
very program (L{qemu_program.identity}, L{process.identity_of_program}): a
program that was replaced has another inode or other times. Any other file is as
good as none, and so is one that cannot be written: the program is asked.

It replaces the one before in one step, so that kill -9 leaves none half-written
under its name. It is not written through to the disk: after a loss of power,
what is not whole is not believed.

"""

import errno
import hashlib
import json
import os
import stat
import threading

from . import temporary
from .errors import NodeError

_PREFIX, _SUFFIX = "qemu-", ".answers"

#: How many programs' answers are kept.
_PROGRAMS = 16

#: In bytes; a genuine file has about 60 kB (QEMU 7.2).
_MAX_SIZE = 1 << 20

#: Of this process: name of a file to its identity and answers.
_MEMORY = {}
_LOCK = threading.Lock()


def _name(identity):
  text = json.dumps(identity, sort_keys=True)
  return "%s%s%s" % (_PREFIX, hashlib.sha256(
    text.encode("ascii")).hexdigest()[:16], _SUFFIX)


def _load(path):
  """Read a file's text.

  @raise EnvironmentError: if it cannot be read
  @raise ValueError: if it is no text, or anybody else may have written it

  """
  fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
  with os.fdopen(fd, "rb") as stream:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or \
        stat.S_IMODE(status.st_mode) & 0o077 or status.st_nlink != 1 or \
        status.st_size > _MAX_SIZE:
      raise ValueError(path)
    return stream.read(_MAX_SIZE).decode("ascii")


def read(path, identity):
  """Read the answers that are kept of a program.

  @type path: string
  @type identity: dict
  @param identity: which program they have to be of
  @rtype: dict
  @return: question to answer; empty if the file is not to be believed

  """
  try:
    data = json.loads(_load(path))
    if data["of"] == identity and isinstance(data["answers"], dict):
      return data["answers"]
  except (EnvironmentError, ValueError, KeyError, TypeError, RuntimeError):
    pass # RuntimeError: nested too deeply
  return {}


def files(folder):
  """List the files that answers are kept in, the latest last.

  @rtype: list of strings

  """
  found = []
  try:
    for name in os.listdir(folder):
      if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
        path = os.path.join(folder, name)
        found.append((os.lstat(path).st_mtime, path))
  except EnvironmentError: # nothing was ever kept, or another removes some
    pass
  return [path for _, path in sorted(found)]


def remove(folder, but=0):
  """Remove what is kept.

  @type but: int
  @param but: how many programs' answers stay, the latest ones
  @rtype: list of strings
  @return: paths of what was removed
  @raise NodeError: if that fails

  """
  removed = []
  for path in files(folder)[:-but or None]:
    try:
      temporary.sweep(folder, os.path.basename(path))
      os.unlink(path)
      removed.append(path)
    except EnvironmentError as err:
      if err.errno != errno.ENOENT:
        raise NodeError("cannot remove %s: %s" % (path, err.strerror))
  return removed


def _write(folder, name, identity, answers):
  """Write answers, and remove the oldest; where that fails, nothing is kept."""
  try:
    text = json.dumps({"of": identity, "answers": answers}).encode("ascii")
    if len(text) > _MAX_SIZE:
      return
    if not os.path.isdir(folder): # before the first operation on an instance
      os.mkdir(folder, 0o700)
    with temporary.written(folder, name, text, 0o600, lasting=False) as new:
      os.rename(new, os.path.join(folder, name))
    temporary.sweep(folder, name)
    remove(folder, but=_PROGRAMS)
  except (EnvironmentError, ValueError, NodeError):
    pass # a full disk; what is no text (Python 2)


class Answers(object):
  """The answers of one program."""

  def __init__(self, folder, identify):
    """Name it.

    @type folder: string
    @param folder: where its file is
    @type identify: function
    @param identify: tells which program there is now, as a dict of what JSON
        can hold; None if that cannot be told, then nothing is kept

    """
    self._folder = folder
    self._identify = identify

  def of(self, question, ask, fits):
    """Give the answer to a question.

    @type question: string
    @type ask: function
    @param ask: gets the answer from the program
    @type fits: function
    @param fits: tells of an answer whether it is one that can be kept
    @return: what C{ask} returns, or returned before

    """
    identity = self._identify()
    if identity is None:
      return ask()
    name = _name(identity)
    known = self._known(name, identity)
    if question in known and fits(known[question]):
      return known[question]
    answer = ask()
    # the program may have been replaced meanwhile
    if fits(answer) and self._identify() == identity:
      known = dict(self._known(name, identity))
      known[question] = answer
      with _LOCK:
        if len(_MEMORY) >= _PROGRAMS:
          _MEMORY.clear()
        _MEMORY[name] = (identity, known)
      _write(self._folder, name, identity, known)
    return answer

  def _known(self, name, identity):
    with _LOCK:
      kept = _MEMORY.get(name)
    if kept and kept[0] == identity:
      return kept[1]
    known = read(os.path.join(self._folder, name), identity)
    if known:
      with _LOCK:
        _MEMORY[name] = (identity, known)
    return known
