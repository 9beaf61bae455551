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

"""Backends: the block nodes, drives and netdevs of devices in QEMU.

Ganeti makes them under the device's id before the device, and they may be
removed only after the device: before its unplug completes, the guest would
have a NIC without carrier or a disk that fails (measured on QEMU 5.2 to 11.1).
Here they are looked for, so that the orphaned backends of half an operation
are found as well.

Only what bears an id of Ganeti's in full (see L{ids}), is not named in the
runtime file's command (where C{kvm_extra} stands, but no disk nor NIC of
Ganeti's), and is used by nothing in QEMU, is removed. The last is asked right
before: C{drive_del} takes a drive from under a device that uses it.

"""

import json
import re
import time

from .. import clock
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..errors import CommandError
from ..qemu import ids
from ..qemu import net_clients
from ..qemu import refusals
from ..qemu.replies import reading
from . import queries
from .block_layer import Blocks

#: How long QEMU may still hold the node of a removed device, in seconds.
_RELEASE_LIMIT = 1

#: Between two attempts, in seconds.
_INTERVAL = 0.1

#: Queues of a NIC whose descriptors may have been passed (Ganeti: 1 to 8).
_QUEUES = 8

#: A set of descriptors as a file, and as an option makes it.
_FDSET_RE = re.compile(r"/dev/fdset/(\d+)")
_ADD_FD_RE = re.compile(r"\bset=(\d+)")


class Found(object):
  """What L{orphans} has found beside.

  @ivar names: set of strings, the ids of all backends, orphaned or not
  @ivar nics: see L{net_clients.nics}

  """
  def __init__(self):
    self.names = set()
    self.nics = None


def _netdevs(execute, found=None):
  """Ask which netdevs there are, see L{net_clients.netdevs}."""
  answer = execute("human-monitor-command", {"command-line": "info network"})
  with reading("info network"):
    if found is not None:
      found.nics = net_clients.nics(answer)
    return net_clients.netdevs(answer)


def orphans(execute, known, command, found=None, there=None):
  """List the backends that are Ganeti's and that nothing uses.

  Unmodified Ganeti leaves them where C{device_add} was refused, and where the
  node daemon died; as long as they exist, no device of that name can be added.

  @param execute: see L{queries}
  @type known: collection of strings
  @param known: ids in the runtime file; IDE disks and ISA NICs have a drive, or
      netdev, of that name, and no device
  @type command: list of strings
  @param command: the runtime file's command
  @type found: L{Found} or None
  @param found: gets what there is
  @type there: set of strings or None
  @param there: the ids of all devices, as of a moment ago; QEMU is asked again
      where that leaves any orphan
  @rtype: list of (device class, id) pairs
  @raise MonitorError: if QEMU does not tell

  """
  blocks = Blocks(execute)
  kept = (queries.ids(execute) if there is None else there).union(
    known, ids.named_in(command))
  netdevs = _netdevs(execute, found)
  if found is not None:
    found.names.update(netdevs, blocks.nodes, blocks.drives)
  names = set(name for name, is_used in netdevs.items()
              if not is_used and ids.class_of(name) == NIC)
  if blocks.unused() - kept:
    blocks.look_for_users(execute)
    names |= blocks.unused()
    if not blocks.is_sure:
      names -= blocks.drives
  if there is not None and names - kept: # hardly ever
    kept = kept.union(queries.ids(execute))
  return sorted((ids.class_of(name), name) for name in names - kept)


def take_back(execute, device_class, device_id, command):
  """Remove the backend of a device that QEMU does not have.

  @param execute: see L{queries}
  @param device_class: L{pools.DISK} or L{pools.NIC}
  @type device_id: string
  @type command: list of strings
  @param command: the runtime file's command
  @rtype: list of strings
  @return: what was removed, for the log
  @raise CommandError: if something uses it
  @raise MonitorError: if QEMU does not answer

  """
  if ids.class_of(device_id) != device_class or \
      device_id in ids.named_in(command):
    return []
  remove = _remove_disk if device_class == DISK else _remove_netdev
  deadline = clock.monotonic() + _RELEASE_LIMIT
  while True:
    try:
      removed = remove(execute, device_id)
      break
    except CommandError as err:
      # a device that was just removed may hold it for a moment
      if not refusals.is_in_use(err) or clock.monotonic() > deadline:
        raise
    time.sleep(_INTERVAL)
  return removed + (close_sets(execute, command) if device_class == DISK
                    else [])


