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

"""The command that converts runtime files to a newer form: upgrade."""

from .. import config_reader
from .. import qemu_version
from .. import versions
from ..node import installation
from ..qemu import renewal
from ..runtime import upgrade as upgrade_
from .conversion import convert_files


def _renew(loaded, qemu):
  """Replace what QEMU has removed, as far as that is possible.

  @type loaded: L{serialized.Runtime}
  @param loaded: is changed in place
  @type qemu: tuple of two ints, or None
  @param qemu: the version that is to understand it; None if it is not known
  @rtype: tuple of two lists of strings
  @return: what was changed, and what newer versions will not start

  """
  changes = []
  left = renewal.find(loaded.command, loaded.configs)
  if qemu is not None and any(renewal.is_due(item, qemu) for item in left):
    loaded.command[:], changes = renewal.renew(loaded.command, qemu,
                                               configs=loaded.configs,
                                               found=left)
    left = renewal.find(loaded.command, loaded.configs)
  warnings = [renewal.explain(item, qemu) for item in left
              if item.words is None]
  if qemu is None and len(warnings) < len(left):
    warnings.append("left as it is, because no QEMU is known that is to"
                    " understand it (see --qemu): %s" % ", ".join(
                      item.text for item in left if item.words is not None))
  return (changes, warnings)


def upgrade(opts):
  """Convert runtime files to the form of this node's Ganeti and QEMU.

  @return: exit status

  """
  wanted = versions.parse(opts.to) if opts.to else installation.version()
  asked, configs = {}, {} # of a program, and a file, once

  def convert(loaded, is_of_this_node):
    changes = upgrade_.normalise(loaded, wanted)
    qemu = opts.qemu
    # a file in another folder names a program that nobody here has chosen
    if is_of_this_node:
      program = loaded.command[0]
      if not qemu and program not in asked:
        asked[program] = qemu_version.version(program)
      qemu = qemu or asked[program]
      config_reader.fill(loaded, configs)
    renewed, warnings = _renew(loaded, qemu)
    return (changes + renewed, warnings)

  return convert_files(opts, convert)
