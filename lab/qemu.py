"""The QEMU of an instance, and its guest, by their sockets.

"""

import json
import re

from commands import PATIENCE, LabError, argv_on, wait_until
from dialogue import Report, Socket

KVM_DIR = "/run/ganeti/kvm-hypervisor"

#: QEMU's id of a root port.
_PORT = re.compile(r"rp\d+\Z")


class Qemu(object):
  """What can be asked where an instance runs.

  @ivar name: the instance's full name, one of those that the lab's nodes can
      resolve

  """

  def __init__(self, name):
    self.name = name

  def __repr__(self):
    return "%s(%r)" % (type(self).__name__, self.name)

  def node(self):
    """Tell where the instance is.

    @return: C{node1}, say

    """
    raise NotImplementedError

  def _connect(self, socket, timeout):
    path = "%s/ctrl/%s.%s" % (KVM_DIR, self.name, socket)
    argv = argv_on(self.node(), ["socat", "-", "UNIX-CONNECT:" + path])
    return Socket(argv, timeout)

  def qmp(self, command, **arguments):
    """Have QEMU run a command.

    QEMU talks to one client at a time: this waits for Ganeti to hang up.

    @param command: its name
    @param arguments: its arguments
    @return: what it returns

    """
    with self._connect("qmp", 30) as qmp:
      for request in [{"execute": "qmp_capabilities"},
                      {"execute": command, "arguments": arguments}]:
        qmp.send(json.dumps(request))
        answer = json.loads(qmp.find(r'^\{"(return|error)"[^\n]*\n').group())
        if "error" in answer:
          raise LabError("%s: %s: %s" % (self.name, command, answer["error"]))
      return answer["return"]

  def hmp(self, line):
    """Have QEMU's human monitor run a line.

    @return: what it prints

    """
    return self.qmp("human-monitor-command", **{"command-line": line})

  def pci(self):
    """Ask QEMU what is on pci.0, or behind the root ports of a q35 guest.

    @return: list of devices of C{query-pci}, where that behind a root port has
        the port's number for its slot

    """
    devices = next(bus["devices"] for bus in self.qmp("query-pci")
                   if bus["bus"] == 0)
    ports = [device for device in devices if _PORT.match(device["qdev_id"])]
    if not ports:
      return devices
    return [dict(device, slot=int(port["qdev_id"][2:])) for port in ports
            for device in port["pci_bridge"].get("devices", [])]

  def until_ejected(self, device_id):
    """Wait until the guest has completed the unplug of a device."""
    wait_until(lambda: device_id not in [
      device["qdev_id"] for device in self.pci()], "the guest ejects it")

  def guest(self, line=None, timeout=PATIENCE, until=None):
    """Ask the guest for a report, waiting for it to boot.

    @param line: shell command the guest shall run before
    @param timeout: seconds it may take
    @param until: function of a L{Report}; reports are left out until it returns
      something true
    @return: L{Report}

    """
    (output, status) = (None, None)
    with self._connect("serial", timeout) as console:
      if line is not None:
        # before its first report a guest does not listen
        console.find(Report.PATTERN)
        console.send("\n" + line)
        match = console.find(r"^RUN\n(.*?)\nRAN (\d+)\n")
        (output, status) = (match.group(1), int(match.group(2)))
      while True:
        report = Report(console.find(Report.PATTERN), output, status)
        if until is None or until(report):
          return report
