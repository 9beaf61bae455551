"""Unmodified Ganeti's hypervisor, and ours on top, without a QEMU.

What would reach out of the test (QEMU, taps, the monitor) is replaced and noted
down; everything else is what the Ganeti under test does.

"""

import copy
import os
import re

from ganeti import constants
from ganeti import errors
from ganeti import objects
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import chipset
from ganeti_kvm_pci import cooldown
from ganeti_kvm_pci import hypervisor
from ganeti_kvm_pci import process
from ganeti_kvm_pci import qemu_program
from ganeti_kvm_pci.qemu import command as command_
from ganeti_kvm_pci.qemu import machine_type

DEVLIST = "".join('name "%s", bus PCI\n' % name for name in (
  "virtio-blk-pci", "virtio-net-pci", "scsi-hd", "ide-hd", "e1000"))
MACHINE_TYPES = (
  "pc                   Standard PC (i440FX + PIIX, 1996)"
  " (alias of pc-i440fx-7.2)\n"
  "pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996) (default)\n"
  "q35                  Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-7.2)\n"
  "pc-q35-7.2           Standard PC (Q35 + ICH9, 2009)\n"
  "virt                 QEMU 7.2 ARM virtual board\n")
KVMHELP = ("QEMU emulator version 7.2.0\n-netdev tap\n-qmp dev\n-machine x\n"
           "-display x\n-uuid x\n")

#: How this Ganeti keeps addresses, and its types of devices.
SLOT_IN_PCI = not any(hasattr(hv_kvm.KVMHypervisor, name) for name in
                      ("_GetBusSlots", "_get_bus_manager"))
DISK = constants.HOTPLUG_TARGET_DISK
NIC = constants.HOTPLUG_TARGET_NIC

#: Ganeti's first slot: 2.16 and later leave kvm_pci_reservations to QEMU;
#: before, bridges and VGA have 0 to 2, and the balloon 3.
FIRST = 4 if SLOT_IN_PCI else 12

#: What a disk is hot-added from: link and URI; the link alone up to 2.10.2.
EXTRA = ("/dev/null", None)
if constants.RELEASE_VERSION.startswith("2.10.") and \
    not hasattr(hv_kvm, "_GetDriveURI"):
  EXTRA = "/dev/null"

UUID = "%08x-1111-2222-3333-%012x"


#: What the client's method for any command is called.
EXECUTE = [name for name in ("Execute", "execute_qmp")
           if hasattr(hv_kvm.QmpConnection, name)][0]


#: Devices that do not sit on pci.0 unless they name it.
_ELSEWHERE_RE = re.compile("usb-|scsi-|ide-|isa-|virtserial|virtconsole"
                           "|ne2k_isa|.*-(duplex|output|micro|cpu)$")


#: The first bus of a q35 guest.
ROOT = "pcie.0"

#: Where the object model has the vCPU that is always there.
BOOT_CPU = "/machine/unattached/device[0]"

#: What C{-drive if=virtio} makes.
_DRIVE = command_.DeviceOption(None, "virtio-blk-pci", None, None, None, False)


def _usual_driver(name):
  """Name the driver of what no command has told of."""
  for driver in ("virtio-blk-pci", "virtio-net-pci"):
    if re.match("(hot)?%s-" % {"blk": "disk", "net": "nic"}[driver[7:10]],
                name):
      return driver
  # no two of these are of one type
  return "type-of-" + name


def _driver_of(device, default):
  hvinfo = getattr(device, "hvinfo", None)
  return hvinfo["driver"] if hvinfo else default


