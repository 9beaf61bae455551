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

"""What QEMU means when it refuses a device of a q35 guest.

There, a slot is one of pcie.0, or of a root port's own bus: not one of
Ganeti's.

"""

import re

from ..bus import address
from ..bus import root_ports
from ..errors import SlotTakenError
from . import command as command_
from . import named_slots

_NO_FLOPPY_RE = re.compile(r"No 'floppy-bus' bus found for device '([^']+)'")
_NO_BUS_RE = re.compile(r"Bus '%s' not found" % re.escape(address.BUS))


def _named(bus, slot, command, configs):
  """Name the options of kvm_extra that name a slot of a bus.

  @rtype: list of strings

  """
  number = root_ports.number_of(bus)
  return [named_slots.name(option) for option in named_slots.addressed(
    command, configs, address.PCIE_BUS if number is None else None)
          # Ganeti's own stay
          if option.address[0] == (slot if number is None else number) and
          option.driver != command_.ROOT_PORT and not option.backend]


def _bus_of(option):
  """Tell which bus the option of a device names.

  @type option: string or None
  @rtype: tuple (string, dict)
  @return: the bus, in words if QEMU quotes no option; the option's keys

  """
  if not option:
    return ("a bus that it does not name", {})
  keys = command_.keys_of(option)
  bus = command_.text_of(keys, "bus")
  return (address.last_of(bus) if bus else address.PCIE_BUS, keys)


def _cure(bus, slot, command, partition, configs):
  """Say what to change; see L{taken}.

  @rtype: string

  """
  names = " and ".join(_named(bus, slot, command, configs))
  if root_ports.number_of(bus) is not None:
    return ("name no root port of Ganeti's (%s) in kvm_extra: take bus=%s away"
            " from %s" % (partition, bus, names or "what names it"))
  unread = None if names else named_slots.unread(command, configs)
  return unread or (
    "take addr=0x%x away from %s in kvm_extra, so that QEMU chooses" %
    (slot, names or "what names it"))


def taken(option, slot, device, holder, command, partition, configs):
  """Explain that QEMU refused a slot.

  @type option: string or None
  @param option: the device's, as QEMU quotes it
  @type slot: int
  @param slot: in QEMU's words
  @type device: string
  @param device: its driver
  @type holder: string or None
  @type command: list of strings
  @type partition: L{root_ports.RootPorts}
  @param configs: see L{command.told}
  @rtype: L{SlotTakenError}

  """
  bus, keys = _bus_of(option)
  device = command_.text_of(keys, "id") or device
  number = root_ports.number_of(bus)
  return SlotTakenError(
    slot if number is None else number, device, holder,
    "QEMU refused slot %d of %s for %s: it is held by %s; %s" %
    (slot, bus, device, holder or "QEMU itself",
     _cure(bus, slot, command, partition, configs)))


def no_function(option, slot, command, partition, configs):
  """Explain that QEMU refused a function of a slot; see L{taken}."""
  bus = _bus_of(option)[0]
  return SlotTakenError(
    slot, "function", None,
    "QEMU refused slot %d of %s for two devices, one of which is no function of"
    " the other; %s" % (slot, bus, _cure(bus, slot, command, partition,
                                         configs)))


def no_slot(device):
  """Explain that QEMU found no slot for a device.

  @type device: string
  @param device: its driver
  @rtype: L{SlotTakenError}

  """
  return SlotTakenError(
    None, device, None,
    "QEMU found no free slot of pcie.0 for its device %s; take devices out of"
    " kvm_extra (disks and NICs, which are behind root ports, do not matter)" %
    device)


def no_floppy(text):
  """Find that a device asks for the floppy controller that pc has.

  @type text: string
  @param text: what QEMU printed or logged
  @rtype: L{SlotTakenError} or None

  """
  match = _NO_FLOPPY_RE.search(text)
  if not match:
    return None
  return SlotTakenError(
    None, match.group(1), None,
    "QEMU has no floppy controller for %s: a q35 guest has one if"
    " floppy_image_path or -drive if=floppy asks for it; put -device isa-fdc"
    " before it in kvm_extra" % match.group(1))


def no_bus(text, command, configs):
  """Find that a device names the bus that only other machine types have.

  @type text: string
  @param text: what QEMU printed or logged
  @type command: list of strings
  @param command: see L{other_bus}
  @param configs: see L{command.told}
  @rtype: L{SlotTakenError} or None

  """
  if not _NO_BUS_RE.search(text):
    return None
  return other_bus(command, configs) or _other_bus("a device")


def other_bus(command, configs):
  """Look for devices on the bus that only other machine types have.

  @type command: list of strings
  @param command: of a q35 guest, none of whose devices is called pci.0
  @param configs: see L{command.told}
  @rtype: L{SlotTakenError} or None
  @return: what comes of it

  """
  names = [keys.get("id") or keys.get("driver") or origin
           for _, origin, keys in command_.told(
             command, configs, command_.DEVICE_FLAGS, "device")
           if address.is_bus(command_.text_of(keys, "bus") or "")]
  return _other_bus(" and ".join(names)) if names else None


def _other_bus(device):
  return SlotTakenError(
    None, device, None,
    "QEMU has no bus pci.0 for %s: that of a q35 guest is pcie.0; take"
    " bus=pci.0 and the addr away from it in kvm_extra, so that QEMU chooses" %
    device)
