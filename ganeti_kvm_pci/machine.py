"""The machine as a guest sees it, and how two of them differ.

QEMU's migration stream names devices by their address and carries their state,
not what they are connected to: a device too many on the target, or two disks
exchanged, goes unnoticed, and the guest goes on with the wrong backends (QEMU
5.2 to 11.1). So the two machines are compared, part by part, before the guest
moves.

"""

import collections
import re

from . import address
from .errors import RecordError
from .runtime import is_text

#: One device.
#:   - bus: string, "pci.0", or the id of a bridge; behind a controller, its bus
#:     and address and the number of the bus there, e.g. "pci.0/1.1/0" for the
#:     first IDE bus; None for what is on no bus with addresses
#:   - address: tuple of ints: (slot, function) on PCI, (channel, scsi-id, lun)
#:     on SCSI, (unit, ) on IDE or of a floppy drive, the ports on USB, (nr, )
#:     of a serial port of virtio; else a number among those of its driver
#:   - model: string, PCI vendor and device in hex, "1af4:1001"; None elsewhere
#:   - driver: string by the object model; None for what the machine makes on
#:     PCI
#:   - id: string or None
#:   - backend: string or None, the name of its drive or netdev
#:   - mac: string or None
#:   - size: int, bytes of its drive; None where there is none
#:   - builtin: bool, whether no option names it; the guest cannot tell
#:   - mapped: bool, whether it has addresses by the guest's choice; None for
#:     what takes none, or is not on PCI
#: The file of its drive is a node's own affair (a DRBD minor, a descriptor).
Part = collections.namedtuple("Part", [
  "bus", "address", "model", "driver", "id", "backend", "mac", "size",
  "builtin", "mapped"])
Part.__new__.__defaults__ = (False, None)

#: A disk of Python 2 may be longer than its int.
_INTS = (int, type(1 << 64))

#: Ganeti's ids, of all series: what follows is the uuid's beginning.
_OURS_RE = re.compile("^(?:hot)?(disk|nic)-([0-9a-f]{8})-")


def show_place(part):
  """Name a part's place.

  @rtype: string

  """
  if part.bus == address.BUS:
    slot, function = part.address
    return "slot %d" % slot + (".%d" % function if function else "")
  if part.bus:
    numbers = ":".join(str(n) for n in part.address)
    controller, _, number = part.bus.rpartition("/")
    if not controller:
      return "%s %s" % (part.bus, numbers)
    return "%s on bus %s of the controller at %s" % (numbers, number,
                                                     controller)
  return "%s number %d" % (part.driver, part.address[0])


def show(part):
  """Name a part.

  @rtype: string

  """
  name = part.driver or "QEMU's own device %s" % part.model
  return "%s (id %s)" % (name, part.id) if part.id else name


def slot_of(part):
  """Return a part's slot on pci.0, or None."""
  return part.address[0] if part.bus == address.BUS else None


def scsi_id_of(part):
  """Return a part's id on a SCSI bus, or None."""
  return part.address[1] if part.bus and len(part.address) == 3 else None


def is_ours(name):
  """Tell whether an id is one of those that Ganeti makes.

  @type name: string

  """
  return bool(_OURS_RE.match(name))


def is_same_id(one, other):
  """Tell whether two ids are those of one device.

  Ganeti 2.15 and 2.16 make ids in different ways from the same uuid.

  """
  if one == other:
    return True
  found = [_OURS_RE.match(name or "") for name in (one, other)]
  return all(found) and found[0].groups() == found[1].groups()


def _key(part):
  return (part.bus or "", part.address, "" if part.bus else part.driver or "")


def _unlike(source, target, told):
  """List in what two parts at one place differ.

  @param told: the fields that are known of both
  @rtype: list of strings

  """
  found = []
  for name, what in (("model", "PCI device"), ("driver", "driver"),
                     ("mac", "MAC address")):
    one, other = getattr(source, name), getattr(target, name)
    if name in told and one != other:
      found.append("%s %s on the source, %s on the target" %
                   (what, one or "none", other or "none"))
  for name in ("id", "backend"):
    one, other = getattr(source, name), getattr(target, name)
    # Ganeti up to 3.0 has the machine make IDE disks, which gives them no id
    if name == "id" and source.bus != address.BUS and not (one and other):
      continue
    if name in told and not is_same_id(one, other):
      found.append("%s %s on the source, %s on the target" %
                   (name, one or "none", other or "none"))
  # a disk that has grown since is larger where it was opened last
  if "size" in told and (target.size or 0) < (source.size or 0):
    found.append("%s bytes on the source, %s on the target" %
                 (source.size, target.size or 0))
  return found


def differences(source, target, told=Part._fields):
  """Compare the machine that a guest has with that which waits for it.

  @type source: list of L{Part}
  @type target: list of L{Part}
  @type told: collection of strings
  @param told: the fields that are known of both
  @rtype: list of strings
  @return: what differs, in words; empty if the guest can go there

  """
  there = dict((_key(part), part) for part in target)
  here = dict((_key(part), part) for part in source)
  found = []
  for key in sorted(set(here) | set(there)):
    one, other = here.get(key), there.get(key)
    if one is None or other is None:
      found.append("%s: %s on the source, %s on the target" % (
        show_place(one or other), show(one) if one else "nothing",
        show(other) if other else "nothing"))
      continue
    unlike = _unlike(one, other, told)
    if unlike:
      found.append("%s, %s: %s" % (show_place(one), show(one),
                                   "; ".join(unlike)))
  return found


