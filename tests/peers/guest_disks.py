"""Disks that two nodes share, and what is on them, in QEMU's file and guest."""

import os

import nodes
from nodes import DISK

#: Where a guest writes, and where the name of a disk is, in bytes.
_WRITTEN, _NAMED = 512, 0


class GuestDisks(object):
  """Disks of a L{test_migration.Pair}, each with a name in its first bytes."""

  def __init__(self, pair, folder):
    self._folder = folder
    self._turn = 0
    for node in (pair.source, pair.target):
      node.image = self.image

  def image(self, number):
    """Make a disk's image, unless there is one; return its path."""
    path = os.path.join(self._folder, "disk%d" % number)
    if not os.path.exists(path):
      with open(path, "wb") as stream:
        stream.write(b"disk%d\n" % number)
        stream.truncate(1 << 20)
    return path

  def check(self, node):
    """Check that each disk in the runtime file has its data, and keeps more."""
    self._turn += 1
    word = "turn%d" % self._turn
    lines = node.console(
      "for d in /dev/vd?; do blockdev --flushbufs $d; echo %s | dd of=$d bs=512"
      " seek=1 conv=notrunc,fsync 2> /dev/null; cd -P /sys/block/${d#/dev/}"
      "/device; echo ${PWD%%/virtio*} $(dd if=$d bs=6 count=1 2> /dev/null |"
      " head -n 1); done; cd /\n" % word)
    seen = dict(line.split(None, 1) for line in lines if line.startswith("/sys"))
    expected = {}
    for uuid, slot in node.runtime_slots()[DISK]:
      number = int(uuid, 16) - 0xd0
      expected[slot] = "disk%d" % number
      with open(self.image(number), "rb") as stream:
        assert stream.read(6) == b"disk%d\n" % number
        stream.seek(_WRITTEN)
        found = stream.read(len(word)).decode("ascii")
        assert found == word, (number, found, lines)
    if nodes.ON_PC:
      assert dict((int(path[-4:-2], 16), name)
                  for path, name in seen.items()) == expected, lines
    else: # a root port's bus has another number each time
      assert sorted(seen.values()) == sorted(expected.values()), lines
