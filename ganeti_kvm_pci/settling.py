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

"""Devices that QEMU no longer has, and the order in which they are settled.

Hotplug settles before each operation, C{ganeti-kvm-pci check --repair} when it
is asked to, and Ganeti's watcher what guests have completed late. The order is
the same: whoever is killed half-way leaves it to the next to begin again.

"""

from . import cooldown
from .bus.pools import NIC
from .qemu import ids as ids_
from .qemu import pci_functions
from .qemu import replies
from .qmp import backends
from .qmp import device_lists
from .qmp import queries


class Settling(object):
  """One look at a QEMU.

  @ivar ids: collection of strings, the ids of all devices that QEMU has
  @ivar lost: list of L{device_table.Device}, in the runtime file's order: the
      disks and NICs in the runtime file that QEMU no longer has
  @ivar unclaimed: list of strings, the ids of disks and NICs in the runtime
      file that the guest has given no addresses, see
      L{pci_functions.unclaimed}; empty if QEMU was not asked for what is on the
      bus
  @ivar closed: list of strings, the descriptors that were closed
  @ivar dropped: list of L{device_table.Device}, those that L{forget} was given
  @ivar uuids: collection of strings, those of all disks and NICs that the
      runtime file had before; set by who knows them
  @ivar backends: set of strings or None, the ids of all backends that L{sweep}
      has found or removed; None if QEMU was not asked

  """
  def __init__(self, execute, table, ids=None, slots=None):
    """Ask QEMU what it has.

    @param execute: see L{queries}
    @type table: L{device_table.DeviceTable}
    @type ids: collection of strings or None
    @param ids: see L{ids}; None if QEMU is to be asked
    @type slots: collection of ints or None
    @param slots: those that QEMU has devices on
    @raise MonitorError: if QEMU does not answer

    """
    self._execute = execute
    self._table = table
    self._with_id = None
    if ids is None:
      self._with_id = dict(device_lists.children(execute, replies.WITH_ID))
      ids = set(self._with_id)
    self.ids = ids
    self.unclaimed = []
    self._functions = None
    if slots is None:
      self._functions = queries.functions(execute, table.partition)
      slots = pci_functions.held(self._functions)
      unclaimed = pci_functions.unclaimed(self._functions)
      self.unclaimed = [device.id for device in table.devices
                        if device.index is not None and device.id in unclaimed]
    self.lost = table.lost(self.ids, slots)
    self.closed = []
    self.dropped = []
    self.uuids = frozenset()
    self.backends = None
    self._nic_names = None

  def held(self):
    """Tell which slots are held, and by what, see L{queries.held}.

    Asked anew where it may be different by now.

    @raise MonitorError: if QEMU does not tell

    """
    if self._functions is None:
      return queries.held(self._execute, self._table.partition)
    return pci_functions.held(self._functions)

  def nics(self):
    """Tell which devices are NICs, as QEMU's net layer had them in L{sweep}.

    @rtype: list or None
    @return: as of L{queries.listed}; None where not all of them have an id, and
        where one is missing that should be there

    """
    if self._with_id is None or self._nic_names is None:
      return None
    own = set(name for name in self._with_id if ids_.class_of(name) == NIC)
    if not own <= self._nic_names <= set(self._with_id):
      return None
    return [("%s/%s" % (replies.WITH_ID, name), name, self._with_id[name])
            for name in sorted(self._nic_names)]

  def forget(self, devices, close, write, pending, vacated):
    """Remove devices from all that is kept of the guest.

    Descriptors first: the runtime file tells whose they were. Then no slot is
    free before it may be used again, and a removal counts as completed once the
    runtime file says so.

    @type devices: list of L{device_table.Device}
    @param devices: of L{lost}
    @param close: function of QEMU's id of a NIC that closes what was passed for
        it; may return a list of strings, what was closed
    @param write: function that brings the runtime file up to date
    @type pending: L{pending_unplugs.Pending} or None
    @param vacated: the instance's file of L{cooldown}
    @raise KvmPciError: if one of them fails

    """
    self.dropped = list(devices)
    for device in devices:
      if device.device_class == NIC:
        self.closed.extend(close(device.id) or [])
    # whoever timed out has asked again each second
    requested = pending.requests() if pending and devices else {}
    for rest, is_slow in ((cooldown.REST, False), (cooldown.MOST, True)):
      slots = [device.slot for device in devices if device.slot is not None and
               (device.id in requested) == is_slow]
      if slots:
        cooldown.note(vacated, slots, rest)
    write()
    if pending:
      pending.keep(self.ids)

  def sweep(self):
    """Remove the backends of devices that are not there.

    @rtype: tuple of two lists of strings
    @return: see L{backends.sweep}

    """
    found = backends.Found()
    removed, in_use = backends.sweep(self._execute, [
      device.id for device in self._table.devices
      if device not in self.dropped], self._table.command, found, self.ids)
    self.backends, self._nic_names = found.names, found.nics
    if removed or in_use: # it may have taken long
      self._functions = self._nic_names = None
    return (removed, in_use)

  def take_back(self):
    """Remove the backends of what L{forget} was given, and nothing else.

    @rtype: list of strings

    """
    removed = []
    for device in self.dropped:
      removed.extend(backends.take_back(self._execute, device.device_class,
                                        device.id, self._table.command))
    return removed
