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

"""The properties of QEMU's devices in one answer: C{info qtree}.

A command of its own for each property takes QEMU longer, which reads what it is
asked byte by byte: of a guest with 16 disks and 8 NICs, all are told in 2 to 3
ms, against 36 to 41 ms for 88 of C{qom-get} (QEMU 7.2 and 10.0, on a busy
host).  The text is meant for people, so only what can have one meaning is taken
from it; who needs more asks C{qom-get}.

"""

import re

from . import replies

#: A device, one of its buses, or one of its properties. What a bus has, or a
#: device, is two columns to the right of it (QEMU 5.2 to 11.1).
_LINE = r'^( *)(?:dev: ([^,\n]+), id "(.*)"|bus: (.*?)|(%s) = (.*?))\r?$'

_NUMBER_RE = re.compile(r"(-?\d+) \(0x[0-9a-f]+\)$")
_TEXT_RE = re.compile(r'"([^"\\]*)"$')
_TRUTH = {"true": True, "false": False}

#: Slot and function, which the object model has as one number.
_ADDRESS = "addr"
_ADDRESS_RE = re.compile(r"([01][0-9a-f])\.([0-7])$")

#: What names the drive of a device.
_DRIVE = "drive"

#: A virtio device is two: the properties of the one on this bus are those of
#: the one that has the bus as well.
_VIRTIO_BUS = "virtio-bus"

#: A text that goes on in the next line.
_BROKEN_RE = re.compile(r'^[^"\n]*"[^"\n]*$', re.MULTILINE)


def _value(text):
  """Read a value; None if it is none of those that C{qom-get} tells alike."""
  if text in _TRUTH:
    return _TRUTH[text]
  number, words = _NUMBER_RE.match(text), _TEXT_RE.match(text)
  if number:
    return int(number.group(1))
  return words.group(1) if words else None


class Device(object):
  """One device of the text, or the whole.

  @ivar driver: string
  @ivar name: string, its id; empty for one without
  @ivar on_bus: string or None, the bus that it is on
  @ivar owner: L{Device} or None, what has that bus
  @ivar properties: dict, name to a bool, int, or string; None for what cannot
      be read
  @ivar is_on_pci: bool

  """
  def __init__(self, column, driver, name, owner):
    self.column = column
    self.driver = driver
    self.name = name
    self.owner = owner
    self.on_bus = owner and owner.last_bus
    # the one that was told of last
    self.last_bus = None
    self.is_on_pci = False
    self.properties = owner.properties if self.is_inner else {}

  @property
  def is_inner(self):
    """Tell whether it is the inner one of the two of a virtio device."""
    return not self.name and self.on_bus == _VIRTIO_BUS

  def note(self, key, text):
    """Note a property as it is told."""
    value = None
    if key not in self.properties:
      value = _value(text)
      where = key == _ADDRESS and _ADDRESS_RE.match(text)
      if where:
        self.is_on_pci = True
        value = int(where.group(1), 16) << 3 | int(where.group(2))
    self.properties[key] = value


def read(text, names):
  """Read the answer.

  @type text: string
  @type names: collection of strings
  @param names: the properties that are wanted
  @rtype: list of L{Device}

  """
  line_re = re.compile(_LINE % "|".join(map(re.escape, sorted(names))),
                       re.MULTILINE)
  found = []
  above = [Device(-1, None, None, None)]
  for spaces, driver, name, bus, key, value in line_re.findall(text):
    column = len(spaces)
    while above[-1].column >= column:
      above.pop()
    if key:
      if column == above[-1].column + 2:
        above[-1].note(key, value)
    elif bus:
      above[-1].last_bus = bus
    else:
      above.append(Device(column, driver, name, above[-1]))
      found.append(above[-1])
  return found


def _once(pairs):
  """Make a dict of pairs; what has a key that another has is left out."""
  found, twice = {}, set()
  for key, value in pairs:
    if key in found:
      twice.add(key)
    found[key] = value
  return dict((key, value) for key, value in found.items() if key not in twice)


def _readable(properties):
  return dict((key, value) for key, value in properties.items()
              if value is not None)


class Tree(object):
  """The answer beside the object model.

  A name that is there twice, of a device or of a property of it, tells nothing:
  a text among the values may have a line break.

  @ivar properties: dict, path in the object model to a dict, name of a property
      to a bool, int, or string; what cannot be read is missing
  @ivar buses: dict, path of a device to that of the bus that it is on; of a
      device on a PCI bus, only the last part counts
  @ivar controllers: dict, what stands for the path of a bus's owner that is not
      known (QEMU 8.1 and later have those of the chipset in its ISA bridge), to
      a tuple: the PCI bus that it is on, and slot and function in one number

  """
  def __init__(self, text, names, unnamed, drives):
    """Find out which device of the one is which of the other.

    The object model names those without id by numbers. One is known by its
    drive, or where both have one device of its driver.

    @param text: see L{read}
    @param names: see L{read}
    @type unnamed: list of (path, driver) pairs
    @param unnamed: all devices that the object model has without id
    @type drives: dict
    @param drives: path of a device to the name of its drive

    """
    devices = read(text, set(names).union([_DRIVE, _ADDRESS]))
    self._paths = dict(
      (device, "%s/%s" % (replies.WITH_ID, name)) for name, device in
      _once((device.name, device) for device in devices if device.name).items())
    self.buses = {}
    self.controllers = {}
    # where a text goes on in the next line, what a device is on is not sure
    if not _BROKEN_RE.search(text):
      self._match([device for device in devices
                   if not device.name and not device.is_inner], unnamed, drives)
      for device in self._paths:
        bus = self._bus(device)
        if bus:
          self.buses[self._paths[device]] = bus
    self.properties = dict((path, _readable(device.properties))
                           for device, path in self._paths.items())

  def _match(self, devices, unnamed, drives):
    """Find the paths of devices without id."""
    there = _once((driver, path) for path, driver in unnamed)
    for driver, device in _once((d.driver, d) for d in devices).items():
      if driver in there:
        self._paths[device] = there[driver]
    drivers = dict(unnamed)
    there = _once((name, path) for path, name in drives.items())
    for name, device in _once((d.properties.get(_DRIVE), d)
                              for d in devices).items():
      path = there.get(name) if name else None
      if device not in self._paths and drivers.get(path) == device.driver:
        self._paths[device] = path

  def _bus(self, device):
    """Name the bus that a device is on; None if that is not known."""
    owner, inner = device.owner, ""
    if owner is not None and owner.is_inner:
      owner, inner = owner.owner, "/" + replies.INNER
    if not device.on_bus:
      return None
    if owner in self._paths:
      return "%s%s/%s" % (self._paths[owner], inner, device.on_bus)
    if device.is_on_pci:
      return "/" + device.on_bus
    devfn = owner.properties.get(_ADDRESS)
    if not owner.is_on_pci or not owner.on_bus or devfn is None:
      return None
    path = "//%s/%d" % (owner.on_bus, devfn)
    self.controllers[path] = (owner.on_bus, devfn)
    return "%s%s/%s" % (path, inner, device.on_bus)
