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

"""NICs that are modified while the guest runs: removed, and added again."""

# The names are Ganeti's.
# pylint: disable=invalid-name

import logging

from ganeti import errors

from . import chipset
from .access import CLASS
from .bus import pools
from .errors import MonitorError
from .hotplug import Hotplug
from .qmp import queries


class NicModification(Hotplug):
  """What C{gnt-instance modify --net N:modify} does on the node."""

  def HotModDevice(self, instance, dev_type, device, _, seq, *more, **others):
    """Hot-modify a NIC: remove it, and add it again on its slot.

    One that an attempt before has removed, and got no further, is added; one
    that cannot be added as it should be is put back as it was.

    """
    device_class = CLASS[dev_type]
    with self._Operate(instance, errors.HotplugError) as begun:
      modify = super(NicModification, self).HotModDevice
      known = self._DeviceTable(instance)
      if (device_class != pools.NIC or
          not chipset.applies(known.command, known.hvparams)):
        return modify(instance, dev_type, device, _, seq, *more, **others)
      self._RefuseState(instance)
      self._Settle(instance)
      before = self._FindLasting(instance, device_class, device)
      with self._Monitor(instance.name) as execute:
        if before is None:
          live_id = self._InQemuOnly(execute, known.partition, device_class,
                                       device)[0]
        else:
          live_id = self._LiveId(execute, device_class, before,
                                 self._DeviceId(device_class, before))
      if before is None and live_id is None:
        logging.warning("Instance %s: the guest has no NIC with UUID %s; it is"
                        " added", instance.name, device.uuid)
        return self.HotAddDevice(instance, dev_type, device, _, seq)
      self._CheckMac(instance, known.partition, device, live_id)
      begun.is_modifying = True
      try:
        return modify(instance, dev_type, device, _, seq, *more, **others)
      except errors.GenericError as err:
        self._PutBack(instance, dev_type, before, seq, err)
        raise
      finally:
        begun.is_modifying = False

  def _PutBack(self, instance, dev_type, before, seq, reason):
    """Add a NIC again that could not be changed.

    @param before: Ganeti's object, as it was in the runtime file; None if only
        QEMU had it
    @param reason: why it could not be changed
    @raise errors.HotplugError: where that has changed something

    """
    if before is not None and self._IsAttached(instance, before):
      return
    try:
      if before is None:
        raise errors.HotplugError("it was in no runtime file")
      self.HotAddDevice(instance, dev_type, before, None, seq)
    except errors.GenericError as err:
      raise errors.HotplugError(
        "%s; the guest is without this NIC now (it could not be put back: %s);"
        " modify it again" % (reason, err))
    raise errors.HotplugError("%s; the NIC is as it was before" % reason)

  def _IsAttached(self, instance, nic):
    """Tell whether QEMU still has a NIC, as far as it answers.

    The runtime file may name one that was removed, where it could not be
    written.

    @param nic: Ganeti's object

    """
    try:
      with self._Monitor(instance.name) as execute:
        return self._LiveId(execute, pools.NIC, nic, self._DeviceId(
          pools.NIC, nic)) in queries.ids(execute)
    except MonitorError: # the error that there is says it
      return True
