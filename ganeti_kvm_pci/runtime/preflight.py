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

"""Whether a running guest can migrate from one node to another, and why not.

Of what the two nodes say (C{ganeti-kvm-pci facts}); nothing is asked here. What
is refused here, Ganeti, the plugin or QEMU would refuse at the migration; where
it is not certain, it is a warning.

"""

from ..bus.pools import DISK
from ..qemu import acpi_index
from ..qemu import ids
from ..qemu import machine_type
from . import disk_links

OK = "ok"
WARNING = "warning"
REFUSED = "refused"
#: A node did not answer.
UNKNOWN = "unknown"

#: By rising weight.
_VERDICTS = [OK, WARNING, REFUSED, UNKNOWN]

_COLD_BOOT = "shut the instance down and start it"


def worst(verdicts):
  """Return the gravest of some verdicts.

  @type verdicts: list of strings
  @rtype: string

  """
  return max([OK] + verdicts, key=_VERDICTS.index)


class Reasons(object):
  """Why a guest cannot, or should not, migrate to a node.

  @ivar found: list of dicts, C{verdict} and C{text}

  """
  def __init__(self):
    self.found = []

  def add(self, verdict, text):
    self.found.append({"verdict": verdict, "text": text})

  def verdict(self):
    """Return what they amount to."""
    return worst([reason["verdict"] for reason in self.found])


def of_guest(guest, uuids, jobs):
  """Find what keeps a guest where it is, whatever the target.

  @type guest: dict
  @param guest: see C{facts} in doc/output.rst
  @type uuids: list of strings, or None
  @param uuids: its disks in Ganeti's configuration, by index; None if unknown
  @type jobs: list of strings
  @param jobs: Ganeti's jobs on the instance that have not ended
  @rtype: L{Reasons}

  """
  found = Reasons()
  if guest["is_leaving"]:
    found.add(WARNING, "it is migrating now; ask again when that has ended")
  for problem in guest["problems"]:
    found.add(REFUSED, problem)
  if uuids is not None and guest["disks"] is not None:
    for problem in disk_links.problems(guest["disks"], guest["inside"], uuids):
      found.add(REFUSED, problem)
  for name in guest["requested"]:
    found.add(WARNING, "the removal of %s is not completed: the guest can do so"
              " on the target as well; until then, do not delete a disk"
              " that it has" % name)
  if guest["is_busy"]:
    found.add(WARNING, "another operation on its devices holds its lock on this"
              " node; a migration waits for it")
  for job in jobs:
    found.add(WARNING, "Ganeti's job %s has not ended; a migration waits for"
              " it" % job)
  return found


def of_target(guest, source, target):
  """Find what keeps a guest from one target.

  @type guest: dict
  @param guest: see L{of_guest}
  @type source: dict
  @param source: what its node says of itself: C{node} of C{facts}, with
      C{qemus}
  @type target: dict
  @param target: what the other node says
  @rtype: L{Reasons}

  """
  found = Reasons()
  qemu = target["qemus"].get(guest["qemu"])
  if qemu is None:
    found.add(WARNING, "%s, with which it was started, was not looked at there:"
              " its kvm_path is another now" % guest["qemu"])
  elif not qemu["is_there"]:
    found.add(REFUSED, "%s, with which it was started, is not on that node;"
              " install it there" % guest["qemu"])
  elif qemu["error"]:
    found.add(WARNING, "%s does not tell its machine types there: %s" % (
      guest["qemu"], qemu["error"]))
  else:
    _check_type(found, guest, source, qemu)
    _check_version(found, guest, target, qemu)
  _check_plugin(found, guest, source, target)
  return found


def _show(version):
  return "QEMU %d.%d" % tuple(version)


