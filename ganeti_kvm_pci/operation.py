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

"""What one operation on an instance holds: its lock, QEMU, the runtime file.

Ganeti's methods call each other by the instance alone. So what is opened and
read once is kept here for as long as the outermost of them runs.

"""

import contextlib
import os
import threading

from ganeti import constants

from . import instance_lock
from . import kept_answers
from . import process
from .errors import CommandError
from .errors import MonitorError
from .qmp import client

#: How long a connection is kept that is not used meanwhile, in seconds.
_HOLD = 0.1


class Operation(object):
  """One operation.

  @ivar name: string, the instance's
  @ivar text: string or None, the runtime file as it was last read or written
  @ivar is_written: bool, whether it was this operation that has written it
  @ivar announced: string or None, uuid of a device that is in the runtime file
      but not in QEMU yet; unmodified Ganeti is about to add it to both
  @ivar human_replies: list of (command, line) pairs, what QEMU's human monitor
      has replied to the commands of the last hot-add
  @ivar seen: L{settling.Settling} or None, what QEMU had when the operation
      began; while it lasts, nobody else adds a device of Ganeti's
  @ivar run_state: string or None, as of L{queries.run_state}, if it was asked
      through the connection that is open
  @ivar is_modifying: bool, whether what is removed is to be added again

  """
  def __init__(self, name, socket, runtime_path):
    """Begin one.

    @type name: string
    @type socket: string
    @param socket: path of QEMU's QMP socket
    @param runtime_path: the instance's runtime file

    """
    self.name = name
    self.text = None
    self.is_written = False
    self.announced = None
    self.human_replies = []
    self.seen = None
    self.is_modifying = False
    self.run_state = None
    self._socket = socket
    self._answers = kept_answers.Answers(os.path.dirname(
      instance_lock.path_for(runtime_path)), self._program)
    self._connection = None
    self._pid = None

  def execute(self, command, arguments):
    """Run one QMP command, see L{queries}.

    The first one connects. After an answer that did not come, the next command
    has a connection of its own: an old one may give it the late answer.

    @raise MonitorError: if QEMU does not answer
    @raise CommandError: if it refuses

    """
    if self._connection is None:
      self._connection = client.Connection(self._socket)
    try:
      return self._connection.execute(command, arguments)
    except CommandError:
      raise
    except MonitorError:
      self.hang_up()
      raise

  def lend(self):
    """Give Ganeti's methods the connection that is open.

    @return: unmodified Ganeti's C{QmpConnection}; what it opens and closes is
        this one
    @raise MonitorError: if QEMU cannot be reached

    """
    if self._connection is None:
      self._connection = client.Connection(self._socket)
    return self._connection.lend(self._answers.of)

  def kept(self, question, ask, fits):
    """Give what this QEMU has answered before, see L{kept_answers.Answers.of}.

    """
    return self._answers.of(question, ask, fits)

  def _program(self):
    """Tell which QEMU runs, see L{kept_answers.Answers}.

    Never that which is installed: it may be another since the guest started.

    """
    found = self._connection and self._connection.program()
    program = found and process.identity_of_program(found[0])
    return program and {"running": program, "version": found[1],
                        "ganeti": constants.RELEASE_VERSION,
                        "boot": process.boot()}

  def human(self, line):
    """Give the human monitor a command, see L{client.human}."""
    return client.human(self.execute, line)

  def hang_up(self):
    """Let others come to the monitor, until the next command."""
    self._pid = self.run_state = None
    if self._connection is not None:
      self._connection.close()
      self._connection = None

  @contextlib.contextmanager
  def soon_left(self):
    """Do something that QEMU is not needed for, and that may take long.

    Others come to the monitor meanwhile; but most often it takes less than to
    connect again.

    @return: a context

    """
    if str is bytes: # Python 2 would wait longer for the end of the thread
      self.hang_up()
      yield
      return
    timer = threading.Timer(_HOLD, self.hang_up)
    timer.daemon = True
    timer.start()
    try:
      yield
    finally:
      timer.cancel()
      timer.join()

  def pid(self, look):
    """Tell QEMU's process.

    As long as it is connected, it is the same.

    @type look: function
    @param look: looks for it

    """
    if self._connection is None:
      return look()
    if self._pid is None:
      self._pid = look()
    return self._pid


@contextlib.contextmanager
def begin(name, socket, runtime_path):
  """Begin an operation, and keep others from the instance's devices.

  @type name: string
  @param name: the instance's
  @param socket: path of QEMU's QMP socket
  @param runtime_path: the instance's runtime file
  @return: a context that gives L{Operation}
  @raise NodeError: if another operation does not end

  """
  with instance_lock.held(instance_lock.path_for(runtime_path)):
    made = Operation(name, socket, runtime_path)
    try:
      yield made
    finally:
      made.hang_up()
