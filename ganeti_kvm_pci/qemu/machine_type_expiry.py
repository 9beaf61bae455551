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

"""When QEMU deprecates and removes a versioned machine type.

Since 9.1, docs/about/deprecated.rst says: a versioned type is deprecated three
years after its release, and removed six years after. QEMU has a major number a
year, and computes both from the type's own (MACHINE_VER_DEPRECATION and
MACHINE_VER_DELETION in include/hw/boards.h); none was removed by that rule
before 10.1. The lists of 10.0 and 11.1 agree with it.

"""

import re

#: QEMU's own; what a distribution calls a type of its own tells no version.
_VERSIONED_RE = re.compile(r"pc-(?:(?:i440fx|q35)-)?(\d+)\.(\d+)$")

#: In years, or major numbers.
_DEPRECATED_AFTER = 3
_REMOVED_AFTER = 6

#: The first QEMUs in which each was computed.
_FIRST_DEPRECATION = (9, 1)
_FIRST_REMOVAL = (10, 1)

#: What was removed before: types before each, and the first QEMU without them
#: (tried; 2.3 and older are in 7.2, and not in 10.0).
_REMOVED_BY_HAND = [((1, 0), (5, 2)), ((1, 4), (6, 0)), ((2, 4), (10, 0))]


def version(name):
  """Tell with which QEMU a machine type came.

  @type name: string
  @rtype: tuple of two ints, or None
  @return: None if its name does not say

  """
  match = _VERSIONED_RE.match(name)
  return match and (int(match.group(1)), int(match.group(2)))


def removed_since(name):
  """Tell the first QEMU without a machine type, by its rule if it is to come.

  @type name: string
  @rtype: tuple of two ints, or None

  """
  came = version(name)
  if came is None:
    return None
  for before, removed in _REMOVED_BY_HAND:
    if came < before:
      return removed
  return max(_FIRST_REMOVAL, (came[0] + _REMOVED_AFTER, came[1]))


def is_deprecated(name, qemu):
  """Tell whether a QEMU says that it will remove a machine type.

  @type name: string
  @type qemu: tuple of two ints
  @param qemu: 9.1 or later; those before had a list, which L{machine_type}
      reads
  @rtype: bool

  """
  came = version(name)
  return came is not None and qemu >= max(
    _FIRST_DEPRECATION, (came[0] + _DEPRECATED_AFTER, came[1]))
