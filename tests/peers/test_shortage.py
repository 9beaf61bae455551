"""Hotplug without a descriptor, without room on the disk, and read-only.

At each point where the operation opens or writes something: it is done, or
there is one error that says why, no file is half-written, and once there is
room again the next operation succeeds, after which runtime file and QEMU agree.

C{SHORTAGE_EVERY} in the environment says which part of the points are tried:
1 is each, 4 each fourth.

"""

import contextlib
import errno
import json
import os
import re
import subprocess

import pytest

from qemu_state import Inventory, agree, runtime_devices
from test_faults import id_of
from nodes import DISK, NIC
import child_processes
import nodes
import shortage

EVERY = int(os.environ.get("SHORTAGE_EVERY", "1"))

#: Of the file system that the node's files are on.
ROOM = 1 << 18
NAMES = 60

#: More points than any operation has.
_MOST = 400

pytestmark = [
  pytest.mark.parametrize("which", ["plugin"], indirect=True),
  pytest.mark.skipif(not shortage.HAS_HOOKS, reason=shortage.NO_HOOKS)]

ADDED = {DISK: 4, NIC: 5}


@contextlib.contextmanager
def mounted(folder, *options):
  """Mount something on a folder."""
  subprocess.check_call(["mount"] + list(options) + [folder])
  try:
    yield
  finally:
    subprocess.check_call(["umount", "-l", folder])


@pytest.fixture(scope="module")
def small(which, guest, tmpdir_factory):
  """Provide a node whose files are on a small file system; its guest is up."""
  folder = str(tmpdir_factory.mktemp(which))
  with mounted(folder, "-t", "tmpfs", "-o", "size=%d,nr_inodes=%d" %
               (ROOM, NAMES), "tmpfs"):
    made = nodes.Node(which, folder)
    try:
      made.start(**nodes.boot(guest))
      made.wait_for_guest()
      made.wait_for_ports()
      # what is asked of QEMU and its program the first time
      for dev_type, number in ADDED.items():
        made.hot_add(dev_type, number, 2)
      yield made
    finally:
      made.stop()


def add_disk(node):
  """As L{nodes.Node.hot_add}, but makes no image."""
  node.hyper.HotAddDevice(node.instance, DISK, nodes.disk(ADDED[DISK]),
                          (node.image_path(ADDED[DISK]), None), 2)


def modify(node):
  changed = nodes.nic(ADDED[NIC])
  changed.nicparams = dict(changed.nicparams, link="br1")
  node.hyper.HotModDevice(node.instance, NIC, changed, None, 2)


OPERATIONS = {
  "add disk": (DISK, False, add_disk),
  "add nic": (NIC, False, lambda node: node.hot_add(NIC, ADDED[NIC], 2)),
  "del disk": (DISK, True, lambda node: node.hot_del(DISK, ADDED[DISK], 2)),
  "del nic": (NIC, True, lambda node: node.hot_del(NIC, ADDED[NIC], 2)),
  "mod nic": (NIC, True, modify),
  }


def prepare(node, name):
  """Bring a node to where an operation begins."""
  dev_type, is_there, _ = OPERATIONS[name]
  if (id_of(dev_type, ADDED[dev_type]) in runtime_devices(node)) != is_there:
    (node.hot_add if is_there else node.hot_del)(dev_type, ADDED[dev_type], 2)


def half_written(node):
  """List the files that are not whole."""
  found = []
  for folder in (node.hyper._CONF_DIR, os.path.join(node.folder, "kvm-pci")):
    for name in os.listdir(folder):
      if name.startswith(".") or name.endswith(".new"):
        found.append(name)
  return found


class Count(object):
  """What came of all points of an operation."""

  def __init__(self):
    self.done = self.refused = self.later = 0
    self.wrong = []

  def note(self, node, name, point, said, has_room=lambda: None):
    """Look at what an operation has left.

    @param said: its error, or None
    @param has_room: ends what it lacked

    """
    node.runtime_slots() # it can be read
    left = half_written(node)
    # one of the plugin's own is the next operation's, if it could not be
    # removed
    if [path for path in left if said is None or not path.endswith(".kvm-pci")]:
      self.wrong.append("%s: half-written: %s" % (point, left))
    has_room()
    if said is None:
      self.done += 1
      try:
        agree(node)
      except AssertionError as err:
        self.wrong.append("%s: done, but %s" % (point, err))
    else:
      self.refused += 1
      print("%s: %s" % (point, said))
      if not re.match(r"(HotplugError|HypervisorError): ", said) or \
          nodes.NAME not in said or "\n" in said:
        self.wrong.append("%s: %s" % (point, said))
      try:
        agree(node)
      except AssertionError:
        self.later += 1
    # the remedy of each of these errors; a second time, what it did is done
    (prepare if said is None else lambda *_: again(node, name, point, self))(
      node, name)

  def show(self, what):
    print("%s: done %d, refused %d, of these settled by the next operation %d" %
          (what, self.done, self.refused, self.later))
    assert self.refused or self.done
    assert not self.wrong, "\n".join(self.wrong)


