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

"""Which devices a running QEMU has; C{execute} as in L{queries}."""

import collections

from ..errors import CommandError
from ..errors import MonitorError
from ..qemu import pci_functions
from ..qemu import replies
from .properties import ask_always

#: How often all is looked at anew, where devices were added or removed.
_LOOKS = 20

#: What is asked about devices, and about what they read from.
_OF_DEVICES = frozenset(["qom-get", "qom-list", "query-block", "query-pci"])


def children(execute, folder):
  """Ask what is in a folder of the object model, see L{replies.children}.

  @raise MonitorError: if QEMU does not tell

  """
  return replies.children(execute("qom-list", {"path": folder}))


class Noted(object):
  """What QEMU has answered to some questions.

  What was asked before a look belongs to it as well: if nothing was added or
  removed until its end, nothing was since then.

  """
  def __init__(self, execute):
    """Note nothing so far.

    @param execute: see L{queries}

    """
    self._execute = execute
    self._answers = {}

  def execute(self, command, arguments):
    """Ask, and note the answer."""
    answer = self._execute(command, arguments)
    self._answers[self._key(command, arguments)] = answer
    return answer

  def recall(self, command, arguments):
    """Give the answer that was noted last; ask if there is none."""
    key = self._key(command, arguments)
    return self._answers[key] if key in self._answers else \
      self.execute(command, arguments)

  @staticmethod
  def _key(command, arguments):
    return (command, tuple(sorted((arguments or {}).items())))


class Lists(collections.namedtuple("Lists", ["with_id", "without_id", "pci"])):
  """Which devices there are, and what C{query-pci} tells of them.

  The first two are as of L{replies.children}.

  """
  def devices(self):
    """Return what is to be compared with what there is later."""
    # the guest may map them meanwhile
    return (self.with_id, self.without_id, pci_functions.layout(self.pci))


def _lists(execute):
  return Lists(children(execute, replies.WITH_ID),
               children(execute, replies.WITHOUT_ID),
               execute("query-pci", None))


class Look(object):
  """An C{execute} for as long as no device is added or removed.

  Whatever is asked about the devices is asked once.

  @ivar lists: L{Lists}
  @ivar keep: as L{kept_answers.Answers.of}, for what all QEMUs of a program
      answer alike; that of C{execute}, if it has one

  """
  def __init__(self, execute, earlier=None):
    """Ask for the lists.

    @param execute: see L{queries}
    @param earlier: see L{unchanging}

    """
    self._execute = execute
    self._kept = {}
    self.keep = getattr(execute, "keep", ask_always)
    self.lists = _lists(earlier or self)

  def __call__(self, command, arguments):
    if command not in _OF_DEVICES:
      return self._execute(command, arguments)
    key = (command, ) + tuple(sorted((arguments or {}).items()))
    if key not in self._kept:
      self._kept[key] = self._execute(command, arguments)
    return self._kept[key]


def unchanging(execute, look, earlier=None):
  """Look at all devices while none is added or removed.

  It takes more than one question; a device that was removed between two of them
  is in the answer to the first only. So the whole is looked at anew.

  @param execute: may be L{Look}: then this is a part of a greater look
  @type look: function
  @param look: asks, and returns what was found; is given L{Look}, and is called
      anew if devices were added or removed
  @param earlier: like C{execute}, but may give answers from before
  @return: what C{look} returned
  @raise MonitorError: if QEMU does not tell, or its devices change all the time

  """
  if isinstance(execute, Look):
    return look(execute)
  before = Look(execute, earlier)
  for _ in range(_LOOKS):
    found, refused = None, None
    try:
      found = look(before)
    except CommandError as err:
      refused = err
    after = Look(execute)
    if after.lists.devices() == before.lists.devices():
      if refused:
        raise refused
      return found
    before = after
  raise MonitorError("QEMU's devices changed during each of %d looks at them"
                     " (the last time, there were %s); try again" %
                     (_LOOKS, ", ".join(
                       name for name, _ in before.lists.with_id) or "none"))
