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

"""The IDE units of a q35 guest.

The machine type q35 has six, one on each of its buses ide.0 to ide.5. A
C{-drive if=ide} (or one without C{if}) takes the unit of its index, else the
first that is free, before any device is created. A device without a bus comes
to ide.5 always: the second one ends QEMU with "Can't create IDE unit 1, bus
supports only 1 units". Ganeti since 3.1 names no bus. All of this was tried
with QEMU 7.2; the limits with 5.2, 10.0 and 11.1 as well.

"""

import re

from ..errors import BusFullError
from . import command as command_
from . import option as option_

#: How many units, and buses, there are.
_UNITS = 6

#: Where QEMU puts a device that names no bus.
_DEFAULT = _UNITS - 1

_BUS_RE = re.compile(r"^ide\.([0-9]+)\Z")

#: Options that stand for a drive of this index.
_SHORT = {"-hda": 0, "-hdb": 1, "-hdc": 2, "-hdd": 3, "-cdrom": 2}


def _number(value):
  """Read a number of an option; None if it is none."""
  try:
    return int(value, 0)
  except (TypeError, ValueError):
    return None


def _drives(command, configs):
  """Yield index (None if it names none) and name of each IDE drive."""
  flags = command_.DRIVE_FLAGS | frozenset(
    prefix + flag for flag in _SHORT for prefix in ("", "-"))
  for position, text, keys in command_.told(command, configs, flags, "drive",
                                            "file"):
    flag = command[position - 1] if position is not None else None
    short = _SHORT.get((flag or "").replace("--", "-"))
    if short is not None:
      yield (short, text)
    elif keys.get("if", "ide") == "ide":
      named = keys.get("index")
      _check_drive(keys, keys.get("id") or keys.get("file") or text)
      yield (_number(keys.get("bus") if named is None else named),
             keys.get("id") or keys.get("file") or text)


def _bus(command, option):
  """Tell which bus a device of the command names, or None."""
  return command_.text_of(command_.keys_of(command[option.position]), "bus")


def _refuse(name, where):
  """Say that an option names a unit that is not there.

  @raise BusFullError: always

  """
  raise BusFullError(
    None, "%s names %s: a q35 guest has %d IDE buses, ide.0 to ide.%d, with one"
    " unit each, 0; take bus, unit and index away from it in kvm_extra, so that"
    " QEMU chooses" % (name, where, _UNITS, _UNITS - 1), {})


def _check_drive(keys, name):
  """Refuse a drive that names a unit that is not there.

  @raise BusFullError: if it does

  """
  for key, limit in (("index", _UNITS), ("bus", _UNITS), ("unit", 1)):
    number = _number(keys.get(key))
    if number is not None and number >= limit:
      _refuse(name, "IDE %s %d" % (key, number))


def _check_device(command, option, bus):
  """Refuse a device that names a unit that is not there.

  @param bus: see L{_bus}
  @raise BusFullError: if it does

  """
  unit = _number(command_.keys_of(command[option.position]).get("unit"))
  match = _BUS_RE.match(bus or "")
  if unit and match and int(match.group(1)) < _UNITS:
    _refuse(option.id or option.backend or option.driver,
            "unit %d of %s" % (unit, bus))


def _full(holders, names):
  """Say that there are more drives than units.

  @rtype: L{BusFullError}

  """
  return BusFullError(
    None, "no IDE unit is left for %s: a q35 guest has %d, held by: %s; set"
    " disk_type to paravirtual or scsi-hd, or cdrom_disk_type to paravirtual,"
    " or take CD-ROMs (cdrom_image_path, cdrom2_image_path) or drives of"
    " kvm_extra away" % (", ".join(names), _UNITS, ", ".join(
      "%s (ide.%d)" % (name, unit) for unit, name in sorted(holders.items()))),
    holders)


def _first_free(holders):
  return ([unit for unit in range(_UNITS) if unit not in holders] or [None])[0]


def with_buses(command, configs=None):
  """Give the IDE devices of a q35 guest buses.

  One that is alone in naming none stays where QEMU puts it: so it was started
  on other nodes.

  @type command: list of strings
  @param command: with Ganeti's disks
  @param configs: see L{command.told}
  @rtype: list of strings
  @return: a new command
  @raise BusFullError: if there are more drives than units

  """
  command = list(command)
  holders, without = {}, []
  for index, name in _drives(command, configs):
    unit = _first_free(holders) if index is None else index
    if unit is None:
      raise _full(holders, [name])
    holders.setdefault(unit, name)
  for option in command_.devices(command):
    if not option.driver.startswith("ide-"):
      continue
    name = option.id or option.backend or option.driver
    bus = _bus(command, option)
    match = _BUS_RE.match(bus or "")
    _check_device(command, option, bus)
    if match:
      holders.setdefault(int(match.group(1)), name)
    elif bus is None:
      without.append((option.position, name))
  if len(without) == 1 and _DEFAULT not in holders:
    return command
  for at, (position, name) in enumerate(without):
    unit = _first_free(holders)
    if unit is None:
      raise _full(holders, [other for _, other in without[at:]])
    holders[unit] = name
    command[position] = option_.put(command[position],
                                    [("bus", "ide.%d" % unit)])
  return command
