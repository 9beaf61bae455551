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

"""The command that looks ahead: plan."""

from .. import chipset
from .. import config_reader
from ..bus import frozen
from ..bus import root_ports
from ..bus.pools import DISK
from ..errors import BusFullError
from ..errors import NameTakenError
from ..errors import SlotTakenError
from ..node import installation
from ..node import guests
from ..node import runtime_files
from ..qemu import command
from ..qemu import explicit
from ..qemu import ide_units
from ..qemu import machine_type
from ..qemu import q35
from ..qemu import q35_errors
from ..runtime import configuration
from ..runtime import device_table
from ..runtime import layout
from ..runtime import placement
from ..runtime import serialized
from ..runtime import slot_map
from ..runtime import upgrade
from . import machine_types
from . import nic_names
from . import plan_hotplug
from .output import WARNINGS
from .output import each


#: What a guest makes of it that its devices come to another bus.
_OTHER_BUS = [
  "each disk and NIC comes to another bus, so its PCI address changes. Linux"
  " names NICs after that (ens24 becomes enp1s0, or eno1 with acpi-index):"
  " change what in the guest goes by these names, or by /dev/disk/by-path",
  "Windows takes them for new devices: it looks for drivers anew, and a NIC"
  " comes without the addresses that were configured; keep a console at hand",
  ]


def _plan_one(found, path, opts, version):
  """Find out which devices of an instance a cold boot would move.

  @type found: dict
  @param found: see L{report.entry}
  @rtype: string or None
  @return: the text of it

  """
  loaded = serialized.parse(runtime_files.read(path).text, path)
  found["instance"] = device_table.DeviceTable(loaded).instance
  is_of_this_node = guests.runs(path) is not None
  if is_of_this_node:
    config_reader.fill(loaded)
  if opts.machine_type:
    upgrade.normalise(loaded, version)
    _change_type(found, loaded, opts.machine_type, version, is_of_this_node)
  else:
    found["remarks"].extend(machine_types.remarks(loaded, is_of_this_node))
  obstacle = chipset.obstacle(loaded.words, loaded.hvparams, is_of_this_node)
  if obstacle:
    found["remarks"].append("left to unmodified Ganeti: %s" % obstacle)
    return _as_text(found, None)
  known, tags = _tags(found, loaded, opts)
  cluster = installation.cluster_reservations()
  _reserve(found, loaded, opts.reservations, cluster)
  upgrade.normalise(loaded, version)
  for device_class in configuration.guess_order(loaded):
    found["remarks"].append(
      "the configuration's order, which decides, is not known here: %ss are"
      " taken in the order of the slots that they have" % device_class)
  names = nic_names.NicNames(
    loaded, found["instance"], version, opts.acpi_index,
    loaded.words[0] if is_of_this_node else None)
  try:
    names.check()
    _check_buses(loaded)
    moves = layout.lay_out(loaded, version, cluster, is_named=names.is_named,
                           frozen=tags)
  except (BusFullError, NameTakenError, SlotTakenError) as err:
    found["error"] = "would not start: %s" % err
    found["status"] = WARNINGS
    return None
  found["remarks"].extend(frozen.explain(unmet, found["instance"])
                          for unmet in tags.unmet)
  found["remarks"].extend(
    "the tag %s is of no device of the instance, and keeps %s free as long as"
    " possible" % (tag.text, frozen.show(tag.unit, tag.number))
    for tag in layout.of_nobody(loaded, tags))
  if moves and is_of_this_node and not known:
    found["remarks"].append(
      "tags, by which devices keep their slots, are not known here (only master"
      " candidates have the configuration): plan --frozen plans for an instance"
      " that is frozen")
  if moves:
    found["remarks"].extend(_unaddressed(loaded))
  part = q35.partition(loaded.hvparams, loaded.words)
  names.compare(part, any(m.old_unit for m in moves))
  found["remarks"].extend(names.remarks)
  found["partition"] = slot_map.pools(part)
  found["moves"] = [
    {"class": m.device_class, "index": m.index, "id": m.id, "unit": m.unit,
     "old_unit": m.old_unit or m.unit, "old": m.old, "new": m.new}
    for m in moves]
  return _as_text(found, part)


def _unaddressed(loaded):
  """Say what QEMU may place before disk 0."""
  drives = command.virtio_drives(loaded.words)
  if not drives:
    return []
  return ["%d -drive if=virtio without an address (CD-ROMs, kvm_extra) will be"
          " where QEMU chooses, which may be before disk 0: see boot_order" %
          len(drives)]


