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

"""Which version of QEMU a program is."""

import re

from . import qemu_program
from .errors import NodeError
from .qemu import release as release_

_VERSION_RE = re.compile(r"\bversion (\d+)\.(\d+)")


def parse(text):
  """Find a version in a text.

  @type text: string
  @param text: e.g. C{"7.2"}
  @rtype: tuple of two ints
  @raise ValueError: if there is none

  """
  match = re.match(r"(\d+)\.(\d+)(?:\.\d+)*$", text)
  if not match:
    raise ValueError("%r is no version of QEMU" % text)
  return (int(match.group(1)), int(match.group(2)))


def find(text):
  """Find a version in what a QEMU prints.

  @type text: string
  @rtype: tuple of two ints, or None

  """
  match = _VERSION_RE.search(text)
  return match and (int(match.group(1)), int(match.group(2)))


def _ask(path, read=find):
  try:
    return read(qemu_program.run([path, "--version"])[0])
  except NodeError:
    return None


#: Of all the QEMUs that were asked.
_VERSIONS = qemu_program.Answers(_ask)
_RELEASES = qemu_program.Answers(lambda path: _ask(path, release_.of_text))


def version(path):
  """Ask a QEMU for its version.

  @type path: string
  @param path: the program, as a runtime file names it
  @rtype: tuple of two ints, or None
  @return: None if it does not tell

  """
  return _VERSIONS.of(path)


def release(path):
  """Ask a QEMU for its release.

  @type path: string
  @param path: see L{version}
  @rtype: L{release.Release} or None
  @return: None if it does not tell

  """
  return _RELEASES.of(path)