class FakeQmp(object):
  """A monitor that answers from, and adds to, a list of devices."""

  def __init__(self, world):
    self.world = world
    self.supported_commands = None

  def __call__(self, path):
    self.world.calls.append(("QmpConnection", path))
    return self

  def connect(self):
    if not self.world.monitor:
      raise errors.HypervisorError("No monitor socket found")

  def close(self):
    self.world.calls.append(("close", ))

  def is_connected(self):
    return True

  def run(self, command, arguments=None):
    self.world.calls.append((command, arguments))
    if command == "query-pci":
      return [{"bus": 0, "devices": self.world.pci()}]
    if command == "qom-list":
      if arguments["path"] == "/machine/peripheral-anon":
        return [{"name": "device[%d]" % n, "type": "child<%s>" % driver}
                for n, (driver, _) in enumerate(self.world.unnamed)]
      if arguments["path"] == "/machine/peripheral":
        return [{"name": name, "type": "child<%s>" % (
                  self.world.drivers.get(name) or _usual_driver(name))}
                for name in sorted(list(self.world.bus.values()) +
                                   self.world.elsewhere) if name]
      if arguments["path"] == "/machine/unattached":
        return [{"name": "device[%d]" % n, "type": "child<%s>" % driver}
                for n, driver in enumerate(self.world.unattached)]
      return [{"name": name, "type": "x"}
              for name in self.world.properties(arguments["path"])]
    if command == "qom-get":
      if arguments == {"path": "/machine", "property": "memory"} and \
          self.world.memory:
        return self.world.memory
      if arguments == {"path": "/machine", "property": "type"}:
        return self.world.machine_type() + "-machine"
      if arguments["property"] == "type":
        return "type-of-" + arguments["path"].rpartition("/")[2]
      properties = self.world.properties(arguments["path"])
      if arguments["property"] not in properties:
        raise errors.HypervisorError(
          "kvm: error executing the qom-get command: Property 'x.%s' not found"
          " (GenericError):" % arguments["property"])
      return properties[arguments["property"]]
    if command == "query-cpus-fast":
      return [{"cpu-index": number} for number in range(self.world.vcpus)]
    if command == "query-hotpluggable-cpus":
      return [{"type": self.world.cpu, "qom-path": BOOT_CPU},
              {"type": self.world.cpu}] + [
                {"type": self.world.cpu, "qom-path": path}
                for path in self.world.vcpu_paths()]
    if command == "device_del":
      self.world.unplug(arguments["id"])
    if command == "device-list-properties":
      return [{"name": "acpi-index", "type": "uint32"}]
    if command == "query-status":
      return {"status": self.world.state}
    if command in ("query-block", "query-block-jobs", "query-fdsets",
                   "query-named-block-nodes"):
      return []
    if command == "human-monitor-command":
      if arguments["command-line"].startswith("drive_add "):
        return "OK\r\n"
      if arguments["command-line"] == "info ramblock":
        return "".join("%24s    4 KiB  0x%016x 0x%016x 0x%016x\r\n" % (
          name, 4096, used, total)
                       for name, (used, total) in self.world.blocks.items())
      if arguments["command-line"] == "info qtree":
        return self.world.tree()
      return "".join("%s%s: index=0,type=tap,fd=20\r\n" % (
        " \\ " if name in self.world.bus.values() else "", name)
                     for name in self.world.netdevs)
    if command == "netdev_del":
      self.world.netdevs.remove(arguments["id"])
    return {}

  def HotAddDisk(self, disk, *args, **_):
    for arg in args:
      if callable(arg): # 3.0: adds the drive
        arg("/dev/fdset/1")
    name = args[0] if SLOT_IN_PCI else disk.hvinfo["id"]
    self.world.drivers[name] = _driver_of(disk, "virtio-blk-pci")
    self.world.plug(slot_of(disk), name)

  def HotAddNic(self, nic, devid, *_args, **_kwargs):
    self.world.drivers[devid] = _driver_of(nic, "virtio-net-pci")
    self.world.macs[devid] = nic.mac
    self.world.plug(slot_of(nic), devid)

  def HotDelNic(self, devid):
    self.world.unplug(devid)

  HotDelDisk = HotDelNic

  def HasDevice(self, devid):
    return devid in list(self.world.bus.values())

  def HasPCIDevice(self, device, devid):
    return self.world.bus.get(device.pci) == devid

  def GetCpuInformation(self):
    return [{"cpu-index": 0, "thread-id": 1}]

  def GetFreePCISlot(self):
    return min(slot for slot in range(32) if slot not in self.world.bus)

  def GetVersion(self):
    return (7, 2, 0)

  def HasDynamicAutoReadOnly(self):
    return True

  def __getattr__(self, name):
    if name in ("Execute", "execute_qmp", "sock"):
      raise AttributeError(name)
    return lambda *args, **kwargs: self.world.calls.append((name, ))


setattr(FakeQmp, EXECUTE, FakeQmp.__dict__["run"])


def slot_of(device):
  """Return a device's slot in the runtime file; on q35 its root port's."""
  if SLOT_IN_PCI:
    return device.pci
  hvinfo = device.hvinfo or {}
  if hvinfo.get("bus", "").startswith("rp"):
    return int(hvinfo["bus"][2:])
  return int(hvinfo["addr"], 16) if hvinfo.get("addr") else None


class RunResult(object):
  def __init__(self, failed, output):
    self.failed = failed
    self.fail_reason = "exited with exit code 1"
    self.output = self.stdout = output


def as_named(command):
  """Have a command that was sent name the machine type as the file does.

  @return: a new command

  """
  found = [{"pc-i440fx-7.2": "pc", "pc-q35-7.2": "q35"}.get(word, word)
           for word in command]
  return found[:-2] if str(found[-1]).startswith("type=pc-") else found


