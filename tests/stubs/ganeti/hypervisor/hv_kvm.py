"""The KVM hypervisor: one pool of slots for disks and NICs."""

import json
import re
import uuid

from ganeti import constants
from ganeti import errors
from ganeti import objects
from ganeti import utils


_HOT = "hot" if constants.STUB.startswith("pci") else ""

_RUNTIME_ENTRY = {
  _HOT + "nic": lambda device, extra: device,
  _HOT + "disk": lambda device, extra: (device, extra[0], extra[1]),
  }


class Bits(list):
  """As much of bitarray as slots are handled with."""

  def setall(self, value):
    self[:] = [value] * len(self)

  def Take(self):
    """Reserve the first free slot."""
    try:
      slot = self.index(False)
    except ValueError:
      raise errors.HypervisorError("no free slot")
    self[slot] = True
    return slot


def OpenTap(**_):
  raise NotImplementedError("tests replace this")


class QmpConnection(object):
  """Tests replace this."""

  def __init__(self, monitor_filename):
    self.monitor_filename = monitor_filename

  def connect(self):
    if constants.STUB in ("runtime", "busmanager"):
      raise IOError("no such file")
    raise errors.HypervisorError("No monitor socket found")

  def close(self):
    pass

  def _Run(self, command, arguments=None):
    raise errors.HypervisorError("not connected")

  if constants.STUB in ("runtime", "busmanager"):
    execute_qmp = _Run
    if constants.STUB == "busmanager":
      def WaitForDeviceClaim(self, devid, timeout=None):
        raise errors.HypervisorError("not connected")
  else:
    Execute = _Run


def _Bus(dev_type, hv_type):
  """Return the bus that Ganeti thinks a device is on.

  IDE disks and ISA NICs are thought to be on pci.0.

  """
  scsi = ("scsi-hd", "scsi-block", "scsi-generic", "scsi-cd")
  return "scsi.0" if dev_type == "disk" and hv_type in scsi else "pci.0"


def _Driver(dev_type, hv_type):
  virtio = {"disk": "virtio-blk-pci", "nic": "virtio-net-pci"}[dev_type]
  return virtio if hv_type == "paravirtual" else hv_type


