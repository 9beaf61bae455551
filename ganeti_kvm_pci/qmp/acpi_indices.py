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

"""Which numbers the devices of a running QEMU have, see L{acpi_index}."""

from ..errors import CommandError
from ..qemu import acpi_index
from ..qemu import replies
from . import queries


def used(execute):
  """Ask for all of them, if possible at once.

  @rtype: dict
  @return: number (int) to the id, or driver, of the device
  @raise MonitorError: if QEMU does not tell

  """
  try:
    found = acpi_index.shown(execute("human-monitor-command",
                                     {"command-line": "info qtree"}))
  except CommandError: # it does not tell
    found = None
  if found is not None:
    return found
  found = {}
  for path, name, driver in queries.listed(execute):
    number = queries.get(execute, path, acpi_index.KEY)
    if number:
      found[number] = name or driver
  return found


def of(execute, name):
  """Ask for that of one device.

  @type name: string
  @param name: its id
  @rtype: int or None
  @return: None, or 0, for none
  @raise MonitorError: if QEMU does not tell

  """
  return queries.get(execute, "%s/%s" % (replies.WITH_ID, name),
                     acpi_index.KEY)
