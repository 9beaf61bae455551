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

"""As much of Ganeti is imported as a command needs.

Its hypervisor brings half of Ganeti with it: 150 ms of CPU time, where this
package takes 70 and the names of folders 15 (Ganeti 3.0.2, Python 3.11).

"""

# pylint: disable=unused-import

import os
import sys


def take(python, needs_hypervisor):
  """Import it.

  @type python: string
  @param python: path of the daemons' Python; only what it imports tells
      whether another one will do
  @type needs_hypervisor: bool
  @param needs_hypervisor: whether the command needs more than to know where
      Ganeti's files are, and which version it is
  @raise Exception: whatever another Python's Ganeti raises

  """
  from ganeti import constants
  from ganeti import pathutils
  if needs_hypervisor or \
      os.path.realpath(sys.executable or "") != os.path.realpath(python):
    import ganeti.hypervisor.hv_kvm