class _Hypervisor(object):
  """What all versions have in common."""
  _CONF_DIR = "/var/run/ganeti/kvm-hypervisor/conf"
  _CTRL_DIR = "/var/run/ganeti/kvm-hypervisor/ctrl"
  _DIRS = []
  _KVMOPT_DEVICELIST = "devicelist"

  def __init__(self):
    self.qmp = None

  @classmethod
  def _InstanceNICFile(cls, instance_name, seq):
    return "%s/%s.nic%d" % (cls._CONF_DIR, instance_name, seq)

  def MigrationInfo(self, instance):
    return self._ReadKVMRuntime(instance.name)

  @classmethod
  def _InstanceQmpMonitor(cls, instance_name):
    return "%s/%s.qmp" % (cls._CTRL_DIR, instance_name)

  @classmethod
  def _InstanceKVMRuntime(cls, instance_name):
    return "%s/%s.runtime" % (cls._CONF_DIR, instance_name)

  @classmethod
  def _InstancePidAlive(cls, instance_name):
    return (instance_name, 0, False)

  @classmethod
  def ValidateParameters(cls, hvparams):
    pass

  @classmethod
  def _GetKVMOutput(cls, kvm_path, option):
    return ""

  @staticmethod
  def _ConfigureNIC(instance, seq, nic, tap):
    pass

  def _CallMonitorCommand(self, instance_name, command, timeout=None):
    raise NotImplementedError("tests replace this")

  def HotplugSupported(self, instance):
    self._CallMonitorCommand(instance.name, "info version")

  _Wrap = staticmethod(tuple)

  def _GenerateKVMRuntime(self, instance, block_devices, startup_paused,
                          kvmhelp):
    hvp = instance.hvparams
    self.ValidateParameters(hvp)
    kvm_cmd = [hvp["kvm_path"], "-name", instance.name,
               "-m", instance.beparams["maxmem"],
               "-machine", hvp["machine_version"] or "pc"]
    allocator = self._Allocator(hvp)
    kvm_cmd.extend(self._Balloon(allocator))
    kvm_cmd.extend(["-daemonize", "-D", "/nowhere/%s.log" % instance.name])
    if hvp["spice_bind"]:
      kvm_cmd.extend(["-device", self._Spice(allocator)])
    if hvp["kvm_extra"]:
      kvm_cmd.extend(hvp["kvm_extra"].split(" "))
    for disk, _, _ in block_devices:
      self._SetSlot("disk", disk, hvp, allocator)
    for nic in instance.nics:
      self._SetSlot("nic", nic, hvp, allocator)
    return self._Wrap([kvm_cmd, list(instance.nics), hvp, list(block_devices)])

  @staticmethod
  def _Balloon(_):
    return ["-device", "virtio-balloon"]

  @staticmethod
  def _Spice(_):
    return "virtio-serial-pci,id=spice"

  def _WriteKVMRuntime(self, instance_name, data):
    with open(self._InstanceKVMRuntime(instance_name), "w") as stream:
      stream.write(data)

  def _ReadKVMRuntime(self, instance_name):
    try:
      with open(self._InstanceKVMRuntime(instance_name)) as stream:
        return stream.read()
    except EnvironmentError as err:
      raise errors.HypervisorError("no runtime file: %s" % err)

  def _SaveKVMRuntime(self, instance, kvm_runtime):
    kvm_cmd, nics, hvparams, disks = kvm_runtime
    self._WriteKVMRuntime(instance.name, json.dumps(
      [kvm_cmd, [n.ToDict() for n in nics], hvparams,
       [(d.ToDict(), link, uri) for d, link, uri in disks]]))

  def _LoadKVMRuntime(self, instance, serialized_runtime=None):
    text = serialized_runtime or self._ReadKVMRuntime(instance.name)
    loaded = json.loads(text)
    kvm_cmd, nics, hvparams = loaded[:3]
    disks = self._Disks(loaded)
    self._Update(kvm_cmd, nics, hvparams, disks)
    return self._Wrap([
      kvm_cmd, [objects.NIC.FromDict(n) for n in nics], hvparams,
      [(objects.Disk.FromDict(d), link, uri) for d, link, uri in disks]])

  @staticmethod
  def _Disks(loaded):
    # up to 2.9, the disks stand in the command
    return loaded[3] if len(loaded) > 3 else []

  @staticmethod
  def _Update(kvm_cmd, nics, hvparams, disks):
    for nic in nics:
      nic.setdefault("uuid", str(uuid.uuid4()))

  def _RunKVMCmd(self, name, kvm_cmd, tap_fds=None):
    ran = utils.RunCmd(kvm_cmd, noclose_fds=tap_fds)
    if ran.failed:
      text = "Failed to start instance %s: %s (%s)"
      raise errors.HypervisorError(text % (name, ran.fail_reason, ran.output))

  def _ExecuteKVMRuntime(self, instance, kvm_runtime, kvmhelp, incoming=None):
    kvm_cmd, nics, hvparams, disks = kvm_runtime
    for seq, nic in enumerate(nics):
      tap = OpenTap(features={}, name="")[0]
      self._ConfigureNIC(instance, seq, nic, tap)
      option = self._Option("nic", nic, hvparams)
      kvm_cmd.extend(["-device", "%s,mac=%s" % (
        option or "%s,netdev=netdev%d" % (hvparams["nic_type"], seq),
        nic.mac)])
    if incoming:
      kvm_cmd.extend(["-incoming", "tcp:%s:%s" % incoming])
    for disk, link, _ in disks:
      # a disk that QEMU attaches by -drive alone needs no address
      option = self._Option("disk", disk, hvparams)
      kvm_cmd.extend(["-device", option] if option else [])
      kvm_cmd.extend(["-drive", "file=%s" % link])
    self._RunKVMCmd(instance.name, kvm_cmd, [])
    # once QEMU runs (2.5 to master)
    for seq in range(len(nics)):
      utils.WriteFile(self._InstanceNICFile(instance.name, seq), data="tap")

  def StartInstance(self, instance, block_devices, startup_paused):
    runtime = self._GenerateKVMRuntime(instance, block_devices, startup_paused,
                                       "")
    self._SaveKVMRuntime(instance, runtime)
    self._ExecuteKVMRuntime(instance, runtime, "")

  def StopInstance(self, instance, force=False, retry=False, name=None,
                   timeout=None):
    raise NotImplementedError("tests replace this")

  def RebootInstance(self, instance):
    if not self._InstancePidAlive(instance.name)[2]:
      raise errors.HypervisorError("not running")
    runtime = self._LoadKVMRuntime(instance)
    if not self.StopInstance(instance):
      self.StopInstance(instance, force=True)
    self._SaveKVMRuntime(instance, runtime)
    self._ExecuteKVMRuntime(instance, runtime, "")

  def AcceptInstance(self, instance, info, target):
    runtime = self._LoadKVMRuntime(instance, serialized_runtime=info)
    self._ExecuteKVMRuntime(instance, runtime, "", incoming=(target, 1))

  def FinalizeMigrationDst(self, instance, info, success):
    if not success:
      self.StopInstance(instance, force=True)
      return
    self._WriteKVMRuntime(instance.name, info)

  def MigrateInstance(self, cluster_name, instance, target, live):
    if not self._InstancePidAlive(instance.name)[2]:
      raise errors.HypervisorError("not running")

  def FinalizeMigrationSource(self, instance, success, live):
    pass

  def ListInstances(self, hvparams=None):
    return []

  def CleanupInstance(self, instance_name):
    if self._InstancePidAlive(instance_name)[2]:
      raise errors.HypervisorError("it runs")
    utils.RemoveFile(self._InstanceKVMRuntime(instance_name))

  def HotDelDevice(self, instance, dev_type, device, _, seq):
    runtime = self._LoadKVMRuntime(instance)
    device_class = dev_type.replace("hot", "")
    entries = runtime[1 if device_class == "nic" else 3]
    for entry in list(entries):
      known = entry if device_class == "nic" else entry[0]
      if known.uuid == device.uuid:
        self._Unplug(instance, dev_type, known)
        entries.remove(entry)
        self._SaveKVMRuntime(instance, runtime)
        return known.pci if constants.STUB.startswith("pci") else known.hvinfo
    raise errors.HotplugError("no such device")

  def _Keep(self, instance, runtime, dev_type, device, extra):
    """Write a device that was added to the runtime file."""
    if dev_type.endswith("disk"):
      runtime[3].append((device, extra[0], extra[1]))
    else:
      runtime[1].append(device)
    self._SaveKVMRuntime(instance, runtime)