def again(node, name, point, count):
  dev_type, is_there, operation = OPERATIONS[name]
  removes = name.startswith("del")
  device_id = id_of(dev_type, ADDED[dev_type])
  try:
    operation(node)
  except Exception as err: # pylint: disable=broad-except
    # it was removed, though it was not said
    if not (removes and device_id not in Inventory(node).devices):
      count.wrong.append("%s: again: %s" % (point, err))
  found = Inventory(node).devices
  if (device_id in found) == removes or runtime_devices(node) != found:
    count.wrong.append("%s: then %s, but %s" % (point, runtime_devices(node),
                                                found))
  prepare(node, name)
  agree(node)
  left = half_written(node)
  if left:
    count.wrong.append("%s: half-written still: %s" % (point, left))


def sweep(node, name, lack):
  """Try an operation at each of its points.

  @param lack: function of the number of a point that begins it, in the process
      of the operation, and returns what ends it and returns how many points
      there were, and of what ends it here

  """
  _, _, operation = OPERATIONS[name]
  count = Count()
  number = 1
  while True:
    assert number < _MOST
    prepare(node, name)
    begin, end = lack(number)
    reading, writing = os.pipe()

    def run():
      done = begin()
      try:
        operation(node)
      finally:
        os.write(writing, json.dumps(done()).encode("ascii"))

    said = child_processes.alone(run)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
      points = json.loads(stream.read() or b"0")
    count.note(node, name, "%s, point %d" % (name, number), said, end)
    if number > points:
      # at none of its own
      assert said is None, said
      return count
    number += EVERY


LASTS = pytest.mark.parametrize("lasts", [False, True],
                                ids=["once", "from then on"])
EACH = pytest.mark.parametrize("name", sorted(OPERATIONS))


@EACH
@LASTS
def test_no_descriptor_at_each_point(small, name, lasts):
  sweep(small, name, lambda number: (
    lambda: shortage.at(number, shortage.opens, shortage.refuse(errno.EMFILE),
                        lasts), lambda: None)).show(name)


@EACH
def test_few_descriptors(small, name):
  _, _, operation = OPERATIONS[name]
  count = Count()
  for number in range(0, 24, EVERY):
    prepare(small, name)

    def run():
      end = shortage.leave_descriptors(number) # pylint: disable=W0640
      try:
        operation(small)
      finally:
        end()

    said = child_processes.alone(run)
    count.note(small, name, "%s, %d descriptors" % (name, number), said)
  count.show(name)
  assert said is None


@EACH
@pytest.mark.parametrize("what", ["room", "names"])
def test_the_disk_is_full_from_each_point_on(small, name, what):
  fill = {"room": shortage.fill, "names": shortage.fill_names}[what]
  sweep(small, name, lambda number: (
    lambda: shortage.at(number, shortage.writes(small.folder),
                        lambda: fill(small.folder), False),
    lambda: shortage.clear(small.folder))).show(name)


@EACH
@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EIO],
                         ids=["EROFS", "ENOSPC", "EIO"])
def test_each_write_is_refused(small, name, number):
  sweep(small, name, lambda point: (
    lambda: shortage.at(point, shortage.writes(small.folder),
                        shortage.refuse(number), False),
    lambda: None)).show(name)


@EACH
@pytest.mark.parametrize("below", ["_CONF_DIR", "_NICS_DIR", "kvm-pci", ""],
                         ids=["runtime files", "nics", "kvm-pci", "all"])
def test_a_read_only_folder(small, name, below):
  _, _, operation = OPERATIONS[name]
  folder = os.path.join(small.folder, getattr(small.hyper, below, below)) \
    if below else small.folder
  prepare(small, name)
  count = Count()
  subprocess.check_call(["mount", "--bind", folder, folder])
  try:
    subprocess.check_call(["mount", "-o", "remount,bind,ro", folder])
    said = child_processes.alone(lambda: operation(small))
  finally:
    subprocess.check_call(["umount", "-l", folder])
  count.note(small, name, "%s, read-only %s" % (name, below or "all"), said)
  count.show(name)
