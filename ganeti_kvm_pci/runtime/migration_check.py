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

"""Whether the runtime file matches the running QEMU.

A migration starts the target from the runtime file. What QEMU got without it,
or lost, and what it would place elsewhere the second time, must show before the
guest moves; the guest does not survive it, and QEMU says
C{completed} (5.2 to 11.1).

"""

import collections

from ..bus import address
from ..bus.pools import NIC
from ..qemu import command as command_
from ..qemu import explicit
from ..qemu import ids
from ..qemu import renewal
from ..qemu import smp
from ..qemu import topology
from ..qemu.pci_functions import Function
from ..qemu.replies import Peripheral
from .device_table import describe
from .device_table import dict_of
from .device_table import unnamed_nics

#: Options that make one device without id each, like a C{-device} of their own.
_MAKERS = frozenset(["-virtfs", "-virtfs_synth", "-virtioconsole", "-watchdog"])

#: Options that make a device with an id of QEMU's choice.
_MAKERS_WITH_ID = {"-debugcon": "debugcon"}

#: Options that may make any number.
_UNREADABLE = frozenset(["-readconfig"])

_COLD_BOOT = "shut the instance down and start it"


def _devices(words, configs=None):
  """List the devices of a command; vCPUs are counted elsewhere."""
  return [option for option in command_.devices(words, configs)
          if not topology.is_cpu(option.driver)]


