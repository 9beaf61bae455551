#
#

# Copyright (C) 2026 the Ganeti project
# All rights reserved.
#
# Redistribution and use in source and binary forms, with or without
# modification, are permitted provided that the following conditions are
# met:
#
# 1. Redistributions of source code must retain the above copyright notice,
# this list of conditions and the following disclaimer.
#
# 2. Redistributions in binary form must reproduce the above copyright
# notice, this list of conditions and the following disclaimer in the
# documentation and/or other materials provided with the distribution.
#
# THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS
# IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED
# TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR
# PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
# CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL,
# EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
# PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
# PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF
# LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
# NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS
# SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

"""Whether a device is there: what the record says, and what QEMU has.

The record is written ahead: a device is in it before QEMU is asked to take
it, and until QEMU no longer has it. So wherever the node daemon dies, the
record has all that QEMU may have, and who comes next can tell by asking QEMU
what of it is true (L{Presence._Settle}). Readers of any series see nothing but
a record.

"""

# A mixin: what it calls up to is stock's, and so are the names.
# pylint: disable=no-member,invalid-name,protected-access

import contextlib
import logging

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

from . import chipset
from . import cooldown
from . import leftovers
from . import operation
from . import pending_unplugs
from .bus import pools
from .bus import scsi_ids
from .errors import CommandError
from .errors import KvmPciError
from .errors import MonitorError
from .qemu.ids import is_of
from .qmp import backends
from .qmp import client
from .qmp import queries
from .runtime import configuration
from .runtime import serialized
from .runtime import upgrade

#: Stock's words for the classes of devices.
CLASS = {
  constants.HOTPLUG_TARGET_DISK: pools.DISK,
  constants.HOTPLUG_TARGET_NIC: pools.NIC,
  }

#: Where disks and NICs stand in a runtime.
_INDEX = {pools.NIC: 1, pools.DISK: 3}


@contextlib.contextmanager
def Explained(instance_name, kind=errors.HypervisorError):
  """Turn the package's errors into what Ganeti reports as they are.

  @param kind: Ganeti's class of errors

  """
  try:
    yield
  except KvmPciError as err:
    raise kind("Instance %s: %s" % (instance_name, err))


