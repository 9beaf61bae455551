"""What one operation takes: modules, connections, commands, reads.

Counted where it happens, so that nothing in the package knows of it: Python's
profiler sees calls from module to module, its audit events files that are
opened, and Ganeti's own client of QEMU connections and commands.

"""

import collections
import contextlib
import os
import socket
import sys

from ganeti.hypervisor import hv_kvm

import ganeti_kvm_pci

_PACKAGE = os.path.dirname(os.path.abspath(ganeti_kvm_pci.__file__)) + os.sep

#: What was counted.
#:   - modules: set of strings, those of the package that were entered
#:   - crossings: int, calls from one of them to another
#:   - connections: int, to a socket of QEMU's
#:   - commands: list of strings, what QEMU was told through QMP
#:   - reads, writes: ints, how often the runtime file was opened, and replaced
Cost = collections.namedtuple("Cost", [
  "modules", "crossings", "connections", "commands", "reads", "writes"])

_counters = []


def _audit(event, args):
  if event == "open":
    for counter in _counters:
      counter.opens(args[0], args[2])
  elif event == "os.rename":
    for counter in _counters:
      counter.renames(args[1])


if hasattr(sys, "addaudithook"):
  sys.addaudithook(_audit)


class _Counter(object):
  """Counts while it is on."""

  def __init__(self, path):
    self._path = path
    self.modules = set()
    self.crossings = 0
    self.connections = 0
    self.commands = []
    self.reads = 0
    self.writes = 0

  def opens(self, path, flags):
    if path == self._path and not flags & (os.O_WRONLY | os.O_RDWR):
      self.reads += 1

  def renames(self, path):
    if path == self._path:
      self.writes += 1

  def profile(self, frame, event, _):
    if event != "call" or not frame.f_code.co_filename.startswith(_PACKAGE):
      return
    entered = frame.f_code.co_filename[len(_PACKAGE):]
    self.modules.add(entered)
    caller = frame.f_back
    if caller is None or caller.f_code.co_filename != \
        frame.f_code.co_filename:
      self.crossings += 1


@contextlib.contextmanager
def counting(runtime_path):
  """Count until the context ends.

  @param runtime_path: the instance's runtime file
  @return: a context that gives a function, which returns L{Cost} afterwards

  """
  counter = _Counter(runtime_path)
  client = hv_kvm.QmpConnection
  name = "execute_qmp" if hasattr(client, "execute_qmp") else "Execute"
  run, connect = getattr(client, name), socket.socket.connect

  def _run(self, command, *args, **kwargs):
    counter.commands.append(command)
    return run(self, command, *args, **kwargs)

  class _Socket(socket.socket):
    """A socket whose connections are counted."""

    def connect(self, address):
      if self.family == socket.AF_UNIX:
        counter.connections += 1
      return connect(self, address)

  genuine = socket.socket
  setattr(client, name, _run)
  socket.socket = _Socket
  _counters.append(counter)
  sys.setprofile(counter.profile)
  try:
    yield lambda: Cost(counter.modules, counter.crossings, counter.connections,
                       counter.commands, counter.reads, counter.writes)
  finally:
    sys.setprofile(None)
    _counters.remove(counter)
    socket.socket = genuine
    setattr(client, name, run)
