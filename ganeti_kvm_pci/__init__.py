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

"""Partitioned PCI bus for Ganeti's KVM instances.

The way of the data, each folder importing only from those above it; C{bus},
C{qemu} and C{runtime} touch no socket, no file and no Ganeti:

  - L{errors}, L{clock}: what can go wrong; seconds that only grow
  - L{bus}: which slot of pci.0, or root port, a device gets
  - L{qemu}: QEMU's texts as data: its command line, its replies, its errors
  - L{runtime}: Ganeti's runtime file: what is in it, and what is to be in it
  - L{qmp}: a running QEMU, asked and changed
  - the subclass of Ganeti's C{KVMHypervisor}:
      - L{config_reader}: the files that a command has QEMU read
      - L{chipset}: whether an instance has the bus that is partitioned
      - L{machine_version}: the version of its machine type, which stays
      - L{process}, L{qemu_program}, L{qemu_version}, L{qemu_log}: what a QEMU
        was given; what a program prints, and which version it is; its log
      - L{instance_lock}, L{cooldown}: one operation on an instance at a time,
        and no slot used again at once
      - L{temporary}, L{leftovers}: half-written files; what else there is of an
        instance, and when it goes
      - L{kept_answers}, L{printed_help}: what a program answers alike each
        time; what a QEMU prints of itself
      - L{sent_devices}, L{elsewhere}: what a migration was prepared with; what
        is to be done with one that runs, wholly or in part, on another node
      - L{time_limit}, L{pending_unplugs}: how long a guest may take to complete
        an unplug, and those that took longer
      - L{outdated_options}, L{start}, L{reboot}: options that this node's QEMU
        no longer has; one start of QEMU; what a reboot changes in the runtime
        file
      - L{compat}, L{hmp_compat}, L{versions}: how Ganeti's releases differ, and
        which this one is
      - L{operation}: what one operation holds: lock, connection, runtime file
      - L{access}: how Ganeti's methods reach an instance
      - L{verification}: whether QEMU has what was hot-added
      - L{unmet_tags}: tags that keep no slot, in the log
      - L{settling}, L{reconcile}: the runtime file against QEMU
      - L{conditions}, L{presence}: what must be so before a device is added or
        removed; whether it is there
      - L{hotplug}, L{nic_modification}, L{migration}, L{departure},
        L{incoming}, L{arrival}, L{cleanup}, L{cold_boot}, L{hypervisor}: the
        operations
  - L{node}: what the plugin is on a node: files, Ganeti, and the way into it
  - L{cli}: the command

Into Ganeti's tree go the folders down to the subclass (C{patches/}).

"""

__version__ = "0.1.0"
