"""Random operations on four guests and two nodes, for hours.

Run by C{make soak HOURS=N}; inside the lab only::

  lab/up -n 2 /usr/bin/python3 tests/soak/soak.py 1.5

After each operation all that L{agreement} has must hold. What fails is printed
with the seed, the step and the last operations, and ends it with exit status 1;
C{SOAK_SEED} has the same operations chosen again, up to the guests' own pace;
C{SOAK_ONLY=NAME,NAME} has none but these chosen.

"""

import collections
import os
import random
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("../../lab", "../cluster", ".."):
  sys.path.insert(1, os.path.join(HERE, folder))

import cluster  # noqa: E402

import agreement  # noqa: E402
from kept_guest import KeptGuest  # noqa: E402
from phases import SLEEPS  # noqa: E402
from operations import Operations  # noqa: E402

#: The guests: hypervisor parameters, disks, NICs.
GUESTS = [
  ({"kvm_pci_reservations": 8,
    "kvm_extra": "-global PIIX4_PM.disable_s3=0",
    "kernel_path": SLEEPS}, 2, 2),
  ({"disk_type": "scsi-hd", "scsi_controller_type": "virtio-scsi-pci"}, 2, 1),
  ({"machine_version": "q35"}, 3, 1),
  ({"nic_type": "e1000", "kvm_extra": "-device virtio-rng-pci -device"
    " qemu-xhci"}, 1, 2)]

#: All guests are looked at after so many steps, else the one concerned.
_ALL = 10

#: How much of the history is shown.
_SHOWN = 40


def set_up():
  """Have plugin, command and guests on the cluster."""
  for node in cluster.NODES:
    cluster.on(node, "sh", "-c",
               "echo KVM_PCI_HOTPLUG_LIMIT=5 >> /etc/default/ganeti")
  cluster.plugin("enable")
  cluster.install_command()
  guests = []
  for number, (hvparams, disks, nics) in enumerate(GUESTS, 1):
    guests.append(KeptGuest("vm%d.gnt.test" % number, disks=disks, nics=nics,
                            hvparams=hvparams))
  return guests


class Soak(object):
  """One run.

  @ivar counts: how often, by operation
  @ivar history: lines

  """
  def __init__(self, seed, guests, only=None):
    self.seed = seed
    self.guests = guests
    self.operations = Operations(random.Random(seed), guests, only)
    self.counts = collections.Counter()
    self.history = []
    self.steps = 0

  def _says(self, line):
    line = "[%s] %s" % (time.strftime("%T"), line)
    self.history.append(line)
    print(line, flush=True)

  def holds(self, concerned):
    """Check all that must hold."""
    agreement.all_holds(self.guests, concerned, self.steps)

  def step(self):
    """Do one thing, and check."""
    done = None
    while done is None:
      name, guest, done = self.operations.choose()
    self.steps += 1
    self.counts[name] += 1
    self._says("%d %s %s: %s" % (self.steps, guest, name, done))
    is_for_all = (name in ("together", "node_migrate", "node_rebooted",
                           "folder_gone") or self.steps % _ALL == 0)
    self.holds(self.guests if is_for_all else [guest])

  def fails(self):
    """Print what is known of a failure."""
    print("-- what failed --")
    traceback.print_exc(file=sys.stdout)
    print("-- the last operations --\n%s" % "\n".join(self.history[-_SHOWN:]))
    print("-- the last command --\n%s" % self.operations.said[-3000:])
    for node in cluster.NODES:
      print("-- %s: check --live --" % node)
      print(cluster.project_command(node, ["check", "--live"],
                                    check=False).output)
      print("-- %s: node daemon's log --" % node)
      print(cluster.on(node, "sh", "-c", "grep -v 'POST.* 200$\\|RunCmd' %s |"
                       " cut -c -500 | tail -n 25" %
                       "/var/log/ganeti/node-daemon.log", check=False).output)
    print("SOAK_SEED=%d: failed at or after step %d" % (self.seed, self.steps))

  def summary(self):
    never = [name for name in self.operations.weights if not self.counts[name]]
    return "seed %d, %d steps: %s%s" % (
      self.seed, self.steps,
      ", ".join("%s %d" % item for item in sorted(self.counts.items())),
      "; never: " + ", ".join(never) if never else "")


def main(hours):
  seed = int(os.environ.get("SOAK_SEED") or random.randrange(10 ** 6))
  print("SOAK_SEED=%d, %g hours" % (seed, hours), flush=True)
  only = os.environ.get("SOAK_ONLY")
  soak = Soak(seed, set_up(), only.split(",") if only else None)
  end = time.monotonic() + hours * 3600
  try:
    soak.holds(soak.guests)
    while time.monotonic() < end:
      soak.step()
    soak.holds(soak.guests)
  except Exception:  # pylint: disable=W0703
    soak.fails()
    return 1
  finally:
    print(soak.summary(), flush=True)
  return 0


if __name__ == "__main__":
  sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.5))
