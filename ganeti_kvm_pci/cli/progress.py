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

"""How much a command has done, for the person who waits at a terminal."""

import sys

#: Erases the line that the cursor is in.
_ERASE = "\r\033[K"


class Progress(object):
  """A line on the terminal that is written anew.

  A context: at its end the line is erased. Where the errors do not go to a
  terminal, or a program is to get the result, there is none.

  """
  def __init__(self, opts, what):
    """Make one.

    @param opts: the command's options
    @type what: string
    @param what: what is counted, e.g. C{nodes asked}

    """
    self._what = what
    self._is_on = not opts.json and sys.stderr.isatty()
    self._is_shown = False

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.clear()

  def show(self, done, total):
    """Say how many of how many are done."""
    if self._is_on and total > 1:
      self._write("%s%s: %d of %d" % (_ERASE, self._what, done, total))
      self._is_shown = True

  def clear(self):
    """Erase the line, before others are written."""
    if self._is_shown:
      sys.stdout.flush()
      self._write(_ERASE)
      self._is_shown = False

  def _write(self, text):
    try:
      sys.stderr.write(text)
      sys.stderr.flush()
    except EnvironmentError: # the terminal was closed
      self._is_on = self._is_shown = False
