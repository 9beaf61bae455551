"""What runtime file, QEMU and kernel have of an instance, side by side."""

import os
import re

import nodes
from nodes import DISK, NIC

_DEV_TYPES = {"disk": DISK, "nic": NIC}
_ID_RE = re.compile(r"^(?:hot)?(disk|nic)-([0-9a-f]{8})-")


def key_of(name):
  """Tell which device has an id of Ganeti's.

  @return: type and number, or None

  """
  match = _ID_RE.match(name or "")
  if not match:
    return None
  dev_type = _DEV_TYPES[match.group(1)]
  return (dev_type, nodes.number_of(dev_type, match.group(2)))


def taps():
  """Count the taps of this network namespace."""
  with open("/proc/self/net/dev") as stream:
    return len(re.findall(r"^\s*tap\S+:", stream.read(), re.M))


class ThreeViews(object):
  """One look.

  @ivar runtime: dict, (type, number) to slot, of Ganeti's devices in the file
  @ivar live: the same by QEMU
  @ivar others: dict, slot to id, of what else QEMU has
  @ivar wrong: list of (set of (type, number) or None, string) pairs: what does
      not fit together, and the devices that this is about, where that is known

  """
  def __init__(self, node, pid, strangers):
    """Look.

    @param pid: QEMU's process
    @param strangers: how many taps are somebody else's

    """
    self.wrong = []
    self.runtime = self._keyed(
      "the runtime file", [
        ((dev_type, nodes.number_of(dev_type, uuid)), slot)
        for dev_type, entries in node.runtime_slots().items()
        for uuid, slot in entries])
    qmp = node.watch()
    # a slot, or port, is there once
    here = [(name, slot) for slot, name in sorted(node.live(qmp).items())]
    self.live = self._keyed("QEMU", [(key_of(name), slot)
                                     for name, slot in here if key_of(name)])
    self.others = dict((slot, name) for name, slot in here if not key_of(name))
    self._same("runtime file", self.runtime, "QEMU", self.live)
    self._check_netdevs(qmp, pid, strangers)
    self._check_drives(node, qmp, pid)
    qmp.sock.close()

  def _keyed(self, what, pairs):
    if len(set(slot for _, slot in pairs)) < len(pairs):
      self.wrong.append((None, "%s has a slot twice: %s" % (what,
                                                            sorted(pairs))))
    return dict(pairs)

  def _same(self, what, one, than, other):
    if one != other:
      here, there = [sorted(found.items() if hasattr(found, "items") else found)
                     for found in (one, other)]
      about = set(item[0] if hasattr(one, "items") else item
                  for item in set(here) ^ set(there))
      self.wrong.append((about, "%s: %s, but %s: %s" % (what, here, than,
                                                        there)))

  def _of(self, dev_type):
    return [key for key in self.live if key[0] == dev_type]

  def _check_netdevs(self, qmp, pid, strangers):
    text = qmp.execute("human-monitor-command", command_line="info network")
    names = re.findall(r"([-\w]+): index=\d+,type=tap,", text)
    self._same("netdevs", sorted(key_of(name) for name in names), "NICs",
               sorted(self._of(NIC)))
    opened = [path for path in _opened(pid) if path == "/dev/net/tun"]
    counts = (len(names), taps() - strangers, len(opened))
    if len(set(counts)) > 1:
      self.wrong.append((None, "%d netdevs, %d taps, %d descriptors of them" %
                         counts))

  def _check_drives(self, node, qmp, pid):
    disks = sorted(self._of(DISK))
    # from Ganeti 3.1 on, a drive is named by its device, or the half of it that
    # is virtio's
    names = [[drive["device"]] + drive.get("qdev", "").split("/")
             for drive in qmp.execute("query-block")]
    drives = [key for words in names for key in map(key_of, words) if key]
    self._same("drives", sorted(set(drives)), "disks", disks)
    images = set(path for path in _opened(pid)
                 if os.path.dirname(path) == node.folder and
                 os.path.basename(path).startswith("disk"))
    self._same("images", set(
      (DISK, int(os.path.basename(path)[len("disk"):])) for path in images),
               "disks", set(disks))
    opened = [name["file"] for name in qmp.execute("query-named-block-nodes")]
    # the image, and the file that it is in
    if len(opened) != 2 * len(disks):
      self.wrong.append((None, "block nodes %s, but disks %s" % (opened,
                                                                 disks)))
    # a disk that is hot-added by -blockdev has one
    used = [int(number) for name in opened
            for number in re.findall(r"^/dev/fdset/(\d+)$", name)]
    passed = [s for s in qmp.execute("query-fdsets")
              if s["fds"] and s["fdset-id"] not in used]
    if passed:
      self.wrong.append((None, "descriptors without use: %s" % passed))


def _opened(pid):
  """List the files that a process has open."""
  folder = "/proc/%d/fd" % pid
  found = []
  for name in os.listdir(folder):
    try:
      found.append(os.readlink(os.path.join(folder, name)))
    except OSError:
      pass # closed just now
  return found
