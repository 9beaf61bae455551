"""What an administrator does to a cluster: one method for each.

Each is given a guest, and returns what it did in a few words; or None where it
could do nothing. It tells the guest what it has to have from then on.

"""

import concurrent.futures

import cluster

from kept_guest import Disagreement
from kept_guest import agree
from block_jobs import BlockJobs
from boots import Boots
from busy_disks import BusyDisks
from capabilities import Capabilities
from links import Links
from migrations import Migrations
from parameters import Parameters
from phases import Phases
from disturbances import Disturbances

#: Most disks and NICs that a guest has.
MOST = {"--disk": 7, "--net": 5}

#: Weight of each operation.
WEIGHTS = {
  "add_disk": 8, "add_nic": 7, "remove_disk": 6, "remove_nic": 6,
  "add_disk_cold": 2, "add_nic_cold": 2, "remove_disk_cold": 1,
  "remove_nic_cold": 1, "modify_nic": 4, "modify_parameter": 4, "grow": 3,
  "together": 3, "paused_removal": 2, "job_on_disk": 3, "remove_busy_disk": 2,
  "reboot_soft": 4, "reboot_hard": 3, "reboot_full": 1, "stop": 3, "start": 8,
  "reset": 2, "own_reboot": 3, "own_shutdown": 3, "failover": 2, "migrate": 8,
  "migrate_cancelled": 3, "migrate_target_killed": 3,
  "migrate_source_killed": 1, "migrate_daemon_killed": 2, "node_migrate": 2,
  "migrate_slow_link": 2, "migrate_link_cut": 2, "migrate_capabilities": 3,
  "migrate_changed_parameters": 2, "add_while_booting": 3,
  "migrate_while_booting": 3, "modify_asleep": 3,
  "add_while_copied": 2, "reboots_while_copied": 2, "ends_while_copied": 2,
  "freeze": 2, "freeze_update": 1, "thaw": 2, "look": 3, "repair": 3,
  "upgrade": 2, "daemon_restarted": 1, "daemon_killed": 2,
  "hotplug_daemon_killed": 4, "full_run": 2, "few_descriptors": 3,
  "qemu_killed": 2,
  "folder_gone": 2, "runtime_file_gone": 1, "node_rebooted": 1}


