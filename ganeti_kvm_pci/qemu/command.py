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

"""QEMU's command line as data: the options that make devices.

C{-device}, C{-balloon} (Ganeti up to 2.15 writes it, QEMU up to 3.1 takes it,
as another way to say C{-device virtio-balloon}) and C{-drive if=virtio}; and
what else names a device's address: C{-set}, C{-global}, C{-net nic}, and the
files of C{-readconfig}. Nothing here knows what any driver is; an option is
judged by its own keys.

"""

import collections
import re
import shlex

from ..bus import address
from ..bus import root_ports
from ..errors import AddressError
from . import option as option_
from .option import keys as keys_of
from .option import split as split_option

#: One C{-device} or C{-balloon} option.
#:   - position: int, index of its argument in the command; None for what
#:     stands in a file, or is made by another option
#:   - driver: string, as written (QEMU knows aliases, e.g. virtio-balloon)
#:   - id: string or None
#:   - address: tuple (slot, function) on pci.0, or None if it names none; in
#:     the command of a q35 guest, the number of a root port is the slot
#:   - backend: string or None, value of C{drive=} or C{netdev=}
#:   - is_json: bool; QEMU creates devices given as JSON after all others
#:   - origin: string, the option that names the address; None if it is this one
DeviceOption = collections.namedtuple(
  "DeviceOption", ["position", "driver", "id", "address", "backend", "is_json",
                   "origin"])
DeviceOption.__new__.__defaults__ = (None, )

DEVICE_FLAGS = frozenset(["-device", "--device", "-balloon"])
DRIVE_FLAGS = frozenset(["-drive", "--drive"])
_GLOBAL_FLAGS = frozenset(["-global", "--global"])
_SET_FLAGS = frozenset(["-set", "--set"])
_CONFIG_FLAGS = frozenset(["-readconfig", "--readconfig"])

#: The driver of the devices that make the buses of q35's disks and NICs.
ROOT_PORT = "pcie-root-port"

#: What QEMU reads before, as distributions build it.
DEFAULT_FILE = "/etc/qemu/qemu.conf"

_SET_RE = re.compile(r"^device\.([^.]+)\.([^=]+)=(.*)$", re.S)
_GLOBAL_RE = re.compile(r"^([^.=]+)\.([^=]+)=(.*)$", re.S)

#: What QEMU reads over in an address: blanks and a sign before each number.
_IN_ADDRESS_RE = re.compile(r"(^|\.)\s*\+?")


def arguments(command, flags):
  """List position and text of the arguments of an option."""
  found, argument = [], None
  for at in () if flags.isdisjoint(command) else [
      at for at, word in enumerate(command[:-1]) if word in flags]:
    if at != argument:
      argument = at + 1
      found.append((argument, command[argument]))
  return found


def config_files(command):
  """List the files that a command has QEMU read options from."""
  return [path for _, path in arguments(command, _CONFIG_FLAGS)]


def told(command, configs, flags, group, first="driver"):
  """Yield what the options of one flag say, in the command and in its files.

  @type configs: dict or None
  @param configs: path of a file to a list of L{config_file.Section}, or None
  @type flags: frozenset
  @param flags: what the options are called in the command
  @param group: what they are called in a file
  @param first: the key of a first word that has none
  @return: generator of tuples: position, or None in a file; the option as
      written; its keys

  """
  found = arguments(command, flags | _CONFIG_FLAGS)
  for position, text in [(0, DEFAULT_FILE)] + found if configs else found:
    flag = command[position - 1] if position else "default of"
    if flag in flags:
      yield (position, "%s %s" % (flag, text), keys_of(text, first))
      continue
    for section in (configs or {}).get(text) or ():
      if section.group == group:
        yield (None, "%s %s" % (flag, text), section.keys)


def text_of(keys, name):
  """Return a key's value if it is a text; in JSON it may be anything."""
  value = keys.get(name)
  return value if hasattr(value, "split") else None


def _parse(addr):
  """Read the value of C{addr} as QEMU would; None if it would not."""
  try:
    if isinstance(addr, int):
      return address.from_devfn(addr)
    return address.parse(_IN_ADDRESS_RE.sub(r"\1", addr))
  except (AddressError, TypeError):
    return None


def address_of(keys, made=(), bus=address.BUS):
  """Return the address that an option names, or None.

  An C{addr} that no PCI device would take belongs to a device that is none
  (pc-dimm has one too); then QEMU, not we, has a say in it.

  @type keys: dict
  @type made: collection of ints
  @param made: the guest's root ports; without, it is pci.0 that counts
  @param bus: which bus counts instead of pci.0
  @rtype: tuple of two ints, or None
  @return: slot, or number of the root port, and function

  """
  named = text_of(keys, "bus")
  if made:
    number = root_ports.number_of(named and address.last_of(named))
    # where it names no address, there is but one
    found = _parse("0" if keys.get("addr") is None else keys["addr"])
    return (number, found[1]) if number in made and found else None
  if not (named is None or address.is_bus(named, bus)) or \
      keys.get("addr") is None:
    return None
  return _parse(keys["addr"])


