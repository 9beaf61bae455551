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
from . import vacancy
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
    limit = float(os.environ[_LIMIT_VARIABLE])
  except (KeyError, ValueError):
    return _LIMIT
  # "nan" and "inf" are floats as well
  return limit if 0 < limit < float("inf") else _LIMIT


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

  # What to do while the guest keeps a device that it should let go
  _keep = "do not remove what is behind it"

  @contextlib.contextmanager
  def _Alone(self, instance):
    """Keep others from the instance's devices, and explain errors."""
    with Explained(instance.name):
      if self._depth:
        yield
        return
      # who holds the lock needs the monitor, which stock of 3.1 keeps
      self._LeaveMonitor()
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
      if (self._IsThere(instance, device_class, device) or
          self._Adopt(instance, dev_type, device, extra)):
        return None
      known = self._Record(instance)
      self._ChoosePlace(instance, known, device_class, device, seq)
      device_id = self._DeviceId(device_class, device)
      if device_id is None: # not on a bus of ours
        return self._Plug(instance, dev_type, device, extra, seq)
      self._Remember(instance, dev_type, device, extra)
      try:
        with self._Monitor(instance.name) as execute:
          # what another attempt may have left behind
          self._TakeBack(instance, execute, device_class, device_id)
        slot = self._Slot(device)
        if slot is not None:
          vacancy.wait(self._Vacated(instance), slot)
        return self._Plug(instance, dev_type, device, extra, seq)
      except Exception as err: # pylint: disable=broad-except
        # whatever it was: what counts is what QEMU has now
        if self._HasComeInSpite(instance, device_class, device_id):
          logging.warning("Instance %s: %s was added in spite of: %s",
                          instance.name, device_id, err)
          return None
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

  def _HasComeInSpite(self, instance, device_class, device_id):
    """Look at QEMU after an error; what is of no use goes.

    @rtype: bool
    @return: whether it has the device

    """
    with self._Monitor(instance.name) as execute:
      there = device_id in monitor.ids(execute)
      if not there:
        self._TakeBack(instance, execute, device_class, device_id)
      if device_class == partition.NIC:
        self._CloseDescriptors(instance, execute, device_id)
    return there

  def _Remember(self, instance, dev_type, device, extra):
    """Put a device into the record.

    """
    runtime = self._LoadKVMRuntime(instance)
    runtime[_INDEX[_CLASS[dev_type]]].append(
      hv_kvm._RUNTIME_ENTRY[dev_type](device, extra))
    self._SaveKVMRuntime(instance, runtime)

  def _Vacated(self, instance):
    """Name the file of L{vacancy}.

    """
    return vacancy.path_for(self._InstanceKVMRuntime(instance.name))

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
    self._Forget(instance, device_class, found)
    return False

  def _Adopt(self, instance, dev_type, device, extra):
    """Record a device that QEMU has and the record has not.

    Stock records a device last; if the node daemon dies before, nobody knows
    of it, and it cannot be added a second time.

    @rtype: bool
    @return: whether there was one

    """
    device_class = _CLASS[dev_type]
    with self._Monitor(instance.name) as execute:
      device_id, place = self._Unrecorded(execute, device_class, device)
    if place is None:
      return False
    self._Take(instance, device_class, device, device_id, place)
    self._Remember(instance, dev_type, device, extra)
    logging.warning("Instance %s: QEMU had %s (%s) already, recorded now",
                    instance.name, device_id, self._ShowPlace(device))
    return True

  @staticmethod
  def _Unrecorded(execute, device_class, device):
    """Find a device in QEMU that the record does not have.

    @return: its id there, and its slot, or scsi-id; (None, None) if QEMU has
        not got it either, or on no bus of ours

    """
    for names in (monitor.held(execute), monitor.scsi_ids(execute)):
      for place, name in sorted(names.items()):
        if record.is_id_of(name, device_class, device.uuid):
          return (name, place)
    return (None, None)

  def _Take(self, instance, device_class, device, device_id, place):
    """Give a device the place that it has in QEMU.

    """
    hvparams = self._Record(instance).hvparams
    if device_class == partition.DISK and scsi.has_ids(hvparams):
      self._SetScsiPlace(device, hvparams, place)
    else:
      self._SetPlace(device_class, device, hvparams, place)
    self._KeepId(device, device_id)

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
      found = self._Find(self._LoadKVMRuntime(instance), device_class, device)
      if found is None:
        found = self._FindUnrecorded(instance, device_class, device)
      device_id = self._DeviceId(device_class, found)
      if device_id is None:
        raise errors.HotplugError(
          "Instance %s: %s %s is not on a bus that devices can leave" %
          (instance.name, device_class, device.uuid))
      self._Unplug(instance, device_class, found, device_id)
      if device_class == partition.NIC:
        utils.RemoveFile(self._InstanceNICFile(instance.name, seq))
      return self._GetPlace(found)

  def _FindUnrecorded(self, instance, device_class, device):
    """Find what only QEMU has; the device gets the place that it has there.

    @raise errors.HotplugError: if QEMU has not got it either

    """
    with self._Monitor(instance.name) as execute:
      device_id, place = self._Unrecorded(execute, device_class, device)
    if place is None:
      raise errors.HotplugError(
        "Instance %s: neither the record nor QEMU has a %s with UUID %s: it was"
        " added without hotplug, and the guest does not have it" %
        (instance.name, device_class, device.uuid))
    self._Take(instance, device_class, device, device_id, place)
    return device

  def _Unplug(self, instance, device_class, found, device_id):
    """Have a device leave QEMU, then the record.

    @param found: stock's object, of the record
    @raise errors.HotplugError: if it does not leave

    """
    name = None
    with self._Monitor(instance.name) as execute:
      device_id = self._LiveId(execute, device_class, found, device_id)
      name = "%s (%s)" % (device_id, self._ShowPlace(found))
      try:
        has_gone = monitor.unplug(execute, device_id, _Limit())
      except CommandError as err:
        raise errors.HotplugError("Instance %s: %s cannot be removed: %s" %
                                  (instance.name, name, err))
      if not has_gone:
        raise errors.HotplugError(
          "Instance %s: the guest has not let go of %s within %g s; it"
          " keeps it until it answers or is reset, and so does the record: %s,"
          " and try again" % (instance.name, name, _Limit(), self._keep))
      kept = self._TakeBack(instance, execute, device_class, device_id)
    slot = self._Slot(found)
    if slot is not None:
      vacancy.note(self._Vacated(instance), [slot])
    self._Forget(instance, device_class, found)
    if kept:
      raise errors.HotplugError(
        "Instance %s: %s has gone, but QEMU does not let go of what stood"
        " behind it: %s; ganeti-kvm-pci check --repair removes it once that is"
        " over" %
        (instance.name, name, kept))

  @staticmethod
  def _LiveId(execute, device_class, device, recorded):
    """Find the id under which QEMU has a device.

    It is the recorded one, unless the record was brought into the form of a
    series that makes ids in another way.

    """
    ids = monitor.ids(execute)
    if recorded in ids:
      return recorded
    return ([name for name in sorted(ids) if record.is_id_of(
      name, device_class, device.uuid)] or [recorded])[0]

  def HotModDevice(self, instance, dev_type, device, _, seq):
    """Hot-modify a NIC: remove it, and add it again on its slot.

    One that an attempt before has removed, and got no further, is added; one
    that cannot be added as it should be is put back as it was.

    """
    device_class = _CLASS[dev_type]
    with self._Alone(instance):
      modify = super(Hotplug, self).HotModDevice
      if (device_class != partition.NIC or
          not partition.applies(self._Record(instance).hvparams)):
        return modify(instance, dev_type, device, _, seq)
      self._Settle(instance)
      before = self._Find(self._LoadKVMRuntime(instance), device_class, device)
      with self._Monitor(instance.name) as execute:
        is_there = before is not None or self._Unrecorded(
          execute, device_class, device)[1] is not None
      if not is_there:
        logging.warning("Instance %s: the guest has no NIC with UUID %s; it is"
                        " added", instance.name, device.uuid)
        return self.HotAddDevice(instance, dev_type, device, _, seq)
      self._keep = "it has not been changed, but may be gone by then"
      try:
        return modify(instance, dev_type, device, _, seq)
      except errors.GenericError as err:
        self._PutBack(instance, dev_type, before, seq, err)
        raise
      finally:
        del self._keep

  def _PutBack(self, instance, dev_type, before, seq, reason):
    """Add a NIC again that could not be changed.

    @param before: stock's object, as it was in the record; None if only QEMU
        had it
    @param reason: why it could not be changed
    @raise errors.HotplugError: where that has changed something

    """
    if before is not None and self._Find(self._LoadKVMRuntime(instance),
                                         partition.NIC, before) is not None:
      return # it has not left
    try:
      if before is None:
        raise errors.HotplugError("it was in no record")
      self.HotAddDevice(instance, dev_type, before, None, seq)
    except errors.GenericError as err:
      raise errors.HotplugError(
        "%s; the guest is without this NIC now (it could not be put back: %s);"
        " modify it again" % (reason, err))
    raise errors.HotplugError("%s; the NIC is as it was before" % reason)

  def _VerifyDevice(self, instance_name, device_id, should_exist, said=()):
    """Make sure that QEMU has, or has not, a device.

    @type said: list of strings
    @param said: what QEMU has answered to the commands for it
    @raise errors.HypervisorError: if that is not so

    """
    with Explained(instance_name):
      with self._Monitor(instance_name) as execute:
        exists = device_id in monitor.ids(execute)
    if exists != should_exist:
      text = "Instance %s: QEMU %s device %s" % (
        instance_name, "has" if exists else "does not have", device_id)
      raise errors.HypervisorError(": ".join([text] + list(said)))

  @staticmethod
  def _Find(runtime, device_class, device):
    """Find a device in a runtime by its uuid.

    A NIC recorded before 2.8 has none there, and a made up one once it was
    read; its MAC address tells which it is.

    @return: stock's object, or None

    """
    entries = runtime[_INDEX[device_class]]
    if device_class != partition.NIC:
      return ([entry[0] for entry in entries if entry[0].uuid == device.uuid] or
              [None])[0]
    return ([nic for nic in entries if nic.uuid == device.uuid] or
            [nic for nic in entries if nic.mac == device.mac] or [None])[0]

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

    @return: what QEMU says against it, or None

    """
    if device_id in monitor.ids(execute):
      return None
    try:
      removed = backends.take_back(execute, device_class, device_id)
    except CommandError as err:
      # somebody else uses it: no reason to leave the rest undone
      logging.warning("Instance %s: what stood behind %s stays: %s",
                      instance.name, device_id, err)
      return str(err)
    if removed:
      logging.info("Instance %s: removed %s", instance.name,
                   ", ".join(removed))
    return None

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
        if device.device_class == partition.NIC:
          self._CloseDescriptors(instance, execute, device.id)
    if not lost:
      return
    vacancy.note(self._Vacated(instance), [
      device.slot for device in lost if device.slot is not None])
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