def sweep(execute, known, command, found=None, there=None):
  """Remove all orphaned backends, and what was passed for them.

  @param execute: see L{queries}
  @param known: see L{orphans}
  @param command: see L{orphans}
  @param found: see L{orphans}
  @param there: see L{orphans}
  @rtype: tuple (list of strings, list of strings)
  @return: what was removed, and what is in use by now, both for an
      administrator
  @raise MonitorError: if QEMU does not answer

  """
  removed, kept = [], []
  for device_class, name in orphans(execute, known, command, found,
                                    there):
    try:
      removed += take_back(execute, device_class, name, command)
    except CommandError as err:
      kept.append("%s: %s" % (name, err))
  return (removed + close_sets(execute, command), kept)


def close_descriptors(execute, device_id):
  """Close what was passed for a NIC and not used; it stays open otherwise.

  A netdev that QEMU refused has used some and left others.

  @rtype: list of strings
  @return: what was closed, for the log
  @raise MonitorError: if QEMU does not answer

  """
  if ids.class_of(device_id) != NIC:
    return []
  names = ["%s%s-%d" % (device_id, suffix, queue)
           for suffix in ("", "-vhost") for queue in range(_QUEUES)]
  return ["descriptor %s" % name for name in names
          if _try(execute, "closefd", {"fdname": name})]


def close_sets(execute, command):
  """Close the sets of descriptors that no disk reads from.

  QEMU does so by itself when the last client has hung up, but not while there
  is another (Ganeti's kvmd is one); while the guest is paused it only notes
  what it will close then (7.2). As long as it is open, a volume cannot be
  removed. Sets that the command names, or that somebody has labelled, are not
  Ganeti's.

  @type command: list of strings
  @param command: the runtime file's command
  @rtype: list of strings
  @return: what was closed, for the log
  @raise MonitorError: if QEMU does not answer

  """
  answer = execute("query-fdsets", None)
  with reading("query-fdsets"):
    sets = [int(item["fdset-id"]) for item in answer
            if item["fds"] and not any(fd.get("opaque") for fd in item["fds"])]
  if not sets:
    return []
  texts = [json.dumps([execute("query-named-block-nodes", None),
                       execute("query-block", None)])] + list(command)
  used = set(int(number) for text in texts
             for number in _FDSET_RE.findall(text))
  used.update(int(number) for text in command
              for number in _ADD_FD_RE.findall(text))
  return ["descriptors /dev/fdset/%d" % number for number in sets
          if number not in used and
          _try(execute, "remove-fd", {"fdset-id": number})]


def _try(execute, command, arguments):
  """Tell whether QEMU did something that there may be no need for."""
  try:
    execute(command, arguments)
  except CommandError:
    return False
  return True


def _remove_disk(execute, device_id):
  """Remove a block node or a drive, if there is one."""
  blocks = Blocks(execute)
  if device_id not in blocks.nodes | blocks.drives:
    return []
  blocks.look_for_users(execute)
  if device_id in blocks.used:
    raise CommandError("query-block", "%s is in use" % device_id)
  try:
    if device_id in blocks.nodes:
      execute("blockdev-del", {"node-name": device_id})
      return ["block node %s" % device_id]
    said = execute("human-monitor-command",
                   {"command-line": "drive_del %s" % device_id})
    if said:
      raise CommandError("drive_del", said)
  except CommandError as err:
    # QEMU drops a drive by itself with the last device that used it
    if refusals.is_not_found(err):
      return []
    raise
  return ["drive %s" % device_id]


def _remove_netdev(execute, device_id):
  """Remove a netdev, if there is one."""
  netdevs = _netdevs(execute)
  if netdevs.get(device_id):
    raise CommandError("info network", "%s is in use" % device_id)
  if device_id not in netdevs:
    return []
  execute("netdev_del", {"id": device_id})
  return ["netdev %s" % device_id]
