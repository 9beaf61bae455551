"""What QEMU means when it refuses a PCI slot.

The texts are those of do_pci_register_device() in hw/pci/pci.c, QEMU 1.7 to
11.1; older ones name the holder without its id.

"""

import re

from .address import SLOTS
from . import command as command_
from .errors import SlotTakenError

_TAKEN_RE = re.compile(
  r"PCI: slot (?P<slot>\d+) function \d+ (?:not available for"
  r" (?P<driver>[^\s,]+), (?:in use by (?P<holder>[^\s,]+)"
  r"(?:,id=(?P<id>\S+))?|reserved)"
  r"|already occupied by (?P<occupant>[^\s,]+), new func (?P<late>[^\s,]+))")
_NO_SLOT_RE = re.compile(
  r"PCI: no (?:slot/function|devfn) available for (?P<driver>[^\s,]+)")


def _way_out(slot, namers, partition):
  """Say what to change.

  @param namers: list of L{command.DeviceOption}, those that name the slot
  @rtype: string

  """
  users = [o for o in namers if not o.backend]
  if len(namers) > 1 or users:
    return ("take addr=0x%x away from %s in kvm_extra, so that QEMU chooses" %
            (slot, " and ".join(o.id or o.driver for o in users or namers)))
  way_out = "take devices out of kvm_extra"
  if partition.adjustable and partition.reservations <= slot < SLOTS - 1:
    way_out = "raise kvm_pci_reservations above %d, or %s" % (slot, way_out)
  return "QEMU's own devices reach into Ganeti's slots; " + way_out


def explain(text, command, partition):
  """Find in QEMU's words that it refused a slot.

  @type text: string
  @param text: what QEMU printed or logged
  @type command: list of strings
  @param command: the command line it was started with
  @type partition: L{partition.Partition}
  @rtype: L{SlotTakenError} or None
  @return: the refusal, explained; None if it was not about a slot

  """
  match = _NO_SLOT_RE.search(text)
  if match:
    driver = match.group("driver")
    return SlotTakenError(
      None, driver, None,
      "QEMU found no free PCI slot for its device %s: all %d slots of pci.0"
      " are held (partition: %s); take devices out of kvm_extra, or detach"
      " disks or NICs, or move the disks to SCSI (disk_type=scsi-hd)" %
      (driver, SLOTS, partition))
  match = _TAKEN_RE.search(text)
  if not match:
    return None
  slot = int(match.group("slot"))
  driver = match.group("driver") or match.group("late")
  holder = match.group("holder") or match.group("occupant")
  holder_id = match.group("id")
  if holder_id and holder_id != "(null)":
    holder = "%s (id %s)" % (holder, holder_id)
  namers = [o for o in command_.devices(command)
            if o.place and o.place[0] == slot]
  device = ([o.id for o in namers if o.id and o.driver == driver] or
            [driver])[-1]
  return SlotTakenError(
    slot, device, holder,
    "QEMU refused PCI slot %d for %s (%s): it is held by %s (partition: %s);"
    " %s" % (slot, device, driver, holder or "QEMU itself", partition,
             _way_out(slot, namers, partition)))
