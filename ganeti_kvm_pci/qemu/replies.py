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

"""What QEMU's answers about its devices mean, but for PCI's own.

The object model (C{qom-list}, C{qom-get}) tells the driver of everything that
came from a C{-device} option or a C{device_add}.

"""

import collections
import contextlib
import re

from ..bus import address
from ..errors import AddressError
from ..errors import MonitorError
from . import reply_shapes

#: Where QEMU keeps devices with and without id. Those without are named
#: device[0], device[1] in the order of their creation (QEMU 5.2 to 11.1).
WITH_ID = "/machine/peripheral"
WITHOUT_ID = "/machine/peripheral-anon"

#: Where it keeps those that no option names.
UNATTACHED = "/machine/unattached"

#: A virtio device is two objects, the inner one of this name has its buses.
INNER = "virtio-backend"

#: The type of a SCSI controller's bus.
SCSI_BUS = "SCSI"

#: One device of a -device option or a device_add, by the object model.
#:   - driver: string, the type's own name, never an alias
#:   - id: string; None for those of WITHOUT_ID
#:   - address: (slot, function) as of L{pci_functions}; None elsewhere
Peripheral = collections.namedtuple("Peripheral", ["driver", "id", "address"])

#: What a device reads and writes.
#:   - name: string, that of the drive, or of the block node where it has none
#:   - size: int, bytes; None if nothing is in it
#:   - path: string, of the device that it belongs to, or of a part of that
#:   - file: string, where the data are; None if nothing is in it
#:   - removable: bool, whether it is a CD-ROM or floppy drive
Drive = collections.namedtuple("Drive", ["name", "size", "path", "file",
                                         "removable"])

#: A device on a USB port.
#:   - port: string, e.g. "1", or "2.1" behind a hub
#:   - id: string or None
UsbPort = collections.namedtuple("UsbPort", ["port", "id"])

#: A line of C{info usb}, which nothing else tells (QEMU 5.2 to 11.1).
_USB_RE = re.compile(r"^ *Device \d+\.\d+, Port ([0-9.]+),.*?"
                     r"(?:, ID: (\S+))?$")

#: What QEMU itself reads a truth value from, in text.
_TRUTH = {"on": True, "yes": True, "true": True, "y": True,
          "off": False, "no": False, "false": False, "n": False}

@contextlib.contextmanager
def reading(command):
  """Turn what comes of an answer of another shape into one clear error."""
  try:
    yield
  except (AddressError, AttributeError, KeyError, IndexError, TypeError) as err:
    raise MonitorError("unexpected reply to QMP command %s: %s" %
                       (command, err))


def age(path):
  """Make a key that brings devices into the order of their creation.

  @type path: string
  @param path: name or path; the last part counts where it is QEMU's own

  """
  folder, _, name = path.rpartition("/")
  number = name[len("device["):-1]
  if name.startswith("device[") and number.isdigit():
    return (folder, int(number), name)
  return (folder, 0, name)


def children(answer):
  """Read the answer of C{qom-list} for L{WITH_ID} or L{WITHOUT_ID}.

  @rtype: list of (name, driver) pairs
  @return: in the order of creation where the names are QEMU's own
  @raise MonitorError: if the answer has another shape

  """
  with reading("qom-list"):
    return sorted([(item["name"], item["type"][len("child<"):-1])
                   for item in answer
                   if item["type"].startswith("child<")],
                  key=lambda pair: age(pair[0]))


def address_of(bus, devfn, partition):
  """Read the answers of C{qom-get} for C{parent_bus} and C{addr}.

  @type partition: L{pools.Partition}
  @rtype: tuple of two ints, or None
  @return: slot and function, if the device is on a slot of the partition

  """
  if not hasattr(bus, "rpartition") or "/" not in bus:
    return None
  try:
    slot, function = address.from_devfn(devfn)
  except AddressError:
    return None
  slot = partition.locate(bus.rpartition("/")[2], slot)
  return None if slot is None else (slot, function)


def has_truth_text(arguments):
  """Tell whether any argument of C{device_add} may be a truth value in text.

  @type arguments: dict
  @rtype: bool

  """
  return any("%s" % (value, ) in _TRUTH for value in arguments.values())


def typed(arguments, properties):
  """Give truth values that are text their type.

  Text that stands for numbers stays: that of an address has a meaning of its
  own.

  @type arguments: dict
  @param arguments: those of C{device_add}
  @param properties: the answer of C{device-list-properties} for its driver
  @rtype: dict
  @raise MonitorError: if the answer has another shape

  """
  with reading("device-list-properties"):
    booleans = set(item["name"] for item in properties
                   if item["type"] == "bool")
    return dict((name, _TRUTH.get(value, value) if name in booleans else value)
                for name, value in arguments.items())


def has_property(answer, name):
  """Read the answer of C{device-list-properties}.

  @rtype: bool
  @raise MonitorError: if the answer has another shape

  """
  with reading("device-list-properties"):
    return any(item["name"] == name for item in answer)


def drives(answer):
  """Read the answer of C{query-block}.

  @rtype: list of L{Drive}
  @return: those that a device has, in the order of their creation
  @raise MonitorError: if the answer has another shape

  """
  found = []
  with reading("query-block"):
    for drive in reply_shapes.check("query-block", None, answer):
      path = drive.get("qdev")
      if not path: # no device has it
        continue
      if not path.startswith("/"):
        path = "%s/%s" % (WITH_ID, path)
      name, size, source = drive["device"], None, None
      inserted = drive.get("inserted")
      if inserted is not None:
        name = name or inserted["node-name"]
        size, source = inserted["image"]["virtual-size"], inserted.get("file")
      found.append(Drive(name or None, size, path, source, drive["removable"]))
    return found


def usb_ports(text):
  """Read the answer of C{info usb}.

  @rtype: list of L{UsbPort}
  @return: for each bus, in the order in which they were plugged
  @raise MonitorError: if the answer is no text

  """
  with reading("info usb"):
    matches = [_USB_RE.match(line.rstrip()) for line in text.splitlines()]
    return [UsbPort(*match.groups()) for match in matches if match]
