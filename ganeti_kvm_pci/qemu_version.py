"""Which version of QEMU a program is."""

import os
import re
import subprocess

#: What was asked: path to version. The node daemon does each request in a
#: process of its own, so this lasts for one operation.
_VERSIONS = {}

_VERSION_RE = re.compile(r"\bversion (\d+)\.(\d+)")


def parse(text):
  """Find a version in a text.

  @type text: string
  @param text: e.g. C{"7.2"}
  @rtype: tuple of two ints
  @raise ValueError: if there is none

  """
  match = re.match(r"(\d+)\.(\d+)(?:\.\d+)*$", text)
  if not match:
    raise ValueError("%r is no version of QEMU" % text)
  return (int(match.group(1)), int(match.group(2)))


def version(path):
  """Ask a QEMU for its version.

  @type path: string
  @param path: the program, as a runtime file names it
  @rtype: tuple of two ints, or None
  @return: None if it does not tell

  """
  if path not in _VERSIONS:
    try:
      with open(os.devnull) as nothing:
        process = subprocess.Popen([path, "--version"], stdin=nothing,
                                   stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        text = process.communicate()[0].decode("utf-8", "replace")
    except (EnvironmentError, TypeError, ValueError): # no name of a file
      return None
    match = _VERSION_RE.search(text)
    _VERSIONS[path] = match and (int(match.group(1)), int(match.group(2)))
  return _VERSIONS[path]
