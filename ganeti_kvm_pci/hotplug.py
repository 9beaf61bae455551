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

"""Devices that are added and removed while the guest runs.

Upstream's methods do it; what is asked before and noted is in L{presence}.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import logging
import os
import time

from ganeti import errors
from ganeti import utils

from . import chipset
from . import clock
from . import time_limit
from . import unmet_tags
from .access import CLASS
from .access import Lent
from .bus import frozen
from .bus import pools
from .errors import CommandError
from .errors import KvmPciError
from .errors import MonitorError
from .errors import NodeError
from .errors import with_remedy
from .presence import Presence
from .qemu import refusals
from .qemu import start_error
from .qmp import queries
from .qmp import unplug
from .runtime import device_table
from .runtime import placement
from .runtime import unplug_request

#: What may come of a hot-add that is to be explained; all else is a fault.
_REASONS = (errors.GenericError, EnvironmentError, KvmPciError)


class Hotplug(Presence):
  """The hotplug helpers of L{hypervisor.KVMHypervisor}."""

  def HotAddDevice(self, instance, dev_type, device, extra, seq, *more,
                   **others):
    """Hot-add a device: all of it, or nothing.

    Its slot is one that neither the runtime file nor QEMU has in use.

    """
    device_class = CLASS[dev_type]
    with self._Operate(instance, errors.HotplugError):
      known = self._Loaded(instance)
      if not chipset.applies(known.words, known.hvparams):
        return super(Hotplug, self).HotAddDevice(instance, dev_type, device,
                                                 extra, seq, *more, **others)
      self._RefuseState(instance)
      self._Settle(instance, loaded=known)
      if (self._IsThere(instance, device_class, device) or
          self._Adopt(instance, dev_type, device, extra)):
        return None
      known = self._DeviceTable(instance)
      if device_class == pools.NIC:
        self._CheckMac(instance, known.partition, device)
      self._ChooseAddress(instance, known, device_class, device, seq)
      device_id = self._DeviceId(device_class, device)
      if device_id is None: # not on a bus of ours
        return self._Plug(None, instance, dev_type, device, extra, seq, *more,
                          **others)
      runtime = self._Remember(instance, dev_type, device, extra)
      try:
        if device_id in self._operation.seen.backends: # of another attempt
          with self._Monitor(instance.name) as execute:
            self._TakeBack(instance, execute, known, device_class, device_id)
        self._AwaitSlot(instance, device)
        return self._Plug(runtime, instance, dev_type, device, extra, seq,
                          *more, **others)
      except Exception as err: # pylint: disable=broad-except
        # whatever it was: what counts is what QEMU has now
        self._TellWhy(instance, known, device_class, device, extra, err)
        return None

  def _TellWhy(self, instance, known, device_class, device, extra, err):
    """Look whether a device was added in spite of an error, and explain that.

    @type known: L{device_table.DeviceTable}
    @param known: the runtime file, without the device
    @raise errors.HotplugError: if it was not added; nothing of it is left

    """
    device_id = self._DeviceId(device_class, device)
    where = self._ShowAddress(device)
    # up to 2.10.2 the link alone; QEMU names but the descriptor that it got
    link = extra[0] if isinstance(extra, (list, tuple)) else extra
    if link:
      where += ", %s" % os.path.realpath(link)
    reason, words = start_error.reason(err, known.partition)
    text = "Instance %s: %s (%s) was not added: %s" % (
      instance.name, device_id, where, reason)
    try:
      was_added = self._IsAttachedAnyway(instance, known, device_class,
                                         device_id)
    except MonitorError as silent:
      raise errors.HotplugError(
        "%s; nor does QEMU tell whether it has the device, which the next"
        " operation will find out: %s" % (text, silent))
    if was_added:
      logging.warning("Instance %s: %s was added in spite of: %s",
                      instance.name, device_id, reason)
      return
    text += self._TryToForget(instance, device_class, device)
    if not isinstance(err, _REASONS):
      raise # pylint: disable=misplaced-bare-raise
    raise errors.HotplugError("%s; %s" % (text, start_error.remedy(
      words, device_class)))

  def _Plug(self, runtime, instance, dev_type, device, extra, seq, *more,
            **others):
    """Let upstream, which loads C{runtime} first, add what is in the file."""
    begun = self._operation
    begun.announced = device.uuid
    configure, load = self._ConfigureNIC, self._LoadKVMRuntime
    loaded = [runtime] if runtime else []

    def _ConfigureNIC(*args):
      # its script may take long, and others need the monitor
      with begun.soon_left():
        configure(*args)
      self.qmp = begun.lend()

    try:
      with Lent(self, qmp=begun.lend(), _ConfigureNIC=_ConfigureNIC,
                _LoadKVMRuntime=lambda *args, **kwargs: (
                  loaded.pop() if loaded else load(*args, **kwargs)),
                **self._Listening(begun.human)):
        return super(Hotplug, self).HotAddDevice(instance, dev_type, device,
                                                 extra, seq, *more, **others)
    except Exception:
      # the connection may have lost its step
      begun.hang_up()
      raise
    finally:
      begun.announced = None

  def _ChooseAddress(self, instance, known, device_class, device, seq):
    """Choose a device's address, unless it has one.

    @type known: L{device_table.DeviceTable}
    @raise BusFullError: if no slot, or SCSI id, is free
    @raise MonitorError: if QEMU does not answer

    """
    # a modified NIC has that from before, and perhaps an older release's id
    if self._HasAddress(device):
      self._RenewId(device_class, device)
      return
    tags = frozen.of(instance)
    if self._GIVES_SLOTS_TO_ALL or device_table.is_on_pci(device_class,
                                                          known.hvparams):
      taken = self._operation.seen.held()
      if device_class == pools.NIC:
        with self._Monitor(instance.name) as execute:
          self._NameNic(instance, execute, known)
      taken.update(known.held())
      slot = placement.hot_add(known, device_class, device.uuid, taken, seq,
                               tags)
      self._SetAddress(device_class, device, known.hvparams, known.partition,
                       slot)
    elif device_class == pools.DISK and known.scsi_ids is not None:
      with self._Monitor(instance.name) as execute:
        taken = queries.scsi_ids(execute)
      taken.update(known.scsi_ids)
      self._SetScsiAddress(device, known.hvparams, placement.hot_add_scsi(
        known, device.uuid, taken, seq, tags))
    unmet_tags.tell(instance, tags, only_devices=True)

  def HotDelDevice(self, instance, dev_type, device, _, seq, *more, **others):
    """Hot-remove a device: QEMU no longer has it when this returns.

    @return: the address that it had, as upstream returns it

    """
    device_class = CLASS[dev_type]
    with self._Operate(instance, errors.HotplugError):
      known = self._DeviceTable(instance)
      if not chipset.applies(known.command, known.hvparams):
        return super(Hotplug, self).HotDelDevice(instance, dev_type, device, _,
                                                 seq, *more, **others)
      self._RefuseState(instance)
      self._Settle(instance, keep=device.uuid)
      found = self._FindLasting(instance, device_class, device)
      if found is None:
        found = self._FindInQemu(instance, device_class, device)
      device_id = self._DeviceId(device_class, found)
      if device_id is None:
        raise errors.HotplugError(
          "Instance %s: %s %s is not on a bus that devices can be removed"
          " from" % (instance.name, device_class, device.uuid))
      self._CheckRoom(instance, "%s (%s)" % (device_id,
                                             self._ShowAddress(found)))
      self._Unplug(instance, known, device_class, found, device_id)
      if device_class == pools.NIC:
        try:
          utils.RemoveFile(self._InstanceNICFile(instance.name, seq))
        except EnvironmentError as err: # it names a tap that is there no longer
          logging.warning("Instance %s: %s", instance.name, err)
      return self._GetAddress(found)

  def _Unplug(self, instance, known, device_class, found, device_id):
    """Remove a device from QEMU, then from the runtime file, then its backend.

    @type known: L{device_table.DeviceTable}
    @param found: Ganeti's object, of the runtime file
    @raise errors.HotplugError: if the guest does not complete the unplug

    """
    with self._Monitor(instance.name) as execute:
      device_id = self._LiveId(execute, device_class, found, device_id)
      name = "%s (%s)" % (device_id, self._ShowAddress(found))
      if device_class == pools.DISK:
        self._CheckJobs(instance, execute, device_id, name)
    requested, answers = self._Pending(instance), []
    was_asked = device_id in requested.requests()

    def note(is_taken):
      answers.append((clock.monotonic(), is_taken))
      try:
        requested.note({device_id: unplug_request.Request(
          self._Slot(found), int(time.time()),
          self._operation.is_modifying)})
      except NodeError as err: # the guest is asked already
        logging.warning("Instance %s: %s", instance.name, err)

    try:
      if not unplug.unplug(
          lambda: self._Monitor(instance.name), device_id,
          time_limit.unplug(), note, self._operation.hang_up,
          lambda: not self._InstancePidAlive(instance.name)[2]):
        self._Unanswered(instance, device_class, name,
                         any(taken for _, taken in answers) or not answers)
    except CommandError as err:
      raise errors.HotplugError("Instance %s: %s cannot be removed: %s%s" % (
        instance.name, name, err, refusals.is_migrating(err) and
        "; wait until the migration has ended, and try again" or ""))
    # whatever else may fail, QEMU no longer has it
    left = self._TryToForget(instance, device_class, found)
    for tell in (lambda: requested.forget(device_id),
                 lambda: self._Vacate(instance, found, answers, was_asked)):
      try:
        tell()
      except NodeError as err: # the next operation sees to the rest
        logging.warning("Instance %s: %s", instance.name, err)
    self._CloseBackend(instance, known, device_class, device_id)
    if left:
      raise errors.HotplugError("Instance %s: %s" % (
        instance.name, with_remedy("QEMU has removed %s%s" % (name, left))))

  def _Unanswered(self, instance, device_class, name, is_taken):
    """Say that the guest did not complete an unplug in time.

    @type is_taken: bool
    @param is_taken: whether QEMU took a request
    @raise errors.HotplugError: always

    """
    limit = time_limit.unplug()
    if not is_taken:
      # QEMU 5.2, behind a root port: a reset loses the request, not that it is
      # pending (https://gitlab.com/qemu-project/qemu/-/issues/1577)
      raise errors.HotplugError(
        "Instance %s: the unplug of %s timed out after %g s: QEMU took no"
        " request, it is already in the process of unplug by an earlier one."
        " The device stays attached and in the runtime file. Try again; if the"
        " guest was reset after the earlier request, QEMU may never end it:"
        " shut the instance down and start it." % (instance.name, name, limit))
    remedy = ("It has not been changed; try again."
              if self._operation.is_modifying else
              "Do not delete its disk; try again." if device_class == pools.DISK
              else "Try again.")
    raise errors.HotplugError(
      "Instance %s: the unplug of %s timed out after %g s: the guest did not"
      " respond. The device stays attached and in the runtime file until the"
      " guest responds or is reset. %s" % (instance.name, name, limit, remedy))

  def _CloseBackend(self, instance, known, device_class, device_id):
    """Remove the backend of a device that was removed, or say that it stays.

    @type known: L{device_table.DeviceTable}

    """
    try:
      with self._Monitor(instance.name) as execute:
        self._TakeBack(instance, execute, known, device_class, device_id)
    except MonitorError as err:
      self._WarnOfBackend(instance, device_id, err)
