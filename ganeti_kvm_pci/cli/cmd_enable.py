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

"""The command that enables the plugin on this node: enable."""

from ..node import activation
from ..node import hooks
from ..node import ownership
from ..node import reservations
from ..node import watcher
from .node_state import note
from .node_state import noted
from .node_state import restart_daemon
from .output import ERRORS
from .output import OK
from .output import WARNINGS
from .output import complain
from .output import say


def enable(opts):
  """Enable the plugin on this node.

  @return: exit status

  """
  before = activation.Status()
  note(opts, before)
  status = OK
  for line in ownership.describe(before.hook.writable()):
    complain(line)
    status = WARNINGS if opts.force else ERRORS
  if status == ERRORS:
    complain("not enabled; --force does it nevertheless")
    return status
  with noted(opts):
    return max(status, _enable(opts, before))


def _enable(opts, before):
  """Do it, where nothing is to be said against it.

  @param before: the plugin's state until now
  @return: exit status

  """
  written = []
  try:
    activation.enable(before.hook, written)
  finally:
    opts.report.changed = bool(written)
    for path in written:
      say("written: %s" % path)
  changed = before.hook.path in written
  if not changed:
    say("already in place: %s" % before.hook.path)
  if before.unfit:
    note(opts, activation.Status())
    complain("the plugin will leave this Ganeti alone: %s" % before.unfit)
    return WARNINGS
  if watcher.put():
    opts.report.changed = True
    say("written: %s" % watcher.path())
  status = _put_hooks(opts)
  if changed or not before.loaded or before.stale:
    restart_daemon(opts, True)
    note(opts, activation.Status())
  low = reservations.Reservations().low()
  if low:
    say("kvm_pci_reservations is below Ganeti's default for %s: enable all"
        " other nodes too, or instances may not start there" % ", ".join(low))
  return status


def _put_hooks(opts):
  """Write the scripts that Ganeti runs with its jobs, if they are asked for.

  @return: exit status

  """
  written, foreign = hooks.put(
    opts.hooks, [hooks.MIGRATE] if opts.refuse_migrations else [])
  for path in written:
    opts.report.changed = True
    say("written: %s" % path)
  for path in foreign:
    complain("not written: %s: there is a file of somebody else's; move it away"
             " and run enable --hooks again" % path)
  return WARNINGS if foreign else OK
