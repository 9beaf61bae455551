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

"""The devices that a runtime file speaks of.

Reading here changes nothing and needs no Ganeti.

"""

import collections

from ..bus import address
from ..bus import root_ports
from ..bus import scsi_ids
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..bus.pools import QEMU
from ..bus.pools import has_pci_disks
from ..bus.pools import has_pci_nics
from ..errors import MalformedError
from ..errors import ReservationsError
from ..errors import RuntimeFileError
from ..qemu import acpi_index
from ..qemu import named_slots
from ..qemu import q35
from ..qemu.ids import old_id
from . import inline_disks
from . import serialized

#: One device on the bus, as a runtime file or a live QEMU knows it.
#:   - slot: int, on pci.0, or the number of its root port; None for a device of
#:     Ganeti's that is on neither
#:   - device_class: DISK or NIC for what Ganeti assigned, else QEMU
#:   - index: int, position in its class in the runtime file; None for QEMU's
#:   - id: string, QEMU's id of the device; None where it has none
#:   - driver: string
Device = collections.namedtuple(
  "Device", ["slot", "device_class", "index", "id", "driver"])

_VIRTIO = {DISK: "virtio-blk-pci", NIC: "virtio-net-pci"}
_TYPE_PARAMETER = {DISK: "disk_type", NIC: "nic_type"}


def is_on_pci(device_class, hvparams):
  """Tell whether an instance's disks, or NICs, sit on pci.0.

  @param device_class: L{DISK} or L{NIC}
  @rtype: bool

  """
  return {DISK: has_pci_disks, NIC: has_pci_nics}[device_class](hvparams)


def driver(device_class, hvparams):
  """Name the driver of an instance's disks or NICs.

  @param device_class: L{DISK} or L{NIC}
  @rtype: string

  """
  hv_type = hvparams.get(_TYPE_PARAMETER[device_class], "paravirtual")
  return _VIRTIO[device_class] if hv_type == "paravirtual" else hv_type


def unnamed_nics(runtime):
  """Count the NICs that Ganeti starts without an id (ISA).

  They have no address in the runtime file, and QEMU tells them apart by the
  order of creation alone.

  @type runtime: L{serialized.Runtime}
  @rtype: int

  """
  return len([nic for nic in runtime.nics
              if not nic.get("hvinfo") and nic.get("pci") is None])


def dict_of(runtime, device):
  """Return a disk's or NIC's dict in a runtime file.

  @type runtime: L{serialized.Runtime}
  @type device: L{Device}
  @rtype: dict

  """
  if device.device_class == NIC:
    return runtime.nics[device.index]
  return runtime.disks[device.index][0]


def _device(device_class, index, entry, hvparams, part):
  """Read one disk or NIC of the runtime file."""
  hvinfo = entry.get("hvinfo")
  if hvinfo:
    slot = None
    # Ganeti writes a slot also for IDE disks and ISA NICs, which use none
    if is_on_pci(device_class, hvparams):
      slot = root_ports.slot_in(hvinfo, part)
    return Device(slot, device_class, index, hvinfo.get("id"),
                  hvinfo.get("driver"))
  slot = entry.get("pci")
  device_id = None
  if slot is not None:
    device_id = old_id(device_class, entry.get("uuid"), slot)
    # a slot of pci.0, which a q35 guest does not have
    slot = part.locate(address.BUS, slot) if is_on_pci(device_class,
                                                       hvparams) else None
  return Device(slot, device_class, index, device_id,
                driver(device_class, hvparams))


