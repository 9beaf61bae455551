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

"""What C{check --live} tells of an instance beside its findings, as numbers."""

from ..bus.pools import DISK
from ..bus.pools import NIC
from ..node import guests
from ..qemu import pci_functions
from ..runtime import consistency
from . import outdated_qemu

#: What an entry has where nothing is known.
NONE = {"free": None, "refusals": None, "removals": [], "qemu": None}


def look(execute, pid, known, functions, refusals, requests):
  """Look at one instance.

  @param execute: see L{queries}
  @type pid: int
  @param pid: of its QEMU
  @type known: L{device_table.DeviceTable}
  @type functions: list of L{pci_functions.Function}
  @type refusals: list of strings
  @param refusals: why it could not be migrated
  @type requests: dict
  @param requests: what its guest was asked for, see L{settle.requests}
  @rtype: dict
  @return: what an entry has of it, see L{report.entry}

  """
  held = pci_functions.held(functions)
  held.update(known.held())
  return {
    "free": dict((name, _free(known.partition, device_class, held))
                 for name, device_class in (("disks", DISK), ("nics", NIC))),
    "refusals": list(refusals), "removals": sorted(requests),
    "qemu": outdated_qemu.judge(execute, pid, known.command[0])}


def without_asking(path, known):
  """Tell what is known of an instance that is left to unmodified Ganeti.

  @rtype: dict
  @return: see L{look}

  """
  if not guests.runs(path):
    return {}
  return {"qemu": outdated_qemu.judge(None, guests.pid_of(path),
                                      known.command[0])}


def _free(part, device_class, held):
  """Count the free slots of a pool.

  @rtype: int or None
  @return: None where there is no such pool

  """
  pool = part.pool(device_class)
  return len([slot for slot in pool if slot not in held]) if pool else None


def findings(found):
  """Tell what of it calls for something to be done.

  @param found: result of L{look}
  @rtype: list of L{consistency.Finding}

  """
  reason = (found.get("qemu") or {}).get("outdated")
  return [consistency.Finding(consistency.WARNING, None, None,
                              outdated_qemu.explain(reason))] if reason else []
