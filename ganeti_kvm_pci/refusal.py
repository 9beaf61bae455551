"""What QEMU means when it refuses a PCI slot.

The texts are those of do_pci_register_device() in hw/pci/pci.c, QEMU 1.7 to
11.1; older ones name the holder without its id.

"""

import re

from .address import SLOTS
from . import claims
from . import command as command_
from .errors import SlotTakenError
from .partition import NIC

_TAKEN_RE = re.compile(
  r"PCI: slot (?P<slot>\d+) function \d+ (?:not available for"
  r" (?P<driver>[^\s,]+), (?:in use by (?P<holder>[^\s,]+)"
  r"(?:,id=(?P<id>\S+))?|reserved)"
  r"|already occupied by (?P<occupant>[^\s,]+), new func (?P<late>[^\s,]+))")
_FUNCTION_RE = re.compile(
  r"PCI: (?:single function device can't be populated in function"
  r" (?P<later>[0-9a-f]+)\.[0-7]|(?P<first>[0-9a-f]+)\.0 indicates single"
  r" function, but)")
_NO_SLOT_RE = re.compile(
  r"PCI: no (?:slot/function|devfn) available for (?P<driver>[^\s,]+)")


def _name(option):
  """Name an option that names a slot."""
  name = option.id or option.driver
  return "%s (%s)" % (name, option.origin) if option.origin else name


def _namers(slot, command, configs):
  """List the options that name a slot."""
  return [option for option in claims.addressed(command, configs)
          if option.place[0] == slot]


def _way_out(slot, command, configs, partition):
  """Say what to change; see L{explain}.

  @rtype: string

  """
  namers = _namers(slot, command, configs)
  unread = [path for path in command_.config_files(command)
            if (configs or {}).get(path) is None]
  users = [o for o in namers if not o.backend]
  if len(namers) > 1 or users:
    return ("take addr=0x%x away from %s in kvm_extra, so that QEMU chooses" %
            (slot, " and ".join(_name(o) for o in users or namers)))
  if unread:
    return ("a file that cannot be read here may name the slot (-readconfig"
            " %s): take its addr away there" % " and ".join(unread))
  # QEMU gives the lowest that is free to what names none
  if slot in partition.pool(NIC):
    return ("no option that can be read names the slot, and QEMU chooses lower"
            " ones by itself: look for its addr in what kvm_path and kvm_extra"
            " refer to")
  way_out = "take devices out of kvm_extra"
  if partition.adjustable and partition.reservations <= slot < SLOTS - 1:
    way_out = "raise kvm_pci_reservations above %d, or %s" % (slot, way_out)
  return "QEMU's own devices reach into Ganeti's slots; " + way_out


def explain(text, command, partition, configs=None):
  """Find in QEMU's words that it refused a slot.

  @type text: string
  @param text: what QEMU printed or logged
  @type command: list of strings
  @param command: the command line it was started with
  @type partition: L{partition.Partition}
  @type configs: dict or None
  @param configs: see L{command.told}
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
  match = _FUNCTION_RE.search(text)
  if match:
    slot = int(match.group("later") or match.group("first"), 16)
    return SlotTakenError(
      slot, "function", None,
      "QEMU refused PCI slot %d for two devices, one of which is no function of"
      " the other (partition: %s); %s" %
      (slot, partition, _way_out(slot, command, configs, partition)))
  match = _TAKEN_RE.search(text)
  if not match:
    return None
  slot = int(match.group("slot"))
  driver = match.group("driver") or match.group("late")
  holder = match.group("holder") or match.group("occupant")
  holder_id = match.group("id")
  if holder_id and holder_id != "(null)":
    holder = "%s (id %s)" % (holder, holder_id)
  device = ([o.id for o in _namers(slot, command, configs)
             if o.id and o.driver == driver] or [driver])[-1]
  return SlotTakenError(
    slot, device, holder,
    "QEMU refused PCI slot %d for %s (%s): it is held by %s (partition: %s);"
    " %s" % (slot, device, driver, holder or "QEMU itself", partition,
             _way_out(slot, command, configs, partition)))
