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

"""What the command says, where, and with which exit status."""

from __future__ import print_function

import contextlib
import errno
import io
import json
import os
import re
import sys

from ..errors import KvmPciError
from ..errors import NodeError
from ..errors import OutputError
from ..errors import readable
from ..node import runtime_files
from ..runtime.device_entry import is_text
from . import report as report_
from . import side_by_side

OK = 0
WARNINGS = 1
ERRORS = 2

#: Half of a letter: what a name that is not in UTF-8 becomes on Python 3.
_HALF_RE = re.compile(u"[\ud800-\udbff](?![\udc00-\udfff])|"
                      u"(?<![\ud800-\udbff])[\udc00-\udfff]")

#: Where lines go while a program is to get them, with all else, at the end.
_COLLECTING = []


@contextlib.contextmanager
def collecting(report):
  """Keep what is said and complained of for a program.

  @type report: L{report.Report}
  @return: a context

  """
  _COLLECTING.append(report)
  try:
    yield
  finally:
    _COLLECTING.remove(report)


def open_streams():
  """Have the standard streams be there, also where they were closed.

  Else the next file that is opened would get the number of one, and what is
  printed go there. What is written to a closed one fails.

  """
  for number, name in enumerate(("stdin", "stdout", "stderr")):
    try:
      os.fstat(number)
    except EnvironmentError:
      # those below are open: it gets this number
      made = os.open(os.devnull, os.O_RDONLY)
      if hasattr(os, "set_inheritable"): # Python 2 hands on all of them
        os.set_inheritable(made, True)
      # Python 2's own would fail at once, and not when it is flushed
      mode = ("w" if number else "r") + "b" * (str is bytes)
      setattr(sys, name, io.open(number, mode))


def _line(stream, text):
  stream = getattr(stream, "buffer", stream)
  if not isinstance(text, bytes): # what Python 2 calls a string is
    text = text.encode("utf-8", "replace")
  stream.write(text + b"\n")


def say(text):
  """Print a line, whatever it holds and wherever it goes.

  @raise OutputError: if it cannot be written

  """
  if _COLLECTING:
    _COLLECTING[-1].said.extend(text.rstrip("\n").split("\n"))
    return
  try:
    _line(sys.stdout, text)
  except EnvironmentError as err:
    raise _output_error(err)


def flush():
  """Bring what was said to where it goes.

  @raise OutputError: if it cannot be written

  """
  try:
    sys.stdout.flush()
  except EnvironmentError as err:
    raise _output_error(err)


def _abandon(stream):
  """Discard what a stream still holds.

  Python would flush it at its end, and make another exit status of that.

  """
  os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _output_error(err):
  _abandon(sys.stdout)
  return OutputError(err.strerror, err.errno == errno.EPIPE)


def say_json(data):
  """Print data for a program."""
  say(json.dumps(_readable(data), indent=2, sort_keys=True))


def _readable(value):
  """Make each text in some data one that any program can read.

  Names of files may consist of anything.

  """
  if isinstance(value, dict):
    return dict((key, _readable(item)) for key, item in value.items())
  if isinstance(value, list):
    return [_readable(item) for item in value]
  value = readable(value)
  return _HALF_RE.sub("?", value) if is_text(value) else value


def complain(message):
  """Print a line for a person who has to do something."""
  message = "%s" % message
  if _COLLECTING:
    _COLLECTING[-1].warnings.append(message)
    return
  say_usage("ganeti-kvm-pci: " + message)


def say_usage(text):
  """Print what stands for itself to the errors."""
  try:
    sys.stderr.flush()
    _line(sys.stderr, text)
    sys.stderr.flush()
  except EnvironmentError: # nobody reads it; the exit status says the same
    _abandon(sys.stderr)


def chosen(opts):
  """List what a command is asked for: all of the node's, if nothing is named.

  @rtype: list of strings
  @raise NodeError: if what the node has cannot be listed, or Ganeti's daemons
      have not even made a folder of theirs

  """
  found = opts.names or runtime_files.all_runtimes()
  if not found:
    folder = runtime_files.control_dir("conf")
    # the first instance brings the folder, the daemons the one above them all
    above = os.path.dirname(os.path.dirname(folder))
    if not os.path.isdir(above):
      raise NodeError("there is no folder %s: Ganeti was not started on this"
                      " node since it booted" % above)
    say("no instances: no runtime files in %s" % folder)
  return found


def fail(entry, err):
  """Note in an entry why it is not, or not wholly, what it should be."""
  entry["error"] = str(err)
  entry["status"] = ERRORS
  entry.failure = err


def each(opts, look, is_live=False):
  """Look at each instance that a command is asked for.

  @type look: function
  @param look: C{look(entry, path)} puts what it finds into an entry, see
      L{report.entry}, and returns the text of it for a person, or None
  @type is_live: bool
  @param is_live: whether it waits for QEMUs, see L{side_by_side}; it may change
      nothing then but its entry
  @return: exit status

  """
  def of(name):
    entry = report_.entry(opts.command, {})
    text = None
    try:
      if not runtime_files.is_path(name):
        entry["instance"] = name
      path = entry["file"] = runtime_files.named(name)
      entry["instance"] = runtime_files.instance_of(path)
      text = look(entry, path)
    except KvmPciError as err:
      fail(entry, err)
    return (entry, text)

  names = chosen(opts)
  # each is told of at once, whatever ends the command: it may be changed
  for entry, text in (side_by_side.in_order(of, names) if is_live else
                      (of(name) for name in names)):
    tell(opts, entry, text)
  return opts.report.status()


def tell(opts, entry, text):
  """Put an entry into the report, and say what is in it.

  @param text: of it for a person, or None

  """
  opts.report.entries.append(entry)
  if opts.json:
    return
  if entry["error"]:
    complain(about(entry, entry["error"]))
  if text:
    say(text)


def about(entry, text):
  """Say what a text is about, unless it begins with that.

  @rtype: string

  """
  name = readable(entry["instance"] or entry["file"])
  text = readable(text)
  return text if text.startswith(name) else "%s: %s" % (name, text)
