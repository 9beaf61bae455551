"""Devices that come and go while the guest runs.

The record is written ahead: a device is in it before QEMU is asked to take
it, and until QEMU no longer has it. So wherever the node daemon dies, the
record has all that QEMU may have, and who comes next can tell by asking QEMU
what of it is true (L{Hotplug._Settle}). Readers of any series see nothing but
a record.

"""

# A mixin: what it calls up to is stock's, and so are the names.
# pylint: disable=no-member,invalid-name,protected-access

import contextlib
import logging
import os

from ganeti import constants
from ganeti import errors
from ganeti import utils
from ganeti.hypervisor import hv_kvm

from . import backends
from . import lock
from . import monitor
from . import partition
from . import placement
from . import record
from . import refusal
from . import scsi
from .errors import CommandError
from .errors import KvmPciError

_CLASS = {
  constants.HOTPLUG_TARGET_DISK: partition.DISK,
  constants.HOTPLUG_TARGET_NIC: partition.NIC,
  }

#: Where disks and NICs stand in a runtime.
_INDEX = {partition.NIC: 1, partition.DISK: 3}

#: How long a device may take to come or go, in seconds, unless the node
#: daemon's environment says otherwise (stock, 2.13 and later: 5).
_LIMIT = 5
_LIMIT_VARIABLE = "KVM_PCI_HOTPLUG_LIMIT"


def _Limit():
  try:
    return float(os.environ[_LIMIT_VARIABLE])
  except (KeyError, ValueError):
    return _LIMIT


@contextlib.contextmanager
def Explained(instance_name):
  """Turn the package's errors into what Ganeti reports as they are."""
  try:
    yield
  except KvmPciError as err:
    raise errors.HotplugError("Instance %s: %s" % (instance_name, err))


