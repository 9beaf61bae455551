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

"""Whether QEMU can hot-add, and has what Ganeti has hot-added.

The latter is asked by the device's id.

Upstream of 2.16 to master looks up to five times, a second apart. In 3.1 (and
master until its pull request 1964) it never sees a disk on the SCSI bus: it
reads C{device} of C{query-block}, which is empty where C{-blockdev} is used.
Master since f4cb0f63 waits 5 s more for the guest to claim the device. But
C{device_add} has attached it when it returns, whatever the guest does.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import logging

from ganeti import constants

from .access import Access
from .access import Lent
from .qmp import queries


class Verification(Access):
  """Hotplug that is verified by C{qom-list}, once, and without the guest."""

  def VerifyHotplugSupport(self, instance, action, *more, **others):
    """Leave it to a hot-add to ask QEMU what it can.

    Upstream opens a connection for that, which L{HotAddDevice} does without.

    """
    if action != constants.HOTPLUG_ACTION_ADD:
      # pylint: disable=no-member
      super(Verification, self).VerifyHotplugSupport(instance, action, *more,
                                                     **others)

  def HotAddDevice(self, instance, dev_type, *more, **others):
    """Hot-add a device if QEMU has the commands for it.

    @raise errors.HotplugError: if it has not

    """
    # pylint: disable=no-member
    upstream = super(Verification, self)
    # both begin with that; the former changes nothing of it
    loaded = [self._LoadKVMRuntime(instance)] * 2
    load = self._LoadKVMRuntime
    with Lent(self, _LoadKVMRuntime=lambda *args, **kwargs: (
        loaded.pop() if loaded else load(*args, **kwargs))):
      upstream.VerifyHotplugSupport(instance, constants.HOTPLUG_ACTION_ADD,
                                    dev_type)
      del loaded[1:]
      return upstream.HotAddDevice(instance, dev_type, *more, **others)

  def _VerifyHotplugCommand(self, instance, kvm_devid, should_exist, *more,
                            **others):
    """Make sure that QEMU has a device, and tell if its guest cannot see it.

    @raise errors.HypervisorError: if QEMU has not got it

    """
    begun = self._Running(instance.name)
    if begun is None or begun.announced is None: # a bus that is upstream's
      # pylint: disable=no-member
      super(Verification, self)._VerifyHotplugCommand(
        instance, kvm_devid, should_exist, *more, **others)
      return
    self._VerifyDevice(instance.name, kvm_devid, should_exist)
    state = begun.run_state
    if state is None: # it was left to others meanwhile
      with self._Monitor(instance.name) as execute:
        state = queries.run_state(execute)
    if state != queries.RUNNING:
      logging.warning("Instance %s: %s is attached, but the guest does not run"
                      " (%s): it sees the device once it goes on",
                      instance.name, kvm_devid, state)