def _OldId(dev_type, device):
  if not device.pci:
    raise errors.HotplugError("no slot")
  return "%s-%s-pci-%d" % (dev_type, device.uuid.split("-")[0], device.pci)


class _PciHypervisor(_Hypervisor):
  """2.10.2 to 2.12: C{device.pci}, and QEMU's devices addressed as well."""
  _DEFAULT_PCI_RESERVATIONS = "111" + "0" * 29
  _FIND_PCI_DEVICE_RE = staticmethod(
    lambda pci, devid: re.compile("device +%d,.* id \"%s\"" % (pci, devid)))

  def _Allocator(self, _):
    return Bits(bit == "1" for bit in self._DEFAULT_PCI_RESERVATIONS)

  @staticmethod
  def _Balloon(slots):
    return ["-balloon", "virtio,id=balloon,bus=pci.0,addr=%s" %
            hex(slots.Take())]

  @staticmethod
  def _Spice(slots):
    return ("virtio-serial-pci,id=spice,bus=pci.0,addr=%s" %
            hex(slots.Take()))

  @staticmethod
  def _SetSlot(_, device, _hvp, slots):
    device.pci = slots.Take()

  @staticmethod
  def _Option(dev_type, device, hvp):
    hv_type = hvp["%s_type" % dev_type]
    if dev_type == "disk" and hv_type != "paravirtual" or not device.pci:
      return None
    backend = {"disk": "drive", "nic": "netdev"}[dev_type]
    devid = _OldId("hot" + dev_type, device)
    return "%s,%s=%s,id=%s,bus=pci.0,addr=%s" % (
      _Driver(dev_type, hv_type), backend, devid, devid, hex(device.pci))

  def _Monitor1(self, instance, command):
    self._CallMonitorCommand(instance.name, command)

  def HotAddDevice(self, instance, dev_type, device, extra, seq):
    if device.pci is None:
      device.pci = 0
      self._CallMonitorCommand(instance.name, "info pci")
    devid = _OldId(dev_type, device)
    runtime = self._LoadKVMRuntime(instance)
    driver = _Driver(dev_type[3:], "paravirtual")
    self._Monitor1(instance, "device_add %s,bus=pci.0,addr=%s,id=%s" %
                   (driver, hex(device.pci), devid))
    self._VerifyHotplugCommand(instance.name, device, dev_type, True)
    self._Keep(instance, runtime, dev_type, device, extra)

  def _Unplug(self, instance, dev_type, device):
    self._Monitor1(instance, "device_del %s" % _OldId(dev_type, device))
    self._VerifyHotplugCommand(instance.name, device, dev_type, False)

  def _VerifyHotplugCommand(self, instance_name, device, dev_type,
                            should_exist):
    output = self._CallMonitorCommand(instance_name, "info pci")
    found = self._FIND_PCI_DEVICE_RE(device.pci, _OldId(dev_type, device))
    if bool(found.search(output.stdout)) != should_exist:
      raise errors.HypervisorError("hotplug failed")

  def HotModDevice(self, instance, dev_type, device, _, seq):
    if dev_type == constants.HOTPLUG_TARGET_NIC:
      device.pci = self.HotDelDevice(instance, dev_type, device, _, seq)
      self.HotAddDevice(instance, dev_type, device, _, seq)


