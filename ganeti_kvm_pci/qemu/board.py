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

"""What a guest has beside its devices: CPU, memory, firmware, ISA devices.

Only that is refused which the guest would notice, or which ends the target's
QEMU when the guest arrives. More possible vCPUs, a larger maximum of memory, or
what the target has in excess, QEMU takes (measured with 7.2).

"""

import collections

from . import ram_blocks

#: What is beside the devices; None where QEMU, or an older release, does not
#: tell.
#:   - cpu: string, the type of the vCPUs in the object model
#:   - apic_id: int, of the last vCPU; sockets, cores and threads decide it
#:   - memory_slots: int, for memory that is hot-added; 0 for none
#:   - isa: dict, type to number, of L{ISA}
#:   - blocks: dict, name to L{ram_blocks.Block}
Board = collections.namedtuple("Board", ["cpu", "apic_id", "memory_slots",
                                         "isa", "blocks"])
Board.__new__.__defaults__ = (None, None, None, None, None)

#: What the machine type and its options make, and QEMU sends ("Unknown savevm
#: section" where the target has it not), with the option. In all of QEMU 5.2
#: to 11.1, they are in /machine/unattached.
ISA = collections.OrderedDict([
  ("hpet", "-machine hpet=off, -no-hpet"),
  ("isa-fdc", "-drive if=floppy"),
  ("isa-parallel", "-parallel"),
  ("isa-serial", "-serial"),
  ("vmmouse", "-machine vmport=off"),
  ])

_BOOT = "shut the instance down and start it"
_EITHER = "%s, or move it by gnt-instance failover" % _BOOT


def _model(cpu):
  """Name a type as C{-cpu} does."""
  name, dash, rest = cpu.rpartition("-cpu")
  return name.rpartition("-")[0] or cpu if dash and not rest else cpu


def differences(source, target, here, there, is_like=True):
  """List in what a guest and the QEMU that waits for it differ.

  @type source: L{Board} or None
  @type target: L{Board} or None
  @type here: list of L{topology.Part}
  @param here: the source's devices
  @type there: list of L{topology.Part}
  @param is_like: whether both have the same number of vCPUs
  @rtype: list of strings

  """
  if source is None or target is None:
    return []
  found = []
  if None not in (source.cpu, target.cpu) and source.cpu != target.cpu:
    found.append(
      "CPU model: %s on the source, %s on the target: the guest would find"
      " another CPU; give QEMU the same on both nodes (cpu_type, -cpu in"
      " kvm_extra) and %s" %
      (_model(source.cpu), _model(target.cpu), _EITHER))
  if is_like and None not in (source.apic_id, target.apic_id) and \
      source.apic_id != target.apic_id:
    found.append(
      "vCPUs: the last has APIC id %d on the source, %d on the target: sockets,"
      " cores and threads differ; give QEMU the same on both nodes (cpu_cores,"
      " cpu_threads, cpu_sockets, -smp in kvm_extra) and %s" %
      (source.apic_id, target.apic_id, _EITHER))
  if None not in (source.memory_slots, target.memory_slots) and \
      source.memory_slots != target.memory_slots:
    found.append(
      "memory slots: %d on the source, %d on the target; give QEMU the same on"
      " both nodes (-m ...,slots=N in kvm_extra) and %s" %
      (source.memory_slots, target.memory_slots, _EITHER))
  for driver, option in ISA.items():
    if None in (source.isa, target.isa):
      break
    one, other = source.isa.get(driver, 0), target.isa.get(driver, 0)
    if one > other:
      found.append(
        "%s: %d on the source, %d on the target; give QEMU the same options on"
        " both nodes (%s) and %s" % (driver, one, other, option, _EITHER))
  if None not in (source.blocks, target.blocks):
    found.extend(ram_blocks.differences(source.blocks, target.blocks, here,
                                        there))
  return found
