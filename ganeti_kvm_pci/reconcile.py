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

"""What a runtime file and a running QEMU are brought to agree on.

Before each operation on an instance's devices (L{settling}): devices whose
unplug the guest has completed late, or that a reset has removed, and what a
node daemon that died half-way has left. After an error: whether QEMU has the
device nevertheless.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import logging

from ganeti.hypervisor import hv_kvm

from . import chipset
from . import settling
from . import versions
from .access import Access
from .access import HAS_IOTHREADS
from .access import VERSION
from .bus import pools
from .errors import MonitorError
from .hmp_compat import HmpCompat
from .qmp import backends
from .qmp import queries
from .runtime import configuration
from .runtime import device_table
from .runtime import upgrade
from .verification import Verification


def _base(upstream):
  """Tell on what L{Reconcile} builds: how this Ganeti verifies a hot-add.

  @param upstream: its class C{KVMHypervisor}

  """
  if versions.has_hmp_hotplug(upstream):
    return HmpCompat
  return Verification if versions.verifies_by_id(upstream) else Access


class Reconcile(_base(hv_kvm.KVMHypervisor)):
  """The runtime file against QEMU."""

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
    """Look at QEMU after an error, and remove what is of no use.

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

  def _Settle(self, instance, keep=None, loaded=None):
    """Make the runtime file say what QEMU has.

    Devices that QEMU no longer has (the guest completed the unplug late, or was
    reset, or the node daemon died half-way) are removed from the runtime file,
    and orphaned backends from QEMU. What the guest ejected, and Ganeti's
    configuration has, stays in the runtime file: at its next boot the guest has
    it again.

    @type keep: string or None
    @param keep: uuid of a device that is to stay in the runtime file
    @type loaded: L{serialized.Runtime} or None
    @param loaded: the runtime file, if it was read already; is changed
    @raise MonitorError: if QEMU does not answer

    """
    loaded = loaded or self._Loaded(instance)
    if not chipset.applies(loaded.words, loaded.hvparams):
      return
    with self._Monitor(instance.name) as execute:
      self._SettleBy(execute, instance, keep, loaded)

  def _SettleBy(self, execute, instance, keep=None, loaded=None):
    """Do what L{_Settle} does, through a connection that is there.

    @type loaded: L{serialized.Runtime} or None
    @param loaded: the runtime file, if it was read already

    """
    loaded = loaded or self._Loaded(instance)
    upgrade.normalise(loaded, VERSION, HAS_IOTHREADS)
    table = device_table.DeviceTable(loaded)
    found = settling.Settling(execute, table)
    found.uuids = frozenset(device.get("uuid") for device in loaded.nics +
                            [disk[0] for disk in loaded.disks])
    found.forget(
      found.lost,
      lambda device_id: self._CloseDescriptors(instance, execute, device_id),
      lambda: self._Drop(instance, loaded, found.lost, keep),
      self._Pending(instance), self._Vacated(instance))
    self._TellUnclaimed(instance, found.unclaimed)
    # what a node daemon that died had no time to remove
    removed, in_use = found.sweep()
    begun = self._Running(instance.name)
    if begun:
      begun.seen = found
    if removed:
      logging.info("Instance %s: removed %s", instance.name, ", ".join(removed))
    for text in in_use:
      logging.warning("Instance %s: orphaned backend stays: %s", instance.name,
                      text)

  def _TellUnclaimed(self, instance, device_ids):
    """Say which devices the guest does not use, or not yet.

    @param device_ids: see L{settling.Settling}

    """
    requests = self._Pending(instance).requests() if device_ids else {}
    for device_id in device_ids:
      if device_id not in requests:
        logging.info("Instance %s: the guest has not mapped %s so far; if that"
                     " lasts, it is paused, still boots, or has no driver for"
                     " it", instance.name, device_id)

  def _Drop(self, instance, loaded, lost, keep):
    """Remove devices from the runtime file that QEMU no longer has.

    @type loaded: L{serialized.Runtime}
    @type lost: list of L{device_table.Device}
    @param keep: see L{_Settle}

    """
    configured = self._Configured(
      instance, [nic.get("uuid") for nic in loaded.nics])
    dropped = []
    for device in lost:
      uuid = device_table.dict_of(loaded, device)["uuid"]
      if uuid in configured[device.device_class]:
        logging.info("Instance %s: the guest has ejected %s, which Ganeti's"
                     " configuration has: it stays in the runtime file, and is"
                     " back at the next boot", instance.name, device.id)
      elif uuid != keep:
        dropped.append(device)
    if dropped:
      device_table.drop(loaded, dropped)
      self._WriteKVMRuntime(instance.name, loaded.dump())
      logging.warning("Instance %s: QEMU no longer has %s, removed from the"
                      " runtime file", instance.name,
                      ", ".join(device.id for device in dropped))

  @staticmethod
  def _Configured(instance, nics):
    """Tell which disks and NICs Ganeti's configuration has.

    @type nics: list of strings
    @param nics: the uuids of those in the runtime file
    @rtype: dict
    @return: classes to lists of uuids; empty where that is not known

    """
    configured = configuration.of(instance)
    if configured is None:
      return {pools.DISK: [], pools.NIC: []}
    return configuration.uuids(configured, instance.name, nics)
