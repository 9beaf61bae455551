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

"""What C{info network} tells: netdevs, and the NICs that use them.

Nothing else tells it (QEMU 5.2 to 11.1).

"""

import re

#: A netdev; what a NIC or a hub uses comes indented, after its user.
_NETDEV_RE = re.compile(r"^( \\ .*?)?(\S+): index=\d+,type=(?!nic,)",
                        re.MULTILINE)

#: Any client: on its own, after its user, or at a port of a hub.
_CLIENT_RE = re.compile(r"(?: \\ )?(?:\S+: )?(\S+): index=(\d+),"
                        r"type=([a-z-]+),")

#: The heading of a hub.
_HUB_RE = re.compile(r"hub \d+\Z")


def netdevs(text):
  """Tell which netdevs there are.

  @type text: string
  @rtype: dict
  @return: name to whether something uses it

  """
  found = {}
  for user, name in _NETDEV_RE.findall(text): # each of its queues
    found[name] = found.get(name, False) or bool(user)
  return found


def nics(text):
  """Tell which NICs there are.

  One that was given an id has it for a name, any other its driver and a number.

  @type text: string
  @rtype: set of strings, or None
  @return: their names; None where a line is none of those that are known, or
      two NICs have the same name

  """
  found = set()
  for line in text.splitlines():
    match = _CLIENT_RE.match(line)
    if match is None:
      if line and not _HUB_RE.match(line):
        return None
      continue
    name, queue, driver = match.groups()
    if driver == "nic" and queue == "0": # others are further queues
      if name in found:
        return None
      found.add(name)
  return found
