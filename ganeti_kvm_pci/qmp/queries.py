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

"""Questions to a running QEMU.

C{execute} is a function that runs one QMP command: C{execute(command,
arguments)} returns its result or raises L{MonitorError}; how it reaches QEMU
is its own affair (see L{client}).

"""

from ..bus import scsi_ids as scsi_ids_
from ..bus.pools import DISK
from ..errors import CommandError
from ..qemu import ids as ids_
from ..qemu import refusals
from ..qemu import pci_functions
from ..qemu import replies
from .device_lists import children
from .device_lists import unchanging
from .properties import types

#: The properties of what is on a PCI bus.
_OF_ADDRESS = ["addr", "parent_bus"]

#: What C{query-migrate} says before, and after; None: there was nothing.
_NOT_MOVING = frozenset([None, "none", "completed", "failed", "cancelled"])

#: What C{query-status} says of a guest that runs, of one that was migrated to
#: another node, and of one that sleeps (ACPI's S3).
RUNNING, LEFT, ASLEEP = "running", "postmigrate", "suspended"

#: What C{query-migrate} says, of either side, while the guest runs on the
#: target and lacks a part of its memory (2.12; 9.2 for the setup).
_POSTCOPY = frozenset(["postcopy-active", "postcopy-paused",
                       "postcopy-recover-setup", "postcopy-recover"])


def functions(execute, partition):
  """Ask what sits on the slots of a partition.

  @type partition: L{pools.Partition}
  @rtype: list of L{pci_functions.Function}
  @raise MonitorError: if QEMU does not tell

  """
  answer = execute("query-pci", None)
  found = pci_functions.functions(answer, partition)
  if partition.is_shared or pci_functions.is_numbered(answer):
    return found
  # behind those that have a number, it has told already
  told = [None] + [(function.slot, function.function) for function in found]
  return sorted(found + [
    pci_functions.Function(p.address[0], p.address[1], p.id, p.driver)
    for p in peripherals(execute, partition) if p.address not in told])


def held(execute, partition):
  """Ask which slots are held, and by what.

  @type partition: L{pools.Partition}
  @rtype: dict
  @raise MonitorError: if QEMU does not tell

  """
  return pci_functions.held(functions(execute, partition))


def ids(execute):
  """Ask for the ids of all devices, on whatever bus.

  @rtype: set of strings
  @raise MonitorError: if QEMU does not tell

  """
  return set(name for name, _ in children(execute, replies.WITH_ID))


def get(execute, path, name):
  """Ask for a property; None if the device was removed meanwhile."""
  try:
    return execute("qom-get", {"path": path, "property": name})
  except CommandError as err:
    if refusals.is_not_found(err):
      return None
    raise


def listed(execute):
  """Give path, id (or None) and driver of what the object model lists."""
  for folder in (replies.WITH_ID, replies.WITHOUT_ID):
    for name, driver in children(execute, folder):
      yield ("%s/%s" % (folder, name),
             name if folder == replies.WITH_ID else None, driver)


def typed(execute, arguments):
  """Give the arguments of C{device_add} the types that the driver has.

  QEMU 9.2 and later take no text for a truth value.

  @rtype: dict
  @raise MonitorError: if QEMU does not answer

  """
  if not replies.has_truth_text(arguments):
    return arguments
  try:
    properties = execute("device-list-properties",
                         {"typename": arguments.get("driver")})
  except CommandError:
    return arguments # what is wrong with the driver, device_add will tell
  return replies.typed(arguments, properties)


def has_property(execute, driver, name):
  """Ask whether the devices of a driver have a property: bool."""
  try:
    return replies.has_property(execute("device-list-properties",
                                        {"typename": driver}), name)
  except CommandError:
    return False # what is wrong with the driver, device_add will tell


def nics_with(execute, partition, wanted, but, nics=None):
  """Ask for the NICs that were given a MAC address.

  The guest may use others by now, and two NICs the same (bonding).

  @type partition: L{pools.Partition}
  @type wanted: string
  @param but: id of a NIC that is left out
  @type nics: list or None
  @param nics: which of the devices are to be asked, as of L{listed}; None: all
  @return: list of tuples: its id, or driver where it has none; its slot and
      function, or None
  @raise MonitorError: if QEMU does not tell

  """
  found = []
  for path, name, driver in listed(execute) if nics is None else nics:
    if ids_.class_of(name) == DISK or (name or driver) == but:
      continue
    mac = get(execute, path, "mac")
    if mac and mac.lower() == wanted.lower():
      found.append((name or driver, replies.address_of(
        get(execute, path, "parent_bus"), get(execute, path, "addr"),
        partition)))
  return found


