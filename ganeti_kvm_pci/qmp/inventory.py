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

"""The devices of a running QEMU as its guest sees them.

What PCI has by its address; what sits behind a controller by the controller's
address, the bus, and the number there; and what each reads from. What made a
device, an option of its own or another (C{-drive if=ide}), makes no difference
to the guest.

"""

import collections

from ..bus import address
from ..errors import AddressError
from ..errors import MonitorError
from ..qemu import ids
from ..qemu import pci_functions
from ..qemu import replies
from ..qemu import topology as topology_
from ..qemu.topology import Part
from . import device_lists
from . import properties as properties_
from . import queries
from . import vcpus as vcpus_

#: What tells the backend of a NIC, and the address of any device.
_OF_NICS = frozenset(["netdev", "mac", "acpi-index"])
#: What of a virtio device is seen by the guest; a SCSI controller's name of it
#: has another dash.
_OF_VIRTIO = frozenset(["num-queues", "num_queues", "mq", "vectors",
                          "host_mtu"])
_OF_SCSI = frozenset(["channel", "scsi-id", "lun"])
_OF_ADDRESS = _OF_SCSI | frozenset(["parent_bus", "addr", "unit", "nr", "port"])
_OF_ALL = _OF_NICS | _OF_ADDRESS

#: Drivers of which _OF_VIRTIO is asked.
_VIRTIO = ("virtio-", "vhost-")

#: Of a virtio device's two objects, the outer one is on PCI.
_INNER = "/" + replies.INNER

#: Of what QEMU makes by itself, these are on a bus of their own and have no
#: drives; QEMU calls all of them so. The latter are what -soundhw and -audio
#: make.
_USB = "usb-"
_SOUND = "hda-"

#: One device of the object model: its path there, id or None, type.
_Listed = collections.namedtuple("_Listed", ["path", "id", "driver"])


def _listed(folder, children):
  return [_Listed("%s/%s" % (folder, name),
                  name if folder == replies.WITH_ID else None, driver)
          for name, driver in children]


def _outer(path):
  """Name the outer one of a virtio device's two objects."""
  return path[:-len(_INNER)] if path.endswith(_INNER) else path


