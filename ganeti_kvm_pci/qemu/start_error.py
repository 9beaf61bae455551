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

"""What QEMU means when it refuses a PCI slot, or a device.

The texts about slots are those of do_pci_register_device() in hw/pci/pci.c,
QEMU 1.7 to 11.1; older ones name the holder without its id.

"""

import re

from ..bus.address import SLOTS
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..errors import CommandError
from ..errors import SlotTakenError
from ..errors import node_remedy
from ..errors import show
from . import named_slots
from . import q35_errors

_TAKEN_RE = re.compile(
  r"(?:-device (?P<option>\S+): )?"
  r"PCI: slot (?P<slot>\d+) function \d+ (?:not available for"
  r" (?P<driver>[^\s,]+), (?:in use by (?P<holder>[^\s,]+)"
  r"(?:,id=(?P<id>\S+))?|reserved)"
  r"|already occupied by (?P<occupant>[^\s,]+), new func (?P<late>[^\s,]+))")
_FUNCTION_RE = re.compile(
  r"(?:-device (?P<option>\S+): )?"
  r"PCI: (?:single function device can't be populated in function"
  r" (?P<later>[0-9a-f]+)\.[0-7]|(?P<first>[0-9a-f]+)\.0 indicates single"
  r" function, but)")
_NO_SLOT_RE = re.compile(
  r"PCI: no (?:slot/function|devfn) available for (?P<driver>[^\s,]+)")

#: A refusal in the words of Ganeti's QMP client, from 2.10 to master.
_CLIENT_RE = re.compile(
  r"kvm: error executing the (?P<command>\S+) command: (?P<words>.*?)"
  r"(?: \(\w+\))?:?$", re.DOTALL)

#: What the human monitor says of itself: its greeting, and its prompt with the
#: command that it echoes.
_MONITOR_RE = re.compile(r"QEMU [0-9].* monitor|\(qemu\)")

#: What it puts before some of its words.
_ERROR_RE = re.compile(r"^Error: ")

#: What it says of a drive that it has added; of all else that it does, nothing.
_DONE = "OK"

#: How an administrator has a device of the configuration plugged once more.
PLUG_AGAIN = {
  DISK: "detach the disk and attach it again (gnt-instance modify --disk), or"
        " reboot the instance",
  NIC: "modify the NIC again (gnt-instance modify --net), or reboot the"
       " instance",
  }

#: A guest keeps the parameters that it was started with.
_RESTART = "shut the instance down and start it, which plugs it as well"

_ANY = (DISK, NIC)
#: A file's name, which may have any words.
_FILE_RE = re.compile(r"'[^']*/[^']*'")

#: The words of a refusal; whose device they may be about; what to do; and
#: whether a running guest can profit by it. The first that fits counts.
_REMEDIES = [
  (r"while migrating", _ANY, "wait until the migration has ended", True),
  (r"does not support hotplugging", _ANY, "set acpi=True", False),
  (r"Failed to (?:get|lock)\b.*(?:lock|byte)", [DISK],
   "another process has the image open: find it (fuser -v FILE, lslocks) and"
   " end it", True),
  (r"cache (?:option|setting)|cache\.direct|O_DIRECT|Invalid argument",
   [DISK], "give disk_cache and disk_aio values that QEMU and the disk's"
   " storage take (disk_cache=none and disk_aio=native need O_DIRECT)", False),
  (r"\baio\b|io_uring", [DISK], "set disk_aio=threads", False),
  (r"\bdiscard\b", [DISK], "set disk_discard to default, ignore or"
   " unmap", False),
  (r"Permission denied|not permitted|Read-only file system", [DISK],
   "have the user that QEMU runs as (security_model) open the disk for writing:"
   " look at its owner and mode, and at AppArmor and SELinux", True),
  (r"No such (?:file|device)", [DISK], "activate the instance's disks"
   " (gnt-instance activate-disks)", True),
  (r"Unknown protocol", [DISK], "install QEMU's driver for it"
   " (qemu-block-extra)", True),
  (r"(?i)duplicate|already in use", _ANY, "take what has that id out of"
   " kvm_extra", False),
  (r"not a valid device model|[Bb]us '.*' not found", [DISK],
   "set disk_type (and scsi_controller_type) to what this QEMU has", False),
  (r"not a valid device model", [NIC], "set nic_type to what this QEMU has",
   False),
  (r"vhost", [NIC], "load the module vhost_net on this node, or set"
   " vhost_net=False", True),
  ]


def refused(text):
  """Read an error of Ganeti's QMP client.

  @type text: string
  @rtype: tuple (string, string) or None
  @return: the command that QEMU refused, and its words; None if there is none

  """
  match = _CLIENT_RE.search(text)
  # some words are of several lines
  return (match.group("command"),
          " ".join(match.group("words").split())) if match else None


def lines(text):
  """Read what the human monitor has answered.

  @type text: string
  @param text: what came from its socket, or from C{human-monitor-command}
  @rtype: list of strings
  @return: its words, without what it says of itself

  """
  found = [line.strip() for line in text.splitlines()]
  return [_ERROR_RE.sub("", line) for line in found
          if line and not _MONITOR_RE.match(line)]


