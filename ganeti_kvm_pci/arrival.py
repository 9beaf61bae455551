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

"""Guests that have arrived from another node.

A guest may eject a device while it is copied, long after it was asked to. So
what it has is compared once more when it is there. What it ejected before, and
which removals were requested from it on the other node, is noted here as well.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import logging
import os

from ganeti import constants
from ganeti import errors
from ganeti import utils

from . import elsewhere
from . import process
from .access import CLASS
from .access import Explained
from .errors import KvmPciError
from .incoming import Incoming
from .qemu import ids
from .qemu import topology as topology_
from .qmp import ejected
from .qmp import inventory
from .qmp import queries
from .runtime import configuration
from .runtime import disk_links
from .runtime import serialized
from .runtime import topology_file
from .runtime import unplug_request


def _report(info):
  """Read what the source node reported beside the runtime file.

  @type info: string
  @param info: what L{Arrival.FinalizeMigrationDst} is given
  @rtype: dict
  @raise RuntimeFileError: if it cannot be read

  """
  return serialized.parse(
    info, "runtime file from the source node").source_report or {}


class Arrival(Incoming):
  """What a migration ends with on the target."""

  def FinalizeMigrationDst(self, instance, info, success, *more, **others):
    """Finish a migration on the target.

    @raise errors.HypervisorError: if the job failed, and the guest is here; or
        a file cannot be written or removed

    """
    finalize = super(Arrival, self).FinalizeMigrationDst
    if not success:
      self._RefuseToEnd(instance)
      with Explained(instance.name):
        self._Withdraw(instance, info,
                       lambda: finalize(instance, info, success, *more,
                                        **others))
      return
    with Explained(instance.name):
      finalize(instance, self._Followed(instance, info)[0].dump(), success,
               *more, **others)
    for note, lost in (
        (self._RemoveEjected, "cannot tell whether the guest ejected a device"
         " while it was migrated"),
        (self._BringBack, "what the guest has ejected is not in its runtime"
         " file"),
        (self._TakeOverRequests, "which removals were requested is not noted")):
      try:
        note(instance, info)
      except (errors.GenericError, KvmPciError, EnvironmentError) as err:
        # the guest runs here, and a cold boot brings back what it ejected
        logging.error("Instance %s: %s: %s", instance.name, lost, err)

  def _RefuseToEnd(self, instance):
    """Refuse to end a guest that has arrived, though its job failed.

    The job lost the source node's daemon, or its QEMU, after the guest had
    left. It gets its runtime file, so that Ganeti finds it here. A cleanup that
    finds both QEMUs has asked the source first, and had the list of instances
    move the runtime file that waits: it may end the guest. One in postcopy,
    which runs here alone, nobody ends.

    @raise errors.HypervisorError: if it has arrived

    """
    name = instance.name
    _, pid, is_alive = self._InstancePidAlive(name)
    if not is_alive:
      return
    state, in_postcopy = None, False
    try:
      with self._Operate(instance) as begun:
        state = queries.postcopy(begun.execute)
        in_postcopy = state is not None
        waits = os.path.exists(self._Waiting(name))
        if not in_postcopy and (not waits or
                                queries.is_expecting(begun.execute)):
          return
        if waits:
          self._Arrive(name, [name])
    except (errors.GenericError, KvmPciError, EnvironmentError) as err:
      logging.info("Instance %s: %s", name, err)
      in_postcopy = in_postcopy or process.fetches_memory(pid)
      if not in_postcopy: # it is no guest, as far as can be told
        return
    if not self._InstancePidAlive(name)[2]:
      return
    if in_postcopy:
      raise errors.HypervisorError(
        "Instance %s is not ended on this node: its guest is to run here since"
        " postcopy began, and a part of its memory is still on the source: %s" %
        (name, elsewhere.remedy(state, instance, pid, True)))
    raise errors.HypervisorError(
      "Instance %s is not ended on this node: its guest arrived here before the"
      " migration was given up, and goes on; run gnt-instance migrate --cleanup"
      " %s" % (name, name))

  def _RemoveEjected(self, instance, _):
    """Remove what the guest ejected while it was copied.

    @raise EnvironmentError: if the runtime file from the source is not there
    @raise KvmPciError: if it cannot be read, or QEMU does not answer

    """
    source_report = self._SetBack(instance.name).source_report
    utils.RemoveFile(self._Waiting(instance.name))
    if source_report:
      self._TakeOut(instance, topology_file.read(
        source_report, topology_file.source_of(source_report), instance.name))

  def _TakeOut(self, instance, told):
    """Remove what the guest ejected before it was here.

    That a device has no addresses is no proof: a guest may have disabled it.
    Only what Ganeti's configuration no longer has is asked for once more.

    @type told: L{topology_file.Topology}
    @param told: what it had when the target was started
    @raise KvmPciError: if QEMU does not answer

    """
    with self._Operate(instance):
      with self._Monitor(instance.name) as execute:
        parts = told.left_out(inventory.topology(
          execute, kept=self._operation.kept))
      for part in parts:
        text = ("Instance %s: the guest ejected or disabled %s at %s while it"
                " was migrated" % (instance.name, topology_.show(part),
                                   topology_.show_address(part)))
        removal = self._Removal(instance, part)
        if removal is None:
          logging.warning("%s: it stays attached, and works after the next"
                          " boot", text)
          continue
        try:
          self.HotDelDevice(instance, *removal)
        except errors.GenericError as err:
          logging.error("%s, and it is still attached and in the runtime file:"
                        " %s", text, err)
        else:
          logging.warning("%s; Ganeti's configuration no longer has it, removed"
                          " here as well", text)

  def _Removal(self, instance, part):
    """Tell how to hot-remove a disk or NIC that is no longer configured.

    @type part: L{topology.Part}
    @rtype: tuple or None
    @return: the other arguments of L{HotDelDevice}; None if it is neither, or
        Ganeti's configuration has it or does not tell

    """
    if configuration.of(instance) is None:
      return None
    runtime = self._LoadKVMRuntime(instance)
    known = self._Configured(instance,
                             [nic.uuid for nic in runtime[1]])
    for dev_type, entries in (
        (constants.HOTPLUG_TARGET_DISK, [entry[0] for entry in runtime[3]]),
        (constants.HOTPLUG_TARGET_NIC, runtime[1])):
      for seq, device in enumerate(entries):
        name = self._DeviceId(CLASS[dev_type], device)
        if (name and ids.is_same(name, part.id) and
            device.uuid not in known[CLASS[dev_type]]):
          return (dev_type, device, None, seq)
    return None

  def _BringBack(self, instance, info):
    """Write what the guest ejected before it moved into its runtime file.

    @raise KvmPciError: if that cannot be

    """
    configured = configuration.of(instance)
    told = _report(info).get(ejected.FIELD)
    if not told or configured is None:
      return
    with self._Operate(instance):
      loaded = serialized.parse(self._ReadKVMRuntime(instance.name),
                                "runtime file")
      back = ejected.bring_back(loaded, told, configured)
      if back:
        disk_links.follow(loaded, configured.disks)
        self._WriteKVMRuntime(instance.name, loaded.dump())
        logging.info("Instance %s: ejected by the guest, and back at its next"
                     " boot: %s", instance.name, ", ".join(back))

  def _TakeOverRequests(self, instance, info):
    """Note which removals were requested from the guest on the source node.

    What QEMU keeps of a request was migrated with the guest: the guest may
    complete the unplug here.

    @raise KvmPciError: if that cannot be

    """
    told = _report(info).get(unplug_request.FIELD)
    if told:
      with self._Operate(instance):
        self._Pending(instance).note(unplug_request.of_data(
          told, "runtime file from the source node"))
