"""A node: a hypervisor of the tree with its files in a folder of its own.

Replaced is the script that connects a tap (there is no bridge), and QEMU may
take longer to answer. And what QEMU of today takes amiss in older versions is
made good, see L{old_releases}.

"""

import copy
import json
import os
import re
import signal
import sys
import time

import pytest

from ganeti import constants
from ganeti import objects
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import versions
from ganeti_kvm_pci.errors import GanetiError

import old_releases
import old_qemu
from line_socket import Socket

NAME = "vm1.example.com"
UUID = "%08x-1111-2222-3333-%012x"
QEMU = os.environ.get("QEMU", "qemu-system-x86_64")

#: The machine type of all guests but those that a test gives another.
MACHINE_TYPE = os.environ.get("MACHINE_TYPE") or "pc"

#: Whether Ganeti itself gives a q35 guest root ports.
HAS_ROOT_PORTS = hasattr(hv_kvm.QmpConnection, "WaitForDeviceClaim")

ON_PC = MACHINE_TYPE == "pc"

#: As long as a guest, or a migration, may take on a busy host, in seconds.
PATIENCE = 120

#: What a disk or NIC has one of.
UNIT = "slot" if ON_PC else "port"

#: For what a root port cannot be without: hotplug, even with acpi=False.
ON_PC_ONLY = pytest.mark.skipif(
  not ON_PC, reason="a root port of q35 has hotplug without ACPI")

#: For what Ganeti's own q35 does not have, or refuses.
NOT_ON_GANETIS_Q35 = pytest.mark.skipif(
  not ON_PC and HAS_ROOT_PORTS, reason="not with Ganeti's own q35")

DISK = constants.HOTPLUG_TARGET_DISK
NIC = constants.HOTPLUG_TARGET_NIC

#: What the first device's UUID begins with.
FIRST = {DISK: 0xd0, NIC: 0xa0}

#: Attribute of Ganeti's client: for how long it waits for an answer of QEMU's.
#: The second name is that of 3.1 and later.
(TIME_LIMIT, ) = [name for name in ("_SOCKET_TIMEOUT", "_QMP_TIMEOUT")
                  if hasattr(hv_kvm.QmpConnection, name)]
# on a host that has much else to do, QEMU can take longer than Ganeti's 5 s
setattr(hv_kvm.QmpConnection, TIME_LIMIT, 30)


def times(name, on_pc, on_q35):
  """Return how often a test does something.

  @param name: variable of the environment that says so
  @param on_pc, on_q35: what it is without, by L{MACHINE_TYPE}

  """
  return int(os.environ.get(name) or (on_pc if ON_PC else on_q35))


def boot(guest):
  """Return the parameters with which an instance boots the lab's guest.

  A guest's timer may be late when its host is busy; Linux would panic at that.
  The rest shortens the boot of an emulated guest, as in C{lab/up}.

  @param guest: folder, what the fixture of that name gives

  """
  return {"kernel_path": os.path.join(guest, "vmlinuz"),
          "initrd_path": os.path.join(guest, "initrd.gz"),
          "kernel_args": "quiet mitigations=off cryptomgr.notests audit=0"
                         " no_timer_check"}


def unknown():
  """Return why the plugin does not fit this Ganeti, or None."""
  try:
    versions.check(constants, hv_kvm)
  except GanetiError as err:
    return str(err)
  return None


def unfit(which):
  """Return why unmodified Ganeti, or the plugin, has no guest here, or None.

  """
  if which == "plugin":
    reason = unknown()
    return reason and "the plugin does not know this Ganeti: %s" % reason
  if not ON_PC and not HAS_ROOT_PORTS:
    return "unmodified Ganeti gives a q35 guest no root ports here"
  return None


def hypervisor_class(which):
  """Return unmodified Ganeti's class or the plugin's."""
  if which == "unmodified":
    return hv_kvm.KVMHypervisor
  from ganeti_kvm_pci import hypervisor
  return hypervisor.KVMHypervisor


def until(look, is_enough, timeout=60):
  """Look until it is enough, or nobody waits any longer.

  @type look: function
  @param look: returns what there is
  @type is_enough: function
  @param is_enough: told what there is, returns whether it is
  @return: what there was at the last look

  """
  deadline = time.time() + timeout
  while True:
    found = look()
    if is_enough(found) or time.time() > deadline:
      return found
    time.sleep(1)


def wait_until(predicate, what, timeout=PATIENCE):
  """Wait until something is true, and look often.

  @param predicate: function without arguments
  @param what: what is waited for, for the error message
  @return: the first true value that C{predicate} returns

  """
  deadline = time.time() + timeout
  while True:
    found = predicate()
    if found:
      return found
    assert time.time() < deadline, "not within %s s: %s" % (timeout, what)
    time.sleep(0.02)


