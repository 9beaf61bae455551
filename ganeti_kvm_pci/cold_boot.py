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

"""Where the devices of an instance go that is about to boot.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import logging

from . import chipset
from . import config_reader
from . import qemu_version
from . import unmet_tags
from .access import Explained
from .bus import frozen
from .bus import pools
from .cleanup import Cleanup
from .qemu import acpi_index
from .qemu import explicit
from .qemu import name_conflicts
from .qemu import q35
from .runtime import layout


class ColdBoot(Cleanup):
  """The addresses that a cold boot gives."""

  def _GenerateKVMRuntime(self, instance, block_devices, startup_paused,
                          kvmhelp, *more, **others):
    """Generate what QEMU is started with, disks and NICs in their pools.

    """
    runtime = super(ColdBoot, self)._GenerateKVMRuntime(
      instance, block_devices, startup_paused, kvmhelp, *more, **others)
    obstacle = chipset.obstacle(runtime[0], runtime[2],
                                is_new=self._KEEPS_BUSES)
    if obstacle:
      logging.warning("Instance %s: its PCI slots are left to unmodified"
                      " Ganeti: %s", instance.name, obstacle)
    else:
      with Explained(instance.name):
        self._AssignAddresses(runtime, instance)
    return runtime

  def _Divide(self, kvm_cmd, hvparams, instance):
    """Make the command of a cold boot one whose slots are ours to give.

    @param kvm_cmd: is changed in place
    @rtype: L{pools.Partition}
    @raise KvmPciError: if kvm_extra stands in the way

    """
    kvm_cmd[:] = explicit.without_addresses(kvm_cmd,
                                            hvparams.get("kvm_extra"))[0]
    if chipset.needs_ports(kvm_cmd, hvparams):
      kvm_cmd[:] = q35.with_ports(kvm_cmd, config_reader.read(kvm_cmd))
    part = q35.partition(hvparams, kvm_cmd)
    self._NameNics(kvm_cmd, part, instance)
    name_conflicts.check(part, kvm_cmd, hvparams.get("kvm_extra"),
                         config_reader.read(kvm_cmd))
    return part

  def _NameNics(self, kvm_cmd, part, instance):
    """Decide which numbers the NICs get, see L{acpi_index}.

    @type part: L{pools.Partition}
    @param part: is changed

    """
    is_wanted = acpi_index.is_wanted(getattr(instance, "tags", None))
    version = qemu_version.version(kvm_cmd[0]) \
      if is_wanted or not part.is_shared else None
    part.has_acpi_index = self._KEEPS_BUSES and acpi_index.is_there(
      part.is_shared, is_wanted, version)
    # Ganeti's NICs are not in it yet
    part.used_indices = acpi_index.named(kvm_cmd, config_reader.read(kvm_cmd))
    if is_wanted and not part.has_acpi_index:
      logging.warning(
        "Instance %s: it has the tag %s, but its NICs get no acpi-index: %s",
        instance.name, acpi_index.TAG, "QEMU %s does not have it (6.0 or later"
        " on pc, 6.1 on q35)" % (
          "%d.%d" % version if version else "tells no version, and") if
        self._KEEPS_BUSES else
        "Ganeti before 2.16 cannot note it in the runtime file")

  def _AssignAddresses(self, runtime, instance):
    """Assign addresses to the devices of a cold boot.

    @param runtime: Ganeti's objects, which are changed in place
    @raise BusFullError: if they do not fit

    """
    kvm_cmd, nics, hvparams, disks = runtime
    part = self._Divide(kvm_cmd, hvparams, instance)
    # firmware, which has a role and no address, is no device
    devices = {pools.DISK: [disk for disk, _, _ in disks
                            if self._HasAddress(disk) or
                            not getattr(disk, "role", None)],
               pools.NIC: nics}
    slots, numbers = self._Choose(instance, part, hvparams, kvm_cmd, devices)
    for disk, number in zip(devices[pools.DISK], numbers):
      self._SetScsiAddress(disk, hvparams, number)
    for device_class, members in devices.items():
      self._Place(instance, device_class, members, hvparams, part,
                  slots.get(device_class))

  @staticmethod
  def _Choose(instance, part, hvparams, kvm_cmd, devices):
    """Choose where the devices go, and say which tags mean nothing now.

    @rtype: see L{layout.cold_boot}

    """
    tags = frozen.of(instance)
    uuids = dict((device_class, [getattr(device, "uuid", None)
                                 for device in members])
                 for device_class, members in devices.items())
    found = layout.cold_boot(part, hvparams, kvm_cmd,
                             config_reader.read(kvm_cmd), uuids, tags)
    unmet_tags.tell(instance, tags)
    return found

  def _Place(self, instance, device_class, devices, hvparams, part, slots):
    """Give disks, or NICs, their slots; None if they need none."""
    for at, device in enumerate(devices):
      if slots is None:
        self._DropAddress(device)
      else:
        self._SetAddress(device_class, device, hvparams, part, slots[at])
        if device_class == pools.NIC and part.has_acpi_index and \
            part.acpi_index(slots[at]) is None:
          holder = part.index_holder(slots[at])
          logging.warning("Instance %s: NIC %d, %s, gets no acpi-index: %s",
                          instance.name, at, part.show(slots[at]),
                          "%s of kvm_extra has it" % holder if holder else
                          "it is not of the NICs' pool")
