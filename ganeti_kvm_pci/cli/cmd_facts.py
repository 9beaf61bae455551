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

"""The command that tells what a node's running guests are: facts.

What preflight asks the nodes for, all that it needs of one at once.

"""

from .. import __version__
from .. import clock
from ..errors import KvmPciError
from ..errors import NodeError
from ..node import activation
from ..node import guests
from ..node import installation
from ..node import runtime_files
from . import guest_facts
from . import report as report_
from . import side_by_side
from .output import chosen
from .output import fail
from .output import tell

#: After how many seconds no further guest is asked: who asks does not wait for
#: ever, and wants to know of the others.
LIMIT = 40


def show_facts(opts):
  """Tell what the guests that run on this node are, and what the node has.

  @return: exit status

  """
  opts.report.node = dict(
    activation.Status().as_data(), package=__version__,
    knows_q35=installation.without_q35() is None)
  deadline = clock.monotonic() + LIMIT

  def look(name):
    entry = report_.entry(opts.command, {})
    try:
      if not runtime_files.is_path(name):
        entry["instance"] = name
      entry["file"] = runtime_files.named(name)
      entry["instance"] = runtime_files.instance_of(entry["file"])
      entry["running"] = bool(guests.runs(entry["file"]))
      if entry["running"]:
        if clock.monotonic() > deadline:
          raise NodeError("not asked: the guests before it took %d s" % LIMIT)
        guest_facts.look(entry, entry["file"])
    except KvmPciError as err:
      fail(entry, err)
    return entry

  names = [] if opts.no_guests else chosen(opts)
  entries = list(side_by_side.in_order(look, names))
  for entry in entries:
    tell(opts, entry, _as_text(entry))
  paths = set(entry["qemu"] for entry in entries if entry["qemu"])
  opts.report.qemus = dict((path, guest_facts.program(path))
                           for path in sorted(paths.union(opts.qemus or ())))
  return opts.report.status()


def _as_text(entry):
  """Tell a person."""
  if not entry["running"]:
    return "%s: not running" % (entry["instance"] or entry["file"])
  lines = ["%s: %s in QEMU %s" % (
    entry["instance"], entry["machine_type"] or "machine type not known",
    ".".join("%d" % number for number in entry["qemu_version"] or ()) or "?")]
  lines += ["  " + problem for problem in entry["problems"]]
  lines += ["  removal of %s is not completed" % name
            for name in entry["requested"]]
  return "\n".join(lines)
