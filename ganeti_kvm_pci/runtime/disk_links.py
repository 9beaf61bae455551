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

"""The names under which a node has the data of an instance's disks.

Ganeti names a link to a disk's data after the instance and the disk's index,
C{vm1:0}, and a runtime file names disks by these links. Hotplug gives disks
other indices, as soon as one is removed, or inserted, before others; runtime
file and links stay as they were. The links of the node to which the guest moves
are made anew, by the new indices: a target that is started from such a file has
another disk's data behind a disk, or none (unmodified Ganeti 2.10 to 3.1). What
remains is the uuid; disks that 2.9 put inside the command have none.

"""

import re

from ..bus.pools import DISK
from ..qemu import command as command_
from ..qemu.ids import new_id

_LINK_RE = re.compile(r"^(/.*:)\d+$")


def inside(runtime):
  """Tell by which indices the command itself names disks.

  @type runtime: L{serialized.Runtime}
  @rtype: list of ints

  """
  link_re = re.compile(r"^/.*/%s:(\d+)$" % re.escape(runtime.instance))
  found = []
  for text in command_.drives(runtime.words):
    match = link_re.match(command_.keys_of(text).get("file") or "")
    if match:
      found.append(int(match.group(1)))
  return sorted(found)


def ids(runtime):
  """Tell which disk a file is.

  @type runtime: L{serialized.Runtime}
  @rtype: dict
  @return: link or URI to the id that Ganeti gives the disk

  """
  return dict((uri or link, new_id(DISK, disk["uuid"]))
              for disk, link, uri in runtime.disks if uri or link)


def unclaimed(runtime, uuids):
  """Tell which disks of Ganeti's configuration no entry of a runtime file is.

  @rtype: list of ints
  @return: their indices

  """
  claimed = set(entry[0]["uuid"] for entry in runtime.disks)
  return [index for index, uuid in enumerate(uuids) if uuid not in claimed]


def problems(runtime_uuids, inside_indices, uuids):
  """Tell why a guest's disks are not those of Ganeti's configuration.

  @type runtime_uuids: list of strings
  @param runtime_uuids: of the disks in the runtime file
  @type inside_indices: list of ints
  @param inside_indices: see L{inside}
  @type uuids: list of strings
  @param uuids: the instance's disks in Ganeti's configuration, by their index
  @rtype: list of strings

  """
  found = [
    "disk %s is attached, but Ganeti's configuration no longer has it: remove"
    " it at QEMU's monitor and repair the runtime file (ganeti-kvm-pci check"
    " --repair), or shut the instance down and start it" % uuid
    for uuid in runtime_uuids if uuid not in uuids]
  free = [index for index, uuid in enumerate(uuids)
          if uuid not in runtime_uuids]
  if inside_indices and inside_indices != free:
    found.append(
      "its command names disks %s, and by Ganeti's configuration these would"
      " be disks %s now: shut the instance down and start it" %
      tuple(", ".join(str(index) for index in indices) or "none"
            for indices in (inside_indices, free)))
  return found


def follow(runtime, uuids):
  """Name a runtime file's disks as a node does that makes its links now.

  @type runtime: L{serialized.Runtime}
  @param runtime: gets the new names
  @type uuids: list of strings
  @param uuids: the instance's disks in Ganeti's configuration, by their index
  @rtype: list of strings
  @return: uuids of the runtime file's disks that are not among them, and keep
      their names

  """
  indices = dict((uuid, index) for index, uuid in enumerate(uuids))
  strange = []
  for entry in runtime.disks:
    uuid, link = entry[0]["uuid"], entry[1]
    if uuid not in indices:
      strange.append(uuid)
      continue
    match = _LINK_RE.match(link or "")
    if match:
      entry[1] = "%s%d" % (match.group(1), indices[uuid])
  return strange