class _Look(object):
  """One look at a QEMU.

  A question takes QEMU about as long as an answer that holds everything, so of
  a device only that is asked which no list tells.

  """
  def __init__(self, execute, disks, kept):
    """Ask for what the lists do not tell.

    @type execute: L{device_lists.Look}
    @type disks: dict
    @param disks: file to the id that Ganeti gives a disk
    @param kept: see L{properties.Properties}

    """
    self._execute = execute
    self._disks = disks
    lists = execute.lists
    # bus and address to what query-pci tells
    self._functions = pci_functions.details(lists.pci)
    self._drives = replies.drives(execute("query-block", None))
    self._options = _listed(replies.WITH_ID, lists.with_id) + \
      _listed(replies.WITHOUT_ID, lists.without_id)
    unattached = _listed(replies.UNATTACHED, device_lists.children(
      execute, replies.UNATTACHED))
    # path to type
    self._types = dict((device.path, device.driver)
                       for device in self._options + unattached)
    unnamed = [(device.path, device.driver)
               for device in self._options + unattached if not device.id]
    # vCPUs are counted elsewhere
    if any(topology_.is_cpu(device.driver) for device in self._options):
      vcpus = vcpus_.paths(execute)
      self._options = [device for device in self._options
                       if device.path not in vcpus]
    self._properties = properties_.Properties(
      execute, _OF_ALL | _OF_VIRTIO, unnamed,
      dict((_outer(drive.path), drive.name) for drive in self._drives), kept)
    # bus in the object model to its name here
    self._buses = {}
    self._made = [device for device in unattached
                  if device.driver.startswith((_USB, _SOUND))]
    self._ports = {}

  def parts(self):
    """Tell all devices.

    @rtype: list of L{Part}

    """
    self._ports = self._usb_ports()
    owners = dict((drive.path, drive) for drive in self._drives)
    # a device's drive is its own, or that of the part of it that is virtio's
    named = self._addressed()
    found = []
    for device in self._options:
      drive = owners.pop(device.path, None) or \
        owners.pop(device.path + _INNER, None)
      location, wanted = named.get(device.path, (None, _OF_ALL))
      if device.driver.startswith(_VIRTIO):
        wanted = wanted | _OF_VIRTIO
      told = self._properties.of(device.path, device.driver, wanted)
      location = location or self._address(device, told)
      found.append(self._part(found, device, location, told, drive))
    found.extend(self._builtin(found, owners))
    known = set((part.bus, part.address) for part in found)
    found[:0] = [Part(where[0], where[1], function.model, None, function.id,
                      None, None, None)
                 for where, function in self._functions.items()
                 if where not in known]
    return [part._replace(mapped=self._functions[part.bus, part.address].mapped)
            if (part.bus, part.address) in self._functions else part
            for part in found]

  def _builtin(self, known, owners):
    """Tell what no option names: it has a drive, or is on USB, or plays.

    @type owners: dict
    @param owners: path to L{replies.Drive}

    """
    drivers = [(path, self._types.get(path) or
                queries.get(self._execute, path, "type"))
               for path in sorted(owners, key=replies.age)]
    # for a moment, a drive still names a device that was removed
    devices = [_Listed(path, None, driver) for path, driver in drivers
               if driver]
    devices += [device for device in self._made if device.path not in owners]
    found = []
    for device in devices:
      told = self._properties.of(device.path, device.driver, _OF_ADDRESS)
      found.append(self._part(
        known + found, device, self._address(device, told), told,
        owners.get(device.path))._replace(builtin=True))
    return found

  def _part(self, known, device, location, told, drive):
    """Make one part.

    @type known: list of L{Part}
    @param known: those before it
    @type location: tuple (string, tuple of ints), or None

    """
    function = self._functions.get(location)
    bus, where = location or (None, (len([
      part for part in known
      if part.bus is None and part.driver == device.driver]), ))
    # which disc is in a CD-ROM drive is the user's affair
    backend, size = told.get("netdev") or None, None
    if drive and not drive.removable:
      backend, size = drive.name, drive.size
      if not ids.is_ours(backend):
        backend = self._disks.get(drive.file, backend)
    return Part(bus, where,
                function.model if function else None,
                device.driver, device.id, backend, told.get("mac"), size,
                queues=told.get("num-queues", told.get("num_queues")),
                mq=told.get("mq"), vectors=told.get("vectors"),
                acpi_index=told.get("acpi-index"),
                host_mtu=told.get("host_mtu"))

  def _addressed(self):
    """Tell which devices C{query-pci} names, and what it leaves to be asked.

    @rtype: dict
    @return: the device's path to its address and a frozenset of properties

    """
    found = {}
    for location, function in self._functions.items():
      # only a bridge with an id names the bus behind it
      if function.id and location[0]:
        found["%s/%s" % (replies.WITH_ID, function.id)] = (
          location, _OF_NICS if function.is_nic else frozenset())
    return found

  def _address(self, device, told):
    """Tell a device's bus and address; None if it has none.

    """
    path = told.get("parent_bus")
    if not path:
      return None
    try:
      if "scsi-id" in told:
        missing = sorted(_OF_SCSI - frozenset(told))
        if missing:
          raise MonitorError("unexpected reply to QMP command qom-list: %s has"
                             " scsi-id, but no %s" %
                             (device.path, " and no ".join(missing)))
        return (self._bus(path), (told["channel"], told["scsi-id"],
                                  told["lun"]))
      if "addr" in told:
        return (path.rpartition("/")[2], address.from_devfn(told["addr"]))
    except AddressError as err:
      raise MonitorError("unexpected reply to QMP command qom-get: %s" % err)
    for name in ("unit", "nr"):
      if name in told:
        return (self._bus(path), (told[name], ))
    if "port" in told:
      port = str(told["port"]) or self._ports.get(device.path)
      return None if not port else \
        (self._bus(path), tuple(int(n) for n in port.split(".")))
    return None

  def _bus(self, path):
    """Name a bus by its controller's address and its number there.

    The names that QEMU gives depend on ids, and two may have the same.

    @param path: in the object model
    @rtype: string

    """
    if path not in self._buses:
      owner, _, name = path.rpartition("/")
      owner, driver = _outer(owner), None
      location = self._properties.controller(owner)
      if not location:
        driver = self._types.get(owner) or self._execute(
          "qom-get", {"path": owner, "property": "type"})
        location = self._address(_Listed(owner, None, driver), self._properties.
                                 of(owner, driver, _OF_ADDRESS))
      self._buses[path] = "/".join(
        ([location[0], ".".join("%d" % n for n in location[1])] if location
         else [driver]) + [name.rpartition(".")[2]])
    return self._buses[path]

  def _usb_ports(self):
    """Tell on which ports USB devices are; the object model tells only those
    that an option has chosen.

    @rtype: dict
    @return: path to port

    """
    devices = [device for device in self._made + self._options
               if device.driver.startswith(_USB)]
    if not devices:
      return {}
    lines = replies.usb_ports(self._execute(
      "human-monitor-command", {"command-line": "info usb"}))
    by_id = dict((line.id, line.port) for line in lines if line.id)
    found = dict((device.path, by_id[device.id]) for device in devices
                 if device.id in by_id)
    # those without id are in the order of their creation; hubs are made when
    # the ports run out
    unnamed = [line.port for line in lines if not line.id]
    hubs = set(line.port.rpartition(".")[0] for line in lines)
    for ports, members in (
        ([port for port in unnamed if port in hubs],
         [d for d in devices if not d.id and d.driver == "usb-hub"]),
        ([port for port in unnamed if port not in hubs],
         [d for d in devices if not d.id and d.driver != "usb-hub"])):
      if len(ports) == len(members):
        found.update((device.path, port)
                     for device, port in zip(members, ports))
    return found


def topology(execute, disks=None, kept=None, earlier=None):
  """Ask for the devices that the guest sees.

  @type disks: dict or None
  @param disks: file to the id that Ganeti gives a disk, for those that QEMU
      has under another name
  @param kept: see L{properties.Properties}; None for C{execute}'s own
  @param earlier: see L{device_lists.unchanging}
  @rtype: list of L{topology.Part}
  @return: what QEMU makes by itself, what has an id, what has none, in the
      order of creation, what QEMU's own controllers have (C{-drive if=ide})
  @raise MonitorError: if QEMU does not tell

  """
  return device_lists.unchanging(
    execute, lambda look: _Look(look, disks or {}, kept or look.keep).parts(),
    earlier)
