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

"""The command that disables the plugin on this node: disable."""

from .. import instance_lock
from .. import kept_answers
from ..bus.pools import QEMU
from ..errors import KvmPciError
from ..node import activation
from ..node import hooks
from ..node import intent
from ..node import runtime_files
from ..runtime import device_table
from .node_state import note
from .node_state import noted
from .node_state import restart_daemon
from .node_state import warn_of_reservations
from .output import OK
from .output import WARNINGS
from .output import complain
from .output import say


def _overflowed():
  """List the instances on which unmodified Ganeti's next hot-add may fail.

  It looks for a free slot among disks and NICs alone; where QEMU's own devices
  are beyond their range, it takes one of theirs.

  """
  found = []
  for path in runtime_files.all_runtimes():
    try:
      known = device_table.parse(runtime_files.read(path).text, path)
    except KvmPciError:
      continue
    if any(d.device_class == QEMU and known.partition.owner(d.slot) != QEMU
           for d in known.devices):
      found.append(known.instance)
  return found


def _remove(opts):
  """Remove hooks and note.

  @rtype: list of strings
  @return: what was removed

  """
  removed = []
  foreign = []
  try:
    activation.disable(removed)
    foreign = hooks.remove(removed)
  finally:
    opts.report.changed = bool(removed)
    for path in removed:
      say("removed: %s" % path)
  for path in foreign:
    say("left: %s: it is somebody else's" % path)
  if not removed:
    say("no hook was there, for any Python")
  return removed


def disable(opts):
  """Disable the plugin on this node.

  @return: exit status

  """
  try:
    status = warn_of_reservations(True)
  except KvmPciError as err:
    complain("what will not start was not looked for: %s" % err)
    status = WARNINGS
  except Exception: # pylint: disable=broad-except
    # no Ganeti that imports, and none that starts anything
    status = OK
  with noted(opts):
    removed = _remove(opts)
    try:
      after = activation.Status()
    except KvmPciError as err:
      complain("the node daemon was not looked at: %s" % err)
      return WARNINGS
    if after.loaded:
      restart_daemon(opts, False)
      after = activation.Status()
    # a node daemon with the plugin would keep them anew
    kept_answers.remove(runtime_files.control_dir(instance_lock.FOLDER))
  note(opts, after)
  if after.reasons:
    complain("this node will be reported, because %s; take it away with"
             " gnt-cluster remove-tags %s" % (" and ".join(after.reasons),
                                              intent.TAG))
  overflowed = _overflowed() if removed else []
  if overflowed:
    complain("QEMU's own devices are beyond their range in %s: unmodified"
             " Ganeti does not look for them when it hotplugs there; a hot-add"
             " may fail until the next cold boot" % ", ".join(overflowed))
  return WARNINGS if overflowed or after.reasons else status
