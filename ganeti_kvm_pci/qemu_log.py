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

"""The file that C{-D} sends QEMU's messages to.

With it, nothing of them reaches Ganeti, whose error text for a failed start
is "exited with exit code 1 ()".

"""

import os
import stat

#: As much of the log as an error text can need, in bytes.
_TAIL = 4096


class QemuLog(object):
  """The log of one start of QEMU.

  Made before the start; QEMU empties the file when it opens it.

  """
  def __init__(self, command):
    """Find the log and remember its state.

    @type command: list of strings
    @param command: QEMU's command line

    """
    self._path = None
    if "-D" in command[:-1]:
      self._path = command[command.index("-D") + 1]
    self._before = self._stamp()

  def _stamp(self):
    """Return what changes when the file is written, or None without it."""
    try:
      status = os.stat(self._path)
    except (OSError, TypeError, ValueError): # no name of a file
      return None
    if not stat.S_ISREG(status.st_mode): # a pipe would never end
      return None
    return (status.st_ino, status.st_size, status.st_mtime)

  def news(self):
    """Return what was written since, as far as it can be read.

    @rtype: string
    @return: the end of it; "" if the file is as it was

    """
    if self._stamp() in (None, self._before):
      return ""
    try:
      with open(self._path, "rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - _TAIL))
        return stream.read().decode("utf-8", "replace")
    except EnvironmentError:
      return ""
