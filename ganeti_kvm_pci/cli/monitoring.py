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

"""C{check} for a monitoring system: L{nagios} or L{prometheus}."""

import time

from .. import clock
from ..errors import KvmPciError
from ..errors import show
from . import nagios
from . import prometheus
from .output import ERRORS
from .output import OK
from .output import complain
from .output import say
from .summary import Summary

#: How long an instance that another operation has is waited for, in seconds:
#: monitoring systems give a check 10 to 60 s for all.
PATIENCE = 2

_NAGIOS = "--nagios"
_PROMETHEUS = "--prometheus"

#: Instead of a file, the output.
STDOUT = "-"


def prepare(argv):
  """Write the arguments so that argparse takes them as they are meant.

  It would take the instance after C{--prometheus} for its file.

  @type argv: list of strings
  @rtype: list of strings

  """
  return ["%s=%s" % (_PROMETHEUS, STDOUT) if word == _PROMETHEUS else word
          for word in argv]


def add_arguments(command):
  """Add the options of C{check}.

  @param command: argparse's parser of it

  """
  # each other is named by more than these begin with
  command.add_argument(_NAGIOS, action="store_true", help="check --live in the"
                       " form of a Nagios plugin: one line with performance"
                       " data, then details; exit status 0 OK, 1 WARNING, 2"
                       " CRITICAL, 3 UNKNOWN")
  command.add_argument(_PROMETHEUS, nargs="?", metavar="=FILE", help="check"
                       " --live as metrics for Prometheus' node exporter, to"
                       " FILE (DIRECTORY/NAME.prom), which is replaced at once,"
                       " or to the output; exit status 0 unless they cannot be"
                       " written, or the check fails")


def is_asked(opts):
  """Tell whether the output is for a monitoring system."""
  return bool(getattr(opts, "nagios", False) or
              getattr(opts, "prometheus", None))


def complete(parser, opts):
  """Complete the arguments; wrong usage ends the command.

  @param parser: argparse's

  """
  if getattr(opts, "prometheus", None) == "":
    parser.error("--prometheus= needs a FILE")
  if not is_asked(opts):
    return
  if opts.nagios and opts.prometheus:
    parser.error("--nagios and --prometheus are two forms of one output")
  if opts.json or opts.repair:
    parser.error("--nagios and --prometheus are for check --live alone, without"
                 " --json and --repair")
  opts.live = True
  opts.patience = PATIENCE
  # all that is said goes where this puts it
  opts.json = True
  opts.began = clock.monotonic()


def run(opts, command):
  """Run the command; whatever happens, there is something to tell.

  @param command: function that does it; what it returns does not matter

  """
  try:
    command()
  except KvmPciError:
    raise
  except Exception as err: # pylint: disable=broad-except
    opts.report.error = "%s: %s" % (type(err).__name__, show(err))


def tell(opts):
  """Say what was found.

  @return: exit status
  @raise OutputError: if it cannot be said

  """
  found = Summary(opts.report)
  seconds = clock.monotonic() - opts.began
  if opts.nagios:
    text, status = nagios.render(found, opts.report.warnings, seconds)
    say(text)
    return status
  text = prometheus.render(found, time.time(), seconds)
  try:
    if opts.prometheus == STDOUT:
      say(text.rstrip("\n"))
    else:
      prometheus.write(opts.prometheus, text)
  except KvmPciError as err:
    complain(err)
    return ERRORS
  if found.error:
    complain(found.error)
  return ERRORS if found.error else OK


def usage_status(argv, code):
  """Tell the exit status of a wrong usage.

  @type code: int
  @param code: what it is else

  """
  return nagios.UNKNOWN if code and _NAGIOS in argv else code


def failed(opts, text, code):
  """Say that nothing can be said; to Nagios, that is a state as well.

  @return: exit status

  """
  if getattr(opts, "nagios", False):
    return nagios.UNKNOWN
  if text:
    complain(text)
  return code
