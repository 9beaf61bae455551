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

"""C{devices}: which disk of the configuration is which in the guest."""

import os
import re

from .. import process
from ..bus import frozen
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..errors import KvmPciError
from ..errors import NodeError
from ..node import cluster
from ..node import guests
from ..node import runtime_files
from ..qemu import command
from ..qemu import guest_names
from ..qemu import ids
from ..qemu import replies
from ..qmp import inventory
from ..qmp import queries
from ..runtime import device_table
from . import instance
from . import report
from .output import fail
from .output import tell

_DRBD_RE = re.compile(r"/dev/drbd([0-9]+)\Z")

_GIB = float(1 << 30)


class _Seen(object):
  """What QEMU and its process tell."""

  def __init__(self, execute, known, pid):
    """Ask.

    @param execute: see L{queries}
    @type known: L{device_table.DeviceTable}
    @param pid: QEMU's process

    """
    self.table = known
    self.parts = dict((part.id, part) for part in inventory.topology(execute)
                      if part.id)
    answer = execute("query-pci", None)
    self.addresses = guest_names.addresses(answer)
    self.serials = dict(
      (name, queries.get(execute, "%s/%s" % (replies.WITH_ID, name),
                         "serial"))
      for name, part in self.parts.items()
      if ids.class_of(name) == DISK and
      queries.has_property(execute, part.driver, "serial"))
    words = process.command(pid)
    started = [option.id for option in command.devices(words)
               if ids.class_of(option.id) == DISK]
    self.names = guest_names.DiskNames(guest_names.virtio_disks(answer),
                                       started, "-incoming" not in words)


def _common(loaded, seen, device):
  """Describe what disks and NICs have in common."""
  entry = device_table.dict_of(loaded, device)
  unit, number = seen.table.partition.unit, device.slot
  if number is None:
    number = (entry.get("hvinfo") or {}).get("scsi-id")
    unit = None if number is None else frozen.SCSI_ID
  return {"index": device.index, "uuid": entry.get("uuid"),
          "name": entry.get("name"), "id": device.id, "driver": device.driver,
          "unit": unit, "number": number,
          "pci_address": seen.addresses.get(device.id)}


def _disk(loaded, seen, device):
  found = _common(loaded, seen, device)
  part = seen.parts.get(device.id)
  entry = loaded.disks[device.index]
  link = entry[1] if len(entry) > 1 else None
  target = os.path.realpath(link) if link else None
  match = _DRBD_RE.match(target or "")
  size = part.size if part else None
  if size is None and isinstance(entry[0].get("size"), int):
    size = entry[0]["size"] << 20
  found.update(link=link, path=target, size=size,
               drbd_minor=int(match.group(1)) if match else None,
               serial=seen.serials.get(device.id) or None,
               guest_names=seen.names.now(device.id),
               guest_name_at_boot=seen.names.at_next_boot(device.id))
  return found


def _nic(loaded, seen, device):
  found = _common(loaded, seen, device)
  entry = loaded.nics[device.index]
  part = seen.parts.get(device.id)
  params = entry.get("nicparams") or {}
  found.update(mac=entry.get("mac"), mode=params.get("mode"),
               bridge=params.get("link"), network=entry.get("network"),
               tap=_tap(loaded.instance, device.index),
               guest_name=guest_names.of_nic(
                 seen.table.partition, device.slot,
                 part.acpi_index if part else None, found["pci_address"]))
  return found


def _tap(name, index):
  """Read which tap a NIC has; Ganeti counts as its configuration does."""
  path = os.path.join(runtime_files.control_dir("nic"), name, str(index))
  try:
    with open(path) as stream:
      return stream.read().strip() or None
  except EnvironmentError:
    return None


def _elsewhere(name, err):
  """Say where an instance runs that is not here.

  @rtype: L{NodeError}

  """
  try:
    fitting = [one for one in cluster.instances()
               if one.name == name or one.name.startswith(name + ".")]
  except NodeError:
    # not the master
    return NodeError("%s; on the master, this command says where it runs" % err)
  if len(fitting) != 1:
    return err
  return NodeError("%s is an instance of node %s: run ganeti-kvm-pci devices %s"
                   " there" % (fitting[0].name, fitting[0].node,
                               fitting[0].name))


def _look(entry, path):
  """Describe the devices of one instance.

  @rtype: string

  """
  loaded = instance.parse(runtime_files.read(path).text, path)
  known = device_table.DeviceTable(loaded)
  entry["instance"] = known.instance
  instance.insist_own(known, path)
  with guests.alone(path) as is_running:
    if not is_running:
      raise NodeError("%s does not run here: there is no guest that has its"
                      " devices" % known.instance)
    with instance.monitor(known) as execute:
      seen = _Seen(execute, known, guests.pid_of(path))
  devices = [device for device in known.devices if device.index is not None]
  entry["disks"] = [_disk(loaded, seen, device) for device in devices
                    if device.device_class == DISK]
  entry["nics"] = [_nic(loaded, seen, device) for device in devices
                   if device.device_class == NIC]
  if any(len(disk["guest_names"]) != 1 for disk in entry["disks"]):
    entry["remarks"].append(
      "names in the guest are guesses where disks were added or removed"
      " since QEMU was started, or the guest came from another node: compare"
      " the PCI address or SCSI id (in the guest: readlink -f /sys/block/vdb)")
  return _as_text(entry)


def _size(size):
  return "-" if size is None else "%.1f GiB" % (size / _GIB)


def _where(device):
  return "-" if device["number"] is None else frozen.show(
    device["unit"], device["number"])


def _table(rows):
  """Write rows of a table, the first of which is its head."""
  rows = [["-" if cell is None else str(cell) for cell in row] for row in rows]
  widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
  return ["  " + "  ".join(cell.ljust(width) for cell, width in
                           zip(row, widths)).rstrip() for row in rows]


def _as_text(entry):
  lines = [entry["instance"]] + ["  " + text for text in entry["remarks"]]
  if entry["disks"]:
    lines += _table([["disk", "uuid", "slot", "PCI address", "driver",
                      "in the guest", "at its next boot", "size", "DRBD",
                      "path", "serial"]] + [
                        [d["index"], d["uuid"], _where(d), d["pci_address"],
                         d["driver"], " or ".join(d["guest_names"]) or "?",
                         d["guest_name_at_boot"], _size(d["size"]),
                         d["drbd_minor"], d["path"], d["serial"]]
                        for d in entry["disks"]])
  if entry["nics"]:
    lines += _table([["nic", "uuid", "slot", "PCI address", "driver",
                      "in the guest", "MAC", "tap", "mode", "bridge"]] + [
                        [n["index"], n["uuid"], _where(n), n["pci_address"],
                         n["driver"], n["guest_name"], n["mac"], n["tap"],
                         n["mode"], n["bridge"]] for n in entry["nics"]])
  return "\n".join(lines) + "\n"


def show_devices(opts):
  """Show the disks and NICs of instances as the guest sees them.

  @return: exit status

  """
  for name in opts.names:
    entry = report.entry(opts.command, {"instance": name})
    text = None
    try:
      try:
        entry["file"] = runtime_files.find_runtime(name)
      except NodeError as err:
        raise _elsewhere(name, err)
      text = _look(entry, entry["file"])
    except KvmPciError as err:
      fail(entry, err)
    tell(opts, entry, text)
  return opts.report.status()
