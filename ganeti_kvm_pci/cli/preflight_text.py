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

"""What preflight tells a person: one table, the reasons below it."""

import collections

#: Beside the verdicts: an instance that should not run.
_DOWN = "down"

_ORDER = ["ok", "warning", "refused", "unknown", _DOWN]


def _table(rows):
  widths = [max(len(row[column]) for row in rows)
            for column in range(len(rows[0]) - 1)]
  return ["  ".join([cell.ljust(width) for cell, width in zip(row, widths)] +
                    [row[-1]]) for row in rows]


def _reasons(entry):
  """List the reasons of an entry.

  @rtype: list of strings

  """
  found = collections.OrderedDict()
  for reason in entry["reasons"]:
    found[(reason["verdict"], reason["text"])] = []
  for target in entry["targets"]:
    for reason in target["reasons"]:
      found.setdefault((reason["verdict"], reason["text"]), []).append(
        target["node"])
  return ["  %s%s: %s" % (verdict, " (%s)" % ", ".join(nodes) if nodes else "",
                          text) for (verdict, text), nodes in found.items()]


def lines(entries, nodes):
  """Say what was found.

  @param entries: see L{report.entry}
  @type nodes: list of strings
  @param nodes: those that are to be emptied
  @rtype: list of strings

  """
  what = "%d node%s" % (len(nodes), "s" * (len(nodes) != 1))
  if not entries:
    return ["no KVM instance should run on %s" % what]
  rows = [("INSTANCE", "NODE", "TARGET", "VERDICT")]
  for entry in entries:
    rows += [(entry["instance"], entry["node"], target["node"],
              target["verdict"]) for target in entry["targets"]] or \
      [(entry["instance"], entry["node"], "-",
        "".join(entry["remarks"]) or entry["verdict"])]
  made = _table(rows)
  for entry in entries:
    reasons = _reasons(entry)
    if reasons:
      made += ["", entry["instance"] + ":"] + reasons
  counts = collections.Counter(
    _DOWN if entry["remarks"] else entry["verdict"] for entry in entries)
  return made + ["", "%d instance%s of %s: %s" % (
    len(entries), "s" * (len(entries) != 1), what,
    ", ".join("%d %s" % (counts[verdict], verdict) for verdict in _ORDER
              if counts[verdict]))]
