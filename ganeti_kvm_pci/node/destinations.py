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

"""The nodes to which Ganeti could migrate an instance; on the master only."""

import collections
import os

from ..errors import NodeError
from . import cluster
from . import config_data

#: One instance, by Ganeti's configuration.
#:   - name, node: strings
#:   - template: string, the disk template
#:   - secondaries: list of strings
#:   - qemu: string, its kvm_path
#:   - is_up: bool, whether it should run
Guest = collections.namedtuple("Guest", [
  "name", "node", "template", "secondaries", "qemu", "is_up"])

#: One node.
#:   - name, group: strings
#:   - reason: string, why nothing can migrate there, or None
Node = collections.namedtuple("Node", ["name", "group", "reason"])

#: Disk templates with which an instance can migrate: to its secondary node, and
#: to any (C{DTS_INT_MIRROR}, C{DTS_EXT_MIRROR}; the same from 2.10 to master).
_MIRRORED = frozenset(["drbd"])
_SHARED = frozenset(["blockdev", "diskless", "ext", "gluster", "rbd",
                     "sharedfile"])

_SEPARATOR = "|"

#: Where a job is that has not ended.
_UNENDED = frozenset(["queued", "waiting", "canceling", "running"])


def _listed(what, fields):
  """Have Ganeti list something, from its configuration.

  @type what: string
  @param what: C{"instance"}, C{"node"} or C{"job"}
  @type fields: list of strings
  @rtype: list of lists of strings
  @raise NodeError: if it does not

  """
  lines = cluster.run(["gnt-" + what, "list", "--no-headers",
                       "--separator=" + _SEPARATOR, "-o",
                       ",".join(fields)]).splitlines()
  found = [line.split(_SEPARATOR, len(fields) - 1) for line in lines]
  return [words for words in found if len(words) == len(fields)]


def here():
  """Tell the name of this node, as far as Ganeti knows it.

  @rtype: string

  """
  try:
    from ganeti import ssconf
    return ssconf.GetMasterAndMyself()[1]
  except Exception: # pylint: disable=broad-except
    # whatever the reason: it is there to be read
    return os.uname()[1]


def nodes():
  """List the nodes.

  @rtype: dict
  @return: name to L{Node}
  @raise NodeError: if they cannot be listed

  """
  found = {}
  for name, group, offline, drained, capable in _listed(
      "node", ["name", "group", "offline", "drained", "vm_capable"]):
    reason = ("is offline" if offline == "Y" else "is drained"
              if drained == "Y" else "is not vm_capable" if capable == "N"
              else None)
    found[name] = Node(name, group, reason)
  return found


def guests():
  """List the KVM instances.

  @rtype: list of L{Guest}
  @raise NodeError: if they cannot be listed

  """
  return [Guest(name, node, template, [
    one.strip() for one in secondaries.split(",")
    if one.strip() not in ("", "-")], qemu, state == "up")
          for name, node, secondaries, hypervisor, template, state, qemu in
          _listed("instance", ["name", "pnode", "snodes", "hypervisor",
                               "disk_template", "admin_state", "hv/kvm_path"])
          if hypervisor == "kvm"]


def jobs():
  """List Ganeti's jobs that have not ended.

  @rtype: list of strings
  @return: number and summary of each; empty where Ganeti does not tell

  """
  try:
    return ["%s, %s" % (number, summary) for number, status, summary in
            _listed("job", ["id", "status", "summary"]) if status in _UNENDED]
  except NodeError:
    return []


def chosen(known, names):
  """Find nodes by their names, or the first labels of these.

  @type known: dict
  @param known: see L{nodes}
  @type names: list of strings
  @rtype: list of strings
  @raise NodeError: if there is no such node

  """
  found = []
  for name in names:
    fitting = [one for one in sorted(known) if one == name] or \
      [one for one in sorted(known) if one.startswith(name + ".")]
    if len(fitting) != 1:
      raise NodeError("no node is called %s" % name if not fitting else
                      "%s may be any of the nodes %s: name it in full" % (
                        name, ", ".join(fitting)))
    found += [one for one in fitting if one not in found]
  return found


def disk_uuids():
  """Tell the disks of all instances.

  @rtype: dict
  @return: name of an instance to the uuids of its disks, by index; empty where
      the configuration cannot be read

  """
  try:
    found = config_data.read()["instances"].values()
    # up to 2.11, the disks themselves are there
    return dict((instance["name"], [
      disk["uuid"] if isinstance(disk, dict) else disk
      for disk in instance.get("disks") or ()]) for instance in found)
  except Exception: # pylint: disable=broad-except
    # whatever the reason: what its own node says is enough to go on
    return {}


def of(guest, known):
  """Tell where an instance may migrate to.

  @type guest: L{Guest}
  @type known: dict
  @param known: see L{nodes}
  @rtype: tuple (list of strings, string or None)
  @return: names of nodes; if there is none, why

  """
  if guest.template in _MIRRORED:
    name = (guest.secondaries or [None])[0]
    if name is None or name not in known:
      return ([], "it has no secondary node")
    reason = known[name].reason
    return ([], "its secondary node %s %s" % (name, reason)) if reason else \
      ([name], None)
  if guest.template not in _SHARED:
    return ([], "cannot be migrated: disk template %s" % guest.template)
  group = known[guest.node].group if guest.node in known else None
  found = sorted(one.name for one in known.values()
                 if one.name != guest.node and one.group == group and
                 not one.reason)
  return (found, None) if found else \
    ([], "the group %s has no other node that takes instances" % group)
