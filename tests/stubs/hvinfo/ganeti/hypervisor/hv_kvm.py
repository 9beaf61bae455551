"""The KVM hypervisor: one pool of slots for disks and NICs."""

import json

from ganeti import errors
from ganeti import objects
from ganeti import utils


class Bits(list):
  """As much of bitarray as slots are handled with."""

  def setall(self, value):
    self[:] = [value] * len(self)


def OpenTap(features=None, name=""): # pylint: disable=W0613
  raise NotImplementedError("tests replace this")


class QmpConnection(object):
  """Tests replace this."""

  def __init__(self, monitor_filename):
    self.monitor_filename = monitor_filename

  def connect(self):
    raise errors.HypervisorError("No monitor socket found")

  def close(self):
    pass

  def Execute(self, command, arguments=None):
    raise errors.HypervisorError("not connected")


def _IsScsi(hv_type):
  return hv_type in ("scsi-hd", "scsi-block", "scsi-generic", "scsi-cd")


def _Place(dev_type, device, hvparams, bus_slots):
  """Give a device the first free slot of the bus that stock thinks it is on.

  IDE disks and ISA NICs are thought to be on pci.0.

  """
  hv_type = hvparams["%s_type" % dev_type]
  bus = "scsi.0" if dev_type == "disk" and _IsScsi(hv_type) else "pci.0"
  try:
    slot = bus_slots[bus].index(False)
  except ValueError:
    raise errors.GenericError("no free slot")
  bus_slots[bus][slot] = True
  virtio = {"disk": "virtio-blk-pci", "nic": "virtio-net-pci"}[dev_type]
  device.hvinfo = {
    "driver": virtio if hv_type == "paravirtual" else hv_type,
    "id": "%s-%s" % (dev_type, device.uuid.rsplit("-", 2)[0]),
    "bus": bus,
    }
  if bus == "scsi.0":
    device.hvinfo.update({"channel": 0, "scsi-id": slot, "lun": 0})
  else:
    device.hvinfo["addr"] = hex(slot)


def _DeviceOption(device, backend):
  return ",".join([device.hvinfo["driver"]] +
                  ["%s=%s" % (k, v) for k, v in device.hvinfo.items()
                   if k != "driver"] + [backend])


