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

"""Where it is noted what a guest was asked for: see L{unplug_request}.

It is noted as soon as QEMU has taken the request, so a node daemon that dies
while it waits leaves it as well. The file lies beside the instance's lock,
which whoever changes it holds. It is of one QEMU: another, started for the same
instance, was asked for nothing.

"""

import json
import os

from . import instance_lock
from . import process
from . import temporary
from .errors import NodeError
from .errors import RuntimeFileError
from .runtime import unplug_request

#: What is added to a runtime file's name.
SUFFIX = ".pending"


def path_for(runtime_path):
  """Name the file with what an instance's guest was asked for.

  @param runtime_path: its runtime file

  """
  path = instance_lock.path_for(runtime_path)
  return path[:path.rindex(".")] + SUFFIX


def forget_all(runtime_path):
  """Note that another QEMU is started for an instance.

  Where that fails, it is the more to read later: it is the other QEMU's.

  """
  try:
    _remove(path_for(runtime_path))
  except NodeError:
    pass


class Pending(object):
  """What the guest in one QEMU was asked for.

  """
  def __init__(self, runtime_path, pid):
    """Name it.

    @param runtime_path: the instance's runtime file
    @type pid: int
    @param pid: QEMU's

    """
    self._path = path_for(runtime_path)
    self._qemu = process.identity(pid)

  def requests(self):
    """Read what is noted.

    What cannot be read says nothing.

    @rtype: dict
    @return: QEMU's id of a device to L{unplug_request.Request}

    """
    try:
      noted = json.loads(instance_lock.read(self._path))
      if noted["qemu"] != self._qemu:
        return {}
      return unplug_request.of_data(noted["devices"], self._path)
    except (EnvironmentError, ValueError, KeyError, TypeError, RuntimeError,
            RuntimeFileError):
      # RuntimeError: nested too deeply
      return {}

  def note(self, requests):
    """Note what the guest was asked for.

    @type requests: dict
    @param requests: QEMU's id of a device to L{unplug_request.Request}
    @raise NodeError: if that cannot be written

    """
    self._write(dict(self.requests(), **requests))

  def forget(self, device_id):
    """Note that a device was removed.

    @raise NodeError: if that cannot be written

    """
    self.keep(set(self.requests()) - set([device_id]))

  def keep(self, ids):
    """Note what the guest has completed.

    @type ids: collection of strings
    @param ids: of the devices that QEMU still has
    @raise NodeError: if that cannot be written

    """
    noted = self.requests()
    left = dict((name, request) for name, request in noted.items()
                if name in ids)
    if not left:
      _remove(self._path)
    elif left != noted:
      self._write(left)

  def _write(self, requests):
    text = json.dumps({"qemu": self._qemu,
                       "devices": unplug_request.as_data(requests)})
    try:
      with temporary.written(*os.path.split(self._path),
                             data=text.encode("ascii"), mode=0o600,
                             lasting=False) as new:
        os.rename(new, self._path)
    except EnvironmentError as err:
      raise NodeError("cannot write %s: %s" % (self._path, err.strerror))


def _remove(path):
  if not os.path.lexists(path):
    return
  try:
    os.unlink(path)
  except EnvironmentError as err:
    raise NodeError("cannot remove %s: %s" % (path, err.strerror))
