"""A record brought into the form that Ganeti 2.10 to 2.15 read: the way back.

The reverse of what L{normal} does with places: C{hvinfo} becomes C{pci}. All
else in a newer record these series ignore or hand to QEMU as it is.

"""

from . import address
from . import record
from .errors import RecordError
from .partition import DISK
from .partition import NIC


def downgrade(runtime):
  """Bring a runtime into the form of 2.10 to 2.15.

  @type runtime: L{runtime.Runtime}
  @param runtime: is changed in place, unless an error is raised
  @rtype: tuple of two lists of strings
  @return: what was changed, and what will not work as before
  @raise RecordError: if there is something that these series cannot have

  """
  changes, warnings, places = [], [], []
  disks = [entry[0] for entry in runtime.disks]
  for device_class, entries in ((DISK, disks), (NIC, runtime.nics)):
    for index, entry in enumerate(entries):
      if entry.get("hvinfo") is not None:
        name = "%s %d" % (device_class, index)
        slot = _slot(runtime, device_class, name, entry["hvinfo"])
        places.append((entry, slot))
        changes.append("%s: hvinfo to pci %s" % (name, slot))
        warnings.extend(_other_id(device_class, name, entry, slot))
  for entry, slot in places:
    del entry["hvinfo"]
    if slot is not None:
      entry["pci"] = slot
  return (changes, warnings)


def _slot(runtime, device_class, name, hvinfo):
  """Find the slot that C{pci} can say.

  @rtype: int or None

  """
  wanted = record.driver(device_class, runtime.hvparams)
  if hvinfo and hvinfo.get("driver") != wanted or \
      hvinfo.get("bus") not in (None, address.BUS) or \
      (wanted or "").startswith("scsi-"):
    raise RecordError(
      runtime.source, "%s (%s on %s) cannot be had before Ganeti 2.16" %
      (name, hvinfo.get("driver"), hvinfo.get("bus")))
  if hvinfo.get("bus") is None:
    return None
  slot, function = address.parse(hvinfo["addr"])
  if function:
    raise RecordError(
      runtime.source, "%s is function %d of slot %d; before Ganeti 2.16 a"
      " record has no place for that" % (name, function, slot))
  return slot


def _other_id(device_class, name, entry, slot):
  """Say what comes of an id that these series would make up differently."""
  known = entry["hvinfo"].get("id")
  if slot is None or known is None:
    return []
  computed = record.old_id(device_class, entry.get("uuid"), slot)
  if known == computed:
    return []
  return ["%s: QEMU has it as %s, Ganeti before 2.16 will look for %s: it"
          " cannot be removed live before the next start or migration" %
          (name, known, computed)]
