"""The bus of one instance through its life, against a naive model.

The model is a dict, slot to owner, and a list of slots per class, worked out
from the rules as they are written in words. C{STEPS} in the environment makes
the run as long; the test counts its steps itself.

"""

from __future__ import print_function

import collections
import json
import os

from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import rule
from hypothesis.stateful import run_state_machine_as_test

from ganeti_kvm_pci.bus import frozen
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.bus.pools import QEMU
from ganeti_kvm_pci.errors import BusFullError
from ganeti_kvm_pci.qemu import pci_functions
from ganeti_kvm_pci.qemu import replies
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import placement

LONG = int(os.environ.get("STEPS", "0"))
EXAMPLE = 50

#: How often each rule was run, over all examples, and what came of it
COUNTS = collections.Counter()
RULES = ["boot", "add", "die", "remove", "settle", "by hand",
         "by hand removed"]

CLASSES = st.sampled_from([DISK, NIC])
SLOTS = st.integers(0, 31)
PICKS = st.integers(0, 31)
BOOT = {
  "reservations": st.integers(0, 32) | st.sampled_from([8, 12]),
  "has_parameter": st.booleans(), "on_pci": st.booleans(),
  "disks": st.integers(0, 16), "nics": st.integers(0, 8),
  "fixed": st.sets(SLOTS, max_size=4), "others": st.integers(2, 14),
  # what the devices of these indices had when the instance was frozen
  "tags": st.just({}) | st.dictionaries(
    st.tuples(CLASSES, st.integers(0, 9)), SLOTS, max_size=6)}


