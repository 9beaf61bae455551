"""Other ways to start an instance whose devices QEMU and Ganeti place.

QEMU without Ganeti: 2 disks, 2 NICs, and C{virtio-rng-pci} devices for what
QEMU places itself. For each way: with how many of those does QEMU start, how
long does it take until it runs, and does a guest with 9 of them (or as many as
start) go on elsewhere after its first disk was removed? Prints a table. The
design document quotes it.

"""

import argparse
import os
import statistics
import tempfile
import time

import bare

OWN = ["-device", "virtio-rng-pci"]
FEW = 4
MANY = 9


def devices(slots):
  """Make two disks and two NICs.

  @param slots: list of four ints; C{None} where QEMU chooses

  """
  return [bare.Device("d%d" % number, number < 2, {"bus": "pci.0"}
                      if slot is None else
                      {"bus": "pci.0", "addr": "0x%x" % slot})
          for number, slot in enumerate(slots)]


class Way(object):
  """One way; the rest is as in unmodified Ganeti 2.16 and later."""

  name = "unmodified, 2.16 and later"
  slots = [12, 13, 14, 15]

  def __init__(self, folder):
    self._folder = folder

  def command(self, there, own):
    """Return QEMU's options.

    @param there: list of L{bare.Device}
    @param own: list of strings, options of what QEMU places

    """
    return own + [word for device in there for word in bare.options_of(device)]

  def start(self, own, options=()):
    """Start an instance, up to where it runs.

    @rtype: tuple (L{bare.Guest}, list of L{bare.Device})

    """
    there = devices(self.slots)
    guest = bare.Guest(self._folder, "source", ["-S"] + list(options) +
                       self.command(there, own))
    guest.execute("cont")
    return (guest, there)

  def restart_options(self, _guest, own):
    """Return the options of QEMU's own for another start."""
    return own


class QemuChooses(Way):
  name = "QEMU chooses all"
  slots = [None] * 4


class GanetiFirst(Way):
  name = "disks and NICs first"
  slots = [8, 9, 24, 25]

  def command(self, there, own):
    return super().command(there, []) + own


class ReadBack(GanetiFirst):
  name = "first, QEMU's own noted"

  def restart_options(self, guest, own):
    known = guest.execute("query-pci")[0]["devices"]
    slots = sorted(d["slot"] for d in known if d["id"]["device"] == 0x1005)
    return [word for slot in slots for word in
            ["-device", "virtio-rng-pci,bus=pci.0,addr=0x%x" % slot]]


class Preflight(Way):
  name = "asked while paused"

  def start(self, own, options=()):
    guest = bare.Guest(self._folder, "source", ["-S"] + list(options) + own)
    try:
      free = sorted(set(range(32)) - set(guest.slots()))
      # QEMU says itself if there is no room
      there = devices((free + [31] * 4)[:4])
      for device in there:
        guest.add(device)
      # the firmware is to see them as at any boot
      guest.execute("system_reset")
      guest.execute("cont")
    except bare.QemuError:
      guest.stop()
      raise
    return (guest, there)


class Trial(Way):
  name = "after a trial start"

  def start(self, own, options=()):
    trial = bare.Guest(self._folder, "trial", ["-S"] + list(options) + own)
    free = sorted(set(range(32)) - set(trial.slots()))
    trial.stop()
    # QEMU says itself if there is no room
    self.slots = (free + [31] * 4)[:4]
    return super().start(own, options)


WAYS = [Way, QemuChooses, GanetiFirst, ReadBack, Preflight, Trial]


def most(way):
  """Return with how many devices of QEMU's own it starts."""
  count = 0
  while True:
    try:
      guest, _ = way.start(OWN * (count + 1))
    except bare.QemuError:
      return count
    guest.stop()
    count += 1


def milliseconds(way):
  start = time.perf_counter()
  guest, _ = way.start(OWN * FEW)
  took = (time.perf_counter() - start) * 1000
  guest.stop()
  return took


def migrate(way, folder, count):
  """Boot, remove the first disk, migrate; returns how that ended."""
  source, there = way.start(OWN * count, bare.kernel(folder))
  target = None
  try:
    source.agree(there)
    own = way.restart_options(source, OWN * count)
    source.remove(there.pop(0))
    source.agree(there)
    # a disk is removed before its PCI device is
    before = source.report()
    path = os.path.join(folder, "migration")
    target = bare.Guest(folder, "target", bare.kernel(folder) +
                        ["-incoming", "unix:" + path] +
                        way.command(there, own))
    status = source.send_to(target, path)
    if status == "completed" and not target.is_as(before):
      status += ", but the guest sees other devices"
    return status
  except bare.QemuError as err:
    return "none: %s" % err
  finally:
    for guest in (source, target):
      if guest is not None:
        guest.stop()


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--rounds", type=int, default=20)
  parser.add_argument("--only", default="", help="ways whose name has this")
  options = parser.parse_args()
  form = "%-28s  %6s  %9s  %s"
  bare.begin("n = %d" % options.rounds, form, [
    "", "own", "start, ms", "migration with 9 of QEMU's own"])
  with tempfile.TemporaryDirectory() as folder:
    bare.build_guest(folder)
    ways = [way(folder) for way in WAYS if options.only in way.name]
    taken = [[] for _ in ways]
    for number in range(options.rounds + 1):
      for way, found in list(zip(ways, taken))[::-1 if number % 2 else 1]:
        took = milliseconds(way)
        # the first round is not counted
        if number:
          found.append(took)
    for way, found in zip(ways, taken):
      own = most(way)
      count = min(MANY, own)
      status = migrate(way, folder, count)
      if count < MANY:
        status = "(with %d) %s" % (count, status)
      bare.show(form, [way.name, own, "%.0f" % statistics.median(found),
                       status])


if __name__ == "__main__":
  main()
