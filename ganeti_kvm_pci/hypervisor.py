"""Ganeti's KVM hypervisor with a partitioned PCI bus.

Everything is stock's own doing but the slots: each method calls up, and what
it adds is where a device goes. That is worked out by the pure modules; this
one fetches their facts and hands their answers to stock.

"""

import contextlib
import logging
import os

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

from . import address
from . import command
from . import connection
from . import live
from . import monitor
from . import partition
from . import pinning
from . import placement
from . import record
from . import refusal
from .errors import KvmPciError

_CLASS = {
  constants.HOTPLUG_TARGET_DISK: partition.DISK,
  constants.HOTPLUG_TARGET_NIC: partition.NIC,
  }

_ON_PCI = {
  partition.DISK: partition.has_pci_disks,
  partition.NIC: partition.has_pci_nics,
  }

#: As much of QEMU's log as an error text can need, in bytes.
_LOG_TAIL = 4096

#: Slots lent to stock's own allocation, which runs before ours and is thrown
#: away: 16 disks and 8 NICs beside any kvm_pci_reservations.
_AMPLE_SLOTS = 64


@contextlib.contextmanager
def _Explained(instance_name):
  """Turn the package's errors into what Ganeti reports as they are."""
  try:
    yield
  except KvmPciError as err:
    raise errors.HotplugError("Instance %s: %s" % (instance_name, err))