class Node(object):
  """One node with at most one instance.

  @ivar hyper: the hypervisor object
  @ivar instance: the instance, once it was started
  @ivar vcpus: how many the instance is started with
  @ivar uptime: of its guest, in seconds, when it was last heard of

  """
  def __init__(self, which, folder, qemu=QEMU):
    self.folder = folder
    self.instance = None
    self.vcpus = 1
    self.uptime = None
    self.qemu = os.path.join(folder, "qemu")
    old_qemu.install(self.qemu, sys.executable, folder, qemu)
    self.hyper = self._contained(hypervisor_class(which))()

  def _contained(self, cls):
    """Give a class folders of its own."""
    folders = dict((name, os.path.join(self.folder, name.strip("_").lower()))
                   for name in ("_CONF_DIR", "_CTRL_DIR", "_PIDS_DIR",
                                "_NICS_DIR", "_UIDS_DIR", "_CHROOT_DIR",
                                "_CHROOT_QUARANTINE_DIR", "_KEYMAP_DIR"))
    attributes = dict(folders, _DIRS=sorted(folders.values()),
                      _ConfigureNIC=staticmethod(lambda *_, **__: None))
    if hasattr(cls, "_CallMonitorCommand"):
      attributes["_CallMonitorCommand"] = old_releases.commands(cls)
    # QEMU does not start if it cannot open its log
    hv_kvm.pathutils.LOG_KVM_DIR = self.folder
    # from 3.1 on, a script disconnects a tap as well
    hv_kvm.pathutils.KVM_NIC_SETUP = "/bin/true"
    return type("Contained", (cls, ), attributes)

  def image_path(self, number):
    """Return where a disk's image is."""
    return os.path.join(self.folder, "disk%d" % number)

  def image(self, number):
    """Make a disk image; return its path."""
    path = self.image_path(number)
    with open(path, "wb") as stream:
      stream.truncate(1 << 20)
    return path

  def start(self, disks=2, nics=2, paused=False, tags=(), **hvparams):
    """Start the instance.

    @param paused: leave the guest alone
    @param tags: the instance's
    @param hvparams: what differs from Ganeti's defaults

    """
    parameters = copy.deepcopy(constants.HVC_DEFAULTS[constants.HT_KVM])
    # on by default since 3.1, and a matter of the host's kernel
    parameters["vhost_net"] = False
    # a CPU mask wants a module that old versions alone use
    parameters.update(kvm_path=self.qemu, kernel_path="", cpu_mask="",
                      vnc_bind_address="")
    if not ON_PC:
      parameters["machine_version"] = MACHINE_TYPE
    parameters.update(hvparams)
    self.adopt(NAME, parameters)
    self.instance.nics = [nic(n) for n in range(nics)]
    if tags:
      self.instance.tags = set(tags)
    self.hyper.StartInstance(
      self.instance, [(disk(n), self.image(n), None) for n in range(disks)],
      paused)

  def adopt(self, name, hvparams):
    """Take over an instance that somebody else started."""
    self.instance = objects.Instance(
      name=name, uuid=UUID % (1, 1), hypervisor=constants.HT_KVM,
      hvparams=hvparams, nics=[], disk_template="file", network_port=11000,
      os="none", osparams={},
      beparams={"maxmem": 128, "minmem": 128, "vcpus": self.vcpus,
                "always_failover": False})

  def kvmhelp(self):
    return self.hyper._GetKVMOutput(self.qemu, self.hyper._KVMOPT_HELP)

  def start_from_file(self):
    """Start QEMU from the runtime file, as the target of a migration does."""
    runtime = self.hyper._LoadKVMRuntime(self.instance)
    self.hyper._ExecuteKVMRuntime(self.instance, runtime, self.kvmhelp())

  def log(self):
    """Return what QEMU has said so far."""
    path = os.path.join(self.folder, "%s.log" % NAME)
    if not os.path.exists(path):
      return ""
    with open(path) as stream:
      return stream.read()

  def pid(self):
    """Return the process of the instance's QEMU."""
    with open(self.hyper._InstancePidFile(self.instance.name)) as stream:
      return int(stream.read())

  def hot_add(self, dev_type, number, seq):
    if dev_type == NIC:
      self.hyper.HotAddDevice(self.instance, NIC, nic(number), None, seq)
    else:
      # 2.10.5 and before take the link alone
      extra = self.image(number)
      if not _takes_the_link_alone():
        extra = (extra, None)
      self.hyper.HotAddDevice(self.instance, DISK, disk(number), extra, seq)

  def hot_del(self, dev_type, number, seq):
    device = nic(number) if dev_type == NIC else disk(number)
    self.hyper.HotDelDevice(self.instance, dev_type, device, None, seq)

  def watch(self):
    """Connect to QEMU beside Ganeti."""
    qmp = Socket(old_qemu.watch_socket(self.folder, self.instance.name))
    assert "QMP" in qmp.line()
    qmp.execute("qmp_capabilities")
    return qmp

  def request_unplug(self, device_id):
    """Request an unplug once more, unless QEMU finds that too soon."""
    qmp = self.watch()
    try:
      answer = qmp.ask("device_del", id=device_id)
    finally:
      qmp.sock.close()
    assert "error" not in answer or re.search(
      "in the process of unplug|not found", answer["error"]["desc"]), answer

  def live(self, qmp=None):
    """Ask QEMU: dict, slot to id, empty where it has none.

    Of a q35 guest, number of the root port to id.

    @param qmp: what L{watch} gives; QEMU serves one of these at a time

    """
    qmp = qmp or self.watch()
    devices = root_bus(qmp)
    if not is_q35(qmp):
      return dict((d["slot"], d["qdev_id"]) for d in devices
                  if d["function"] == 0)
    found = {}
    ports = [d for d in devices if port_of(d["qdev_id"])]
    # the firmware gives them bus numbers; without, QEMU tells no more of them
    if all("devices" in d["pci_bridge"] for d in ports):
      return dict((port_of(d["qdev_id"]), other["qdev_id"]) for d in ports
                  for other in d["pci_bridge"]["devices"])
    for item in qmp.execute("qom-list", path="/machine/peripheral"):
      path = "/machine/peripheral/" + item["name"]
      names = [p["name"] for p in qmp.execute("qom-list", path=path)] \
        if item["type"].startswith("child<") else []
      port = "parent_bus" in names and qmp.execute(
        "qom-get", path=path, property="parent_bus").rpartition("/")[2]
      if port and port.startswith("rp"):
        found[int(port[2:])] = item["name"]
    return found

  def own(self):
    """Ask QEMU for the slots of its own devices.

    @return: those of the first bus that no root port is in

    """
    devices = root_bus(self.watch())
    return (set(d["slot"] for d in devices) -
            set(d["slot"] for d in devices if port_of(d["qdev_id"])) -
            (set(slot for entries in self.runtime_slots().values()
                 for _, slot in entries) if ON_PC else set()))

  def taps(self):
    """Return the descriptors of QEMU's taps."""
    text = self.watch().execute("human-monitor-command",
                                command_line="info network")
    return re.findall(r"\btype=tap,.*?\bfd=(\d+)", text)

  def runtime_slots(self):
    """Read the runtime file.

    @rtype: dict
    @return: type to a list of (first group of the UUID, slot)

    """
    with open(self.hyper._InstanceKVMRuntime(NAME)) as stream:
      _, nics, _, disks = json.load(stream)[:4]
    return {DISK: [_uuid_and_slot(entry[0]) for entry in disks],
            NIC: [_uuid_and_slot(entry) for entry in nics]}

  def numbers(self):
    """List what the runtime file has: (type, number) each."""
    return [(dev_type, number_of(dev_type, uuid))
            for dev_type, entries in self.runtime_slots().items()
            for uuid, _ in entries]

  def agreed_slots(self):
    """Return the slots of disks and NICs, on which file and QEMU agree."""
    runtime = self.runtime_slots()
    live = self.live()
    for dev_type, prefix in ((DISK, "disk"), (NIC, "nic")):
      known = dict((slot, uuid) for uuid, slot in runtime[dev_type]
                   if slot is not None)
      seen = dict((slot, name) for slot, name in live.items()
                  if re.match("(hot)?%s-" % prefix, name))
      assert sorted(known) == sorted(seen), (runtime, live)
      for slot, uuid in known.items():
        assert "-%s-" % uuid in seen[slot], (runtime, live)
    return ([slot for _, slot in runtime[DISK]],
            [slot for _, slot in runtime[NIC]])

  def wait_for_guest(self, timeout=120):
    """Wait until the guest is up.

    @return: list of strings, what it says of its devices

    """
    serial = Socket(self.hyper._InstanceSerial(self.instance.name), timeout)
    deadline = time.time() + timeout
    line = serial.line()
    while not line.startswith("REPORT"):
      assert time.time() < deadline, "the guest does not boot"
      line = serial.line()
    self.uptime = float(line.partition("up=")[2])
    lines = []
    while not lines or lines[-1] != "END":
      lines.append(serial.line().strip())
    return lines

  def report(self, timeout=120):
    """Wait for what the guest says of its devices: dict, word to the rest."""
    return dict(line.partition(":")[::2]
                for line in self.wait_for_guest(timeout))

  def begin(self, line):
    """Have the guest run a line that it does not come back from."""
    serial = Socket(self.hyper._InstanceSerial(self.instance.name), PATIENCE)
    deadline = time.time() + PATIENCE
    try:
      serial.sock.sendall(b"\n" + line.encode("ascii") + b"\n")
      # it says so before it runs it; one that missed it reports for ever
      while serial.line().strip() != "RUN":
        assert time.time() < deadline, "the guest does not run: %s" % line
    finally:
      serial.sock.close()

  def console(self, script):
    """Have the guest run a script on its serial console.

    @type script: string
    @rtype: list of strings
    @return: what it prints, by lines

    """
    serial = Socket(self.hyper._InstanceSerial(self.instance.name), 60)
    try:
      serial.sock.sendall(b"\n" + script.encode("ascii"))
      lines = [serial.line().strip()]
      # the guest says so after each script
      while not lines[-1].startswith("RAN"):
        lines.append(serial.line().strip())
      return lines[:-1]
    finally:
      serial.sock.close()

  def wait_until_guest_sees(self, disks, nics, timeout=120):
    """Wait until the guest has drivers for that many disks and NICs."""
    deadline = time.time() + timeout
    while True:
      seen = self.report(timeout)
      if (disks, nics) == tuple(len(seen.get(name, "").split())
                                for name in ("BLK", "NET")):
        return
      assert time.time() < deadline, ("the guest does not see %d disks, %d"
                                      " NICs: %s" % (disks, nics, seen))

  def has_native_hotplug(self):
    """Tell whether hotplug is the root ports' own, not ACPI's.

    It is up to QEMU 6.0.

    """
    version = self.watch().execute("query-version")["qemu"]
    return (MACHINE_TYPE != "pc" and
            (version["major"], version["minor"]) < (6, 1))

  def wait_for_ports(self):
    """Wait until the guest, which is up, takes what is plugged in.

    With hotplug of the root ports' own, Linux is still at the empty ones then,
    and switches off what is added meanwhile.

    """
    if self.has_native_hotplug():
      time.sleep(10)

  def stop(self):
    """End what runs, by its id."""
    pids = self.hyper._PIDS_DIR
    for name in os.listdir(pids) if os.path.isdir(pids) else []:
      with open(os.path.join(pids, name)) as stream:
        pid = int(stream.read())
      try:
        os.kill(pid, signal.SIGKILL)
      except OSError:
        continue
      while os.path.exists("/proc/%d" % pid):
        time.sleep(0.01)