def _check_buses(loaded):
  """Make sure that a q35 guest has the buses for what is not on its ports.

  @raise SlotTakenError: if kvm_extra names one that only pc has
  @raise BusFullError: if there are too few for IDE disks

  """
  if q35.partition(loaded.hvparams, loaded.words).is_shared:
    return
  found = q35_errors.other_bus(loaded.words, loaded.configs)
  if found:
    raise found
  words = list(loaded.words)
  if loaded.hvparams.get("disk_type") == "ide":
    # Ganeti adds them at each start
    for index in range(len(loaded.disks)):
      words += ["-device", "ide-hd,id=disk %d" % index]
  ide_units.with_buses(words, loaded.configs)


def _reserve(found, loaded, planned, cluster):
  """Plan for another kvm_pci_reservations, or say that there is another.

  @param found: see L{report.entry}
  @type planned: int or None
  @param planned: what is asked for
  @type cluster: int or None
  @param cluster: what the cluster has

  """
  started_with = loaded.hvparams.get("kvm_pci_reservations")
  is_shared = q35.partition(loaded.hvparams, loaded.words).is_shared
  if not is_shared:
    if planned is not None:
      found["remarks"].append(
        "kvm_pci_reservations means nothing to a q35 guest: QEMU's own devices"
        " are not on its root ports")
  elif planned is not None:
    loaded.hvparams["kvm_pci_reservations"] = planned
  elif cluster is not None and started_with not in (None, cluster):
    found["remarks"].append(
      "started with kvm_pci_reservations %d, the cluster has %d by now: unless"
      " the instance or its OS has a value of its own, see plan --reservations"
      " %d" %
      (started_with, cluster, cluster))


def _tags(found, loaded, opts):
  """Find the tags by which an instance's devices keep their slots.

  @param found: see L{report.entry}
  @rtype: tuple (bool, L{frozen.Frozen})
  @return: whether they are known, and they

  """
  tags = placement.tags(loaded).values() if opts.frozen else \
    installation.instance_tags(found["instance"])
  return (tags is not None, frozen.Frozen(tags))


def _change_type(found, loaded, name, version, is_trusted):
  """Make a runtime file that of a guest with another machine type.

  @param found: see L{report.entry}
  @type loaded: L{serialized.Runtime}
  @param loaded: is changed
  @type name: string
  @param version: of the Ganeti that starts it
  @param is_trusted: see L{chipset.obstacle}

  """
  loaded.hvparams["machine_version"] = name
  before = q35.partition(loaded.hvparams, loaded.words).unit
  extra = loaded.hvparams.get("kvm_extra")
  asked = ["-machine", name]
  by_hand = machine_type.named(asked + (extra or "").split(), loaded.configs)
  if by_hand != machine_type.named(asked):
    found["remarks"].append(
      "kvm_extra names the machine type %s, which counts, whatever"
      " machine_version says" % by_hand)
    name = by_hand
  words = machine_type.with_type(q35.without_ports(loaded.words), name,
                                 loaded.configs)
  words = explicit.without_addresses(words, extra)[0]
  is_new = upgrade.has_hvinfo(version)
  if is_new and chipset.needs_ports(words, loaded.hvparams, is_trusted) and \
      not chipset.obstacle(words, loaded.hvparams, is_trusted, is_new):
    words = q35.with_ports(words, loaded.configs)
  loaded.command[:] = words
  if q35.partition(loaded.hvparams, words).unit != before:
    found["remarks"].extend(_OTHER_BUS)


def _where(unit, number):
  return "where QEMU chooses" if number is None else \
    root_ports.show(unit, number)


def _as_text(found, part):
  moves = found["moves"]
  lines = ["%s: %s" % (found["instance"], "%d device%s will move (%s)" % (
    len(moves), "" if len(moves) == 1 else "s", part) if moves
    else "nothing moves")]
  lines.extend("  " + remark for remark in found["remarks"])
  for move in moves:
    name = move["id"] or "-"
    if move["index"] is not None:
      name = "%s %d (%s)" % (move["class"], move["index"], name)
    elif move["class"] == DISK:
      name = "disk " + name
    lines.append("  %s: %s -> %s" % (name, _where(move["old_unit"],
                                             move["old"]),
                                      _where(move["unit"], move["new"])))
  return "\n".join(lines)


def plan(opts):
  """Show which devices move at the next cold boot, or what hotplug would do.

  @return: exit status

  """
  version = installation.version()
  look = plan_hotplug.look if opts.changes else _plan_one
  return each(opts, lambda found, path: look(found, path, opts, version))
