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

"""A socket of Ganeti's client, on which one answer may take so long.

Ganeti's client waits 5 s for each piece of it, and skips events: of a QEMU that
sends those, or pieces, all the time, an answer would never be too late, and
whoever waits for it holds the instance's lock.

"""

import socket

from .. import clock

#: In seconds. A QEMU that has much to do takes long before the first piece.
LIMIT = 30


class BoundedSocket(object):
  """A socket, but for what is received."""

  def __init__(self, sock):
    self._sock = sock
    self._deadline = clock.monotonic() + LIMIT

  def begin(self):
    """Note that a command is sent, whose answer comes next."""
    self._deadline = clock.monotonic() + LIMIT

  def recv(self, *args):
    """Receive a piece.

    @raise socket.timeout: if all pieces take too long

    """
    if clock.monotonic() > self._deadline:
      raise socket.timeout("no whole answer within %g s" % LIMIT)
    return self._sock.recv(*args)

  def __getattr__(self, name):
    return getattr(self._sock, name)


def bound(qmp):
  """Bound the socket of a client that is connected.

  @param qmp: unmodified Ganeti's C{QmpConnection}
  @return: function() that is to be called before each command

  """
  if not isinstance(getattr(qmp, "sock", None), socket.socket):
    return lambda: None
  qmp.sock = BoundedSocket(qmp.sock)
  return qmp.sock.begin
