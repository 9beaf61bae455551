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

"""The version of a guest's machine type, which must not change as it moves.

Each QEMU means its newest by C{pc}, C{q35}, or no type at all. A guest keeps
what it booted with: the source sends the name that its QEMU tells, and a target
whose QEMU does not have that type refuses the guest before it starts anything.
The runtime file on the source stays as it is; the target's has the name, until
Ganeti makes a new one when it starts the instance.

"""

import logging

from . import chipset
from . import config_reader
from . import qemu_version
from .errors import NodeError
from .qemu import machine_type_expiry
from .qemu import machine_type
from .qemu import renewal


def name_in(instance, loaded, running):
  """Name the machine type that a guest has in its runtime file.

  @type loaded: L{serialized.Runtime}
  @param loaded: is changed: its command, not its parameters
  @type running: string or None
  @param running: answer of L{running_type.of}

  """
  config_reader.fill(loaded)
  named = machine_type.named(loaded.words, loaded.configs)
  if running is None or named == running:
    return
  loaded.command[:] = machine_type.with_type(loaded.command, running,
                                             loaded.configs)
  logging.info("Instance %s: machine type %s in the runtime file, sent as %s,"
               " which its QEMU is", instance.name, named or "not named",
               running)


def lack(loaded, printed=None):
  """Tell why this node's QEMU cannot be what a runtime file names.

  @type loaded: L{serialized.Runtime}
  @param printed: see L{chipset.machine_types}
  @rtype: string or None
  @return: None if it can, or does not list its machine types: then it says so
      itself when it is started

  """
  words = loaded.words
  name = machine_type.named(words, loaded.configs)
  try:
    if name is None or chipset.machine_types(words[0], printed).has(name):
      return None
  except NodeError as err:
    logging.info("Machine type %s: %s", name, err)
    return None
  qemu = qemu_version.version(words[0])
  came, removed = (machine_type_expiry.version(name),
                   machine_type_expiry.removed_since(name))
  why = ""
  if qemu and came and came > qemu:
    why = ", it came with %s" % renewal.show(came)
  elif qemu and removed and removed <= qemu:
    why = ", removed in %s" % renewal.show(removed)
  return "machine type %s: %s on this node does not have it%s" % (
    name, "%s (%s)" % (renewal.show(qemu), words[0]) if qemu else words[0], why)
