"""A guest of the soak: what it has to have, and what it is seen to have."""

import json

import cluster
import guest_view
import slots

#: Where a guest writes to each of its disks, in sectors.
SECTOR = 2048

#: Has the guest tell its boot; where each disk is and which one it is; and
#: write that, and the step, elsewhere on it.
LOOK = ("cat /proc/sys/kernel/random/boot_id; for d in /sys/block/[vs]d*; do"
        " [ -e $d ] && n=/dev/${d##*/} && cd -P $d/device || continue;"
        " blockdev --flushbufs $n; m=$(dd if=$n bs=36 count=1 2> /dev/null);"
        " echo ${n#/dev/} $PWD $m; echo $m %d | dd of=$n bs=512 seek=%d"
        " conv=fsync,notrunc 2> /dev/null; done; cd /")


class Disagreement(Exception):
  """Not what it has to be."""


def agree(are_equal, text, *args):
  """Raise L{Disagreement} unless something is so."""
  if not are_equal:
    raise Disagreement(text % args if args else text)


class Configuration(object):
  """What Ganeti's configuration has at one time."""

  def __init__(self):
    with open(cluster.CONFIG, encoding="utf-8") as config:
      self._data = json.load(config)

  def instance(self, name):
    return next(i for i in self._data["instances"].values()
                if i["name"] == name)

  def disks(self, name):
    """Return the UUIDs of an instance's disks, to the paths of their files."""
    return {uuid: self._data["disks"][uuid]["logical_id"][1]
            for uuid in self.instance(name)["disks"]}

  def nics(self, name):
    """Return the UUIDs of its NICs, to their MAC addresses."""
    return {nic["uuid"]: nic["mac"] for nic in self.instance(name)["nics"]}


