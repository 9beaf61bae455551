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

"""A runtime file in the form that an older Ganeti reads: the way back.

The reverse of what L{upgrade} does: C{hvinfo} becomes C{pci} for 2.10 to 2.15,
and what the older Ganeti does not know, and would fail on, is left out.

"""

from ..bus import address
from ..bus import root_ports
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..errors import RuntimeFileError
from ..qemu import command as command_
from ..qemu import ids
from ..qemu import option
from . import device_table
from . import upgrade

#: Attributes of a disk, and the Ganeti version that added them (objects.Disk,
#: 2.10 to 2.16). None matters to a running guest.
_DISK_KEYS_SINCE = {
  "ctime": (2, 12), "mtime": (2, 12), "serial_no": (2, 12),
  "forthcoming": (2, 14), "nodes": (2, 14),
  }

#: What Ganeti's master gives to QEMU, and what a running guest notices if it is
#: missing.
_HVINFO_SINCE_3_2 = [
  ("acpi-index", "the guest may name its NIC otherwise"),
  ("iothread", None), ("iothread-vq-mapping", None),
  ("num-queues", "its number of queues may change"),
  ]

#: The first version in which a disk has a role.
_ROLE = (4, 0)

#: The first version that adds -chroot (or -run-with) at each start.
_CHROOT_AT_START = (3, 1)


def downgrade(runtime, version):
  """Bring a runtime into the form of an older Ganeti version.

  @type runtime: L{serialized.Runtime}
  @param runtime: is changed in place, unless an error is raised
  @type version: tuple of two ints
  @rtype: tuple of two lists of strings
  @return: what was changed, and what will not work as before
  @raise RuntimeFileError: if there is something that this version cannot have

  """
  places = []
  changes, warnings = _strip(runtime, version)
  disks = [entry[0] for entry in runtime.disks]
  for device_class, entries in ((DISK, disks), (NIC, runtime.nics)):
    for index, entry in enumerate(entries):
      if entry.get("hvinfo") is None or upgrade.has_hvinfo(version):
        continue
      name = "%s %d" % (device_class, index)
      slot = _slot(runtime, device_class, name, entry["hvinfo"])
      places.append((entry, slot))
      changes.append("%s: hvinfo to pci %s" % (name, slot))
      warnings.extend(_other_id(device_class, name, entry, slot))
  for entry, slot in places:
    del entry["hvinfo"]
    if slot is not None:
      entry["pci"] = slot
  for index, entry in enumerate(disks):
    for key, since in sorted(_DISK_KEYS_SINCE.items()):
      if version < since and key in entry:
        del entry[key]
        changes.append("disk %d: without %s" % (index, key))
  if version < _CHROOT_AT_START and runtime.hvparams.get("use_chroot") and \
      not _is_confined(runtime.words):
    warnings.append("Ganeti before 3.1 takes -chroot from the runtime file, and"
                    " this one has none: what starts from it is not confined")
  return (changes, warnings)


def _strip(runtime, version):
  """Take out what Ganeti's master adds.

  @rtype: tuple of two lists of strings
  @return: what was changed, and what will not work as before

  """
  changes, warnings = [], []
  ports = command_.ports(runtime.words)
  disks = [entry[0] for entry in runtime.disks]
  named = [("%s %d" % (device_class, index), entry)
           for device_class, entries in ((DISK, disks), (NIC, runtime.nics))
           for index, entry in enumerate(entries)]
  is_older = version < upgrade.IOTHREADS_SINCE
  for name, entry in named:
    hvinfo = entry.get("hvinfo") or {}
    for key, noticed in _HVINFO_SINCE_3_2:
      # a q35 guest runs with the plugin alone there, which knows what a NIC
      # on a root port has
      if not is_older or key not in hvinfo or (
          key == "acpi-index" and
          root_ports.number_of(hvinfo.get("bus")) in ports):
        continue
      del hvinfo[key]
      changes.append("%s: without %s" % (name, key))
      warnings.append(
        "%s: Ganeti before 3.2 does not know %s%s" % (name, key, (
          ": %s; do not migrate the guest live, start it anew there" % noticed
          if noticed else ", the disk is served without")))
    if version < _ROLE and "role" in entry:
      role = entry.pop("role")
      changes.append("%s: without role" % name)
      if role:
        warnings.append("%s: its role is %s; for Ganeti before 4.0 it is like"
                        " other disks" % (name, role))
  for position in \
      upgrade.controllers_with_iothread(runtime) if is_older else []:
    runtime.command[position] = option.without(runtime.command[position],
                                               upgrade.IOTHREAD_KEYS)
    changes.append("the SCSI controller: without iothread")
  return (changes, warnings)


def _is_confined(words):
  """Tell whether a command has QEMU confine itself."""
  return "-chroot" in words or any(
    option.keys(text, None).get("chroot") for _, text in
    command_.arguments(words, frozenset(["-run-with"])))


def _slot(runtime, device_class, name, hvinfo):
  """Find the slot that C{pci} can say.

  @rtype: int or None

  """
  wanted = device_table.driver(device_class, runtime.hvparams)
  if hvinfo and hvinfo.get("driver") != wanted or \
      hvinfo.get("bus") not in (None, address.BUS) or \
      (wanted or "").startswith("scsi-"):
    raise RuntimeFileError(
      runtime.source, "%s (%s on %s) cannot be had before Ganeti 2.16" %
      (name, hvinfo.get("driver"), hvinfo.get("bus")))
  if hvinfo.get("bus") is None:
    return None
  slot, function = address.parse(hvinfo["addr"])
  if function:
    raise RuntimeFileError(
      runtime.source, "%s is function %d of slot %d; Ganeti before"
      " 2.16 stores slots only" % (name, function, slot))
  return slot


def _other_id(device_class, name, entry, slot):
  """Say what comes of an id that these versions would make up differently."""
  known = entry["hvinfo"].get("id")
  if slot is None or known is None:
    return []
  computed = ids.old_id(device_class, entry.get("uuid"), slot)
  if known == computed:
    return []
  return ["%s: QEMU has it as %s, Ganeti before 2.16 will look for %s: it"
          " cannot be removed live before the next start or migration" %
          (name, known, computed)]
