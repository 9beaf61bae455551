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

"""A file of QEMU's C{-readconfig} as data.

Options that could stand in the command as well, a section each::

  [device "ehci"]
    driver = "ich9-usb-ehci1"
    addr = "1d.7"

(qemu_config_foreach() in util/qemu-config.c, QEMU 5.2 to 11.1.)

"""

import collections
import re

#: One section.
#:   - group: string, the option, e.g. "device"
#:   - keys: dict of strings, with the section's name as "id"
Section = collections.namedtuple("Section", ["group", "keys"])

_HEAD_RE = re.compile(r'^\[([^\s\]]+)(?: "([^"]+)")?\]')
_KEY_RE = re.compile(r'^\s*(\S+)\s*=\s*"([^"]*)"')


def parse(text):
  """Read a file; what QEMU would refuse is passed over.

  @type text: string
  @rtype: list of L{Section}

  """
  found = []
  for line in text.split("\n"):
    head, key = _HEAD_RE.match(line), _KEY_RE.match(line)
    if head:
      found.append(Section(head.group(1), {}))
      if head.group(2):
        found[-1].keys["id"] = head.group(2)
    elif key and found and not line.startswith("#"):
      found[-1].keys[key.group(1)] = key.group(2)
  return found