class MigrationCheck(object):
  """A runtime file beside the QEMU that was started from it.

  @ivar command: list of strings, the command in the runtime file, with an
      address for each of QEMU's own devices that would go elsewhere without
  @ivar fixed: list of strings, what got an address by that
  @ivar vcpus: int or None, how many vCPUs the guest has
  @ivar problems: list of strings, why the runtime file does not match QEMU;
      each names the device, its address, and the remedy

  """
  def __init__(self, runtime, table, parts, command, vcpus=None):
    """Compare.

    @type runtime: L{serialized.Runtime}
    @type table: L{device_table.DeviceTable}
    @param table: that of the runtime
    @type parts: list of L{topology.Part}
    @param parts: answer of L{inventory.topology}
    @type command: list of strings
    @param command: what QEMU was really given, Ganeti's devices and those of a
        wrapper included
    @type vcpus: int or None
    @param vcpus: answer of L{vcpus.count}

    """
    self.problems = []
    self.vcpus = vcpus
    self._runtime = runtime
    self._table = table
    self._location_of = lambda part: topology.location_of(part, table.partition)
    self._parts = parts
    self._by_id = dict((part.id, part) for part in parts if part.id)
    self._unnamed_nics = unnamed_nics(runtime)
    self._options = _devices(runtime.words)
    # QEMU takes its options with two dashes as well
    self._given = [word[1:] if word.startswith("--") else word
                   for word in command]
    made = _devices(self._given, runtime.configs)
    self._check_vcpus()
    self._check_assigned()
    self._check_options()
    self._check_strangers(made)
    self._check_unnamed(made)
    self.command, self.fixed = self._fix()

  def _find(self, device):
    """Find the part that a device of the runtime file is.

    @type device: L{device_table.Device}
    @rtype: L{topology.Part} or None

    """
    if device.id in self._by_id:
      return self._by_id[device.id]
    return ([part for name, part in sorted(self._by_id.items())
             if ids.is_same(name, device.id)] or [None])[0]

  def _at(self, slot):
    """Name what QEMU has on a slot."""
    at = [p for p in self._parts if (self._location_of(p) or [None])[0] == slot]
    return " and ".join(topology.show(part) for part in at) or "nothing"

  def _check_assigned(self):
    """Look for the runtime file's disks and NICs."""
    for device in self._table.devices:
      if device.index is None or not device.id:
        continue
      has_scsi_id = device.device_class != NIC and \
        self._table.scsi_ids is not None
      if device.slot is None and not has_scsi_id:
        continue # IDE, ISA: not a device with this id
      part = self._find(device)
      if part is None:
        where = "scsi bus" if device.slot is None else \
          self._table.partition.show(device.slot)
        self.problems.append(
          "%s: the runtime file has %s there, QEMU has %s; repair the runtime"
          " file (ganeti-kvm-pci check --repair), or %s" %
          (where, describe(device),
           "no such disk" if device.slot is None else self._at(device.slot),
           _COLD_BOOT))
        continue
      self._check_address(device, part)
      self._check_driver(device, part)
      self._check_settings(device, part)
      if device.device_class == NIC:
        self._check_mac(device, part)

  def _check_address(self, device, part):
    if device.slot is not None:
      noted, real = device.slot, (self._location_of(part) or [None])[0]
      where = self._table.partition.show(noted)
    else:
      noted = self._runtime.disks[device.index][0]["hvinfo"].get("scsi-id")
      real, where = topology.scsi_id_of(part), "scsi-id %s" % noted
    if noted != real:
      self.problems.append(
        "%s: %s in the runtime file, %s in QEMU; repair the runtime file"
        " (ganeti-kvm-pci check --repair), or %s" %
        (describe(device), where, topology.show_address(part), _COLD_BOOT))

  def _check_driver(self, device, part):
    # up to 2.15, hot-added disks and NICs are virtio's whatever the parameters
    if device.driver and device.driver != part.driver:
      self.problems.append(
        "%s, %s: %s in the runtime file, %s in QEMU; %s" %
        (topology.show_address(part), describe(device), device.driver,
         part.driver, _COLD_BOOT))

  def _check_settings(self, device, part):
    hvinfo = dict_of(self._runtime, device).get("hvinfo") or {}
    for key, real in (("num-queues", part.queues),
                      ("acpi-index", part.acpi_index)):
      # QEMU before 6.1 has no acpi-index
      if key in hvinfo and real is not None and hvinfo[key] != real:
        self.problems.append(
          "%s, %s: %s %s in the runtime file, %s in QEMU; %s" %
          (topology.show_address(part), describe(device), key, hvinfo[key],
           real, _COLD_BOOT))

  def _check_mac(self, device, part):
    mac = self._runtime.nics[device.index].get("mac")
    if mac and part.mac and mac.lower() != part.mac.lower():
      self.problems.append(
        "%s, %s: MAC address %s in the runtime file, %s in QEMU; correct the"
        " runtime file, or %s" % (topology.show_address(part), describe(device),
                                  mac, part.mac, _COLD_BOOT))

  def _check_vcpus(self):
    given = smp.vcpus(self._given)
    # a wrapper may give more; and who hot-adds them may write them down
    if None in (given, self.vcpus) or given == self.vcpus or \
        given != smp.vcpus(self._runtime.words):
      return
    self.problems.append(
      "vCPUs: %d in the runtime file, %d in QEMU: hot-added or removed by hand;"
      " undo that at QEMU's monitor, or %s" % (given, self.vcpus, _COLD_BOOT))

  def _check_options(self):
    """Look for what the command names, by id or by address."""
    addresses = set(self._location_of(part) for part in self._parts)
    for option in self._options:
      name = "%s (id %s)" % (option.driver, option.id) if option.id else \
        option.driver
      if option.id and option.id not in self._by_id:
        self.problems.append(
          "%s: it is in the command in the runtime file, but QEMU no longer has"
          " it; remove it from kvm_extra, if it is there, and %s" %
          (name, _COLD_BOOT))
      elif option.address and option.address not in addresses and not any(
          part.driver == option.driver and self._location_of(part) is None
          for part in self._parts): # "addr" may be something else
        self.problems.append(
          "%s: the command in the runtime file has %s there, QEMU has nothing;"
          " %s" % (self._table.partition.show(option.address[0]), name,
                   _COLD_BOOT))

  def _strange(self, part):
    self.problems.append(
      "%s: %s is attached in QEMU but missing from the runtime file (added"
      " manually, or the node daemon died during a hot-add); the target would"
      " start without it; %s, or, to keep it, add it to kvm_extra and %s" %
      (topology.show_address(part), topology.show(part),
       "remove it (device_del %s at QEMU's monitor)" % part.id if part.id else
       "it has no id, so only a reset of QEMU removes it: %s" % _COLD_BOOT,
       _COLD_BOOT))

  def _check_strangers(self, made):
    """Look for devices with an id that is not in the runtime file."""
    if _UNREADABLE.intersection(self._given):
      return
    known = [name for option, name in sorted(_MAKERS_WITH_ID.items())
             if option in self._given]
    known += [option.id for option in self._options if option.id]
    known += [option.id for option in made
              if option.id and not ids.is_ours(option.id)]
    known += [d.id for d in self._table.devices if d.id]
    for part in self._parts:
      if part.driver and part.id and part.id not in known and \
          not any(ids.is_same(name, part.id) for name in known):
        self._strange(part)

  def _check_unnamed(self, made):
    """Count the devices without id: those by hand were created last."""
    words = self._given
    if _UNREADABLE.intersection(words):
      return
    expected = (len([o for o in made if not o.id]) +
                len(command_.virtio_drives(words)))
    more = len([word for word in words if word in _MAKERS])
    unnamed = [part for part in self._parts
               if part.driver and not part.id and not part.builtin]
    if len(unnamed) < expected:
      self.problems.append(
        "its command makes %d devices without id, QEMU has %d: one was"
        " removed by hand; %s" % (expected, len(unnamed), _COLD_BOOT))
    for part in unnamed[expected + more:]:
      self._strange(part)

  def _fix(self):
    """Make explicit the addresses that a new start would give differently."""
    words = self._runtime.words
    peripherals = [Peripheral(part.driver, part.id, self._location_of(part))
                   for part in self._parts
                   if part.driver and not part.builtin]
    if not renewal.sound(words):
      # what -soundhw made has an option in the runtime file now
      peripherals[:0] = [Peripheral(driver, None, None)
                         for driver in renewal.sound(self._given)]
    astray = self._astray(words, peripherals)
    words, fixed, left = explicit.fix(words, peripherals, sorted(astray),
                                       self._unnamed_nics)
    for function in left:
      self.problems.append(
        "slot %d: QEMU has its own %s there, which a start from the runtime"
        " file would put on slot %d, and no option in the runtime file is sure"
        " to stand for it; %s" %
        (function.slot, function.id or function.description, astray[function],
         _COLD_BOOT))
    return (words, ["%s at slot %d" % (f.id or f.description, f.slot)
                    for f in fixed])

  def _astray(self, words, peripherals):
    """Find what QEMU placed elsewhere than it would now.

    It gives what names no address the first free slot, in the order of
    creation.

    @rtype: dict
    @return: L{pci_functions.Function} to the slot that it would get

    """
    if not self._table.partition.is_shared:
      return {}
    pairs = explicit.in_order(words, peripherals, self._unnamed_nics)
    paired = set(peripheral for _, peripheral in pairs)
    taken = set(self._table.held())
    # the chipset's devices are first, and what nobody can tell the option of
    # is where it was
    taken.update(self._location_of(part)[0] for part in self._parts
                 if self._location_of(part) and not part.driver)
    taken.update(p.address[0] for p in peripherals
                 if p.address and p not in paired)
    found = collections.OrderedDict()
    for option, peripheral in pairs:
      if option.address or peripheral is None or peripheral.address is None:
        continue
      wanted = [slot for slot in range(address.SLOTS) if slot not in taken]
      slot, function = peripheral.address
      if wanted and slot != wanted[0]:
        found[Function(slot, function, peripheral.id, peripheral.driver)] = \
          wanted[0]
      taken.add(slot)
    return found
