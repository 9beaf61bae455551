"""What the command says, where, and with which exit status."""

from __future__ import print_function

import json
import os
import sys

from . import files
from .errors import NodeError

OK = 0
WARNINGS = 1
ERRORS = 2


def say(text):
  """Print a line, whatever it holds and wherever it goes."""
  stream = getattr(sys.stdout, "buffer", sys.stdout)
  if not isinstance(text, bytes): # what Python 2 calls a string is
    text = text.encode("utf-8", "replace")
  stream.write(text + b"\n")


def say_json(data):
  """Print data for a program."""
  say(json.dumps(data, indent=2, sort_keys=True))


def chosen(opts):
  """List what a command is asked for: all of the node's, if nothing is named.

  @rtype: list of strings
  @raise NodeError: if what the node has cannot be listed, or Ganeti has not
      even made a folder for it

  """
  found = opts.names or files.all_runtimes()
  if not found and not os.path.isdir(files.control_dir("conf")):
    raise NodeError("there is no folder %s: no KVM instance was started on this"
                    " node since it booted" % files.control_dir("conf"))
  if not found and not opts.json:
    say("no instances: no runtime files in %s" % files.control_dir("conf"))
  return found


def complain(message):
  """Print a line for a person who has to do something."""
  print("ganeti-kvm-pci: %s" % message, file=sys.stderr)
