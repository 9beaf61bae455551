"""Migrations, whole and cut short."""

import time

import cluster

from agreement import processes
from cluster import other
from kept_guest import Disagreement
from kept_guest import agree

#: MiB/s, so that there is time to do something meanwhile; and as in lab/up.
_SLOW, _FAST = 3, 1024


def _limit(bandwidth):
  cluster.gnt("cluster", "modify", "-H",
              "kvm:migration_bandwidth=%d" % bandwidth)


class Migrations(object):
  """Some of L{operations.Operations}."""

  def migrate(self, guest):
    if not guest.runs:
      return None
    target = other(guest.vm.node())
    result = guest.vm.migrate(check=False)
    self.said = result.output
    agree(guest.vm.node() == target and result.returncode == 0,
          "%s: not migrated: %s", guest, result.output)
    return "to " + target

  def failover(self, guest):
    source = guest.vm.node()
    self.said = guest.vm.failover().output
    agree(guest.vm.node() != source, "%s: no failover: %s", guest, self.said)
    if guest.runs:
      guest.boots()
    return "from " + source

  def node_migrate(self, guest):
    """Have all guests of a node migrate."""
    node = guest.vm.node()
    leaving = [g for g in self.guests if g.vm.node() == node and g.runs]
    self.said = cluster.gnt("node", "migrate", "--force", node + ".gnt.test",
                            check=False, timeout=600).output
    stay = [str(g) for g in leaving if g.vm.node() == node]
    agree(not stay, "%s: not migrated: %s", stay, self.said)
    return "%d guests from %s" % (len(leaving), node)

  # What is cut short

  def _begun(self, guest):
    """Begin to migrate, slowly, and wait for some of the memory to be over.

    @return: the command, and the percentage; None where it was too quick

    """
    _limit(_SLOW)
    command = cluster.begin_gnt("instance", "migrate", "--force", guest.name)
    wait, begun = self.random.uniform(0, 8), None
    while command.poll() is None:
      try:
        info = guest.vm.qmp("query-migrate")
      except cluster.LabError: # Ganeti talks to it
        info = {}
      ram = info.get("ram")
      if info.get("status") == "active" and ram and ram["total"]:
        begun = begun or time.monotonic()
        if time.monotonic() - begun >= wait:
          return command, 100 - 100 * ram["remaining"] // ram["total"]
      time.sleep(0.2)
    return command, None

  def _ended(self, command):
    """Wait for the command, and clean up after it as an administrator does.

    @return: whether it succeeded

    """
    self.said = command.communicate(timeout=600)[0]
    _limit(_FAST)
    return command.returncode == 0

  @staticmethod
  def _kill(guest, node):
    """Kill a node's QEMU of a guest, if there is one."""
    for pid in guest.vm.processes(node):
      cluster.on(node, "kill", "-9", str(pid), check=False)

  def migrate_cancelled(self, guest):
    if not guest.runs:
      return None
    source = guest.vm.node()
    command, there = self._begun(guest)
    if there is not None:
      try:
        guest.vm.qmp("migrate_cancel")
      except cluster.LabError as err:
        there = str(err)[-60:]
    done = self._ended(command)
    agree(done or guest.vm.node() == source, "%s: on %s after a failed"
          " migration: %s", guest, guest.vm.node(), self.said)
    return "at %s %%: %s" % (there, "migrated" if done else "stays")

  def migrate_target_killed(self, guest):
    if not guest.runs:
      return None
    source = guest.vm.node()
    command, there = self._begun(guest)
    self._kill(guest, other(source))
    done = self._ended(command)
    self._settle(guest)
    return "at %s %%: %s" % (there, "migrated" if done else "failed")

  def migrate_source_killed(self, guest):
    if not guest.runs:
      return None
    source = guest.vm.node()
    command, there = self._begun(guest)
    self._kill(guest, source)
    done = self._ended(command)
    guest.boot = None
    self._settle(guest)
    return "at %s %%: %s" % (there, "migrated" if done else "failed")

  def migrate_daemon_killed(self, guest):
    if not guest.runs:
      return None
    node = self.random.choice(cluster.NODES)
    command, there = self._begun(guest)
    self.kill_daemon(node)
    cluster.start_node_daemon(node)
    done = self._ended(command)
    self._settle(guest)
    return "%s, at %s %%: %s" % (node, there, "migrated" if done else "failed")

  def _settle(self, guest):
    """Do what Ganeti's manual tells after a migration that failed."""
    self.said += guest.vm.clean_up().output
    there = processes().get(guest.name, [])
    if len(there) > 1:
      raise Disagreement("%s: runs on %s: %s" % (guest, there, self.said))
    if not there:
      self.said += guest.vm.start().output
      guest.boots()
