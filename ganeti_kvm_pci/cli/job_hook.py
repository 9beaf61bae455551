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

"""C{freeze --hook}: tags brought up to date after a job, see L{hooks}.

It runs beside the job, which has the instance's lock: what it submits waits for
that one. Of two, the second looks at the instance when the tags of the first
are there, so the last word is that of the latest state.

"""

import os
import time

from ..errors import KvmPciError
from ..errors import NodeError
from ..errors import show
from ..node import cluster
from ..node import detached
from ..node import installation
from ..node import turns
from . import output

#: How long the change of the tags may take, in seconds. Its job waits for those
#: that have the instance, and an export may have it for hours; if that is given
#: up, the job is still there, and writes what is out of date by then.
TIME_LIMIT = 24 * 3600


def _log(job, name, lines):
  """Write to the log, as there is nobody to tell."""
  now = time.strftime("%Y-%m-%d %H:%M:%S")
  for line in lines:
    output.say("%s %s %s: %s" % (now, job, name, line))
  output.flush()


def run(opts, freeze):
  """Bring the tags of the instance of a job up to date.

  @param freeze: the function of the command
  @return: exit status

  """
  name = os.environ.get("GANETI_INSTANCE_NAME")
  if not name:
    raise NodeError("freeze --hook is for Ganeti's hooks, which have"
                    " GANETI_INSTANCE_NAME")
  if not cluster.is_master():
    return output.OK
  # Ganeti's own has no /usr/local
  os.environ["PATH"] = os.pathsep.join(
    [os.environ.get("PATH", os.defpath),
     os.path.dirname(installation.daemon_script())])
  detached.log_here()
  job = "%s-%s" % (os.environ.get("GANETI_HOOKS_PATH", "?"),
                   os.environ.get("GANETI_HOOKS_PHASE", "?"))
  opts.names = [name]
  opts.is_update = True
  status = output.ERRORS
  try:
    with turns.turn(name) as is_mine:
      if not is_mine:
        return output.OK
      with output.collecting(opts.report):
        status = freeze(opts)
    entries = opts.report.entries
    if status or any(entry["changed"] for entry in entries):
      _log(job, name, opts.report.said + opts.report.warnings)
  except (KvmPciError, EnvironmentError) as err:
    _log(job, name, [show(err)])
  return status
