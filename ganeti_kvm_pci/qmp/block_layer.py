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

"""The block nodes and drives of a running QEMU, and who uses them.

C{execute} as in L{queries}.

"""

from ..bus.pools import DISK
from ..errors import CommandError
from ..qemu import ids
from ..qemu.replies import reading

#: What QEMU is asked for to find who uses a block node (3.0 and later).
GRAPH = "x-debug-query-block-graph"


class Blocks(object):
  """The block layer of a QEMU, at one moment.

  @ivar nodes: set of strings, names of block nodes
  @ivar drives: set of strings, names of drives
  @ivar used: set of strings, those of both that something uses
  @ivar is_sure: bool, whether QEMU tells of drives who uses them (2.10 and
      later)

  """
  def __init__(self, execute):
    drives = execute("query-block", None)
    nodes = execute("query-named-block-nodes", None)
    self.used = set()
    with reading("query-block"):
      self.drives = set(drive.get("device") for drive in drives)
      self.is_sure = any("qdev" in drive for drive in drives)
      for drive in drives:
        if drive.get("qdev"):
          self.used.update([drive.get("device"),
                            (drive.get("inserted") or {}).get("node-name")])
    with reading("query-named-block-nodes"):
      self.nodes = set(node.get("node-name") for node in nodes)

  def unused(self):
    """List what can be Ganeti's, and is unused as far as is known.

    @rtype: set of strings

    """
    return set(name for name in (self.nodes | self.drives) - self.used
               if ids.class_of(name) == DISK)

  def look_for_users(self, execute):
    """Look for users beside devices: jobs, exports, other nodes.

    """
    try:
      graph = execute(GRAPH, None)
    except CommandError:
      return # a node in use is refused by blockdev-del
    self.is_sure = True
    parents = {}
    with reading(GRAPH):
      nodes = dict((node["id"], node) for node in graph["nodes"])
      for edge in graph["edges"]:
        parents.setdefault(edge["child"], []).append(nodes[edge["parent"]])
      self.used.update(nodes[child]["name"] for child in parents)
      for users in parents.values():
        # the drive itself is one user of its node; any other uses the drive
        if len(users) > 1:
          self.used.update(user["name"] for user in users
                           if user["type"] == "block-backend")
