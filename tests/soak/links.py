"""Migrations over a wire that is slow, or that is cut."""

import time

import cluster
import wire

from agreement import processes
from cluster import other
from kept_guest import agree

#: As long as a wire stays cut: longer than TCP tries (see L{wire.impatient}).
_CUT = 15


class Links(object):
  """Some of L{operations.Operations}."""

  def migrate_slow_link(self, guest):
    if not guest.runs:
      return None
    source = guest.vm.node()
    mbit = self.random.choice([30, 60, 100])
    with wire.slow(source, mbit):
      result = guest.vm.migrate(check=False)
    self.said = result.output
    agree(result.returncode == 0 and guest.vm.node() == other(source),
          "%s: not migrated at %d Mbit/s: %s", guest, mbit, result.output)
    return "to %s, at %d Mbit/s" % (other(source), mbit)

  def migrate_link_cut(self, guest):
    """The wire is cut for good while the guest is copied: it stays."""
    if not guest.runs:
      return None
    source = guest.vm.node()
    with wire.impatient(source):
      command, there = self._begun(guest)
      if there is None:
        done = self._ended(command)
        agree(done, "%s: not migrated: %s", guest, self.said)
        return "migrated before"
      began = time.monotonic()
      with wire.cut():
        self.said = command.communicate(timeout=600)[0]
        time.sleep(max(0, _CUT - (time.monotonic() - began)))
    done = self._ended(command)
    agree(not done and guest.vm.node() == source, "%s: on %s, and the job has"
          " not failed: %s", guest, guest.vm.node(), self.said)
    agree(source in processes().get(guest.name, []), "%s: has ended on %s",
          guest, source)
    self._settle(guest)
    agree(guest.vm.node() == source, "%s: on %s after the cleanup: %s", guest,
          guest.vm.node(), self.said)
    return "from %s, at %s %%: stays" % (source, there)
