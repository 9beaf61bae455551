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

"""The unplug of a device: it is requested, and completed by the guest.

"""

import time

from .. import clock
from ..errors import CommandError
from ..errors import MonitorError
from ..qemu import refusals
from . import queries

#: Between two looks, in seconds.
_INTERVAL = 0.1

#: The same, in the first moment. Linux takes about 0.17 for an unplug, and who
#: waits for it should not wait much longer.
_SOON = 0.01

#: How long that is, in seconds, and a connection is kept. After that others can
#: use the monitor between two looks.
_HOLD = 0.5

#: A request is lost on a guest that is still booting; it is made again.
_REPEAT = 1


def unplug(connect, device_id, limit, note=lambda is_taken: None,
           hang_up=lambda: None, has_ended=lambda: False):
  """Request the unplug of a device, and wait until it completes.

  After the first moment each look has a connection of its own: others use the
  monitor meanwhile, and a look that these kept out is taken once more.

  @type connect: function
  @param connect: returns a context that gives C{execute}
  @type device_id: string
  @type limit: number
  @param limit: how long the guest may take, in seconds
  @type note: function
  @param note: is called after each request if QEMU still has the device; gets
      whether it took the request, or had an earlier one pending
  @type hang_up: function
  @param hang_up: closes what C{connect} may have kept open
  @type has_ended: function
  @param has_ended: tells whether QEMU is there no longer
  @rtype: bool
  @return: whether the unplug completed; False if it timed out
  @raise MonitorError: if QEMU does not answer, or cannot remove it

  """
  begun = clock.monotonic()
  deadline = begun + limit
  asked = None
  while True:
    now = clock.monotonic()
    try:
      with connect() as execute:
        if device_id not in queries.ids(execute):
          return True
        if asked is None or _REPEAT < now - asked and now < deadline:
          asked = now
          is_taken = _request(execute, device_id)
          # no guest is asked for a SCSI disk; and QEMU may not answer again
          # before it has closed that
          if device_id not in queries.ids(execute):
            return True
          note(is_taken)
    except CommandError:
      raise
    except MonitorError:
      if asked is None or now > deadline or has_ended():
        raise
    if now > deadline:
      return False
    is_soon = now - begun <= _HOLD
    if not is_soon:
      hang_up()
    time.sleep(_SOON if is_soon else _INTERVAL)


def _request(execute, device_id):
  """Request it once.

  @rtype: bool
  @return: whether QEMU took the request

  """
  try:
    execute("device_del", {"id": device_id})
  except CommandError as err:
    # requested before, perhaps by somebody else; or removed just now
    if not (refusals.is_unplug_pending(err) or refusals.is_not_found(err)):
      raise
    return False
  return True
