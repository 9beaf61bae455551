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

"""Why a QMP command failed, by QEMU's error class or its words; pure.

QEMU says C{GenericError} of most refusals; only the words tell those apart.

"""

import re

from . import start_error

#: What Ganeti's client ends its text with: C{desc (class):}.
_CLASS_RE = re.compile(r"\((?P<name>[A-Z][A-Za-z]+)\):?\s*\Z")

#: Named by Ganeti's client of a command that QEMU does not list.
_UNSUPPORTED = "does not support the"

#: What L{client} says of a QEMU that seems to know no commands.
NO_COMMANDS = "out of step"

#: The others of a block node, the last up to QEMU 5.2.
_NOT_FOUND = ("not found", "Failed to find node", "Cannot find node")

#: That, and what Ganeti's client says of an answer, or half of one, where
#: another is due. The last is Python's word for four events that were meant for
#: the client before (3.0.2: it takes the fourth for the greeting).
_OUT_OF_STEP = (NO_COMMANDS, "error executing", "data serialization error",
                "wrong server greeting", "object is not subscriptable")


def error_class(text):
  """Find QEMU's error class in a text of Ganeti's client.

  @type text: string
  @rtype: string or None
  @return: None if the text names none

  """
  if _UNSUPPORTED in text:
    return "CommandNotFound"
  match = _CLASS_RE.search(text)
  return match.group("name") if match else None


def is_refusal(text):
  """Tell whether an error of Ganeti's client is an answer of QEMU."""
  return bool(start_error.refused(text) or _UNSUPPORTED in text)


def is_out_of_step(text):
  """Tell whether a new connection gave answers to earlier questions."""
  return any(words in text for words in _OUT_OF_STEP)


def is_not_found(err):
  """Tell whether QEMU does not have the device, object or property.

  @type err: CommandError

  """
  return err.error_class == "DeviceNotFound" or \
    any(words in str(err) for words in _NOT_FOUND)


def is_unplug_pending(err):
  """Tell whether the guest was asked to unplug the device before.

  @type err: CommandError

  """
  return "in the process of unplug" in str(err)


def is_migrating(err):
  """Tell whether QEMU changes no devices, for its guest is being sent.

  @type err: CommandError

  """
  return "while migrating" in str(err)


def is_in_use(err):
  """Tell whether a device or a job uses the backend.

  @type err: CommandError

  """
  return "in use" in str(err)
