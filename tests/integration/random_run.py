"""Random operations on one instance, and what must hold after each.

Every operation of Ganeti's runs in a process of its own, as the node daemon
has it, and some are killed between two of their effects. An unplug that was
requested of the guest may complete at any time.

"""

import collections
import os
import random
import time

import killable
import manual_changes
import nodes
from expectation import Contradiction, PATIENCE
from nodes import DISK, NIC

POOLS = nodes.pools()
MOST = {DISK: 16, NIC: 8}
#: Numbers are used again, so that what an earlier device left is stumbled on
NUMBERS = {DISK: range(24), NIC: range(14)}

#: What there is to do: weight while the bus fills, weight while it empties
WEIGHTS = collections.OrderedDict([
  ("add_disk", (12, 3)), ("add_nic", (7, 2)), ("remove", (2, 12)),
  ("modify", (1, 2)), ("add_by_hand", (5, 3)), ("remove_by_hand", (1, 5)),
  ("lose", (1, 3)), ("refuse_nic", (9, 8)), ("refuse_disk", (7, 8)),
  ("kill_add", (10, 5)), ("kill_remove", (1, 4)), ("kill_modify", (0.5, 1)),
  ("pause", (0.5, 0.5)), ("look", (9, 9))])
NAMES = list(WEIGHTS)

#: For so long a phase lasts, in steps
_PHASE = 60

#: What is said where all are taken
_FULL = "no PCI %s is left" % nodes.UNIT

#: Effects of an operation, about
_EFFECTS = 12


