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

"""How a guest's devices differ from Ganeti's configuration, for C{check}."""

from ..bus.pools import NIC
from ..node import configured as configured_
from ..qemu import start_error
from ..runtime import configuration
from ..runtime import consistency
from ..runtime import device_table
from ..runtime import disk_links

_MISSING = (
  "%s %d (%s) is in Ganeti's configuration, but not in the guest: it was added"
  " without hotplug, its hot-add failed, or a job that Ganeti refused had"
  " removed it before; %s")
_EXTRA = (
  "%s is in the guest, but not in Ganeti's configuration: it was removed"
  " without hotplug, its hot-remove failed, or a job that Ganeti refused had"
  " added it before; reboot the instance")


def findings(loaded):
  """Compare a guest's runtime file with Ganeti's configuration.

  That they differ is allowed: a guest gets the rest at its next start.

  @type loaded: L{serialized.Runtime}
  @rtype: list of L{consistency.Finding}
  @return: none where the configuration is not known: on nodes that are no
      master candidates

  """
  configured = configured_.devices(loaded.instance)
  if configured is None:
    return []
  missing, extra = configuration.differences(loaded, configured)
  names = dict(((d.device_class, d.index), device_table.describe(d))
               for d in device_table.DeviceTable(loaded).devices)
  return [consistency.Finding(consistency.INFO, None, None, text) for text in
          [_MISSING % (device_class, index, uuid,
                       start_error.PLUG_AGAIN[device_class])
           for device_class, index, uuid in missing] +
          # for a disk, see migration_refusals
          [_EXTRA % names[device_class, index]
           for device_class, index, _ in extra if device_class == NIC]]


def migration_refusals(loaded):
  """Tell what a migration would refuse of it.

  @rtype: list of strings

  """
  configured = configured_.devices(loaded.instance)
  if configured is None:
    return []
  return disk_links.problems([entry[0].get("uuid") for entry in loaded.disks],
                             disk_links.inside(loaded), configured.disks)
