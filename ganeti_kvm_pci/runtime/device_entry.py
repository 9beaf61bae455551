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

"""One disk or NIC of a runtime file: what its dict may hold.

Ganeti pastes these values into options of a QEMU that root starts, each
C{hvinfo} as it stands. So none may hold what would end one value and begin
another: a file in which one does is refused as a whole.

"""

import re

from ..bus import address
from ..bus import root_ports
from ..errors import AddressError
from ..errors import MalformedError

#: Attributes of objects.NIC, objects.Disk and of hvinfo, Ganeti 2.8 to master
#: with pull requests 1938 (acpi-index), 1953 (queues, iothreads), 1955 (role).
NIC_KEYS = frozenset([
  "hvinfo", "ip", "mac", "name", "netinfo", "network", "nicparams", "pci",
  "uuid"])
DISK_KEYS = frozenset([
  "children", "ctime", "dev_type", "dynamic_params", "forthcoming", "hvinfo",
  "iv_name", "logical_id", "mode", "mtime", "name", "nodes", "params",
  "physical_id", "pci", "role", "serial_no", "size", "spindles", "uuid"])
_HVINFO_NUMBERS = frozenset([
  "acpi-index", "channel", "lun", "num-queues", "scsi-id"])
_HVINFO_WORDS = frozenset(["bus", "driver", "id", "iothread"])
_HVINFO_KEYS = _HVINFO_NUMBERS | _HVINFO_WORDS | frozenset([
  "addr", "iothread-vq-mapping"])

#: The numbers by which a guest may name a NIC; more, QEMU refuses
#: (ONBOARD_INDEX_MAX in hw/acpi/pcihp.c; tried with 7.2), and 0 is none.
_ACPI_INDEXES = (1, 16383)

_PORT_RE = re.compile(r"rp[0-9]+\Z")

#: What QEMU takes for an id, a driver or a bus, and what a uuid consists of.
WORD_RE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")

_MAC_RE = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}\Z")

#: Any other value in an option.
_VALUE_RE = re.compile(r"[^,\x00-\x1f\x7f]*\Z")

#: A URI comes from the configuration alone, where a storage provider may have
#: meant its commas; but it is a line of the human monitor as well.
_LINE_RE = re.compile(r"[^\x00-\x1f\x7f]*\Z")

#: What JSON makes of a text, on any Python.
TEXT = (type(""), type(b"".decode("ascii")))


#: What of a disk or NIC goes into options under its own name.
_NAMES = (("uuid", WORD_RE), ("mac", _MAC_RE))


def is_text(value):
  """Tell whether a value of JSON's is a text, on any Python."""
  return isinstance(value, TEXT)


def _is_number(value):
  return isinstance(value, int) and not isinstance(value, bool)


def is_without_device(entry):
  """Tell whether QEMU has no device of a disk.

  Ganeti's master starts firmware from a disk that has a role and no address
  (pull request 1955).

  @param entry: its dict
  @rtype: bool

  """
  return bool(entry.get("role")) and not entry.get("hvinfo") and \
    entry.get("pci") is None


def _is_value(value):
  """Tell whether Ganeti can make one value of an option of it."""
  if is_text(value):
    return bool(_VALUE_RE.match(value))
  return not isinstance(value, (list, dict))


def _check_text(source, name, key, value, pattern):
  if not isinstance(value, TEXT):
    raise MalformedError(source, "%s: %s is no text" % (name, key))
  if not pattern.match(value):
    raise MalformedError(
      source, "%s: %r is no %s: characters in it that Ganeti does not write" %
      (name, value, key))


def check_names(source, name, entry):
  """Check what of a disk or NIC goes into options under its own name.

  @param source: named in errors
  @param name: the device's, for errors
  @type entry: dict
  @raise RuntimeFileError: if it may be more than one value

  """
  for key, pattern in _NAMES:
    value = entry.get(key)
    if value is not None:
      _check_text(source, name, key, value, pattern)
  # "" is none
  if entry.get("role"):
    _check_text(source, name, "role", entry["role"], WORD_RE)


def check_extra(source, name, extra):
  """Check what names the data of a disk.

  @param source: named in errors
  @param name: the device's, for errors
  @param extra: its link and perhaps its URI; each may be None
  @raise RuntimeFileError: if it may be more than one value

  """
  for key, word, pattern in zip(("link", "uri"), extra,
                                (_VALUE_RE, _LINE_RE)):
    if word is not None:
      _check_text(source, name, key, word, pattern)


def _check_mapping(source, name, value):
  """Check which iothread serves which queue of a disk.

  @param value: list of dicts: C{iothread}, an id; perhaps C{vqs}, a list of
      ints

  """
  if not isinstance(value, list) or not value:
    raise MalformedError(source, "%s: iothread-vq-mapping is no list" % name)
  for entry in value:
    if not isinstance(entry, dict) or \
        not set(["iothread"]) <= set(entry) <= set(["iothread", "vqs"]) or \
        not isinstance(entry.get("vqs", []), list) or \
        not all(_is_number(number) for number in entry.get("vqs", [])):
      raise MalformedError(
        source, "%s: iothread-vq-mapping: %r maps no queues to an iothread" %
        (name, entry))
    _check_text(source, name, "iothread", entry["iothread"], WORD_RE)


