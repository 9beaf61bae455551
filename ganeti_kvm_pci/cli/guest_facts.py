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

"""What a node knows of a running guest that may have to migrate.

Nothing is changed, nothing is locked: who changes the guest's devices meanwhile
holds the lock, which is told.

"""

import os

from .. import chipset
from .. import instance_lock
from .. import process
from .. import qemu_version
from ..errors import KvmPciError
from ..node import guests
from ..node import runtime_files
from ..qemu import acpi_index
from ..qemu import machine_type
from ..qemu import renewal
from ..qmp import ejected
from ..qmp import inventory
from ..qmp import queries
from ..qmp import running_type
from ..qmp import vcpus as vcpus_
from ..runtime import device_table
from ..runtime import disk_links
from ..runtime import migration_check
from ..runtime import preflight
from . import instance
from . import settle


def look(entry, path):
  """Put what is known of a guest into an entry.

  @type entry: dict
  @param entry: see L{report.entry}
  @param path: its runtime file
  @raise KvmPciError: if it cannot be looked at

  """
  loaded = instance.parse(runtime_files.read(path).text, path)
  table = device_table.DeviceTable(loaded)
  entry["instance"] = table.instance
  instance.insist_own(table, path)
  words = loaded.words
  entry["qemu"] = words[0]
  entry["written_type"] = machine_type.named(words, loaded.configs)
  entry["disks"], entry["inside"] = preflight.of_disks(loaded)
  entry["requested"] = [preflight.name_of(table, name)
                        for name in sorted(settle.requests(path))]
  entry["has_acpi_index"] = bool(acpi_index.named(words))
  entry["removed_options"] = [
    _option(item) for item in renewal.find(words, loaded.configs)
    if item.position is not None]
  entry["is_busy"] = _is_busy(path)
  obstacle = instance.obstacle(table, path)
  if obstacle:
    entry["remarks"].append("left to unmodified Ganeti: %s" % obstacle)
  elif table.partition:
    entry["chipset"] = (machine_type.I440FX if table.partition.is_shared
                        else machine_type.Q35)
  with instance.monitor(table) as execute:
    _ask(entry, execute, path, loaded, not obstacle)


def _ask(entry, execute, path, loaded, is_ours):
  """Ask a guest's QEMU.

  @param execute: see L{queries}
  @type is_ours: bool
  @param is_ours: whether its bus is partitioned

  """
  version = execute("query-version", None)["qemu"]
  entry["qemu_version"] = [version["major"], version["minor"]]
  entry["machine_type"] = running_type.of(execute)
  if queries.has_left(execute):
    entry["problems"].append(
      "this QEMU is paused after a migration that completed: if the guest runs"
      " on another node, end this process (kill %d) and run gnt-instance"
      " migrate --cleanup" % guests.pid_of(path))
    return
  entry["is_leaving"] = queries.is_leaving(execute)
  if is_ours and not entry["is_leaving"]:
    parts = inventory.topology(execute, disk_links.ids(loaded))
    ejected.leave_out(parts, loaded)
    entry["problems"] += migration_check.MigrationCheck(
      loaded, device_table.DeviceTable(loaded), parts,
      process.command(guests.pid_of(path)), vcpus_.count(execute)).problems


def _option(item):
  """Say of an option that some QEMU has removed what a target has to know.

  @type item: L{renewal.Found}
  @rtype: dict

  """
  option = item.option
  return {
    "removed": list(option.removed),
    "since": None if item.words is None else list(option.since),
    "by_ganeti": bool(option.always),
    "text": renewal.explain_start(item, option.removed, item.words is None)}


def _is_busy(path):
  """Tell whether somebody holds an instance's lock."""
  lock = instance_lock.path_for(runtime_files.own_path(path))
  if not os.path.exists(lock):
    return False
  try:
    fd = os.open(lock, os.O_RDONLY)
  except EnvironmentError: # it was released this moment
    return False
  try:
    return not instance_lock.try_lock(fd)
  finally:
    os.close(fd)


def program(path):
  """Tell what a QEMU of this node is.

  @type path: string
  @rtype: dict

  """
  entry = {"is_there": os.path.exists(path), "version": None,
           "machine_types": [], "aliases": {}, "default": None, "error": None}
  if not entry["is_there"]:
    return entry
  version = qemu_version.version(path)
  entry["version"] = version and list(version)
  try:
    listing = chipset.machine_types(path)
    entry["machine_types"] = listing.names()
    entry["aliases"] = listing.aliases()
    entry["default"] = listing.default
  except KvmPciError as err:
    entry["error"] = str(err)
  return entry
