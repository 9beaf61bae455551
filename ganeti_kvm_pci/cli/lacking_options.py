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

"""What C{check} says of options that some QEMU does not start with."""

from ..errors import KvmPciError
from ..node import installation
from ..qemu import renewal
from ..runtime import consistency
from ..runtime import serialized
from ..runtime import upgrade


def findings(loaded, qemu):
  """Tell which options of a command some QEMU does not start with.

  @type loaded: L{serialized.Runtime}
  @type qemu: tuple of two ints, or None
  @param qemu: the version of which a lack is more than information
  @rtype: list of L{consistency.Finding}

  """
  arrived = serialized.parse(loaded.dump(), loaded.source)
  try:
    # what Ganeti itself replaces when it loads the file is no obstacle
    upgrade.normalise(arrived, installation.version())
  except KvmPciError:
    arrived = loaded # and why it cannot be, others say
  found = []
  for item in renewal.find(arrived.words, loaded.configs):
    lacks = qemu is not None and qemu >= item.option.removed
    found.append(consistency.Finding(
      consistency.WARNING if lacks else consistency.INFO, None, None,
      renewal.explain(item, qemu)))
  return found
