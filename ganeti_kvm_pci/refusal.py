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


def _named(command, slot):
  """Return the id of the option that names a slot."""
  for option in command_.devices(command):
    if option.place and option.place[0] == slot and option.id:
      return option.id
  return None


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
  device = _named(command, slot) or driver
  if slot < partition.reservations:
    way_out = ("an option in kvm_extra names this slot; take its addr= away,"
               " so that QEMU chooses")
  else:
    way_out = ("QEMU's own devices reach into Ganeti's slots; raise"
               " kvm_pci_reservations above %d, or take devices out of"
               " kvm_extra" % slot)
  return SlotTakenError(
    slot, device, holder,
    "QEMU refused PCI slot %d for %s (%s): it is held by %s (partition: %s);"
    " %s" % (slot, device, driver, holder or "QEMU itself", partition,
             way_out))
