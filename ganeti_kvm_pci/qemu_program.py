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

"""What a QEMU program prints: asked with a time limit, and kept for a while.

Its exit status proves no success. From Ganeti's commit 14eb51bd8 on, the node
daemon serves its requests in threads, and one more thread collects children:
where that is quicker, Python reports 0, whatever the status was. So who asks
looks at what is printed.

"""

import errno
import os
import select
import subprocess
import threading
import time

from . import clock
from . import process as process_
from .errors import NodeError
from .errors import show

#: In seconds. QEMU takes a tenth of one; and who asks may hold an instance's
#: lock.
LIMIT = 10

#: How long an answer is kept, in seconds: longer than most operations. A script
#: stays the same file when the QEMU that it starts is replaced.
AGE = 60

#: How many programs' answers are kept.
_PROGRAMS = 16

#: In seconds, more than any file system's times are apart.
_SETTLED = 3

#: Where QEMU's modules are, from its own folder; Red Hat's are in the last.
_MODULES = [("lib", "qemu"), ("lib64", "qemu"),
            ("lib", os.uname()[4] + "-linux-gnu", "qemu"),
            ("lib64", "qemu-kvm")]

#: Between two looks whether a program has ended, in seconds; at first, as it
#: has closed its output already.
_INTERVAL = 0.01
_SHORTEST = 0.0005


def run(command, limit=LIMIT):
  """Run a program to its end.

  @type command: list of strings
  @type limit: number
  @param limit: how long it may take, in seconds
  @rtype: tuple (string, int)
  @return: what it printed, and its exit status; 0 may be any other
  @raise NodeError: if it cannot be run, or does not end

  """
  deadline = clock.monotonic() + limit
  shown = " ".join(command[:3])
  try:
    with open(os.devnull) as nothing:
      process = subprocess.Popen(command, stdin=nothing,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
  except (EnvironmentError, TypeError, ValueError) as err:
    # the last two: no name of a file
    raise NodeError("cannot run %s: %s" % (
      shown, getattr(err, "strerror", None) or show(err)))
  try:
    printed = _read(process.stdout.fileno(), deadline)
  finally:
    process.stdout.close()
    status = _end(process, deadline)
  if printed is None or status is None:
    raise NodeError("cannot run %s: it has not ended within %g s" % (
      shown, limit))
  return (printed.decode("utf-8", "replace"), status)


def _read(fd, deadline):
  """Read until the end; None if that does not come in time."""
  poller = select.poll()
  poller.register(fd, select.POLLIN)
  chunks = []
  while True:
    left = deadline - clock.monotonic()
    try:
      if left <= 0 or not poller.poll(left * 1000):
        return None
    except select.error as err:
      if err.args[0] != errno.EINTR: # which Python 2 tells
        raise
      continue
    chunk = os.read(fd, 1 << 16)
    if not chunk:
      return b"".join(chunks)
    chunks.append(chunk)


def _end(process, deadline):
  """Wait for a program, and kill it if it takes too long.

  @return: its status, or None

  """
  interval = _SHORTEST
  while process.poll() is None:
    if clock.monotonic() > deadline:
      process.kill()
      process.wait()
      return None
    time.sleep(interval)
    interval = min(2 * interval, _INTERVAL)
  return process.returncode


def _refuse(text):
  raise NodeError(text)


class _Turn(object):
  """One who asks a program, and those who wait for it.

  @ivar outcome: function that gives the answer, or raises L{NodeError}; None if
      who asked was interrupted

  """
  def __init__(self):
    self.is_over = threading.Event()
    self.outcome = None


class Answers(object):
  """What programs have said, for as long as they are the same files.

  Operations in other threads share them.

  """
  def __init__(self, ask):
    """Make an empty one.

    @param ask: function(path) that asks a program; None is no answer

    """
    self._ask = ask
    self._lock = threading.Lock()
    self._kept = {}
    self._turns = {} # path and file to the L{_Turn} of who asks

  def of(self, path):
    """Give a program's answer.

    @type path: string
    @return: what C{ask} returned, now or before

    """
    file_ = _file(path)
    is_kept, answer = self._find(path, file_)
    if is_kept:
      return answer
    if file_ is None:
      return self._ask(path)
    with self._lock:
      turn = self._turns.get((path, file_))
      is_asking = turn is None
      if is_asking:
        turn = self._turns[path, file_] = _Turn()
    if is_asking:
      return self._take(turn, path, file_)
    # others need not wait for a program that takes its time; who wants to know
    # the same has what comes of that, be it no answer
    turn.is_over.wait()
    return self.of(path) if turn.outcome is None else turn.outcome()

  def _take(self, turn, path, file_):
    """Ask, for those too who want to know the same meanwhile.

    @type turn: L{_Turn}

    """
    try:
      is_kept, answer = self._find(path, file_)
      if not is_kept:
        answer = self._ask_and_keep(path, file_)
      turn.outcome = lambda: answer
      return answer
    except NodeError as err:
      text = str(err)
      turn.outcome = lambda: _refuse(text)
      raise
    finally:
      with self._lock:
        del self._turns[path, file_]
      turn.is_over.set()

  def _find(self, path, file_):
    """Look for an answer that is there.

    @rtype: tuple (bool, object)
    @return: whether there is one, and it

    """
    with self._lock:
      kept, when, answer = self._kept.get(path, (None, 0, None))
    return (bool(file_ and kept == file_ and clock.monotonic() - when < AGE),
            answer)

  def _ask_and_keep(self, path, file_):
    answer = self._ask(path)
    # it may have been replaced meanwhile
    if answer is not None and _file(path) == file_:
      with self._lock:
        self._kept[path] = (file_, clock.monotonic(), answer)
        while len(self._kept) > _PROGRAMS:
          # a clock may tell the same time twice
          del self._kept[min((key for key in self._kept if key != path),
                             key=lambda key: self._kept[key][1])]
    return answer


def identity(path):
  """Tell a program, and what it prints of itself, from others.

  A script's answer is that of another program. What a program prints of its
  devices comes from its modules, too.

  @type path: string
  @rtype: dict or None
  @return: what JSON can hold; None if that cannot be told, for a script, and
      for what was changed so lately that it may change once more and keep its
      times

  """
  try:
    with open(path, "rb") as stream:
      if stream.read(4) != b"\x7fELF":
        return None
      found = [os.fstat(stream.fileno())]
    own = os.path.dirname(os.path.realpath(path))
    folders = [os.path.join(own, os.pardir, *folder) for folder in _MODULES]
    folders.append(os.environ.get("QEMU_MODULE_DIR") or "")
    folders = [folder for folder in folders if os.path.isdir(folder)]
    found += [os.stat(folder) for folder in folders]
  except (EnvironmentError, TypeError, ValueError): # no name of a file
    return None
  if max(max(status.st_mtime, status.st_ctime) for status in found) > \
      time.time() - _SETTLED:
    return None
  return {"path": path, "boot": process_.boot(), "folders": folders,
          "files": [process_.identity_of_file(status) for status in found]}


def _file(path):
  """Tell a program from what will replace it; None if it is no file."""
  try:
    real = os.path.realpath(path)
    there = os.stat(real)
  except (EnvironmentError, TypeError, ValueError): # no name of a file
    return None
  return (real, there.st_dev, there.st_ino, there.st_size, there.st_mtime,
          there.st_ctime)