def _scsi_buses(execute, path):
  """List the buses of a SCSI controller, by path.

  """
  found = []
  for name, driver in children(execute, path):
    if driver == replies.SCSI_BUS:
      found.append("%s/%s" % (path, name))
    elif name == replies.INNER:
      found.extend(_scsi_buses(execute, "%s/%s" % (path, name)))
  return found


def scsi_ids(execute):
  """Ask which ids of Ganeti's SCSI bus are held, and by what.

  A controller by C{kvm_extra} may have a bus of the same name. Where an option
  or C{device_add} names it, QEMU takes that of the controller created last (5.2
  to 11.1); those with an id are Ganeti's, which comes first.

  @rtype: dict
  @raise MonitorError: if QEMU does not tell

  """
  return unchanging(execute, _scsi_ids)


def _scsi_ids(execute):
  buses = set()
  devices = []
  for path, name, driver in listed(execute):
    if driver.startswith("scsi-"):
      bus = get(execute, path, "parent_bus")
      number = get(execute, path, "scsi-id")
      if bus and isinstance(number, int):
        devices.append((bus, number, name or driver))
        buses.add(bus)
    # the bus of what has another id is named after that
    elif name in (None, scsi_ids_.CONTROLLER):
      buses.update(_scsi_buses(execute, path))
  named = [bus for bus in buses if bus.endswith("/" + scsi_ids_.BUS)]
  if not named:
    return {}
  # those without id are the later ones
  ours = max(named, key=lambda bus: (
    bus.startswith(replies.WITHOUT_ID + "/"),
    replies.age("/".join(bus.split("/")[:4]))))
  return dict((number, name) for bus, number, name in devices if bus == ours)


def peripherals(execute, partition):
  """Ask what became of all C{-device} options.

  @type partition: L{pools.Partition}
  @rtype: list of L{replies.Peripheral}
  @raise MonitorError: if QEMU does not tell

  """
  return unchanging(execute, lambda look: _peripherals(look, partition))


def _peripherals(look, partition):
  """Do what L{peripherals} does.

  @type look: L{device_lists.Look}

  """
  found = []
  places = pci_functions.places(look.lists.pci, partition)
  for path, name, driver in listed(look):
    if name in places:
      place = places[name]
    else:
      place = None
      if len(types(look, look.keep, path, driver, _OF_ADDRESS)) == 2:
        place = replies.address_of(
          look("qom-get", {"path": path, "property": "parent_bus"}),
          look("qom-get", {"path": path, "property": "addr"}), partition)
    found.append(replies.Peripheral(driver, name, place))
  return found


def is_leaving(execute):
  """Ask whether the guest is just being sent to another node.

  A QEMU says for the rest of its life how it received a guest, and how its last
  attempt to send one ended.

  @rtype: bool
  @raise MonitorError: if QEMU does not tell

  """
  return execute("query-migrate", None).get("status") not in _NOT_MOVING


def postcopy(execute):
  """Ask whether a part of the guest is here, and the rest on another node.

  The target runs it then, and the source sends its memory.

  @rtype: string or None
  @return: e.g. C{"postcopy-active"}, in QEMU's words; None if all of it is here
  @raise MonitorError: if QEMU does not tell

  """
  status = execute("query-migrate", None).get("status")
  return status if status in _POSTCOPY else None


def run_state(execute):
  """Ask whether the guest runs, and if not, why.

  @rtype: string or None
  @return: L{RUNNING}, or e.g. C{"paused"}, in QEMU's words
  @raise MonitorError: if QEMU does not tell

  """
  return execute("query-status", None).get("status")


def is_expecting(execute):
  """Ask whether QEMU still waits for a guest from another node.

  @rtype: bool
  @raise MonitorError: if QEMU does not tell

  """
  return run_state(execute) == "inmigrate"


def has_left(execute):
  """Ask whether the guest was migrated to another node.

  @rtype: bool
  @raise MonitorError: if QEMU does not tell

  """
  return run_state(execute) == LEFT
