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

"""What a reboot changes in the runtime file.

QEMU starts anew: disks and NICs get the slots of their pools, and what
Ganeti's configuration no longer has is removed.

"""

import logging

from ganeti import errors

from . import chipset
from . import config_reader
from . import machine_version
from . import qemu_version
from . import unmet_tags
from .bus import frozen
from .qemu import acpi_index
from .runtime import configuration
from .runtime import disk_links
from .runtime import layout


def lay_out(instance, loaded, version):
  """Assign addresses to the devices of a runtime file that is about to boot.

  @type loaded: L{serialized.Runtime}
  @param loaded: is changed
  @type version: tuple of two ints
  @param version: of this Ganeti
  @raise BusFullError: if they do not fit
  @raise errors.HypervisorError: if the disks cannot be linked, or QEMU does not
      have the machine type; QEMU still runs

  """
  config_reader.fill(loaded)
  lack = machine_version.lack(loaded)
  if lack:
    raise errors.HypervisorError(
      "Instance %s is not rebooted, and goes on: %s; shut the instance down and"
      " start it: without machine_version, and a type in kvm_extra, it gets the"
      " newest" % (instance.name, lack))
  if not chipset.applies(loaded.words, loaded.hvparams):
    return
  gaps = None
  configured = configuration.of(instance)
  if configured is None:
    configuration.guess_order(loaded)
  else:
    removed, gaps = configuration.apply_to(loaded, configured)
    if removed:
      logging.warning("Instance %s: removed from the runtime file, because"
                      " Ganeti's configuration no longer has it: %s",
                      instance.name, ", ".join(removed))
    _relink(instance, loaded, configured)
  tags = frozen.of(instance)
  moves = layout.lay_out(loaded, version, instance.hvparams.get(
    "kvm_pci_reservations"), gaps, _is_named(loaded), tags)
  unmet_tags.tell(instance, tags)
  for move in moves:
    logging.info("Instance %s: %s moves from %s %s to %s %s",
                 instance.name, move.id or move.device_class, move.unit,
                 move.old, move.unit, move.new)


def _is_named(loaded):
  """Tell whether NICs keep their numbers, see L{acpi_index}.

  @rtype: bool or None
  @return: None if it is as before; False if QEMU was replaced by one that has
      none

  """
  if not any((nic.get("hvinfo") or {}).get(acpi_index.KEY)
             for nic in loaded.nics):
    return None
  found = qemu_version.version(loaded.words[0])
  return False if found and found < acpi_index.SINCE else None


def _relink(instance, loaded, configured):
  """Have each disk's link in a runtime file lead to that disk's data.

  Hotplug makes links by the indices of that moment (see L{disk_links}); a link
  that the runtime file names may lead to another disk by now.

  @type configured: L{configuration.Configuration}
  @raise errors.HypervisorError: if that cannot be; nothing has changed

  """
  inside = disk_links.inside(loaded)
  unclaimed = disk_links.unclaimed(loaded, configured.disks)
  if inside and inside != unclaimed:
    raise errors.HypervisorError(
      "Instance %s is not rebooted, and goes on: its command names disks %s,"
      " and by Ganeti's configuration these would be disks %s now: shut the"
      " instance down and start it" %
      tuple([instance.name] + [", ".join(str(index) for index in indices) or
                               "none" for indices in (inside, unclaimed)]))
  disk_links.follow(loaded, configured.disks)
  # which imports the hypervisors
  from ganeti import backend
  try:
    # what a cold boot does
    backend._GatherAndLinkBlockDevs(instance) # pylint: disable=W0212
  except errors.GenericError as err:
    raise errors.HypervisorError(
      "Instance %s is not rebooted, and goes on: its disks' data cannot be"
      " linked: %s" % (instance.name, err))
