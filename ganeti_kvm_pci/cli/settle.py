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

"""C{check --repair --pending}: removals that a guest has completed late.

What Ganeti's watcher runs every few minutes (L{watcher}). So it asks the guests
only that were asked for something, and changes nothing else: what a guest
ejected by itself stays in its runtime file.

"""

import os

from .. import cooldown
from .. import instance_lock
from .. import pending_unplugs
from .. import settling
from ..node import guests
from ..node import replacement
from ..node import runtime_files
from ..qmp import backends
from ..runtime import device_table


def waiting():
  """List the runtime files of guests that were asked for something.

  @rtype: list of strings
  @raise NodeError: if they cannot be listed

  """
  return [path for path in runtime_files.all_runtimes()
          if os.path.exists(pending_unplugs.path_for(path))]


def of(path):
  """Find what an instance's guest was asked for.

  @param path: the runtime file
  @rtype: L{pending_unplugs.Pending} or None
  @return: None for a file that is not one of a running guest on this node

  """
  pid = guests.pid_if_running(path)
  if pid is None:
    return None
  return pending_unplugs.Pending(runtime_files.own_path(path), pid)


def requests(path):
  """Read what an instance's guest was asked for.

  @rtype: dict
  @return: see L{pending_unplugs.Pending.requests}

  """
  found = of(path)
  return found.requests() if found else {}


def forget(result, found, devices, execute, seen, text, changes):
  """Remove devices that QEMU no longer has from all that is kept of a guest.

  @param result: its C{repaired} (list of strings) and C{backup} (path) are to
      say what was changed
  @type found: L{settling.Settling}
  @type devices: list of L{device_table.Device}
  @param execute: see L{queries}
  @type seen: L{runtime_files.Seen}
  @type text: string or None
  @param text: what the runtime file is to have; None if it stays
  @type changes: list of strings
  @param changes: how that differs
  @raise KvmPciError: if one of these fails

  """
  before = len(result.repaired)

  def write():
    if text is not None:
      result.backup = replacement.replace(seen, text)
      replacement.sync(set(os.path.dirname(os.path.abspath(path))
                             for path in (seen.path, result.backup)))
      result.repaired.extend(changes)
  try:
    found.forget(devices,
                 lambda name: backends.close_descriptors(execute, name), write,
                 of(seen.path),
                 cooldown.path_for(runtime_files.own_path(seen.path)))
  finally:
    result.repaired[before:before] = [
      "%s, passed for a NIC that is not there: closed" % closed
      for closed in found.closed]


def settle(result, execute, seen, loaded):
  """Finish the removals that the guest has completed.

  @param result: see L{forget}
  @param execute: see L{queries}
  @type seen: L{runtime_files.Seen}
  @type loaded: L{serialized.Runtime}
  @param loaded: what is in that; is changed
  @raise KvmPciError: if it cannot be finished

  """
  asked = requests(seen.path)
  # what this release does not know must not be written by it
  if not asked or loaded.unknown:
    return
  found = settling.Settling(execute, device_table.DeviceTable(loaded))
  completed = set(asked) - set(found.ids)
  if not completed:
    return
  devices = [device for device in found.lost if device.id in completed]
  changes = device_table.drop(loaded, [device for device in devices
                                      if not asked[device.id].stays])
  forget(result, found, devices, execute, seen,
         loaded.dump() if changes else None, changes)
  result.repaired.extend("%s, which nothing uses: removed" % what
                         for what in found.take_back())


def alone(path, opts):
  """Keep others from an instance's devices, as long as a command needs it.

  @param opts: of C{check}
  @return: a context, see L{guests.alone}

  """
  if opts.pending:
    # an operation that has them settles what there is, too
    return guests.alone(path, 0)
  return (guests.alone(path, getattr(opts, "patience", None))
          if opts.live or opts.repair else instance_lock.nothing())
