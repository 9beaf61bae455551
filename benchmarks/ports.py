"""Two layouts of the 24 root ports of a q35 guest.

QEMU without Ganeti. Upstream's layout has each port in a slot of its own;
packed, they are functions of three slots. Ids, chassis and port numbers are
the same: rp3 to rp10 for 8 NICs, rp11 to rp26 for 16 disks. What is asked of
both, each a table of its own:

  - operations: how long does a boot take, a C{device_add}, and an unplug until
    the guest has completed it; what comes of many random operations; are two
    devices unplugged at once; does the guest go on in a QEMU that was started
    with the same options, and in one with the other layout?
  - windows: how many ports get a window for I/O ports, and what does the guest
    say of BARs that it could not assign?
  - room: how many devices without an address does QEMU start with beside them?
  - firmware: does it boot with SeaBIOS, and with OVMF where the environment
    variable C{OVMF} names a folder with C{OVMF_CODE_4M.fd}; how many of the
    disks does the firmware find?

Usage: C{python3 benchmarks/ports.py [--operations N] [--only LAYOUT]
[--tables TABLE,...]}; C{QEMU} names another QEMU.

"""

import argparse
import collections
import os
import random
import re
import shutil
import statistics
import tempfile
import time

import bare
import results_file

ABOUT = """\
QEMU without Ganeti. Two layouts of 24 root ports: random hot-adds and unplugs of
16 disks and 8 NICs; windows for I/O ports; how many devices without an address
QEMU starts with beside them; what the firmware finds.
"""

NICS = ["rp%d" % number for number in range(3, 11)]
DISKS = ["rp%d" % number for number in range(11, 27)]
PORTS = NICS + DISKS

TABLES = ["operations", "windows", "room", "firmware"]

#: A guest that is busy with one device is slow to see the next, in seconds.
PAUSE = 0.3

#: As long as a guest has to boot from a disk, in seconds.
FIRMWARE = 300

#: Where packed ports are: no device of QEMU's own asks for these. C{-usb}
#: takes 0x1d, an ICH9 has USB in 0x1a, sound in 0x1b, a bridge in 0x1e.
PACKED = [0x17, 0x18, 0x19]

#: One layout.
#:   - name: string
#:   - addresses: list of strings, of the ports on pcie.0
#:   - balloon: string, what is added to a device of QEMU's own
Layout = collections.namedtuple("Layout", ["name", "addresses", "balloon"])