class _PciQmpHypervisor(_PciHypervisor):
  """2.13 to 2.15: the same by QMP."""

  def HotAddDevice(self, instance, dev_type, device, extra, seq):
    qmp = QmpConnection(self._InstanceQmpMonitor(instance.name))
    if device.pci is None:
      device.pci = qmp.GetFreePCISlot()
    runtime = self._LoadKVMRuntime(instance)
    if dev_type == "hotdisk":
      qmp.HotAddDisk(device, _OldId(dev_type, device), extra[0])
    else:
      qmp.HotAddNic(device, _OldId(dev_type, device))
    self._Keep(instance, runtime, dev_type, device, extra)

  def _Unplug(self, instance, dev_type, device):
    qmp = QmpConnection(self._InstanceQmpMonitor(instance.name))
    qmp.HotDelDisk(_OldId(dev_type, device))


class _HvinfoHypervisor(_Hypervisor):
  """2.16 and 3.0: C{device.hvinfo}, a bus of its own for SCSI disks."""

  def VerifyHotplugSupport(self, instance, action, dev_type):
    pass # a QEMU of the tests has all commands

  @staticmethod
  def _Update(kvm_cmd, nics, hvparams, disks):
    _Hypervisor._Update(kvm_cmd, nics, hvparams, disks)
    for device_class, devices in (("nic", nics),
                                  ("disk", [d[0] for d in disks])):
      for device in devices:
        if "hvinfo" in device:
          continue
        device["hvinfo"] = {}
        if "pci" in device:
          slot = device.pop("pci")
          device["hvinfo"] = {
            "driver": _Driver(device_class, hvparams["%s_type" % device_class]),
            "id": "hot%s-%s-pci-%s" % (
              device_class, device["uuid"].split("-")[0], slot),
            "bus": "pci.0", "addr": hex(slot),
            }
    if "-balloon" in kvm_cmd:
      at = kvm_cmd.index("-balloon")
      words = ["virtio-balloon"] + kvm_cmd[at + 1].split(",")[1:]
      kvm_cmd[at:at + 2] = ["-device", ",".join(words)]

  def _GetBusSlots(self, hvp=None, runtime=None):
    reserved = (hvp or {}).get("kvm_pci_reservations", 12)
    slots = {"pci.0": Bits([n < reserved for n in range(32)]),
             "scsi.0": Bits([False] * 16)}
    if runtime:
      for device in [d for d, _, _ in runtime[3]] + list(runtime[1]):
        if device.hvinfo and device.hvinfo.get("bus") == "pci.0":
          slots["pci.0"][int(device.hvinfo["addr"], 16)] = True
        elif device.hvinfo and device.hvinfo.get("bus") == "scsi.0":
          slots["scsi.0"][device.hvinfo["scsi-id"]] = True
    return slots

  def _VerifyHotplugCommand(self, _instance, kvm_devid, should_exist):
    # on a connection that it keeps
    if self.qmp.HasDevice(kvm_devid) != should_exist:
      raise errors.HypervisorError("hotplug failed: %s" % kvm_devid)

  def _Allocator(self, hvp, runtime=None):
    slots = self._GetBusSlots(hvp, runtime) if runtime else \
      self._GetBusSlots(hvp)
    return lambda dev_type, hv_type: slots[_Bus(dev_type, hv_type)].Take()

  @staticmethod
  def _SetSlot(dev_type, device, hvp, allocator):
    hv_type = hvp["%s_type" % dev_type]
    slot = allocator(dev_type, hv_type)
    device.hvinfo = {
      "driver": _Driver(dev_type, hv_type), "bus": _Bus(dev_type, hv_type),
      "id": "%s-%s" % (dev_type, device.uuid.rsplit("-", 2)[0]),
      }
    if device.hvinfo["bus"] == "scsi.0":
      device.hvinfo.update({"channel": 0, "scsi-id": slot, "lun": 0})
    else:
      device.hvinfo["addr"] = hex(slot)

  @staticmethod
  def _Option(dev_type, device, hvp):
    # of these, QEMU knows no device; the drive alone makes them
    by_drive = dev_type == "disk" and hvp["disk_type"] in ("ide", "scsi")
    if not device.hvinfo or by_drive:
      return None
    backend = {"disk": "drive", "nic": "netdev"}[dev_type]
    return ",".join([device.hvinfo["driver"]] +
                    ["%s=%s" % (k, v) for k, v in device.hvinfo.items()
                     if k != "driver"] +
                    ["%s=%s" % (backend, device.hvinfo["id"])])

  def HotAddDevice(self, instance, dev_type, device, extra, seq):
    runtime = self._LoadKVMRuntime(instance)
    allocator = self._Allocator(runtime[2], runtime)
    if not device.hvinfo:
      self._SetSlot(dev_type, device, runtime[2], allocator)
    if dev_type == "disk":
      # not filled up from the configuration
      _ = runtime[2]["disk_aio"], runtime[2]["disk_discard"]
    if not self.qmp:
      self.qmp = QmpConnection(self._InstanceQmpMonitor(instance.name))
    if dev_type == "disk":
      self.qmp.HotAddDisk(device, device.hvinfo["id"], extra[0])
    else:
      self.qmp.HotAddNic(device, device.hvinfo["id"])
    self._VerifyHotplugCommand(instance, device.hvinfo["id"], True)
    self._Keep(instance, runtime, dev_type, device, extra)

  def _Unplug(self, instance, dev_type, device):
    qmp = QmpConnection(self._InstanceQmpMonitor(instance.name))
    qmp.HotDelDisk(device.hvinfo["id"])

  def HotModDevice(self, instance, dev_type, device, _, seq):
    if dev_type == constants.HOTPLUG_TARGET_NIC:
      device.hvinfo = self.HotDelDevice(instance, dev_type, device, _, seq)
      self.HotAddDevice(instance, dev_type, device, _, seq)


