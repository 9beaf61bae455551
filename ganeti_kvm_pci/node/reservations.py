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

To a q35 guest C{kvm_pci_reservations} means nothing. Where Ganeti does not know
q35, its hot-adds fail there ("'rp11'", 3.0.2), and so does a cold boot ("Bus
'pci.0' not found").

"""

import os

from .. import chipset
from ..bus import address
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..bus.pools import QEMU
from ..errors import KvmPciError
from ..qemu import machine_type
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
  @ivar without_q35: see L{installation.without_q35}

  """
  def __init__(self):
    """Look; Ganeti must be importable."""
    self.default = installation.default_reservations()
    self.cluster = installation.cluster_reservations()
    if self.cluster is None:
      self.cluster = self.default
    self.own = installation.own_reservations()
    self.without_q35 = installation.without_q35()

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
      found.extend((name, value) for name, value
                   in sorted(self.own.instances.items())
                   if not _is_q35(self.own.types[name]))
    return ["%s (%d)" % pair for pair in found if pair[1] < self.default]

  def configured_type(self, known):
    """Tell the machine type with which an instance starts next.

    @type known: L{device_table.DeviceTable}
    @rtype: string or None
    @return: None where that is not known here

    """
    return self.own.types.get(known.instance) if self.own else None

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


def _is_q35(name, otherwise=False):
  """Tell whether a machine type is q35.

  @type name: string
  @param name: as C{machine_version} has it, options and all; empty for QEMU's
      default, which is i440fx
  @param otherwise: what to return where the name does not tell

  """
  name = machine_type.named(["-machine", name])
  found = machine_type.chipset(name) if name else machine_type.I440FX
  return otherwise if found is None else found == machine_type.Q35


def q35_obstacle(known, configured, release):
  """Tell what a q35 guest cannot do on a node without the plugin.

  @type known: L{device_table.DeviceTable}
  @type configured: string or None
  @param configured: the machine type with which it starts next, if that is
      known here
  @type release: string
  @param release: that of a Ganeti that does not know q35
  @rtype: string or None
  @return: with the remedy; None for any other guest

  """
  is_q35 = not known.partition.is_shared
  words = (known.hvparams.get("kvm_extra") or "").split()
  # what kvm_extra names counts, whatever the parameter says
  by_hand = machine_type.named(words)
  name = by_hand or configured
  will_be = is_q35 if name is None else _is_q35(name, is_q35)
  if not is_q35 and not will_be:
    return None
  lacks = "no hot-add" if is_q35 else "no cold boot"
  if is_q35 and will_be:
    lacks = "no hot-add and no cold boot"
  elif is_q35:
    lacks = "no hot-add until its next cold boot"
  remedy = "leave the plugin on until then"
  if will_be:
    remedy = ("leave the plugin on, or set its machine type to pc before its"
              " next cold boot: ")
    if by_hand:
      remedy += "take %s away from kvm_extra of %s" % (by_hand, known.instance)
    else:
      remedy += ("gnt-instance modify -H machine_version=pc %s" %
                 known.instance)
  return ("%s takes %s on a node without the plugin: %s, and Ganeti %s does not"
          " know q35; %s" %
          (known.instance, lacks,
           "it is a q35 guest" if is_q35 else "its next boot is one as q35",
           release, remedy))


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
    if not running or not chipset.applies(known.command, known.hvparams):
      continue
    if reservations.without_q35:
      found.append(q35_obstacle(known, reservations.configured_type(known),
                                reservations.without_q35))
    if known.partition.is_shared:
      found.append(obstacle(known, _own_devices(known, ask),
                            reservations.at_next_start(known),
                            reservations.default))
  return [text for text in found if text]
