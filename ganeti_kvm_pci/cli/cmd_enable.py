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

"""The commands that turn the plugin on and off: enable, disable, status."""

import contextlib

from ..bus.pools import QEMU
from ..errors import KvmPciError
from ..node import activation
from ..node import intent
from ..node import ownership
from ..node import reservations
from ..node import runtime_files
from ..node import watcher
from ..runtime import device_table
from .output import ERRORS
from .output import OK
from .output import WARNINGS
from .output import complain
from .output import say


def _restart(opts, expect_loaded):
  if activation.node_daemon_pid() is None:
    say("the node daemon is not running")
  elif opts.restart:
    activation.restart(expect_loaded)
    opts.report.changed = True
    say("node daemon restarted, %s the plugin" %
        ("with" if expect_loaded else "without"))
  else:
    say("the node daemon must be restarted for this to take effect"
        " (--restart does it)")


def _tell(opts, found):
  """Note for a program how the plugin stands on this node.

  @type found: L{activation.Status}

  """
  opts.report.node = found.as_data()


@contextlib.contextmanager
def _telling(opts):
  """Note how the plugin stands also where a command fails half-way."""
  try:
    yield
  except KvmPciError:
    try:
      _tell(opts, activation.Status())
    except KvmPciError:
      opts.report.node = None
    raise


def enable(opts):
  """Put the plugin into this node's Ganeti."""
  before = activation.Status()
  _tell(opts, before)
  status = OK
  for line in ownership.describe(before.hook.writable()):
    complain(line)
    status = WARNINGS if opts.force else ERRORS
  if status == ERRORS:
    complain("not enabled; --force does it nevertheless")
    return status
  with _telling(opts):
    return max(status, _enable(opts, before))


def _enable(opts, before):
  """Do it, where nothing is to be said against it.

  @param before: how the plugin stood until now
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
    _tell(opts, activation.Status())
    complain("the plugin will leave this Ganeti alone: %s" % before.unfit)
    return WARNINGS
  if watcher.put():
    opts.report.changed = True
    say("written: %s" % watcher.path())
  if changed or not before.loaded or before.stale:
    _restart(opts, True)
    _tell(opts, activation.Status())
  low = reservations.Reservations().low()
  if low:
    say("kvm_pci_reservations is below Ganeti's default for %s: enable all"
        " other nodes too, or instances may not start there" % ", ".join(low))
  return OK


def _overflowed():
  """List the instances on which stock's next hot-add may fail.

  Stock looks for a free slot among disks and NICs alone; where QEMU's own
  devices stand beyond their range, it takes one of theirs.

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


def _warn_of_reservations(ask):
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


def _remove(opts):
  """Remove hooks and note.

  @rtype: list of strings
  @return: what was removed

  """
  removed = []
  try:
    activation.disable(removed)
  finally:
    opts.report.changed = bool(removed)
    for path in removed:
      say("removed: %s" % path)
  if not removed:
    say("no hook was there, for any Python")
  return removed


def disable(opts):
  """Take it out again."""
  try:
    status = _warn_of_reservations(True)
  except KvmPciError as err:
    complain("what will not start was not looked for: %s" % err)
    status = WARNINGS
  except Exception: # pylint: disable=broad-except
    # no Ganeti that imports, and none that starts anything
    status = OK
  with _telling(opts):
    removed = _remove(opts)
    try:
      after = activation.Status()
    except KvmPciError as err:
      complain("the node daemon was not looked at: %s" % err)
      return WARNINGS
    if after.loaded:
      _restart(opts, False)
      after = activation.Status()
  _tell(opts, after)
  if after.reasons:
    complain("this node will be reported, because %s; take it away with"
             " gnt-cluster remove-tags %s" % (" and ".join(after.reasons),
                                              intent.TAG))
  overflowed = _overflowed() if removed else []
  if overflowed:
    complain("QEMU's own devices stand beyond their range in %s: stock does"
             " not look for them when it hotplugs there, and may fail until"
             " the next cold boot" % ", ".join(overflowed))
  return WARNINGS if overflowed or after.reasons else status


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
    status = max(status, _warn_of_reservations(False))
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


def show_status(opts):
  """Tell which Ganeti this is and whether the plugin is on."""
  found = activation.Status()
  _tell(opts, found)
  say("\n".join(found.lines()))
  return max(judge(found), OK if found.consistent() else WARNINGS)