class Run(manual_changes.ManualChanges):
  """One run.

  @ivar log: list of strings, what was done
  @ivar counts: how often, by name

  """
  def __init__(self, node, seed):
    self.random = random.Random(seed)
    self.counts = collections.Counter()
    self.log = []
    self.fills = True
    self._added = None
    killable.hasten(node)
    super(Run, self).__init__(node)

  # What is done

  def apart(self, operation, *args, **how):
    """Run an operation of Ganeti's in a process of its own.

    @return: None if it was killed, else its error, empty if there was none

    """
    said = killable.run(self.node, how.get("limit", PATIENCE), how.get("dies"),
                        operation, *args)
    if said != "":
      self.log.append("    " + (said or "killed"))
    return said

  def step(self):
    """Do something, and compare."""
    if self.random.random() < 1.0 / _PHASE or (
        self.fills and len(self.known) == 24) or not self.known:
      self.fills = not self.known or not self.fills
    weights = [pair[0 if self.fills else 1] for pair in WEIGHTS.values()]
    at = self.random.uniform(0, sum(weights))
    for name, weight in zip(NAMES, weights):
      at -= weight
      if at <= 0:
        break
    self.log.append("%.1f %s" % (time.time(), name))
    self.counts["steps"] += 1
    before = len(self.log)
    self._added = None
    stale = self.stale()
    settles = getattr(self, "_" + name)()
    if settles is None:
      self.log[before - 1] += " (nothing to do it with)"
      self.counts["idle"] += 1
      return
    self.counts[name] += 1
    # either the next operation settles the runtime file, or this
    if not settles and self.random.random() < 0.5:
      return
    if settles:
      left = (stale - set([self._added])) & set(self.node.numbers())
      if left:
        raise Contradiction("the runtime file still has %s" % left)
    self.compare(settles)

  def finish(self):
    """Wait until all that was asked of the guest is done."""
    self.compare(False)
    deadline = time.time() + PATIENCE
    while self.leaving:
      # whoever was killed may not have asked
      for key in sorted(self.leaving & set(self.known)):
        self._remove(key)
      if time.time() > deadline:
        raise Contradiction("the unplug of %s timed out" % self.leaving)
      self.compare(False)

  def summary(self):
    self.counts["ejected twice"] = len(self.echoes)
    return ", ".join("%s %d" % item for item in sorted(self.counts.items()))

  def _pick(self, dev_type=None, leaving=False):
    """Choose one of the devices that are certain to be there."""
    there = sorted(key for key in self.known if key not in self.unsure and
                   (leaving or key not in self.leaving) and
                   dev_type in (None, key[0]))
    return self.random.choice(there) if there else None

  def _newcomer(self, dev_type):
    used = [number for other, number in list(self.known) + list(self.unsure)
            if other == dev_type]
    free = [number for number in NUMBERS[dev_type] if number not in used]
    if len(used) >= MOST[dev_type]:
      return None
    return (dev_type, self.random.choice(free), len(used) if
            self.random.random() < 0.8 else self.random.randint(0, len(used)))

  def _add(self, dev_type):
    chosen = self._newcomer(dev_type)
    if chosen is None:
      return None
    self.log[-1] += " %r" % (chosen, )
    said = self.apart(self.node.hot_add, *chosen)
    certain = not (self.unsure or self.leaving)
    free = set(nodes.slots()) - self.taken()
    if said:
      if _FULL not in said or (free and not self.unsure):
        raise Contradiction(said)
      self.counts["full"] += 1
      return True
    first = nodes.FIRST[dev_type]
    slot = dict(self.node.runtime_slots()[dev_type])["%08x" %
                                                     (first + chosen[1])]
    self.log[-1] += ": slot %d" % slot
    pool = [s for s in sorted(free) if s in POOLS[dev_type]]
    if slot not in POOLS[dev_type]:
      self.counts["borrowed"] += 1
      if pool and not self.unsure:
        raise Contradiction("slot %d is borrowed, %s are free" % (slot, pool))
    own = [s for (other, _), s in self.known.items() if other == dev_type]
    above = [s for s in pool if not own or s > max(own)]
    if certain and chosen[2] >= len(own) and above and slot != above[0]:
      raise Contradiction("slot %d given, %d expected" % (slot, above[0]))
    self._added = (dev_type, chosen[1])
    self.known[self._added] = slot
    return True

  def _add_disk(self):
    return self._add(DISK)

  def _add_nic(self):
    return self._add(NIC)

  def _remove(self, key=None):
    key = key or self._pick(leaving=True)
    if key is None:
      return None
    self.log[-1] += " %r" % (key, )
    said = self.apart(self.node.hot_del, key[0], key[1], 0)
    if said:
      raise Contradiction(said)
    del self.known[key]
    self.leaving.discard(key)
    return True

  def _mod(self, key):
    self.node.hyper.HotModDevice(self.node.instance, NIC, nodes.nic(key[1]),
                                 None, 0)

  def _modify(self):
    key = self._pick(NIC)
    if key is None:
      return None
    self.log[-1] += " %r" % (key, )
    said = self.apart(self._mod, key)
    if said:
      raise Contradiction(said)
    return True

  def _refuse_nic(self):
    chosen = self._newcomer(NIC)
    return None if chosen is None else self._refuse(
      self.node.hyper.HotAddDevice, NIC, nodes.nic(chosen[1]), None,
      "no address")

  def _refuse_disk(self):
    chosen = self._newcomer(DISK)
    return None if chosen is None else self._refuse(
      self.node.hyper.HotAddDevice, DISK, nodes.disk(chosen[1]),
      (os.path.join(self.node.folder, "absent"), None), None)

  def _refuse(self, add, dev_type, device, extra, mac):
    if mac:
      device.mac = mac
    said = self.apart(add, self.node.instance, dev_type, device, extra, 0)
    if not any(text in (said or "") for text in (
        "was not added", _FULL, "is no mac")):
      raise Contradiction(said or "added %r" % device)
    return True

  def _kill(self, key, operation, *args):
    how = (self.random.randint(1, _EFFECTS), self.random.random() < 0.5)
    self.log[-1] += " %r at effect %d" % (key, how[0])
    said = self.apart(operation, *args, dies=how)
    if said and _FULL not in said:
      raise Contradiction(said)
    self.unsure.add(key)
    self.counts["killed" if said is None else "too late to kill"] += 1
    return False

  def _kill_add(self):
    chosen = self._newcomer(self.random.choice([DISK, NIC]))
    return None if chosen is None else self._kill(
      chosen[:2], self.node.hot_add, *chosen)

  def _kill_remove(self):
    key = self._pick()
    if key is None:
      return None
    self.leaving.add(key)
    return self._kill(key, self.node.hot_del, key[0], key[1], 0)

  def _kill_modify(self):
    key = self._pick(NIC)
    if key is None:
      return None
    self.leaving.add(key)
    return self._kill(key, self._mod, key)

  def _pause(self):
    """Request an unplug of a guest that is paused."""
    key = self._pick()
    if key is None:
      return None
    self.log[-1] += " %r" % (key, )
    qmp = self.node.watch()
    qmp.execute("stop")
    qmp.sock.close()
    said = self.apart(self.node.hot_del, key[0], key[1], 0, limit=0.2)
    if "timed out after" not in (said or ""):
      raise Contradiction("removed while the guest was paused: %s" % said)
    self.compare(True)
    self.leaving.add(key)
    qmp = self.node.watch()
    qmp.execute("cont")
    qmp.sock.close()
    self._calm(key)
    return False

  def settle(self):
    said = self.apart(self.node.hyper.MigrationInfo, self.node.instance)
    # where somebody has added something by hand
    if said and not ("is not migrated" in said and self.hand):
      raise Contradiction(said)
    return True

  def _look(self):
    return self.settle()
