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

"""A process that goes on after the one that started it.

Ganeti waits for a hook until nobody has its output any more, and a service
manager may take it for a part of what it stops.

"""

import os

_LOG = "ganeti-kvm-pci.log"


def log_path():
  """Name the file in which such a process says what it does."""
  from ganeti import pathutils
  return os.path.join(pathutils.LOG_DIR, _LOG)


def begin():
  """Go on in another process, which belongs to nobody.

  @rtype: bool
  @return: whether this is the other one

  """
  child = os.fork()
  if child:
    os.waitpid(child, 0)
    return False
  os.setsid()
  if os.fork():
    os._exit(0) # pylint: disable=protected-access
  null = os.open(os.devnull, os.O_RDWR)
  for number in range(3):
    os.dup2(null, number)
  os.chdir("/")
  return True


def log_here():
  """Have what is said from now on go to the log.

  @raise EnvironmentError: if it cannot be written

  """
  log = os.open(log_path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT |
                os.O_NOFOLLOW, 0o640)
  for number in (1, 2):
    os.dup2(log, number)
  os.close(log)
