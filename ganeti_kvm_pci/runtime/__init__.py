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

"""Ganeti's runtime file: what is in it, and what is to be in it; pure.

  - L{device_entry}, L{serialized}, L{inline_disks}, L{device_table}: what the
    dict of a disk or NIC may hold; the file as data; the disks in its command;
    all devices in it
  - L{upgrade}, L{downgrade}: the file in the form of another release
  - L{configuration}: the file in the order of Ganeti's configuration
  - L{layout}: all devices of a file placed anew; L{placement}: on which slots
  - L{dry_run}: hotplug that is only planned
  - L{disk_links}: where another node has the data of the disks
  - L{unplug_request}: a removal that the guest was asked for
  - L{topology_file}: the devices that a guest sees, as they travel
  - L{migration_check}: whether a file makes the same guest again
  - L{preflight}: whether a guest can migrate from one node to another
  - L{slot_map}, L{consistency}: the map of one instance, and what is wrong with
    it

"""
