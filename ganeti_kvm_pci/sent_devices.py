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

"""Which devices a guest had when its migration was prepared.

The target's QEMU is started with these. What is hot-added between that and the
migration itself would not be there, or QEMU would give the guest the data of
what had its slot before. Ganeti's jobs lock the instance; a command by hand
does not.

"""

import hashlib
import json
import os

from . import instance_lock

#: What is added to a runtime file's name.
SUFFIX = ".sent"


def path_for(runtime_path):
  """Name the file with what was sent of an instance.

  @param runtime_path: its runtime file

  """
  return instance_lock.beside(runtime_path, SUFFIX)


def _devices(loaded):
  """Tell apart the disks and NICs of a runtime file.

  @type loaded: L{serialized.Runtime}
  @rtype: list of tuples
  @return: one each: QEMU's id or the UUID, and a digest of all there is of it

  """
  entries = [entry[0] for entry in loaded.disks] + loaded.nics
  return [((entry.get("hvinfo") or {}).get("id") or entry.get("uuid"),
           hashlib.sha256(json.dumps(entry, sort_keys=True).encode(
             "utf-8")).hexdigest()) for entry in entries]


def note(runtime_path, loaded):
  """Note what is sent.

  @type loaded: L{serialized.Runtime}
  @param loaded: the runtime file
  @raise EnvironmentError: if that cannot be written; then nothing is noted

  """
  forget(runtime_path)
  instance_lock.write(path_for(runtime_path), json.dumps(
    [digest for _, digest in _devices(loaded)]))


def forget(runtime_path):
  """Note that the migration has ended.

  @raise EnvironmentError: if that cannot be

  """
  path = path_for(runtime_path)
  if os.path.lexists(path):
    os.unlink(path)


def added_since(runtime_path, loaded):
  """List what was added, or changed, after L{note}.

  What was removed is not listed: the target removes it as well, see
  L{arrival}.

  @type loaded: L{serialized.Runtime}
  @param loaded: the runtime file as it is now
  @rtype: list of strings
  @return: empty also where nothing is noted, or it cannot be read

  """
  try:
    noted = json.loads(instance_lock.read(path_for(runtime_path)))
  except (EnvironmentError, ValueError, RuntimeError):
    # RuntimeError: nested too deeply
    return []
  if not isinstance(noted, list):
    return []
  return [name for name, digest in _devices(loaded) if digest not in noted]