class World(object):
  """One node.

  @ivar bus: dict, slot to device id, the live pci.0; of a q35 guest, number of
      the root port to device id, and (ROOT, slot) to that of what is on pcie.0
  @ivar elsewhere: list of ids, live devices on other buses
  @ivar unnamed: list of (driver, slot), live devices without id; slot None for
      those on other buses
  @ivar scsi: dict, id of a live disk behind a SCSI controller to its number
  @ivar drivers: dict, id of a live device to its driver
  @ivar vcpus: int, how many vCPUs the live guest has
  @ivar cpu: string, their type
  @ivar memory: dict or None, what C{qom-get} gives for that of C{/machine}
  @ivar blocks: dict, name of a RAM block to its used and total size
  @ivar unattached: list of types, what the machine type has made
  @ivar running_type: string or None, the machine type of the live QEMU, if it
      is not that of QEMU 7.2
  @ivar settings: dict, id of a live device to what else QEMU tells of it
  @ivar macs: dict, id of a live NIC to its MAC address
  @ivar boots: whether a QEMU that is started makes the devices of its command
  @ivar calls: list of tuples, what was called, in order
  @ivar monitor: whether the monitor can be reached
  @ivar state: what QEMU says of the guest: "running", "paused", ...
  @ivar mapped: dict, slot to whether the guest has given it addresses
  @ivar refusal: what QEMU says when it is started, or None

  """
  def __init__(self, folder, monkeypatch):
    self.bus = {0: "", 1: "", 2: "", 3: ""}
    self.elsewhere = []
    self.netdevs = []
    self.unnamed = []
    self.scsi = {}
    self.drivers = {}
    self.macs = {}
    self.vcpus = 1
    self.cpu = "qemu64-x86_64-cpu"
    self.memory = None
    self.blocks = {}
    self.unattached = []
    self.running_type = None
    self.settings = {}
    self.boots = False
    self.calls = []
    self.monitor = True
    self.refusal = None
    self.state = "running"
    self.mapped = {}
    self.folder = folder
    self.running = False
    monkeypatch.setattr(hv_kvm, "QmpConnection", FakeQmp(self))
    # from 2.15 on, lists of descriptors; in 2.12, a list
    monkeypatch.setattr(hv_kvm, "OpenTap", lambda *args, **kwargs: (
      ("tap0", []) if "vnet_hdr" in kwargs else ("tap0", [], [])), False)
    # in 2.10, one descriptor; closing this one does no harm
    monkeypatch.setattr(hv_kvm, "_OpenTap",
                        lambda *args, **kwargs: ("tap0", -1), False)
    monkeypatch.setattr(hv_kvm.utils, "RunCmd", self.run)
    self.list_machine_types(monkeypatch, MACHINE_TYPES)
    # nobody here ejects twice
    for name in ("REST", "MOST"):
      monkeypatch.setattr(cooldown, name, 0.01)
    monkeypatch.setattr(process, "command", lambda _: [
      str(word) for word in self.commands()[-1]])

  @staticmethod
  def list_machine_types(monkeypatch, text):
    """Have Ganeti's usual QEMU list machine types."""
    ask = chipset._ask
    usual = constants.HVC_DEFAULTS[constants.HT_KVM]["kvm_path"]
    monkeypatch.setattr(chipset, "_LISTINGS", qemu_program.Answers(
      lambda path: (machine_type.Listing(text) if path == usual
                    else ask(path))))

  def run(self, command, **_):
    self.calls.append(("RunCmd", list(command)))
    # before it does anything
    unknown = [word for word in command
               if re.match("--.* ", str(word))]
    if unknown:
      return RunResult(True, "qemu-system-x86_64: %s: invalid option\n" %
                       unknown[0])
    # a script for a NIC is no QEMU
    self.running = self.running or "-name" in command
    if self.boots and "-name" in command:
      self.boot([str(word) for word in command])
    return RunResult(self.refusal is not None, self.refusal or "")

  def boot(self, command):
    """Have what QEMU makes of a command."""
    options = command_.devices(command)
    is_q35 = bool(command_.ports(command))
    self.bus = dict(((ROOT, n) if is_q35 else n, "") for n in range(3))
    self.bus.update((o.address[0], o.id or "") for o in options if o.address)
    self.unnamed, self.elsewhere, self.scsi = [], [], {}
    # in the order of their creation
    drives = [_DRIVE] * len(command_.virtio_drives(command))
    for option in ([o for o in options if not o.is_json] + drives +
                   [o for o in options if o.is_json]):
      slot = option.address[0] if option.address else None
      if slot is None and not _ELSEWHERE_RE.match(option.driver):
        # where the options put the ports is none of this world's affairs
        slot = min(n for n in [(ROOT, n) if is_q35 else n for n in range(99)]
                   if n not in self.bus)
        self.bus[slot] = option.id or ""
      if option.id:
        self.drivers[option.id] = option.driver
        mac = command_.keys_of(command[option.position]).get("mac")
        if mac:
          self.macs[option.id] = mac
      if not option.id:
        self.unnamed.append((option.driver, slot))
      elif slot is None:
        self.elsewhere.append(option.id)
        keys = command_.keys_of(command[option.position])
        if "scsi-id" in keys:
          self.scsi[option.id] = int(keys["scsi-id"])

  def regions(self, slot):
    """Tell the regions of what is on a slot."""
    if slot not in self.mapped:
      return []
    return [{"address": 0xfe000000 if self.mapped[slot] else -1}]

  def vcpu_paths(self):
    """Tell where the object model has the vCPUs that are devices."""
    return ["/machine/peripheral/%s" % name for name in self.elsewhere
            if self.drivers.get(name, "").endswith("-cpu")] + [
              "/machine/peripheral-anon/device[%d]" % at
              for at, (driver, _) in enumerate(self.unnamed)
              if driver.endswith("-cpu")]

  def properties(self, path):
    """Tell a device's properties, by its path in the object model."""
    if path == BOOT_CPU:
      return {"apic-id": self.vcpus - 1}
    name = path.rpartition("/")[2]
    if name in self.scsi:
      return {"parent_bus": "/machine/peripheral/scsi/scsi.0", "channel": 0,
              "scsi-id": self.scsi[name], "lun": 0}
    if name.startswith("device["):
      slot = self.unnamed[int(name[len("device["):-1])][1]
    else:
      slot = ([n for n, known in self.bus.items() if known == name] or
              [None])[0]
    if slot is None:
      return dict(self.settings.get(name, {}))
    if isinstance(slot, tuple):
      found = {"parent_bus": "/machine/q35/pcie.0", "addr": slot[1] * 8}
    elif self.is_q35():
      found = {"parent_bus": "/machine/peripheral/rp%d/rp%d" % (slot, slot),
               "addr": 0}
    else:
      found = {"parent_bus": "/machine/i440fx/pci.0", "addr": slot * 8}
    if name in self.macs:
      found["mac"] = self.macs[name]
    found.update(self.settings.get(name, {}))
    return found

  def tree(self):
    """Be the answer to info qtree: of PCI devices, their numbers."""
    named = [name for name in list(self.bus.values()) + self.elsewhere if name]
    return "".join(
      '  dev: %s, id "%s"\r\n    acpi-index = %d (0x%x)\r\n' % (
        (driver, name) + (number, ) * 2)
      for driver, name, number in [("i440FX", "", 0)] + [
        (self.drivers.get(name) or _usual_driver(name), name,
         self.settings.get(name, {}).get("acpi-index", 0)) for name in named])

  def machine_type(self):
    """Tell what the live QEMU is."""
    return self.running_type or ("pc-q35-7.2" if self.is_q35() else
                            "pc-i440fx-7.2")

  def is_q35(self):
    """Tell whether the guest has root ports."""
    return (ROOT, 0) in self.bus

  def pci(self):
    """Be the answer to query-pci."""
    if not self.is_q35():
      return [self.function(slot, slot, name)
              for slot, name in sorted(self.bus.items())]
    found = [self.function((ROOT, n), n % 32, self.bus[ROOT, n])
             for _, n in sorted(key for key in self.bus
                                if isinstance(key, tuple))]
    for device in found:
      port = device["qdev_id"][2:] if device["qdev_id"].startswith("rp") else ""
      if port:
        on = int(port)
        device["pci_bridge"] = {"bus": {}, "devices": [
          self.function(on, 0, self.bus[on])] if on in self.bus else []}
    return found

  def function(self, slot, number, name):
    """Be query-pci's word on one device."""
    return {"slot": number, "function": 0, "qdev_id": name,
            "class_info": {"class": 255}, "regions": self.regions(slot),
            "id": {"vendor": 0x1af4, "device": 0x1000}}

  def plug(self, slot, devid):
    assert slot not in self.bus, "slot %s is taken" % slot
    self.bus[slot] = devid

  def unplug(self, devid):
    self.bus = dict((s, name) for s, name in self.bus.items() if name != devid)

  def hmp(self, line):
    """Be the human monitor, for the versions that hotplug by it.

    @return: text, as modern QEMU prints it; it has one line more to a device
        than the pattern of these versions expects

    """
    word, _, rest = line.partition(" ")
    keys = dict(part.partition("=")[::2] for part in rest.split(","))
    if word == "device_add":
      self.plug(int(keys["bus"][2:]) if keys.get("bus", "").startswith("rp")
                else int(keys["addr"], 16), keys["id"])
      if "mac" in keys:
        self.macs[keys["id"]] = keys["mac"]
    elif word == "device_del":
      self.unplug(rest)
    elif line == "info version":
      return "QEMU 7.2.0 monitor - type 'help' for more information"
    return "\n".join("  Bus  0, device %3d, function 0:\n\n\n\n\n\n\n"
                     '      id "%s"' % (slot, name)
                     for slot, name in self.bus.items()
                     if not isinstance(slot, tuple))

  def commands(self):
    """Return the commands that QEMU was started with."""
    return [call[1] for call in self.calls if call[0] == "RunCmd"]

  def hypervisor(self, cls=hypervisor.KVMHypervisor, note=()):
    """Make a hypervisor that stays within the world.

    @param note: methods whose calls are to be noted

    """
    world = self

    class Contained(cls):
      """Unmodified Ganeti's class, or ours, with its folders elsewhere."""
      _DIRS = []
      _CONF_DIR = world.folder
      _CTRL_DIR = world.folder
      _NICS_DIR = world.folder
      _UIDS_DIR = world.folder
      _PIDS_DIR = world.folder

      @classmethod
      def ValidateParameters(cls, hvparams):
        pass

      @classmethod
      def _GetKVMOutput(cls, kvm_path, option):
        return KVMHELP + DEVLIST

      @classmethod
      def _InstancePidAlive(cls, instance_name):
        return ("pidfile", 1, world.running)

      @classmethod
      def _InstanceNICDir(cls, instance_name):
        return world.folder

      @staticmethod
      def _ConfigureNIC(instance, seq, nic, tap):
        world.calls.append(("_ConfigureNIC", seq))

      @classmethod
      def _CallMonitorCommand(cls, instance_name, command, timeout=None):
        world.calls.append(("hmp", command))
        return RunResult(False, world.hmp(command))

      @staticmethod
      def _CallHotplugCommands(name, cmds):
        for command in cmds:
          world.calls.append(("hmp", command))
          world.hmp(command)

      def _PassTapFd(self, instance, fd, nic):
        pass

      def StopInstance(self, instance, force=False, retry=False, name=None,
                       timeout=None):
        world.calls.append(("StopInstance", ))
        world.running = False
        # as unmodified Ganeti does
        os.remove(self._InstanceKVMRuntime(instance.name))
        return True

    def noting(name):
      def method(self, *args, **kwargs):
        world.calls.append((name, args, kwargs))
        return getattr(super(Contained, self), name)(*args, **kwargs)
      return method

    for name in note:
      setattr(Contained, name, noting(name))
    return Contained()

  def slots(self, hyper, instance):
    """Read back the slots of disks and NICs from the runtime file."""
    runtime = hyper._LoadKVMRuntime(instance)
    return ([slot_of(entry[0]) for entry in runtime[3]],
            [slot_of(nic) for nic in runtime[1]])


