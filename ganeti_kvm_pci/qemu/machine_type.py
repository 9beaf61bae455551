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

"""Which machine type a command names, and whether it is i440fx or q35.

Those of i440fx have the bus that is partitioned: pci.0, with QEMU's own devices
on it; those of q35 get root ports. A name that does not tell is looked up in
what QEMU prints for C{-machine help}.

"""

import re

from . import command as command_
from . import option

FLAGS = frozenset(["-machine", "--machine", "-M", "--M"])

#: The names of i440fx: QEMU's since 1.4 (with a distribution's own versions),
#: those up to 1.3, and the alias that both have.
_I440FX_RE = re.compile(r"^pc(?:-i440fx-\S+|-[01]\.\d+)?$")

#: Those of q35, and of QEMU's other PCs.
_Q35_RE = re.compile(r"^(?:pc-)?q35(?:-\S+)?$")
_OTHERS_RE = re.compile(r"^(?:isapc|microvm|none)$")

#: The chipsets.
I440FX = "i440fx"
Q35 = "q35"
OTHER = "other"

#: What is above the list (seen in QEMU 5.2, 7.2 and 10.0).
_TITLE_RE = re.compile(r"^Supported mach\w+ .*:[ \t\r]*$", re.M)
_LINE_RE = re.compile(r"^(\S+)[ \t]+(\S.*?)[ \t]*$", re.M)
_ALIAS_RE = re.compile(r"\(alias of (\S+)\)")
_DEFAULT = "(default)"
_DEPRECATED = "(deprecated)"

#: What QEMU puts after a machine type in its object model
#: (TYPE_MACHINE_SUFFIX in include/hw/boards.h, 2.x to 11.1).
_CLASS = "-machine"


def named(command, configs=None):
  """Tell which machine type a command names.

  QEMU merges all C{-machine} and C{-M} options; the last type counts.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: string or None
  @return: as written; None if QEMU is to take its default

  """
  found = None
  for _, _, keys in command_.told(command, configs, FLAGS, "machine", "type"):
    found = command_.text_of(keys, "type") or found
  return found


def chipset(name):
  """Tell the chipset of a machine type, as far as its name says.

  @type name: string
  @rtype: L{I440FX}, L{Q35}, L{OTHER} or None
  @return: None if the name does not tell

  """
  for pattern, found in ((_I440FX_RE, I440FX), (_Q35_RE, Q35),
                         (_OTHERS_RE, OTHER)):
    if pattern.match(name):
      return found
  return None


def with_type(command, name, configs=None):
  """Replace the machine type that a command names.

  The other properties of C{-machine} stay. What a file names, or nothing does,
  is replaced by one more option, as QEMU merges them.

  @type command: list of strings and ints
  @type name: string
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: list of strings and ints
  @return: a new command

  """
  words = list(command)
  naming = [position for position, text in command_.arguments(words, FLAGS)
            if command_.text_of(option.keys(text, "type"), "type")]
  if naming:
    words[naming[-1]] = option.with_first(words[naming[-1]], "type", name)
  if named(words, configs) != name:
    words += ["-machine", "type=%s" % name]
  return words


def of_class(name):
  """Tell which machine type a class of QEMU's object model is.

  @type name: string
  @param name: e.g. C{"pc-i440fx-7.2-machine"}
  @rtype: string or None
  @return: None if it is no machine type

  """
  return name[:-len(_CLASS)] or None if name.endswith(_CLASS) else None


class Listing(object):
  """What QEMU prints for C{-machine help}.

  @ivar text: string, the whole
  @ivar default: string or None, the machine type that it takes by itself
  @ivar is_list: bool, whether it is a list at all, and not an error's text

  """
  def __init__(self, text):
    self.text = text
    self.is_list = bool(_TITLE_RE.search(text))
    self._described = dict(_LINE_RE.findall(text))
    self.default = ([name for name, description in
                     sorted(self._described.items())
                     if description.endswith(_DEFAULT)] or [None])[0]

  def has(self, name):
    """Tell whether QEMU lists a machine type.

    @type name: string
    @rtype: bool

    """
    return name in self._described

  def is_deprecated(self, name):
    """Tell whether QEMU says that it will remove a machine type.

    @type name: string
    @rtype: bool

    """
    return _DEPRECATED in self._described.get(name, "")

  def meaning(self, name):
    """Tell which machine type an alias stands for.

    @type name: string or None
    @param name: None for QEMU's default
    @rtype: string or None
    @return: C{name} itself if it is no alias

    """
    name = name or self.default
    return self.aliases().get(name, name)

  def names(self):
    """Return the machine types that QEMU has, and its names for some.

    @rtype: list of strings

    """
    return sorted(self._described) if self.is_list else []

  def aliases(self):
    """Return what the names stand for that are no machine types themselves.

    @rtype: dict

    """
    found = [(name, _ALIAS_RE.search(description))
             for name, description in self._described.items()]
    return dict((name, match.group(1)) for name, match in found if match)

  def chipset(self, name):
    """Tell the chipset of a machine type.

    @type name: string
    @rtype: L{I440FX}, L{Q35} or L{OTHER}
    @return: L{OTHER} also for what QEMU does not list

    """
    description = self._described.get(name, "")
    for found in (I440FX, Q35):
      if found in description.lower():
        return found
    return chipset(self.meaning(name)) or OTHER
