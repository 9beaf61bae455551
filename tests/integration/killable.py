"""Ganeti's operations, each in a process of its own, and the death of some.

"""

import os
import re
import signal

from ganeti import utils
from ganeti.hypervisor import hv_kvm

import child_processes
import old_releases
from line_socket import Socket
import nodes

#: Commands that change nothing
_NO_EFFECT = re.compile("query-|qom-|qmp_capabilities")


def monitor_command(cls, instance_name, command, timeout=None):
  """Stand in for C{_CallMonitorCommand}: socat waits 0.5 s for more.

  """
  sock = Socket(cls._InstanceMonitor(instance_name), timeout or 30)
  sock.until("(qemu) ")
  sock.sock.sendall(
    (old_releases.mended(command.strip()) + "\n").encode("ascii"))
  text = sock.until("(qemu) ")
  return utils.RunResult(0, None, text, "", command, None, None)


def hasten(node):
  """Spare what takes time, and has no effect.

  """
  cls = type(node.hyper)
  cls._CallMonitorCommand = classmethod(monitor_command)
  # QEMU is asked for its help at every NIC, and for all of QMP's schema at
  # every disk
  qmp = hv_kvm.QmpConnection(node.hyper._InstanceQmpMonitor(nodes.NAME))
  dynamic = getattr(qmp, "HasDynamicAutoReadOnly", lambda: None)()
  hv_kvm.QmpConnection.HasDynamicAutoReadOnly = lambda _: dynamic
  plain, said = node.hyper._GetKVMOutput, {}
  cls._GetKVMOutput = staticmethod(lambda path, option: said.setdefault(
    option, said.get(option) or plain(path, option)))
  node.hyper._GetKVMOutput(node.qemu, node.hyper._KVMOPT_HELP)
  node.hyper._GetKVMOutput(node.qemu, node.hyper._KVMOPT_DEVICELIST)


def doom(cls, effect, before):
  """Make this process die at one of its effects.

  @param effect: int, which one
  @param before: whether just before it, or just after

  """
  done = [0]

  def deadly(plain, has_effect=lambda *_, **__: True):
    def wrapped(*args, **kwargs):
      if not has_effect(*args, **kwargs):
        return plain(*args, **kwargs)
      done[0] += 1
      if done[0] == effect and before:
        os.kill(os.getpid(), signal.SIGKILL)
      result = plain(*args, **kwargs)
      if done[0] == effect:
        os.kill(os.getpid(), signal.SIGKILL)
      return result
    return wrapped

  qmp = hv_kvm.QmpConnection
  # the second is that of 3.1 and later
  (send, ) = [name for name in ("_Send", "send_qmp") if hasattr(qmp, name)]
  setattr(qmp, send, deadly(
    getattr(qmp, send), lambda _, message: not _NO_EFFECT.match(
      message["execute"] or "")))
  cls._CallMonitorCommand = classmethod(deadly(monitor_command))
  for module, name in ((utils, "WriteFile"), (utils, "RemoveFile"),
                       (utils, "SendFds")):
    if hasattr(module, name):
      setattr(module, name, deadly(getattr(module, name)))


def run(node, limit, dies, operation, *args):
  """Run an operation of Ganeti's.

  @param limit: seconds that a guest is given to complete an unplug
  @param dies: arguments of L{doom} but the first, or None
  @return: None if it was killed, else its error, empty if there was none

  """
  def child():
    os.environ["KVM_PCI_HOTPLUG_LIMIT"] = str(limit)
    if dies:
      doom(type(node.hyper), *dies)
    operation(*args)

  said = child_processes.alone(child)
  return None if said is False else (said or "")
