"""What older versions do and QEMU of today, or any, takes amiss.

It is made good on the way to QEMU, so that what follows can be looked at;
unmodified Ganeti and the plugin get the same help. Pytest's report ends with
what was needed.

"""

import fcntl
import re
import termios
import time

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

#: What had to be made good, for the end of pytest's report
MENDED = set()


def mended(command):
  """Change an HMP command that QEMU of today, or any, takes amiss."""
  if re.match("drive_add (?!.*,auto-read-only=).*/dev/fdset/", command):
    # The descriptor that was passed is for writing, and QEMU since 4.0 opens
    # a drive for reading first. Ganeti 3.0 forbids it that.
    MENDED.add("drive_add of a descriptor for writing: auto-read-only=off")
    return command + ",auto-read-only=off"
  tap = re.match(r"netdev_add tap,id=([^,]+),fd=\d+($|,.*)", command)
  if tap:
    # 2.12 passes the tap under the NIC's name, and then gives the number
    # that the tap has in Ganeti: to QEMU that is a descriptor of its own
    MENDED.add("netdev_add with Ganeti's own number of the tap: its name")
    return "netdev_add tap,id=%s,fd=%s%s" % (tap.group(1), tap.group(1),
                                             tap.group(2))
  return command


def commands(cls):
  """Make a class send mended HMP commands."""
  (plain, ) = [c.__dict__["_CallMonitorCommand"] for c in cls.__mro__
               if "_CallMonitorCommand" in c.__dict__][:1]
  bound = isinstance(plain, classmethod)
  plain = plain.__func__ if bound else plain

  def _CallMonitorCommand(owner, instance_name, command, timeout=None):
    # 2.10.0 and 2.10.1 know no timeout
    more = () if timeout is None else (timeout, )
    return plain(owner, instance_name, mended(command), *more)

  return classmethod(_CallMonitorCommand) if bound else _CallMonitorCommand


def _blockdev_add(plain):
  """Make C{Execute} do what C{blockdev-add} of 2.15 asks for.

  QEMU had it experimental then; C{drive_del}, which 2.15 removes the drive
  with, takes what HMP's C{drive_add} made. 2.16 does the same itself.

  """
  def Execute(self, command, arguments=None):
    if command == "blockdev-add" and "options" in (arguments or {}):
      options = arguments["options"]
      MENDED.add("blockdev-add as before QEMU 2.9: drive_add")
      command = "human-monitor-command"
      arguments = {"command-line": mended(
        "drive_add dummy file=%s,if=none,id=%s,format=raw" %
        (options["file"]["filename"], options["id"]))}
      said = plain(self, command, arguments).strip()
      if said != "OK":
        raise errors.HypervisorError("kvm: error executing the blockdev-add"
                                     " command: %s (GenericError):" % said)
      return {}
    return plain(self, command, arguments)
  return Execute


def _human(plain):
  """Make C{Execute} send mended HMP commands, as the plugin gives them."""
  def Execute(self, command, arguments=None):
    if command == "human-monitor-command":
      arguments = {"command-line": mended(arguments["command-line"])}
    return plain(self, command, arguments)
  return Execute


def _pass_tap_fd(plain):
  """Make C{sendfds} return only once QEMU has read.

  Up to 2.12 Ganeti sends C{getfd} and hangs up; QEMU 7.2 forgets what it has
  not read by then, which is most of the time.

  """
  def sendfds(sock, *args, **kwargs):
    result = plain(sock, *args, **kwargs)
    MENDED.add("a tap passed by one who hangs up: waited until it was read")
    deadline = time.time() + 5
    left = b"sent"
    while left.strip(b"\0") and time.time() < deadline:
      time.sleep(0.01)
      left = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return result
  return sendfds


def mend():
  """Make versions up to 2.16 get along with QEMU of today."""
  if hasattr(hv_kvm.QmpConnection, "Execute"): # up to 3.0
    hv_kvm.QmpConnection.Execute = _human(hv_kvm.QmpConnection.Execute)
  if constants.HOTPLUG_TARGET_DISK != "hotdisk":
    return
  hv_kvm.QmpConnection.Execute = _blockdev_add(hv_kvm.QmpConnection.Execute)
  # later ones wait for QMP's answer
  if (hasattr(hv_kvm.KVMHypervisor, "_PassTapFd") and
      getattr(hv_kvm, "fdsend", None)):
    hv_kvm.fdsend.sendfds = _pass_tap_fd(hv_kvm.fdsend.sendfds)


mend()
