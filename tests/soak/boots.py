"""Boots: by Ganeti, by QEMU, and the guest's own."""

import cluster

from kept_guest import agree

#: Has the guest tell which boot it is, and end that once it has said so.
THEN = ("cat /proc/sys/kernel/random/boot_id;"
        " (sleep 5; %s -f) > /dev/null 2>&1 &")

#: When it has done that, in seconds.
BOOTS_AFTER = 6


class Boots(object):
  """Some of L{operations.Operations}."""

  def _reboot(self, guest, how):
    if not guest.runs:
      return None
    self.said = guest.vm.reboot(how).output
    if how == "soft":
      guest.boot = None
    else:
      guest.boots()
    return how

  def reboot_soft(self, guest):
    return self._reboot(guest, "soft")

  def reboot_hard(self, guest):
    return self._reboot(guest, "hard")

  def reboot_full(self, guest):
    return self._reboot(guest, "full")

  def reset(self, guest):
    if not guest.runs:
      return None
    guest.vm.qmp("system_reset")
    guest.boot = None
    return "by QEMU"

  def stop(self, guest):
    # two are running
    if not guest.runs or sum(g.runs for g in self.guests) < 3:
      return None
    self.said = guest.vm.stop().output
    guest.runs = False
    return "stopped"

  def start(self, guest):
    if guest.runs:
      return None
    self.said = guest.vm.start().output
    guest.runs = True
    guest.boots()
    return "started"

  def own_reboot(self, guest):
    """The guest's system reboots; Ganeti knows nothing of it."""
    if not guest.runs:
      return None
    pid = guest.vm.pid()
    seen = guest.vm.guest(THEN % "reboot", timeout=90)
    agree(guest.boot in (None, seen.output.strip()),
          "%s: has booted, and was not to", guest)
    uptimes = [seen.uptime]

    def rebooted(report):
      uptimes.append(report.uptime)
      return uptimes[-1] < uptimes[-2]

    guest.vm.guest(timeout=180, until=rebooted)
    agree(guest.vm.pid() == pid, "%s: QEMU was %s, and is %s", guest, pid,
          guest.vm.pid())
    guest.boot = None
    return "by its system"

  def own_shutdown(self, guest):
    """The guest's system powers it off; somebody starts the instance."""
    if not guest.runs:
      return None
    guest.vm.guest(THEN % "poweroff", timeout=90)
    node = guest.vm.node()
    cluster.wait_until(lambda: not guest.vm.processes(node),
                       "%s powers off" % guest, 60)
    if self.random.random() < 0.3:
      cluster.on("node1", "ganeti-watcher", "--ignore-pause", check=False)
      cluster.wait_until(guest.vm.running, "the watcher starts it", 60)
      how = "by the watcher"
    else:
      self.said = guest.vm.start().output
      how = "by gnt-instance"
    guest.boots()
    return "by its system, started " + how
