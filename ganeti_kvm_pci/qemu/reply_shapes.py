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

"""What QEMU's replies must look like.

The one place where they are checked, before anybody reads them: what is named
here is there and has that type, in every reply. What is not named is not read.

"""

import re

from ..bus.address import FUNCTIONS
from ..bus.address import SLOTS
from ..errors import MonitorError

#: Python 2's json gives unicode, and long for what is beyond an int.
_TEXTS = (str, type(b"".decode("ascii")))
_INTS = (int, type(1 << 64))


class _Shape(object):
  """One type of value.

  @ivar name: string, for errors
  @ivar fits: function(value) that tells whether it is one

  """
  def __init__(self, name, fits):
    self.name = name
    self.fits = fits


class _Optional(object):
  """A key that may be missing, or null."""

  def __init__(self, shape):
    self.shape = shape


def _is_int(value):
  return isinstance(value, _INTS) and not isinstance(value, bool)


_ANY = _Shape("anything", lambda value: True)
_TEXT = _Shape("a text", lambda value: isinstance(value, _TEXTS))
_BOOL = _Shape("true or false", lambda value: isinstance(value, bool))
_INT = _Shape("a number", _is_int)
_SIZE = _Shape("a size", lambda value: _is_int(value) and value >= 0)
_SLOT = _Shape("a slot from 0 to 31",
               lambda value: _is_int(value) and 0 <= value < SLOTS)
_FUNCTION = _Shape("a function from 0 to 7",
                   lambda value: _is_int(value) and 0 <= value < FUNCTIONS)
#: PCI Express' root ports have a number of this name.
_PORT = _Shape("a port",
               lambda value: _is_int(value) or isinstance(value, _TEXTS) and
               bool(re.match(r"([0-9]+(\.[0-9]+)*)?$", value)))

#: What is certainly one, by its type alone.
_SURE = {_TEXT: _TEXTS, _BOOL: (bool, ), _INT: _INTS}

#: A function of a device on some PCI bus.
_PCI_DEVICE = {
  "slot": _SLOT, "function": _FUNCTION, "qdev_id": _Optional(_TEXT),
  "class_info": {"class": _INT, "desc": _Optional(_TEXT)},
  "id": _Optional({"vendor": _INT, "device": _INT}),
  "regions": _Optional([{"address": _Optional(_INT)}])}

#: Command to shape: a type; a list of one shape; a dict of what is read.
_SHAPES = {
  "device-list-properties": [{"name": _TEXT, "type": _TEXT}],
  "human-monitor-command": _TEXT,
  "qom-list": [{"name": _TEXT, "type": _TEXT}],
  "query-block": [{
    "device": _Optional(_TEXT), "qdev": _Optional(_TEXT),
    "removable": _Optional(_BOOL),
    "inserted": _Optional({
      "node-name": _Optional(_TEXT), "file": _Optional(_TEXT),
      "image": _Optional({"virtual-size": _SIZE})})}],
  "query-block-jobs": [{"device": _TEXT, "type": _TEXT}],
  "query-cpus-fast": [{"cpu-index": _INT}],
  "query-fdsets": [{"fdset-id": _INT, "fds": [_ANY]}],
  "query-hotpluggable-cpus": [{
    "qom-path": _Optional(_TEXT), "type": _Optional(_TEXT),
    "props": _Optional(dict((name, _Optional(_INT)) for name in (
      "socket-id", "die-id", "module-id", "core-id", "thread-id")))}],
  "query-migrate": {"status": _Optional(_TEXT)},
  "query-named-block-nodes": [{"node-name": _Optional(_TEXT)}],
  "query-pci": [{"bus": _INT, "devices": [dict(
    _PCI_DEVICE,
    pci_bridge=_Optional({"devices": _Optional([_PCI_DEVICE])}))]}],
  "query-status": {"status": _Optional(_TEXT)},
  "x-debug-query-block-graph": {
    "nodes": [{"id": _INT, "name": _TEXT, "type": _TEXT}],
    "edges": [{"parent": _INT, "child": _INT}]},
  }

