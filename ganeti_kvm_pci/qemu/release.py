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

"""Which release of QEMU runs, and which is installed.

A distribution's update keeps QEMU's version and changes what it says of the
package, so both count.

"""

import collections
import re

from . import replies

#: One release.
#:   - version: string, e.g. C{"7.2.22"}
#:   - package: string, e.g. C{"Debian 1:7.2+dfsg-7+deb12u18"}, or ""
Release = collections.namedtuple("Release", ["version", "package"])

_TEXT_RE = re.compile(r"\bversion (\d+\.\d+(?:\.\d+)*)[ \t]*"
                      r"(?:\(([^()\n]*)\))?")


def of_text(text):
  """Find a release in what C{--version} prints.

  @type text: string
  @rtype: L{Release} or None

  """
  match = _TEXT_RE.search(text)
  return match and Release(match.group(1), (match.group(2) or "").strip())


def of_reply(answer):
  """Read the answer of C{query-version}.

  @rtype: L{Release}
  @raise MonitorError: if it has another shape

  """
  with replies.reading("query-version"):
    numbers = answer["qemu"]
    version = "%d.%d.%d" % (numbers["major"], numbers["minor"],
                            numbers["micro"])
    return Release(version, answer["package"].strip().strip("()"))


def show(found):
  """Name a release.

  @type found: L{Release} or None
  @rtype: string

  """
  if found is None:
    return "an unknown release"
  return "%s (%s)" % found if found.package else found.version
