"""All 24 devices in a random order, and a thousand operations without a pause.

Each disk begins with what tells which it is; the guest reads that, and writes.

C{FULL_ROUNDS} (3, with q35 1) is how often a guest is filled, C{SERIES_STEPS}
(1000, with q35 150) how many operations there are, C{FULL_SEED} which order.
C{tests/integration/test_random.py} (C{RANDOM_STEPS}) has more sorts of
operations, and compares all there is after each.

"""

import os
import random
import time

import pytest

from guest_disks import GuestDisks
from qemu_state import agree
from nodes import DISK, NIC
from test_migration import pair # pylint: disable=unused-import
import nodes
import test_migration

ROUNDS = nodes.times("FULL_ROUNDS", 3, 1)
STEPS = nodes.times("SERIES_STEPS", 1000, 150)
SEED = int(os.environ.get("FULL_SEED", str(random.randrange(10000))))

pytestmark = pytest.mark.usefixtures("patient")

#: All that a guest can have.
ALL = [(DISK, number) for number in range(16)] + [(NIC, number)
                                                  for number in range(8)]

#: After so many operations all is compared.
_EVERY = 50


def compare(node, expected):
  """Make sure that runtime file, QEMU, and what was done agree."""
  agree(node)
  assert set(node.numbers()) == set(expected)
  disks, nics = node.agreed_slots()
  assert len(set(disks + nics)) == len(expected)
  # with all of them there, no NIC has a disk's slot
  if len(expected) == len(ALL):
    pools = nodes.pools()
    assert set(disks) == set(pools[DISK]) and set(nics) == set(pools[NIC])


def add(node, key, known):
  node.hot_add(key[0], key[1], len([k for k in known if k[0] == key[0]]))
  known.append(key)


def remove(node, key, known):
  of_type = [k for k in known if k[0] == key[0]]
  node.hot_del(key[0], key[1], of_type.index(key))
  known.remove(key)


def fill(node, known, chance):
  """Add what is missing, in a random order."""
  missing = [key for key in ALL if key not in known]
  chance.shuffle(missing)
  for key in missing:
    add(node, key, known)
  compare(node, ALL)
  node.wait_until_guest_sees(16, 8)


@test_migration.between(test_migration.BOTH)
def test_a_full_guest_is_half_emptied_filled_again_and_moves(
    pair, guest, tmpdir): # pylint: disable=redefined-outer-name
  disks = GuestDisks(str(tmpdir), pair.source, pair.target)
  chance = random.Random(SEED)
  print("FULL_SEED=%d" % SEED)
  node = pair.source
  pair.start(guest, kvm_pci_reservations=8)
  known = sorted(node.numbers())
  for number in range(1, ROUNDS + 1):
    print("round %d of %d" % (number, ROUNDS))
    fill(node, known, chance)
    disks.check(node)
    for key in chance.sample(known, len(ALL) // 2):
      remove(node, key, known)
    compare(node, known)
    disks.check(node)
  fill(node, known, chance)
  disks.check(node)
  pair.report = node.wait_for_guest()
  before = node.agreed_slots()
  test_migration.arrives(pair, pair.accept())
  assert pair.target.agreed_slots() == before
  compare(pair.target, ALL)
  disks.check(pair.target)


@pytest.mark.parametrize("which", ["plugin"], indirect=True)
def test_a_thousand_operations_without_a_pause(node, guest, tmpdir):
  disks = GuestDisks(str(tmpdir), node)
  chance = random.Random(SEED)
  node.start(kvm_pci_reservations=8, **nodes.boot(guest))
  node.wait_for_guest()
  known = sorted(node.numbers())
  fills, counts, begun = True, {"add": 0, "remove": 0}, time.time()
  for number in range(1, STEPS + 1):
    missing = [key for key in ALL if key not in known]
    if not missing or not known:
      fills = bool(missing)
    if missing and (not known or chance.random() < (0.7 if fills else 0.3)):
      add(node, chance.choice(missing), known)
      counts["add"] += 1
    else:
      remove(node, chance.choice(known), known)
      counts["remove"] += 1
    assert set(node.numbers()) == set(known), "FULL_SEED=%d step %d" % (
      SEED, number)
    if not number % _EVERY or number == STEPS:
      compare(node, known)
      print("step %d of %d: %d devices, %.0f s" % (number, STEPS, len(known),
                                                   time.time() - begun))
  print("FULL_SEED=%d: %s in %.0f s" % (SEED, counts, time.time() - begun))
  node.wait_until_guest_sees(len([key for key in known if key[0] == DISK]),
                             len([key for key in known if key[0] == NIC]))
  disks.check(node)
