"""Guests that have to stay up, whatever is done to their nodes.

"""

#: As long as a busy guest may take, in seconds.
_PATIENCE = 600

#: Has the guest tell its boot and what disks begin with, past all caches.
_LOOK = ("cat /proc/sys/kernel/random/boot_id; for d in %s; do"
         " blockdev --flushbufs $d; echo $d $(dd if=$d bs=30 count=1"
         " 2> /dev/null | head -n 1 | tr -d '\\0'); done")


def mark(vm, names=None):
  """Write to disks which one each is.

  @param names: of disks in the guest; all of them where it is None

  """
  names = names or sorted(vm.guest(timeout=_PATIENCE).disks)
  done = vm.guest("for d in %s; do echo $d of %s | dd of=/dev/$d conv=fsync;"
                  " done" % (" ".join(names), vm.name), timeout=_PATIENCE)
  assert done.status == 0, done.output


def look(vm, names=("vd?", ), until=None):
  """Ask a guest for its boot, what its disks begin with, and a report.

  @param names: of disks in the guest, or patterns of them
  @param until: see L{cluster.Instance.guest}
  @return: which boot it is; dictionary of a disk's name to what is there; the
      L{dialogue.Report}

  """
  seen = vm.guest(_LOOK % " ".join("/dev/" + name for name in names),
                  timeout=_PATIENCE, until=until)
  (boot, *lines) = seen.output.strip().split("\n")
  return (boot, dict(line.replace("/dev/", "").partition(" ")[::2]
                     for line in lines), seen)


def marks(vm, names=("vd?", )):
  """Read what L{mark} has written; see L{look}."""
  return look(vm, names)[1]


def configured(vm):
  """Check that the runtime file has what Ganeti's configuration has."""
  config = vm.config()
  _, nics, _, disks = vm.runtime()[:4]
  assert sorted(nic["uuid"] for nic in nics) == sorted(
    nic["uuid"] for nic in config["nics"])
  assert sorted(entry[0]["uuid"] for entry in disks) == sorted(config["disks"])


class Guest(object):
  """A guest that has to stay up."""

  def __init__(self, vm, **kwargs):
    self.vm = vm
    vm.add(**kwargs)
    mark(vm)
    (self.boot, self.data, self.seen) = self._look()
    self.process = self._process()

  def _process(self):
    pid = self.vm.pid()
    assert pid
    return (self.vm.node(), pid)

  def _look(self, until=None):
    return look(self.vm, until=until)

  def slots(self):
    """Return the slots of disks and NICs, as the guest sees them."""
    return (sorted(self.seen.disks.values()),
            sorted(slot for slot, _ in self.seen.nics.values()))

  def is_up(self):
    """Check that nothing has become of it."""
    assert self._process() == self.process
    self._same_boot()

  def _same_boot(self, until=None):
    (boot, data, seen) = self._look(until)
    assert boot == self.boot and seen.uptime > self.seen.uptime
    if until is None:
      assert (seen.pci, seen.disks, seen.nics) == (
        self.seen.pci, self.seen.disks, self.seen.nics)
      assert data == self.data
    else:
      common = set(data) & set(self.data)
      assert common and all(data[n] == self.data[n] for n in common)
    (self.data, self.seen) = (data, seen)

  def moves(self, node):
    """Migrate it, and check that it is the same guest there."""
    self.vm.migrate(node)
    assert self.vm.node() == node
    self.process = self._process()
    assert self.process[0] == node
    self._same_boot()

  def hotplugs(self, added=True):
    """Have it get, or lose, a disk and a NIC, its last ones."""
    config = self.vm.config()
    (disks, nics) = (len(config["disks"]), len(config["nics"]))
    for option, what in (("--disk", "add:size=1G"), ("--net", "add")):
      if not added:
        what = "%d:remove" % ((disks if option == "--disk" else nics) - 1)
      output = self.vm.modify(option, what).output
      assert "hotplug:done" in output, output
    change = 1 if added else -1
    assert self._process() == self.process
    self._same_boot(lambda r: (len(r.disks), len(r.nics)) == (
      disks + change, nics + change))

  def boots(self, how):
    """Have it boot, where the documents say that it has to.

    Linux finds its disks again, whatever their slots.

    """
    before = self.boot
    how()
    (self.boot, data, self.seen) = self._look()
    assert self.boot != before and data == self.data
    self.process = self._process()

  def restarts(self):
    self.vm.stop()
    self.vm.start()
