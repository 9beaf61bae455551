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

"""Ganeti's configuration, C{config.data}: on master candidates only.

With hundreds of instances it has some MB.

"""

import json
import os
import threading

#: The tags of all instances, by what tells the state of the file.
_KEPT = {}

#: Of who reads them: guests are looked at side by side.
_LOCK = threading.Lock()


def read():
  """Read it in whole.

  @rtype: dict
  @raise Exception: whatever keeps it from being read

  """
  from ganeti import pathutils
  with open(pathutils.CLUSTER_CONF_FILE) as stream:
    return json.load(stream)


def tags(name):
  """Tell the tags of an instance.

  @rtype: set of strings, or None
  @return: None if there is no such instance
  @raise Exception: see L{read}

  """
  found = instances().get(name)
  return found and found["tags"]


def instances():
  """Tell what each instance has, as far as it is of use here.

  That alone is kept, until the file is another one.

  @rtype: dict
  @return: name of an instance to a dict: C{tags}, a set of strings; C{disks}, a
      list of their uuids, and C{nics}, a list of pairs of uuid and MAC address,
      with None where an old Ganeti has no uuid
  @raise Exception: see L{read}

  """
  with _LOCK:
    return _instances()


def _instances():
  from ganeti import pathutils
  status = os.stat(pathutils.CLUSTER_CONF_FILE)
  # Ganeti replaces the file
  state = (pathutils.CLUSTER_CONF_FILE, status.st_ino, status.st_mtime,
           status.st_size)
  if state not in _KEPT:
    # one that is to come (2.14 on) may have no name
    found = dict((one.get("name"), _instance(one))
                 for one in read()["instances"].values())
    _KEPT.clear()
    _KEPT[state] = found
  return _KEPT[state]


def _instance(one):
  return {
    "tags": set(one.get("tags") or ()),
    # dicts up to 2.11, then uuids
    "disks": [disk.get("uuid") if isinstance(disk, dict) else disk
              for disk in one.get("disks") or ()],
    "nics": [(nic.get("uuid"), nic.get("mac"))
             for nic in one.get("nics") or ()]}


def latest():
  """Tell where instances are, and their tags, as the last job has left them.

  A job ends when this file is written (src/Ganeti/WConfd/Monad.hs, 2.12 on; by
  the master daemon before); luxid reads it some time after that, at most four
  times a second (src/Ganeti/ConfigReader.hs).

  @rtype: dict
  @return: name of an instance to a dict: C{node}, its primary one's name, and
      C{tags}, a list of strings; empty where the file is not at hand

  """
  try:
    found = read()
    return dict((one.get("name"),
                 {"node": found["nodes"][one["primary_node"]]["name"],
                  "tags": sorted(one.get("tags") or ())})
                for one in found["instances"].values()
                # one that is to come has none
                if one.get("primary_node") in found["nodes"])
  except Exception: # pylint: disable=broad-except
    # whatever keeps it from being read: luxid has it, too
    return {}
