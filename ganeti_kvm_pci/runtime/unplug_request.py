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

"""A removal that the guest was asked for and has not completed.

Unplug on i440fx is a request: QEMU keeps it, also through a migration, until
the guest completes it or is reset, and does not tell that there is one.

"""

import calendar
import collections
import time

from ..errors import MalformedError
from .device_entry import is_text

#: The field of L{serialized.Runtime}'s source_report, as L{as_data} gives it.
FIELD = "requested"

#: What is known of one.
#:   - slot: int; None for a device that is not on pci.0
#:   - since: int, seconds since the epoch
#:   - stays: bool, whether the device is to stay in the runtime file, because
#:     it was to be put back (a NIC that was modified)
Request = collections.namedtuple("Request", ["slot", "since", "stays"])


def _is_int(value):
  return isinstance(value, int) and not isinstance(value, bool)


def as_data(requests):
  """Turn requests into what is written.

  @type requests: dict
  @param requests: QEMU's id of a device to L{Request}
  @rtype: dict

  """
  return dict((device_id, dict(request._asdict()))
              for device_id, request in requests.items())


def of_data(data, source):
  """Read what L{as_data} made, here or on another node.

  @param source: file or instance, to be named in errors
  @rtype: dict
  @raise RuntimeFileError: if it is malformed

  """
  try:
    found = dict((device_id, Request(*[values[name] for name in
                                       Request._fields]))
                 for device_id, values in data.items())
  except (AttributeError, KeyError, TypeError) as err:
    raise MalformedError(
      source, "the removals that were requested are malformed: %s" % err)
  for device_id, request in found.items():
    if not (is_text(device_id) and request.stays in (True, False) and
            _is_int(request.since) and 0 <= request.since < 1 << 35 and
            (request.slot is None or _is_int(request.slot))):
      raise MalformedError(source, "the removals that were requested are"
                           " malformed: %r" % (request, ))
  return found


def text(request, now=None):
  """Say it to an administrator.

  @type request: L{Request}
  @param now: seconds since the epoch; None for the present
  @rtype: string
  @return: in local time, with the date unless it is today's

  """
  when = time.localtime(request.since)
  today = time.localtime(now)
  form = "%H:%M" if when[:3] == today[:3] else "%Y-%m-%d %H:%M"
  return "removal requested at %s" % time.strftime(form, when)


def iso(request):
  """Say when it was, to a program.

  @type request: L{Request}
  @rtype: string
  @return: local time with its zone, e.g. "2026-11-26T14:03:05+01:00"

  """
  when = time.localtime(request.since)
  # Python 2 knows of no other zone than UTC
  minutes = (calendar.timegm(when) - request.since) // 60
  return "%s%s%02d:%02d" % (
    (time.strftime("%Y-%m-%dT%H:%M:%S", when), "+" if minutes >= 0 else "-") +
    divmod(abs(minutes), 60))
