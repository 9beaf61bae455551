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

"""A runtime file in the form of a Ganeti version: same guest, newer form.

Ganeti is upgraded while guests run, and does not touch their runtime files;
each version reads what the older ones wrote, and brings it up to date as it
loads it. Here the same is done, with what Ganeti misses. What QEMU would be
given stays the same to the last byte that matters: the slots, the ids that
QEMU knows, the order of the command.

"""

import uuid

from ..bus import address
from ..bus import scsi_ids
from ..bus.pools import DISK
from ..bus.pools import NIC
from ..errors import RuntimeFileError
from ..qemu import command as command_
from ..qemu import ids
from ..qemu import option as option_
from ..qemu import renewal
from . import device_entry
from . import device_table

#: The first version with C{hvinfo}, and the first that adds -chroot (or
#: -run-with) at each start instead of keeping it in the runtime file.
_HVINFO = (2, 16)
_CHROOT_AT_START = (3, 1)

#: Parameters that Ganeti's hot-add expects in a runtime file (KeyError if
#: missing) or that a migration target takes from the configuration: with values
#: that say what QEMU does where nothing is said (QEMU 1.7 to 11.1), so that a
#: running guest does not change.
#: Each with the first version that knows it.
_NEUTRAL = [((2, 8), "vnet_hdr", True), ((2, 12), "disk_aio", "threads"),
            ((2, 12), "virtio_net_queues", 1)]
_DISCARD = "disk_discard"

#: The parameter of Ganeti's master (pull request 1953) by which disks are
#: served by threads of their own, and have queues; its number says nothing:
#: 3.2.0~alpha1 is with and without. Where it is missing, the guest was started
#: without, whatever the configuration says by now.
IOTHREADS = "virtio_disk_iothreads"

#: The options that name such a thread.
IOTHREAD_KEYS = frozenset(["iothread", "iothread-vq-mapping"])

#: The first version that may have it.
IOTHREADS_SINCE = (3, 2)


def has_hvinfo(version):
  """Tell whether a version keeps addresses as C{hvinfo}.

  @type version: tuple of two ints
  @rtype: bool

  """
  return version >= _HVINFO


def normalise(runtime, version, has_iothreads=None):
  """Bring a runtime into the form of a Ganeti version.

  What is in that form stays as it is.

  @type runtime: L{serialized.Runtime}
  @param runtime: is changed in place
  @type version: tuple of two ints
  @param version: e.g. C{(3, 0)}
  @type has_iothreads: bool or None
  @param has_iothreads: whether it has virtio_disk_iothreads; None if only its
      version is known
  @rtype: list of strings
  @return: what was changed, for an administrator
  @raise RuntimeFileError: if that version cannot have it

  """
  changes = []
  if has_iothreads is False or version < IOTHREADS_SINCE:
    _check_iothreads(runtime)
  if runtime.entries < 4:
    runtime.entries = 4
    changes.append("a list of disks, as Ganeti 2.10 and later expect")
  for index, nic in enumerate(runtime.nics):
    if not nic.get("uuid"):
      nic["uuid"] = lasting_uuid(runtime.instance, nic.get("mac"))
      changes.append("nic %d: uuid %s" % (index, nic["uuid"]))
  disks = [entry[0] for entry in runtime.disks]
  for device_class, entries in ((DISK, disks), (NIC, runtime.nics)):
    for index, entry in enumerate(entries):
      name = "%s %d" % (device_class, index)
      if not has_hvinfo(version):
        if entry.get("hvinfo"):
          raise RuntimeFileError(
            runtime.source, "%s has its address as Ganeti 2.16 and later write"
            " it; ganeti-kvm-pci downgrade makes it readable" % name)
      elif entry.get("hvinfo") is None and not (
          device_class == DISK and device_entry.is_without_device(entry)):
        changes.extend(_add_hvinfo(runtime, device_class, name, entry))
  changes.extend(_parameters(runtime.hvparams, version))
  if has_iothreads and IOTHREADS not in runtime.hvparams:
    runtime.hvparams[IOTHREADS] = 0
    changes.append("parameter %s=0" % IOTHREADS)
  if has_hvinfo(version):
    changes.extend(_options(runtime.command, version))
  return changes