#: Property to shape, of what C{qom-get} gives. What C{addr} is to a device that
#: is not on a PCI bus is not known.
_PROPERTIES = {
  "acpi-index": _INT, "apic-id": _INT, "channel": _INT, "host_mtu": _INT,
  "lun": _INT, "mac": _TEXT, "memory": {"slots": _Optional(_SIZE)}, "mq": _BOOL,
  "netdev": _TEXT, "nr": _INT, "num-queues": _INT, "num_queues": _INT,
  "parent_bus": _TEXT, "port": _PORT, "scsi-id": _INT, "type": _TEXT,
  "unit": _INT, "vectors": _INT,
  }


def _expected(where, what, value):
  # it may be as long as it likes
  return "%s: %s expected, not %.60r" % (where, what, value)


def _misfit(value, shape, where):
  """Find what is not as it should be.

  @param where: the way to the value, for the error
  @rtype: string or None

  """
  if isinstance(shape, _Shape):
    return None if shape.fits(value) else _expected(where, shape.name, value)
  if isinstance(shape, list):
    if not isinstance(value, list):
      return _expected(where, "a list", value)
    pairs = [("%s[%d]" % (where, at), item, shape[0])
             for at, item in enumerate(value)]
  else:
    if not isinstance(value, dict):
      return _expected(where, "an object", value)
    pairs = []
    for key, inner in sorted(shape.items()):
      if isinstance(inner, _Optional):
        if value.get(key) is None:
          continue
        inner = inner.shape
      elif key not in value:
        return "%s: no %s" % (where, key)
      pairs.append(("%s.%s" % (where, key), value[key], inner))
  for inner_where, item, inner in pairs:
    found = _misfit(item, inner, inner_where)
    if found:
      return found
  return None


def _fitting(shape):
  """Make the function that tells whether L{_misfit} finds nothing.

  Nearly always it would find nothing, and takes several times as long.

  """
  if isinstance(shape, _Shape):
    return shape.fits
  if isinstance(shape, list):
    inner_fits = _fitting(shape[0])
    return lambda value: isinstance(value, list) and all(map(inner_fits, value))
  keys = []
  for key, inner in shape.items():
    is_optional = isinstance(inner, _Optional)
    inner = inner.shape if is_optional else inner
    # of most values the type tells it, without a call
    keys.append((key, is_optional, _SURE.get(inner, ()) if isinstance(
      inner, _Shape) else (), _fitting(inner)))

  def fits(value):
    if not isinstance(value, dict):
      return False
    for key, is_optional, types, inner_fits in keys:
      found = value.get(key)
      if type(found) in types or found is None and is_optional:
        continue
      if key not in value or not inner_fits(found):
        return False
    return True
  return fits


_FITTING = dict((command, _fitting(shape))
                for command, shape in _SHAPES.items())
_FITTING_PROPERTY = dict((name, _fitting(shape))
                         for name, shape in _PROPERTIES.items())


def check(command, arguments, reply):
  """Make sure that a reply can be read.

  @type command: string
  @type arguments: dict or None
  @return: the reply
  @raise MonitorError: if it has another shape than it should

  """
  shape, fits = _SHAPES.get(command), _FITTING.get(command)
  if command == "qom-get":
    name = (arguments or {}).get("property")
    shape, fits = _PROPERTIES.get(name), _FITTING_PROPERTY.get(name)
  found = shape and not fits(reply) and _misfit(reply, shape, "reply")
  if found:
    raise MonitorError("unexpected reply to QMP command %s: %s" %
                       (command, found))
  return reply


def checking(execute):
  """Have all replies checked.

  @param execute: see L{queries}
  @return: a function like it

  """
  return lambda command, arguments: check(command, arguments,
                                          execute(command, arguments))
