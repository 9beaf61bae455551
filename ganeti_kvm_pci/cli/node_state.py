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

"""Whether the plugin is on, and safe, on this node: for several commands."""

import contextlib

from ..errors import KvmPciError
from ..node import activation
from ..node import daemon
from ..node import ownership
from ..node import reservations
from ..node import runtime_files
from .output import ERRORS
from .output import OK
from .output import WARNINGS
from .output import complain
from .output import say


def note(opts, found):
  """Put the plugin's state on this node into the report.

  @type found: L{activation.Status}

  """
  opts.report.node = found.as_data()


@contextlib.contextmanager
def noted(opts):
  """Put the state into the report also if a command fails half-way."""
  try:
    yield
  except KvmPciError:
    try:
      note(opts, activation.Status())
    except KvmPciError:
      opts.report.node = None
    raise


def restart_daemon(opts, expect_loaded):
  """Restart the node daemon if that is asked for; else, say that it must be.

  @type expect_loaded: bool
  @param expect_loaded: whether it is to run with the plugin then

  """
  if daemon.pid_of_daemon() is None:
    say("the node daemon is not running")
  elif opts.restart:
    daemon.restart(expect_loaded)
    opts.report.changed = True
    say("node daemon restarted, %s the plugin" %
        ("with" if expect_loaded else "without"))
  else:
    say("the node daemon must be restarted for this to take effect"
        " (--restart does it)")


def warn_of_reservations(ask):
  """Complain of what does not start while this node is without the plugin.

  @param ask: see L{reservations.obstacles}
  @return: exit status

  """
  known = reservations.Reservations()
  lines = reservations.obstacles(known, ask)
  low = known.low()
  if low:
    lines.append("kvm_pci_reservations is below Ganeti's default for %s: on a"
                 " node without the plugin, an instance does not start if QEMU"
                 " has more devices of its own; have the plugin on all nodes,"
                 " or run gnt-cluster modify -H kvm:kvm_pci_reservations=%d (or"
                 " gnt-os modify, gnt-instance modify, for those named) before"
                 " it is off" %
                 (", ".join(low), known.default))
  if ask and known.default is not None and known.own is None:
    say("which OSes and instances have a kvm_pci_reservations of their own is"
        " not known here: ask disable on a master candidate before they are"
        " off")
  for line in lines:
    complain(line)
  return WARNINGS if lines else OK


def judge(found):
  """Complain of what makes the plugin be off, or unsafe, on this node.

  And of what that keeps from starting.

  @type found: L{activation.Status}
  @return: exit status

  """
  lines = ownership.describe(found.hook.writable() if found.hooked else [])
  missing = found.missing()
  for line in lines + [missing] * bool(missing):
    complain(line)
  status = ERRORS if missing else WARNINGS if lines else OK
  if (not found.hooked or found.damaged or
      found.pid is not None and not found.loaded):
    status = max(status, warn_of_reservations(False))
  return status


def judge_node(opts):
  """The same for a command that is about something else.

  @return: exit status; fine where nothing can be told, for want of a Ganeti

  """
  try:
    from ganeti.hypervisor import hv_kvm # pylint: disable=unused-import
    return judge(activation.Status())
  except KvmPciError as err:
    if opts.names and all(runtime_files.is_path(name) for name in opts.names):
      return OK
    complain("the plugin was not looked for: %s" % err)
    return WARNINGS
  except Exception: # pylint: disable=broad-except
    # whatever Ganeti lacks, or raises: status is for that
    return OK
