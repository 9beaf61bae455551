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

"""How L{queries}'s questions reach a running QEMU.

By Ganeti's own QMP client, which every release has; it waits 5 s for an answer.
QEMU serves one client at a time: a connection is kept as short as possible. A
few more may queue; any further one is refused.

"""

import contextlib
import errno
import socket
import struct
import time

from ganeti.hypervisor import hv_kvm

from .. import clock
from ..errors import CommandError
from ..errors import MonitorError
from ..errors import show
from ..errors import with_remedy
from ..qemu import refusals
from ..qemu import reply_shapes
from ..qemu import start_error
from . import bounded_socket
from . import queries

#: How often, and how long after each other in seconds, a connection is made
#: that is not in step.
_ATTEMPTS = 20
_PAUSE = 0.02

#: How long a full queue may last, in seconds: as long as Ganeti's client waits
#: for an answer.
_QUEUE_LIMIT = 5

#: Where Ganeti's client names the keys of hvinfo that a hot-add hands on, and
#: the one of a NIC on a root port.
_KEYS = "_DEVICE_ATTRIBUTES"
_ACPI_INDEX = "acpi-index"

#: Its question for which QEMU sends all of its schema (3.0; 22 of 40 ms).
_SCHEMA = "HasDynamicAutoReadOnly"


def hang_up(qmp):
  """Close a connection of Ganeti's client.

  That of 3.1.0~rc2 never notes that it is connected, so that its C{close} does
  nothing; QEMU would not serve anybody else until Python drops it.

  @param qmp: unmodified Ganeti's C{QmpConnection}

  """
  try:
    qmp.close()
  except EnvironmentError: # QEMU was faster
    pass
  sock = getattr(qmp, "sock", None)
  if isinstance(sock, (socket.socket, bounded_socket.BoundedSocket)):
    sock.close()


def _of_kernel(err, *numbers):
  """Find an error of the kernel's behind another.

  3.0 raises one of its own from it, 3.1 lets it through; on Python 2 it is
  lost.

  @param numbers: those that are looked for: EAGAIN is a full queue
  @rtype: EnvironmentError or None

  """
  while err is not None:
    if getattr(err, "errno", None) in numbers:
      return err
    err = getattr(err, "__context__", None)
  return None


def _greet(path):
  """Make a connection in step: each answer is that to its own question.

  When a client is killed after it has asked, QEMU gives the answer to the
  next one, which takes it for that to its own first question, and so on.
  Ganeti's client then finds that QEMU knows no commands, or that it refused
  the greeting. (Up to 2.11 it does not ask; there, an unexpected reply is an
  error.)

  @rtype: unmodified Ganeti's C{QmpConnection}
  @raise MonitorError: if QEMU cannot be reached

  """
  deadline = clock.monotonic() + _QUEUE_LIMIT
  attempts = 0
  while True:
    full = False
    qmp = hv_kvm.QmpConnection(path)
    try:
      qmp.connect()
      if getattr(qmp, "supported_commands", None) != frozenset():
        return qmp
      reason = refusals.NO_COMMANDS
    except Exception as err: # pylint: disable=broad-except
      # 3.1 lets errors of the socket through, and of a greeting that is none
      reason = show(err)
      full = _of_kernel(err, errno.EAGAIN)
      # that is not QEMU's fault
      lack = _of_kernel(err, errno.EMFILE, errno.ENFILE)
      if lack:
        hang_up(qmp)
        raise MonitorError("no connection to QEMU's monitor %s: %s" %
                           (path, with_remedy(show(lack))))
    hang_up(qmp)
    if full:
      again = clock.monotonic() < deadline
    else:
      attempts += 1
      again = attempts < _ATTEMPTS and refusals.is_out_of_step(reason)
    if not again:
      break
    time.sleep(_PAUSE)
  raise MonitorError("QEMU's monitor %s cannot be reached (%s): the instance"
                     " does not run on this node, its QEMU hangs, or somebody"
                     " else uses the monitor" % (path, reason))


def unanswered(path, command, said):
  """Make the error of a question that a connection broke off at."""
  return MonitorError("QEMU's monitor %s does not answer %s: %s" %
                      (path, command, said))