class Operations(BlockJobs, Boots, BusyDisks, Capabilities, Links, Migrations,
                 Parameters, Phases, Disturbances):
  """All of them.

  @ivar random: C{random.Random}
  @ivar guests: list of L{kept_guest.KeptGuest}
  @ivar weights: that of each operation that may be chosen
  @ivar said: what the last of Ganeti's commands printed

  """
  def __init__(self, random, guests, only=None):
    """Take the guests.

    @param only: names of operations; none for all

    """
    self.random = random
    self.guests = guests
    self.weights = {name: WEIGHTS[name] for name in only or WEIGHTS}
    self.said = ""

  # Devices

  def _hot(self, guest, *options):
    """Have Ganeti change devices of the running guest."""
    self.said = guest.vm.modify(*options).output
    agree("hotplug:done" in self.said, "%s: %s", guest, self.said)

  def _where(self, guest, option):
    config = guest.vm.config()
    count = len(config["disks" if option == "--disk" else "nics"])
    if count >= MOST[option]:
      return None
    # mostly behind the others
    return (count if self.random.random() < 0.7 else
            self.random.randint(0, count))

  @staticmethod
  def _addition(option, index):
    """Write what Ganeti's command line has of a new device."""
    return "%d:add" % index + (",size=1G" if option == "--disk" else "")

  def _add(self, guest, option, hot=True):
    index = self._where(guest, option)
    if index is None:
      return None
    what = "%d:add" % index + (
      ",size=%dM" % self.random.choice([1024, 1100, 1300])
      if option == "--disk" else "")
    if not (hot and guest.runs):
      self.said = guest.vm.modify(option, what, hot=False).output
      return "%s, not hotplugged" % what
    before = self._configured(guest, option)
    self._hot(guest, option, what)
    new = self._configured(guest, option) - before
    (guest.disks if option == "--disk" else guest.nics).update(new)
    return what

  @staticmethod
  def _configured(guest, option):
    config = guest.vm.config()
    if option == "--disk":
      return set(config["disks"])
    return set(nic["uuid"] for nic in config["nics"])

  def _pick(self, guest, option, hot=True):
    """Choose a device that Ganeti and, if it is hot, the guest have.

    @return: index and UUID, or None

    """
    config = guest.vm.config()
    uuids = (config["disks"] if option == "--disk" else
             [nic["uuid"] for nic in config["nics"]])
    there = guest.disks if option == "--disk" else guest.nics
    choice = [pair for pair in enumerate(uuids)
              if not hot or pair[1] in there]
    # One stays: Ganeti's policy wants one of each, and where that forbids the
    # removal of a NIC it says so after the hotplug (3.0.2, CheckPrereq)
    if not choice or len(uuids) < 2:
      return None
    return self.random.choice(choice)

  def _remove(self, guest, option, hot=True):
    chosen = self._pick(guest, option, hot and guest.runs)
    if chosen is None:
      return None
    what = "%d:remove" % chosen[0]
    if not hot and guest.runs and option == "--disk":
      self.said = guest.vm.modify(option, what, hot=False, check=False).output
      agree("without using hotplug" in self.said, "%s: %s", guest, self.said)
      return "%s, refused by Ganeti" % what
    guest.frozen.pop(chosen[1], None)
    if hot and guest.runs:
      self._hot(guest, option, what)
      (guest.disks if option == "--disk" else guest.nics).discard(chosen[1])
      return "%s (%s)" % (what, chosen[1])
    self.said = guest.vm.modify(option, what, hot=False).output
    return "%s (%s), not hotplugged" % (what, chosen[1])

  def add_disk(self, guest):
    return self._add(guest, "--disk")

  def add_nic(self, guest):
    return self._add(guest, "--net")

  def remove_disk(self, guest):
    return self._remove(guest, "--disk")

  def remove_nic(self, guest):
    return self._remove(guest, "--net")

  def add_disk_cold(self, guest):
    return self._add(guest, "--disk", False)

  def add_nic_cold(self, guest):
    return self._add(guest, "--net", False)

  def remove_disk_cold(self, guest):
    return self._remove(guest, "--disk", False)

  def remove_nic_cold(self, guest):
    return self._remove(guest, "--net", False)

  def modify_nic(self, guest):
    chosen = self._pick(guest, "--net") if guest.runs else None
    if chosen is None:
      return None
    guest.frozen.pop(chosen[1], None)
    self._hot(guest, "--net", "%d:modify,mac=generate" % chosen[0])
    return "NIC %d" % chosen[0]

  def grow(self, guest):
    chosen = self._pick(guest, "--disk", False)
    if chosen is None:
      return None
    self.said = cluster.gnt("instance", "grow-disk", guest.name, chosen[0],
                            "32M").output
    return "disk %d" % chosen[0]

  def together(self, _):
    """Change all running guests at the same time."""
    work = []
    for guest in self.guests:
      if not guest.runs:
        continue
      option = self.random.choice(["--disk", "--net"])
      adds = self.random.random() < 0.5
      work.append((self._add if adds else self._remove, guest, option))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
      return "; ".join("%s: %s %s" % (item[1], item[2], done) for item, done in
                       zip(work, pool.map(lambda w: w[0](*w[1:]), work)))

  # The project's command

  def freeze(self, guest):
    if guest.frozen or not guest.runs or not guest.is_as_configured():
      return None
    self.said = cluster.on("node1", "ganeti-kvm-pci", "freeze",
                           guest.name).output
    guest.freezes()
    return "%d slots" % len(guest.frozen)

  def freeze_update(self, guest):
    if not guest.frozen or not guest.runs or not guest.is_as_configured():
      return None
    self.said = cluster.on("node1", "ganeti-kvm-pci", "freeze", "--update",
                           guest.name).output
    guest.freezes()
    return "%d slots" % len(guest.frozen)

  def thaw(self, guest):
    if not guest.frozen:
      return None
    self.said = cluster.on("node1", "ganeti-kvm-pci", "thaw",
                           guest.name).output
    guest.frozen = {}
    return "thawed"

  def _command(self, guest, *words):
    result = cluster.project_command(guest.vm.node(), list(words), check=False)
    self.said = result.output
    agree(result.returncode < 2 and "Traceback" not in result.output,
          "%s: exit status %d: %s", " ".join(words), result.returncode,
          result.output)
    why = " (%s)" % " / ".join(result.output.split("\n")[:6])
    return "%s: %d%s" % (" ".join(words), result.returncode,
                         why if result.returncode else "")

  def look(self, guest):
    words = self.random.choice([
      ["map", "--live"], ["plan"], ["check"], ["check", "--live"],
      ["check", "--nagios"], ["status"], ["facts"]])
    return self._command(guest, *words)

  def repair(self, guest):
    return self._command(guest, "check", "--live", "--repair")

  def upgrade(self, guest):
    return self._command(guest, "upgrade")

  def choose(self):
    """Do one of them.

    @return: its name, the guest, and what it did

    """
    name = self.random.choices(list(self.weights),
                               list(self.weights.values()))[0]
    guest = self.random.choice(self.guests)
    if guest.runs and guest.has_lost_a_file():
      raise Disagreement("%s: has a disk whose file was removed" % guest)
    return name, guest, getattr(self, name)(guest)
