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

"""Commands that run side by side, each with its own time limit."""

import collections
import os
import signal
import subprocess
import tempfile
import time

from ..clock import monotonic

#: How one of the commands ended.
#:   - status: int, or None if it ran out of time or could not be started
#:   - out: string, what it printed
#:   - err: string, what it complained of, or why it could not be started
#:   - is_late: bool, whether it ran out of time
Ended = collections.namedtuple("Ended", ["status", "out", "err", "is_late"])

#: How often those that run are looked at, in seconds.
_INTERVAL = 0.02

#: How long those that run may go on after an interrupt, in seconds.
_GRACE = 20.0

#: What ends this command would else leave behind what it has started.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class _Running(object):
  """A command that runs.

  It prints into files without a name: no pipe can fill up, and none is held
  open by what it leaves behind. It leads a process group of its own, which can
  be ended as a whole; so an interrupt from the terminal does not reach it.

  """
  def __init__(self, command, limit):
    self._files = []
    self._process = None
    self._failure = ""
    self.deadline = monotonic() + limit
    try:
      with open(os.devnull) as nothing:
        for _ in range(2):
          self._files.append(tempfile.TemporaryFile())
        self._process = subprocess.Popen(
          command, stdin=nothing, stdout=self._files[0],
          stderr=self._files[1], close_fds=True, preexec_fn=os.setsid,
          env=dict(os.environ, LC_ALL="C"))
    except EnvironmentError as error:
      self._failure = "cannot run %s: %s" % (command[0], error.strerror)

  def poll(self):
    """Tell how it ended.

    @rtype: L{Ended}, or None while it runs

    """
    if self._process is None:
      return self._end(None, False)
    status = self._process.poll()
    if status is not None:
      return self._end(status, False)
    if monotonic() < self.deadline:
      return None
    self.kill()
    return self._end(None, True)

  def _end(self, status, is_late):
    texts = []
    for one in self._files:
      one.seek(0)
      texts.append(one.read().decode("utf-8", "replace"))
      one.close()
    out, err = texts if len(texts) == 2 else ("", "")
    return Ended(status, out, self._failure or err, is_late)

  def kill(self):
    """End it, and what it has started."""
    if self._process is not None and self._process.poll() is None:
      try:
        os.killpg(self._process.pid, signal.SIGKILL)
      except EnvironmentError: # it has just ended
        pass
      self._process.wait()


def _interrupt(_number, _frame):
  raise KeyboardInterrupt


def _catch():
  """Have each signal that would end this command be an interrupt.

  @rtype: list of tuples
  @return: the signals, and what was done with each

  """
  return [(number, signal.signal(number, _interrupt)) for number in _SIGNALS
          if signal.getsignal(number) == signal.SIG_DFL]


def run(chains, limit, at_once, done, is_patient=False):
  """Run commands side by side.

  None of them is left running, whatever ends this.

  @type chains: list of tuples
  @param chains: key and list of commands; those of one key run one after
      another, until one fails
  @type limit: number
  @param limit: how long each command may run, in seconds
  @type at_once: int
  @param at_once: how many may run at the same time
  @type done: function
  @param done: called with a key and the L{Ended} of its last command, as soon
      as there is one
  @type is_patient: bool
  @param is_patient: whether an interrupt lets those that run come to their end
      first, within some seconds; no other is started then
  @raise KeyboardInterrupt: if it was interrupted

  """
  waiting = collections.deque(chains)
  running = []
  interrupted = False
  caught = _catch()
  try:
    while waiting or running:
      try:
        while waiting and len(running) < at_once:
          key, commands = waiting.popleft()
          running.append((key, commands[1:], _Running(commands[0], limit)))
        for one in list(running):
          key, more, process = one
          ended = process.poll()
          if ended is None:
            continue
          running.remove(one)
          if more and ended.status == 0:
            running.append((key, more[1:], _Running(more[0], limit)))
          else:
            done(key, ended)
        time.sleep(_INTERVAL)
      except KeyboardInterrupt:
        if interrupted or not is_patient:
          raise
        interrupted = True
        waiting.clear()
        for _, _, process in running:
          process.deadline = min(process.deadline, monotonic() + _GRACE)
    if interrupted:
      raise KeyboardInterrupt
  finally:
    for number, handler in caught:
      signal.signal(number, handler)
    for _, _, process in running:
      process.kill()
