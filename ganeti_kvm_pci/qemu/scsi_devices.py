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

"""SCSI devices in QEMU's command line.

QEMU gives what names no C{scsi-id} (a CD-ROM by C{kvm_extra}) the first free
one in the order of the command, before it comes to Ganeti's disks.

"""

from ..bus.scsi_ids import BUS
from . import command as command_
from . import option as option_

#: Drivers that are SCSI controllers, beside those with "scsi" in their names.
_CONTROLLERS = ("am53c974", "dc390", "lsi", "megasas", "mptsas")


def _is_controller(driver):
  return driver.startswith(_CONTROLLERS) or \
    "scsi" in driver and not driver.startswith("scsi-")


def _is_in_need(command):
  """Tell whether a device needs a controller that is created after it.

  """
  for option in command_.devices(command):
    if option.is_json or _is_controller(option.driver):
      break
    if option.driver.startswith("scsi-"):
      return True
  return False


def controllers_in_words(command):
  """Write controllers in JSON as words where a device is in need of one.

  QEMU creates devices in JSON after all others. Ganeti's controller is one of
  them from commit 48af98708 on, and a SCSI device of C{kvm_extra} finds no bus:
  QEMU does not start. Other commands stay as they are, as do the slots that
  QEMU gives by them.

  @type command: list of strings
  @rtype: list of strings
  @return: a new command

  """
  command = list(command)
  if _is_in_need(command):
    for option in command_.devices(command):
      if option.is_json and _is_controller(option.driver):
        text = command[option.position]
        command[option.position] = option_.from_json_to_words(text) or text
  return command


def taken(command):
  """Tell which ids the command's own devices have.

  Only those on the bus that QEMU takes for L{BUS} afterwards, when Ganeti's
  disks come: that of the controller created last, if several buses have this
  name. What names no bus goes to the last controller of those before it.

  @type command: list of strings
  @rtype: dict
  @return: id (int) to the name of the device

  """
  command = controllers_in_words(command)
  # as long as no controller is seen, Ganeti's is meant
  found = {}
  last = {BUS: found, None: found}
  ours = None
  has_unnamed = False
  for option in command_.devices(command):
    if option.is_json and ours is None:
      # created after Ganeti's disks
      ours = last[BUS]
    if _is_controller(option.driver):
      if option.id:
        name = "%s.0" % option.id
      else:
        # the next without id has another number, see qbus_init
        name, has_unnamed = None if has_unnamed else BUS, True
      last[name] = last[None] = {}
      continue
    if not option.driver.startswith("scsi-"):
      continue
    keys = command_.keys_of(command[option.position])
    found = last.get(command_.text_of(keys, "bus"))
    if found is None:
      continue
    number = keys.get("scsi-id")
    if number is None:
      number = [n for n in range(len(found) + 1) if n not in found][0]
    try:
      found.setdefault(int(number), option.id or option.driver)
    except (TypeError, ValueError, OverflowError):
      continue # QEMU will refuse it, and say so
  return last[BUS] if ours is None else ours