def _check_type(found, guest, source, qemu):
  """Compare the machine type with those of the target's QEMU."""
  runs = guest["machine_type"]
  if runs is None or not qemu["machine_types"]:
    return
  has = _show(qemu["version"]) if qemu["version"] else "its QEMU"
  if runs not in qemu["machine_types"]:
    found.add(REFUSED, "its machine type %s is unknown to %s (%s) there; set a"
              " machine_version that both nodes have, and %s, or install on the"
              " target a QEMU that has it" % (runs, has, guest["qemu"],
                                              _COLD_BOOT))
    return
  if source["loaded"]:
    return # the name of what runs is sent
  written = guest["written_type"] or qemu["default"]
  made = qemu["aliases"].get(written, written)
  if made is not None and made != runs:
    found.add(REFUSED, "its machine type is %s, its command names %s, which is"
              " %s with %s there; enable the plugin on the node where it runs"
              " (ganeti-kvm-pci enable --restart), which sends the former" % (
                runs, guest["written_type"] or "none", made, has))


def _check_version(found, guest, target, qemu):
  """Compare the guest's QEMU and options with the target's QEMU."""
  version = qemu["version"]
  if version is None:
    found.add(WARNING, "%s there does not tell its version" % guest["qemu"])
    return
  if guest["qemu_version"] and version < guest["qemu_version"]:
    found.add(WARNING, "it runs in %s, and %s there is older: QEMU does not"
              " promise that a guest can move back; try one that may fail" % (
                _show(guest["qemu_version"]), _show(version)))
  for option in guest["removed_options"]:
    if version < option["removed"]:
      continue
    by_plugin = target["loaded"] and option["since"] is not None and \
      version >= option["since"]
    if not (by_plugin or option["by_ganeti"]):
      found.add(REFUSED, option["text"] if option["since"] is None else
                "%s; the plugin on the target would replace it, and is off"
                % option["text"])
  if guest["has_acpi_index"] and version < list(acpi_index.SINCE):
    found.add(REFUSED, "its NICs have an acpi-index, and %s there has none"
              " (%s and later have); %s without the tag %s" % (
                _show(version), _show(acpi_index.SINCE), _COLD_BOOT,
                acpi_index.TAG))


def _check_plugin(found, guest, source, target):
  """Look at the plugin on both nodes."""
  if not target["loaded"]:
    enable = "enable it there (ganeti-kvm-pci enable --restart)"
    if guest["chipset"] == machine_type.Q35 and not target["knows_q35"]:
      found.add(REFUSED, "it is a q35 guest, and the plugin is off there; %s" %
                enable)
    else:
      found.add(WARNING, "the plugin is off there, so nobody compares the"
                " target's devices with the guest's; %s" % enable)
  elif target["stale"]:
    found.add(WARNING, "the node daemon there has an older copy of the plugin;"
              " restart it (ganeti-kvm-pci enable --restart)")
  elif source["loaded"] and numbers(target["package"]) < \
      numbers(source["package"]):
    found.add(WARNING, "the plugin there is %s, older than the %s of the node"
              " where it runs" % (target["package"], source["package"]))


def numbers(version):
  """Turn a version of the package into what can be compared.

  @type version: string
  @rtype: list of ints

  """
  return [int(part) for part in version.split(".") if part.isdigit()]


def of_disks(runtime):
  """Tell of a runtime file what L{of_guest} compares with the configuration.

  @type runtime: L{serialized.Runtime}
  @rtype: tuple (list of strings, list of ints)
  @return: uuids, and L{disk_links.inside}

  """
  return ([entry[0]["uuid"] for entry in runtime.disks],
          disk_links.inside(runtime))


def name_of(table, device_id):
  """Name a device for a person.

  @type table: L{device_table.DeviceTable}
  @param device_id: QEMU's id of it
  @rtype: string

  """
  for device in table.devices:
    if device.id and ids.is_same(device.id, device_id) and \
        device.index is not None:
      return "%s %d (%s)" % ("disk" if device.device_class == DISK else "nic",
                             device.index, device_id)
  return device_id
