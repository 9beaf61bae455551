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

from ..errors import CommandError
from ..qemu import device_tree
from ..qemu import replies

#: From so many devices on, one answer that tells the properties of all is
#: quicker than one for each property.
_MANY = 4

#: The type of a property that leads to another object begins with it.
_LINK = "link<"


def _told(execute, names):
  """Ask for properties of all devices that have an id.

  @rtype: dict
  @return: path to a dict, see L{device_tree.parse}; empty if QEMU does not tell

  """
  try:
    answer = execute("human-monitor-command", {"command-line": "info qtree"})
  except CommandError:
    return {}
  return dict(("%s/%s" % (replies.WITH_ID, name), properties)
              for name, properties in device_tree.parse(answer, names).items())


class Properties(object):
  """What is asked of devices while none is added or removed."""

  def __init__(self, execute, names, count):
    """Ask for what is told at once.

    @type names: collection of strings
    @param names: all properties that will be asked for
    @param count: of how many devices

    """
    self._execute = execute
    self._told = _told(execute, names) if count >= _MANY else {}
    # driver to the names of all its properties, and their types
    self._known = {}

  def of(self, path, driver, wanted):
    """Ask for those properties of a device that tell something.

    @type wanted: frozenset of strings
    @rtype: dict

    """
    if wanted and driver not in self._known:
      self._known[driver] = dict(
        (item["name"], item["type"]) for item in
        self._execute("qom-list", {"path": path}))
    known = self._known.get(driver, {})
    told = self._told.get(path, {})
    found = {}
    for name in sorted(wanted.intersection(known)):
      # no link is in the text, so what looks like one is part of another value
      if name in told and not known[name].startswith(_LINK):
        found[name] = told[name]
      else:
        found[name] = self._execute("qom-get",
                                    {"path": path, "property": name})
    return found
