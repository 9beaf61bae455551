"""Stock's hypervisor, and ours on top, without a QEMU.

What would touch the machine (QEMU, taps, the monitor) is replaced and noted
down; everything else is what the Ganeti under test does.

"""

import copy
import os

from ganeti import constants
from ganeti import errors
from ganeti import objects
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import hypervisor

DEVLIST = "".join('name "%s", bus PCI\n' % name for name in
                  ("virtio-blk-pci", "virtio-net-pci", "scsi-hd", "e1000"))
KVMHELP = "QEMU emulator version 7.2.0\n-netdev tap\n-qmp dev\n-machine x\n-display x\n-uuid x\n"

UUID = "%08x-1111-2222-3333-%012x"


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

  def Execute(self, command, arguments=None):
    self.world.calls.append((command, arguments))
    if command == "query-pci":
      return [{"bus": 0, "devices": [
        {"slot": slot, "function": 0, "qdev_id": name,
         "class_info": {"class": 255}} for slot, name
        in sorted(self.world.bus.items())]}]
    if command == "qom-list":
      if arguments["path"] == "/machine/peripheral-anon":
        return [{"name": "device[%d]" % n, "type": "child<%s>" % driver}
                for n, (driver, _) in enumerate(self.world.unnamed)]
      if arguments["path"] == "/machine/peripheral":
        return []
      return [{"name": "addr", "type": "x"}, {"name": "parent_bus",
                                              "type": "x"}]
    if command == "qom-get":
      if arguments["property"] == "parent_bus":
        return "/machine/i440fx/pci.0"
      number = int(arguments["path"].rpartition("[")[2][:-1])
      return self.world.unnamed[number][1] * 8
    return {}

  def _Add(self, device, devid, *_args):
    slot = int(device.hvinfo["addr"], 16)
    assert slot not in self.world.bus, "slot %d is taken" % slot
    self.world.bus[slot] = devid
    self.world.calls.append(("device_add", devid, slot))

  def HotAddDisk(self, disk, devid, *args):
    if device_is_scsi(disk):
      self.world.calls.append(("device_add", devid, disk.hvinfo["scsi-id"]))
      self.world.scsi.add(devid)
    else:
      self._Add(disk, devid, *args)

  def HotAddNic(self, nic, devid, *args):
    self._Add(nic, devid, *args)

  def HotDelNic(self, devid):
    self.world.bus = dict((s, name) for s, name in self.world.bus.items()
                          if name != devid)

  HotDelDisk = HotDelNic

  def HasDevice(self, devid):
    return devid in list(self.world.bus.values()) or devid in self.world.scsi

  def HasDynamicAutoReadOnly(self):
    return True

  def __getattr__(self, name):
    return lambda *args, **kwargs: self.world.calls.append((name, ))


def device_is_scsi(device):
  return device.hvinfo.get("bus") == "scsi.0"


class RunResult(object):
  def __init__(self, failed, output):
    self.failed = failed
    self.fail_reason = "exited with exit code 1"
    self.output = output


class World(object):
  """One node.

  @ivar bus: dict, slot to device id, the live pci.0
  @ivar unnamed: list of (driver, slot), live devices without id
  @ivar scsi: set of device ids on the live SCSI bus
  @ivar calls: list of tuples, what was called, in order
  @ivar monitor: whether the monitor can be reached
  @ivar refusal: what QEMU says when it is started, or None

  """
  def __init__(self, folder, monkeypatch):
    self.bus = {0: "", 1: "", 2: "", 3: ""}
    self.unnamed = []
    self.scsi = set()
    self.calls = []
    self.monitor = True
    self.refusal = None
    self.folder = folder
    self.running = False
    monkeypatch.setattr(hv_kvm, "QmpConnection", FakeQmp(self))
    monkeypatch.setattr(hv_kvm, "OpenTap",
                        lambda *args, **kwargs: ("tap0", [], []))
    monkeypatch.setattr(hv_kvm.utils, "RunCmd", self.run)

  def run(self, command, **_):
    self.calls.append(("RunCmd", list(command)))
    self.running = True
    return RunResult(self.refusal is not None, self.refusal or "")

  def commands(self):
    """Return the commands that QEMU was started with."""
    return [call[1] for call in self.calls if call[0] == "RunCmd"]

  def hypervisor(self, cls=hypervisor.KVMHypervisor, note=()):
    """Make a hypervisor that stays within the world.

    @param note: methods whose calls are to be noted

    """
    world = self

    class Contained(cls):
      """Stock, or ours, with its folders elsewhere."""
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

      def _CallMonitorCommand(self, instance_name, command, timeout=None):
        world.calls.append(("hmp", command))

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

    def slot(device):
      return int(device.hvinfo["addr"], 16) if device.hvinfo else None

    return ([slot(entry[0]) for entry in runtime[3]],
            [slot(nic) for nic in runtime[1]])


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
    beparams={"maxmem": 128, "minmem": 128, "vcpus": 1,
              "always_failover": False})


def block_devices(disks):
  return [(disk(n), os.devnull, None) for n in range(disks)]
