"""Disks that grow between hotplugs, and while they are removed.

Ganeti 3.1 and later tell QEMU of a C{gnt-instance grow-disk}
(C{block_resize}); for those before, an administrator does.

"""

import os
import threading
import time

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from qemu_state import agree, tell
from test_faults import id_of
from test_migration import Pair
from nodes import DISK
import child_processes
import guest_disks
import nodes

pytestmark = [
  pytest.mark.usefixtures("patient"),
  pytest.mark.parametrize("which", ["plugin"], indirect=True)]

#: How often a disk is removed that grows meanwhile.
TIMES = nodes.times("RESIZE_TIMES", 10, 3)

_MIB = 1 << 20

_BY_GANETI = hasattr(hv_kvm.KVMHypervisor, "ResizeDisk")


def grow(node, number, size):
  """Do what C{gnt-instance grow-disk} does: first the file, then QEMU."""
  with open(node.image_path(number), "r+b") as stream:
    stream.truncate(size)
  if _BY_GANETI:
    node.hyper.ResizeDisk(node.instance, nodes.disk(number), size)
  else:
    tell(node, "block_resize", device=id_of(DISK, number), size=size)


def sizes_by_text(node):
  """Ask the guest for its disks: what each begins with, to size in MiB."""
  return dict((disk.text, disk.size) for disk in guest_disks.seen(node))


def test_a_disk_grows_between_hotplugs_and_moves(which, guest, tmpdir):
  pair = Pair(which, which, str(tmpdir))
  source = pair.source

  def mark(number):
    guest_disks.mark(source.image_path(number), number)

  try:
    for number in range(2):
      source.image(number)
    pair.start(guest)
    for number in (0, 1):
      mark(number)
    sizes = {0: 1, 1: 1}

    def add(number, position):
      source.hot_add(DISK, number, position)
      mark(number)
      sizes[number] = 1

    def remove(number, position):
      source.hot_del(DISK, number, position)
      del sizes[number]

    def bigger(number):
      sizes[number] += 3
      grow(source, number, sizes[number] * _MIB)

    for do, args in ((add, (2, 2)), (bigger, (2, )), (add, (3, 3)),
                     (bigger, (0, )), (remove, (2, 2)), (bigger, (3, )),
                     (add, (4, 3)), (bigger, (4, )), (bigger, (3, )),
                     (remove, (3, 2)), (bigger, (1, )), (add, (2, 3))):
      do(*args)
      agree(source)
      wanted = dict((guest_disks.text_on(number), size)
                    for number, size in sizes.items())
      seen = nodes.until(lambda: sizes_by_text(source),
                         lambda found: found == wanted) # pylint: disable=W0640
      assert seen == wanted
    for number, size in sizes.items():
      os.link(source.image_path(number), pair.target.image_path(number))
    pair.arrives(pair.accept())
    agree(pair.target)
    pair.target.wait_for_guest()
    assert sizes_by_text(pair.target) == wanted
    # one that has moved grows on
    sizes[4] += 2
    grow(pair.target, 4, sizes[4] * _MIB)
    key = guest_disks.text_on(4)
    assert nodes.until(lambda: sizes_by_text(pair.target),
                       lambda found: found[key] == sizes[4])[key] == sizes[4]
  finally:
    pair.stop()


class Growing(object):
  """A disk that grows until it can no longer."""

  def __init__(self, node, number):
    self.count = 0
    self.error = None
    self._thread = threading.Thread(target=self._run, args=[node, number])
    self._thread.start()

  def _run(self, node, number):
    size = _MIB
    qmp = node.watch()
    try:
      while self.error is None:
        size += 1 << 16
        answer = qmp.ask("block_resize", device=id_of(DISK, number), size=size)
        if "error" in answer:
          self.error = answer["error"]["desc"]
        else:
          self.count += 1
    finally:
      qmp.sock.close()

  def end(self):
    self._thread.join(120)
    assert not self._thread.is_alive()


def test_a_disk_is_removed_while_it_grows(booted):
  before = agree(booted).devices
  for number in range(4, 4 + TIMES):
    booted.hot_add(DISK, number, 2)
    growing = Growing(booted, number)
    time.sleep(0.3)
    booted.hot_del(DISK, number, 2)
    growing.end()
    print("grew %d times, then: %s" % (growing.count, growing.error))
    assert growing.count
    assert agree(booted).devices == before
  assert booted.wait_for_guest()


@pytest.mark.skipif(not _BY_GANETI, reason="there is no ResizeDisk before 3.1")
def test_ganeti_resizes_during_a_removal_that_waits(booted, monkeypatch):
  booted.hot_add(DISK, 4, 2)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "4")
  said = []

  def remove():
    try:
      booted.hot_del(DISK, 4, 2)
    except errors.HotplugError as err:
      said.append(str(err))

  tell(booted, "stop")
  thread = threading.Thread(target=remove)
  thread.start()
  time.sleep(1)
  with open(booted.image_path(4), "r+b") as stream:
    stream.truncate(4 * _MIB)
  # a process as the node daemon's: the client of 3.1.0~rc2 does not hang up
  assert child_processes.alone(lambda: type(booted.hyper)().ResizeDisk(
    booted.instance, nodes.disk(4), 4 * _MIB)) is None
  thread.join(100)
  assert not thread.is_alive()
  assert "timed out" in said[0]
  agree(booted)
  tell(booted, "cont")
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "120")
  booted.hot_del(DISK, 4, 2)
  agree(booted)
