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

"""The command.

  - L{report}, L{output}, L{progress}: what is printed, and how; how far it is
  - L{side_by_side}: many guests, looked at at the same time
  - L{node_state}: whether the plugin is on, for several commands
  - L{nic_names}: what becomes of NICs' names, for the plan
  - L{lacking_options}, L{machine_types}: options, and machine types, that some
    QEMU does not have
  - L{conversion}: runtime files for another Ganeti or QEMU
  - L{instance}, L{settle}: an instance's QEMU, and what its guest completed
    late
  - L{cmd_enable}, L{cmd_disable}, L{cmd_status}, L{cmd_map}, L{cmd_check},
    L{cmd_plan}, L{cmd_upgrade}, L{cmd_downgrade}: the commands
  - L{cmd_freeze}, L{cmd_preflight}, L{preflight_text}: those of the master
  - L{cmd_facts}, L{guest_facts}: what preflight asks the nodes for
  - L{job_hook}, L{cmd_hooks}: what Ganeti's jobs run
  - L{cmd_devices}: which disk is which in the guest
  - L{plan_hotplug}: the plan of a hotplug
  - L{facts}, L{outdated_qemu}, L{outdated_tags}, L{configured_devices}: what
    C{check} tells beside its findings; guests whose QEMU is not the installed
    one; tags that are not up to date; devices that Ganeti's configuration, or
    the guest, has alone
  - L{monitoring}, L{summary}, L{nagios}, L{prometheus}: C{check} for a
    monitoring system
  - L{arguments}: their options
  - L{entry}: runs them

"""

# the name by which installed commands know it
from .entry import main # pylint: disable=unused-import