def ports(command):
  """List the root ports of Ganeti's that a command makes.

  @type command: list of strings
  @rtype: list of ints
  @return: their numbers; empty unless it is the command of a q35 guest that
      this package, or Ganeti's master, has laid out

  """
  found = set()
  for text in [text for _, text in arguments(command, DEVICE_FLAGS)
               if ROOT_PORT in text or text[:1] == "{"]:
    keys = keys_of(text)
    number = root_ports.number_of(text_of(keys, "id"))
    # a port of the user's own may have such an id, on pc as well
    if keys.get("driver") == ROOT_PORT and number and \
        keys.get("bus") == address.PCIE_BUS and \
        [str(keys.get(key)) for key in ("chassis", "port")] == \
        [str(number)] * 2:
      found.add(number)
  return sorted(found)


def _driver(flag, keys):
  driver = text_of(keys, "driver") or ""
  # there is no other balloon
  return "virtio-balloon" if flag == "-balloon" else driver


def _defaults(command, configs):
  """List the addresses that C{-global} gives to all devices of a driver.

  @rtype: list of (string, string, string)
  @return: driver, address, option

  """
  found = []
  for position, origin, keys in told(command, configs, _GLOBAL_FLAGS, "global"):
    match = position is not None and _GLOBAL_RE.match(command[position])
    driver, name, value = match.groups() if match else [
      keys.get(key) for key in ("driver", "property", "value")]
    if name == "addr" and driver and value:
      found.append((driver, value, origin))
  return found


def _completed(keys, is_json, defaults, settings):
  """Add what other options say of a device.

  @rtype: tuple (dict, string or None)
  @return: its keys; the option that names its address, if it is another one

  """
  keys, origin = dict(keys), None
  driver = text_of(keys, "driver")
  for name, value, text in defaults:
    # QEMU's aliases leave away the bus
    if keys.get("addr") is None and name in (driver, "%s-pci" % driver):
      keys["addr"], origin = value, text
  for text in settings if not is_json else ():
    match = _SET_RE.match(text)
    if match and match.group(1) == keys.get("id"):
      keys[match.group(2)] = match.group(3)
      if match.group(2) in ("addr", "bus"):
        origin = "-set %s" % text
  return (keys, origin)


def devices(command, configs=None, bus=None):
  """List the C{-device} and C{-balloon} options of a command.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{told}; without, the files' devices are left out
  @type bus: string or None
  @param bus: whose addresses count; None for those of disks and NICs, see
      L{address_of}
  @rtype: list of L{DeviceOption}
  @return: in the order in which QEMU creates them

  """
  found = []
  made = ports(command)
  defaults = _defaults(command, configs)
  settings = [text for _, text in arguments(command, _SET_FLAGS)]
  for position, text, keys in told(command, configs, DEVICE_FLAGS, "device"):
    in_file = position is None
    is_json = not in_file and option_.from_json(command[position]) is not None
    keys, origin = _completed(keys, is_json, defaults, settings)
    found.append(DeviceOption(
      position=position, id=text_of(keys, "id"),
      address=address_of(keys, bus=bus) if bus else address_of(keys, made),
      driver=_driver("" if in_file else command[position - 1], keys),
      backend=text_of(keys, "drive") or text_of(keys, "netdev"),
      is_json=is_json, origin=origin or (text if in_file else None)))
  return sorted(found, key=lambda option: option.is_json)


def first_device(command):
  """Tell where the first option stands that makes a device.

  @type command: list of strings
  @rtype: int
  @return: the position of its name; the command's length if there is none

  """
  return min([position - 1 for position, _ in arguments(
    command, DEVICE_FLAGS | _CONFIG_FLAGS)] + [len(command)])


def drives(command):
  """List the values of the C{-drive} options.

  @rtype: list of strings

  """
  return [text for _, text in arguments(command, DRIVE_FLAGS)]


def virtio_drives(command):
  """List the C{-drive} options that make a PCI device by themselves.

  QEMU turns each C{if=virtio} into a device without id or address, created
  after the last C{-device} option but before those in JSON.

  @rtype: list of ints
  @return: positions in the command

  """
  return [position for position, text in arguments(command, DRIVE_FLAGS)
          if ("if", "virtio") in split_option(text)]


def with_address(command, position, slot, function=0):
  """Give one C{-device} option its address.

  @type position: int
  @param position: L{DeviceOption}'s
  @rtype: list of strings
  @return: a new command; the option names pci.0 and the address

  """
  text = option_.put(command[position], [
    ("bus", address.BUS), ("addr", address.unparse(slot, function))])
  return command[:position] + [text] + command[position + 1:]


def words_of(kvm_extra):
  """Split C{kvm_extra} as Ganeti does.

  At each blank up to 3.0, like a shell's words since 3.1; what
  either makes of it is the user's own.

  @type kvm_extra: string or None
  @rtype: set of strings

  """
  found = set((kvm_extra or "").split(" "))
  try:
    found.update(shlex.split(kvm_extra or ""))
  except ValueError: # a quotation without end, which up to 3.0 is none
    pass
  return found