class KeptGuest(object):
  """One guest.

  @ivar vm: L{cluster.Instance}
  @ivar runs: whether it has to run
  @ivar disks: UUIDs of those that the running guest has to have
  @ivar nics: the same of NICs
  @ivar boot: the boot that it was last seen in; None for any
  @ivar frozen: UUIDs, to the slots which they have to keep

  """
  def __init__(self, name, **kwargs):
    self.vm = cluster.Instance(name)
    self.vm.add(**kwargs)
    self.name = name
    self.runs = True
    self.boot = None
    self.frozen = {}
    self._marked = set()
    self.disks = self.nics = None
    self.boots()

  def __str__(self):
    return self.name.split(".")[0]

  def boots(self):
    """Take down that it was booted cold: it has what is configured."""
    config = Configuration()
    self.disks = set(config.disks(self.name))
    self.nics = set(config.nics(self.name))
    self.boot = None

  def takes_what_is_there(self):
    """Take the runtime file's devices for right, after what was cut short."""
    runtime = self.vm.runtime()
    self.nics = {nic["uuid"] for nic in runtime[1]}
    self.disks = {entry[0]["uuid"] for entry in runtime[3]}

  def is_as_configured(self):
    config = Configuration()
    return (self.disks == set(config.disks(self.name)) and
            self.nics == set(config.nics(self.name)))

  def freezes(self):
    """Take down the slots that its devices have to keep from now on."""
    disks, nics, _ = self._pieces()
    self.frozen = {uuid: slots.of(hvinfo) for uuid, hvinfo in
                   list(disks.items()) + list(nics.items())
                   if slots.of(hvinfo) is not None}

  def has_lost_a_file(self):
    """Tell whether it has a disk that is no longer configured."""
    return not self.disks <= set(Configuration().disks(self.name))

  def mark(self):
    """Write its UUID to each disk that is new, into the file."""
    for uuid, path in Configuration().disks(self.name).items():
      if uuid not in self._marked:
        with open(path, "r+b") as stream:
          stream.write(uuid.encode("ascii"))
        self._marked.add(uuid)

  def _pieces(self):
    """Return UUID, hvinfo of each device of the runtime file, and that."""
    runtime = self.vm.runtime()
    disks = {entry[0]["uuid"]: entry[0]["hvinfo"] for entry in runtime[3]}
    nics = {nic["uuid"]: nic["hvinfo"] for nic in runtime[1]}
    return disks, nics, runtime

  def look(self, step):
    """Check that all who know of the running guest say the same.

    The links to its disks are not looked at: hotplug leaves them behind, and
    C{grow-disk} of any disk has the first one's lead to that disk (Ganeti
    3.0.2, C{AssembleInstanceDisks}). What counts is what the guest reads, and
    where that is which it writes.

    @param step: number, which the guest writes to its disks

    """
    config = Configuration()
    paths = config.disks(self.name)
    macs = config.nics(self.name)
    disks, nics, runtime = self._pieces()
    agree(set(disks) == self.disks, "%s: runtime file has the disks %s, not %s",
          self, sorted(disks), sorted(self.disks))
    agree(set(nics) == self.nics, "%s: runtime file has the NICs %s, not %s",
          self, sorted(nics), sorted(self.nics))
    written = {nic["uuid"]: nic["mac"] for nic in runtime[1]}
    for uuid in set(nics) & set(macs):
      agree(written[uuid] == macs[uuid], "%s: NIC %s is %s in the runtime file,"
            " %s in the configuration", self, uuid, written[uuid], macs[uuid])
    self._qemu(disks, nics)
    self._guest(step, disks, nics, written, paths)

  def _qemu(self, disks, nics):
    """Compare with QEMU."""
    live = {device["qdev_id"]: device["slot"] for device in self.vm.pci()}
    on_bus = {}
    on_scsi = set()
    for hvinfo in list(disks.values()) + list(nics.values()):
      if slots.of(hvinfo) is None:
        on_scsi.add(hvinfo["id"])
      else:
        on_bus[hvinfo["id"]] = slots.of(hvinfo)
    found = {key: slot for key, slot in live.items()
             if key.startswith(("disk-", "nic-"))}
    agree(found == on_bus, "%s: QEMU has %s, the runtime file %s", self, found,
          on_bus)
    # by its path where the device with the id has the disk in another
    backends = {entry["qdev"].replace("/machine/peripheral/", "").split("/")[0]
                for entry in self.vm.qmp("query-block") if "inserted" in entry}
    names = {hvinfo["id"] for hvinfo in disks.values()}
    agree(backends == names, "%s: QEMU has the disks %s, the runtime file %s",
          self, backends, names)
    for uuid, slot in self.frozen.items():
      hvinfo = disks.get(uuid) or nics.get(uuid)
      agree(hvinfo is None or slots.of(hvinfo) == slot,
            "%s: %s is frozen in slot %s, and is in %s", self, uuid, slot,
            hvinfo)

  def _guest(self, step, disks, nics, macs, paths):
    """Compare with what the guest says, and its disks' data."""
    expected = {macs[uuid]: slots.of(hvinfo) for uuid, hvinfo in nics.items()}

    def is_there(report):
      return len(report.disks) == len(disks) and expected == {
        mac: slot for slot, mac in report.nics.values()}
    try:
      self.vm.guest(timeout=90, until=is_there)
    except cluster.LabError as err:
      raise Disagreement("%s: the guest has not %d disks, and NICs %s: %s" % (
        self, len(disks), expected, str(err)[-1500:]))
    seen = self.vm.guest(LOOK % (step, SECTOR), timeout=90)
    boot, *lines = seen.output.strip().split("\n")
    agree(self.boot in (None, boot), "%s: has booted, and was not to", self)
    self.boot = boot
    data = {}
    for line in lines:
      name, folder, mark = (line.split() + [None] * 3)[:3]
      data[mark] = (seen.disks[name], folder)
    agree(set(data) == self.disks, "%s: its disks hold %s, not %s", self,
          lines, sorted(self.disks))
    for uuid, (slot, folder) in data.items():
      hvinfo = disks[uuid]
      place = guest_view._place(folder)  # pylint: disable=W0212
      wanted = (slots.of(hvinfo) if slots.of(hvinfo) is not None else
                hvinfo.get("scsi-id"))
      agree(str(wanted) == (str(slot) if "id " not in place else
                            place.split("id ")[1]),
            "%s: disk %s is at %s in the guest, at %s in the runtime file",
            self, uuid, place, hvinfo)
      if uuid in paths:
        with open(paths[uuid], "rb") as stream:
          head = stream.read(36)
          stream.seek(SECTOR * 512)
          tail = stream.read(60).split(b"\n")[0]
        agree((head, tail) == (uuid.encode(), b"%s %d" % (uuid.encode(), step)),
              "%s: the file of disk %s holds %s and %s", self, uuid, head, tail)
