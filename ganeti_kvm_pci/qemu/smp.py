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

"""How many vCPUs a command gives to its guest.

"""

import re

from . import command as command_
from . import option
from . import topology

_NUMBER_RE = re.compile(r"[0-9]+\Z")

_SMP_FLAGS = frozenset(["-smp", "--smp"])

#: Options that may say it in another way.
_TYPE_FLAGS = frozenset(["-machine", "--machine", "-M", "--M"])


def vcpus(command):
  """Count the vCPUs that a command makes.

  QEMU takes the last of what several C{-smp} say (5.2 to 11.1); each C{-device}
  of a vCPU makes one more.

  @type command: list of strings
  @rtype: int or None
  @return: None if the command does not say it by a number

  """
  if command_.config_files(command) or any(
      "smp." in text for _, text in command_.arguments(command,
                                                       _TYPE_FLAGS)):
    return None
  found = None
  for _, text in command_.arguments(command, _SMP_FLAGS):
    found = option.keys(text, "cpus").get("cpus", found)
  # QEMU takes no JSON here, and no digits but these (tried with 7.2)
  if not (hasattr(found, "split") and _NUMBER_RE.match(found)):
    return None
  return int(found) + len([device for device in command_.devices(command)
                           if topology.is_cpu(device.driver)])
