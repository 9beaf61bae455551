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

"""What the process of a QEMU tells of it."""

import os

from .errors import NodeError


def command(pid):
  """Read the command of a process.

  It is what QEMU was really given: the command of the runtime file, as changed
  by a wrapper that an administrator put into C{kvm_path}.

  @type pid: int
  @rtype: list of strings
  @raise NodeError: if it has ended

  """
  try:
    with open("/proc/%d/cmdline" % pid, "rb") as stream:
      words = stream.read().split(b"\0")[:-1]
  except EnvironmentError as err:
    raise NodeError("the command of process %d cannot be read: %s" %
                    (pid, err.strerror))
  return [word.decode("utf-8", "replace") for word in words]


def is_replaced(pid):
  """Tell whether the program that a process runs is there no longer.

  @type pid: int
  @rtype: bool
  @return: False also where that cannot be told

  """
  try:
    return os.readlink("/proc/%d/exe" % pid).endswith(" (deleted)")
  except EnvironmentError: # it has ended
    return False


def identity(pid):
  """Tell a process from others, those too that will get its number.

  @type pid: int
  @rtype: string

  """
  try:
    with open("/proc/%d/stat" % pid, "rb") as stream:
      # the name before that, in parentheses, may have anything in it
      fields = stream.read().rpartition(b")")[2].split()
    return "%d %s" % (pid, fields[19].decode("ascii"))
  except (EnvironmentError, IndexError): # it has ended
    return "%d" % pid
