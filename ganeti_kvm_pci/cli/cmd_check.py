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

"""C{check}: devices that are where they should not be, and what is left."""

from .. import process
from .. import qemu_version
from .. import settling
from ..errors import BusyError
from ..errors import KvmPciError
from ..node import guests
from ..node import runtime_files
from ..qmp import backends
from ..qmp import device_lists
from ..qmp import ejected
from ..qmp import inventory
from ..qmp import vcpus as vcpus_
from ..runtime import consistency
from ..runtime import device_table
from ..runtime import migration_check
from . import configured_devices
from . import facts
from . import instance
from . import lacking_options
from . import machine_types
from . import node_state
from . import outdated_tags
from . import report
from . import settle
from .output import OK
from .output import WARNINGS
from .output import each
from .output import fail
from .output import tell

_STATUS = {consistency.INFO: OK, consistency.WARNING: WARNINGS}


#: Why there are files beside a runtime file, which no one needs.
_HALF_WRITTEN = ("left half-written by a process that was killed; the next"
                 " operation on the instance's devices removes it, and so does"
                 " check --repair")
_LEFT = "left of an instance that does not run here; check --repair removes it"


class _Check(object):
  """What was found at one instance."""

  def __init__(self, name):
    self.instance = name
    self.findings = []
    self.repaired = []
    self.backup = None
    self.facts = {}

  def add(self, severity, text):
    self.findings.append(consistency.Finding(severity, None, None, text))

  def as_data(self):
    """Return what of an entry it makes, see L{report.entry}."""
    found = dict(facts.NONE, **self.facts)
    found.update(
      instance=self.instance, repaired=self.repaired, backup=self.backup,
      changed=bool(self.repaired),
      findings=[dict(f._asdict()) for f in self.findings],
      status=max([OK] + [_STATUS[f.severity] for f in self.findings]))
    return found


def _as_text(entry):
  lines = ["repaired: %s" % change for change in entry["repaired"]]
  if entry["backup"]:
    lines.append("before: %s" % entry["backup"])
  lines.extend("%s: %s" % (finding["severity"], finding["text"])
               for finding in entry["findings"])
  if not entry["findings"] and not entry["error"]:
    lines.append("all is well")
  return "\n".join("%s: %s" % (entry["instance"] or entry["file"], line)
                   for line in lines)


def _check_one(result, path, opts):
  """Check, and perhaps repair, one instance.

  @type result: L{_Check}

  """
  seen = runtime_files.read(path)
  loaded = instance.parse(seen.text, path)
  known = device_table.DeviceTable(loaded)
  result.instance = known.instance
  if opts.live or opts.repair:
    instance.insist_own(known, path)
  if guests.runs(path) is False:
    result.add(consistency.INFO,
               "not running: its next start writes the file anew")
    return
  if opts.live or opts.qemu:
    result.findings.extend(lacking_options.findings(
      loaded, opts.qemu or qemu_version.version(known.command[0])))
    result.findings.extend(machine_types.of_file(loaded, opts.qemu, opts.live))
  if not opts.pending:
    result.findings.extend(outdated_tags.findings(loaded, known))
  obstacle = instance.obstacle(known, path)
  if obstacle:
    result.add(consistency.INFO, "left to unmodified Ganeti: %s" % obstacle)
    if opts.live:
      result.facts = facts.without_asking(path, known)
      result.findings.extend(facts.findings(result.facts))
  elif opts.live or opts.repair:
    with instance.monitor(known) as execute:
      if opts.pending:
        settle.settle(result, execute, seen, loaded)
      else:
        if opts.live:
          result.findings.extend(machine_types.of_guest(execute, loaded,
                                                        opts.qemu))
        _check_live(result, execute, seen, loaded, known, opts.repair)
    return
  result.findings.extend(consistency.findings(
    known, requests=settle.requests(path)))


def _look(execute, known):
  """Ask a guest for all that is compared with its runtime file, at once.

  @type known: L{device_table.DeviceTable}
  @rtype: tuple
  @return: see L{instance.ask}, L{inventory.topology} and L{backends.orphans}

  """
  return device_lists.unchanging(execute, lambda look: (
    instance.ask(look, known.partition), inventory.topology(look),
    backends.orphans(look, [d.id for d in known.devices], known.command)))


