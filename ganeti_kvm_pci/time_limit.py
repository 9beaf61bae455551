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

"""How long a guest may take to complete an unplug, and others wait for that.

An administrator says it in C{/etc/default/ganeti}. What starts the daemons
reads that file in two ways: systemd's units (upstream's from 2.12 on, Debian's
after trixie) take each assignment, and none with C{export}; C{daemon-util} of
the init script (Debian up to trixie) sources it, and what is not exported does
not reach the daemon. So the file itself is looked at, too.

"""

import logging
import os
import re

#: In seconds. A booted Linux takes 0.25; for a busy Windows, the 5 that
#: unmodified Ganeti gives are too few.
DEFAULT = 30

#: The most that may be asked for. Ganeti's RPC C{hotplug_device} may take 900
#: (RPC_TMO_NORMAL in lib/rpc_defs.py, "Normal" in src/Ganeti/Types.hs: the same
#: from 2.10 to master), of which L{patience} has a part as well.
MAXIMUM = 120

#: What an operation takes beside the unplug, in seconds: answers of a QEMU that
#: has much to do, the network's script, and a slot that has to rest
#: (C{cooldown.MOST}).
_REST = 24

#: How many operations on one instance may come before another. Ganeti's jobs
#: wait for each other already; beside one of these are its watcher, a command
#: by hand, and one whose master no longer waits.
_BEFORE = 4

VARIABLE = "KVM_PCI_HOTPLUG_LIMIT"

#: What a shell and systemd take for the same.
_LINE = re.compile(r"""[ \t]*(?:export[ \t]+)?%s=(["']?)([^"'\s#]*)\1"""
                   r"""[ \t]*(?:[ \t]#.*)?$""" % VARIABLE)


def defaults_path():
  """Name the file with the daemons' defaults; Ganeti must be importable."""
  from ganeti import pathutils
  return os.path.join(os.path.dirname(pathutils.CONF_DIR), "default", "ganeti")


def said(text):
  """Find the value that a file of defaults gives.

  @type text: string
  @param text: the file's content
  @rtype: string or None

  """
  matches = [_LINE.match(line) for line in text.splitlines()]
  return ([match.group(2) for match in matches if match] or [None])[-1]


def seconds(value):
  """Turn what an administrator said into a time limit.

  @type value: string or None
  @rtype: number

  """
  try:
    limit = float(value)
  except (TypeError, ValueError):
    limit = -1
  if limit > MAXIMUM:
    logging.warning("%s=%g is too long for an operation that others wait for;"
                    " a guest gets %d s", VARIABLE, limit, MAXIMUM)
    return MAXIMUM
  # "nan" is a float as well
  if limit > 0:
    return limit
  if value:
    logging.warning("%s=%s is no number of seconds; a guest gets %d s",
                    VARIABLE, value, DEFAULT)
  return DEFAULT


def unplug():
  """Tell how long a guest may take here.

  @rtype: number
  @return: in seconds

  """
  value = os.environ.get(VARIABLE)
  if value is None:
    try:
      with open(defaults_path(), "rb") as stream:
        value = said(stream.read().decode("utf-8", "replace"))
    except (EnvironmentError, ImportError):
      # a Ganeti from source need not have it; and some node has no Ganeti
      pass
  return seconds(value)


def patience():
  """Tell how long an operation waits for others on the same instance.

  @rtype: number
  @return: in seconds

  """
  return _BEFORE * (unplug() + _REST)
