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

"""QEMU's texts as data: its command line, its replies, its errors; pure.

  - L{ids}: the ids under which QEMU has disks and NICs
  - L{option}, L{command}: the command line
  - L{machine_type}, L{scsi_devices}: the machine type, and the SCSI devices, in
    it
  - L{machine_type_expiry}: when QEMU removes a version of a machine type
  - L{config_file}, L{named_slots}: a file with more of it; the slots that it
    names
  - L{reply_shapes}, L{pci_functions}, L{replies}: what replies must look like,
    and what they mean
  - L{net_clients}: its netdevs and NICs, in the human monitor's words
  - L{start_error}: what QEMU's complaints mean
  - L{refusals}: why a QMP command failed
  - L{removed_options}, L{renewal}: the options that QEMU has removed; their
    successors in a command
  - L{creation_order}: Ganeti's devices created before those that QEMU places
  - L{overflow}: what does not fit into QEMU's range, addressed before a start
  - L{q35}, L{ide_units}: the root ports of a q35 guest, and its IDE disks
  - L{name_conflicts}: ids and numbers of Ganeti's in the options of kvm_extra
  - L{io_windows}: how many root ports its firmware can boot with
  - L{q35_errors}: what QEMU's complaints about slots mean there
  - L{unknown_option}: what keeps a guest from a node without the plugin
  - L{explicit}: explicit addresses for QEMU's own devices
  - L{device_tree}: the properties of all devices, in one answer
  - L{topology}: the devices that a guest sees; L{board}, L{ram_blocks}: what it
    has beside them; memory, firmware and ROMs in it
  - L{acpi_index}: the number by which it may name a NIC
  - L{guest_names}: what a guest calls its disks and NICs
  - L{release}: which QEMU it is
  - L{smp}: how many vCPUs a command makes

"""
