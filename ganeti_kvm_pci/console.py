"""What the command says, where, and with which exit status."""

from __future__ import print_function

import json
import sys

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


def complain(message):
  """Print a line for a person who has to do something."""
  print("ganeti-kvm-pci: %s" % message, file=sys.stderr)
