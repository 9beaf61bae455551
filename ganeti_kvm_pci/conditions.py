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

"""What must be so before a device is added or removed; nothing has changed yet.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import os

from ganeti import errors

from . import temporary
from .access import Explained
from .errors import with_remedy
from .qmp import block_jobs
from .qmp import queries
from .reconcile import Reconcile


class Conditions(Reconcile):
  """What L{hotplug.Hotplug} makes sure of first."""

  def HotplugSupported(self, instance, *more, **others):
    """Refuse hotplug before Ganeti changes its configuration.

    Once hotplug itself fails, Ganeti goes on without it, and deletes the disk
    that was to be removed (2.10 to master). It asks this of guests that are
    left to it, too.

    @raise errors.HotplugError: see L{_RunState}

    """
    with Explained(instance.name, errors.HotplugError):
      # pylint: disable=no-member
      super(Conditions, self).HotplugSupported(instance, *more, **others)
      self._RunState(instance.name)

  def _RefuseState(self, instance):
    """Make sure that the guest's state allows hotplug, and note the state.

    @raise errors.HotplugError: see L{_RunState}

    """
    self._operation.run_state = self._RunState(instance.name)

  def _RunState(self, instance_name):
    """Ask for the guest's state.

    A guest that wakes up goes through a reset of QEMU (7.2): the bus forgets
    what was added, and removes at once what was to be. One that was migrated to
    another node does not run again here, and what it has is lost.

    @rtype: string or None
    @return: as of L{queries.run_state}
    @raise errors.HotplugError: if the guest sleeps (S3), or has left

    """
    with self._Monitor(instance_name) as execute:
      state = queries.run_state(execute)
    if state == queries.ASLEEP:
      raise errors.HotplugError(
        "Instance %s: the guest is suspended (S3), and would lose, or not see,"
        " what is changed now: wake it up (system_wakeup at QEMU's monitor),"
        " and try again" % instance_name)
    if state == queries.LEFT:
      raise errors.HotplugError(
        "Instance %s: this QEMU is paused after a migration that completed: its"
        " devices are not changed; finish the migration (gnt-instance migrate"
        " --cleanup), and try again where the guest runs" % instance_name)
    return state

  def _CheckRoom(self, instance, name):
    """Make sure that the runtime file can be written after an unplug.

    QEMU would not have the device any longer, and the file would.

    @param name: the device, for the error
    @raise errors.HotplugError: if it cannot; nothing has changed so far

    """
    path = self._InstanceKVMRuntime(instance.name)
    data = self._ReadKVMRuntime(instance.name)
    try:
      with temporary.written(*os.path.split(path), mode=0o600, lasting=False,
                             data=data if isinstance(data, bytes) else
                             data.encode("utf-8")):
        pass
    except EnvironmentError as err:
      raise errors.HotplugError("Instance %s: %s" % (
        instance.name, with_remedy(
          "%s was not removed: cannot write beside the runtime file %s: %s" %
          (name, path, err.strerror))))

  def _CheckMac(self, instance, part, device, replaced=None):
    """Make sure that no other NIC of the guest has a NIC's MAC address.

    @type part: L{pools.Partition}
    @param device: Ganeti's object, the NIC that is to be attached
    @type replaced: string or None
    @param replaced: QEMU's id of the NIC that it replaces
    @raise errors.HotplugError: if there is one; nothing has changed so far

    """
    with self._Monitor(instance.name) as execute:
      others = ["%s (%s)" % (name, part.show(unit[0])) if unit else name
                for name, unit in queries.nics_with(
                  execute, part, device.mac or "", replaced,
                  self._operation.seen.nics())]
    if others:
      raise errors.HotplugError(
        "Instance %s: the guest still has a NIC with this MAC address, %s: %s;"
        " NIC %s was not plugged. Once the guest has completed the unplug of"
        " the other, modify this one (gnt-instance modify --net), or reboot the"
        " instance" % (instance.name, device.mac, ", ".join(others),
                       device.uuid))

  @staticmethod
  def _CheckJobs(instance, execute, device_id, name):
    """Make sure that nobody copies or merges a disk that is to be removed.

    @param name: the disk, for the error
    @raise errors.HotplugError: if somebody does

    """
    if device_id not in queries.ids(execute):
      return # what is left of it is no reason to keep it in the runtime file
    jobs = block_jobs.using(execute, device_id)
    if jobs:
      raise errors.HotplugError(
        "Instance %s: %s was not removed: it is in use by the block job %s. The"
        " guest was not asked. Wait until the job has ended, or cancel it, and"
        " try again" % (instance.name, name, ", ".join(jobs)))
