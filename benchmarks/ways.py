"""Ways to plug a device into a guest of the lab, and to take it out again."""

import json
import multiprocessing
import os
import socket
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [HERE, os.path.join(HERE, "lab"),
                os.path.dirname(os.path.realpath("/usr/sbin/ganeti-noded"))]

# pylint: disable=wrong-import-position
from ganeti import backend
from ganeti import constants
from ganeti import hypervisor
from ganeti import objects
from ganeti.hypervisor import hv_kvm
from ganeti.hypervisor.hv_kvm import netdev

import cluster
from commands import LabError
from dialogue import Report, Socket

DISK = constants.HOTPLUG_TARGET_DISK
NIC = constants.HOTPLUG_TARGET_NIC
BRIDGE = "br0"
MAC = "aa:00:00:be:7c:%02x"

#: Seconds that anything may take
LIMIT = 60


def timed(function, *args):
  """Call a function.

  @return: the seconds that it took

  """
  before = time.perf_counter()
  function(*args)
  return time.perf_counter() - before


class Monitor(object):
  """A QMP connection beside that of whoever manages the guest.

  @ivar version: QEMU's

  """
  def __init__(self, path):
    self._removed = []
    self._sock = socket.socket(socket.AF_UNIX)
    self._sock.settimeout(LIMIT)
    self._sock.connect(path)
    self._lines = self._sock.makefile("rb")
    greeting = self._receive()["QMP"]["version"]
    self.version = "%(major)d.%(minor)d.%(micro)d" % greeting["qemu"]
    self.version += " " + greeting["package"]
    self.execute("qmp_capabilities")

  def _receive(self):
    line = self._lines.readline()
    if not line:
      raise LabError("QEMU has hung up")
    message = json.loads(line)
    if message.get("event") == "DEVICE_DELETED":
      # without "device", it is about a part of one
      self._removed.append(message["data"].get("device"))
    return message

  def execute(self, command, arguments=None, descriptor=None):
    """Run a QMP command.

    @param descriptor: file descriptor to pass with it
    @return: what it returns

    """
    request = json.dumps({"execute": command, "arguments": arguments or {}})
    socket.send_fds(self._sock, [request.encode("ascii")],
                    [] if descriptor is None else [descriptor])
    while True:
      answer = self._receive()
      if "error" in answer:
        raise LabError("%s: %s" % (request, answer["error"]["desc"]))
      if "return" in answer:
        return answer["return"]

  def forget(self):
    """Forget which devices QEMU has removed so far."""
    self.execute("query-status")
    self._removed = []

  def await_removed(self, device_id):
    """Wait until QEMU says that it has removed a device since L{forget}."""
    while device_id not in self._removed:
      self._receive()


class Guest(object):
  """A running guest, seen through QEMU and from inside.

  @ivar monitor: L{Monitor}

  """
  def __init__(self, monitor_path, serial_path):
    self.monitor = Monitor(monitor_path)
    self._serial = serial_path

  def devices(self):
    """Ask QEMU for what has an id on pci.0.

    @return: dict, id to slot

    """
    (bus, ) = [b for b in self.monitor.execute("query-pci") if b["bus"] == 0]
    return dict((d["qdev_id"], d["slot"]) for d in bus["devices"]
                if d["qdev_id"])

  def settle(self, until=None):
    """Wait for the guest's next report, after which it rests for a second.

    @param until: function of the report; those it refuses are left out

    """
    argv = ["socat", "-", "UNIX-CONNECT:" + self._serial]
    with Socket(argv, LIMIT) as console:
      while True:
        report = Report(console.find(Report.PATTERN))
        if until is None or until(report):
          return


def in_use(device_type, slot, report):
  """Tell whether a report has a disk or a NIC with a driver at a slot."""
  if device_type == DISK:
    return slot in report.disks.values()
  return slot in [used for (used, _) in report.nics.values()]


class Way(object):
  """One way.

  Its methods C{add(device_type)} and C{remove(device_type)} return the seconds
  that they took. C{remove} returns once QEMU has removed the device.

  """
  def __init__(self, name, guest):
    self.name = name
    self.guest = guest

  def prepare(self):
    """Do what must come before, and does not count."""