def _check_port(source, name, hvinfo, ports):
  """Check the root port of a device of a q35 guest.

  Ganeti's master writes C{addr} 0x0 there, as this package does.

  @type ports: list of ints
  @param ports: those that the guest has; empty unless it is a q35 guest

  """
  bus = hvinfo.get("bus")
  if not ports or not _PORT_RE.match(bus or ""):
    return
  if root_ports.number_of(bus) not in ports:
    raise MalformedError(
      source, "%s: its bus %s is no root port of the guest, whose command makes"
      " %d of them (%s to %s)" %
      (name, bus, len(ports), root_ports.id_of(ports[0]),
       root_ports.id_of(ports[-1])))
  if hvinfo.get("addr") is not None and address.parse(hvinfo["addr"]) != (0, 0):
    raise MalformedError(
      source, "%s: addr %s on port %s: a root port has slot 0 and function 0"
      " alone, addr 0x0" % (name, hvinfo["addr"], bus))


def _check_index(source, name, value):
  """Check the number by which a guest may name a NIC."""
  if not _ACPI_INDEXES[0] <= value <= _ACPI_INDEXES[1]:
    raise MalformedError(
      source, "%s: acpi-index %d: QEMU takes numbers from %d to %d" %
      ((name, value) + _ACPI_INDEXES))


def check_indexes(source, nics):
  """Make sure that no two NICs are to have one name.

  QEMU refuses the second ("a PCI device with acpi-index = 1 already exist",
  tried with 7.2).

  @param source: named in errors
  @param nics: list of dicts
  @raise RuntimeFileError: if there are two

  """
  seen = {}
  for index, nic in enumerate(nics):
    hvinfo = nic.get("hvinfo") or {}
    if "acpi-index" not in hvinfo:
      continue
    other = seen.setdefault(hvinfo["acpi-index"], index)
    if other != index:
      raise MalformedError(
        source, "nic %d (bus %s) and nic %d (bus %s): both have acpi-index %d,"
        " and QEMU gives each to one device" %
        (other, nics[other]["hvinfo"].get("bus"), index, hvinfo.get("bus"),
         hvinfo["acpi-index"]))


def _check_hvinfo(source, name, hvinfo, ports):
  """Check where a device is, and return the keys that no Ganeti writes."""
  unknown = []
  if not isinstance(hvinfo, dict):
    raise MalformedError(source, "%s: hvinfo is no dict" % name)
  for key, value in hvinfo.items():
    if key not in _HVINFO_KEYS:
      unknown.append("%s in hvinfo of %s" % (key, name))
      if not (WORD_RE.match(key) and _is_value(value)):
        raise MalformedError(source, "%s: %r: %r in hvinfo is no option" %
                             (name, key, value))
    elif key in _HVINFO_WORDS:
      _check_text(source, name, key, value, WORD_RE)
    elif key == "addr":
      address.parse(value)
    elif key in _HVINFO_NUMBERS:
      if not _is_number(value):
        raise MalformedError(source, "%s: %s is no number" % (name, key))
      if key == "acpi-index":
        _check_index(source, name, value)
    else:
      _check_mapping(source, name, value)
  root_ports.slot_in(hvinfo)
  _check_port(source, name, hvinfo, ports)
  return unknown


def check(source, name, entry, known, ports=()):
  """Check one disk or NIC.

  @param source: named in errors
  @param name: the device's, for errors
  @param entry: its dict, or what is there instead
  @type known: frozenset of strings
  @param known: L{DISK_KEYS} or L{NIC_KEYS}
  @type ports: list of ints
  @param ports: the root ports of a q35 guest
  @rtype: list of strings
  @return: what no known Ganeti writes
  @raise RuntimeFileError: if it is no disk or NIC, or may be more than one
      value in an option

  """
  if not isinstance(entry, dict):
    raise MalformedError(source, "%s: a dict expected" % name)
  unknown = []
  if not known.issuperset(entry):
    unknown = ["%s of %s" % (key, name) for key in sorted(set(entry) - known)]
  check_names(source, name, entry)
  hvinfo = entry.get("hvinfo")
  try:
    if entry.get("pci") is not None:
      address.check_slot(entry["pci"])
    if hvinfo:
      unknown += _check_hvinfo(source, name, hvinfo, ports)
    elif not (hvinfo is None or hvinfo == {}):
      raise MalformedError(source, "%s: hvinfo is no dict" % name)
  except AddressError as err:
    raise MalformedError(source, "%s: %s" % (name, err))
  return unknown
