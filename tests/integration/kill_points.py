"""Points between the effects that an operation has, and death at one of them.

An effect is what others can see: a QMP or HMP command, a descriptor passed to
QEMU, a file written, renamed or removed, a tap opened or configured. There is
a point before each, and one after (a command that was sent, but whose answer
nobody read).

"""

import mmap
import os
import signal
import socket
import types

from ganeti import utils
from ganeti.hypervisor import hv_kvm

#: While an unplug is waited for, there is a connection and one question, again
#: and again: before and after each of three commands.
LOOK = 6


class Points(object):
  """The points of one operation; made in the process that does it.

  @ivar names: list of strings, the points that were visited

  """
  def __init__(self, hyper, fatal, pending):
    """Watch an operation.

    @param hyper: the hypervisor object
    @param fatal: int, number of the point to die at; 0 for none
    @param pending: a L{mmap.mmap} of one byte, 1 while QEMU was asked for the
        removal of a device that is still there, as far as this process knows

    """
    self.names = []
    self._is_asked_again = False
    self._fatal = fatal
    self._pending = pending
    # the second is that of 3.1 and later
    (send, ) = [name for name in ("_Send", "send_qmp")
                if hasattr(hv_kvm.QmpConnection, name)]
    plain = getattr(hv_kvm.QmpConnection, send)

    def _Send(qmp, message):
      name = "%s %s" % (message["execute"], message["arguments"] or "")
      # what follows the removal of a device is that of its backend
      if message["execute"] in ("netdev_del", "query-named-block-nodes"):
        self._pending[0:1] = b"\0"
      if message["execute"] == "device_del":
        self.visit("before " + name)
        self._pending[0:1] = b"\1"
        plain(qmp, message)
        self.visit("after " + name)
      else:
        self.around(name, plain, LOOK)(qmp, message)

    setattr(hv_kvm.QmpConnection, send, _Send)
    for owner, name in ((utils, "SendFds"), (utils, "WriteFile"),
                        (utils, "RemoveFile"), (os, "rename"),
                        (hv_kvm, "OpenTap"), (hyper, "_ConfigureNIC"),
                        (hyper, "_CallMonitorCommand")):
      # 3.1 and later have no HMP
      if hasattr(owner, name):
        setattr(owner, name, self.around(name, getattr(owner, name)))

  def visit(self, name, window=2):
    """Get to a point; it may be the last.

    @param window: int; what is among so many points before is a repetition

    """
    # a guest that takes its time is asked again, which is noted again: nothing
    # new, and the number of the points after that would differ from one run to
    # the next
    is_known = name in self.names
    if " device_del " in name and is_known:
      self._is_asked_again = True
    if name in self.names[-window:] or (self._is_asked_again and is_known):
      return
    self._is_asked_again = False
    self.names.append(name)
    if len(self.names) == self._fatal:
      os.kill(os.getpid(), signal.SIGKILL)

  def around(self, name, function, window=2):
    def effect(*args, **kwargs):
      self.visit("before " + name, window)
      result = function(*args, **kwargs)
      self.visit("after " + name, window)
      return result
    return effect


def pending():
  """Make what tells another process of a removal under way."""
  return mmap.mmap(-1, 1)


def hasten(hyper, qemu):
  """Spare an operation what takes time and has no effect.

  Ganeti gives an HMP command by socat, which waits 0.5 s for more, and asks
  QEMU's program anew each time what it can do.

  @param qemu: that program

  """
  known = {}
  plain = hyper._GetKVMOutput

  def _GetKVMOutput(path, option):
    if (path, option) not in known:
      known[path, option] = plain(path, option)
    return known[path, option]

  def _CallMonitorCommand(instance_name, command, timeout=None):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout or 10)
    sock.connect(hyper._InstanceMonitor(instance_name))
    said = b""
    for words in (b"", command.strip().encode("ascii") + b"\n"):
      sock.sendall(words)
      said = b""
      while not said.endswith(b"(qemu) "):
        more = sock.recv(4096)
        assert more
        said += more
    sock.close()
    return types.SimpleNamespace(stdout=said.decode("utf-8"), failed=False)

  hyper._GetKVMOutput = _GetKVMOutput
  hyper._CallMonitorCommand = _CallMonitorCommand
  for option in (hyper._KVMOPT_HELP, hyper._KVMOPT_DEVICELIST):
    _GetKVMOutput(qemu, option)