def _is_int(value):
  return isinstance(value, _INTS) and not isinstance(value, bool)


def _is_text_or_none(value):
  return value is None or is_text(value)


#: What stands in each field of a L{Part} that travels.
_CHECKS = dict(
  [(name, _is_text_or_none) for name in ("bus", "model", "driver", "id",
                                         "backend", "mac")],
  address=lambda value: (isinstance(value, list) and value and
                         all(_is_int(number) for number in value)),
  size=lambda value: value is None or _is_int(value),
  mapped=lambda value: value in (None, True, False))

#: Without these, a device cannot be told from others.
_REQUIRED = frozenset(["bus", "address", "driver"])

#: Of the form below. A release that adds a field keeps it, since what it does
#: not know it ignores, and what it is not told it does not compare; one that
#: gives a field another meaning takes the next.
VERSION = 1

#: In this form, the source node tells what its guest has. The names are not
#: those of the first form, a list of lists without a version, in which each
#: new value made a migration a refusal: what reads that finds nothing here.
_VERSION, _SOURCE, _DEVICES = "version", "source", "devices"

#: The same of the first form, and the order of its values.
_FIRST_SOURCE, _FIRST_DEVICES = "node", "machine"
_FIRST_FIELDS = ["bus", "address", "model", "driver", "id", "backend", "mac",
                 "size"]


class Topology(object):
  """What the source node tells of its guest's devices.

  @ivar parts: list of L{Part}
  @ivar told: frozenset of strings, the fields that are known of all
  @ivar buses: collection of strings, the buses that all this is of; None for
      everything

  """
  def __init__(self, parts, told, buses=None):
    self.parts = parts
    self.told = told
    self.buses = buses

  def differences(self, target):
    """Compare with the target, as far as this tells.

    @type target: list of L{Part}
    @rtype: list of strings

    """
    here, there = [
      [part for part in parts if self.buses is None or part.bus in self.buses]
      for parts in (self.parts, target)]
    return differences(here, there, self.told)

  def left_out(self, target):
    """Find devices that the guest let go of while it was copied.

    The target was started with them, and the stream does not say that the
    source has them no longer: they come up as after a reset, without
    addresses, which the guest had given them. A guest that is being reset has
    taken the addresses from all its devices.

    @type target: list of L{Part}
    @param target: when the guest has arrived
    @rtype: list of L{Part}
    @return: those of the target

    """
    had = set(part.address for part in self.parts
              if part.bus == address.BUS and part.mapped)
    there = [part for part in target
             if part.bus == address.BUS and part.address in had]
    if not any(part.mapped for part in there):
      return []
    return [part for part in there if part.mapped is False]


def as_witness(parts, node):
  """Turn a machine into what travels with its guest.

  @type node: string
  @param node: the source; who hands this on is another
  @rtype: dict

  """
  return {_VERSION: VERSION, _SOURCE: node, _DEVICES: [
    dict((name, list(value) if isinstance(value, tuple) else value)
         for name, value in part._asdict().items() if name in _CHECKS)
    for part in parts]}


def _part(values):
  """Read one device; None if it is something else.

  @type values: dict

  """
  if not _REQUIRED.issubset(values) or not (values["bus"] or values["driver"]):
    return None
  if not all(check(values[name]) for name, check in _CHECKS.items()
             if name in values):
    return None
  if values["bus"] == address.BUS and len(values["address"]) != 2:
    return None
  values = dict((name, values.get(name)) for name in _CHECKS)
  return Part(**dict(values, address=tuple(values["address"])))


def from_witness(witness, node, source):
  """Read what L{as_witness}, of this release or another, made.

  @type witness: dict or None
  @type node: string
  @param node: the guest's; what another node has told is not true any more
  @param source: named in errors
  @rtype: L{Topology} or None
  @return: None if it tells nothing, or nothing that can be read here
  @raise RecordError: if it is of a version that is known, and malformed

  """
  witness = witness or {}
  if witness.get(_SOURCE) == node:
    version = witness.get(_VERSION)
    if not _is_int(version) or not 1 <= version <= VERSION:
      return None
    devices, buses = witness.get(_DEVICES), None
    if not (isinstance(devices, list) and
            all(isinstance(values, dict) for values in devices)):
      devices = [{}]
  elif witness.get(_FIRST_SOURCE) == node:
    # it named the devices of other buses as is done no longer
    devices, buses = witness.get(_FIRST_DEVICES), frozenset([address.BUS])
    if isinstance(devices, list) and all(
        isinstance(values, list) and len(values) == len(_FIRST_FIELDS)
        for values in devices):
      devices = [dict(zip(_FIRST_FIELDS, values)) for values in devices]
    else:
      devices = [{}]
  else:
    return None
  parts = [_part(values) for values in devices]
  if None in parts:
    raise RecordError(source, "what the source node tells of the guest's devices"
                      " is malformed")
  return Topology(parts, frozenset(Part._fields).intersection(
    *[set(values) for values in devices]), buses)


def source_of(witness):
  """Tell which node made what L{from_witness} reads.

  """
  return witness.get(_SOURCE, witness.get(_FIRST_SOURCE))
