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

"""A running QEMU, asked and changed through a function that reaches it.

  - L{queries}, L{inventory}: what QEMU has; the devices that a guest sees
  - L{device_lists}, L{properties}: which devices QEMU has, their properties
  - L{vcpus}: how many vCPUs the guest has, and which devices these are
  - L{board}: CPU model, memory and firmware, which a target must have alike
  - L{running_type}: the machine type that it really is
  - L{acpi_indices}: the numbers by which the guest may name NICs
  - L{unplug}: the removal of a device, as far as the guest takes part
  - L{backends}: what remains in QEMU of a device that was removed
  - L{block_layer}: the block nodes and drives, and who uses them
  - L{block_jobs}: whether somebody copies or merges a disk just now
  - L{ejected}: what a guest that moves ejected by itself
  - L{client}, L{bounded_socket}: how a question gets to QEMU, and how long its
    answer may take

"""
