"""Ganeti's KVM hypervisor with a partitioned PCI bus.

Everything is stock's own doing but the slots: each method calls up, and what
it adds is where a device goes. That is worked out by the pure modules; this
one fetches their facts and hands their answers to stock.

"""

import contextlib
import logging
import time

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

from . import command
from . import connection
from . import layout
from . import live
from . import monitor
from . import normal
from . import partition
from . import pinning
from . import placement
from . import qemulog
from . import record
from . import refusal
from . import runtime as runtime_
from . import series
from .errors import KvmPciError

_CLASS = {
  constants.HOTPLUG_TARGET_DISK: partition.DISK,
  constants.HOTPLUG_TARGET_NIC: partition.NIC,
  }

_ON_PCI = {
  partition.DISK: partition.has_pci_disks,
  partition.NIC: partition.has_pci_nics,
  }

_SERIES = series.version(constants)[1]

#: How long a device may take to come or go, in seconds (stock, 2.13 and later:
#: five looks, a second apart).
_HOTPLUG_LIMIT = 5

#: Between two looks, in seconds; a guest lets go within about 0.25.
_HOTPLUG_INTERVAL = 0.02


@contextlib.contextmanager
def _Explained(instance_name):
  """Turn the package's errors into what Ganeti reports as they are."""
  try:
    yield
  except KvmPciError as err:
    raise errors.HotplugError("Instance %s: %s" % (instance_name, err))


