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

"""What will not start on a node without the plugin.

There, too, disks and NICs begin at C{kvm_pci_reservations}, but nothing goes
around what QEMU has beyond: an instance with more devices of QEMU's own than
that does not start. With the plugin it does, so that nobody notices before.

"""

import os

from .. import chipset
from ..bus import address
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..bus.pools import QEMU
from ..errors import KvmPciError
from ..qmp import queries
from ..runtime import device_table
from . import installation
from . import guests
from . import runtime_files


class Reservations(object):
  """C{kvm_pci_reservations}, as far as this node knows it.

  @ivar default: int, Ganeti's; None where it has no such parameter
  @ivar cluster: int, what holds where neither instance nor OS has a value
  @ivar own: L{installation.Own}; None on a node that does not have the
      configuration

  """
  def __init__(self):
    """Look; Ganeti must be importable."""
    self.default = installation.default_reservations()
    self.cluster = installation.cluster_reservations()
    if self.cluster is None:
      self.cluster = self.default
    self.own = installation.own_reservations()

  def low(self):
    """Name what has fewer than Ganeti's default.

    @rtype: list of strings

    """
    if self.default is None:
      return []
    found = [("the cluster", self.cluster)]
    if self.own:
      found.extend(("the OS %s" % name, value)
                   for name, value in sorted(self.own.oses.items()))
      found.extend(sorted(self.own.instances.items()))
    return ["%s (%d)" % pair for pair in found if pair[1] < self.default]

  def at_next_start(self, known):
    """Tell the value with which an instance starts next.

    @type known: L{device_table.DeviceTable}
    @param known: its runtime file
    @rtype: int

    """
    if self.own is not None:
      return self.own.instances.get(known.instance, self.own.oses.get(
        self.own.os_of.get(known.instance), self.cluster))
    in_file = known.hvparams.get("kvm_pci_reservations")
    # Ganeti's default it had from the cluster, which may have changed since
    return self.cluster if in_file in (None, self.default) else in_file


def obstacle(known, own, value, default):
  """Tell why an instance does not start on a node without the plugin.

  @type known: L{device_table.DeviceTable}
  @param own: how many slots devices of QEMU's own hold
  @param value: the C{kvm_pci_reservations} with which it starts
  @param default: Ganeti's
  @rtype: string or None
  @return: with the remedy; None if it does start

  """
  devices = len(known.slots(DISK)) + len(known.slots(NIC))
  if not devices or own <= value <= address.SLOTS - devices:
    return None
  if own > value:
    reason = "QEMU has %d devices of its own" % own
  else:
    reason = "it has %d disks and NICs" % devices
  remedy = "it has more devices than the bus has slots for"
  if own + devices <= address.SLOTS:
    enough = max(own, min(default, address.SLOTS - devices))
    remedy = "gnt-instance modify -H kvm_pci_reservations=%d %s" % (
      enough, known.instance)
  return ("%s does not start on a node without the plugin: %s, and"
          " kvm_pci_reservations is %d; %s" %
          (known.instance, reason, value, remedy))


def _own_devices(known, ask):
  """Tell how many slots of an instance devices of QEMU's own hold.

  @param ask: see L{obstacles}
  @rtype: int
  @return: where QEMU does not tell, at least so many, by the runtime file

  """
  if ask:
    # Ganeti's client
    from ..qmp import client
    in_file = set(known.slots(DISK) + known.slots(NIC))
    try:
      with client.connect(os.path.join(
          runtime_files.control_dir("ctrl"),
          known.instance + ".qmp")) as execute:
        return len(set(queries.held(execute, known.partition)) - in_file)
    except KvmPciError: # the runtime file tells most of it
      pass
  reserved = known.partition.reservations
  beyond = set(d.slot for d in known.devices
               if d.device_class == QEMU and d.slot >= reserved)
  return reserved + len(beyond) if beyond else 0


def obstacles(reservations, ask):
  """List why instances of this node would not start without the plugin.

  @type reservations: L{Reservations}
  @type ask: bool
  @param ask: whether to ask each QEMU, and not its runtime file alone
  @rtype: list of strings

  """
  found = []
  if reservations.default is None:
    return found
  for path in runtime_files.all_runtimes():
    try:
      known = device_table.parse(runtime_files.read(path).text, path)
      running = guests.runs(path)
    except KvmPciError: # check names it
      continue
    if running and chipset.applies(known.command, known.hvparams):
      found.append(obstacle(known, _own_devices(known, ask),
                            reservations.at_next_start(known),
                            reservations.default))
  return [text for text in found if text]
