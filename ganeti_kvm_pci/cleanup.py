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

"""What ends with an instance's QEMU: all that the plugin keeps of it.

Ganeti removes the runtime file where an instance is stopped or was migrated to
another node. One that ended by itself is seen to at its next start, or when the
instances of the node are listed.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import logging

from ganeti import errors
from ganeti import utils

from . import leftovers
from .access import Explained
from .arrival import Arrival
from .errors import KvmPciError

#: How long to wait for an operation on an instance that has just ended.
_PATIENCE = 5


class Cleanup(Arrival):
  """The methods of L{hypervisor.KVMHypervisor} that end with a QEMU, or begin.

  """
  def _RemoveKept(self, name, patience=None, also_ganetis=True,
                  may_run=False):
    """Remove what was kept of a QEMU that has ended.

    What cannot be removed does no harm, and stays for the next to come.

    @type name: string
    @param name: the instance's
    @param patience: how long to wait for an operation under way, in seconds
    @param also_ganetis: see L{leftovers.sweep}
    @param may_run: whether another QEMU may run for it by now

    """
    try:
      removed = leftovers.clear(
        self._InstanceKVMRuntime(name), also_ganetis,
        _PATIENCE if patience is None else patience,
        lambda: not may_run and self._InstancePidAlive(name)[2])
    except (KvmPciError, errors.HypervisorError) as err:
      logging.info("Instance %s: what was kept of it is not removed: %s", name,
                   err)
    else:
      if removed:
        logging.info("Instance %s: removed what was kept of it: %s", name,
                     ", ".join(removed))

  def _RemoveKvmdSocket(self, name):
    """Remove the socket of a QEMU that has ended, which Ganeti has since 2.12.

    Unmodified Ganeti removes it nowhere, and QEMU cannot if it was killed or is
    in a chroot.

    """
    if hasattr(self, "_InstanceKvmdMonitor"):
      try:
        utils.RemoveFile(self._InstanceKvmdMonitor(name))
      except EnvironmentError as err: # the next QEMU makes it anew
        logging.info("Instance %s: %s", name, err)

  def StartInstance(self, instance, *args, **kwargs):
    """Start an instance.

    @raise errors.HypervisorError: if it fails, or a file cannot be written

    """
    self._RemoveKept(instance.name)
    with Explained(instance.name):
      return super(Cleanup, self).StartInstance(instance, *args, **kwargs)

  def RebootInstance(self, instance, *more, **others):
    """Reboot an instance: what was kept is of the QEMU before.

    @raise errors.HypervisorError: if it fails, or a file cannot be written

    """
    with Explained(instance.name):
      result = super(Cleanup, self).RebootInstance(instance, *more, **others)
    self._RemoveKept(instance.name, may_run=True)
    return result

  def AcceptInstance(self, instance, info, target, *more, **others):
    """Start what a guest is to move to.

    """
    self._RemoveKept(instance.name)
    return super(Cleanup, self).AcceptInstance(instance, info, target, *more,
                                               **others)

  def CleanupInstance(self, instance_name, *more, **others):
    """Remove what is left of an instance that was stopped.

    """
    super(Cleanup, self).CleanupInstance(instance_name, *more, **others)
    self._RemoveKvmdSocket(instance_name)
    self._RemoveKept(instance_name)

  def FinalizeMigrationSource(self, instance, success, live, *more, **others):
    """Finish a migration on the source.

    @raise errors.HypervisorError: see L{Departure.FinalizeMigrationSource}; or
        a file cannot be removed

    """
    with Explained(instance.name):
      super(Cleanup, self).FinalizeMigrationSource(instance, success, live,
                                                   *more, **others)
    if success:
      self._RemoveKvmdSocket(instance.name)
      self._RemoveKept(instance.name)

  def ListInstances(self, *args, **kwargs):
    """List what runs here; of what does not, nothing is kept.

    """
    running = super(Cleanup, self).ListInstances(*args, **kwargs)
    for name in leftovers.instances(self._InstanceKVMRuntime("any")):
      if name not in running:
        # it may just be started: then it has the lock, or its runtime file is
        # being written
        self._RemoveKept(name, 0, also_ganetis=False)
    return running
