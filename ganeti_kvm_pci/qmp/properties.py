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

"""Properties of a running QEMU's devices; C{execute} as in L{queries}."""

from ..bus import address
from ..errors import CommandError
from ..qemu import device_tree

#: The type of a property that leads to another object begins with it.
_LINK = "link<"

#: Of those, the only one that the text tells, by its columns.
_BUS = "parent_bus"


def ask_always(_question, ask, _fits):
  """Keep no answer, see L{kept_answers.Answers.of}."""
  return ask()


def _is_types(answer):
  return isinstance(answer, dict) and all(
    hasattr(type_, "startswith") for type_ in answer.values())


def types(execute, keep, path, driver, names):
  """Ask which of some properties the devices of a driver have.

  The answer, of all its properties, is one of the longest.

  @param keep: as L{kept_answers.Answers.of} of this QEMU
  @param path: of one of these devices
  @type names: list of strings
  @rtype: dict
  @return: name to type
  @raise MonitorError: if QEMU does not tell

  """
  return keep("properties of %s among %s" % (driver, " ".join(names)),
              lambda: dict((item["name"], item["type"]) for item in
                           execute("qom-list", {"path": path})
                           if item["name"] in names), _is_types)


class Properties(object):
  """What is asked of devices while none is added or removed."""

  def __init__(self, execute, names, unnamed=(), drives=None, kept=ask_always):
    """Ask for what is told at once.

    @type names: collection of strings
    @param names: all properties that will be asked for
    @param unnamed: see L{device_tree.Tree}
    @param drives: see L{device_tree.Tree}
    @param kept: as L{kept_answers.Answers.of} of this QEMU: which properties a
        driver has is the same in all that run this program

    """
    self._execute = execute
    self._names = sorted(names)
    self._kept = kept
    try:
      answer = execute("human-monitor-command", {"command-line": "info qtree"})
    except CommandError: # it does not tell
      answer = ""
    self._tree = device_tree.Tree(answer, names, list(unnamed), drives or {})
    # driver to the names of all its properties, and their types
    self._known = {}

  def controller(self, path):
    """Tell where the owner of a bus is, see L{device_tree.Tree}.

    @rtype: tuple (string, tuple of two ints) or None
    @return: its bus, its slot and function

    """
    found = self._tree.controllers.get(path)
    return found and (found[0], address.from_devfn(found[1]))

  def _types(self, path, driver):
    """Tell which of the properties a driver has.

    @param path: of one of its devices
    @rtype: dict
    @return: name to type

    """
    if driver not in self._known:
      self._known[driver] = types(self._execute, self._kept, path, driver,
                                  self._names)
    return self._known[driver]

  def of(self, path, driver, wanted):
    """Ask for those properties of a device that tell something.

    @type wanted: frozenset of strings
    @rtype: dict

    """
    known = self._types(path, driver) if wanted else {}
    told = self._tree.properties.get(path, {})
    found = {}
    for name in sorted(wanted.intersection(known)):
      # no link is among the properties in the text, so what looks like one is
      # part of another value
      if name == _BUS and path in self._tree.buses:
        found[name] = self._tree.buses[path]
      elif name in told and not known[name].startswith(_LINK):
        found[name] = told[name]
      else:
        found[name] = self._execute("qom-get",
                                    {"path": path, "property": name})
    return found
