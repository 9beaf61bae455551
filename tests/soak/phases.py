"""What is asked for while a guest boots, sleeps or is copied."""

import time

import cluster

from boots import BOOTS_AFTER
from boots import THEN
from cluster import other
from kept_guest import agree

#: In seconds: until the guest's kernel has loaded its drivers, and a bit more.
_BOOT = 7

#: The kernel of guests that can sleep, see lab/guest.
SLEEPS = "/srv/ganeti/bzImage"

#: Has the guest go to sleep once it has said that it can, and has reported.
_SLEEP = ("grep -w mem /sys/power/state && { (sleep 5;"
          " echo mem > /sys/power/state) > /dev/null 2>&1 & }")


class Phases(object):
  """Some of L{operations.Operations}."""

  def _boots_for(self, guest):
    """Reset it, and wait until it is somewhere in its boot.

    @return: the seconds

    """
    guest.vm.qmp("system_reset")
    guest.boot = None
    wait = self.random.uniform(0, _BOOT)
    time.sleep(wait)
    return wait

  def add_while_booting(self, guest):
    option = self.random.choice(["--disk", "--net"])
    if not guest.runs or self._where(guest, option) is None:
      return None
    wait = self._boots_for(guest)
    return "%s %s, after %.1f s" % (option, self._add(guest, option), wait)

  def migrate_while_booting(self, guest):
    if not guest.runs:
      return None
    wait = self._boots_for(guest)
    return "%s, after %.1f s" % (self.migrate(guest), wait)

  # ACPI's S3, which not all guests have

  def _sleeps(self, guest):
    """Have it go to sleep; tell whether it can."""
    hvparams = guest.vm.config()["hvparams"]
    if hvparams.get("kernel_path") != SLEEPS or \
        guest.vm.guest(_SLEEP, timeout=90).output.strip() == "":
      return False
    cluster.wait_until(lambda: self._state(guest) == "suspended",
                       "%s sleeps" % guest, 60)
    return True

  @staticmethod
  def _state(guest):
    return guest.vm.qmp("query-status")["status"]

  def _wakes(self, guest):
    agree(self._state(guest) == "suspended", "%s: has woken up", guest)
    guest.vm.qmp("system_wakeup")
    cluster.wait_until(lambda: self._state(guest) == "running",
                       "%s wakes up" % guest, 60)

  def modify_asleep(self, guest):
    """Ganeti refuses to remove a disk, and changes nothing.

    Since 3.1 it makes all other changes in its configuration.

    """
    if not guest.runs or not self._sleeps(guest):
      return None
    before = guest.vm.config()["disks"]
    result = guest.vm.modify("--disk", "0:remove", check=False)
    self.said = result.output
    agree(result.returncode != 0 and "suspended (S3)" in self.said, "%s: %s",
          guest, self.said)
    agree(guest.vm.config()["disks"] == before, "%s: the configuration has %s,"
          " and had %s", guest, guest.vm.config()["disks"], before)
    self._wakes(guest)
    return "refused"

  # Copied

  @staticmethod
  def _hurry(guest):
    """Have the rest of a slow migration be quick."""
    try:
      guest.vm.qmp("migrate-set-parameters",
                   **{"max-bandwidth": 1 << 30, "downtime-limit": 10000})
    except cluster.LabError: # it has moved
      pass

  def add_while_copied(self, guest):
    """Ganeti has the hotplug wait until the guest has moved."""
    option = self.random.choice(["--disk", "--net"])
    index = self._where(guest, option) if guest.runs else None
    if index is None:
      return None
    target, before = other(guest.vm.node()), self._configured(guest, option)
    command, there = self._begun(guest)
    what = self._addition(option, index)
    adding = cluster.begin_gnt("instance", "modify", "--force", "--hotplug",
                               option, what, guest.name)
    cluster.wait_until(lambda: adding.poll() is not None or "waiting" in
                       cluster.gnt("job", "list", "--no-headers", "-o",
                                   "status").output, "the hotplug waits")
    self._hurry(guest)
    done = self._ended(command)
    said = adding.communicate(timeout=300)[0]
    self.said += said
    agree(done and guest.vm.node() == target, "%s: not migrated: %s", guest,
          self.said)
    agree("hotplug:done" in said, "%s: %s", guest, said)
    (guest.disks if option == "--disk" else guest.nics).update(
      self._configured(guest, option) - before)
    return "%s %s, at %s %%" % (option, what, there)

  def reboots_while_copied(self, guest):
    return self._boots_while_copied(guest, "reboot")

  def ends_while_copied(self, guest):
    return self._boots_while_copied(guest, "poweroff")

  def _boots_while_copied(self, guest, how):
    if not guest.runs:
      return None
    source = guest.vm.node()
    boot = guest.vm.guest(THEN % how, timeout=90).output.strip()
    agree(guest.boot in (None, boot), "%s: has booted, and was not to", guest)
    guest.boot, asked = None, time.monotonic()
    command, there = self._begun(guest)
    time.sleep(max(0, asked + self.random.uniform(BOOTS_AFTER, 9) -
                   time.monotonic()))
    self._hurry(guest)
    done = self._ended(command)
    if how == "reboot":
      agree(done, "%s: not migrated: %s", guest, self.said)
      guest.vm.guest(timeout=180, until=lambda report: (
        report.uptime < time.monotonic() - asked - BOOTS_AFTER + 2))
    else:
      # wherever it is by then
      cluster.wait_until(lambda: not any(guest.vm.processes(node) for node in
                                         cluster.NODES),
                         "%s powers off" % guest, 90)
    self._settle(guest)
    return "%s from %s, at %s %%: %s" % (how, source, there, "migrated" if done
                                         else "failed")
