"""Ten guests that are busy, and their node is emptied, to and fro.

C{PEERS_ROUNDS} says how often they go there and come back, 50 times where it is
not set; C{PEERS_GUESTS} how many there are. Each writes a number to each of its
disks all the while, a larger one every time.

"""

import concurrent.futures
import os
import time

import pytest

import cluster
import guests
from cluster import other
from test_migration import check_slots, is_clean

pytestmark = [pytest.mark.usefixtures("plugged"), pytest.mark.two_nodes]

ROUNDS = int(os.environ.get("PEERS_ROUNDS", "50"))
GUESTS = int(os.environ.get("PEERS_GUESTS", "10"))

#: How many guests are asked at a time.
_TOGETHER = 4

#: Has the guest count on all its disks, beside what tells which disk it is.
_LOAD = ("(i=0; while :; do i=$((i+1)); for d in /dev/vd?; do echo $i |"
         " dd of=$d bs=512 seek=1 conv=notrunc,fsync; done;"
         " dd if=/dev/zero of=/load bs=64k count=32; sleep 1; done)"
         " > /dev/null 2>&1 &")

#: Has it tell the numbers.
_COUNTS = ("for d in /dev/vd?; do dd if=$d bs=512 skip=1 count=1 2> /dev/null |"
           " head -n 1 | tr -d '\\0'; done")


class Busy(guests.Guest):
  """A guest that writes to its disks.

  @ivar counts: what it has written when it was last asked

  """
  def __init__(self, number):
    super().__init__(cluster.Instance("busy%d.gnt.test" % number), disks=2,
                     nics=2, hvparams={"kvm_pci_reservations": 8})
    assert self.vm.guest(_LOAD, timeout=600).status == 0
    self.counts = [0, 0]

  def is_whole(self, node):
    """Check all there is to check, once it is on a node.

    @return: seconds that this took

    """
    began = time.time()
    assert self.vm.node() == node
    self.process = self._process()
    assert self.process[0] == node
    assert is_clean(self.vm, other(node)) == (True, "")
    check_slots(self.vm)
    assert self.vm.qmp("query-status")["status"] == "running"
    self._same_boot()
    said = self.vm.guest(_COUNTS, timeout=600).output.split("\n")
    counts = [int(line) for line in said if line.strip()]
    assert len(counts) == len(self.counts)
    assert all(now > before for now, before in zip(counts, self.counts)), (
      self.vm.name, counts, self.counts)
    self.counts = counts
    guests.configured(self.vm)
    return time.time() - began


@pytest.fixture
def busy():
  """Guests that are removed afterwards."""
  began = time.time()
  try:
    with concurrent.futures.ThreadPoolExecutor(_TOGETHER) as threads:
      made = list(threads.map(Busy, range(GUESTS)))
    print("%d guests are up after %.0f s" % (GUESTS, time.time() - began),
          flush=True)
    yield made
  finally:
    for number in range(GUESTS):
      vm = cluster.Instance("busy%d.gnt.test" % number)
      if vm.config():
        vm.remove(check=False)


def test_a_node_is_emptied_to_and_fro(busy):
  began = time.time()
  verified = hotplugs = 0
  for number in range(ROUNDS):
    for source in ("node1", "node2"):
      before = time.time()
      # hail reckons with CPUs that the lab does not have
      cluster.gnt("node", "migrate", "-f", "--ignore-ipolicy", "-n",
                  other(source) + ".gnt.test", source + ".gnt.test",
                  timeout=1800)
      took = time.time() - before
      with concurrent.futures.ThreadPoolExecutor(_TOGETHER) as threads:
        list(threads.map(lambda guest, node=other(source):
                         guest.is_whole(node), busy))
      verified += len(busy)
      print("%s round %d of %d, from %s: %d guests moved in %.0f s, verified in"
            " %.0f s; so far %d migrations, %d hotplugs in %.0f s; the guests"
            " have written: %s" % (
              time.strftime("%T"), number + 1, ROUNDS, source, len(busy), took,
              time.time() - before - took, verified, hotplugs,
              time.time() - began,
              " ".join(str(guest.counts[0]) for guest in busy)), flush=True)
    # the next round has other devices
    guest = busy[number % len(busy)]
    is_added = len(guest.counts) == 2
    guest.hotplugs(is_added)
    hotplugs += 2
    guest.counts = (guest.counts + [0])[:3 if is_added else 2]
    if is_added:
      guests.mark(guest.vm, ["vdc"])
      (_, guest.data, guest.seen) = guest._look()
  print("%d migrations of %d guests, %d hotplugs in %.0f s" % (
    verified, len(busy), hotplugs, time.time() - began))
