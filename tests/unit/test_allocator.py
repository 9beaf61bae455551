"""Which slot a device gets."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganeti_kvm_pci.bus import allocator
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.errors import BusFullError

MAX_DISKS = 16
MAX_NICS = 8


def all_cold_boots():
  for reservations, on_pci in itertools.product(range(33), (True, False)):
    part = Partition(reservations, on_pci)
    for disks in range(MAX_DISKS + 1 if on_pci else 1):
      for nics in range(MAX_NICS + 1):
        yield part, disks, nics


def test_whatever_fits_upstream_fits_here():
  """Unmodified Ganeti has one pool, from kvm_pci_reservations up."""
  for part, disks, nics in all_cold_boots():
    if disks + nics <= 32 - part.reservations:
      allocator.cold_boot(part, disks, nics)
    else:
      with pytest.raises(BusFullError):
        allocator.cold_boot(part, disks, nics)


def test_every_cold_boot_is_sound():
  for part, disks, nics in all_cold_boots():
    try:
      disk_slots, nic_slots = allocator.cold_boot(part, disks, nics)
    except BusFullError:
      continue
    slots = disk_slots + nic_slots
    assert (len(disk_slots), len(nic_slots)) == (disks, nics)
    assert len(set(slots)) == len(slots)
    assert all(part.reservations <= s < 32 for s in slots)
    # the configuration's order
    assert disk_slots == sorted(disk_slots)
    assert nic_slots == sorted(nic_slots)
    # apart, and from the bottom, while both fit
    for count, given_slots, pool in ((disks, disk_slots, part.pool(DISK)),
                                     (nics, nic_slots, part.pool(NIC))):
      if count <= len(pool):
        assert given_slots == pool[:count]
      else:
        assert given_slots[:len(pool)] == pool or part.disks is None


@pytest.mark.parametrize("reservations, disks, nics, expected", [
  (8, 2, 2, ([8, 9], [24, 25])),
  (8, 16, 8, (list(range(8, 24)), list(range(24, 32)))),
  (12, 2, 2, ([12, 13], [24, 25])),
  # twelve of the disks fit; four stand, in order, at the NICs' far end
  (12, 16, 4, (list(range(12, 24)) + [28, 29, 30, 31], [24, 25, 26, 27])),
  # slot 31 is spared while there is another
  (12, 13, 2, (list(range(12, 24)) + [30], [24, 25])),
  (24, 2, 2, ([29, 30], [24, 25])),
  (31, 1, 0, ([31], [])),
  (31, 0, 1, ([], [31])),
  ])
def test_cold_boots_by_example(reservations, disks, nics, expected):
  assert allocator.cold_boot(Partition(reservations), disks, nics) == expected


def test_addresses_that_kvm_extra_names_are_avoided():
  slots = allocator.cold_boot(Partition(8), 2, 2, {8: "AC97", 25: "rng"})
  assert slots == ([9, 10], [24, 26])


def test_no_cold_boot_takes_what_is_taken():
  for holes in itertools.combinations(range(8, 32, 3), 3):
    taken = dict.fromkeys(holes, "x")
    slots = allocator.cold_boot(Partition(8), 14, 7, taken)
    assert not set(slots[0] + slots[1]) & set(holes)
    assert slots[0] == sorted(slots[0]) and slots[1] == sorted(slots[1])


def hot_add(device_class, disks, nics, reservations=8, other=(), index=None):
  taken = dict.fromkeys(list(disks) + list(nics) + list(other), "x")
  own = disks if device_class == DISK else nics
  return allocator.hot_add(Partition(reservations), device_class, own, taken,
                           index)


def test_the_scenario_of_the_original_proposal():
  disks, nics = [8, 9], [24, 25]
  nics.append(hot_add(NIC, disks, nics, index=2))
  disks.append(hot_add(DISK, disks, nics, index=2))
  nics.remove(26)
  disks.append(hot_add(DISK, disks, nics, index=3))
  assert (disks, nics) == ([8, 9, 10, 11], [24, 25])


@pytest.mark.parametrize("disks, other, expected", [
  ([], [], 8),
  ([8, 9], [], 10),
  ([8, 10], [], 11),                       # the hole is not filled yet
  ([8, 9], [10, 11], 12),                  # something of QEMU's stands there
  ([8, 23], [], 22),                       # nothing above: the highest hole
  (list(range(8, 24)), [], 30),            # full: the far end but one
  (list(range(8, 24)) + [30], [], 31),     # order outweighs sparing 31
  (list(range(8, 24)) + [30, 31], [], 29),
  ([28, 29], [], 8),                       # an old layout outside the pool
  ([28, 29, 8], [], 9),
  ([12, 18], [], 19),                      # an old layout inside it
  ])
def test_hot_added_disks_by_example(disks, other, expected):
  assert hot_add(DISK, disks, [24, 25], other=other) == expected


@pytest.mark.parametrize("nics, disks, expected", [
  ([24], [], 25),
  ([24, 31], [], 30),
  ([14, 15], [12, 13], 24),                # upstream's
  (list(range(24, 32)), [8], 23),          # the disks' far end
  ])
def test_hot_added_nics_by_example(nics, disks, expected):
  assert hot_add(NIC, disks, nics) == expected


def test_a_device_in_the_midst_gets_a_hole_between_its_neighbours():
  assert hot_add(DISK, [8, 12], [], index=1) == 9
  assert hot_add(DISK, [9, 12], [], index=0) == 8
  assert hot_add(DISK, [8, 9], [], index=1) == 10


def test_a_full_bus_is_one_clear_error():
  held = dict((s, "thing-%d" % s) for s in range(12, 32))
  with pytest.raises(BusFullError) as caught:
    allocator.hot_add(Partition(12), DISK, [12, 13], held)
  text = str(caught.value)
  assert "\n" not in text
  for part in ("one more disk", "12 thing-12", "31 thing-31",
               "lower kvm_pci_reservations from 12", "disk_type=scsi-hd"):
    assert part in text
  assert caught.value.device_class == DISK
  assert caught.value.holders == held


def test_the_error_of_a_cold_boot_says_how_many():
  with pytest.raises(BusFullError) as caught:
    allocator.cold_boot(Partition(12), 16, 5)
  assert "16 disks and 5 NICs" in str(caught.value)
  assert "20 are Ganeti's" in str(caught.value)
  with pytest.raises(BusFullError) as caught:
    allocator.cold_boot(Partition(8), 16, 5, {9: "AC97 by kvm_extra",
                                              3: "x", 10: "y", 11: "z",
                                              12: "u"})
  assert "9 AC97 by kvm_extra" in str(caught.value)
  assert "lower" not in str(caught.value)


@given(st.integers(0, 32), st.booleans(), st.sets(st.integers(0, 31)),
       st.sets(st.integers(0, 31)), st.sets(st.integers(0, 31)),
       st.sampled_from([DISK, NIC]), st.integers(0, 20) | st.none())
def test_hot_add_holds_the_rules(reservations, on_pci, disks, nics, other,
                                 device_class, index):
  part = Partition(reservations, on_pci)
  own = disks if device_class == DISK else nics
  taken = dict.fromkeys(disks | nics | other, "x")
  free = set(range(reservations, 32)) - set(taken)
  try:
    slot = allocator.hot_add(part, device_class, own, taken, index)
  except BusFullError:
    assert not free
    return
  assert slot in free
  pool = set(part.pool(device_class)) & free
  if pool:
    assert slot in pool
    last = max(own) if own else -1
    appended = index is None or index >= len(own)
    if appended and any(s > last for s in pool):
      assert slot == min(s for s in pool if s > last)