class KVMHypervisor(hv_kvm.KVMHypervisor):
  """KVM hypervisor whose disks and NICs keep to pools of their own.

  For Ganeti whose devices bear their place in C{hvinfo} and whose slots come
  from C{_GetBusSlots} (2.16 to 3.1).

  """
  # The one slot that stock may see free while it adds a device
  _slot_to_give = None

  # The partition of the instance that is being started
  _starting = None

  def _Monitor(self, instance_name):
    """Connect to an instance's QEMU, see L{connection.connect}.

    """
    return connection.connect(self._InstanceQmpMonitor(instance_name))

  def _GetBusSlots(self, hvp=None, runtime=None):
    """Decide what stock's allocation finds free.

    """
    slots = super(KVMHypervisor, self)._GetBusSlots(hvp, runtime)
    if self._slot_to_give is not None:
      slots[address.BUS].setall(True)
      slots[address.BUS][self._slot_to_give] = False
    elif runtime is None:
      for bits in slots.values():
        bits.extend([False] * _AMPLE_SLOTS)
    return slots

  def _GenerateKVMRuntime(self, instance, block_devices, startup_paused,
                          kvmhelp):
    """Generate what QEMU is started with, disks and NICs in their pools.

    """
    runtime = super(KVMHypervisor, self)._GenerateKVMRuntime(
      instance, block_devices, startup_paused, kvmhelp)
    with _Explained(instance.name):
      self._PlaceAll(runtime)
    return runtime

  @staticmethod
  def _PlaceAll(runtime):
    """Place the devices of a cold boot.

    @param runtime: stock's runtime; its devices' hvinfo is changed in place
    @raise BusFullError: if they do not fit

    """
    kvm_cmd, nics, hvparams, disks = runtime
    taken = dict((o.place[0], "%s by kvm_extra" % (o.id or o.driver))
                 for o in command.devices(kvm_cmd) if o.place)
    devices = {
      partition.DISK: [entry[0] for entry in disks],
      partition.NIC: list(nics),
      }
    for device_class, members in devices.items():
      if not _ON_PCI[device_class](hvparams):
        for device in members:
          # stock gives IDE disks and ISA NICs an address on a bus they are
          # not on, and an ISA NIC that has one does not start
          if device.hvinfo.get("bus") == address.BUS:
            device.hvinfo = {}
        devices[device_class] = []
    slots = placement.cold_boot(
      partition.Partition.of(hvparams), len(devices[partition.DISK]),
      len(devices[partition.NIC]), taken)
    for members, places in zip((devices[partition.DISK],
                                devices[partition.NIC]), slots):
      for device, slot in zip(members, places):
        device.hvinfo["addr"] = address.unparse(slot)

  def _ExecuteKVMRuntime(self, instance, kvm_runtime, kvmhelp, incoming=None):
    """Start QEMU, and record what it placed beyond its range.

    """
    with _Explained(instance.name):
      self._starting = partition.Partition.of(kvm_runtime[2])
    result = super(KVMHypervisor, self)._ExecuteKVMRuntime(
      instance, kvm_runtime, kvmhelp, incoming=incoming)
    if not incoming:
      try:
        self._RecordStrays(instance)
      except (KvmPciError, errors.HypervisorError) as err:
        # The guest runs, and is fine until it moves
        logging.error("Instance %s: cannot tell where QEMU placed its own"
                      " devices, do not migrate it before a restart: %s",
                      instance.name, err)
    return result

  def _RecordStrays(self, instance):
    """Put QEMU's devices beyond its range into the runtime file.

    @raise MonitorError: if QEMU does not tell
    @raise RecordError: if the runtime file makes no sense

    """
    known = record.parse(self._ReadKVMRuntime(instance.name), instance.name)
    with self._Monitor(instance.name) as execute:
      strays = pinning.beyond(known.partition, monitor.functions(execute),
                              known.held())
      if not strays:
        return
      peripherals = monitor.peripherals(execute)
    runtime = self._LoadKVMRuntime(instance)
    kvm_cmd, pinned, left = pinning.pin(runtime[0], peripherals, strays)
    if pinned:
      runtime[0][:] = kvm_cmd
      self._SaveKVMRuntime(instance, runtime)
      logging.info("Instance %s: QEMU has devices beyond its slots (%s),"
                   " recorded at slots %s", instance.name, known.partition,
                   ", ".join(str(f.slot) for f in pinned))
    for function in left:
      logging.warning("Instance %s: slot %d, beyond QEMU's (%s), holds a"
                      " device (%s) that no -device option of the record"
                      " stands for; a migration after hotplug may place it"
                      " elsewhere", instance.name, function.slot,
                      known.partition, function.id or function.description)

  def _RunKVMCmd(self, name, kvm_cmd, tap_fds=None):
    """Run QEMU, Ganeti's devices first, and say why if it refuses.

    """
    kvm_cmd = command.addressed_first(kvm_cmd)
    log = _LogFile(kvm_cmd)
    before = _Stamp(log)
    try:
      return super(KVMHypervisor, self)._RunKVMCmd(name, kvm_cmd, tap_fds)
    except errors.HypervisorError as err:
      said = _Tail(log) if _Stamp(log) != before else ""
      refused = refusal.explain("%s\n%s" % (err, said), kvm_cmd,
                                self._starting or partition.Partition())
      if refused:
        raise errors.HypervisorError("Failed to start instance %s: %s" %
                                     (name, refused))
      last = said.strip().rpartition("\n")[2]
      if last and last not in str(err):
        raise errors.HypervisorError("%s; QEMU's log says: %s" % (err, last))
      raise

  def HotAddDevice(self, instance, dev_type, device, extra, seq):
    """Hot-add a device, on a slot that neither record nor QEMU has in use.

    """
    # A modified NIC comes with the place that it had
    if not device.hvinfo:
      with _Explained(instance.name):
        self._slot_to_give = self._FreeSlot(instance, dev_type, seq)
    try:
      return super(KVMHypervisor, self).HotAddDevice(
        instance, dev_type, device, extra, seq)
    finally:
      self._slot_to_give = None

  def _FreeSlot(self, instance, dev_type, seq):
    """Choose the slot for a device that is about to be added.

    @type seq: int
    @param seq: its index among the instance's disks or NICs
    @rtype: int or None
    @return: None if the device does not go to pci.0
    @raise BusFullError: if none is free
    @raise MonitorError: if QEMU does not tell
    @raise RecordError: if the runtime file makes no sense

    """
    device_class = _CLASS[dev_type]
    known = record.parse(self._ReadKVMRuntime(instance.name), instance.name)
    if not _ON_PCI[device_class](known.hvparams):
      return None
    with self._Monitor(instance.name) as execute:
      taken = live.held(monitor.functions(execute))
    taken.update(known.held())
    return placement.hot_add(known.partition, device_class,
                             known.slots(device_class), taken, seq)


def _LogFile(kvm_cmd):
  """Return the file that C{-D} sends QEMU's messages to, or None."""
  for flag, value in zip(kvm_cmd, kvm_cmd[1:]):
    if flag == "-D":
      return value
  return None


def _Stamp(path):
  """Return what changes when a file is written, or None without a file."""
  try:
    status = os.stat(path)
  except (OSError, TypeError):
    return None
  return (status.st_ino, status.st_size, status.st_mtime)


def _Tail(path):
  """Return the last lines of a log."""
  try:
    with open(path, "rb") as stream:
      stream.seek(0, os.SEEK_END)
      stream.seek(max(0, stream.tell() - _LOG_TAIL))
      return stream.read().decode("utf-8", "replace")
  except EnvironmentError:
    return ""
