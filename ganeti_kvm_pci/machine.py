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
from . import scsi
from .errors import RecordError
from .runtime import is_text

#: One device.
#:   - bus: string, the last part of QEMU's path, e.g. "pci.0"; None for what
#:     is on no bus with addresses
#:   - address: tuple of ints: (slot, function) on pci.0, (channel, scsi-id,
#:     lun) behind a SCSI controller, else a number among those of its driver
#:   - model: string, PCI vendor and device in hex, "1af4:1001"; None elsewhere
#:   - driver: string by the object model; None for what the machine makes
#:   - id: string or None
#:   - backend: string or None, the name of its drive or netdev
#:   - mac: string or None
#:   - size: int, bytes of its drive; None where there is none
#: The file of its drive is a node's own affair (a DRBD minor, a descriptor).
Part = collections.namedtuple("Part", [
  "bus", "address", "model", "driver", "id", "backend", "mac", "size"])

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
    return "%s %s" % (part.bus, ":".join(str(n) for n in part.address))
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
  """Return a part's id on Ganeti's SCSI bus, or None."""
  return part.address[1] if part.bus == scsi.BUS else None


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
  return (part.bus or "", part.address, "" if part.bus else part.driver)


def _unlike(source, target):
  """List in what two parts at one place differ.

  @rtype: list of strings

  """
  found = []
  for name, what in (("model", "PCI device"), ("driver", "driver"),
                     ("mac", "MAC address")):
    one, other = getattr(source, name), getattr(target, name)
    if one != other:
      found.append("%s %s on the source, %s on the target" %
                   (what, one or "none", other or "none"))
  for name in ("id", "backend"):
    one, other = getattr(source, name), getattr(target, name)
    if not is_same_id(one, other):
      found.append("%s %s on the source, %s on the target" %
                   (name, one or "none", other or "none"))
  # a disk that has grown since is larger where it was opened last
  if (target.size or 0) < (source.size or 0):
    found.append("%s bytes on the source, %s on the target" %
                 (source.size, target.size or 0))
  return found


def differences(source, target):
  """Compare the machine that a guest has with that which waits for it.

  @type source: list of L{Part}
  @type target: list of L{Part}
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
    unlike = _unlike(one, other)
    if unlike:
      found.append("%s, %s: %s" % (show_place(one), show(one),
                                   "; ".join(unlike)))
  return found


def as_data(parts):
  """Turn a machine into what JSON can carry."""
  return [[list(value) if isinstance(value, tuple) else value
           for value in part] for part in parts]


def _is_int(value):
  return isinstance(value, _INTS) and not isinstance(value, bool)


def _is_part(values):
  if not (isinstance(values, list) and len(values) == len(Part._fields) and
          isinstance(values[1], list) and values[1]):
    return False
  bus, driver = values[0], values[3]
  if not (bus or driver) or (bus == address.BUS and len(values[1]) != 2):
    return False
  texts = values[:1] + values[2:-1]
  return (all(text is None or is_text(text) for text in texts) and
          all(_is_int(number) for number in values[1]) and
          (values[-1] is None or _is_int(values[-1])))


def from_data(data, source):
  """Read what L{as_data} made.

  @param source: named in errors
  @rtype: list of L{Part}
  @raise RecordError: if it is something else

  """
  if not isinstance(data, list) or not all(_is_part(v) for v in data):
    raise RecordError(source, "what the source node tells of its machine makes"
                      " no sense")
  return [Part(*([values[0], tuple(values[1])] + values[2:]))
          for values in data]
