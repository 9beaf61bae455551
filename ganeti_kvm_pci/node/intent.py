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

"""Whether the plugin should be on here: what was asked for, and by whom.

On a node, C{enable} leaves a note beside Ganeti's configuration, which outlives
the Python that the hook was made for. For the nodes of a cluster, those added
later too, a tag of the cluster says it: Ganeti hands it out to each of them.

"""

import os

from .. import temporary
from . import startup_files

#: The cluster's tag.
TAG = "ganeti-kvm-pci"

_NOTE = "ganeti-kvm-pci.enabled"


def note_path():
  """Return the path of the note; Ganeti must be importable."""
  from ganeti import pathutils
  return os.path.join(pathutils.DATA_DIR, _NOTE)


def note(path):
  """Note that the plugin shall be on at this node.

  @param path: of the hook
  @rtype: list of strings
  @return: what was written: the note's path, or nothing
  @raise NodeError: if that cannot be written

  """
  known = noted() or []
  if path in known:
    return []
  startup_files.write(note_path(), "".join(line + "\n"
                                           for line in known + [path]))
  return [note_path()]


def noted():
  """Tell which hooks were written on this node.

  @rtype: list of strings, or None
  @return: their paths, now there or not; None without a note

  """
  text = startup_files.read(note_path())
  if text is None: # one that cannot be read is one nevertheless
    return [] if os.path.lexists(note_path()) else None
  return text.split("\n")[:-1]


def forget(removed):
  """Take the note away.

  @type removed: list
  @param removed: gets its path, if there was one
  @raise NodeError: if that fails

  """
  path = note_path()
  startup_files.remove([path], removed)
  temporary.sweep(*os.path.split(path), only_ours=True)


def is_tagged():
  """Tell whether the cluster's tag asks for the plugin.

  @rtype: bool
  @return: False also where this is no node of a cluster

  """
  from ganeti import errors
  from ganeti import ssconf
  try:
    return TAG in ssconf.SimpleStore().GetClusterTags()
  except (errors.GenericError, EnvironmentError, ValueError):
    # the last: it is no text
    return False


def reasons():
  """Tell why the plugin should be on at this node.

  @rtype: list of strings
  @return: empty where nobody asked for it

  """
  found = []
  if noted() is not None:
    found.append("it was enabled on this node (%s)" % note_path())
  if is_tagged():
    found.append("the cluster has the tag %s" % TAG)
  return found
