"""The main job, shown: the same steps without the plugin and with it.

Runs inside the lab: C{lab/up -n 2 /usr/bin/python3 demo/demo.py}. Exit status 1
if anything differs from what it should be.

"""

import itertools
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lab"))

import cluster # pylint: disable=C0413

VM = "vm1.gnt.test"

#: What is done, and how: (title, method of L{Walk}, its arguments)
STEPS = [
  ("an instance with 2 disks and 2 NICs starts", "start", ()),
  ("gnt-instance modify --hotplug --net add", "modify", ("--net", "add")),
  ("gnt-instance modify --hotplug --disk add:size=1G", "modify",
   ("--disk", "add:size=1G")),
  ("gnt-instance modify --hotplug --net 2:remove", "modify",
   ("--net", "2:remove")),
  ("gnt-instance modify --hotplug --disk add:size=1G", "modify",
   ("--disk", "add:size=1G")),
  ("live migration to node2", "migrate", ("node2", )),
  ("live migration back to node1", "migrate", ("node1", )),
  ("cold reboot", "reboot", ()),
  ]

#: Where disks and NICs should be after each step. Unmodified Ganeti shows its
#: known fault: the last disk gets a slot between the NICs and an older disk,
#: and a cold reboot moves the NICs. On q35 the numbers are those of root ports.
EXPECTED = {
  "unmodified": [
    ([12, 13], [14, 15]), ([12, 13], [14, 15, 16]),
    ([12, 13, 17], [14, 15, 16]), ([12, 13, 17], [14, 15]),
    ([12, 13, 17, 16], [14, 15]), ([12, 13, 17, 16], [14, 15]),
    ([12, 13, 17, 16], [14, 15]), ([12, 13, 14, 15], [16, 17]),
    ],
  "plugin": [
    ([8, 9], [24, 25]), ([8, 9], [24, 25, 26]), ([8, 9, 10], [24, 25, 26]),
    ([8, 9, 10], [24, 25]), ([8, 9, 10, 11], [24, 25]),
    ([8, 9, 10, 11], [24, 25]), ([8, 9, 10, 11], [24, 25]),
    ([8, 9, 10, 11], [24, 25]),
    ],
  "q35": [
    ([11, 12], [3, 4]), ([11, 12], [3, 4, 5]), ([11, 12, 13], [3, 4, 5]),
    ([11, 12, 13], [3, 4]), ([11, 12, 13, 14], [3, 4]),
    ([11, 12, 13, 14], [3, 4]), ([11, 12, 13, 14], [3, 4]),
    ([11, 12, 13, 14], [3, 4]),
    ],
  }


def say(text=""):
  print(text, flush=True)


