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

"""Guests that have left for another node, or were to leave.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import logging

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

from . import elsewhere
from . import sent_devices
from .access import Explained
from .access import Lent
from .errors import KvmPciError
from .errors import show
from .migration import Migration
from .qmp import client

#: What C{query-migrate} says from the last round on, until the target has
#: confirmed (QEMU 10.0 and 11.1; 7.2 says C{active}); and, from 10.2 on, until
#: it runs the guest in postcopy, before which the source may still resume it.
_TAKING_OVER = ("device", "postcopy-device")

#: What it says when a connection that broke in postcopy is made again (2.12;
#: the second from 9.2 on).
_RECOVERING = ("postcopy-recover", "postcopy-recover-setup")


class Departure(Migration):
  """What a migration ends with on the source."""

  def GetMigrationStatus(self, instance, *more, **others):
    """Ask how far a migration is.

    Ganeti (3.0 to master) does not know some of QEMU's words, and takes for
    failed what QEMU calls so for 10 s. With the return path that may last.

    @raise errors.HypervisorError: if the connection broke in postcopy, or QEMU
        does not answer, such as one whose guest has shut down meanwhile

    """
    ask = super(Departure, self).GetMigrationStatus
    if not hasattr(hv_kvm.QmpConnection, "GetMigrationStatus"):
      return ask(instance, *more, **others)
    self._LeaveMonitor()
    path = self._InstanceQmpMonitor(instance.name)
    qmp = hv_kvm.QmpConnection(path)
    query = qmp.GetMigrationStatus

    def _Query():
      try:
        found = query()
      except (EnvironmentError, errors.HypervisorError) as err:
        # 3.1 and later let the first through, and neither names the instance
        raise client.unanswered(path, "query-migrate", show(err))
      status = found.get("status")
      if status == elsewhere.PAUSED:
        raise errors.HypervisorError(
          "Instance %s: the connection between both QEMUs broke after postcopy"
          " had begun; its guest runs on the target until it needs memory that"
          " is still here: %s" % (instance.name, elsewhere.remedy(
            status, instance, self._InstancePidAlive(instance.name)[1])))
      # without figures Ganeti begins no postcopy
      return {"status": constants.HV_MIGRATION_ACTIVE} \
        if status in _TAKING_OVER or status in _RECOVERING else found

    qmp.GetMigrationStatus = _Query
    try:
      with Explained(instance.name), Lent(self, qmp=qmp):
        return ask(instance, *more, **others)
    finally:
      client.hang_up(qmp)

  def FinalizeMigrationSource(self, instance, success, live, *more, **others):
    """Finish a migration on the source.

    A job that lost this node's daemon, or got no answer of it, takes for failed
    what may have completed. To resume the guest then would be to run it twice,
    or with disks that are newer than its memory.

    @raise errors.HypervisorError: if it has left, and the job failed

    """
    _, pid, is_alive = self._InstancePidAlive(instance.name)
    if not success and is_alive:
      self._RefuseToResume(instance, pid)
    try:
      super(Departure, self).FinalizeMigrationSource(instance, success, live,
                                                     *more, **others)
    finally:
      # it fails where QEMU does not have what migration_caps names
      self._ForgetMigration(instance, success)

  def _ForgetMigration(self, instance, success):
    """Undo what was noted, and set, for a migration."""
    try:
      sent_devices.forget(self._InstanceKVMRuntime(instance.name))
    except EnvironmentError as err: # the next migration writes it anew
      logging.info("Instance %s: %s", instance.name, err)
    if success or not self._InstancePidAlive(instance.name)[2]:
      return
    try:
      # whoever sends the guest to a file has no answer to wait for
      with self._Monitor(instance.name) as execute:
        self._SetReturnPath(instance, execute, False)
    except (KvmPciError, errors.HypervisorError) as err:
      logging.info("Instance %s: %s", instance.name, err)

  def _RefuseToResume(self, instance, pid):
    """Refuse to resume a guest that runs on another node."""
    try:
      with self._Monitor(instance.name) as execute:
        elsewhere.refuse(execute, instance, pid, "resumed on this node")
    except KvmPciError as err: # Ganeti will say so
      logging.info("Instance %s: %s", instance.name, err)
