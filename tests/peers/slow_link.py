"""The link between two nodes, which may be slow, and break at any moment.

QEMU sends its guest here, and a thread passes it on to the target's QEMU, and
the other way what the target answers.

"""

import select
import socket
import struct
import threading
import time

_CHUNK = 1 << 15

#: Has close() send a reset: what was not sent yet is lost.
_RESET = struct.pack("ii", 1, 0)


class Link(object):
  """A link that can be cut.

  @ivar rate: bytes per second towards the target; None for all there are
  @ivar passes: whether data gets through
  @ivar answers: whether the target's answers get through

  """
  def __init__(self, here, there):
    """Begin to listen.

    @param here: the port that the source connects to
    @param there: the target's port

    """
    self.rate = None
    self.passes = self.answers = True
    self._there = there
    self._ends = []
    self._open = True
    self._server = socket.socket()
    self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # what is on the way is not lost, and should be little
    self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK)
    self._server.bind(("127.0.0.1", here))
    self._server.listen(5)
    thread = threading.Thread(target=self._serve)
    thread.daemon = True
    thread.start()

  def _serve(self):
    while self._open:
      try:
        source = self._server.accept()[0]
        target = socket.create_connection(("127.0.0.1", self._there))
      except OSError:
        continue
      self._ends = [source, target]
      try:
        self._pass_on(source, target)
      except (OSError, ValueError): # closed, by one of them or by cut
        pass
      finally:
        for end in (source, target):
          end.close()

  def _pass_on(self, source, target):
    """Pass on until one of them hangs up."""
    while True:
      wanted = [end for end, let in ((source, self.passes),
                                     (target, self.passes and self.answers))
                if let]
      ready = select.select(wanted, [], [], 0.02)[0]
      for end in ready:
        data = end.recv(_CHUNK)
        if not data:
          return
        (target if end is source else source).sendall(data)
        if end is source and self.rate:
          time.sleep(len(data) / float(self.rate))

  def cut(self):
    """Have both ends see a reset."""
    for end in self._ends:
      try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.shutdown(socket.SHUT_RDWR)
      except OSError:
        pass

  def close(self):
    self._open = False
    # shutdown ends accept()
    for end in [self._server] + self._ends:
      try:
        end.shutdown(socket.SHUT_RDWR)
      except OSError:
        pass
    self._server.close()