def _executor(path, run):
  """Make the function C{execute} of a client's method.

  """
  def _Execute(command, arguments):
    try:
      answer = run(command, arguments)
      # up to 2.11 the whole message, later what it returns
      data = getattr(answer, "data", None)
      return data["return"] if isinstance(data, dict) else answer
    except Exception as err: # pylint: disable=broad-except
      # when QEMU hangs up, 3.0 takes its own None for an answer; others stumble
      # over an answer that is no dict
      said = show(err)
      if refusals.is_refusal(said):
        raise CommandError(command, said, refusals.error_class(said))
      raise unanswered(path, command, said)

  return reply_shapes.checking(_Execute)


class Connection(object):
  """A connection to QEMU, by Ganeti's client.

  Once an answer did not come, the next one may be that; there is none then.

  """
  def __init__(self, path):
    """Connect.

    @type path: string
    @raise MonitorError: if QEMU cannot be reached

    """
    self._path = path
    self._qmp = _greet(path)
    # 3.1 has given it another name
    self._name = ("execute_qmp" if hasattr(self._qmp, "execute_qmp")
                  else "Execute")
    genuine = getattr(self._qmp, self._name)
    begin = bounded_socket.bound(self._qmp)

    def _InTime(command, arguments=None):
      begin()
      return genuine(command, arguments)

    self._run = _InTime
    self._ask = _executor(path, self._run)
    # the error of what was not answered
    self._unanswered = None

  def execute(self, command, arguments):
    """Run one QMP command.

    @return: its result
    @raise CommandError: if QEMU refuses it
    @raise MonitorError: if QEMU does not answer

    """
    if self._unanswered:
      raise self._unanswered
    return self._ask(command, arguments)

  def program(self):
    """Tell which program serves this connection.

    The process at the other end counts: at its path, there may be another
    program by now.

    @rtype: tuple (int, list) or None
    @return: the process, and the version by which it has greeted; None if that
        cannot be told

    """
    try:
      pid = struct.unpack("3i", self._qmp.sock.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[0]
      version = list(self._qmp.version) + [self._qmp.package]
    except (AttributeError, TypeError, EnvironmentError, struct.error):
      return None # Python 2, or the client of a release to come
    return (pid, version)

  def lend(self, keep=lambda _question, ask, _fits: ask()):
    """Give the client to Ganeti's own methods.

    They connect before what they do, and close after it; here it stays open.
    Before f4cb0f63 they leave out one key that a NIC on a root port has. And
    Ganeti 3.1.0~rc2 and before send truth values as text (C{mq} of a NIC
    with several queues), which QEMU 9.2 and later refuse: see
    L{queries.typed}.

    @type keep: function
    @param keep: as L{kept_answers.Answers.of} of the program that serves it
    @rtype: unmodified Ganeti's C{QmpConnection}

    """
    def _Run(command, arguments=None):
      # Ganeti goes on after some errors
      if self._unanswered:
        raise self._unanswered
      if command == "device_add":
        arguments = queries.typed(self.execute, arguments)
      try:
        return self._run(command, arguments)
      except Exception as err: # pylint: disable=broad-except
        if not refusals.is_refusal(show(err)):
          self._unanswered = unanswered(self._path, command, show(err))
        raise

    self._qmp.connect = self._qmp.close = lambda: None
    setattr(self._qmp, self._name, _Run)
    ask = getattr(self._qmp, _SCHEMA, None)
    if ask:
      setattr(self._qmp, _SCHEMA, lambda: keep(
        _SCHEMA, ask, lambda answer: isinstance(answer, bool)))
    keys = getattr(self._qmp, _KEYS, None)
    if isinstance(keys, list) and _ACPI_INDEX not in keys:
      setattr(self._qmp, _KEYS, keys + [_ACPI_INDEX])
    return self._qmp

  def close(self):
    """Hang up."""
    for name in ("connect", "close", self._name, _KEYS, _SCHEMA):
      vars(self._qmp).pop(name, None)
    hang_up(self._qmp)


def human(execute, line):
  """Give the human monitor a command, by QMP, and look whether it refused.

  Ganeti up to 3.0 adds drives by a program (socat) that waits 0.5 s for the
  answer, and looks at none.

  @param execute: see L{Connection}
  @type line: string
  @rtype: list of strings
  @return: see L{start_error.check}
  @raise CommandError: if QEMU refused it
  @raise MonitorError: if QEMU does not answer

  """
  return start_error.check(line, execute(
    "human-monitor-command", {"command-line": line.strip()}))


@contextlib.contextmanager
def connect(path):
  """Connect to a QMP socket.

  @type path: string
  @return: a context that gives C{execute}, see L{Connection}
  @raise MonitorError: if QEMU cannot be reached

  """
  connection = Connection(path)
  try:
    yield connection.execute
  finally:
    connection.close()