class Walk(object):
  """One way through all steps.

  @ivar ganeti: string, a key of L{EXPECTED}: what starts the instance
  @ivar found: list of (slots of the disks, slots of the NICs), a step each
  @ivar faults: list of strings, what was not as it should be

  """
  def __init__(self, ganeti):
    self.ganeti = ganeti
    self.vm = cluster.Instance(VM)
    self.found = []
    self.faults = []
    self.uptime = 0.0

  def start(self):
    self.vm.add(disks=2, nics=2, hvparams={"machine_version": "q35"}
                if self.ganeti == "q35" else None)

  def modify(self, *args):
    result = self.vm.modify(*args)
    self.check("hotplug:done" in result.output, "hotplug failed:\n%s" %
               result.output)

  def migrate(self, target):
    before = cluster.pci_map(self.vm, live=True)
    self.vm.migrate()
    self.check(cluster.pci_map(self.vm, live=True) == before,
               "the migration has changed the map")
    self.check(self.vm.node() == target, "the instance is not on %s" % target)

  def reboot(self):
    self.vm.stop()
    self.vm.start()
    self.uptime = 0.0

  def check(self, right, fault):
    if not right:
      self.faults.append("%s, step %d: %s" %
                         (self.ganeti, len(self.found) + 1, fault))
      say("   !! " + fault)

  def look(self):
    """Show the map and what the guest sees, and check both."""
    disks, nics = EXPECTED[self.ganeti][len(self.found)]
    try:
      seen = self.vm.guest(until=lambda r: (
        sorted(r.disks.values()) == sorted(disks) and
        sorted(slot for slot, _ in r.nics.values()) == sorted(nics)))
    except cluster.LabError:
      seen = self.vm.guest()
      self.check(False, "the guest does not see disks at %s, NICs at %s" %
                 (disks, nics))
    drawn = cluster.project_command(self.vm.node(), ["map", "--live",
                                                     VM]).output.splitlines()
    # of a q35 guest, those on root ports
    entries = [e for e in cluster.pci_map(self.vm, live=True)[0]["devices"]
               if e["bus"] != "pcie.0"]
    for line in itertools.takewhile(
        lambda line: not line.split()[:1] == ["slot"], drawn[1:]):
      say("   " + line)
    say("     guest: " + " ".join("%d=%s" % item
                                  for item in sorted(seen.pci.items())))
    found = tuple([e["slot"] for e in sorted(entries, key=lambda e: e["index"]
                                             or 0)
                   if e["class"] == name] for name in ("disk", "nic"))
    self.check(found == (disks, nics), "the map has disks at %s, NICs at %s;"
               " expected %s, %s" % (found + (disks, nics)))
    self.check(set(seen.pci) == set(e["slot"] for e in entries),
               "guest and QEMU disagree")
    self.check(seen.uptime > self.uptime, "the guest was restarted")
    self.uptime = seen.uptime
    self.found.append(found)

  def run(self):
    for number, (title, method, args) in enumerate(STEPS, 1):
      say("\n[%s] %d. %s" % (time.strftime("%T"), number, title))
      getattr(self, method)(*args)
      self.look()
    self.vm.remove()


def compare(walks):
  """Print the steps of all walks side by side."""
  say("\n%-50s %-34s %s" % ("", "unmodified Ganeti", "with the plugin"))
  for number, (title, _, _) in enumerate(STEPS):
    cells = []
    for walk in walks:
      disks, nics = walk.found[number]
      cells.append("disks %s NICs %s" % (",".join(map(str, disks)),
                                         ",".join(map(str, nics))))
    say("%-50s %-34s %s" % tuple([title] + cells))
  say("\nOn unmodified Ganeti, the last disk got a slot below that of an\n"
      "older one, next to the NICs; and the cold reboot moved the NICs, so\n"
      "ens14 and ens15 became ens16 and ens17. With the plugin, disks and\n"
      "NICs kept to their own slots.")


def main():
  say("== Unmodified Ganeti 3.0.2 ==")
  without = Walk("unmodified")
  without.run()
  say("\n== The plugin: ganeti-kvm-pci enable --restart on both nodes, and")
  say("   gnt-cluster modify -H kvm:kvm_pci_reservations=8 ==")
  for node, result in sorted(cluster.plugin("enable").items()):
    say("%s: %s" % (node, result.output.strip().replace("\n", "; ")))
  cluster.gnt("cluster", "modify", "-H", "kvm:kvm_pci_reservations=8")
  plugged = Walk("plugin")
  plugged.run()
  say("\n== The same with gnt-instance modify -H machine_version=q35 ==")
  express = Walk("q35")
  express.run()
  faults = without.faults + plugged.faults + express.faults
  if faults:
    say("\nVERDICT: not as it should be:\n  " + "\n  ".join(faults))
    return 1
  compare([without, plugged])
  disks, nics = express.found[-1]
  say("\nOn q35 the same steps, migrations and all, left the disks on root ports"
      "\n%s, the NICs on %s." % (", ".join("rp%d" % n for n in disks),
                                 ", ".join("rp%d" % n for n in nics)))
  say("\nVERDICT: everything is as it should be.")
  return 0


if __name__ == "__main__":
  sys.exit(main())
