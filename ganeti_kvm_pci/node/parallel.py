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

#: What would end this command, and leave behind what it has started.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
        # no other thread runs here
        # pylint: disable=subprocess-popen-preexec-fn
        self._process = subprocess.Popen(
          command, stdin=nothing, stdout=self._files[0],
          stderr=self._files[1], close_fds=True, preexec_fn=os.setsid,
          env=dict(os.environ, LC_ALL="C"))
    except EnvironmentError as error:
      # Python 3.6 and 3.7 name the program once more in strerror
      self._failure = "cannot run %s: %s" % (command[0],
                                             os.strerror(error.errno))

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


class _Chain(object):
  """Commands of which one runs after another.

  @ivar key: whose they are
  @ivar ended: list of L{Ended}

  """
  def __init__(self, key, commands, limit):
    self.key = key
    self.ended = []
    self._commands = list(commands)
    self._running = _Running(self._commands.pop(0), limit)

  def has_ended(self, limit, goes_on):
    """Tell whether all have ended; start the next.

    @type goes_on: bool
    @param goes_on: whether another may be started

    """
    ended = self._running.poll()
    if ended is None:
      return False
    self.ended.append(ended)
    if ended.status or ended.status is None or not self._commands or \
        not goes_on:
      return True
    self._running = _Running(self._commands.pop(0), limit)
    return False

  def hurry(self):
    self._running.deadline = min(self._running.deadline, monotonic() + _GRACE)

  def kill(self):
    self._running.kill()


class _Interrupts(object):
  """Notes the first signal that would end this command; the next one does.

  @ivar come: bool, whether there was one

  """
  def __init__(self):
    self.come = False
    self._before = {}

  def __enter__(self):
    for number in _SIGNALS:
      # one that is ignored (nohup) stays so
      if signal.getsignal(number) in (signal.SIG_DFL,
                                      signal.default_int_handler):
        self._before[number] = signal.signal(number, self._note)
    return self

  def _note(self, *_):
    self.come = True
    self._restore()

  def _restore(self):
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def __exit__(self, *_):
    self._restore()


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
  @param done: called with a key and a list of L{Ended}, one for each of its
      commands that was run, after the last of them
  @type is_patient: bool
  @param is_patient: whether an interrupt lets those that run come to their end
      first, within some seconds; no other is started then
  @raise KeyboardInterrupt: if it was interrupted

  """
  waiting = collections.deque(chains)
  running = []
  try:
    with _Interrupts() as interrupts:
      while waiting or running:
        while waiting and len(running) < at_once:
          key, commands = waiting.popleft()
          running.append(_Chain(key, commands, limit))
        for one in list(running):
          if one.has_ended(limit, not interrupts.come):
            running.remove(one)
            done(one.key, one.ended)
        if interrupts.come and not is_patient:
          break
        if interrupts.come and waiting is not None:
          waiting = None
          for one in running:
            one.hurry()
        time.sleep(_INTERVAL)
  finally:
    for one in running:
      one.kill()
  if interrupts.come:
    raise KeyboardInterrupt
