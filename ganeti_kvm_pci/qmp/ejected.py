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

"""The devices that a guest ejected by itself, during its migration.

Its runtime file keeps the device, so that the next boot attaches it again. A
target must be started without it; it is sent beside the runtime file, and is
written to the target's once the guest runs there.

"""

from ..bus.pools import DISK
from ..bus.pools import NIC
from ..errors import MalformedError
from ..qemu import topology
from ..runtime import configuration
from ..runtime import device_table

#: The field of L{serialized.Runtime}'s source report: a list of [class, entry].
FIELD = "ejected"


def leave_out(parts, loaded):
  """Take out of a runtime file what QEMU does not have.

  @type parts: list of L{topology.Part}
  @param parts: answer of L{inventory.topology}
  @type loaded: L{serialized.Runtime}
  @param loaded: is changed
  @rtype: list
  @return: what L{FIELD} is for

  """
  known = device_table.DeviceTable(loaded)
  lost = known.lost(
    set(part.id for part in parts),
    set(topology.slot_of(part, known.partition) for part in parts))
  lists = {DISK: loaded.disks, NIC: loaded.nics}
  # from the end, so that the indexes before stay right
  return [[device.device_class, lists[device.device_class].pop(device.index)]
          for device in reversed(lost)]


def bring_back(loaded, told, configured=None):
  """Put back into a runtime file what L{leave_out} took out.

  @type loaded: L{serialized.Runtime}
  @param loaded: is changed
  @param told: what the source node sent
  @type configured: L{configuration.Configuration} or None
  @param configured: what it does not have is not put back; None for all
  @rtype: list of strings
  @return: what was
  @raise RuntimeFileError: if it is malformed, or has no room

  """
  lists = {DISK: loaded.disks, NIC: loaded.nics}
  back = []
  try:
    uuids = configured and configuration.uuids(
      configured, loaded.instance,
      [entry["uuid"] for device_class, entry in told if device_class == NIC])
    for device_class, entry in told:
      uuid = (entry[0] if device_class == DISK else entry)["uuid"]
      if (uuids is None or uuid in uuids[device_class]) and uuid not in [
          (known[0] if device_class == DISK else known).get("uuid")
          for known in lists[device_class]]:
        lists[device_class].append(entry)
        back.append("%s %s" % (device_class, uuid))
  except (TypeError, ValueError, KeyError, IndexError, AttributeError) as err:
    raise MalformedError(loaded.source,
                         "what the guest ejected is malformed: %s" % err)
  device_table.parse(loaded.dump(), loaded.source)
  return back