def device_id(device_class, number, slot):
  """Return QEMU's id of a disk or NIC."""
  uuid = UUID % ({"disk": 0xd0, "nic": 0xa0}[device_class] + number, number)
  if SLOT_IN_PCI:
    return "hot%s-%s-pci-%d" % (device_class, uuid.split("-")[0], slot)
  return "%s-%s" % (device_class, uuid.rsplit("-", 2)[0])


def nic(number):
  return objects.NIC(uuid=UUID % (0xa0 + number, number),
                     mac="aa:00:00:00:00:%02x" % number,
                     nicparams={"mode": "bridged", "link": "br0"})


def disk(number):
  return objects.Disk(uuid=UUID % (0xd0 + number, number), mode="rw",
                      dev_type="file", params={})


def instance_of(nics=2, **hvparams):
  parameters = copy.deepcopy(constants.HVC_DEFAULTS[constants.HT_KVM])
  parameters.update(kernel_path="", vnc_bind_address="", kvm_extra="",
                    vhost_net=False)
  parameters.update(hvparams)
  return objects.Instance(
    name="vm1.example.com", uuid=UUID % (1, 1), hypervisor="kvm",
    hvparams=parameters, nics=[nic(n) for n in range(nics)],
    primary_node="node1",
    beparams={"maxmem": 128, "minmem": 128, "vcpus": 1,
              "always_failover": False})


def block_devices(disks):
  return [(disk(n), os.devnull, None) for n in range(disks)]
