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

"""What plan says of the names of NICs that go by a number (acpi-index)."""

from .. import qemu_version
from ..bus import root_ports
from ..node import installation
from ..qemu import acpi_index
from ..qemu import name_conflicts
from ..qemu import q35
from ..runtime import upgrade


def _numbers(loaded):
  return [(nic.get("hvinfo") or {}).get(acpi_index.KEY) for nic in loaded.nics]


class NicNames(object):
  """The numbers of an instance's NICs, before and after its next cold boot.

  @ivar is_named: bool or None, whether NICs get one; None if it is as before
  @ivar remarks: list of strings, what to say of that

  """
  def __init__(self, loaded, instance, version, is_planned, qemu):
    """Find out what the next cold boot does.

    @type loaded: L{serialized.Runtime}
    @param loaded: laid out for the machine type that is planned for
    @type instance: string
    @param instance: its name
    @param version: of the Ganeti that starts it
    @type is_planned: bool
    @param is_planned: whether to plan for the tag, whoever has it
    @type qemu: string or None
    @param qemu: the program that starts it, if it may be asked

    """
    self._before = _numbers(loaded)
    self.remarks = []
    self._loaded = loaded
    is_shared = q35.partition(loaded.hvparams, loaded.words).is_shared
    tags = installation.instance_tags(instance)
    is_wanted = is_planned or acpi_index.is_wanted(tags)
    if not upgrade.has_hvinfo(version):
      self.is_named = False
      return
    # nobody says that it is older than what has it
    found = qemu and qemu_version.version(qemu) or \
      acpi_index.SINCE_BEHIND_PORTS
    self.is_named = acpi_index.is_there(is_shared, is_wanted, found)
    if (is_wanted or not is_shared) and not self.is_named:
      self.remarks.append(
        "NICs get no acpi-index: QEMU %d.%d does not have it (6.0 or later on"
        " pc, 6.1 on q35)" % found)
    elif is_shared and tags is None and not is_wanted:
      self.is_named = None if self._is_of_pc() else False
      if any(self._before):
        self.remarks.append(
          "whether the instance has the tag %s is not known here (only master"
          " candidates have the configuration): plan --acpi-index plans for it"
          % acpi_index.TAG)

  def _is_of_pc(self):
    """Tell whether the NICs are on pci.0 now."""
    return not any(root_ports.number_of((nic.get("hvinfo") or {}).get("bus"))
                   for nic in self._loaded.nics)

  def check(self):
    """Look whether a device of kvm_extra has a name of Ganeti's.

    @raise NameTakenError: if one has

    """
    loaded = self._loaded
    name_conflicts.check(q35.partition(loaded.hvparams, loaded.words),
                         loaded.words, loaded.hvparams.get("kvm_extra"),
                         loaded.configs)

  def compare(self, part, is_other_bus):
    """Say what has changed, once the devices are laid out.

    @type part: L{pools.Partition}
    @param part: as L{layout.lay_out} has filled it
    @type is_other_bus: bool
    @param is_other_bus: whether the NICs come to another bus

    """
    after = _numbers(self._loaded)
    for at, (old, new) in enumerate(zip(self._before, after)):
      if old != new:
        self.remarks.append(
          "NIC %d: %s now, %s after the boot: %s" % (
            at, _show(old), new if new and not old else _show(new),
            "the guest may call it eno%d" % new if new else
            "the guest names it after its %s" % part.unit))
      elif new and is_other_bus:
        self.remarks.append("NIC %d keeps %s: eno%d, if the guest calls it so"
                            % (at, _show(new), new))
      elif not new and any(after):
        self.remarks.append("NIC %d gets no acpi-index: it is borrowed, or"
                            " kvm_extra has the number" % at)


def _show(number):
  return "acpi-index %d" % number if number else "no acpi-index"
