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

"""Which tags of a frozen instance are not up to date, for C{check}."""

from ..bus import current_tags
from ..node import installation
from ..qemu import overflow
from ..runtime import consistency
from ..runtime import placement


def findings(loaded, known):
  """Compare an instance's tags with where its devices are.

  @type loaded: L{serialized.Runtime}
  @type known: L{device_table.DeviceTable}
  @rtype: list of L{consistency.Finding}
  @return: none where the tags are not known: on nodes that are no master
      candidates

  """
  tags = installation.instance_tags(known.instance)
  if not tags:
    return []
  now = placement.tags(loaded)
  others = dict(
    ((known.partition.unit, device.slot), device.id or device.device_class)
    for device in known.devices if device.slot is not None)
  layout = current_tags.Layout(
    now.values(), others, known.partition,
    overflow.made_first(loaded.words, loaded.configs))
  names = dict((tuple(tag.split(":")[1:3]), "%s %d" % device)
               for device, tag in now.items())
  return [consistency.Finding(
    consistency.WARNING, None, None,
    "%s; run ganeti-kvm-pci freeze%s %s on the master%s" % (
      text, " --update" * is_mended, known.instance,
      "" if is_mended else ", which writes all tags anew"))
          for text, is_mended in current_tags.outdated(tags, layout, names)]
