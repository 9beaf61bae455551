"""Talking to QEMU, and to the guest, beside whoever manages it."""

import json
import socket


class Socket(object):
  """A QMP connection, or a serial line, of the tests' own."""

  def __init__(self, path, timeout=30):
    self.sock = socket.socket(socket.AF_UNIX)
    self.sock.settimeout(timeout)
    self.sock.connect(path)
    self.text = ""

  def line(self):
    """Read one line."""
    return self.until("\n")

  def until(self, end):
    """Read up to a text."""
    while end not in self.text:
      data = self.sock.recv(65536)
      assert data, "the connection was closed"
      self.text += data.decode("utf-8", "replace")
    text, _, self.text = self.text.partition(end)
    return text

  def ask(self, command, **arguments):
    """Give a QMP command; return what answers it, be it an error."""
    self.sock.sendall(json.dumps({
      "execute": command,
      "arguments": dict((name.replace("_", "-"), value)
                        for name, value in arguments.items()),
      }).encode("ascii"))
    while True:
      answer = json.loads(self.line())
      if "return" in answer or "error" in answer:
        return answer

  def execute(self, command, **arguments):
    """Run a QMP command."""
    answer = self.ask(command, **arguments)
    assert "error" not in answer, answer
    return answer["return"]
