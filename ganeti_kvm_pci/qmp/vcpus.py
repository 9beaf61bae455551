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

"""The vCPUs of a running QEMU; C{execute} as in L{queries}.

"""

from ..errors import CommandError


def count(execute):
  """Ask how many vCPUs the guest has.

  @rtype: int or None
  @return: None if QEMU does not tell (before 2.12)
  @raise MonitorError: if it does not answer

  """
  try:
    return len(execute("query-cpus-fast", None))
  except CommandError:
    return None


def paths(execute):
  """Ask where the object model has the guest's vCPUs.

  One that was hot-added is among the devices.

  @rtype: set of strings
  @return: empty if QEMU does not tell (before 2.7), or hot-adds none
  @raise MonitorError: if it does not answer

  """
  try:
    found = execute("query-hotpluggable-cpus", None)
  except CommandError:
    return set()
  return set(item["qom-path"] for item in found if item.get("qom-path"))
