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

"""The commands that look at instances: map and check."""

import contextlib
import copy
import os

from .. import chipset
from .. import config_reader
from .. import cooldown
from .. import process
from .. import qemu_version
from ..bus.pools import NIC
from ..errors import BusyError
from ..errors import KvmPciError
from ..errors import RuntimeFileError
from ..node import installation
from ..node import runtime_files
from ..qemu import removed_options
from ..qmp import backends
from ..qmp import ejected
from ..qmp import inventory
from ..qmp import queries
from ..runtime import consistency
from ..runtime import device_table
from ..runtime import migration_check
from ..runtime import serialized
from ..runtime import slot_map
from ..runtime import upgrade
from . import node_state
from . import report
from . import settle
from .output import OK
from .output import WARNINGS
from .output import each
from .output import fail
from .output import tell

_STATUS = {consistency.INFO: OK, consistency.WARNING: WARNINGS}


@contextlib.contextmanager
def _monitor(known):
  """Connect to the QEMU of an instance of this node.

  @return: see L{client.connect}

  """
  # Ganeti's client; only --live needs a Ganeti
  from ..qmp import client
  socket = os.path.join(runtime_files.control_dir("ctrl"),
                        known.instance + ".qmp")
  with client.connect(socket) as execute:
    yield execute


def _ask(execute):
  """Ask for what is on the bus.

  @rtype: tuple (list of L{replies.Function}, list of L{replies.Peripheral})

  """
  return (queries.functions(execute), queries.peripherals(execute))


def _parse(text, path):
  """Read a runtime file, and what it has QEMU read, if it is of this node.

  @rtype: L{serialized.Runtime}

  """
  loaded = serialized.parse(text, path)
  return (loaded if runtime_files.runs(path) is None
          else config_reader.fill(loaded))


def _insist_own(known, path):
  """Make sure that it is the guest of a file that would be asked.

  @type known: L{device_table.DeviceTable}
  @param known: what is in the file
  @raise NodeError: if the file is not one of this node's
  @raise RuntimeFileError: if it is of another instance by its command

  """
  instance = runtime_files.own_instance(path)
  if known.instance != instance:
    raise RuntimeFileError(path, "its command is that of instance %s" %
                      known.instance)


def _obstacle(known, path):
  """Tell why an instance is left to unmodified Ganeti, or None.

  A file that lies elsewhere names a program that nobody here has chosen.

  """
  return chipset.obstacle(known.command, known.hvparams,
                          runtime_files.runs(path) is not None)


def _live(known, path):
  """Ask the QEMU of an instance, see L{_ask}.

  @return: empty tuple where pci.0 is left to unmodified Ganeti

  """
  if _obstacle(known, path):
    return ()
  with _monitor(known) as execute:
    return _ask(execute)


def show_map(opts):
  """Draw who sits on which slot of pci.0."""
  def look(entry, path):
    known = device_table.DeviceTable(
      _parse(runtime_files.read(path).text, path))
    live = ()
    if opts.live:
      _insist_own(known, path)
      live = _live(known, path)
    found = slot_map.entries(known, *live, requests=settle.requests(path))
    entry.update(slot_map.as_data(known, found))
    return slot_map.as_text(known, found, bool(live)) + "\n"
  return each(opts, look)


class _Check(object):
  """What was found at one instance."""

  def __init__(self, name):
    self.instance = name
    self.findings = []
    self.repaired = []
    self.backup = None

  def add(self, severity, text):
    self.findings.append(consistency.Finding(severity, None, None, text))

  def as_data(self):
    """Return what of an entry it makes, see L{report.entry}."""
    return {
      "instance": self.instance, "repaired": self.repaired,
      "backup": self.backup, "changed": bool(self.repaired),
      "findings": [dict(f._asdict()) for f in self.findings],
      "status": max([OK] + [_STATUS[f.severity] for f in self.findings])}


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
  loaded = _parse(seen.text, path)
  known = device_table.DeviceTable(loaded)
  result.instance = known.instance
  if opts.live or opts.repair:
    _insist_own(known, path)
  if runtime_files.runs(path) is False:
    result.add(consistency.INFO,
               "not running: its next start writes the file anew")
    return
  if opts.live or opts.qemu:
    _check_options(result, loaded, opts.qemu or qemu_version.version(
      known.command[0]))
  obstacle = _obstacle(known, path)
  if obstacle:
    result.add(consistency.INFO, "left to unmodified Ganeti: %s" % obstacle)
  elif opts.live or opts.repair:
    with _monitor(known) as execute:
      if opts.pending:
        settle.settle(result, execute, seen, loaded)
      else:
        _check_live(result, execute, seen, loaded, opts.repair)
    return
  result.findings.extend(consistency.findings(
    known, requests=settle.requests(path)))


def _check_options(result, loaded, qemu):
  """Tell which options of a command some QEMU does not start with.

  @type result: L{_Check}
  @type loaded: L{serialized.Runtime}
  @type qemu: tuple of two ints, or None
  @param qemu: the version of which a lack is more than information

  """
  arrived = serialized.Runtime(loaded.source, copy.deepcopy(loaded.as_list()))
  try:
    # what Ganeti itself replaces when it loads the file is no obstacle
    upgrade.normalise(arrived, installation.version())
  except KvmPciError:
    arrived = loaded # and why it cannot be, others say
  for item in removed_options.find(arrived.words, loaded.configs):
    lacks = qemu is not None and qemu >= item.option.gone
    result.add(consistency.WARNING if lacks else consistency.INFO,
               removed_options.explain(item, qemu))