class KVMHypervisor(series.kind(hv_kvm.KVMHypervisor), hv_kvm.KVMHypervisor):
  """KVM hypervisor whose disks and NICs keep to pools of their own.

  How places are kept in this Ganeti's records is the business of the kind
  that is mixed in (see L{kinds}).

  """
  # The partition of the instance that is being started, and how many words
  # its recorded command has; None where pci.0 is not the machine's own bus
  _starting = None

  # The instance that is being rebooted, until its record has been read
  _rebooting = None

  def _Monitor(self, instance_name):
    """Connect to an instance's QEMU, see L{connection.connect}.

    """
    # QEMU serves one client at a time. Stock of 3.1 keeps a connection of its
    # own open through a job, and opens it anew when it needs it
    if getattr(self, "qmp", None):
      connection.hang_up(self.qmp)
    return connection.connect(self._InstanceQmpMonitor(instance_name))

  def _Record(self, instance):
    """Read the runtime file of an instance.

    @rtype: L{record.Record}
    @raise RecordError: if it makes no sense

    """
    return record.parse(self._ReadKVMRuntime(instance.name), "runtime file")

  def _LoadKVMRuntime(self, instance, serialized_runtime=None):
    """Load a record that any series wrote, in the form of this one.

    """
    text = serialized_runtime or self._ReadKVMRuntime(instance.name)
    with _Explained(instance.name):
      loaded = runtime_.parse(text, "runtime file")
      changed = bool(normal.normalise(loaded, _SERIES))
      if self._rebooting is instance:
        self._rebooting = None
        self._LayOut(instance, loaded)
        changed = True
      if changed:
        text = loaded.dump()
    return super(KVMHypervisor, self)._LoadKVMRuntime(
      instance, serialized_runtime=text)

  @staticmethod
  def _LayOut(instance, loaded):
    """Place the devices of a record that is about to boot.

    """
    for move in layout.lay_out(
        loaded, _SERIES, instance.hvparams.get("kvm_pci_reservations")):
      logging.info("Instance %s: %s moves from slot %s to slot %s",
                   instance.name, move.id or move.device_class, move.old,
                   move.new)

  def RebootInstance(self, instance):
    """Reboot an instance: QEMU starts anew, on the partition's layout.

    """
    # Stock loads the record first, while the guest still runs; a bus that is
    # too full shows before anything is stopped
    self._rebooting = instance
    try:
      return super(KVMHypervisor, self).RebootInstance(instance)
    finally:
      self._rebooting = None

  def _GenerateKVMRuntime(self, instance, block_devices, startup_paused,
                          kvmhelp):
    """Generate what QEMU is started with, disks and NICs in their pools.

    """
    runtime = super(KVMHypervisor, self)._GenerateKVMRuntime(
      instance, block_devices, startup_paused, kvmhelp)
    if partition.applies(runtime[2]):
      with _Explained(instance.name):
        self._PlaceAll(runtime)
    return runtime

  def _PlaceAll(self, runtime):
    """Place the devices of a cold boot.

    @param runtime: stock's runtime, which is changed in place
    @raise BusFullError: if they do not fit

    """
    kvm_cmd, nics, hvparams, disks = runtime
    kvm_cmd[:] = command.without_places(kvm_cmd, hvparams.get("kvm_extra"))[0]
    taken = dict((o.place[0], "%s by kvm_extra" % (o.id or o.driver))
                 for o in command.devices(kvm_cmd) if o.place)
    devices = {
      partition.DISK: [entry[0] for entry in disks],
      partition.NIC: list(nics),
      }
    for device_class, members in devices.items():
      if not _ON_PCI[device_class](hvparams):
        for device in members:
          self._DropPlace(device)
        devices[device_class] = []
    slots = placement.cold_boot(
      partition.Partition.of(hvparams), len(devices[partition.DISK]),
      len(devices[partition.NIC]), taken)
    for members, places in zip((devices[partition.DISK],
                                devices[partition.NIC]), slots):
      for device, slot in zip(members, places):
        self._SetPlace(device, slot)

  def _ExecuteKVMRuntime(self, instance, kvm_runtime, kvmhelp, incoming=None):
    """Start QEMU, and record what it placed beyond its range.

    """
    ours = partition.applies(kvm_runtime[2])
    if ours:
      with _Explained(instance.name):
        self._starting = (partition.Partition.of(kvm_runtime[2]),
                          len(kvm_runtime[0]))
    result = super(KVMHypervisor, self)._ExecuteKVMRuntime(
      instance, kvm_runtime, kvmhelp, incoming=incoming)
    if ours and not incoming:
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
    known = self._Record(instance)
    with self._Monitor(instance.name) as execute:
      strays = pinning.beyond(known.partition, monitor.functions(execute),
                              known.held())
      if not strays:
        return
      peripherals = monitor.peripherals(execute)
    runtime = self._LoadKVMRuntime(instance)
    unnamed = [nic for nic in runtime[1] if not self._HasPlace(nic)]
    kvm_cmd, pinned, left = pinning.pin(runtime[0], peripherals, strays,
                                        len(unnamed))
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
    run = super(KVMHypervisor, self)._RunKVMCmd
    if self._starting is None:
      return run(name, kvm_cmd, tap_fds)
    part, recorded = self._starting
    kvm_cmd = command.addressed_first(kvm_cmd, recorded)
    log = qemulog.QemuLog(kvm_cmd)
    try:
      return run(name, kvm_cmd, tap_fds)
    except errors.HypervisorError as err:
      said = log.news()
      refused = refusal.explain("%s\n%s" % (err, said), kvm_cmd, part)
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
    plug = super(KVMHypervisor, self).HotAddDevice
    slot = None
    # A modified NIC comes with the place that it had
    if not self._HasPlace(device):
      with _Explained(instance.name):
        slot = self._FreeSlot(instance, dev_type, seq)
    if slot is None:
      return plug(instance, dev_type, device, extra, seq)
    with self._Offering(device, slot):
      return plug(instance, dev_type, device, extra, seq)

  def _AwaitDevice(self, instance_name, device_id, should_exist):
    """Wait until QEMU has, or no longer has, a device.

    @raise errors.HypervisorError: if that does not come to pass

    """
    deadline = time.time() + _HOTPLUG_LIMIT
    while True:
      with _Explained(instance_name):
        with self._Monitor(instance_name) as execute:
          ids = [f.id for f in monitor.functions(execute)]
      if (device_id in ids) == should_exist:
        return
      if time.time() > deadline:
        raise errors.HypervisorError(
          "Instance %s: QEMU %s device %s after %d s" %
          (instance_name, "does not have" if should_exist else "still has",
           device_id, _HOTPLUG_LIMIT))
      time.sleep(_HOTPLUG_INTERVAL)

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
    known = self._Record(instance)
    if not partition.applies(known.hvparams):
      return None
    if not (self._GIVES_SLOTS_TO_ALL or _ON_PCI[device_class](known.hvparams)):
      return None
    with self._Monitor(instance.name) as execute:
      taken = live.held(monitor.functions(execute))
    taken.update(known.held())
    return placement.hot_add(known.partition, device_class,
                             known.slots(device_class), taken, seq)