class RawQmp(Way):
  """QEMU's monitor and nothing else.

  The connection is open, the image and the tap are there: Ganeti's script has
  put it on the bridge.

  @ivar ifups: the seconds that the script took, each time

  """
  def __init__(self, name, guest, instance, image):
    super().__init__(name, guest)
    self.ifups = []
    self._monitor = guest.monitor
    self._instance = instance
    self._image = image

  def add(self, device_type):
    if device_type == DISK:
      return timed(self._add_disk)
    (tap, (descriptor, ), _) = netdev.OpenTap()
    try:
      # pylint: disable=protected-access
      self.ifups.append(timed(hv_kvm.KVMHypervisor._ConfigureNIC,
                              self._instance, 1, nic(MAC % 1), tap))
      return timed(self._add_nic, descriptor)
    finally:
      os.close(descriptor)

  def _add_disk(self):
    self._monitor.execute("blockdev-add", {
      "node-name": "raw", "driver": "raw",
      "file": {"driver": "file", "filename": self._image}})
    self._monitor.execute("device_add", {
      "driver": "virtio-blk-pci", "id": "raw", "drive": "raw",
      "bus": "pci.0", "addr": "0x1e"})

  def _add_nic(self, descriptor):
    self._monitor.execute("getfd", {"fdname": "raw"}, descriptor)
    self._monitor.execute("netdev_add", {"type": "tap", "id": "raw",
                                         "fd": "raw"})
    self._monitor.execute("device_add", {
      "driver": "virtio-net-pci", "id": "raw", "netdev": "raw",
      "mac": MAC % 1, "bus": "pci.0", "addr": "0x1e"})

  def remove(self, device_type):
    return timed(self._remove, *(
      ("blockdev-del", "node-name") if device_type == DISK else
      ("netdev_del", "id")))

  def _remove(self, command, key):
    self._monitor.execute("device_del", {"id": "raw"})
    self._monitor.await_removed("raw")
    self._monitor.execute(command, {key: "raw"})


class NodeDaemon(Way):
  """What the node daemon does when it is asked to hotplug a device."""

  def __init__(self, name, guest, instance, hypervisor_class, image):
    super().__init__(name, guest)
    self._instance = instance
    self._class = hypervisor_class
    self._image = image

  def add(self, device_type):
    extra = (self._image, None) if device_type == DISK else None
    return self._hotplug(constants.HOTPLUG_ACTION_ADD, device_type, extra)

  def remove(self, device_type):
    return self._hotplug(constants.HOTPLUG_ACTION_REMOVE, device_type, None)

  def _hotplug(self, action, device_type, extra):
    device = disk() if device_type == DISK else nic(MAC % 2)

    def _Hotplug():
      # pylint: disable=protected-access
      hypervisor._HYPERVISOR_MAP[constants.HT_KVM] = self._class
      return timed(backend.HotplugDevice, self._instance, action, device_type,
                   device, extra, 1)

    return in_child(_Hotplug)


def disk():
  return objects.Disk(uuid="be7cd15c-0000-4000-8000-000000000001", size=1024,
                      mode="rw", dev_type="sharedfile", params={})


def nic(mac):
  return objects.NIC(uuid="be7c021c-0000-4000-8000-000000000001", mac=mac,
                     network=None,
                     nicparams={"mode": "bridged", "link": BRIDGE})


def in_child(function):
  """Call a function in a process of its own.

  The node daemon forks for each request, too: what a process keeps in memory
  does not help the next.

  """
  context = multiprocessing.get_context("fork")
  (receiver, sender) = context.Pipe(False)
  child = context.Process(target=lambda: sender.send(function()))
  child.start()
  child.join()
  if child.exitcode != 0:
    # it has written its traceback
    raise LabError("a child ended with %d" % child.exitcode)
  return receiver.recv()


class GntInstance(Way):
  """The whole call of C{gnt-instance modify}, with or without the plugin."""

  def __init__(self, name, guest, instance, plugged):
    super().__init__(name, guest)
    self._instance = instance
    self._plugged = plugged

  def prepare(self):
    cluster.plugin("enable" if self._plugged else "disable")
    (status, ) = cluster.plugin("status", check=False).values()
    if ("without the plugin" in status.output) == self._plugged:
      raise LabError("the wrong node daemon: %s" % status.output)
    # the first call after a restart would pay for more than itself
    cluster.gnt("node", "list", "-o", "name,mfree")

  def add(self, device_type):
    return timed(self._modify, *(
      ("--disk", "add:size=1G") if device_type == DISK else ("--net", "add")))

  def remove(self, device_type):
    return timed(self._modify, "--disk" if device_type == DISK else "--net",
                 "1:remove")

  def _modify(self, *args):
    output = self._instance.modify(*args).output
    if "hotplug:done" not in output:
      # its exit status does not tell
      raise LabError("gnt-instance modify %s:\n%s" % (" ".join(args), output))


def as_the_node_daemon_gets(name):
  """Read an instance from the configuration, the defaults filled in.

  @rtype: objects.Instance

  """
  with open(cluster.CONFIG) as stream:
    config = objects.ConfigData.FromDict(json.load(stream))
  (instance, ) = [i for i in config.instances.values() if i.name == name]
  instance.hvparams = config.cluster.FillHV(instance)
  instance.beparams = config.cluster.FillBE(instance)
  instance.disks_info = [config.disks[uuid] for uuid in instance.disks]
  return instance