class KVMRuntime(object):
  """The runtime of 3.1 and later: four things, reached by their index."""

  def __init__(self, data):
    self.data = data

  def __getitem__(self, index):
    return self.data[index]


class _RuntimeHypervisor(_HvinfoHypervisor):
  """3.1."""
  _Wrap = KVMRuntime

  @staticmethod
  def _Disks(loaded):
    return loaded[3]

  @staticmethod
  def _Update(kvm_cmd, nics, hvparams, disks):
    _HvinfoHypervisor._Update(kvm_cmd, nics, hvparams, disks)
    if "-vnc" in kvm_cmd:
      if hvparams.get("disk_discard") == "default":
        hvparams["disk_discard"] = "ignore"
      if "-chroot" in kvm_cmd:
        at = kvm_cmd.index("-chroot")
        del kvm_cmd[at:at + 2]


class Allocator(object):
  """Gives out the numbers of one bus."""

  def __init__(self, max_slots, reserved_slots):
    self.free = list(range(reserved_slots, max_slots))

  def Take(self):
    if not self.free:
      raise RuntimeError("no free slot")
    return self.free[0]


class PortAllocator(Allocator):
  """Gives out the root ports of q35."""

  def __init__(self, pool_slots):
    super(PortAllocator, self).__init__(0, 0)
    self.free = list(pool_slots)


