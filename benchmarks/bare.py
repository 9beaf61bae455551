"""A QEMU without Ganeti, and the lab's guest in it."""

import collections
import os
import subprocess
import sys
import textwrap
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(TOP, "tests", "integration"))

from line_socket import Socket # pylint: disable=wrong-import-position

QEMU = os.environ.get("QEMU", "qemu-system-x86_64")

#: As long as anything may take, in seconds.
PATIENCE = 120

#: QEMU gives up a request to unplug that the guest did not see (before it had
#: a driver, say) after 5 s, and refuses another one until then.
ASK_AGAIN = 6

#: What is plugged in: an address is a dict of keys for device_add, C{bus} and
#: C{addr}, or one of them, or none.
Device = collections.namedtuple("Device", ["name", "is_disk", "address"])

_IMAGE = {"driver": "null-co", "size": 1 << 20, "read-zeroes": True}


class QemuError(Exception):
  """QEMU refuses a command, or ends."""


def version():
  """Return QEMU's version in its own words."""
  output = subprocess.check_output([QEMU, "--version"]).decode("ascii")
  return output.partition("\n")[0].partition(" version ")[2]


def show(form, row):
  """Print a row of a table.

  What stands after a colon in its last cell, QEMU's words, goes into a line of
  its own.

  """
  last, _, words = row[-1].partition(": ")
  print((form % tuple(row[:-1] + [last])).rstrip())
  if words:
    print("    " + textwrap.shorten(words, 74, placeholder=" ..."))
  sys.stdout.flush()


def begin(what, form, heads):
  """Print what was measured, with what and when, and a table's heads.

  @param what: string, e.g. the seed

  """
  print("QEMU %s, %s, load %.1f, %s" %
        (version(), what, os.getloadavg()[0], time.strftime("%F")))
  show(form, heads)


def build_guest(folder):
  """Make the lab's guest; its kernel and initrd are put into a folder."""
  subprocess.check_call([os.path.join(TOP, "lab", "guest"), folder])


def kernel(folder):
  """Return the options that boot it."""
  # an emulated timer may be late when the host is busy, and Linux would panic
  return ["-kernel", os.path.join(folder, "vmlinuz"), "-initrd",
          os.path.join(folder, "initrd.gz"), "-append",
          "console=ttyS0 quiet no_timer_check"]


def options_of(device):
  """Return what makes a device at a start.

  @type device: L{Device}
  @rtype: list of strings

  """
  address = "".join(",%s=%s" % item for item in sorted(device.address.items()))
  if device.is_disk:
    return ["-blockdev", "driver=null-co,size=1048576,read-zeroes=on,"
            "node-name=" + device.name,
            "-device", "virtio-blk-pci,id=%s,drive=%s%s" %
            (device.name, device.name, address)]
  return ["-netdev", "hubport,hubid=0,id=%s" % device.name, "-device",
          "virtio-net-pci,id=%s,netdev=%s%s" %
          (device.name, device.name, address)]


