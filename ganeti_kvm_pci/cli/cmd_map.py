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

"""C{map}: who sits on which slot."""

from ..bus import frozen
from ..bus.root_ports import RootBus
from ..node import installation
from ..node import runtime_files
from ..qmp import device_lists
from ..runtime import device_table
from ..runtime import placement
from ..runtime import slot_map
from . import instance
from . import settle
from .output import each


def _live(known, path):
  """Ask the QEMU of an instance.

  @rtype: dict
  @return: what L{slot_map.entries} takes; empty where pci.0 is left to
      unmodified Ganeti

  """
  if instance.obstacle(known, path):
    return {}
  found = {}
  buses = [known.partition] + [RootBus()] * (not known.partition.is_shared)
  with instance.monitor(known) as execute:
    asked = device_lists.unchanging(execute, lambda look: [
      instance.ask(look, bus) for bus in buses])
  found["functions"], found["peripherals"] = asked[0]
  if len(asked) > 1:
    found["root_bus"] = asked[1]
  return found


def _with_tags(found, now, tags):
  """Add to entries that their devices are frozen elsewhere.

  @param found: list of L{slot_map.Entry}
  @type now: dict
  @param now: result of L{placement.tags}
  @type tags: L{frozen.Frozen}

  """
  changed = []
  for entry in found:
    own = now.get((entry.device_class, entry.index))
    own = own and frozen.parse(own)
    wanted = own and tags.wish(own.device_class, own.uuid, own.unit)
    if wanted not in (None, own and own.number) and not entry.remark:
      entry = entry._replace(
        remark="by its tag it is to move to %s at the next cold boot" %
        frozen.show(own.unit, wanted))
    changed.append(entry)
  return changed


def show_map(opts):
  """Draw who sits on which slot of pci.0, or on which root port."""
  def look(entry, path):
    loaded = instance.parse(runtime_files.read(path).text, path)
    known = device_table.DeviceTable(loaded)
    live = {}
    if opts.live:
      instance.insist_own(known, path)
      live = _live(known, path)
    found = slot_map.entries(known, requests=settle.requests(path), **live)
    now = placement.tags(loaded)
    found = _with_tags(found, now, frozen.Frozen(
      installation.instance_tags(known.instance)))
    entry.update(slot_map.as_data(known, found, now))
    return slot_map.as_text(known, found, bool(live)) + "\n"
  return each(opts, look, is_live=opts.live)
