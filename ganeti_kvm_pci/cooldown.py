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

"""Slots whose device has left a moment ago.

A guest that is asked for one device while another is still due hears of both
again, and ejects twice; whatever stands on the slot by the second time is lost
to it (seen on QEMU 7.2 with a busy Linux guest, about once in 2000 operations).
So a slot rests before it gets another device; for longer if the guest was slow,
and so was asked more than once: it may be as slow to eject again. Who waits may
be another process than who saw the device leave: the times are kept beside the
instance's lock.

"""

import json
import time

from . import clock
from . import instance_lock
from .errors import NodeError

#: In seconds; a guest that has much to do ejects within 0.5.
REST = 1.0

#: The most that it is after an unplug that was requested more than once.
MOST = 10.0

#: What is added to a runtime file's name.
SUFFIX = ".vacated"


def path_for(runtime_path):
  """Name the file with an instance's times.

  @param runtime_path: its runtime file

  """
  return instance_lock.beside(runtime_path, SUFFIX)


def after(requests, was_asked=False):
  """Tell for how long a slot is to rest whose unplug has just completed.

  @type requests: list of pairs
  @param requests: when the guest was asked, by L{clock}, and whether QEMU took
      it
  @type was_asked: bool
  @param was_asked: whether an earlier operation had asked it, and timed out
  @rtype: number
  @return: in seconds

  """
  if was_asked:
    return MOST
  taken = [when for when, is_taken in requests if is_taken]
  if len(taken) < 2:
    return REST
  # each further request may have the guest eject once more
  took = clock.monotonic() - taken[0]
  return max(REST, min(MOST, 2 * len(taken) * took))


def _read(path):
  """Read when the slots that rest began to, and for how long they are to.

  What cannot be read says nothing: a killed process may have written half.

  @rtype: dict, int to pair of floats

  """
  try:
    times = json.loads(instance_lock.read(path))
    now = clock.monotonic()
    # one that is yet to come was written before the node booted
    return dict((int(slot), (float(when), float(rest)))
                for slot, (when, rest) in times.items()
                if 0 <= now - when < rest <= max(REST, MOST))
  except (EnvironmentError, ValueError, TypeError, AttributeError,
          OverflowError, RuntimeError):
    # the last is one that is nested too deeply
    return {}


def note(path, slots, rest=None):
  """Note that devices have just left.

  A rest that was noted before is not made shorter by it.

  @param path: result of L{path_for}
  @type slots: collection of ints
  @param rest: what L{after} gives; L{REST} if it is None
  @raise NodeError: if that cannot be written

  """
  times, now = _read(path), clock.monotonic()
  for slot in slots:
    since, before = times.get(slot, (now, 0))
    times[slot] = (now, max(REST if rest is None else rest,
                            since + before - now))
  try:
    instance_lock.write(path, json.dumps(times))
  except EnvironmentError as err:
    raise NodeError("cannot write %s: %s" % (path, err.strerror))


def wait(path, slot, leave):
  """Wait until a slot has rested.

  @param path: result of L{path_for}
  @type slot: int or None
  @param slot: None if it is not on the bus
  @param leave: function that is called before, if there is a wait at all: that
      leaves QEMU's monitor

  """
  since, rest = _read(path).get(slot, (0, 0))
  if rest:
    leave()
    time.sleep(min(rest, max(0, since + rest - clock.monotonic())))