class DeviceTable(object):
  """What a runtime file says.

  @ivar instance: string, name of the instance
  @ivar command: list of strings
  @ivar hvparams: dict
  @ivar partition: L{pools.Partition} by the parameters and the command
  @ivar devices: list of L{Device}: disks and NICs in the runtime file's
      order, then what else of the command has an explicit address on pci.0
  @ivar acpi_indices: list, the NICs' numbers (see L{acpi_index}), or None
  @ivar scsi_ids: dict, id (int) on Ganeti's SCSI bus to the name of the disk
      there; None if the instance's disks are not on one

  """
  def __init__(self, runtime):
    """Read a runtime.

    @type runtime: L{serialized.Runtime}
    @raise RuntimeFileError: if it gives a slot twice, or divides the bus in no
        possible way

    """
    self.command = command = runtime.words
    self.hvparams = hvparams = runtime.hvparams
    self.instance = runtime.instance
    try:
      self.partition = q35.partition(hvparams, command)
    except ReservationsError as err:
      # not by a cold boot: it may be a parameter's
      raise RuntimeFileError(
        runtime.source, "%s; set it right, then shut the instance down and"
        " start it" % err)
    disks = [entry[0] for entry in runtime.disks]
    self.devices = [
      _device(device_class, index, entry, hvparams, self.partition)
      for device_class, entries in ((DISK, disks), (NIC, runtime.nics))
      for index, entry in enumerate(entries)]
    self.acpi_indices = [(nic.get("hvinfo") or {}).get(acpi_index.KEY)
                         for nic in runtime.nics]
    own = set(d.id for d in self.devices if d.id)
    slots = set(d.slot for d in self.devices)
    for option in named_slots.addressed(command, runtime.configs):
      # a file may have been changed since QEMU has read it
      is_stale = option.address[0] in slots and option.position is None
      if option.id not in own and not is_stale:
        self.devices.append(Device(
          option.address[0], DISK if inline_disks.is_disk(option) else QEMU,
          None, option.id, option.driver))
    self._check_slots(runtime.source)
    self.scsi_ids = None
    if scsi_ids.has_ids(hvparams):
      self.scsi_ids = dict(
        (disk["hvinfo"]["scsi-id"], disk["hvinfo"].get("id")) for disk in disks
        if "scsi-id" in (disk.get("hvinfo") or {}))

  def _check_slots(self, source):
    seen = {}
    for device in self.devices:
      other = seen.setdefault(device.slot, device)
      # QEMU's own may share a slot, as functions of one device
      if (device.slot is not None and other is not device and
          not device.device_class == other.device_class == QEMU):
        raise MalformedError(
          source, "%s is given to two devices, %s and %s" %
          (self.partition.show(device.slot), describe(other),
           describe(device)))

  def held(self):
    """Tell what the runtime file has on the bus.

    @rtype: dict
    @return: slot (int) to the name of the device there

    """
    return dict((d.slot, describe(d)) for d in self.devices
                if d.slot is not None)

  def slots(self, device_class):
    """List the slots of a class, in the runtime file's order.

    @rtype: list of ints

    """
    return [d.slot for d in self.devices
            if d.device_class == device_class and d.slot is not None]

  def lost(self, ids, slots):
    """List the disks and NICs that QEMU should have and has not.

    Only those that it has under an id; IDE disks and ISA NICs it has not. A
    device whose slot holds another is not lost for certain: it may be the
    same, under an id of another Ganeti's making.

    @type ids: collection of strings
    @param ids: the ids of all devices that QEMU has
    @type slots: collection of ints
    @param slots: the slots that QEMU has devices on
    @rtype: list of L{Device}

    """
    return [d for d in self.devices
            if d.index is not None and d.id and d.id not in ids and
            (d.slot is not None and d.slot not in slots or
             d.device_class == DISK and self.scsi_ids is not None)]


def describe(device):
  """Name a device for an error text.

  @type device: L{Device}
  @rtype: string

  """
  name = device.id or device.driver or "unnamed"
  if device.index is None:
    return name
  return "%s %d (%s)" % (device.device_class, device.index, name)


def drop(runtime, devices):
  """Remove disks and NICs from a runtime file.

  @type runtime: L{serialized.Runtime}
  @param runtime: is changed in place
  @type devices: list of L{Device}
  @param devices: in the runtime file's order
  @rtype: list of strings
  @return: what was changed

  """
  changes = []
  # from the end, so that the indexes before stay right
  for device in reversed(devices):
    del {DISK: runtime.disks, NIC: runtime.nics}[device.device_class][
      device.index]
    changes.append("%s: removed from the runtime file, QEMU does not have it" %
                   describe(device))
  return changes


def parse(text, source):
  """Read a runtime file.

  @type text: string
  @param text: the file's content
  @type source: string
  @param source: file or instance, to be named in errors
  @rtype: L{DeviceTable}
  @raise RuntimeFileError: if the text is no runtime file, or one with an
      impossible or doubly given slot

  """
  return DeviceTable(serialized.parse(text, source))