def check(command, text):
  """Look whether the human monitor has refused a command for a device.

  It has no status: a drive that it added is C{OK}; of others, what it said may
  have been a warning.

  @type command: string
  @param command: the whole line
  @type text: string
  @param text: what it answered
  @rtype: list of strings
  @return: what it said, unless it was that all is well
  @raise CommandError: if it refused

  """
  said = lines(text)
  name = command.split(" ")[0]
  if name == "drive_add" and said and _DONE not in said:
    raise CommandError(name, " ".join(said))
  return [line for line in said if line != _DONE]


def remedy(words, device_class):
  """Say what to do about a device that was not plugged.

  @type words: string or None
  @param words: QEMU's, or the node's; None if there is nothing to mend
  @param device_class: L{pools.DISK} or L{pools.NIC}
  @rtype: string

  """
  if words is None:
    return PLUG_AGAIN[device_class]
  bare = _FILE_RE.sub("", words)
  for pattern, classes, cure, is_live in _REMEDIES:
    if device_class in classes and re.search(pattern, bare):
      return "%s, then %s" % (cure, PLUG_AGAIN[device_class] if is_live
                              else _RESTART)
  return "%s, then %s" % (node_remedy(bare) or "mend that",
                          PLUG_AGAIN[device_class])


def _namers(slot, command, configs):
  """List the options that name a slot."""
  return [option for option in named_slots.addressed(command, configs)
          if option.address[0] == slot]


def _slot_remedy(slot, command, configs, partition):
  """Say what to change; see L{explain}.

  @rtype: string

  """
  namers = _namers(slot, command, configs)
  unread = named_slots.unread(command, configs)
  users = [o for o in namers if not o.backend]
  if len(namers) > 1 or users:
    return ("take addr=0x%x away from %s in kvm_extra, so that QEMU chooses" %
            (slot, " and ".join(named_slots.name(o)
                                for o in users or namers)))
  if unread:
    return unread
  # QEMU gives the lowest that is free to what names none
  if slot in partition.pool(NIC):
    return ("no option that can be read names the slot, and QEMU chooses lower"
            " ones by itself: look for its addr in what kvm_path and kvm_extra"
            " refer to")
  cure = "take devices out of kvm_extra"
  if partition.adjustable and partition.reservations <= slot < SLOTS - 1:
    cure = "raise kvm_pci_reservations above %d, or %s" % (slot, cure)
  return "QEMU's own devices reach into Ganeti's slots; " + cure


def _refused_slot(match):
  """Read what L{_TAKEN_RE} has found.

  @rtype: tuple (int, string, string or None)
  @return: slot, driver of the refused device, what QEMU says sits there

  """
  slot = int(match.group("slot"))
  driver = match.group("driver") or match.group("late")
  holder = match.group("holder") or match.group("occupant")
  holder_id = match.group("id")
  if holder_id and holder_id != "(null)":
    holder = "%s (id %s)" % (holder, holder_id)
  return (slot, driver, holder)


def _explain_q35(text, command, partition, configs):
  """Do what L{explain} does, for a q35 guest."""
  found = q35_errors.no_bus(text, command, configs) or \
    q35_errors.no_floppy(text)
  match = _NO_SLOT_RE.search(text)
  if match and not found:
    found = q35_errors.no_slot(match.group("driver"))
  match = _FUNCTION_RE.search(text)
  if match and not found:
    found = q35_errors.no_function(
      match.group("option"),
      int(match.group("later") or match.group("first"), 16), command,
      partition, configs)
  match = _TAKEN_RE.search(text)
  if match and not found:
    slot, driver, holder = _refused_slot(match)
    found = q35_errors.taken(match.group("option"), slot, driver, holder,
                             command, partition, configs)
  return found


def explain(text, command, partition, configs=None):
  """Find in QEMU's words that it refused a slot.

  @type text: string
  @param text: what QEMU printed or logged
  @type command: list of strings
  @param command: the command line it was started with
  @type partition: L{pools.Partition}
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: L{SlotTakenError} or None
  @return: the refusal, explained; None if it was not about a slot

  """
  if not partition.is_shared:
    return _explain_q35(text, command, partition, configs)
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
      (slot, partition, _slot_remedy(slot, command, configs, partition)))
  match = _TAKEN_RE.search(text)
  if not match:
    return None
  slot, driver, holder = _refused_slot(match)
  device = ([o.id for o in _namers(slot, command, configs)
             if o.id and o.driver == driver] or [driver])[-1]
  return SlotTakenError(
    slot, device, holder,
    "QEMU refused PCI slot %d for %s (%s): it is held by %s (partition: %s);"
    " %s" % (slot, device, driver, holder or "QEMU itself", partition,
             _slot_remedy(slot, command, configs, partition)))


def reason(err, partition):
  """Say why a device was not added.

  @type err: Exception
  @type partition: L{pools.Partition}
  @rtype: tuple (string, string or None)
  @return: the reason, and the words that L{remedy} takes

  """
  text = show(err)
  slot = explain(text, [], partition)
  if slot:
    return ("%s holds that %s by now" % (slot.holder or "QEMU itself",
                                         partition.unit)
            if slot.slot is not None else str(slot), None)
  if isinstance(err, EnvironmentError) and err.filename:
    return ("the node daemon cannot open %s: %s" % (err.filename, err.strerror),
            text)
  command, words = refused(text) or (getattr(err, "command", None), text)
  return ("QEMU refused %s: %s" % (command, words) if command else words, words)
