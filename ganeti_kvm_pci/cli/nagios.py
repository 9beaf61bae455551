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

"""C{check --nagios}: the form of the Monitoring Plugins' guidelines.

One line with the performance data, then one for each thing to be said. Exit
status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

"""

from ..errors import readable
from .output import ERRORS
from .output import WARNINGS
from .summary import name_of

OK = 0
WARNING = 1
CRITICAL = 2
UNKNOWN = 3

_NAMES = {OK: "OK", WARNING: "WARNING", CRITICAL: "CRITICAL",
          UNKNOWN: "UNKNOWN"}


#: How many names are in the line that has the performance data at its end: an
#: agent may cut it off after 1 KB (NRPE's first protocol).
SHOWN = 3


def _plain(text):
  """Take from a text what would end it, or begin performance data."""
  return " ".join(readable(text).replace("|", "/").split())


def _line(status, text):
  return "KVM-PCI %s - %s" % (_NAMES[status], _plain(text))


def unknown(reason):
  """Say that nothing was found out.

  @type reason: string
  @rtype: tuple (string, int)
  @return: see L{render}

  """
  return (_line(UNKNOWN, reason), UNKNOWN)


def _state(found):
  """Tell which of the states it is.

  @type found: L{summary.Summary}
  @rtype: int

  """
  if found.node_status >= ERRORS or found.damaged:
    return CRITICAL
  if found.findings["warning"] or found.node_status >= WARNINGS:
    return WARNING
  return UNKNOWN if found.unchecked else OK


def _count(number, text):
  return "%d %s%s" % (number, text, "" if number == 1 else "s")


def _names(members):
  """Name some; the lines below have all of them."""
  return ", ".join([name_of(entry) for entry in members[:SHOWN]] +
                   ["..."] * (len(members) > SHOWN))


def render(found, warnings, seconds):
  """Write it.

  @type found: L{summary.Summary}
  @type warnings: list of strings
  @param warnings: what is to be said of the node
  @type seconds: number
  @param seconds: how long the check took
  @rtype: tuple (string, int)
  @return: the lines, and the exit status

  """
  if found.error:
    return unknown(found.error)
  status = _state(found)
  parts = [_count(len(found.entries), "instance"),
           _count(found.findings["warning"], "warning")]
  for members, text in ((found.refused, "cannot be migrated"),
                        (found.outdated, "not on the installed QEMU"),
                        (found.damaged, "with a damaged runtime file"),
                        ([entry for entry in found.unchecked
                          if entry not in found.damaged], "not looked at")):
    if members:
      parts.append("%d %s (%s)" % (len(members), text, _names(members)))
  if found.removals:
    parts.append(_count(found.removals, "removal") + " pending")
  if found.node_status:
    parts.append("the plugin is off or unsafe here")
  lines = ["%s | %s" % (_line(status, ", ".join(parts)),
                        _performance(found, seconds))]
  lines += [_plain(text) for text in warnings]
  for entry in found.entries:
    if entry["error"]:
      lines.append(_plain("%s: %s" % (name_of(entry), entry["error"])))
    lines += [_plain("%s: %s: %s" % (name_of(entry), finding["severity"],
                                     finding["text"]))
              for finding in entry["findings"]
              if finding["severity"] != "info"]
  return ("\n".join(lines), status)


def _performance(found, seconds):
  """Write the performance data: label, value, warning above, -, least."""
  free = found.least_free()
  data = [("instances", "%d" % len(found.entries), ""),
          ("warnings", "%d" % found.findings["warning"], "0"),
          ("not_migratable", "%d" % len(found.refused), "0"),
          ("outdated_qemu", "%d" % len(found.outdated), "0"),
          ("not_checked", "%d" % len(found.unchecked), ""),
          ("removals_pending", "%d" % found.removals, ""),
          ("least_free_slots", "U" if free is None else "%d" % free, ""),
          ("time", "%.2fs" % seconds, "")]
  return " ".join("%s=%s;%s;;0" % item for item in data)