def _check_live(result, execute, seen, loaded, repair):
  """Compare an instance's record with its QEMU, and perhaps repair it.

  @type result: L{_Check}
  @param execute: see L{queries}
  @type seen: L{runtime_files.Seen}
  @type loaded: L{serialized.Runtime}

  """
  known = device_table.DeviceTable(loaded)
  live = _ask(execute)
  if repair and loaded.unknown:
    result.add(consistency.WARNING, "not repaired: unsupported: %s" %
               ", ".join(loaded.unknown))
  elif repair:
    known = _repair(result, execute, seen, loaded, live)
    noted = settle.of(seen.path)
    if noted:
      noted.keep(queries.ids(execute))
  result.findings.extend(consistency.findings(
    known, *live, requests=settle.requests(seen.path)))
  result.findings.extend(consistency.Finding(
    consistency.WARNING, None, None,
    "a migration would be refused: %s" % problem)
                         for problem in _problems(execute, seen.path, loaded))
  for _, name in backends.orphans(execute, [d.id for d in known.devices],
                                  known.command):
    result.findings.append(consistency.Finding(
      consistency.WARNING, None, name, "%s: orphaned backend: QEMU has no such"
      " device, and nothing uses it; check --repair removes it" % name))


def _problems(execute, path, loaded):
  """Tell why a guest could not go elsewhere.

  @type loaded: L{serialized.Runtime}
  @param loaded: is changed: what QEMU does not have is left out, as it would be

  """
  parts = inventory.topology(execute)
  ejected.leave_out(parts, loaded)
  return migration_check.MigrationCheck(
    loaded, device_table.DeviceTable(loaded), parts,
    process.command(runtime_files.pid_of(path))).problems


def _repair(result, execute, seen, loaded, live):
  """Make a record say what QEMU has, and QEMU have nothing beside.

  @rtype: L{device_table.DeviceTable}
  @return: of what is in the file now

  """
  before = device_table.DeviceTable(loaded)
  changes = consistency.repair(loaded, before, *live)
  text = loaded.dump()
  # what is written must be what can be read
  known = before
  if changes:
    known = device_table.DeviceTable(_parse(text, seen.path))
  # before the record forgets whose it was
  kept = set(device.id for device in known.devices)
  for device in before.devices:
    if device.device_class == NIC and device.id not in kept:
      result.repaired.extend(
        "%s, passed for a NIC that is not there: closed" % closed
        for closed in backends.close_descriptors(execute, device.id))
  if changes:
    result.backup = runtime_files.replace(seen, text)
    runtime_files.sync(set(os.path.dirname(os.path.abspath(path))
                           for path in (seen.path, result.backup)))
    result.repaired.extend(changes)
    cooldown.note(cooldown.path_for(runtime_files.own_path(seen.path)), [
      device.slot for device in before.devices
      if device.slot is not None and device.id not in kept])
  swept, in_use = backends.sweep(execute, [d.id for d in known.devices],
                                 known.command)
  result.repaired.extend("%s, which nothing uses: removed" % what
                         for what in swept)
  for what in in_use:
    result.add(consistency.WARNING, "not removed: %s" % what)
  return known


def _tidy(result, path, repair):
  """Look for files that are of no use any more, and perhaps remove them.

  @type result: L{_Check}
  @param path: of an instance's runtime file, there or not; the lock of one that
      runs must be held for C{repair}
  @raise NodeError: if another operation on the instance does not end

  """
  if repair:
    result.repaired.extend("%s, left behind: removed" % left
                           for left in runtime_files.remove_left_behind(path))
  why = ("left half-written by a process that was killed; the next operation on"
         " the instance's devices removes it, and so does check --repair"
         if runtime_files.runs(path) else
         "left of an instance that does not run here; check --repair removes"
         " it")
  for left in runtime_files.left_behind(path):
    result.add(consistency.INFO, "%s: %s" % (left, why))


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


def check(opts):
  """Look for devices that stand where they should not."""
  def look(entry, path):
    result = _Check(entry["instance"])

    def look_at():
      try:
        with settle.alone(path, opts):
          if not opts.pending:
            _tidy(result, path, opts.repair)
          _check_one(result, path, opts)
      except BusyError:
        # the operation that has the instance settles it
        if not opts.pending:
          raise
    text = _complete(entry, result, look_at)
    return None if _is_quiet(opts, entry) else text

  if opts.pending:
    opts.names = opts.names or settle.waiting()
    return each(opts, look) if opts.names else OK
  each(opts, look)
  for path in [] if opts.names else runtime_files.of_no_instance():
    result = _Check(runtime_files.instance_of(path))
    entry = report.entry(opts.command, {})
    tell(opts, entry, _complete(entry, result, lambda: _tidy(
      result, path, opts.repair))) # pylint: disable=cell-var-from-loop
  return max(node_state.judge_node(opts), opts.report.status())
