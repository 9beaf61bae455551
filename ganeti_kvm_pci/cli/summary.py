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

"""What one run of C{check} found on a node, in numbers: for monitoring."""

import collections

from ..errors import RuntimeFileError


class Summary(object):
  """The numbers.

  @ivar error: string or None, why the check itself failed
  @ivar entries: list of dicts: the instances, see L{report.entry}
  @ivar findings: dict, severity to number of findings, of all instances
  @ivar unchecked: list of entries that could not be looked at
  @ivar damaged: list of those of them whose runtime file is none of Ganeti's
  @ivar refused: list of those that cannot be migrated
  @ivar removals: int, removals that guests have not completed
  @ivar outdated: list of entries whose QEMU is not the installed one
  @ivar node_status: exit status by the plugin's state on the node

  """
  # pylint: disable=too-many-instance-attributes
  def __init__(self, report):
    """Count.

    @type report: L{report.Report}

    """
    self.error = report.error
    # an instance that was named twice counts once: of two metrics with the
    # same label, Prometheus takes the whole file for damaged
    once = collections.OrderedDict()
    for entry in report.entries:
      once.setdefault(name_of(entry), entry)
    # what is left of an instance that is not here has no file
    self.entries = [entry for entry in once.values()
                    if entry["file"] or entry["error"]]
    self.findings = {"info": 0, "warning": 0}
    for entry in once.values():
      for finding in entry["findings"]:
        self.findings[finding["severity"]] += 1
    self.unchecked = [e for e in self.entries if e["error"]]
    self.damaged = [e for e in self.unchecked
                    if isinstance(e.failure, RuntimeFileError)]
    self.refused = [e for e in self.entries if e["refusals"]]
    self.removals = sum(len(e["removals"]) for e in self.entries)
    self.outdated = [e for e in self.entries
                     if e["qemu"] and e["qemu"]["outdated"]]
    self.node_status = report.node_status

  def least_free(self):
    """Tell the smallest number of free slots that a pool has.

    @rtype: int or None

    """
    free = [number for entry in self.entries
            for number in (entry["free"] or {}).values() if number is not None]
    return min(free) if free else None


def name_of(entry):
  """Name an instance.

  @rtype: string

  """
  return entry["instance"] or entry["file"] or "?"
