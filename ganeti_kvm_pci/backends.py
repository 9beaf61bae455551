"""What stands behind a device in QEMU: block nodes, drives, netdevs.

Ganeti makes them under the device's id before the device, and they may go
only when the device has gone: taken away earlier, a guest that has not let go
yet has a NIC without carrier or a disk that fails (measured on QEMU 5.2 to
11.1). Here they are looked for, so that what half an operation left behind is
found as well.

"""

import json
import re
import time

from . import clock
from . import monitor
from .errors import CommandError
from .partition import DISK
from .partition import NIC

#: How long QEMU may still hold a node whose device has gone, in seconds.
_RELEASE_LIMIT = 1

#: Queues of a NIC whose descriptors may have been passed (Ganeti: 1 to 8).
_QUEUES = 8

#: Ganeti's names for what can be plugged, of all series.
_OURS = {DISK: re.compile("^(hot)?disk-"), NIC: re.compile("^(hot)?nic-")}

#: A netdev in the words of C{info network}; that of a NIC comes after it.
_NETDEV_RE = re.compile(r"^(?: \\ )?(\S+): index=\d+,type=(?!nic,)",
                        re.MULTILINE)

#: A set of descriptors as a disk's file.
_FDSET_RE = re.compile(r"/dev/fdset/(\d+)")


def orphans(execute, recorded):
  """List what bears a name of Ganeti's and stands behind nothing.

  Stock leaves it where C{device_add} was refused, and where the node daemon
  died; a device of that name cannot be added before it has gone.

  @param execute: see L{monitor}
  @type recorded: collection of strings
  @param recorded: ids that the record has; IDE disks and ISA NICs have a
      drive, or netdev, of that name, and no device
  @rtype: list of (device class, id) pairs
  @raise MonitorError: if QEMU does not tell

  """
  names = {
    DISK: set(node.get("node-name") for node in
              execute("query-named-block-nodes", None)) |
          set(drive.get("device") for drive in execute("query-block", None)),
    NIC: set(_NETDEV_RE.findall(execute(
      "human-monitor-command", {"command-line": "info network"}))),
    }
  known = monitor.ids(execute).union(recorded)
  return [(device_class, name) for device_class in (DISK, NIC)
          for name in sorted(names[device_class] - known - set([None]))
          if _OURS[device_class].match(name)]


def take_back(execute, device_class, device_id):
  """Remove what stands behind a device that QEMU does not have.

  @param execute: see L{monitor}
  @param device_class: L{partition.DISK} or L{partition.NIC}
  @type device_id: string
  @rtype: list of strings
  @return: what was removed, for the log
  @raise MonitorError: if QEMU does not answer, or does not let go of it

  """
  if device_class == DISK:
    return _take_back_disk(execute, device_id) + close_sets(execute)
  if _try(execute, "netdev_del", {"id": device_id}):
    return ["netdev %s" % device_id]
  return []


def close_descriptors(execute, device_id):
  """Close what was passed for a NIC and not used; it stays open otherwise.

  A netdev that QEMU refused has used some and left others.

  @rtype: list of strings
  @return: what was closed, for the log
  @raise MonitorError: if QEMU does not answer

  """
  names = ["%s%s-%d" % (device_id, kind, queue)
           for kind in ("", "-vhost") for queue in range(_QUEUES)]
  return ["descriptor %s" % name for name in names
          if _try(execute, "closefd", {"fdname": name})]


def close_sets(execute):
  """Close the sets of descriptors that no disk reads from.

  QEMU does so by itself when the last client has hung up, but not while there
  is another (Ganeti's kvmd is one); while the guest is paused it only notes
  what it will close then (7.2). As long as it is open, a volume cannot be
  removed.

  @rtype: list of strings
  @return: what was closed, for the log
  @raise MonitorError: if QEMU does not answer

  """
  sets = [item["fdset-id"] for item in execute("query-fdsets", None)
          if item["fds"]]
  if not sets:
    return []
  used = set(int(number) for number in _FDSET_RE.findall(json.dumps(
    [execute("query-named-block-nodes", None), execute("query-block", None)])))
  return ["descriptors /dev/fdset/%d" % number for number in sets
          if number not in used and
          _try(execute, "remove-fd", {"fdset-id": number})]


def _try(execute, command, arguments):
  """Tell whether QEMU did something that there may be no need for."""
  try:
    execute(command, arguments)
  except CommandError:
    return False
  return True


def _take_back_disk(execute, device_id):
  nodes = execute("query-named-block-nodes", None)
  drives = execute("query-block", None)
  if device_id in [node.get("node-name") for node in nodes]:
    _insist(execute, "blockdev-del", {"node-name": device_id})
    return ["block node %s" % device_id]
  if device_id in [drive.get("device") for drive in drives]:
    execute("human-monitor-command",
            {"command-line": "drive_del %s" % device_id})
    return ["drive %s" % device_id]
  return []


def _insist(execute, command, arguments):
  """Repeat a command while QEMU says that something is still in use."""
  deadline = clock.monotonic() + _RELEASE_LIMIT
  while True:
    try:
      return execute(command, arguments)
    except CommandError as err:
      if "in use" not in str(err) or clock.monotonic() > deadline:
        raise
    time.sleep(monitor.INTERVAL)
