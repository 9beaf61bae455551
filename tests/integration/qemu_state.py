"""What QEMU has, devices and backends, beside the runtime file.

To tell what an operation that failed, or whose process died, left behind.

"""

import json
import os
import re
import subprocess

from nodes import DISK, NIC, port_of, wait_until

#: Ganeti's own names, of all versions.
_OURS = re.compile(r"^(hot)?(disk|nic)-")


def tell(node, command, **arguments):
  """Run a QMP command beside Ganeti, with a connection of its own."""
  qmp = node.watch()
  try:
    return qmp.execute(command, **arguments)
  finally:
    qmp.sock.close()


def run_state(node):
  """Ask QEMU whether the guest runs, or why not."""
  return tell(node, "query-status")["status"]


def migration_status(node):
  """Ask QEMU how its migration stands; None if it had none."""
  return tell(node, "query-migrate").get("status")


def pci_functions(answer):
  """List what C{query-pci} tells, on all buses.

  @return: generator of dicts

  """
  def beneath(found):
    for device in found:
      yield device
      for other in beneath(device.get("pci_bridge", {}).get("devices", [])):
        yield other

  for bus in answer:
    for device in beneath(bus["devices"]):
      yield device


def _slot(qmp, item):
  """Tell a device's slot, port, or SCSI id; None if it was removed meanwhile."""
  scsi = item["type"].startswith("child<scsi-")
  path = "/machine/peripheral/" + item["name"]
  try:
    number = qmp.execute("qom-get", path=path,
                         property="scsi-id" if scsi else "addr")
    port = not scsi and port_of(qmp.execute(
      "qom-get", path=path, property="parent_bus").rpartition("/")[2])
  except AssertionError as err:
    if "DeviceNotFound" in str(err):
      return None
    raise
  return number if scsi else port or number // 8


def _dev_type(name):
  return DISK if "disk-" in name else NIC


def parse_devices(text):
  """Read a runtime file: dict, id to slot, or SCSI id."""
  _, nics, _, disks = json.loads(text)[:4]
  found = {}
  for dev_type, entries in ((DISK, [entry[0] for entry in disks]), (NIC, nics)):
    for entry in entries:
      hvinfo = entry.get("hvinfo")
      if hvinfo:
        slot = hvinfo["addr"] if "addr" in hvinfo else hvinfo.get("scsi-id")
        found[hvinfo["id"]] = port_of(hvinfo.get("bus")) or (
          int(slot, 16) if "addr" in hvinfo else slot)
      elif entry.get("pci") is not None:
        # of 2.10 to 2.15
        found["hot%s-%s-pci-%d" % (dev_type.replace("hot", ""),
                                   entry["uuid"].split("-")[0],
                                   entry["pci"])] = entry["pci"]
  return found


def runtime_devices(node):
  """Read the instance's runtime file, see L{parse_devices}."""
  with open(node.hyper._InstanceKVMRuntime(node.instance.name)) as stream:
    return parse_devices(stream.read())


class Inventory(object):
  """What QEMU has under Ganeti's names.

  @ivar devices: dict, id to slot, or SCSI id
  @ivar drives, netdevs: sets of names; a drive is one of QEMU's C{-drive}, or,
      from Ganeti 3.1 on, the block node that C{-blockdev} names
  @ivar nodes: set, block nodes that somebody else named
  @ivar fdsets: set, numbers of the sets of descriptors that were passed
  @ivar used_fdsets: set, those that a drive reads from
  @ivar tuns: int, QEMU's open descriptors of taps
  @ivar taps: int, tap interfaces in this network namespace

  """
  def __init__(self, node):
    qmp = node.watch()
    self.devices = {}
    for item in qmp.execute("qom-list", path="/machine/peripheral"):
      if item["type"].startswith("child<") and _OURS.match(item["name"]):
        slot = _slot(qmp, item)
        if slot is not None:
          self.devices[item["name"]] = slot
    drives = qmp.execute("query-block")
    nodes = qmp.execute("query-named-block-nodes")
    named = set(n["node-name"] for n in nodes
                if not n["node-name"].startswith("#"))
    # QEMU gives no name to two of them
    self.drives = set(name for name in
                      named.union(d["device"] for d in drives)
                      if _OURS.match(name))
    self.nodes = named - self.drives
    self.used_fdsets = set(
      int(number) for number in re.findall(r"/dev/fdset/(\d+)",
                                           repr((drives, nodes))))
    self.fdsets = set(s["fdset-id"] for s in qmp.execute("query-fdsets"))
    network = qmp.execute("human-monitor-command", command_line="info network")
    self.netdevs = set(re.findall(
      r"^(?: \\ )?(\S+): index=\d+,type=tap", network, re.MULTILINE))
    qmp.sock.close()
    folder = "/proc/%d/fd" % node.pid()
    self.tuns = len([name for name in os.listdir(folder)
                     if _target(os.path.join(folder, name)) == "/dev/net/tun"])
    self.taps = len(re.findall(
      br"^\d+: tap", subprocess.check_output(["ip", "-o", "link"]),
      re.MULTILINE))

  def of(self, dev_type):
    """List the devices of one type."""
    return set(name for name in self.devices if _dev_type(name) == dev_type)

  def check(self, queues=1):
    """Make sure that there is no orphaned backend.

    @param queues: how many each NIC has

    """
    assert self.drives == self.of(DISK), vars(self)
    assert self.netdevs == self.of(NIC), vars(self)
    assert not self.nodes, vars(self)
    assert self.fdsets == self.used_fdsets, vars(self)
    assert self.tuns == len(self.netdevs) * queues, vars(self)


def _target(path):
  try:
    return os.readlink(path)
  except OSError: # closed just now
    return None


def wait_until_gone(node, device_id):
  """Wait until the unplug of a device has completed."""
  wait_until(lambda: device_id not in Inventory(node).devices,
             "the guest completes the unplug of %s" % device_id, 60)


def agree(node, queues=1):
  """Make sure that runtime file and QEMU agree, and nothing is left over."""
  found = Inventory(node)
  assert runtime_devices(node) == found.devices, vars(found)
  found.check(queues)
  return found
