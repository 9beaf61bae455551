"""What QEMU's answers about its devices mean.

C{query-pci} tells what sits on the bus, but of drivers only the PCI class;
the object model (C{qom-list}, C{qom-get}) tells the driver of everything that
came from a C{-device} option or a C{device_add}.

"""

import collections
import contextlib
import re

from . import address
from .errors import AddressError
from .errors import MonitorError

#: Where QEMU keeps devices with and without id. Those without are named
#: device[0], device[1] in the order of their creation (QEMU 5.2 to 11.1).
WITH_ID = "/machine/peripheral"
WITHOUT_ID = "/machine/peripheral-anon"

#: One function on the live bus.
#:   - slot, function: ints
#:   - id: string, or None
#:   - description: string, PCI class in QEMU's words, e.g. "VGA controller"
Function = collections.namedtuple(
  "Function", ["slot", "function", "id", "description"])

#: One device of a -device option or a device_add, by the object model.
#:   - driver: string, the type's own name, never an alias
#:   - id: string; None for those of WITHOUT_ID
#:   - place: (slot, function) on pci.0; None elsewhere
Peripheral = collections.namedtuple("Peripheral", ["driver", "id", "place"])

#: What a device reads and writes.
#:   - name: string, that of the drive, or of the block node where it has none
#:   - size: int, bytes
#:   - owner: string, the path of the device that it belongs to, by L{WITH_ID}
#:     or L{WITHOUT_ID}; None where the machine made that (-drive if=ide)
Drive = collections.namedtuple("Drive", ["name", "size", "owner"])

#: A device's path, in that of itself or of a part of it.
_OWNER_RE = re.compile("(?:%s|%s)/[^/]+" % (WITH_ID, WITHOUT_ID))

#: Of PCI's classes (base class and subclass), the base class of NICs.
_NETWORK = 0x02


@contextlib.contextmanager
def _reading(command):
  """Turn what comes of an answer of another shape into one clear error."""
  try:
    yield
  except (AddressError, AttributeError, KeyError, IndexError, TypeError) as err:
    raise MonitorError("QEMU's answer to %s makes no sense: %s" %
                       (command, err))


def _on_first_bus(answer):
  """Return the devices of bus 0, which an extra root bus may come before."""
  return [bus["devices"] for bus in answer if bus["bus"] == 0][0]


def functions(answer):
  """Read the answer of C{query-pci}.

  @param answer: what the command returned
  @rtype: list of L{Function}
  @return: those of the first bus; what sits behind a bridge has a bus, and
      slots, of its own
  @raise MonitorError: if the answer has another shape

  """
  with _reading("query-pci"):
    found = []
    devices = _on_first_bus(answer)
    if not devices: # not even a host bridge
      raise MonitorError("QEMU's answer to query-pci names nothing on pci.0")
    for device in devices:
      info = device["class_info"]
      found.append(Function(
        slot=address.check_slot(device["slot"]), function=device["function"],
        id=device.get("qdev_id") or None,
        description=info.get("desc") or "class 0x%04x" % info["class"]))
    return sorted(found, key=lambda f: (f.slot, f.function))


def held(found):
  """Tell what the live bus has.

  @type found: list of L{Function}
  @rtype: dict
  @return: slot (int) to the name of the device there

  """
  names = {}
  for function in found:
    names.setdefault(function.slot, function.id or function.description)
  return names


def children(answer):
  """Read the answer of C{qom-list} for L{WITH_ID} or L{WITHOUT_ID}.

  @rtype: list of (name, driver) pairs
  @return: in the order of creation where the names are QEMU's own
  @raise MonitorError: if the answer has another shape

  """
  def age(pair):
    name = pair[0]
    number = name[len("device["):-1]
    if name.startswith("device[") and number.isdigit():
      return (int(number), name)
    return (0, name)

  with _reading("qom-list"):
    if not isinstance(answer, list):
      raise TypeError("not a list")
    return sorted([(item["name"], item["type"][len("child<"):-1])
                   for item in answer if item["type"].startswith("child<")],
                  key=age)


def place(bus, devfn):
  """Read the answers of C{qom-get} for C{parent_bus} and C{addr}.

  @rtype: tuple of two ints, or None
  @return: slot and function, if it is pci.0 that the device sits on

  """
  if not hasattr(bus, "endswith") or not bus.endswith("/" + address.BUS):
    return None
  try:
    return address.from_devfn(devfn)
  except AddressError:
    return None


def models(answer):
  """Read what kind of device C{query-pci} tells of each function.

  @rtype: dict
  @return: (slot, function) to vendor and device in hex, e.g. C{"1af4:1001"}
  @raise MonitorError: if the answer has another shape

  """
  with _reading("query-pci"):
    return dict(
      ((device["slot"], device["function"]),
       "%04x:%04x" % (device["id"]["vendor"], device["id"]["device"]))
      for device in _on_first_bus(answer))


def nics(answer):
  """Tell which functions C{query-pci} calls NICs.

  @rtype: set of (slot, function)
  @raise MonitorError: if the answer has another shape

  """
  with _reading("query-pci"):
    return set((device["slot"], device["function"])
               for device in _on_first_bus(answer)
               if device["class_info"]["class"] >> 8 == _NETWORK)


def _owner(qdev):
  """Read what C{query-block} tells of a drive's device: its id or its path.

  """
  if not qdev.startswith("/"):
    return "%s/%s" % (WITH_ID, qdev)
  match = _OWNER_RE.match(qdev)
  return match.group() if match else None


def drives(answer):
  """Read the answer of C{query-block}.

  @rtype: list of L{Drive}
  @return: hard disks, in the order of their creation
  @raise MonitorError: if the answer has another shape

  """
  found = []
  with _reading("query-block"):
    for drive in answer:
      inserted = drive.get("inserted")
      # not what no device has, nor a CD-ROM, whose disc is the user's affair
      if inserted and drive.get("qdev") and not drive["removable"]:
        found.append(Drive(
          drive["device"] or inserted["node-name"],
          inserted["image"]["virtual-size"], _owner(drive["qdev"])))
    return found
