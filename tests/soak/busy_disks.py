"""Disks that are removed while the guest writes to them."""

import cluster

#: Has the guest write to the disk with a mark, elsewhere than L{kept_guest}
#: looks, until it was removed; and say its name once it does. What busybox
#: makes of that name afterwards is removed.
_LOAD = (
  "for d in /sys/block/[vs]d*; do n=/dev/${d##*/}; [ -b $n ] || continue;"
  " if [ \"$(dd if=$n bs=36 count=1 2> /dev/null)\" = %s ]; then"
  " ( while [ -b $n ]; do dd if=/dev/zero of=$n bs=64k seek=64 count=16"
  " conv=notrunc; sync; done; [ -b $n ] || rm -f $n ) > /dev/null 2>&1 &"
  " w=$(awk '{print $7}' $d/stat);"
  " while [ \"$(awk '{print $7}' $d/stat)\" = \"$w\" ]; do sleep 1; done;"
  " echo ${d##*/}; fi; done")

#: As long as such a guest may take, in seconds.
_LIMIT = 60


class BusyDisks(object):
  """Some of L{operations.Operations}."""

  def remove_busy_disk(self, guest):
    chosen = self._pick(guest, "--disk") if guest.runs else None
    if chosen is None:
      return None
    index, uuid = chosen
    guest.frozen.pop(uuid, None)
    name = guest.vm.guest(_LOAD % uuid, timeout=90).output.strip()
    if not name:
      raise cluster.LabError("%s: no disk has the mark %s" % (guest, uuid))
    with cluster.hotplug_limit(_LIMIT, guest.vm.node()):
      self._hot(guest, "--disk", "%d:remove" % index)
    guest.disks.discard(uuid)
    return "%d:remove (%s), busy %s" % (index, uuid, name)
