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

"""The disks and NICs of an instance by Ganeti's configuration.

Hotplug appends to the runtime file and takes out of its midst, so its order
comes to differ from the configuration's, by which a cold boot places. And a
guest ejects devices on its own, which the configuration still has, or
completes an unplug late, of what the configuration no longer has. Before a
boot the configuration decides about both.

"""

import collections

from ..bus import root_ports
from ..bus.pools import DISK
from ..bus.pools import NIC
from . import disk_links
from . import upgrade

#: What the configuration has of an instance.
#:   - disks: list of uuids
#:   - nics: list of (uuid, MAC address)
Configuration = collections.namedtuple("Configuration", ["disks", "nics"])


def of(instance):
  """Read Ganeti's object of an instance.

  @param instance: what the master sends with most requests; its disks are
      objects up to 2.11, uuids from 2.12 on
  @rtype: L{Configuration} or None
  @return: None if the object does not have both

  """
  disks = getattr(instance, "disks", None)
  nics = getattr(instance, "nics", None)
  if disks is None or nics is None:
    return None
  return Configuration([getattr(disk, "uuid", disk) for disk in disks],
                       [(nic.uuid, nic.mac) for nic in nics])


def uuids(configuration, instance, nics):
  """Tell the uuids that an instance's devices have in its runtime file.

  They are the configuration's, but for NICs from before 2.8: these have one
  that was made up as the file was read (see L{upgrade.lasting_uuid}).

  @type configuration: L{Configuration}
  @type instance: string
  @param instance: its name
  @type nics: collection of strings
  @param nics: the uuids of the NICs in the runtime file
  @rtype: dict
  @return: L{DISK} and L{NIC} to lists of strings

  """
  found = []
  for uuid, mac in configuration.nics:
    made_up = upgrade.lasting_uuid(instance, mac)
    found.append(made_up if made_up in nics and uuid not in nics else uuid)
  return {DISK: list(configuration.disks), NIC: found}


def differences(runtime, configuration):
  """Tell which devices are in one alone, Ganeti's configuration or the file.

  Disks are left out where 2.9 has put some into the command, and whatever has
  no uuid: which is which is not known.

  @type runtime: L{serialized.Runtime}
  @type configuration: L{Configuration}
  @rtype: tuple of two lists of tuples (string, int, string)
  @return: class, index and uuid: of what the configuration alone has, then of
      what the runtime file alone has

  """
  found = ([], [])
  for device_class, entries in (
      (DISK, [entry[0] for entry in runtime.disks]), (NIC, runtime.nics)):
    present = [entry.get("uuid") for entry in entries]
    if None in present or device_class == DISK and disk_links.inside(runtime):
      continue
    wanted = uuids(configuration, runtime.instance, present)[device_class]
    for some, others, alone in ((wanted, present, found[0]),
                                (present, wanted, found[1])):
      alone.extend((device_class, index, uuid)
                   for index, uuid in enumerate(some) if uuid not in others)
  return found


def apply_to(runtime, configuration):
  """Bring a runtime file into the configuration's order before a boot.

  What the configuration does not have is removed. What it has, and the runtime
  file has not (added without hotplug), stays out until a cold boot, but keeps
  its position in the order, so that a cold boot moves nothing then.

  @type runtime: L{serialized.Runtime}
  @param runtime: after L{upgrade.normalise}; is changed in place
  @type configuration: L{Configuration}
  @rtype: tuple (list of strings, dict)
  @return: what left, for a log; and L{DISK} and L{NIC} to lists of ints, the
      indices, by the configuration, of what is not in the runtime file

  """
  known = uuids(configuration, runtime.instance,
                [nic["uuid"] for nic in runtime.nics])
  gone, gaps = [], {}
  for device_class, entries, uuid_of in (
      (DISK, runtime.disks, lambda entry: entry[0]["uuid"]),
      (NIC, runtime.nics, lambda entry: entry["uuid"])):
    by_uuid = dict((uuid_of(entry), entry) for entry in entries)
    gone.extend("%s %s" % (device_class, uuid) for uuid in sorted(by_uuid)
                if uuid not in known[device_class])
    entries[:] = [by_uuid[uuid] for uuid in known[device_class]
                  if uuid in by_uuid]
    gaps[device_class] = [index for index, uuid in
                          enumerate(known[device_class]) if uuid not in by_uuid]
  return (gone, gaps)


def guess_order(runtime):
  """Bring a runtime file into the order of the slots that its devices have.

  Where the configuration is not at hand this is the best guess: a device that
  hotplug inserts before others gets a slot before theirs.

  @type runtime: L{serialized.Runtime}
  @param runtime: is changed in place
  @rtype: list of strings
  @return: the classes, L{DISK} and L{NIC}, whose order was another

  """
  changed = []
  for device_class, entries, key in (
      (DISK, runtime.disks, lambda entry: _place(entry[0])),
      (NIC, runtime.nics, _place)):
    before = list(entries)
    entries.sort(key=key)
    if entries != before:
      changed.append(device_class)
  return changed


def _place(entry):
  """Tell a device's slot, or SCSI id.

  @rtype: int
  @return: -1 where QEMU chose: what it placed itself was there first

  """
  hvinfo = entry.get("hvinfo")
  if not hvinfo:
    place = entry.get("pci")
  elif "scsi-id" in hvinfo:
    place = hvinfo["scsi-id"]
  else:
    place = root_ports.slot_in(hvinfo)
  return -1 if place is None else place