def _check_live(result, execute, seen, loaded, known, repair):
  """Compare an instance's runtime file with its QEMU, and perhaps repair it.

  @type result: L{_Check}
  @param execute: see L{queries}
  @type seen: L{runtime_files.Seen}
  @type loaded: L{serialized.Runtime}
  @type known: L{device_table.DeviceTable}
  @param known: that of the file

  """
  live, parts, orphans = ((instance.ask(execute, known.partition), None, None)
                          if repair else _look(execute, known))
  if repair and loaded.unknown:
    result.add(consistency.WARNING, "not repaired: unsupported: %s" %
               ", ".join(loaded.unknown))
  elif repair:
    known = _repair(result, execute, seen, loaded, live)
  requests = settle.requests(seen.path)
  result.findings.extend(consistency.findings(known, *live, requests=requests))
  result.findings.extend(configured_devices.findings(loaded))
  if repair: # that has changed it
    _, parts, orphans = _look(execute, known)
  pid = guests.pid_of(seen.path)
  problems = (_problems(execute, pid, loaded, parts) +
              configured_devices.migration_refusals(loaded))
  result.findings.extend(consistency.Finding(
    consistency.WARNING, None, None,
    "a migration would be refused: %s" % problem) for problem in problems)
  result.facts = facts.look(execute, pid, known, live[0], problems, requests)
  result.findings.extend(facts.findings(result.facts))
  for _, name in orphans:
    result.findings.append(consistency.Finding(
      consistency.WARNING, None, name, "%s: orphaned backend: QEMU has no such"
      " device, and nothing uses it; check --repair removes it" % name))


def _problems(execute, pid, loaded, parts):
  """Tell why a guest could not go elsewhere.

  @param pid: of its QEMU
  @type loaded: L{serialized.Runtime}
  @param loaded: is changed: what QEMU does not have is left out, as it would be
  @param parts: answer of L{inventory.topology}

  """
  ejected.leave_out(parts, loaded)
  return migration_check.MigrationCheck(
    loaded, device_table.DeviceTable(loaded), parts,
    process.command(pid), vcpus_.count(execute)).problems


def _repair(result, execute, seen, loaded, live):
  """Make a runtime file say what QEMU has, and QEMU have nothing beside.

  @rtype: L{device_table.DeviceTable}
  @return: of what is in the file now

  """
  before = device_table.DeviceTable(loaded)
  changes = consistency.repair(loaded, before, *live)
  text = loaded.dump()
  # what is written must be what can be read
  known = before
  if changes:
    known = device_table.DeviceTable(instance.parse(text, seen.path))
  # by the same look: what the guest completes meanwhile is settled next time
  functions, peripherals = live
  found = settling.Settling(
    execute, before, set(p.id for p in peripherals if p.id) |
    set(f.id for f in functions if f.id), set(f.slot for f in functions))
  settle.forget(result, found, found.lost, execute, seen,
                text if changes else None, changes)
  swept, in_use = found.sweep()
  result.repaired.extend("%s, which nothing uses: removed" % what
                         for what in swept)
  for what in in_use:
    result.add(consistency.WARNING, "not removed: %s" % what)
  return known


def _tidy(result, path, repair, listed):
  """Look for files that are of no use any more, and perhaps remove them.

  @type result: L{_Check}
  @param path: of an instance's runtime file, there or not; the lock of one that
      runs must be held for C{repair}
  @param listed: see L{guests.left_behind}
  @raise NodeError: if another operation on the instance does not end

  """
  if repair:
    result.repaired.extend("%s, left behind: removed" % left
                           for left in guests.remove_left_behind(path))
  for left in guests.left_behind(path, None if repair else listed):
    result.add(consistency.INFO, "%s: %s" % (
      left, _HALF_WRITTEN if guests.runs(path) else _LEFT))


def _complete(entry, result, look):
  """Complete an entry with what is found.

  @type result: L{_Check}
  @param look: function that finds it
  @return: text for a person

  """
  try:
    look()
    entry.update(result.as_data())
  except KvmPciError as err:
    # what was repaired until then is
    entry.update(result.as_data())
    fail(entry, err)
  return _as_text(entry)


def _is_quiet(opts, entry):
  """Tell whether an entry is nothing to say for Ganeti's watcher."""
  return opts.pending and not entry["repaired"]


def check(opts, judge=None):
  """Look for devices that stand where they should not.

  @param judge: function(opts) that looks at the node, for an exit status; by
      default, L{node_state.judge_node}
  """
  listed = {}

  def look(entry, path):
    result = _Check(entry["instance"])

    def look_at():
      try:
        with settle.alone(path, opts):
          if not opts.pending:
            _tidy(result, path, opts.repair, listed)
          _check_one(result, path, opts)
      except BusyError:
        # the operation that has the instance settles it
        if not (opts.pending or getattr(opts, "skips_busy", False)):
          raise
    text = _complete(entry, result, look_at)
    return None if _is_quiet(opts, entry) else text

  if opts.pending:
    opts.names = opts.names or settle.waiting()
    return each(opts, look) if opts.names else OK
  each(opts, look, is_live=opts.live and not opts.repair)
  for path in [] if opts.names else guests.of_no_instance():
    result = _Check(runtime_files.instance_of(path))
    entry = report.entry(opts.command, {})
    tell(opts, entry, _complete(entry, result, lambda: _tidy(
      result, path, opts.repair, # pylint: disable=cell-var-from-loop
      listed)))
  opts.report.node_status = (judge or node_state.judge_node)(opts)
  return max(opts.report.node_status, opts.report.status())
