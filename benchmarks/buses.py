"""Other buses for what is hotplugged, and another who chooses the slot.

QEMU without Ganeti. For each way: how long does a guest with 16 disks and 8
NICs take to boot, how long does a C{device_add} take, and an unplug until the
guest has completed it; do many random operations succeed; and does the guest go
on, with all of its devices, in a QEMU that was started with the same ones?
Prints a table; what fails is told in it, in QEMU's words. The design document
quotes these.

"""

import argparse
import collections
import os
import random
import statistics
import tempfile
import time

import bare
import results_file

ABOUT = """\
QEMU without Ganeti. Boot of a guest with 16 disks and 8 NICs; random hot-adds
and unplugs, each until QEMU, or the guest, has completed it; then a migration to
a QEMU that was started with the same devices.
"""

DISKS = 16
NICS = 8
ADDRESSES = DISKS + NICS

#: A guest that is busy with one device is slow to see the next, in seconds.
PAUSE = 0.3

#: One way.
#:   - name: string
#:   - options: list of strings, for QEMU
#:   - address: function of a number below ADDRESSES, see L{bare.Device}
Way = collections.namedtuple("Way", ["name", "options", "address"])


def _root_ports():
  for number in range(ADDRESSES):
    yield "-device"
    yield ("pcie-root-port,id=port%d,chassis=%d,slot=%d,addr=0x%x" %
           (number, number + 1, number + 1, number + 4))


WAYS = [
  Way("pci.0, by address", ["-machine", "pc"],
      lambda n: {"bus": "pci.0", "addr": "0x%x" % (8 + n)}),
  Way("pci.0, QEMU chooses", ["-machine", "pc"], lambda n: {"bus": "pci.0"}),
  # slot 0 of a bridge with a hotplug controller holds no devices
  Way("pci-bridge, by address",
      ["-machine", "pc", "-device", "pci-bridge,id=more,chassis_nr=1"],
      lambda n: {"bus": "more", "addr": "0x%x" % (1 + n)}),
  Way("q35, a root port each", ["-machine", "q35"] + list(_root_ports()),
      lambda n: {"bus": "port%d" % n}),
  ]


class Trial(object):
  """One way, tried.

  @ivar there: list of L{bare.Device}, in the order in which they were added
  @ivar adds: list of milliseconds
  @ivar removals: list of milliseconds

  """
  def __init__(self, way, folder, seed):
    self.way = way
    self.folder = folder
    self.random = random.Random(seed)
    self.there = []
    self.adds = []
    self.removals = []
    self.guest = None
    self._made = 0
    self._numbers = {} # name of a device: number of its address

  def _device(self, number, is_disk):
    self._made += 1
    name = "d%d" % self._made
    self._numbers[name] = number
    return bare.Device(name, is_disk, self.way.address(number))

  def start(self, name, incoming=()):
    """Start a QEMU with what is there, as from a runtime file."""
    options = (["-nodefaults", "-vga", "none"] + self.way.options +
               bare.kernel(self.folder) + list(incoming))
    for device in self.there:
      options += bare.options_of(device)
    return bare.Guest(self.folder, name, options)

  def boot(self):
    """Boot it with all that it can have; returns seconds."""
    self.there = [self._device(n, n < DISKS) for n in range(ADDRESSES)]
    start = time.perf_counter()
    self.guest = self.start("source")
    self.guest.agree(self.there)
    return time.perf_counter() - start

  def operate(self, count):
    """Add and remove at random."""
    for _ in range(count):
      free = sorted(set(range(ADDRESSES)) - set(self._numbers.values()))
      if free and (not self.there or self.random.random() < 0.5):
        device = self._device(self.random.choice(free),
                              self.random.random() < 2 / 3)
        self.adds.append(self.guest.add(device))
        self.there.append(device)
        time.sleep(PAUSE)
      else:
        device = self.random.choice(self.there)
        self.removals.append(self.guest.remove(device))
        self.there.remove(device)
        del self._numbers[device.name]
    self.guest.agree(self.there)

  def migrate(self):
    """Migrate the guest; returns how that ended."""
    path = os.path.join(self.folder, "migration")
    self.guest.agree(self.there)
    # a disk is removed before its PCI device is
    before = self.guest.report()
    target = self.start("target", ["-incoming", "unix:" + path])
    try:
      status = self.guest.send_to(target, path)
      if status == "completed" and not target.is_as(before):
        status += ", but the guest sees other devices"
    except bare.QemuError as err:
      status = str(err)
    if status == "completed":
      target, self.guest = self.guest, target
    target.stop()
    return status

  def stop(self):
    if self.guest is not None:
      self.guest.stop()


def try_out(trial, count):
  """Return a row of the table, as far as it gets.

  @rtype: list of strings

  """
  row = [trial.way.name]
  try:
    row.append("%.1f" % trial.boot())
    trial.operate(count)
    row += ["%.1f" % statistics.median(trial.adds),
            "%.0f" % statistics.median(trial.removals)]
    status = trial.migrate()
    if status == "completed":
      trial.operate(count // 10)
    row.append("%d" % (len(trial.adds) + len(trial.removals)))
    row.append(status)
  except (bare.QemuError, OSError, AssertionError) as err:
    row += [""] * (4 - len(row))
    row += ["%d" % (len(trial.adds) + len(trial.removals)), "none: %s" % err]
  finally:
    trial.stop()
  return row


def add(results, trial, row):
  """Add what was found to the results.

  @param row: of L{try_out}

  """
  name, first = trial.way.name, WAYS[0].name
  groups = [found["group"] for found in results.rows
            if found["row"] == first and "n" in found]
  for group, values in (("Hot-add, QEMU alone", trial.adds),
                        ("Unplug, QEMU alone", trial.removals)):
    if values:
      results.add(group, name, "ms", values,
                  to=first if group in groups else None)
  results.tell("Boot, in s", name, row[1] or "none")
  results.tell("Migration", name, row[-1])


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--operations", type=int, default=1000)
  parser.add_argument("--seed", type=int, default=1)
  parser.add_argument("--only", default="", help="ways whose name has this")
  options = parser.parse_args()
  form = "%-22s  %7s  %7s  %10s  %10s  %s"
  bare.begin("seed %d" % options.seed, form, [
    "", "boot, s", "add, ms", "remove, ms", "operations", "migration"])
  results = results_file.Results(
    "buses", "Other buses", ABOUT,
    {"operations": options.operations, "seed": options.seed})
  with tempfile.TemporaryDirectory() as folder:
    bare.build_guest(folder)
    for way in [way for way in WAYS if options.only in way.name]:
      trial = Trial(way, folder, options.seed)
      row = try_out(trial, options.operations)
      bare.show(form, row)
      add(results, trial, row)
  if not options.only:
    results.write()


if __name__ == "__main__":
  main()