LAYOUTS = [
  Layout("a slot each", ["0x%x" % number for number in range(3, 27)],
         ",bus=pcie.0,addr=0x2.0,multifunction=on"),
  Layout("packed", ["0x%x.%d%s" % (PACKED[number // 8], number % 8,
                                   "" if number % 8 else ",multifunction=on")
                    for number in range(24)], ""),
  ]


def options_of(layout):
  """Return QEMU's options for a guest without disks and NICs.

  @rtype: list of strings

  """
  options = ["-nodefaults", "-vga", "std", "-M", "q35",
             "-device", "virtio-balloon-pci,id=balloon" + layout.balloon]
  for port, address in zip(PORTS, layout.addresses):
    number = port[2:]
    options += ["-device", "pcie-root-port,id=%s,bus=pcie.0,chassis=%s,"
                "port=%s,addr=%s" % (port, number, number, address)]
  return options


class Guest(bare.Guest):
  """A running QEMU whose guest runs commands."""

  def run(self, line):
    """Run a line of shell in the guest; returns its output."""
    # the guest reads only between two reports
    self._serial.until("\nEND")
    self._serial.sock.sendall(b"\n" + line.encode("ascii") + b"\n")
    self._serial.until("RUN")
    return self._serial.until("\nRAN").replace("\r", "").strip()

  def request_unplug(self, device):
    """Have a guest asked to release a device; does not wait."""
    self.execute("device_del", id=device.name)

  def devices(self):
    """Return the ids of devices that QEMU has."""
    return set(item["name"] for item in
               self.execute("qom-list", path="/machine/peripheral"))


class Trial(object):
  """One layout, tried.

  @ivar attached: list of L{bare.Device}, in the order of their hot-adds
  @ivar adds: list of milliseconds
  @ivar removals: list of milliseconds

  """
  def __init__(self, layout, folder, seed):
    self.layout = layout
    self.folder = folder
    self.random = random.Random(seed)
    self.attached = []
    self.adds = []
    self.removals = []
    self.guest = None
    self._made = 0

  def _device(self, port):
    self._made += 1
    return bare.Device("d%d" % self._made, port in DISKS,
                       {"bus": port, "addr": "0x0"})

  def start(self, name, layout=None, more=()):
    """Start a QEMU with the devices that are attached, as Ganeti would."""
    options = (options_of(layout or self.layout) + bare.kernel(self.folder) +
               list(more))
    for device in self.attached:
      options += bare.options_of(device)
    return Guest(self.folder, name, options)

  def boot(self, ports=PORTS, more=()):
    """Boot a guest; returns seconds until it sees its devices."""
    self.attached = [self._device(port) for port in ports]
    start = time.perf_counter()
    self.guest = self.start("source", more=more)
    self.guest.agree(self.attached)
    return time.perf_counter() - start

  def operate(self, count):
    """Hot-add and hot-remove at random."""
    for _ in range(count):
      used = set(device.address["bus"] for device in self.attached)
      free = [port for port in PORTS if port not in used]
      if free and (not self.attached or self.random.random() < 0.5):
        device = self._device(self.random.choice(free))
        self.adds.append(self.guest.add(device))
        self.attached.append(device)
        time.sleep(PAUSE)
      else:
        device = self.random.choice(self.attached)
        self.removals.append(self.guest.remove(device))
        self.attached.remove(device)
    self.guest.agree(self.attached)

  def unplug_two(self):
    """Hot-remove two neighbours at once.

    @rtype: float
    @return: milliseconds until both were unplugged
    @raise bare.QemuError: if that does not happen, or others went as well

    """
    used = dict((device.address["bus"], device) for device in self.attached)
    for port in DISKS[-3:]:
      if port not in used:
        used[port] = self._device(port)
        self.guest.add(used[port])
        self.attached.append(used[port])
        time.sleep(PAUSE)
    self.guest.agree(self.attached)
    two = [used[port] for port in DISKS[-2:]]
    start = time.perf_counter()
    for device in two:
      self.guest.request_unplug(device)
    while self.guest.devices() & set(device.name for device in two):
      if time.perf_counter() - start > bare.PATIENCE:
        raise bare.QemuError("two at once are not unplugged")
      time.sleep(0.005)
    took = (time.perf_counter() - start) * 1000
    for device in two:
      self.attached.remove(device)
      # its PCI device is removed before its backend is free
      time.sleep(PAUSE)
      self.guest.execute("blockdev-del", node_name=device.name)
    self.guest.agree(self.attached)
    return took

  def migrate(self, layout=None):
    """Have the guest go on elsewhere; returns what came of it.

    @param layout: the target's, where that is another one

    """
    path = os.path.join(self.folder, "migration")
    self.guest.agree(self.attached)
    # a guest's disk may vanish from its report before its PCI device does
    before = self.guest.report()
    target = None
    try:
      target = self.start("target", layout, ["-incoming", "unix:" + path])
      status = self.guest.send_to(target, path)
      if status == "completed" and not target.is_as(before):
        status += ", but the guest sees other devices"
    except bare.QemuError as err:
      status = str(err)
    if status == "completed":
      target, self.guest = self.guest, target
    if target is not None:
      target.stop()
    return status

  def stop(self):
    if self.guest is not None:
      self.guest.stop()
      self.guest = None


def try_operations(trial, count):
  """Return a row, as far as it gets."""
  row = [trial.layout.name]
  other = [layout for layout in LAYOUTS if layout != trial.layout][0]
  try:
    row.append("%.1f" % trial.boot())
    trial.operate(count)
    row += ["%.1f" % statistics.median(trial.adds),
            "%.0f" % statistics.median(trial.removals),
            "%.0f" % trial.unplug_two()]
    status = trial.migrate()
    if status == "completed":
      trial.operate(count // 10)
    row.append("%d" % (len(trial.adds) + len(trial.removals)))
    row.append(status)
    if status == "completed":
      print("    to the other layout: %s" % trial.migrate(other))
      # the source goes on, or it would not be worth a refusal
      trial.guest.agree(trial.attached)
  except (bare.QemuError, OSError, AssertionError) as err:
    row += [""] * (5 - len(row)) + ["%d" % (len(trial.adds) +
                                            len(trial.removals))]
    row = row[:6] + ["none: %s" % err]
  finally:
    trial.stop()
  return row


#: What is in the ports while windows are counted: a name, the options of a
#: device without id and bus, and the ports.
CASES = [
  ("nothing", None, []),
  ("24 x virtio", "virtio-rng-pci", PORTS),
  ("8 x e1000", "e1000", NICS),
  ("14 x e1000", "e1000", PORTS[:14]),
  ("15 x e1000", "e1000", PORTS[:15]),
  ("15 x legacy virtio", "virtio-rng-pci,disable-legacy=off", PORTS[:15]),
  ]

#: What SeaBIOS says before it stops.
_STOPPED = "out of I/O address space"

#: Prints a line for each root port that has a window for I/O ports; resource
#: 7 of a bridge is that.
_WINDOWS = ("for d in /sys/bus/pci/devices/*; do read -r c < $d/class; "
            "[ $c = 0x060400 ] && sed -n 14p $d/resource; done")

_ERRORS = "dmesg | grep -iE 'failed to assign|can.t assign'"


def windows_of(guest):
  """Count the ports that have a window for I/O ports in the guest."""
  return sum(int(line.split()[0], 16) != 0
             for line in guest.run(_WINDOWS).split("\n")
             if line.startswith("0x"))


def firmware_log(folder):
  """Return options that have SeaBIOS write a log, and the log's path."""
  path = os.path.join(folder, "firmware.log")
  if os.path.exists(path):
    os.unlink(path)
  return (["-chardev", "file,id=log,path=" + path,
           "-device", "isa-debugcon,iobase=0x402,chardev=log"], path)


def read(path):
  with open(path, errors="replace") as stream:
    return stream.read()


def count_windows(layout, folder, case):
  """Return a row: windows and errors in the guest's log.

  Where the ports are empty, two e1000 are hot-added, into the first port for
  NICs and the last for disks: windows then, and NICs that the guest can use.

  """
  name, driver, ports = case
  more, log = firmware_log(folder)
  options = options_of(layout) + bare.kernel(folder) + more
  for number, port in enumerate(ports):
    options += ["-device", "%s,id=w%d,bus=%s,addr=0x0" %
                (driver, number, port)]
  row = [layout.name, name]
  guest = None
  try:
    guest = Guest(folder, "source", options)
    # where it goes on, its tables are the next that it writes
    while "Found ACPI" not in read(log) and "SMBIOS" not in read(log):
      if _STOPPED in read(log):
        raise bare.QemuError("SeaBIOS stops: " + _STOPPED)
      time.sleep(0.1)
    guest.report()
    row += ["%d" % windows_of(guest), guest.run(_ERRORS + " | wc -l")]
    if not ports:
      for port in (NICS[0], DISKS[-1]):
        guest.execute("device_add", driver="e1000", id="hot" + port, bus=port,
                      addr="0x0")
        time.sleep(10)
      row += ["%d" % windows_of(guest),
              guest.run("ls -d /sys/class/net/eth* 2>/dev/null | wc -l")]
    else:
      row += ["-", "-"]
    first = guest.run(_ERRORS + " | tail -n 1")
    row.append("last: " + (re.sub(r"^\[ *[\d.]+\] *", "", first) or "-"))
  except (bare.QemuError, OSError, AssertionError) as err:
    row += ["-"] * (6 - len(row)) + ["none: %s" % err]
  finally:
    if guest is not None:
      guest.stop()
  return row


def count_room(layout, folder):
  """Return a row: how many devices without an address it starts with."""
  counts = []
  words = ""
  for usb in ([], ["-usb"]):
    count = 0
    while True:
      try:
        Guest(folder, "source", options_of(layout) + usb + ["-S"] +
              ["-device", "virtio-rng-pci"] * (count + 1)).stop()
      except bare.QemuError as err:
        words = str(err)
        break
      count += 1
    counts.append("%d" % count)
  return [layout.name] + counts + ["last words: " + words]


def boot_firmware(layout, folder, name, disks):
  """Return a row: whether a guest boots, and what its firmware finds.

  OVMF boots it from the disk in the last port. SeaBIOS is given the kernel; it
  names the disks in its log.

  @param disks: how many there are
  @param name: C{SeaBIOS} or C{OVMF}

  """
  more, log = firmware_log(folder)
  options = options_of(layout) + bare.kernel(folder) + more
  if name == "OVMF":
    options = options_of(layout) + boot_disk(folder)
    options += ["-drive", "if=pflash,format=raw,readonly=on,file=" +
                os.path.join(os.environ["OVMF"], "OVMF_CODE_4M.fd"),
                "-drive", "if=pflash,format=raw,file=" +
                os.path.join(folder, "vars.fd")]
    shutil.copy(os.path.join(os.environ["OVMF"], "OVMF_VARS_4M.fd"),
                os.path.join(folder, "vars.fd"))
    disks -= 1
  devices = ([bare.Device("n%s" % port, False, {"bus": port, "addr": "0x0"})
              for port in NICS] +
             [bare.Device("d%s" % port, True, {"bus": port, "addr": "0x0"})
              for port in DISKS[:disks]])
  for device in devices:
    options += bare.options_of(device)
  if name == "OVMF":
    devices.append(bare.Device("boot", True, {}))
  row = [layout.name, name]
  guest = None
  try:
    start = time.perf_counter()
    guest = Guest(folder, "source", options)
    guest.agree(devices)
    row.append("%.1f" % (time.perf_counter() - start))
    if name == "OVMF":
      row.append("1: it booted from the disk on %s" % DISKS[-1])
    else:
      row.append("%d" % len(set(re.findall(r"found virtio-blk at (\S+)",
                                           read(log)))))
  except (bare.QemuError, OSError, AssertionError) as err:
    row += [""] * (3 - len(row)) + ["none: %s" % err]
  finally:
    if guest is not None:
      guest.stop()
  return row


def boot_disk(folder):
  """Make a disk whose EFI shell boots Linux; returns QEMU's options."""
  files = os.path.join(folder, "disk")
  if not os.path.exists(files):
    os.mkdir(files)
    release = sorted(name for name in os.listdir("/boot")
                     if name.startswith("vmlinuz-"))[-1]
    shutil.copy(os.path.join("/boot", release),
                os.path.join(files, "linux.efi"))
    shutil.copy(os.path.join(folder, "initrd.gz"),
                os.path.join(files, "initrd.gz"))
    with open(os.path.join(files, "startup.nsh"), "w") as stream:
      stream.write("fs0:\r\nlinux.efi initrd=initrd.gz console=ttyS0 quiet "
                   "no_timer_check\r\n")
  return ["-drive", "if=none,id=boot,format=raw,readonly=on,file=fat:" + files,
          "-device", "virtio-blk-pci,id=boot,drive=boot,bus=%s,addr=0x0,"
          "bootindex=0" % DISKS[-1]]


def add(results, trial, row):
  """Add what operations have shown to the results.

  @param row: of L{try_operations}

  """
  name, first = trial.layout.name, LAYOUTS[0].name
  for group, values in (("Hot-add on a root port, QEMU alone", trial.adds),
                        ("Unplug on a root port, QEMU alone", trial.removals)):
    known = [found for found in results.rows
             if (found["group"], found["row"]) == (group, first)]
    if values:
      results.add(group, name, "ms", values, to=first if known else None)
  tell(results, "Operations: boot in s, migration", [name, row[1], row[-1]])


def tell(results, group, row):
  """Add a row that was printed to the results."""
  results.tell(group, row[0], ", ".join(str(cell) for cell in row[1:]))


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--operations", type=int, default=1000)
  parser.add_argument("--seed", type=int, default=1)
  parser.add_argument("--only", default="", help="layouts whose name has this")
  parser.add_argument("--tables", default=",".join(TABLES))
  options = parser.parse_args()
  tables = options.tables.split(",")
  layouts = [layout for layout in LAYOUTS if options.only in layout.name]
  results = results_file.Results(
    "ports", "Root ports in two layouts", ABOUT,
    {"operations": options.operations, "seed": options.seed, "tables": tables})
  with tempfile.TemporaryDirectory() as folder:
    bare.build_guest(folder)
    if "operations" in tables:
      form = "%-12s  %7s  %7s  %10s  %6s  %10s  %s"
      bare.begin("seed %d" % options.seed, form, [
        "", "boot, s", "add, ms", "remove, ms", "2, ms", "operations",
        "migration"])
      for layout in layouts:
        trial = Trial(layout, folder, options.seed)
        row = try_operations(trial, options.operations)
        bare.show(form, row)
        add(results, trial, row)
    if "windows" in tables:
      form = "%-12s  %-20s  %7s  %6s  %7s  %6s  %s"
      bare.begin("windows for I/O ports", form, [
        "", "in the ports", "windows", "errors", "hot", "NICs",
        "last error"])
      for layout in layouts:
        for case in CASES:
          row = count_windows(layout, folder, case)
          bare.show(form, row)
          tell(results, "Windows: " + case[0], [layout.name] + row[2:])
    if "room" in tables:
      form = "%-12s  %7s  %7s  %s"
      bare.begin("devices without an address", form, [
        "", "beside", "-usb", "then"])
      for layout in layouts:
        row = count_room(layout, folder)
        bare.show(form, row)
        tell(results, "Devices beside the ports, with -usb", row)
    if "firmware" in tables:
      form = "%-12s  %-8s  %7s  %s"
      bare.begin("firmware, 16 disks, 8 NICs", form, [
        "", "", "boot, s", "disks found"])
      names = ["SeaBIOS"] + (["OVMF"] if "OVMF" in os.environ else [])
      for layout in layouts:
        for name in names:
          row = boot_firmware(layout, folder, name, len(DISKS))
          bare.show(form, row)
          tell(results, "Firmware: " + name, [layout.name] + row[2:])
  if not options.only:
    results.write()


if __name__ == "__main__":
  main()