class Presence(object):
  """What L{hotplug.Hotplug} asks and notes down."""

  # The L{operation.Operation} that runs; Ganeti's methods have no argument
  # through which it could be handed on
  _operation = None

  def _Running(self, instance_name):
    """Return the operation on an instance that runs, or None."""
    begun = self._operation
    return begun if begun and begun.name == instance_name else None

  @contextlib.contextmanager
  def _Operate(self, instance, kind=errors.HypervisorError):
    """Begin an operation, or take part in the one that runs.

    @param kind: see L{Explained}
    @return: a context that gives L{operation.Operation}

    """
    with Explained(instance.name, kind):
      outer = self._operation
      if self._Running(instance.name):
        yield outer
        return
      # who holds the lock needs the monitor, which stock of 3.1 keeps
      self._LeaveMonitor()
      path = self._InstanceKVMRuntime(instance.name)
      with operation.begin(instance.name,
                           self._InstanceQmpMonitor(instance.name),
                           path) as begun:
        # who else writes the runtime file has Ganeti's own lock on the instance
        removed = leftovers.sweep(path, True)
        if removed:
          logging.info("Instance %s: removed what a killed process left: %s",
                       instance.name, ", ".join(removed))
        self._operation = begun
        try:
          yield begun
        finally:
          self._operation = outer

  @contextlib.contextmanager
  def _Monitor(self, instance_name):
    """Reach an instance's QEMU.

    @return: a context that gives C{execute}, see L{client.Connection}

    """
    begun = self._Running(instance_name)
    if begun:
      yield begun.execute
      return
    self._LeaveMonitor()
    with client.connect(self._InstanceQmpMonitor(instance_name)) as execute:
      yield execute

  def _LeaveMonitor(self):
    """Let others come to the monitor.

    QEMU serves one client at a time. Stock of 3.1 keeps a connection of its
    own open through a job, and opens it anew when it needs it.

    """
    if getattr(self, "qmp", None):
      client.hang_up(self.qmp)

  def _ReadKVMRuntime(self, instance_name):
    """Read the runtime file, once in an operation.

    """
    read = super(Presence, self)._ReadKVMRuntime
    begun = self._Running(instance_name)
    if not begun:
      return read(instance_name)
    if begun.text is None:
      begun.text = read(instance_name)
    return begun.text

  def _WriteKVMRuntime(self, instance_name, data):
    """Write the runtime file.

    """
    begun = self._Running(instance_name)
    if begun:
      # if it fails, nobody knows what is there
      begun.text = None
    super(Presence, self)._WriteKVMRuntime(instance_name, data)
    if begun:
      # Ganeti 3.0 and later hand over bytes
      begun.text = data if isinstance(data, str) else data.decode("utf-8")

  def _Remember(self, instance, dev_type, device, extra):
    """Put a device into the record.

    """
    # what cannot be read again must not get into the record
    with Explained(instance.name, errors.HotplugError):
      name = "%s to be added" % CLASS[dev_type]
      serialized.check_names("record", name, device.ToDict())
      if CLASS[dev_type] == pools.DISK:
        # up to 2.10.2 the link alone
        serialized.check_extra("record", name, extra if isinstance(
          extra, (list, tuple)) else [extra])
    runtime = self._LoadKVMRuntime(instance)
    runtime[_INDEX[CLASS[dev_type]]].append(
      hv_kvm._RUNTIME_ENTRY[dev_type](device, extra))
    self._SaveKVMRuntime(instance, runtime)

  def _Forget(self, instance, device_class, device):
    """Take a device out of the record.

    """
    runtime = self._LoadKVMRuntime(instance)
    entries = runtime[_INDEX[device_class]]
    kept = [entry for entry in entries if device.uuid !=
            (entry if device_class == pools.NIC else entry[0]).uuid]
    if len(kept) < len(entries):
      entries[:] = kept
      self._SaveKVMRuntime(instance, runtime)

  @staticmethod
  def _Find(runtime, device_class, device):
    """Find a device in a runtime by its uuid.

    @return: stock's object, or None

    """
    entries = runtime[_INDEX[device_class]]
    if device_class != pools.NIC:
      entries = [entry[0] for entry in entries]
    return ([entry for entry in entries if entry.uuid == device.uuid] or
            [None])[0]

  def _FindLasting(self, instance, device_class, device):
    """Find a device in the record that is to be removed or modified.

    A NIC recorded before 2.8 has no uuid there, and a made up one once it was
    read; its MAC address tells which it is. One that has its own is not meant
    by another, whatever its MAC address.

    @return: stock's object, or None

    """
    runtime = self._LoadKVMRuntime(instance)
    found = self._Find(runtime, device_class, device)
    if found is None and device_class == pools.NIC:
      made_up = upgrade.lasting_uuid(instance.name, device.mac)
      found = ([nic for nic in runtime[_INDEX[device_class]]
                if nic.mac == device.mac and nic.uuid == made_up] or [None])[0]
    return found

  def _CheckMac(self, instance, device, replaced=None):
    """Make sure that no other NIC of the guest has a NIC's MAC address.

    @param device: stock's object, the NIC that is to be there
    @type replaced: string or None
    @param replaced: QEMU's id of the NIC that is to go for it
    @raise errors.HotplugError: if there is one; nothing has changed so far

    """
    with self._Monitor(instance.name) as execute:
      others = ["%s (slot %d)" % (name, place[0]) if place else name
                for name, mac, place in queries.macs(execute)
                if mac.lower() == (device.mac or "").lower() and
                name != replaced]
    if others:
      raise errors.HotplugError(
        "Instance %s: the guest still has a NIC with this MAC address, %s: %s;"
        " NIC %s was not plugged. Once the guest has completed the unplug of"
        " the other, modify this one (gnt-instance modify --net), or reboot the"
        " instance" % (instance.name, device.mac, ", ".join(others),
                       device.uuid))

  def _IsThere(self, instance, device_class, device):
    """Tell whether an attempt that did not end has added a device.

    """
    found = self._Find(self._LoadKVMRuntime(instance), device_class, device)
    if found is None:
      return False
    device_id = self._DeviceId(device_class, found)
    with self._Monitor(instance.name) as execute:
      if device_id is None or device_id in queries.ids(execute):
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
    device_class = CLASS[dev_type]
    with self._Monitor(instance.name) as execute:
      device_id, place = self._InQemuOnly(execute, device_class, device)
    if place is None:
      return False
    self._Take(instance, device_class, device, device_id, place)
    self._Remember(instance, dev_type, device, extra)
    logging.warning("Instance %s: QEMU had %s (%s) already, recorded now",
                    instance.name, device_id, self._ShowAddress(device))
    return True

  @staticmethod
  def _InQemuOnly(execute, device_class, device):
    """Find a device in QEMU that the record does not have.

    @return: its id there, and its slot, or scsi-id; (None, None) if QEMU has
        not got it either, or on no bus of ours

    """
    if not any(is_of(name, device_class, device.uuid)
               for name in queries.ids(execute)):
      return (None, None)
    for names in (queries.held(execute), queries.scsi_ids(execute)):
      for place, name in names.items():
        # both go into options: a QEMU that a guest has taken over may say
        # anything
        if is_of(name, device_class, device.uuid) and isinstance(place, int):
          return (name, place)
    return (None, None)

  def _FindInQemu(self, instance, device_class, device):
    """Find what only QEMU has; the device gets the place that it has there.

    @raise errors.HotplugError: if QEMU has not got it either

    """
    with self._Monitor(instance.name) as execute:
      device_id, place = self._InQemuOnly(execute, device_class, device)
    if place is None:
      raise errors.HotplugError(
        "Instance %s: neither the record nor QEMU has a %s with UUID %s: it was"
        " added without hotplug, and the guest does not have it" %
        (instance.name, device_class, device.uuid))
    self._Take(instance, device_class, device, device_id, place)
    return device

  def _Take(self, instance, device_class, device, device_id, place):
    """Give a device the place that it has in QEMU.

    """
    hvparams = self._DeviceTable(instance).hvparams
    if device_class == pools.DISK and scsi_ids.has_ids(hvparams):
      self._SetScsiAddress(device, hvparams, place)
    else:
      self._SetAddress(device_class, device, hvparams, place)
    self._KeepId(device, device_id)

  @staticmethod
  def _LiveId(execute, device_class, device, recorded):
    """Find the id under which QEMU has a device.

    It is the recorded one, unless the record was brought into the form of a
    series that makes ids in another way.

    """
    ids = queries.ids(execute)
    if recorded in ids:
      return recorded
    return ([name for name in sorted(ids) if is_of(
      name, device_class, device.uuid)] or [recorded])[0]

  @staticmethod
  def _WarnOfBackend(instance, device_id, reason):
    logging.warning("Instance %s: the backend of %s was not closed: %s;"
                    " ganeti-kvm-pci check --live tells whether it is still"
                    " there", instance.name, device_id, reason)

  def _TakeBack(self, instance, execute, known, device_class, device_id):
    """Remove the backend of a device that is not there.

    That it fails is no reason to leave the rest undone; but the connection may
    have lost its step.

    @type known: L{device_table.DeviceTable}

    """
    if device_id in queries.ids(execute):
      return
    try:
      removed = backends.take_back(execute, device_class, device_id,
                                   known.command)
    except MonitorError as err:
      self._WarnOfBackend(instance, device_id, err)
      return
    if removed:
      logging.info("Instance %s: removed %s", instance.name,
                   ", ".join(removed))

  def _IsAttachedAnyway(self, instance, known, device_class, device_id):
    """Look at QEMU after an error; what is of no use goes.

    @type known: L{device_table.DeviceTable}
    @rtype: bool
    @return: whether it has the device

    """
    with self._Monitor(instance.name) as execute:
      there = device_id in queries.ids(execute)
      if device_class == pools.NIC:
        self._CloseDescriptors(instance, execute, device_id)
      if not there:
        self._TakeBack(instance, execute, known, device_class, device_id)
    return there

  def _Settle(self, instance, keep=None):
    """Make the record say what QEMU has.

    Devices that QEMU lost since (the guest let go late, was reset, or the
    node daemon died half-way) leave the record, and orphaned backends leave
    QEMU. What the guest ejected, and the configuration has, stays in the
    record: at its next boot the guest has it again.

    @type keep: string or None
    @param keep: uuid of a device that is to stay in the record
    @raise MonitorError: if QEMU does not tell

    """
    known = self._DeviceTable(instance)
    if not chipset.applies(known.command, known.hvparams):
      return
    with self._Monitor(instance.name) as execute:
      self._SettleBy(execute, instance, known, keep)

  def _SettleBy(self, execute, instance, known, keep=None):
    """Do what L{_Settle} does, through a connection that is there.

    @type known: L{device_table.DeviceTable}

    """
    ids = queries.ids(execute)
    lost = known.lost(ids, queries.held(execute))
    for device in lost:
      if device.device_class == pools.NIC:
        self._CloseDescriptors(instance, execute, device.id)
    if lost:
      self._ForgetLost(instance, lost, keep)
    self._Pending(instance).keep(ids)
    # what a node daemon that died had no time to remove
    removed, in_use = backends.sweep(
      execute, [device.id for device in known.devices if device not in lost],
      known.command)
    if removed:
      logging.info("Instance %s: removed %s", instance.name, ", ".join(removed))
    for text in in_use:
      logging.warning("Instance %s: orphaned backend stays: %s", instance.name,
                      text)

  def _ForgetLost(self, instance, lost, keep):
    """Take devices out of the record that QEMU no longer has.

    @type lost: list of L{device_table.Device}
    @param keep: see L{_Settle}

    """
    cooldown.note(self._Vacated(instance), [
      device.slot for device in lost if device.slot is not None])
    runtime = self._LoadKVMRuntime(instance)
    known = self._Configured(instance, runtime)
    gone = []
    # from the end, so that the indexes before stay right
    for device in reversed(lost):
      entries = runtime[_INDEX[device.device_class]]
      entry = entries[device.index]
      uuid = (entry if device.device_class == pools.NIC else entry[0]).uuid
      if uuid in known[device.device_class]:
        logging.info("Instance %s: the guest has ejected %s, which Ganeti's"
                     " configuration has: it stays in the runtime file, and is"
                     " back at the next boot", instance.name, device.id)
      elif uuid != keep:
        del entries[device.index]
        gone.append(device.id)
    if gone:
      self._SaveKVMRuntime(instance, runtime)
      logging.warning("Instance %s: QEMU no longer has %s, taken out of the"
                      " record", instance.name, ", ".join(gone))

  @staticmethod
  def _Configured(instance, runtime):
    """Tell what of a runtime Ganeti's configuration has.

    @rtype: dict
    @return: classes to lists of uuids; empty where that is not known

    """
    configured = configuration.of(instance)
    if configured is None:
      return {pools.DISK: [], pools.NIC: []}
    return configuration.uuids(
      configured, instance.name,
      [nic.uuid for nic in runtime[_INDEX[pools.NIC]]])

  def _Pending(self, instance):
    """Return what the guest was asked for and has not completed.

    @rtype: L{pending_unplugs.Pending}

    """
    return pending_unplugs.Pending(self._InstanceKVMRuntime(instance.name),
                                   self._InstancePidAlive(instance.name)[1])

  def _Vacated(self, instance):
    """Name the file of L{cooldown}.

    """
    return cooldown.path_for(self._InstanceKVMRuntime(instance.name))

  def _VerifyDevice(self, instance_name, device_id, should_exist, said=()):
    """Make sure that QEMU has, or has not, a device.

    @type said: list of (command, text) pairs
    @param said: what QEMU's human monitor has answered to the commands for it
    @raise CommandError: if that is not so, and QEMU has said why
    @raise errors.HypervisorError: if that is not so

    """
    with Explained(instance_name, errors.HotplugError):
      with self._Monitor(instance_name) as execute:
        exists = device_id in queries.ids(execute)
    if exists != should_exist:
      if said:
        raise CommandError(said[0][0], "; ".join(text for _, text in said))
      raise errors.HypervisorError("Instance %s: QEMU %s device %s" % (
        instance_name, "has" if exists else "does not have", device_id))
