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

"""Block jobs (mirror, commit, stream, backup) that use a disk.

Somebody else has started them, Ganeti starts none. With the disk's last device
QEMU cancels them without a word if the disk has a drive, and the copy that they
made is of no use (7.2); if it has a block node, as from Ganeti 3.1 on, they go
on, and QEMU keeps the image open (10.0).

"""

from ..errors import CommandError
from ..qemu.replies import reading
from .block_layer import GRAPH


def using(execute, device_id):
  """Tell which block jobs use a disk, or what it is a layer above.

  @param execute: see L{queries}
  @type device_id: string
  @rtype: list of strings
  @return: for each, its id and type, for an administrator; empty if QEMU does
      not tell (before 3.0)
  @raise MonitorError: if QEMU's answer cannot be read

  """
  try:
    jobs = execute("query-block-jobs", None)
    if not jobs:
      return []
    graph = execute(GRAPH, None)
    drives = execute("query-block", None)
  except CommandError:
    return []
  with reading(GRAPH):
    below = _below(graph, _names(drives, device_id))
    users = set(edge["parent"] for edge in graph["edges"]
                if edge["child"] in below)
    busy = set(node["name"] for node in graph["nodes"]
               if node["id"] in users and node["type"] == "block-job")
  with reading("query-block-jobs"):
    return sorted("%s (%s)" % (job["device"], job["type"]) for job in jobs
                  if job["device"] in busy)


def _names(drives, device_id):
  """Name a disk's drive and the topmost of its block nodes.

  @param drives: QEMU's answer to C{query-block}

  """
  names = set([device_id])
  for drive in drives:
    # the device's path, or that of the half of it that is virtio's
    if device_id == drive.get("device") or \
        device_id in (drive.get("qdev") or "").split("/"):
      names.add((drive.get("inserted") or {}).get("node-name"))
  return names


def _below(graph, names):
  """List the nodes of these names, and all below them, by their numbers."""
  children = {}
  for edge in graph["edges"]:
    children.setdefault(edge["parent"], []).append(edge["child"])
  found = set()
  left = [node["id"] for node in graph["nodes"]
          if node["name"] in names and node["type"] != "block-job"]
  while left:
    number = left.pop()
    if number not in found:
      found.add(number)
      left.extend(children.get(number, []))
  return found