class BusManager(object):
  def __init__(self, allocators):
    self.allocators = allocators

  def __call__(self, dev_type, hv_type):
    bus = _Bus(dev_type, hv_type).split(".")[0]
    if bus == "pci" and "pci" not in self.allocators:
      bus = "pcie-%s" % dev_type
    slot = self.allocators[bus].Take()
    self.allocators[bus].free.remove(slot)
    return slot


class _BusManagerHypervisor(_RuntimeHypervisor):
  """Master with q35; what 3.1 had is there as well, but not used."""

  def _VerifyHotplugCommand(self, _instance, kvm_devid, should_exist):
    # raises after 5 s; what was added is not written down then
    self.qmp.WaitForDeviceClaim(kvm_devid)

  def _get_bus_manager(self, hvp=None, runtime=None, chipset="i440fx"):
    slots = self._GetBusSlots(hvp, runtime)
    allocators = {}
    for bus, bits in slots.items():
      allocators[bus.split(".")[0]] = Allocator(len(bits), 0)
      allocators[bus.split(".")[0]].free = [
        n for n, bit in enumerate(bits) if not bit]
    if chipset == "q35":
      taken = allocators.pop("pci")
      for dev_type, pool in (("nic", range(3, 11)), ("disk", range(11, 27))):
        allocators["pcie-%s" % dev_type] = PortAllocator(
          slot for slot in pool if slot in taken.free or slot < 12)
    return BusManager(allocators)

  def _Allocator(self, hvp, runtime=None):
    chipset = "q35" if "q35" in hvp["machine_version"] else "i440fx"
    if not runtime:
      return self._get_bus_manager(hvp, chipset=chipset)
    manager = self._get_bus_manager(hvp, runtime, chipset=chipset)
    # asked for a slot whether or not the device has one already
    manager.allocators["pci" if chipset == "i440fx" else "pcie-disk"].Take()
    return manager


KVMHypervisor = {
  "pci": _PciHypervisor, "pciqmp": _PciQmpHypervisor,
  "hvinfo": _HvinfoHypervisor, "runtime": _RuntimeHypervisor,
  "busmanager": _BusManagerHypervisor,
  }[constants.STUB]
