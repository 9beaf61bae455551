"""What an instance ought to have, and how that compares with what it has.

"""

import time

import three_views

#: Seconds that a guest gets, also where the host is busy
PATIENCE = 60

#: A slot whose device was ejected while more was asked of the guest is not safe
#: for so long, in seconds. QEMU repeats what is still to be done with every
#: event, and a guest that has it twice in its queue ejects what was added in
#: between
_ECHO = 20


class Contradiction(Exception):
  """Runtime file, QEMU and expectation do not agree."""


class Expectation(object):
  """What ought to be.

  @ivar known: dict, (type, number) to slot: what the guest ought to have
  @ivar hand: dict, id to slot: what was added by hand
  @ivar leaving: what the guest was asked to unplug, keys of both
  @ivar haunted: dict, slot to the time until which it is not safe
  @ivar unsure: what an operation was killed over: it may be there or not
  @ivar own: dict, slot to id: QEMU's own devices

  """
  def __init__(self, node):
    self.node = node
    self.hand = {}
    self.leaving = set()
    self.haunted = {}
    self.unsure = set()
    self.echoes = []
    with open(node.hyper._InstancePidFile(node.instance.name)) as stream:
      self._pid = int(stream.read())
    self._taps = three_views.taps() - len(node.taps())
    seen = self._look_at_all()
    if seen.wrong:
      raise Contradiction("\n".join(text for _, text in seen.wrong))
    self.known = seen.runtime
    self.own = seen.others

  def settle(self):
    """Have Ganeti settle the runtime file."""
    raise NotImplementedError

  def _look_at_all(self):
    return three_views.ThreeViews(self.node, self._pid, self._taps)

  def taken(self):
    """List all slots that may be in use."""
    return set(self.own) | set(self.known.values()) | set(self.hand.values())

  def stale(self):
    """List what the runtime file has and QEMU has no longer."""
    if not (self.leaving or self.unsure):
      return set()
    live = set(three_views.key_of(name) for name in self.node.live().values())
    return set(self.node.numbers()) - live

  def compare(self, settled):
    """Compare runtime file, QEMU, and what was done.

    @param settled: whether an operation of Ganeti's was the last to happen

    """
    deadline = time.time() + PATIENCE
    while True:
      if not settled:
        self.settle()
      seen = self._look_at_all()
      wrong = seen.wrong + self._unexpected(seen)
      if not wrong:
        break
      # an unplug completes bit by bit, and between two looks; all else was to
      # be right at once
      if not all(self._may_be_under_way(about) for about, _ in wrong) or \
          time.time() > deadline:
        raise Contradiction("\n".join(text for _, text in wrong))
      settled = False
      time.sleep(0.05)
    slots = self._slots()
    for key in self.leaving:
      if key in slots:
        self.haunt(slots[key])
    self._count_echoes(seen, slots)
    self.known = seen.live
    self.unsure = set()
    self.hand = dict((name, slot) for name, slot in self.hand.items()
                     if seen.others.get(slot) == name)
    self.leaving &= set(self.known) | set(self.hand)

  def haunt(self, slot):
    """Note that a slot is not safe for a while."""
    self.haunted[slot] = time.time() + _ECHO

  def _may_be_under_way(self, about):
    """Tell whether a mismatch is due to an unplug that is under way.

    @param about: the devices that it is about, or None

    """
    now = time.time()
    self.haunted = dict((slot, until) for slot, until in self.haunted.items()
                        if until > now)
    if about is None:
      return bool(self.leaving or self.haunted)
    slots = self._slots()
    return all(key in self.leaving or slots.get(key) in self.haunted
               for key in about)

  def _slots(self):
    slots = dict(self.known)
    slots.update(self.hand)
    return slots

  def _may_go(self, key, slot):
    return key in self.leaving or self.haunted.get(slot, 0) > time.time()

  def _count_echoes(self, seen, slots):
    there = set(seen.live) | set(seen.others.values())
    for key in set(slots) - there - self.leaving:
      self.echoes.append("%s was ejected from slot %d" % (key, slots[key]))

  def _unexpected(self, seen):
    wrong = []
    for key, slot in self.known.items():
      if seen.live.get(key) != slot and not (
          key not in seen.live and self._may_go(key, slot)):
        wrong.append(([key], "%r was at slot %d, is at %s" % (
          key, slot, seen.live.get(key))))
    for key in set(seen.live) - set(self.known) - self.unsure:
      wrong.append(([key], "nobody added %r" % (key, )))
    others = dict(self.own)
    for name, slot in self.hand.items():
      if not self._may_go(name, slot) or slot in seen.others:
        others[slot] = name
    if others != seen.others:
      about = set(name for _, name in
                  set(others.items()) ^ set(seen.others.items()))
      wrong.append((about, "by hand %s, but QEMU has %s" % (others,
                                                           seen.others)))
    return wrong
