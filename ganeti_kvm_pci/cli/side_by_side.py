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

"""Guests looked at side by side: most of it is waiting for their QEMUs.

One that does not answer has its own time limit; the others do not wait for it.

"""

import collections
import threading

#: How many at the same time. As many as that may be silent without delaying
#: others.
AT_ONCE = 32

#: A wait without a time limit hears of no interrupt on Python 2.
_LONG = 1 << 20


class _Thing(object):
  """One of the things that are looked at.

  @ivar give: function that returns what was found, or raises why not; None
      while nobody knows

  """
  def __init__(self, item):
    self.item = item
    self.is_over = threading.Event()
    self.give = None

  def take(self, look):
    """Look at it."""
    try:
      found = look(self.item)
      self.give = lambda: found
    except BaseException as err: # pylint: disable=broad-except
      # whatever it is, who waits must hear of it
      self.give = _raiser(err)
    self.is_over.set()


def _raiser(err):
  def fail():
    raise err
  return fail


def _work(things, look):
  """Take the things that are left, until there are none."""
  while True:
    try:
      thing = things.popleft()
    except IndexError:
      return
    thing.take(look)


def in_order(look, items):
  """Call a function of several things, of some at the same time.

  Python's own pool of threads makes a semaphore (3.8 and later), which fails
  where C{/dev/shm} is full, of guests' memory for one, or cannot be written.

  @type look: function
  @param look: of one of them; must not depend on the thread that it runs in
  @type items: list
  @return: generator of what it returns, in the order of the things
  @raise Exception: what the function raises

  """
  if len(items) < 2:
    for item in items:
      yield look(item)
    return
  things = [_Thing(item) for item in items]
  waiting = collections.deque(things)
  try:
    for _ in range(min(AT_ONCE, len(items))):
      worker = threading.Thread(target=_work, args=(waiting, look))
      # those that wait for a guest keep nobody who was interrupted
      worker.daemon = True
      worker.start()
    for thing in things:
      thing.is_over.wait(_LONG)
      yield thing.give()
  finally:
    waiting.clear()
