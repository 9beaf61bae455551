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

"""What the plugin is on a node: files, Ganeti, and the way into it.

  - L{runtime_files}, L{replacement}, L{guests}: the runtime files of this node;
    one that is replaced; which guest runs
  - L{installation}, L{daemon}, L{config_data}: the Ganeti of this node, its
    node daemon, its configuration
  - L{ganeti_import}: as much of Ganeti as a command needs
  - L{startup_files}, L{intent}: what Python runs at its start; whether the
    plugin should be on
  - L{cluster}, L{parallel}: the instances of all nodes, on the master; commands
    that run side by side
  - L{configured}: an instance's devices in the configuration, if it is here
  - L{destinations}: the nodes to which they could migrate
  - L{ownership}: who can write what the daemons run
  - L{watcher}: the program that Ganeti's watcher runs
  - L{hooks}, L{detached}, L{turns}: the scripts that Ganeti runs with its jobs;
    one that goes on after its job; one at a time
  - L{reservations}: what will not start where the plugin is not
  - L{import_hook}, L{activation}: how the subclass gets into Ganeti

"""