def is_q35(qmp):
  """Ask a QEMU for its machine type."""
  return "q35" in qmp.execute("qom-get", path="/machine", property="type")


def root_bus(qmp):
  """Ask a QEMU for the devices on its first bus."""
  (bus, ) = [b for b in qmp.execute("query-pci") if b["bus"] == 0]
  return bus["devices"]


def pools(reservations=8):
  """Return the slots of disks and NICs, or the root ports.

  @param reservations: slots that are QEMU's, which q35 has no need of

  """
  if ON_PC:
    return {DISK: range(reservations, 24), NIC: range(24, 32)}
  return {DISK: range(11, 27), NIC: range(3, 11)}


def slots():
  """List what disks and NICs can have with 8 slots reserved."""
  return sorted(slot for pool in pools().values() for slot in pool)


def port_of(bus):
  """Return the number of the root port that a bus belongs to, or None."""
  match = re.match(r"rp(\d+)\Z", bus or "")
  return int(match.group(1)) if match else None


def at(slot):
  """Name a slot, or a root port, as error texts do."""
  return "%s %s%d" % (UNIT, "" if ON_PC else "rp", slot)


def _takes_the_link_alone():
  entries = getattr(hv_kvm, "_RUNTIME_ENTRY", {})
  return DISK in entries and entries[DISK]("d", "link") == ("d", "link", None)


def _uuid_and_slot(device):
  hvinfo = device.get("hvinfo") or {}
  slot = device.get("pci")
  if hvinfo.get("bus") == "pci.0":
    slot = int(hvinfo["addr"], 16)
  elif hvinfo.get("bus", "").startswith("rp"):
    slot = int(hvinfo["bus"][2:])
  return (device["uuid"].partition("-")[0], slot)


def number_of(dev_type, uuid):
  """Tell which device has a UUID, or the first group of one."""
  return int(uuid[:8], 16) - FIRST[dev_type]


def nic(number):
  return objects.NIC(uuid=UUID % (FIRST[NIC] + number, number), network=None,
                     mac="aa:00:00:00:00:%02x" % number,
                     nicparams={"mode": "bridged", "link": "br0"})


def disk(number):
  return objects.Disk(uuid=UUID % (FIRST[DISK] + number, number), mode="rw",
                      dev_type="file", params={}, size=1)
