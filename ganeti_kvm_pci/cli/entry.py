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

"""The command ganeti-kvm-pci.

Exit status: 0 all is well, 1 something deserves a look, 2 something failed or
was asked for wrongly.

"""

import sys

from ..errors import KvmPciError
from ..errors import NodeError
from ..errors import OutputError
from ..errors import show
from ..node import installation
from ..node import runtime_files
from . import arguments
from . import monitoring
from . import plan_hotplug
from . import report
from .output import ERRORS
from .output import collecting
from .output import complain
from .output import flush
from .output import open_streams
from .output import say_json


def _needs_ganeti(opts):
  if opts.ganeti != "unless files":
    return opts.ganeti
  # what a carried file is to be depends on it: not to be guessed
  return (getattr(opts, "live", False) or getattr(opts, "repair", False) or
          not getattr(opts, "to", True) or not opts.names or
          not all(runtime_files.is_path(name) for name in opts.names))


def main(argv=None):
  """Run the command.

  @type argv: list of strings or None
  @param argv: arguments; None for those of the process
  @rtype: int
  @return: exit status

  """
  if argv is None:
    argv = sys.argv[1:]
  open_streams()
  opts = None
  try:
    parser = arguments.make()
    try:
      opts = parser.parse_args(plan_hotplug.prepare(monitoring.prepare(argv)))
      if getattr(opts, "pending", False) and not opts.repair:
        parser.error("--pending needs --repair")
      if opts.command in ("freeze", "thaw") and not (
          opts.names or opts.is_all or opts.node or
          getattr(opts, "is_hook", False)):
        parser.error("%s needs an INSTANCE, --node, or --all" % opts.command)
      if opts.command == "preflight" and not (opts.names or opts.is_all):
        parser.error("preflight needs a NODE, or --all")
      plan_hotplug.complete(parser, opts)
      monitoring.complete(parser, opts)
    except SystemExit as err:
      flush()
      raise SystemExit(monitoring.usage_status(argv, err.code))
    if not opts.command:
      parser.print_usage(sys.stderr)
      return ERRORS
    opts.report = report.Report(opts.command, getattr(opts, "dry_run", False))
    if monitoring.is_asked(opts):
      with collecting(opts.report):
        monitoring.run(opts, lambda: _run(opts, argv))
      status = monitoring.tell(opts)
    elif opts.json:
      with collecting(opts.report):
        status = _run(opts, argv)
      say_json(opts.report.document(status))
    else:
      status = _run(opts, argv)
    flush()
    return status
  except OutputError as err:
    return monitoring.failed(opts, None if err.is_unwanted else err, ERRORS)


def _run(opts, argv):
  """Run the command's function.

  @return: exit status; the error that ended it is in the report

  """
  try:
    try:
      # it alone knows where its files are
      if opts.command == "map" and not opts.live:
        installation.become_daemon_python(argv, False)
      else:
        installation.become_daemon_python(argv)
    except NodeError:
      if _needs_ganeti(opts):
        raise
    return opts.function(opts)
  except OutputError:
    raise
  except KeyboardInterrupt:
    opts.report.error = "interrupted"
  except (KvmPciError, EnvironmentError) as err:
    opts.report.error = show(err)
  if not opts.json:
    complain(opts.report.error)
  return ERRORS
