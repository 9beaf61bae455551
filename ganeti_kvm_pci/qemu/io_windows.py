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

"""The root ports behind which devices have I/O ports.

SeaBIOS gives each such root port a window of 4 KiB, of which it has room for
14. With one more it stops ("PCI: out of I/O address space", which nobody sees),
the guest does not boot, and QEMU says nothing (QEMU 5.2 to 11.1). Virtio's
devices have I/O ports on the machine types up to 2.6, where they are of the old
sort (pc-q35-2.4 and 2.6 tried with QEMU 7.2), or if they are told to
(C{disable-legacy=off}); all other types of NIC have some. What else kvm_extra
puts behind one does not count (tried with virtio-rng-pci and qemu-xhci).

"""

import re

from ..bus import root_ports
from ..errors import BusFullError
from . import command as command_
from . import machine_type

#: How many ports with I/O ports SeaBIOS can boot.
LIMIT = 14

_VIRTIO = "virtio-"

#: Machine types on which virtio is of the old sort.
_OLD_RE = re.compile(r"^pc-q35-2\.[0-6]\Z")

#: What has another firmware than SeaBIOS take over.
_FIRMWARE_FLAGS = frozenset(["-bios", "--bios", "-pflash", "--pflash"])


def _has_other_firmware(command, configs):
  return any(word in _FIRMWARE_FLAGS for word in command) or any(
    keys.get("if") == "pflash" for _, _, keys in command_.told(
      command, configs, command_.DRIVE_FLAGS, "drive", "file")) or any(
        "pflash0" in keys for _, _, keys in command_.told(
          command, configs, machine_type.FLAGS, "machine", "type"))


def _has_io_ports(driver, keys, is_old):
  if not driver.startswith(_VIRTIO):
    return "netdev" in keys
  legacy = keys.get("disable-legacy")
  return is_old if legacy is None else legacy in (False, "off")


def _legacy(command, driver):
  """Tell what the command has for all devices of a driver."""
  found = None
  for name in ("virtio-pci", driver):
    for _, text in command_.arguments(command,
                                      frozenset(["-global", "--global"])):
      if text.startswith(name + ".disable-legacy="):
        found = text.rpartition("=")[2]
  return found


def check(command, configs=None):
  """Refuse a boot of a q35 guest that SeaBIOS would not get through.

  @type command: list of strings
  @param command: with Ganeti's disks and NICs
  @param configs: see L{command.told}
  @raise BusFullError: if too many root ports have devices with I/O ports

  """
  if _has_other_firmware(command, configs):
    return
  is_old = bool(_OLD_RE.match(machine_type.named(command, configs) or ""))
  held = {}
  for _, _, keys in command_.told(command, configs, command_.DEVICE_FLAGS,
                                  "device"):
    driver = command_.text_of(keys, "driver")
    port = root_ports.number_of(command_.text_of(keys, "bus"))
    if port is None or driver is None:
      continue
    known = _legacy(command, driver)
    if known is not None:
      keys = dict({"disable-legacy": known}, **keys)
    if _has_io_ports(driver, keys, is_old):
      held[port] = command_.text_of(keys, "id") or driver
  if len(held) > LIMIT:
    raise BusFullError(
      None, "the firmware, SeaBIOS, does not boot a q35 guest with more than %d"
      " disks and NICs that have I/O ports, and there are %d: %s; %s, or detach"
      " some, or move the disks to SCSI (disk_type=scsi-hd)" % (
        LIMIT, len(held), ", ".join(
          "%s (%s)" % (held[port], root_ports.id_of(port))
          for port in sorted(held)),
        "set machine_version to q35 or one from pc-q35-2.7 on" if is_old else
        "take disable-legacy=off out of kvm_extra, or set nic_type to"
        " paravirtual"), held)
