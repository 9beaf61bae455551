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

"""C{check --prometheus}: metrics for the node exporter's textfile collector.

An instance's name has the label C{ganeti_instance}: Prometheus itself gives
each metric one that is called C{instance}.

"""

import os
import stat

from .. import __version__
from .. import temporary
from ..errors import NodeError
from ..errors import readable
from ..node import replacement
from .summary import name_of

_PREFIX = "ganeti_kvm_pci_"

#: Anybody may read what the node exporter shows to the network anyway.
_MODE = 0o644


def _escape(text):
  """Write the value of a label."""
  return readable(text).replace("\\", "\\\\").replace(
    "\n", "\\n").replace('"', '\\"')


def _metric(name, text, samples):
  """Write one metric: a gauge, as all of these may fall again.

  @type samples: list of (list of (string, string), number) pairs
  @param samples: labels and value
  @rtype: list of strings
  @return: lines; none where there is no sample

  """
  if not samples:
    return []
  name = _PREFIX + name
  lines = ["# HELP %s %s" % (name, text), "# TYPE %s gauge" % name]
  for labels, value in samples:
    shown = ",".join('%s="%s"' % (key, _escape(item)) for key, item in labels)
    lines.append("%s%s %s" % (name, "{%s}" % shown if shown else "", value))
  return lines


def _by_instance(entries, value_of):
  """Make the samples of a metric that each instance has.

  @param value_of: function of an entry; None if it is not known

  """
  return [([("ganeti_instance", name_of(entry))], value_of(entry))
          for entry in entries if value_of(entry) is not None]


def render(found, now, seconds):
  """Write the metrics.

  @type found: L{summary.Summary}
  @type now: number
  @param now: when the check ended, seconds since 1970
  @type seconds: number
  @param seconds: how long it took
  @rtype: string

  """
  lines = []
  for name, text, samples in (
      ("build_info", "The release that has written these metrics.",
       [([("version", __version__)], 1)]),
      ("check_timestamp_seconds", "When the check ended.",
       [([], "%.3f" % now)]),
      ("check_duration_seconds", "How long the check took.",
       [([], "%.3f" % seconds)]),
      ("check_success", "Whether the check could list what there is.",
       [([], int(not found.error))])):
    lines += _metric(name, text, samples)
  return "\n".join(lines + ([] if found.error else _of_node(found))) + "\n"


def _of_node(found):
  lines = []
  for name, text, value in (
      ("node_ok", "Whether the plugin is on and safe, where it has to be.",
       int(not found.node_status)),
      ("instances", "Instances of this node.", len(found.entries)),
      ("instances_unchecked", "Instances that could not be looked at.",
       len(found.unchecked))):
    lines += _metric(name, text, [([], value)])
  lines += _metric("findings", "What check has found, by severity.", [
    ([("severity", severity)], number)
    for severity, number in sorted(found.findings.items())])
  lines += _metric(
    "slots_free", "PCI slots, or root ports, of a pool that are free.",
    [([("ganeti_instance", name_of(entry)), ("pool", pool)], number)
     for entry in found.entries
     for pool, number in sorted((entry["free"] or {}).items())
     if number is not None])
  for name, text, value_of in (
      ("instance_migratable", "Whether a migration would not be refused.",
       lambda entry: None if entry["refusals"] is None
       else int(not entry["refusals"])),
      ("instance_removals_pending", "Devices that were asked of the guest, and"
       " that it has not given.", lambda entry: None
       if entry["refusals"] is None else len(entry["removals"])),
      ("instance_qemu_outdated", "Whether the guest runs another QEMU than the"
       " installed one.", lambda entry: entry["qemu"] and
       int(bool(entry["qemu"]["outdated"])))):
    lines += _metric(name, text, _by_instance(found.entries, value_of))
  return lines


def write(path, text):
  """Replace a file of metrics: a reader sees the old one or the new one.

  @type path: string
  @type text: string
  @raise NodeError: if it cannot be written

  """
  path = os.path.abspath(path)
  folder, name = os.path.split(path)
  try:
    # e.g. /dev/stdout would be no device any more, for nobody
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
      raise NodeError("the metrics cannot be written to %s: it is no regular"
                      " file" % path)
    temporary.sweep(folder, name)
    with temporary.written(folder, name, text.encode("utf-8"), _MODE) as new:
      os.rename(new, path)
  except EnvironmentError as err:
    raise NodeError("the metrics cannot be written to %s: %s" %
                    (path, err.strerror))
  replacement.sync([folder])
