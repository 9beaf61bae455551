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

"""What a running QEMU has beside its devices; C{execute} as in L{queries}.

"""

from ..errors import CommandError
from ..qemu import board
from ..qemu import ram_blocks
from ..qemu import replies

#: From the outermost to the innermost.
_LEVELS = ["socket-id", "die-id", "module-id", "core-id", "thread-id"]


def _answer(execute, command, arguments=None):
  """Ask; None if this QEMU does not know."""
  try:
    return execute(command, arguments)
  except CommandError:
    return None


def _last(vcpus):
  """Return the vCPU with the highest APIC id, or None.

  @param vcpus: answer of C{query-hotpluggable-cpus}

  """
  present = sorted([item for item in vcpus if item.get("qom-path")],
                   key=lambda item: [(item.get("props") or {}).get(level) or 0
                                     for level in _LEVELS])
  return present[-1] if present else None


def ask(execute):
  """Ask for what a target must have alike.

  @rtype: L{board.Board}
  @raise MonitorError: if QEMU does not answer

  """
  last = _last(_answer(execute, "query-hotpluggable-cpus") or [])
  apic_id = _answer(execute, "qom-get", {
    "path": last["qom-path"], "property": "apic-id"}) if last else None
  # since QEMU 7.1
  memory = _answer(execute, "qom-get", {"path": "/machine",
                                        "property": "memory"})
  drivers = [driver for _, driver in replies.children(
    execute("qom-list", {"path": replies.UNATTACHED}))]
  blocks = _answer(execute, "human-monitor-command",
                   {"command-line": "info ramblock"})
  return board.Board(
    last.get("type") if last else None, apic_id,
    None if memory is None else memory.get("slots") or 0,
    dict((driver, drivers.count(driver)) for driver in board.ISA
         if driver in drivers),
    None if blocks is None else ram_blocks.parse(blocks))
