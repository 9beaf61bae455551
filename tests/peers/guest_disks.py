"""What is on a guest's disks, in QEMU's file and as the guest reads it."""

import collections
import os

import nodes
from nodes import DISK

#: Where a guest writes, in bytes.
_WRITTEN = 512

#: Has the guest tell of each disk where it is, its size in sectors and what it
#: begins with, past all caches.
_READ = ("for d in /sys/block/vd*; do n=/dev/${d##*/}; [ -b $n ] || continue;"
         " blockdev --flushbufs $n; cd -P $d/device;"
         " echo DISK ${PWD%/virtio*} $(cat $d/size)"
         " $(dd if=$n bs=16 count=1 2> /dev/null | head -n 1 | tr -d '\\0');"
         " done; cd /\n")


class Disk(collections.namedtuple("Disk", ["folder", "size", "text"])):
  """A disk as the guest sees it.

  @ivar folder: of its PCI device in the guest
  @ivar size: in MiB
  @ivar text: what it begins with, to the end of the line

  """
  def slot(self):
    """Return its slot on pci.0."""
    return int(self.folder[-4:-2], 16)


def text_on(number):
  """Tell what a disk that was marked begins with."""
  return "disk %d" % number


def mark(path, number):
  """Have a disk's image begin with what tells which it is."""
  with open(path, "r+b") as stream:
    stream.write((text_on(number) + "\n").encode("ascii"))


def seen(node):
  """Ask the guest for its disks: list of L{Disk}."""
  words = [line.split(" ", 3) for line in node.console(_READ)
           if line.startswith("DISK ")]
  return [Disk(found[1], int(found[2]) // 2048, " ".join(found[3:]))
          for found in words]


class GuestDisks(object):
  """Disks that nodes share, such as those of a L{test_migration.Pair}."""

  def __init__(self, folder, *sharing):
    self._folder = folder
    self._turn = 0
    for node in sharing:
      node.image = self.image

  def image(self, number):
    """Make a disk's image, unless there is one; return its path."""
    path = os.path.join(self._folder, "disk%d" % number)
    if not os.path.exists(path):
      with open(path, "wb") as stream:
        stream.truncate(1 << 20)
      mark(path, number)
    return path

  def check(self, node):
    """Check that each disk in the runtime file has its data, and keeps more."""
    self._turn += 1
    word = "turn%d" % self._turn
    node.console("for d in /dev/vd?; do [ ! -b $d ] || echo %s | dd of=$d"
                 " bs=512 seek=1 conv=notrunc,fsync 2> /dev/null; done\n" %
                 word)
    found = seen(node)
    expected = {}
    for uuid, slot in node.runtime_slots()[DISK]:
      number = nodes.number_of(DISK, uuid)
      expected[slot] = text_on(number)
      with open(self.image(number), "rb") as stream:
        assert stream.readline().decode("ascii") == text_on(number) + "\n"
        stream.seek(_WRITTEN)
        there = stream.read(len(word)).decode("ascii")
        assert there == word, (number, there, found)
    if nodes.ON_PC:
      assert dict((disk.slot(), disk.text) for disk in found) == expected
    else: # a root port's bus has another number each time
      assert sorted(disk.text for disk in found) == sorted(expected.values())