class Guest(object):
  """A running QEMU.

  @ivar took: milliseconds from the start of its process to its greeting

  """
  def __init__(self, folder, name, options):
    """Start it.

    @param folder: where its sockets go
    @raise QemuError: if it ends, with its last words

    """
    self._paths = [os.path.join(folder, name + end)
                   for end in (".qmp", ".serial")]
    for path in self._paths:
      if os.path.exists(path):
        os.unlink(path)
    start = time.perf_counter()
    self._process = subprocess.Popen(
      [QEMU, "-m", "256", "-display", "none", "-nic", "none",
       "-qmp", "unix:%s,server=on,wait=off" % self._paths[0],
       "-serial", "unix:%s,server=on,wait=off" % self._paths[1]] + options,
      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE)
    self._connections = []
    try:
      self._qmp = self._connect(self._paths[0])
      # QEMU listens before it has made its devices
      self._qmp.line()
      self.took = (time.perf_counter() - start) * 1000
      # at once: who listens only after a migration may hear nothing
      self._serial = self._connect(self._paths[1])
      self.execute("qmp_capabilities")
    except (AssertionError, OSError, QemuError) as err:
      self._process.kill()
      words = self.last_words()
      self.stop()
      raise QemuError(words if words != "-" else str(err))

  def _connect(self, path):
    deadline = time.time() + PATIENCE
    while time.time() < deadline:
      if self._process.poll() is not None:
        raise QemuError("QEMU has ended")
      try:
        self._connections.append(Socket(path, PATIENCE))
        return self._connections[-1]
      except (FileNotFoundError, ConnectionRefusedError):
        time.sleep(0.002)
    raise QemuError("nobody listens at %s" % path)

  def last_words(self):
    """Return why QEMU has ended, in its own words.

    Waits until it has.

    """
    text = self._process.stderr.read().decode("utf-8", "replace")
    lines = [line.partition(": ")[2].strip() for line in text.split("\n")]
    lines = [line for line in lines if line and "warning:" not in line] or ["-"]
    # which says that it has failed, and up to QEMU 10 no more than that
    return ([line for line in lines if "load of migration failed" not in line]
            or lines)[0]

  def execute(self, command, **arguments):
    """Run a command.

    @raise QemuError: if QEMU refuses it

    """
    try:
      return self._qmp.execute(command, **arguments)
    except (AssertionError, OSError) as err:
      raise QemuError("%s: %s" % (command, err))

  def slots(self):
    """Ask where the functions 0 of the first bus are.

    @rtype: dict
    @return: slot to id, C{""} where it has none

    """
    return dict((d["slot"], d["qdev_id"])
                for d in self.execute("query-pci")[0]["devices"]
                if d["function"] == 0)

  def report(self):
    """Wait for the guest's next word.

    @rtype: tuple of lists of strings
    @return: its PCI devices, disks and NICs
    @raise QemuError: if there is none

    """
    try:
      self._serial.until("\nPCI:")
      text = self._serial.until("\nEND")
    except (AssertionError, OSError) as err:
      raise QemuError("the guest says nothing: %s" % err)
    pci, _, rest = text.partition("BLK:")
    disks, _, nics = rest.partition("NET:")
    return (pci.split(), disks.split(), nics.split())

  def is_as(self, before):
    """Tell whether the guest reports what it did before it moved.

    What it was writing when it moved may have lost a few characters.

    @param before: see L{report}

    """
    return any(self.report() == before for _ in range(10))

  def agree(self, devices):
    """Wait until the guest sees these.

    @return: see L{report}

    """
    wanted = (sum(d.is_disk for d in devices),
              sum(not d.is_disk for d in devices))
    deadline = time.time() + PATIENCE
    while True:
      _, disks, nics = seen = self.report()
      if (len(disks), len(nics)) == wanted:
        return seen
      if time.time() > deadline:
        raise QemuError("the guest sees %d disks and %d NICs, not %d and %d" %
                        ((len(disks), len(nics)) + wanted))

  def add(self, device):
    """Plug a device in; returns the milliseconds of C{device_add}."""
    if device.is_disk:
      self.execute("blockdev-add", node_name=device.name, **_IMAGE)
      end = {"driver": "virtio-blk-pci", "drive": device.name}
    else:
      self.execute("netdev_add", type="hubport", hubid=0, id=device.name)
      end = {"driver": "virtio-net-pci", "netdev": device.name}
    start = time.perf_counter()
    self.execute("device_add", id=device.name, **dict(end, **device.address))
    return (time.perf_counter() - start) * 1000

  def remove(self, device):
    """Unplug a device; returns the milliseconds until QEMU has removed it."""
    start = asked = time.perf_counter()
    self.execute("device_del", id=device.name)
    while device.name in [item["name"] for item in self.execute(
        "qom-list", path="/machine/peripheral")]:
      if time.perf_counter() - asked > ASK_AGAIN:
        asked = time.perf_counter()
        if asked - start > PATIENCE:
          raise QemuError("the guest does not complete the unplug of %s" %
                          device.name)
        try:
          self.execute("device_del", id=device.name)
        except QemuError:
          pass # it is being asked
      time.sleep(0.005)
    took = (time.perf_counter() - start) * 1000
    deadline = time.time() + PATIENCE
    while True:
      try:
        if device.is_disk:
          self.execute("blockdev-del", node_name=device.name)
        else:
          self.execute("netdev_del", id=device.name)
        return took
      except QemuError:
        # it releases a device's backend a moment later
        if time.time() > deadline:
          raise
        time.sleep(0.02)

  def send_to(self, target, path):
    """Migrate, and wait for the end.

    @type target: L{Guest}
    @param path: the socket at which it waits
    @rtype: string
    @return: what became of it: QEMU's word, and the target's last ones if it
        has died

    """
    # with TCG, QEMU below 9 corrupts busy guests at its own defaults
    self.execute("migrate-set-parameters", max_bandwidth=1 << 30,
                 downtime_limit=10000)
    self.execute("migrate", uri="unix:" + path)
    deadline = time.time() + PATIENCE
    status = None
    while status not in ("completed", "failed"):
      status = self.execute("query-migrate").get("status")
      if time.time() > deadline:
        raise QemuError("the migration does not end")
      time.sleep(0.02)
    while target.is_running():
      if target.execute("query-status")["status"] != "inmigrate":
        return status
      if time.time() > deadline:
        raise QemuError("the target waits for more")
      time.sleep(0.02)
    return "%s, target dead: %s" % (status, target.last_words())

  def is_running(self):
    """Tell whether the process is there, after a moment if it is ending."""
    try:
      self._process.wait(0.05)
      return False
    except subprocess.TimeoutExpired:
      return True

  def stop(self):
    """End it."""
    self._process.kill()
    self._process.wait()
    self._process.stderr.close()
    for connection in self._connections:
      connection.sock.close()