class Bus(RuleBasedStateMachine):
  """The bus.

  @ivar first: the first slot that is not QEMU's alone
  @ivar fixed: slots that C{kvm_extra} names
  @ivar assigned: dict, class to slots in the runtime file's order
  @ivar tags: dict, (class, index) to the slot of its tag
  @ivar seen: dict, slot to owner: what the live QEMU has

  """
  first = 8
  parameters = {}
  fixed = ()
  tags = {}

  def __init__(self):
    super(Bus, self).__init__()
    self.assigned = {DISK: [], NIC: []}
    self.seen = {}

  def _owner(self, slot):
    """Tell whose a slot is by the picture in the design."""
    if slot < self.first:
      return QEMU
    if slot >= 24:
      return NIC
    return DISK if self.parameters["disk_type"] == "paravirtual" else QEMU

  def _known(self):
    return set(self.fixed) | set(self.assigned[DISK] + self.assigned[NIC])

  def _free(self):
    return [s for s in range(self.first, 32)
            if s not in self._known() and s not in self.seen]

  def _entries(self, device_class):
    return [{"uuid": "%08x-1-2-3-4" % slot, "hvinfo": {
      "driver": "x", "id": "%s-%d" % (device_class, slot), "bus": "pci.0",
      "addr": hex(slot)}} for slot in self.assigned[device_class]]

  def _command(self):
    command = ["kvm", "-name", "vm1"]
    for slot in self.fixed:
      command += ["-device", "AC97,bus=pci.0,addr=0x%x" % slot]
    return command

  def _read(self):
    """Have the runtime file read."""
    return device_table.parse(json.dumps([
      self._command(), self._entries(NIC), self.parameters,
      [[entry, "link", None] for entry in self._entries(DISK)]]), "model")

  def _asked(self):
    """Have QEMU's answer read."""
    return pci_functions.held(pci_functions.functions([{"bus": 0, "devices": [
      {"slot": slot, "function": number, "qdev_id": owner, "class_info":
       {"class": 255}} for slot, owner in self.seen.items()
      for number in range(1 + slot % 2)]}], Partition.of(self.parameters)))

  # A start

  def _honoured(self, counts):
    """Tell which devices have the slots of their tags."""
    found = {DISK: {}, NIC: {}}
    used = set([0, 1, 2]) | set(self.fixed)
    for device_class in (DISK, NIC):
      for index in range(counts[device_class]):
        slot = self.tags.get((device_class, index))
        if slot is not None and slot not in used:
          found[device_class][index] = slot
          used.add(slot)
    return found

  def _expected_at_boot(self, counts):
    """Give the tagged their slots, and place the rest around them.

    The slots of tags whose devices are not there are the last to be given, the
    lowest of them after all others.

    """
    tagged = self._honoured(counts)
    given = list(tagged[DISK].values()) + list(tagged[NIC].values())
    kept = sorted(set(slot for slot in self.tags.values()
                      if slot not in given + self.fixed))
    expected = None
    while expected is None:
      expected = (self._expected_around(counts, tagged, given, kept) if given
                  else self._expected_without(counts, kept))
      if not kept:
        return expected
      kept.pop()
    return expected

  def _expected_around(self, counts, tagged, given, kept):
    """Put each of the rest where a hot-add would, or to a far end."""
    placed = {}
    for device_class in (DISK, NIC):
      placed[device_class] = [tagged[device_class].get(index) for index in
                              range(counts[device_class])]
    used = set(given) | set(kept) | set(self.fixed)
    for device_class in (DISK, NIC):
      slots = placed[device_class]
      for index, slot in enumerate(list(slots)):
        home = [s for s in range(self.first, 32) if s not in used and
                self._owner(s) == device_class]
        if slot is None and home:
          slots[index] = self._in_home(
            home, device_class, sorted(s for s in slots if s is not None),
            len([s for s in slots[:index] if s is not None]))
          used.add(slots[index])
    for device_class in (DISK, NIC):
      slots = placed[device_class]
      away = [s for s in range(self.first, 32) if s not in used and
              self._owner(s) != device_class]
      missing = slots.count(None)
      if len(away) > missing and away[-1] == 31:
        away.pop()
      if missing > len(away):
        return None
      for slot in away[len(away) - missing:]:
        slots[slots.index(None)] = slot
        used.add(slot)
    return placed

  def _expected_without(self, counts, kept):
    """Fill each pool from its bottom; the rest goes to the far ends."""
    free = [s for s in range(self.first, 32) if s not in self.fixed + kept]
    if sum(counts.values()) > len(free):
      return None
    placed = {}
    for device_class, count in counts.items():
      placed[device_class] = [s for s in free if self._owner(s) ==
                              device_class][:count]
    for device_class in (DISK, NIC):
      left = [s for s in free if s not in placed[DISK] + placed[NIC] and
              self._owner(s) != device_class]
      for missing in range(counts[device_class] - len(placed[device_class]),
                           0, -1):
        # 31 is the last to go
        slot = left[-1]
        if slot == 31 and len(left) > missing:
          slot = left[-2]
        left.remove(slot)
        placed[device_class].append(slot)
      placed[device_class].sort()
    return placed

  @initialize(**BOOT)
  def start(self, **how):
    self._boot(**how)

  @rule(**BOOT)
  def restart(self, **how):
    self._boot(**how)

  def _boot(self, reservations, has_parameter, on_pci, disks, nics, fixed,
            others, tags):
    COUNTS["boot"] += 1
    self.tags = tags
    self.parameters = {"disk_type": "paravirtual" if on_pci else "scsi-hd"}
    if has_parameter:
      self.parameters["kvm_pci_reservations"] = reservations
    self.first = reservations if has_parameter else 8
    self.fixed = sorted(fixed)
    assert [Partition.of(self.parameters).owner(s) for s in range(32)] == [
      self._owner(s) for s in range(32)]
    self.assigned = {DISK: [], NIC: []}
    counts = {DISK: disks if on_pci else 0, NIC: nics}
    expected = self._expected_at_boot(counts)
    try:
      slots = self._booted(counts)
    except BusFullError:
      COUNTS["boot refused"] += 1
      assert expected is None, expected
      slots = ([], [])
    else:
      assert (expected[DISK], expected[NIC]) == slots
    self.assigned = {DISK: slots[0], NIC: slots[1]}
    self.seen = dict.fromkeys(fixed, "fixed")
    for device_class in (DISK, NIC):
      self.seen.update(dict.fromkeys(self.assigned[device_class],
                                     device_class))
    for _ in range(others):
      self._place("qemu")

  def _frozen(self):
    return frozen.Frozen(
      frozen.unparse(device_class, "%08x" % index, "slot", slot)
      for (device_class, index), slot in self.tags.items())

  def _booted(self, counts):
    """Have the devices of a start placed."""
    command = placement.Command(self._command(), self.parameters, {})
    found = placement.slots(
      Partition.of(self.parameters), command,
      dict((device_class, ["%08x-1-2-3-4" % index for index in range(count)])
           for device_class, count in counts.items()), frozen=self._frozen())[1]
    COUNTS["frozen"] += sum(len(slots) for slots in
                            self._honoured(counts).values())
    return (found[DISK], found[NIC])

  # Hotplug

  def _expected(self, device_class, index):
    """Find the slot of one more device, or None."""
    free = self._free()
    kept = sorted(set(slot for slot in self.tags.values()
                      if slot not in self._known() and slot not in self.seen))
    while kept and not set(free) - set(kept):
      kept.pop()
    free = [slot for slot in free if slot not in kept]
    home = [s for s in free if self._owner(s) == device_class]
    own = sorted(self.assigned[device_class])
    if home:
      return self._in_home(home, device_class, own, index)
    away = [s for s in free if all(s > other for other in own)] or free
    if len(away) > 1 and 31 in away:
      away.remove(31)
    return max(away) if away else None

  def _in_home(self, home, device_class, own, index):
    """Find the slot of one more device in its own pool, which has room."""
    if index < len(own):
      for slot in home:
        if slot < own[index] and (index == 0 or slot > own[index - 1]):
          return slot
    for others in (own, [s for s in own if self._owner(s) == device_class]):
      for slot in home:
        if all(slot > other for other in others):
          return slot
    return max(home)

  def _choose(self, read, device_class, index):
    """Have a slot chosen; it is the expected one."""
    taken = self._asked()
    taken.update(read.held())
    expected = self._expected(device_class, index)
    try:
      slot = placement.hot_add(read, device_class, "99999999-1-2-3-4", taken,
                               index, self._frozen())
    except BusFullError:
      COUNTS["add refused"] += 1
      slot = None
    assert slot == expected
    return slot

  def _can(self, device_class):
    return device_class == NIC or self._owner(23) == DISK

  def _added(self, device_class, index, in_file, in_qemu):
    if not self._can(device_class):
      return
    slot = self._choose(self._read(), device_class, index)
    if slot is None:
      return
    COUNTS["added"] += 1
    COUNTS["borrowed"] += self._owner(slot) != device_class
    if in_file:
      self.assigned[device_class].append(slot)
    if in_qemu:
      self.seen[slot] = device_class

  @rule(device_class=CLASSES, index=st.integers(0, 20))
  def add(self, device_class, index):
    COUNTS["add"] += 1
    self._added(device_class, index, True, True)

  @rule(device_class=CLASSES)
  def add_at_the_end(self, device_class):
    COUNTS["add"] += 1
    self._added(device_class, 99, True, True)

  @rule(device_class=CLASSES, in_file=st.booleans())
  def die_while_adding(self, device_class, in_file):
    COUNTS["die"] += 1
    # ours has written ahead; upstream's device is in QEMU alone
    self._added(device_class, 99, in_file, not in_file)

  @rule(device_class=CLASSES, pick=PICKS, from_file=st.booleans(),
        from_qemu=st.booleans())
  def remove(self, device_class, pick, from_file, from_qemu):
    """Remove a device, or half of it: it was removed late, or forgotten."""
    COUNTS["remove"] += 1
    slots = self.assigned[device_class]
    if not slots:
      return
    slot = slots[pick % len(slots)]
    if from_file:
      slots.remove(slot)
    if from_qemu and self.seen.get(slot) == device_class:
      del self.seen[slot]

  @rule()
  def settle(self):
    """Have the runtime file say what QEMU has, as the next operation does."""
    COUNTS["settle"] += 1
    lost = self._read().lost(
      set("%s-%d" % (owner, slot) for slot, owner in self.seen.items()),
      set(self.seen))
    # what stands where another does now is not lost for certain
    assert set(device.slot for device in lost) == set(
      slot for slots in self.assigned.values() for slot in slots
      if slot not in self.seen)
    for device in lost:
      self.assigned[device.device_class].remove(device.slot)

  # By hand

  @rule(slot=SLOTS)
  def add_by_hand(self, slot):
    COUNTS["by hand"] += 1
    self.seen.setdefault(slot, "hand")

  @rule()
  def add_without_address(self):
    COUNTS["by hand"] += 1
    self._place("hand")

  def _place(self, owner):
    """Do as QEMU does with what has no address."""
    for slot in range(32):
      if slot not in self.seen:
        self.seen[slot] = owner
        return

  @rule(pick=PICKS)
  def remove_by_hand(self, pick):
    COUNTS["by hand removed"] += 1
    there = sorted(s for s, owner in self.seen.items() if owner == "hand")
    if there:
      del self.seen[there[pick % len(there)]]

  # What always holds

  @invariant()
  def file_and_capacity_are_what_they_should_be(self):
    if not self.parameters:
      return
    read = self._read()
    assert set(read.held()) == self._known()
    assert [read.slots(DISK), read.slots(NIC)] == [self.assigned[DISK],
                                                   self.assigned[NIC]]
    slots = self.assigned[DISK] + self.assigned[NIC]
    assert len(set(slots)) == len(slots)
    assert all(slot >= self.first or slot in self.tags.values()
               for slot in slots)
    # whatever class asks, it is refused only where nothing is free
    for device_class in (DISK, NIC):
      if self._can(device_class):
        assert (self._choose(read, device_class, 99) is None) == (
          not self._free())


def test_the_bus_behaves_as_the_model():
  COUNTS.clear()
  wanted = LONG or 400
  how = settings(max_examples=wanted // EXAMPLE, stateful_step_count=EXAMPLE,
                 deadline=None, suppress_health_check=[HealthCheck.too_slow])
  steps = 0
  while steps < wanted:
    run_state_machine_as_test(Bus, settings=how)
    steps = sum(COUNTS[name] for name in RULES)
  print("%d steps: %s" % (steps, dict(COUNTS)))
