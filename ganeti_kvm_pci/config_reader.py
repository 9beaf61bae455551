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

"""The files that a command has QEMU read with C{-readconfig}.

What is read is what stands there now, which QEMU may have read long ago.

"""

import os
import stat

from .qemu import command as command_
from .qemu import config_file

#: In bytes; what is longer is none of these files.
_LIMIT = 1 << 20

#: Where the node daemon, and so QEMU, is.
_FOLDER = "/"

_WITHOUT_DEFAULT = frozenset(["-no-user-config", "--no-user-config",
                              "-nodefconfig", "--nodefconfig"])


def _read(path):
  """Read one file.

  @rtype: list of L{config_file.Section}, or None
  @return: None if it cannot be read; a pipe, or a descriptor of QEMU's own, is
      left alone

  """
  path = os.path.join(_FOLDER, path)
  try:
    if not stat.S_ISREG(os.stat(path).st_mode):
      return None
    with open(path, "rb") as stream:
      return config_file.parse(stream.read(_LIMIT).decode("utf-8", "replace"))
  except (EnvironmentError, TypeError, ValueError): # a name with a zero byte
    return None


def read(command, known=None):
  """Read the files that a command names.

  @type command: list of strings
  @type known: dict or None
  @param known: for who looks at many commands: empty at first, and kept by him;
      each file is read once
  @rtype: dict
  @return: path, as the command has it, to a list of L{config_file.Section}, or
      None for a file that cannot be read; the file that QEMU reads by itself
      is among them where there is one

  """
  known = {} if known is None else known

  def look(path):
    if path not in known:
      known[path] = _read(path)
    return known[path]

  found = dict((path, look(path)) for path in command_.config_files(command))
  default = None
  if _WITHOUT_DEFAULT.isdisjoint(command):
    default = look(command_.DEFAULT_FILE)
  if default:
    found.setdefault(command_.DEFAULT_FILE, default)
  return found


def fill(loaded, known=None):
  """Put what the files of a runtime's command say beside it.

  @type loaded: L{serialized.Runtime}
  @param known: see L{read}
  @return: the same

  """
  loaded.configs = read(loaded.words, known)
  return loaded
