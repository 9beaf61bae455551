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

"""Whether an instance has a bus that is partitioned.

It is C{pci.0} of QEMU's machine types with the chipset i440fx; with the chipset
q35, it is the root ports that a guest is started with. All others are left to
unmodified Ganeti; where the command does not tell the machine type, the QEMU
that it starts is asked.

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


def machine_types(path, printed=None):
  """Ask a QEMU for its machine types.

  @type path: string
  @param path: the program, as a runtime file names it
  @type printed: function or None
  @param printed: keeps what it prints for other processes too, see
      L{access.Access}
  @rtype: L{machine_type.Listing}
  @raise NodeError: if it does not tell

  """
  if printed is None:
    return _LISTINGS.of(path)
  # what is kept is what it prints each time, so each question asks it
  ways = [_ask, _LISTINGS.of]
  return machine_type.Listing(printed(
    path, "mlist", lambda: ways.pop()(path).text))


def _type(command, hvparams, configs, is_trusted):
  """Tell which machine type a command stands for.

  @param hvparams: see L{obstacle}
  @param is_trusted: see L{obstacle}
  @rtype: tuple (string or None, string or None, string)
  @return: its name, its chipset (see L{machine_type.chipset}), why that is not
      known

  """
  name = machine_type.named(command, configs) or hvparams.get("machine_version")
  found = machine_type.chipset(name) if name else None
  if found is not None:
    return (name, found, "")
  try:
    if not is_trusted:
      raise NodeError("%s was not asked, the runtime file is not of an"
                      " instance of this node" % command[0])
    listing = machine_types(command[0])
  except NodeError as err:
    return (name, None, str(err))
  name = name or listing.default
  return (name, listing.chipset(name) if name else machine_type.OTHER, "")


def needs_ports(command, hvparams, is_trusted=True):
  """Tell whether root ports are to be added to the command of a cold boot.

  @type command: list of strings
  @type hvparams: dict
  @param is_trusted: see L{obstacle}
  @rtype: bool

  """
  configs = config_reader.read(command) if is_trusted else {}
  return not command_.ports(command) and \
    _type(command, hvparams, configs, is_trusted)[1] == machine_type.Q35


def obstacle(command, hvparams, is_trusted=True, is_new=False):
  """Tell why an instance's bus is left to unmodified Ganeti.

  @type command: list of strings
  @param command: QEMU's command line, of the runtime file
  @type hvparams: dict
  @param hvparams: those that it was made with
  @type is_trusted: bool
  @param is_trusted: whether the program that the command names may be run, and
      the files that it names may be read
  @type is_new: bool
  @param is_new: whether the command is that of a cold boot, to which root ports
      can still be added
  @rtype: string or None
  @return: None if the bus is partitioned

  """
  configs = config_reader.read(command) if is_trusted else {}
  name, found, reason = _type(command, hvparams, configs, is_trusted)
  if found is None:
    return "its machine type (%s) is not known to be i440fx or q35: %s" % (
      name or "QEMU's default", reason)
  if found == machine_type.OTHER:
    return "its machine type (%s) is neither i440fx nor q35" % name
  if any(option.id == address.BUS
         for option in command_.devices(command, configs)):
    return "its bus %s is a device of kvm_extra" % address.BUS
  if found == machine_type.Q35 and not is_new and not command_.ports(command):
    return ("its command has no root ports, without which a guest of its"
            " machine type (%s) takes no disk or NIC; a cold boot by Ganeti"
            " 2.16 or later adds them" % name)
  return None


def applies(command, hvparams, is_new=False):
  """Tell whether an instance's bus is partitioned, see L{obstacle}.

  @rtype: bool

  """
  return obstacle(command, hvparams, is_new=is_new) is None
