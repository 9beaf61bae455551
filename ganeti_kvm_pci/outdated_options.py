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

"""Options in a runtime file that this node's QEMU does not have.

"""

import logging

from . import config_reader
from . import qemu_version
from .qemu import acpi_index
from .qemu import renewal


def _find(words):
  """Find options that some QEMU has removed.

  @type words: list of strings
  @rtype: tuple (list of L{renewal.Found}, tuple of two ints or None)
  @return: the options; and the version of the QEMU that the command starts,
      None where there are no such options, or it does not tell

  """
  found = renewal.find(words)
  return (found, qemu_version.version(words[0]) if found else None)


def renew(instance, loaded):
  """Replace options that this node's QEMU no longer has.

  The guest stays the same. An option that this QEMU still has is not replaced:
  an older one may not have its successor.

  @type loaded: L{serialized.Runtime}
  @param loaded: is changed
  @rtype: list of strings
  @return: what was changed

  """
  version = _find(loaded.words)[1]
  if version is None:
    return []
  config_reader.fill(loaded)
  loaded.command[:], changes = renewal.renew(
    loaded.command, version, needed=True, configs=loaded.configs)
  if changes:
    logging.info("Instance %s: options of an older QEMU in its runtime file:"
                 " %s", instance.name, ", ".join(changes))
  return changes


def explain(kvm_cmd):
  """Say which options of a command this node's QEMU does not have.

  @type kvm_cmd: list of strings
  @rtype: list of strings

  """
  found, version = _find(kvm_cmd)
  lacking = acpi_index.named(kvm_cmd) and acpi_index.explain_start(
    kvm_cmd, qemu_version.version(kvm_cmd[0]))
  return list(lacking) + [renewal.explain_start(item, version) for item in found
          if version and version >= item.option.removed]
