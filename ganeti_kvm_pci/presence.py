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

"""Whether a device is there: what the runtime file has, and what QEMU has.

A device is in the runtime file before QEMU is asked to attach it, and until
QEMU no longer has it. So wherever the node daemon dies, the runtime file has
all that QEMU may have, and the next operation can ask QEMU what of it is true
(L{reconcile}). To any Ganeti release it is a runtime file as any other.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name,protected-access

import logging
import re

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from . import cooldown
from .access import CLASS
from .bus import pools
from .bus import scsi_ids
from .conditions import Conditions
from .errors import MalformedError
from .errors import without_remedy
from .qemu import acpi_index
from .qemu.ids import is_of
from .qmp import acpi_indices
from .qmp import queries
from .runtime import device_entry
from .runtime import device_table
from .runtime import upgrade

#: Where disks and NICs stand in Ganeti's runtime.
_INDEX = {pools.NIC: 1, pools.DISK: 3}


class Presence(Conditions):
  """What L{hotplug.Hotplug} asks and notes down."""

  def _Remember(self, instance, dev_type, device, extra):
    """Write a device into the runtime file.

    @return: Ganeti's runtime as it was before

    """
    # what cannot be read again must not be written
    name = "%s to be added" % CLASS[dev_type]
    try:
      device_entry.check_names("runtime file", name, device.ToDict())
      if CLASS[dev_type] == pools.DISK:
        # up to 2.10.2 the link alone
        device_entry.check_extra("runtime file", name, extra if isinstance(
          extra, (list, tuple)) else [extra])
    except MalformedError as err: # of the configuration: no boot mends it
      raise errors.HotplugError("Instance %s: %s: %s" % (
        instance.name, err.source, err.what))
    runtime = self._LoadKVMRuntime(instance)
    entries = runtime[_INDEX[CLASS[dev_type]]]
    entries.append(hv_kvm._RUNTIME_ENTRY[dev_type](device, extra))
    self._SaveKVMRuntime(instance, runtime)
    entries.pop()
    return runtime

  def _AwaitSlot(self, instance, device):
    """Wait until the slot of a device has rested.

    QEMU's monitor is left to others, who ask for it for 5 s.

    """
    cooldown.wait(self._Vacated(instance), self._Slot(device),
                  self._operation.hang_up)

  def _Vacate(self, instance, found, answers, was_asked):
    """Have the slot of a device rest that was removed.

    @param found: Ganeti's object
    @param answers: see L{cooldown.after}
    @param was_asked: see L{cooldown.after}
    @raise NodeError: if that cannot be noted

    """
    if self._Slot(found) is not None:
      cooldown.note(self._Vacated(instance), [self._Slot(found)],
                    cooldown.after(answers, was_asked))

  def _Forget(self, instance, device_class, device):
    """Remove a device from the runtime file.

    """
    runtime = self._LoadKVMRuntime(instance)
    entries = runtime[_INDEX[device_class]]
    kept = [entry for entry in entries if device.uuid !=
            (entry if device_class == pools.NIC else entry[0]).uuid]
    if len(kept) < len(entries):
      entries[:] = kept
      self._SaveKVMRuntime(instance, runtime)

  def _TryToForget(self, instance, device_class, device):
    """Remove a device from the runtime file, if that can be written.

    @rtype: string
    @return: why it cannot, to be added to an error's text; else empty

    """
    try:
      self._Forget(instance, device_class, device)
    except errors.GenericError as err:
      return ("; it is still in the runtime file, until the next operation: %s"
              % without_remedy(re.sub(r"^Instance [^ ]+: ", "", str(err))))
    return ""

  @staticmethod
  def _Find(runtime, device_class, device):
    """Find a device in a runtime by its uuid.

    @return: Ganeti's object, or None

    """
    entries = runtime[_INDEX[device_class]]
    if device_class != pools.NIC:
      entries = [entry[0] for entry in entries]
    return ([entry for entry in entries if entry.uuid == device.uuid] or
            [None])[0]

  def _FindLasting(self, instance, device_class, device):
    """Find a device in the runtime file that is to be removed or modified.

    A NIC written before 2.8 has no uuid there, and a made up one once it was
    read; its MAC address tells which it is. One that has its own is not meant
    by another, whatever its MAC address.

    @return: Ganeti's object, or None

    """
    runtime = self._LoadKVMRuntime(instance)
    found = self._Find(runtime, device_class, device)
    if found is None and device_class == pools.NIC:
      made_up = upgrade.lasting_uuid(instance.name, device.mac)
      found = ([nic for nic in runtime[_INDEX[device_class]]
                if nic.mac == device.mac and nic.uuid == made_up] or [None])[0]
    return found

  def _NameNic(self, instance, execute, known):
    """Decide whether a NIC gets a number, see L{acpi_index}, as others have.

    @type known: L{device_table.DeviceTable}
    @param known: its partition is changed

    """
    part = known.partition
    if not part.is_shared:
      is_wanted = True
    elif known.acpi_indices:
      is_wanted = any(known.acpi_indices)
    else:
      is_wanted = acpi_index.is_wanted(getattr(instance, "tags", None))
    driver = device_table.driver(pools.NIC, known.hvparams)
    # a QEMU that has it, has it always
    part.has_acpi_index = is_wanted and self._KEEPS_BUSES and \
      self._operation.kept(
        "%s of %s" % (acpi_index.KEY, driver),
        lambda: queries.has_property(execute, driver, acpi_index.KEY),
        lambda answer: answer is True)
    if part.has_acpi_index:
      part.used_indices = acpi_indices.used(execute)

  def _IsThere(self, instance, device_class, device):
    """Tell whether an attempt that did not end has added a device.

    """
    if device.uuid not in self._operation.seen.uuids:
      return False
    found = self._Find(self._LoadKVMRuntime(instance), device_class, device)
    if found is None:
      return False
    device_id = self._DeviceId(device_class, found)
    with self._Monitor(instance.name) as execute:
      if device_id is None or device_id in queries.ids(execute):
        logging.info("Instance %s: %s is there already", instance.name,
                     device_id)
        return True
    # something else is on its slot
    self._Forget(instance, device_class, found)
    return False

  def _Adopt(self, instance, dev_type, device, extra):
    """Write a device that only QEMU has into the runtime file.

    Upstream writes a device last; if the node daemon dies before, nobody knows
    of it, and it cannot be added a second time.

    @rtype: bool
    @return: whether there was one

    """
    device_class = CLASS[dev_type]
    if not any(is_of(name, device_class, device.uuid)
               for name in self._operation.seen.ids):
      return False
    part = self._DeviceTable(instance).partition
    with self._Monitor(instance.name) as execute:
      device_id, unit = self._InQemuOnly(execute, part, device_class, device)
    if unit is None:
      return False
    self._Take(instance, device_class, device, device_id, unit)
    self._Remember(instance, dev_type, device, extra)
    logging.warning("Instance %s: QEMU had %s (%s) already; it is in the"
                    " runtime file now",
                    instance.name, device_id, self._ShowAddress(device))
    return True

  @staticmethod
  def _InQemuOnly(execute, partition, device_class, device):
    """Find a device in QEMU that the runtime file does not have.

    @return: its id there, and its slot, or scsi-id; (None, None) if QEMU has
        not got it either, or on no bus of ours

    """
    if not any(is_of(name, device_class, device.uuid)
               for name in queries.ids(execute)):
      return (None, None)
    for names in (queries.held(execute, partition), queries.scsi_ids(execute)):
      for unit, name in names.items():
        # both go into options: a QEMU that a guest has taken over may say
        # anything
        if is_of(name, device_class, device.uuid) and isinstance(unit, int):
          return (name, unit)
    return (None, None)

  def _FindInQemu(self, instance, device_class, device):
    """Find what only QEMU has; the device gets the address from there.

    @raise errors.HotplugError: if QEMU has not got it either

    """
    part = self._DeviceTable(instance).partition
    with self._Monitor(instance.name) as execute:
      device_id, unit = self._InQemuOnly(execute, part, device_class, device)
    if unit is None:
      raise errors.HotplugError(
        "Instance %s: neither the runtime file nor QEMU has a %s with UUID %s:"
        " it was added without hotplug, and the guest does not have it" %
        (instance.name, device_class, device.uuid))
    self._Take(instance, device_class, device, device_id, unit)
    return device

  def _Take(self, instance, device_class, device, device_id, unit):
    """Give a device the address that it has in QEMU.

    """
    known = self._DeviceTable(instance)
    if device_class == pools.DISK and scsi_ids.has_ids(known.hvparams):
      self._SetScsiAddress(device, known.hvparams, unit)
    else:
      self._SetAddress(device_class, device, known.hvparams, known.partition,
                       unit)
      with self._Monitor(instance.name) as execute:
        self._SetIndex(device, acpi_indices.of(execute, device_id))
    self._KeepId(device, device_id)

  @staticmethod
  def _LiveId(execute, device_class, device, expected):
    """Find the id under which QEMU has a device.

    It is that of the runtime file, unless this was brought into the form of a
    release that makes ids in another way.

    """
    ids = queries.ids(execute)
    if expected in ids:
      return expected
    return ([name for name in sorted(ids) if is_of(
      name, device_class, device.uuid)] or [expected])[0]