def controllers_with_iothread(runtime):
  """Find Ganeti's SCSI controller in the command, if a thread serves it.

  @type runtime: L{serialized.Runtime}
  @rtype: list of ints
  @return: the position of its option; a user's own names what he has created

  """
  words = runtime.words
  text = "\0".join(words)
  if "iothread" not in text and "\0{" not in text: # nearly always
    return []
  extra = command_.words_of(runtime.hvparams.get("kvm_extra"))
  return [option.position for option in command_.devices(words)
          if option.id == scsi_ids.CONTROLLER and
          words[option.position] not in extra and
          IOTHREAD_KEYS.intersection(option_.keys(words[option.position]))]


def _check_iothreads(runtime):
  """Make sure that no device needs a thread that Ganeti does not create."""
  found = ["%s %d" % (DISK, index) for index, entry in enumerate(runtime.disks)
           if IOTHREAD_KEYS.intersection(entry[0].get("hvinfo") or ())]
  if controllers_with_iothread(runtime):
    found.append("the SCSI controller")
  if found:
    raise RuntimeFileError(
      runtime.source, "%s: served by an iothread, which this Ganeti does not"
      " create; run ganeti-kvm-pci downgrade --to 3.1 on the node where the"
      " guest runs, or shut the instance down and start it here" %
      ", ".join(found))


def lasting_uuid(instance, mac):
  """Make up a uuid that is the same whenever the runtime file is read.

  Up to 2.7, NICs have none. It follows from the instance and the MAC address,
  which does not change while the guest runs.

  @type instance: string
  @param instance: its name
  @type mac: string or None
  @rtype: string

  """
  text = "%s/%s" % (instance, mac or "")
  # the one form that uuid takes on any Python, whatever is in the text
  text = str(text.encode("ascii", "backslashreplace").decode("ascii"))
  return str(uuid.uuid5(uuid.NAMESPACE_OID, text))


def _add_hvinfo(runtime, device_class, name, entry):
  """Turn C{pci} into C{hvinfo}; the id is the one that QEMU knows.

  """
  hvinfo = {}
  slot = entry.pop("pci", None)
  if slot is not None:
    hvinfo["driver"] = device_table.driver(device_class, runtime.hvparams)
    hvinfo["id"] = ids.old_id(device_class, entry.get("uuid"), slot)
    # up to 2.15, disks of all types have a slot, which but virtio's not use
    if device_table.is_on_pci(device_class, runtime.hvparams):
      hvinfo["bus"] = address.BUS
      hvinfo["addr"] = address.unparse(slot)
  entry["hvinfo"] = hvinfo
  if slot is None:
    return ["%s: no slot of its own" % name]
  return ["%s (%s): pci %d to hvinfo" % (name, hvinfo["id"], slot)]


def _parameters(hvparams, version):
  """Add the parameters that a runtime file of an older version lacks."""
  changes = []
  for since, name, value in _NEUTRAL:
    if version >= since and name not in hvparams:
      hvparams[name] = value
      changes.append("parameter %s=%s" % (name, value))
  if has_hvinfo(version):
    # 3.1 knows no "default" any more, and calls the same "ignore"
    wanted = "ignore" if version >= _CHROOT_AT_START else "default"
    if hvparams.get(_DISCARD, "default") == "default" and \
        hvparams.get(_DISCARD) != wanted:
      hvparams[_DISCARD] = wanted
      changes.append("parameter %s=%s" % (_DISCARD, wanted))
  return changes


def _options(command, version):
  """Replace options as this version does, or adds anew at each start."""
  command[:], changes = renewal.renew(command, None)
  if version >= _CHROOT_AT_START:
    # backwards, because what stands before a change keeps its position
    for at in reversed(range(len(command) - 1)):
      if command[at] == "-chroot" and device_entry.is_text(command[at + 1]):
        del command[at:at + 2]
        changes.append("-chroot left to each start")
  return changes
