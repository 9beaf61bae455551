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

"""Whether an instance has the bus that is partitioned.

It is C{pci.0} of QEMU's machine types with the chipset i440fx. All others are
left to unmodified Ganeti; where the command does not tell the machine type, the
QEMU that it starts is asked.

"""

from . import config_reader
from . import qemu_program
from .bus import address
from .errors import NodeError
from .qemu import command as command_
from .qemu import machine_type


def _ask(path):
  """Ask a QEMU for its machine types.

  @type path: string
  @rtype: L{machine_type.Listing}
  @raise NodeError: if it does not tell

  """
  command = [path, "-machine", "help"]
  text, status = qemu_program.run(command)
  if status:
    raise NodeError("%s exits with status %d: %s" % (
      " ".join(command), status, text.strip()))
  listing = machine_type.Listing(text)
  if not listing.is_list:
    raise NodeError("%s does not list machine types: %s" % (
      " ".join(command), text.strip()))
  return listing


#: Of all the QEMUs that were asked.
_LISTINGS = qemu_program.Answers(_ask)


def obstacle(command, hvparams, is_trusted=True):
  """Tell why an instance's bus is left to unmodified Ganeti.

  @type command: list of strings
  @param command: QEMU's command line, of the runtime file
  @type hvparams: dict
  @param hvparams: those that it was made with
  @type is_trusted: bool
  @param is_trusted: whether the program that the command names may be run, and
      the files that it names may be read
  @rtype: string or None
  @return: None if the bus is partitioned

  """
  configs = config_reader.read(command) if is_trusted else {}
  name = machine_type.named(command, configs) or hvparams.get("machine_version")
  is_i440fx = machine_type.is_i440fx(name) if name else None
  if is_i440fx is None:
    try:
      if not is_trusted:
        raise NodeError("%s was not asked, the runtime file is not of an"
                        " instance of this node" % command[0])
      listing = _LISTINGS.of(command[0])
    except NodeError as err:
      return "its machine type (%s) is not known to be i440fx: %s" % (
        name or "QEMU's default", err)
    name = name or listing.default
    is_i440fx = name is not None and listing.is_i440fx(name)
  if not is_i440fx:
    return "its machine type (%s) is not i440fx" % name
  if any(option.id == address.BUS
         for option in command_.devices(command, configs)):
    return "its bus %s is a device of kvm_extra" % address.BUS
  return None


def applies(command, hvparams):
  """Tell whether an instance's bus is partitioned, see L{obstacle}.

  @rtype: bool

  """
  return obstacle(command, hvparams) is None