class Hotplug(object):
  """The hotplug helpers of L{hypervisor.KVMHypervisor}."""

  # The uuid of the device that is in the record but not in QEMU yet, which
  # stock is about to add to both
  _announced = None

  # How often the lock is held already by this very object
  _depth = 0

  @contextlib.contextmanager
  def _Alone(self, instance):
    """Keep others from the instance's devices, and explain errors."""
    with Explained(instance.name):
      if self._depth:
        yield
        return
      with lock.held(lock.path_for(self._InstanceKVMRuntime(instance.name))):
        self._depth = 1
        try:
          yield
        finally:
          self._depth = 0

  def HotAddDevice(self, instance, dev_type, device, extra, seq):
    """Hot-add a device: all of it, or nothing.

    Its slot is one that neither record nor QEMU has in use.

    """
    device_class = _CLASS[dev_type]
    with self._Alone(instance):
      known = self._Record(instance)
      if not partition.applies(known.hvparams):
        return super(Hotplug, self).HotAddDevice(instance, dev_type, device,
                                                 extra, seq)
      self._Settle(instance)
      if self._IsThere(instance, device_class, device):
        return None
      known = self._Record(instance)
      self._ChoosePlace(instance, known, device_class, device, seq)
      device_id = self._DeviceId(device_class, device)
      if device_id is None: # not on a bus of ours
        return self._Plug(instance, dev_type, device, extra, seq)
      runtime = self._LoadKVMRuntime(instance)
      runtime[_INDEX[device_class]].append(
        hv_kvm._RUNTIME_ENTRY[dev_type](device, extra))
      self._SaveKVMRuntime(instance, runtime)
      try:
        with self._Monitor(instance.name) as execute:
          # what another attempt may have left behind
          self._TakeBack(instance, execute, device_class, device_id)
        return self._Plug(instance, dev_type, device, extra, seq)
      except Exception as err: # pylint: disable=broad-except
        # whatever it was: what counts is what QEMU has now
        with self._Monitor(instance.name) as execute:
          if device_id in monitor.ids(execute):
            logging.warning("Instance %s: %s was added in spite of: %s",
                            instance.name, device_id, err)
            return None
          self._TakeBack(instance, execute, device_class, device_id)
        self._Forget(instance, device_class, device)
        if not isinstance(err, errors.GenericError):
          raise
        reason = refused = refusal.explain(str(err), [], known.partition)
        if refused and refused.slot is not None:
          reason = "%s holds that by now; try again" % (refused.holder or
                                                        "QEMU itself")
        raise errors.HotplugError(
          "Instance %s: %s (%s) was not added: %s" %
          (instance.name, device_id, self._ShowPlace(device), reason or err))

  def _IsThere(self, instance, device_class, device):
    """Tell whether an attempt that did not end has added a device.

    """
    found = self._Find(self._LoadKVMRuntime(instance), device_class, device)
    if found is None:
      return False
    device_id = self._DeviceId(device_class, found)
    with self._Monitor(instance.name) as execute:
      if device_id is None or device_id in monitor.ids(execute):
        logging.info("Instance %s: %s is there already", instance.name,
                     device_id)
        return True
    # something else is on its slot
    self._Forget(instance, device_class, device)
    return False

  def _Plug(self, instance, dev_type, device, extra, seq):
    """Let stock add a device that is in the record already.

    """
    self._announced = device.uuid
    try:
      return super(Hotplug, self).HotAddDevice(instance, dev_type, device,
                                               extra, seq)
    finally:
      self._announced = None

  def _ChoosePlace(self, instance, known, device_class, device, seq):
    """Choose where a device goes, unless it has a place.

    @type known: L{record.Record}
    @raise BusFullError: if no slot, or SCSI id, is free
    @raise MonitorError: if QEMU does not tell

    """
    # A modified NIC comes with the place that it had, and perhaps the id of
    # an older series; stock would look for the one of its own
    if self._HasPlace(device):
      self._RenewId(device_class, device)
      return
    if self._GIVES_SLOTS_TO_ALL or record.is_on_pci(device_class,
                                                    known.hvparams):
      with self._Monitor(instance.name) as execute:
        taken = monitor.held(execute)
      taken.update(known.held())
      self._SetPlace(device_class, device, known.hvparams, placement.hot_add(
        known.partition, device_class, known.slots(device_class), taken, seq))
    elif device_class == partition.DISK and known.scsi_ids is not None:
      with self._Monitor(instance.name) as execute:
        taken = monitor.scsi_ids(execute)
      taken.update(known.scsi_ids)
      self._SetScsiPlace(device, known.hvparams, scsi.hot_add(
        known.hvparams, known.scsi_ids, taken))

  def HotDelDevice(self, instance, dev_type, device, _, seq):
    """Hot-remove a device; it has gone when this returns.

    @return: the place that it had, as stock does

    """
    device_class = _CLASS[dev_type]
    with self._Alone(instance):
      if not partition.applies(self._Record(instance).hvparams):
        return super(Hotplug, self).HotDelDevice(instance, dev_type, device, _,
                                                 seq)
      self._Settle(instance, keep=device.uuid)
      runtime = self._LoadKVMRuntime(instance)
      found = self._Find(runtime, device_class, device)
      if found is None:
        raise errors.HotplugError(
          "Instance %s: the record has no %s with UUID %s: it was added"
          " without hotplug, and the guest does not have it" %
          (instance.name, device_class, device.uuid))
      device_id = self._DeviceId(device_class, found)
      if device_id is None:
        raise errors.HotplugError(
          "Instance %s: %s %s is not on a bus that devices can leave" %
          (instance.name, device_class, device.uuid))
      with self._Monitor(instance.name) as execute:
        device_id = self._LiveId(execute, device_class, found, device_id)
        try:
          has_gone = monitor.unplug(execute, device_id, _Limit())
        except CommandError as err:
          raise errors.HotplugError(
            "Instance %s: %s (%s) cannot be removed: %s" %
            (instance.name, device_id, self._ShowPlace(found), err))
        if not has_gone:
          raise errors.HotplugError(
            "Instance %s: the guest has not let go of %s (%s) within %g s; it"
            " keeps it until it answers or is reset, and so does the record:"
            " do not remove what is behind it, and try again" %
            (instance.name, device_id, self._ShowPlace(found), _Limit()))
        self._TakeBack(instance, execute, device_class, device_id)
      if device_class == partition.NIC:
        utils.RemoveFile(self._InstanceNICFile(instance.name, seq))
      self._Forget(instance, device_class, device)
      return self._GetPlace(found)

  @staticmethod
  def _LiveId(execute, device_class, device, recorded):
    """Find the id under which QEMU has a device.

    It is the recorded one, unless the record was brought into the form of a
    series that makes ids in another way.

    """
    ids = monitor.ids(execute)
    made_up = [record.new_id(device_class, device.uuid)] + [
      name for name in ids if name.startswith("hot%s-%s-pci-" % (
        device_class, device.uuid.split("-")[0]))]
    return ([name for name in [recorded] + made_up if name in ids] or
            [recorded])[0]

  def HotModDevice(self, instance, dev_type, device, _, seq):
    """Hot-modify a NIC: remove it, and add it again on its slot.

    One that an attempt before has removed, and got no further, is added.

    """
    with self._Alone(instance):
      if (_CLASS[dev_type] == partition.NIC and
          partition.applies(self._Record(instance).hvparams)):
        self._Settle(instance)
        if self._Find(self._LoadKVMRuntime(instance), partition.NIC,
                      device) is None:
          logging.warning("Instance %s: the record has no NIC with UUID %s; it"
                          " is added", instance.name, device.uuid)
          return self.HotAddDevice(instance, dev_type, device, _, seq)
      return super(Hotplug, self).HotModDevice(instance, dev_type, device, _,
                                               seq)

  def _VerifyDevice(self, instance_name, device_id, should_exist):
    """Make sure that QEMU has, or has not, a device.

    @raise errors.HypervisorError: if that is not so

    """
    with Explained(instance_name):
      with self._Monitor(instance_name) as execute:
        exists = device_id in monitor.ids(execute)
    if exists != should_exist:
      raise errors.HypervisorError("Instance %s: QEMU %s device %s" % (
        instance_name, "has" if exists else "does not have", device_id))

  @staticmethod
  def _Find(runtime, device_class, device):
    """Find a device in a runtime by its uuid.

    @return: stock's object, or None

    """
    entries = runtime[_INDEX[device_class]]
    devices = entries if device_class == partition.NIC else [
      entry[0] for entry in entries]
    return ([d for d in devices if d.uuid == device.uuid] or [None])[0]

  def _Forget(self, instance, device_class, device):
    """Take a device out of the record.

    """
    runtime = self._LoadKVMRuntime(instance)
    entries = runtime[_INDEX[device_class]]
    kept = [entry for entry in entries if device.uuid !=
            (entry if device_class == partition.NIC else entry[0]).uuid]
    if len(kept) < len(entries):
      entries[:] = kept
      self._SaveKVMRuntime(instance, runtime)

  @staticmethod
  def _TakeBack(instance, execute, device_class, device_id):
    """Remove what stands behind a device that is not there.

    """
    if device_id in monitor.ids(execute):
      return
    removed = backends.take_back(execute, device_class, device_id)
    if removed:
      logging.info("Instance %s: removed %s", instance.name,
                   ", ".join(removed))

  def _Settle(self, instance, keep=None):
    """Make the record say what QEMU has.

    Devices that QEMU lost since (the guest let go late, was reset, or the
    node daemon died half-way) leave the record, and what stood behind them
    goes as well.

    @type keep: string or None
    @param keep: uuid of a device that is to stay in the record
    @raise MonitorError: if QEMU does not tell

    """
    known = self._Record(instance)
    if not partition.applies(known.hvparams):
      return
    with self._Monitor(instance.name) as execute:
      lost = known.lost(monitor.ids(execute), monitor.held(execute))
      for device in lost:
        self._TakeBack(instance, execute, device.device_class, device.id)
    if not lost:
      return
    runtime = self._LoadKVMRuntime(instance)
    gone = []
    # from the end, so that the indexes before stay right
    for device in reversed(lost):
      entries = runtime[_INDEX[device.device_class]]
      entry = entries[device.index]
      uuid = (entry if device.device_class == partition.NIC else entry[0]).uuid
      if uuid != keep:
        del entries[device.index]
        gone.append(device.id)
    if gone:
      self._SaveKVMRuntime(instance, runtime)
      logging.warning("Instance %s: QEMU no longer has %s, taken out of the"
                      " record", instance.name, ", ".join(gone))

  def MigrationInfo(self, instance):
    """Return the record, with nothing in it that QEMU does not have.

    """
    try:
      with self._Alone(instance):
        self._Settle(instance)
        # in the form of this series: a target without the plugin reads less
        self._SaveKVMRuntime(instance, self._LoadKVMRuntime(instance))
    except errors.HypervisorError as err:
      logging.warning("%s; its record is taken as it is", err)
    return super(Hotplug, self).MigrationInfo(instance)
