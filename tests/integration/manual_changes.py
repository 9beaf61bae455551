"""What somebody does behind Ganeti's back.

"""

import time

import expectation
import nodes
import three_views

#: So many at a time
_MOST = 12


class ManualChanges(expectation.Expectation):
  """Devices that are added and removed by hand.

  What these return is what L{random_run.Run} wants to know: None if there was
  nothing to do it with, False if the runtime file is not settled.

  """
  _handmade = 0

  def _add_by_hand(self):
    on_pc = nodes.ON_PC
    free = sorted(set(range(3, 32) if on_pc else nodes.slots()) - self.taken())
    if len(self.hand) >= _MOST or not free or self.unsure:
      return None
    self._handmade += 1
    name = "hand%d" % self._handmade
    arguments = {"driver": "virtio-rng-pci", "id": name}
    # pcie.0, which QEMU would choose, takes nothing now
    slot = self.random.choice(free + [None] * on_pc)
    if slot is not None:
      arguments.update(bus="pci.0" if on_pc else "rp%d" % slot,
                       addr="0x%x" % (slot if on_pc else 0))
    self.log[-1] += " %s at %s" % (name, slot)
    qmp = self.node.watch()
    qmp.execute("device_add", **arguments)
    qmp.sock.close()
    (self.hand[name], ) = [s for s, other in self.node.live().items()
                           if other == name]
    return False

  def _ask(self, key, name):
    self.log[-1] += " %s" % name
    qmp = self.node.watch()
    qmp.execute("device_del", id=name)
    qmp.sock.close()
    self.leaving.add(key)
    self._calm(key)
    return False

  def _calm(self, key):
    """Wait, mostly, until the unplug of a device has completed."""
    if self.random.random() < 0.3:
      self.counts["not waited for"] += 1
      return
    deadline = time.time() + expectation.PATIENCE
    while time.time() < deadline:
      names = self.node.live().values()
      if key not in names and key not in [three_views.key_of(n) for n in names]:
        return
      time.sleep(0.03)
    raise expectation.Contradiction("the unplug of %r timed out" % (key, ))

  def _remove_by_hand(self):
    there = sorted(set(self.hand) - self.leaving)
    if not there:
      return None
    name = self.random.choice(there)
    return self._ask(name, name)

  def _lose(self):
    key = self._pick()
    if key is None:
      return None
    return self._ask(key, self.node.live()[self.known[key]])

