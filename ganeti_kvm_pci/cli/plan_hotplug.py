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

"""C{plan INSTANCE --disk add --net 1:remove}: hotplug that is only planned.

QEMU is asked what it has; nothing else.

"""

import argparse

from ..bus import frozen
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..errors import NodeError
from ..node import configured as configured_
from ..node import guests
from ..node import installation
from ..node import runtime_files
from ..qmp import queries
from ..runtime import configuration
from ..runtime import device_table
from ..runtime import dry_run
from ..runtime import upgrade
from . import instance
from . import settle
from .output import WARNINGS

#: Ganeti's words for what is here the same.
_ACTIONS = {"add": dry_run.ADD, "attach": dry_run.ADD,
            "remove": dry_run.REMOVE, "detach": dry_run.REMOVE,
            "modify": dry_run.MODIFY}


def parser_of(device_class):
  """Return what reads C{--disk} or C{--net}, in gnt-instance modify's form.

  C{add}, C{remove}, C{N:add}, C{N:remove}, C{UUID:remove}, C{N:modify}, each
  perhaps with C{,key=value}, which does not matter here.

  @param device_class: L{DISK} or L{NIC}
  @return: function of a string that returns a L{dry_run.Change}

  """
  def parse(text):
    ident, _, rest = text.partition(":")
    index = -1
    action = _ACTIONS.get(ident)
    if action is None:
      action = _ACTIONS.get(rest.split(",")[0],
                            dry_run.MODIFY if "=" in rest else None)
      try:
        index = int(ident)
      except ValueError:
        index = ident
    if action is None or index == "" or isinstance(index, int) and index < -1:
      raise argparse.ArgumentTypeError(
        "%r is none of add, N:add, remove, N:remove, N:modify" % text)
    return dry_run.Change(device_class, action, index)
  return parse


def prepare(argv):
  """Have argparse take a value that begins with a dash: C{--disk -1:remove}.

  @type argv: list of strings
  @rtype: list of strings

  """
  found = []
  for word in argv:
    if found and found[-1] in ("--disk", "--net") and word.startswith("-1:"):
      found[-1] += "=" + word
    else:
      found.append(word)
  return found


def add_arguments(command):
  """Add the options of C{plan}.

  @param command: argparse's parser of it

  """
  for name, device_class in (("--disk", DISK), ("--net", NIC)):
    command.add_argument(
      name, dest="changes", action="append", metavar="CHANGE",
      type=parser_of(device_class), help="plan a hotplug of the running guest:"
      " add, N:add, remove, N:remove, as gnt-instance modify takes it; may be"
      " given several times")


def complete(parser, opts):
  """Refuse what does not go together; that ends the command.

  @param parser: argparse's

  """
  if getattr(opts, "changes", None) and (len(opts.names) != 1 or any([
      opts.machine_type, opts.acpi_index, opts.frozen,
      opts.reservations is not None])):
    parser.error("--disk and --net plan the hotplug of one INSTANCE; the other"
                 " options plan its next boot")


# pylint: disable=too-many-locals
def rehearse(execute, loaded, version, tags, configured, changes):
  """Tell what hotplug would do.

  @param execute: see L{queries}
  @type loaded: L{serialized.Runtime}
  @type version: tuple of two ints
  @param version: of Ganeti
  @type tags: collection of strings
  @param tags: the instance's
  @type configured: L{configuration.Configuration} or None
  @type changes: list of L{dry_run.Change}
  @rtype: list of L{dry_run.Outcome}
  @return: up to the first that is refused; NICs first, as Ganeti has it (2.10
      to 3.1: they are changed before the disks, whatever the order of options)

  """
  known = device_table.DeviceTable(loaded)
  order = configured and configuration.uuids(
    configured, known.instance, [nic.get("uuid") for nic in loaded.nics])
  live = queries.held(execute, known.partition)
  # what the next operation would remove from the runtime file
  lost = [device for device in known.lost(queries.ids(execute), live)
          if order is None or device_table.dict_of(loaded, device)["uuid"]
          not in order[device.device_class]]
  device_table.drop(loaded, lost)
  known = device_table.DeviceTable(loaded)
  held = dict(live)
  held.update(known.held())
  held_ids = {}
  if known.scsi_ids is not None:
    held_ids = queries.scsi_ids(execute)
    held_ids.update(known.scsi_ids)
  run = dry_run.DryRun(loaded, held, held_ids, frozen.Frozen(tags), order,
                       not upgrade.has_hvinfo(version))
  found = []
  for device_class in (NIC, DISK):
    for change in changes:
      if change.device_class == device_class:
        found.append(run.apply(change))
        if found[-1].refusal:
          return found
  return found


def look(found, path, opts, version):
  """Plan the hotplug of one instance.

  @param found: see L{report.entry}
  @rtype: string or None
  @return: the text of it

  """
  loaded = instance.parse(runtime_files.read(path).text, path)
  known = device_table.DeviceTable(loaded)
  name = found["instance"] = known.instance
  instance.insist_own(known, path, "--disk and --net")
  obstacle = instance.obstacle(known, path)
  if obstacle:
    found["remarks"].append("left to unmodified Ganeti: %s" % obstacle)
    return "%s: %s" % (name, found["remarks"][0])
  tags = installation.instance_tags(name)
  configured = configured_.devices(name)
  with guests.alone(path) as is_running:
    if not is_running:
      raise NodeError("%s does not run here: only a running guest takes a"
                      " hot-add; what its next start does, plan says without"
                      " --disk and --net" % name)
    with instance.monitor(known) as execute:
      outcomes = rehearse(execute, loaded, version, tags or (), configured,
                          opts.changes)
  if tags is None or configured is None:
    found["remarks"].append(
      "Ganeti's configuration is not at hand (only master candidates have it):"
      " tags are not known, and disks and NICs are counted as in the runtime"
      " file")
  if settle.requests(path):
    found["remarks"].append(
      "removals are pending: their slots are free once the guest completes"
      " them")
  if any(outcome.action == dry_run.REMOVE for outcome in outcomes):
    found["remarks"].append(
      "a removal ends when the guest completes it; if it does not, Ganeti's job"
      " fails there")
  found["hotplug"] = [dict(
    [("class", outcome.device_class)] +
    [(key, value) for key, value in outcome._asdict().items()
     if key != "device_class"]) for outcome in outcomes]
  for outcome in found["hotplug"]:
    # only what QEMU has, has an id
    outcome["id"] = outcome["id"] if outcome["uuid"] else None
  if outcomes[-1].refusal:
    found["error"] = "would be refused: %s" % outcomes[-1].refusal
    found["status"] = WARNINGS
  return _as_text(found, outcomes)


def _as_text(found, outcomes):
  lines = ["%s: hotplug would do this; nothing was changed" %
           found["instance"]]
  lines += ["  " + remark for remark in found["remarks"]]
  for outcome in outcomes:
    name = "%s %s" % (outcome.device_class,
                      "-" if outcome.index is None else outcome.index)
    if outcome.refusal:
      text = "refused"
    else:
      text = "%s %s" % ({dry_run.ADD: "gets", dry_run.REMOVE: "frees",
                         dry_run.MODIFY: "keeps"}[outcome.action],
                        frozen.show(outcome.unit, outcome.number))
    lines.append("  %s %s: %s" % (outcome.action, name, text))
  return "\n".join(lines)