class KVMHypervisor(object):
  """Stock."""
  _CONF_DIR = "/var/run/ganeti/kvm-hypervisor/conf"
  _CTRL_DIR = "/var/run/ganeti/kvm-hypervisor/ctrl"
  _DIRS = []

  def __init__(self):
    self.qmp = None

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
    pass

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

  def _GenerateKVMRuntime(self, instance, block_devices, startup_paused,
                          kvmhelp):
    hvp = instance.hvparams
    self.ValidateParameters(hvp)
    kvm_cmd = [hvp["kvm_path"], "-name", instance.name,
               "-m", instance.beparams["maxmem"],
               "-device", "virtio-balloon", "-daemonize"]
    kvm_cmd.extend(["-D", "/nowhere/%s.log" % instance.name])
    if hvp["kvm_extra"]:
      kvm_cmd.extend(hvp["kvm_extra"].split(" "))
    slots = self._GetBusSlots(hvp)
    for disk, _, _ in block_devices:
      _Place("disk", disk, hvp, slots)
    for nic in instance.nics:
      _Place("nic", nic, hvp, slots)
    return (kvm_cmd, list(instance.nics), hvp, list(block_devices))

  def _ReadKVMRuntime(self, instance_name):
    try:
      with open(self._InstanceKVMRuntime(instance_name)) as stream:
        return stream.read()
    except EnvironmentError as err:
      raise errors.HypervisorError("no runtime file: %s" % err)

  def _SaveKVMRuntime(self, instance, kvm_runtime):
    kvm_cmd, nics, hvparams, disks = kvm_runtime
    with open(self._InstanceKVMRuntime(instance.name), "w") as stream:
      json.dump([kvm_cmd, [n.ToDict() for n in nics], hvparams,
                 [(d.ToDict(), link, uri) for d, link, uri in disks]], stream)

  def _LoadKVMRuntime(self, instance, serialized_runtime=None):
    text = serialized_runtime or self._ReadKVMRuntime(instance.name)
    kvm_cmd, nics, hvparams, disks = json.loads(text)
    return (kvm_cmd, [objects.NIC.FromDict(n) for n in nics], hvparams,
            [(objects.Disk.FromDict(d), link, uri) for d, link, uri in disks])

  def _RunKVMCmd(self, name, kvm_cmd, tap_fds=None):
    result = utils.RunCmd(kvm_cmd, noclose_fds=tap_fds)
    if result.failed:
      raise errors.HypervisorError("Failed to start instance %s: %s (%s)" %
                                   (name, result.fail_reason, result.output))

  def _ExecuteKVMRuntime(self, instance, kvm_runtime, kvmhelp, incoming=None):
    kvm_cmd, nics, _, disks = kvm_runtime
    for seq, nic in enumerate(nics):
      tap = OpenTap(features={}, name="")[0]
      self._ConfigureNIC(instance, seq, nic, tap)
      if nic.hvinfo:
        option = _DeviceOption(nic, "netdev=%s" % nic.hvinfo["id"])
      else:
        option = "%s,netdev=netdev%d" % (kvm_runtime[2]["nic_type"], seq)
      kvm_cmd.extend(["-device", option])
    if incoming:
      kvm_cmd.extend(["-incoming", "tcp:%s:%s" % incoming])
    for disk, link, _ in disks:
      # a disk that QEMU attaches by -drive alone needs no place
      if disk.hvinfo:
        option = _DeviceOption(disk, "drive=%s" % disk.hvinfo["id"])
        kvm_cmd.extend(["-device", option])
      kvm_cmd.extend(["-drive", "file=%s" % link])
    self._RunKVMCmd(instance.name, kvm_cmd, [])

  def StartInstance(self, instance, block_devices, startup_paused):
    runtime = self._GenerateKVMRuntime(instance, block_devices, startup_paused,
                                       "")
    self._SaveKVMRuntime(instance, runtime)
    self._ExecuteKVMRuntime(instance, runtime, "")

  def HotAddDevice(self, instance, dev_type, device, extra, seq):
    runtime = self._LoadKVMRuntime(instance)
    slots = self._GetBusSlots(runtime[2], runtime)
    if not device.hvinfo:
      _Place(dev_type, device, runtime[2], slots)
    qmp = QmpConnection(self._InstanceQmpMonitor(instance.name))
    if dev_type == "disk":
      qmp.HotAddDisk(device, device.hvinfo["id"], extra[0])
      runtime[3].append((device, extra[0], extra[1]))
    else:
      qmp.HotAddNic(device, device.hvinfo["id"])
      runtime[1].append(device)
    self._SaveKVMRuntime(instance, runtime)

  def HotDelDevice(self, instance, dev_type, device, _, seq):
    runtime = self._LoadKVMRuntime(instance)
    entries = runtime[1 if dev_type == "nic" else 3]
    for entry in list(entries):
      known = entry if dev_type == "nic" else entry[0]
      if known.uuid == device.uuid:
        qmp = QmpConnection(self._InstanceQmpMonitor(instance.name))
        if dev_type == "nic":
          qmp.HotDelNic(known.hvinfo["id"])
        else:
          qmp.HotDelDisk(known.hvinfo["id"])
        entries.remove(entry)
        self._SaveKVMRuntime(instance, runtime)
        return known.hvinfo
    raise errors.HotplugError("no such device")

  def HotModDevice(self, instance, dev_type, device, _, seq):
    if dev_type == "nic":
      device.hvinfo = self.HotDelDevice(instance, dev_type, device, _, seq)
      self.HotAddDevice(instance, dev_type, device, _, seq)
