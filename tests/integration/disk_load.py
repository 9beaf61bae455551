"""A guest that writes to and reads from its disks without a pause.

"""

#: Starts it on all disks but those that have it. Once a disk was removed it
#: ends: busybox would make a file of that name, in the guest's memory.
_START = (
  "for d in /sys/block/vd*; do d=${d##*/};"
  " [ -e /load-$d ] && continue; : > /load-$d;"
  " for how in if=/dev/zero=of=/dev/$d if=/dev/$d=of=/dev/null; do"
  " ( while [ -b /dev/$d ]; do dd ${how%%=of*} of=${how##*=of=} bs=64k"
  " count=16 conv=notrunc 2> /dev/null; sync; done;"
  " [ -b /dev/$d ] || rm -f /dev/$d /load-$d ) > /dev/null 2>&1 & done;"
  " done")


def start(node):
  """Have the guest begin with all its disks.

  @type node: L{nodes.Node}

  """
  node.console(_START + "\n")


def written(node):
  """Tell how much the guest has written to its disks so far.

  @rtype: dict
  @return: the kernel's name of a disk to sectors

  """
  lines = node.console(
    "for d in /sys/block/vd*; do set -- $(cat $d/stat);"
    " echo ${d##*/} $7; done\n")
  pairs = [line.split() for line in lines]
  return dict((pair[0], int(pair[1])) for pair in pairs
              if len(pair) == 2 and pair[0].startswith("vd"))
