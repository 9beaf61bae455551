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

"""The removed options of a command, and their successors in their stead.

What was removed, and what its successor is, is L{removed_options}' affair.

"""

import collections

from . import command as command_
from . import machine_type
from . import removed_options

#: One such option in a command.
#:   - option: L{removed_options.Option}
#:   - position: int, index of the option in the command
#:   - length: int, of how many words it consists
#:   - text: string, as written
#:   - words: list of strings, the successor; None if there is none
Found = collections.namedtuple("Found", [
  "option", "position", "length", "text", "words"])

_SPICE = frozenset(["-spice", "--spice"])


def of_type(name):
  """Find out whether QEMU has removed a machine type.

  @type name: string
  @rtype: L{Found} or None

  """
  option = removed_options.of_type(name)
  return option and Found(option, None, 0, "machine type %s" % name, None)


def _removed_type(command, configs):
  """Find a machine type that QEMU has removed.

  @rtype: list of L{Found}

  """
  name = machine_type.named(command, configs)
  found = of_type(name) if name else None
  return [found] if found else []


def find(command, configs=None):
  """Find the options of a command that some QEMU has removed.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: list of L{Found}
  @return: in the command's order, the machine type last

  """
  words = _texts(command)
  return _options(command, configs, words) + _removed_type(words, configs)


def _texts(command):
  # -m has a number in a runtime file
  return [str(w) if isinstance(w, int) else w for w in command]


def _options(command, configs, words=None):
  """Do what L{find} does, but for the machine type.

  @param words: L{_texts} of the command, where it is known

  """
  found = []
  words = words or _texts(command)
  end = 0
  for at in [at for at, word in enumerate(words)
             if word in removed_options.BY_WORD]:
    if at < end: # the argument of another
      continue
    word = words[at]
    following = command[at + 1] if at + 1 < len(command) else None
    length = 1
    for option in removed_options.BY_WORD[word]:
      if option.argument is None:
        text, successor = word, option.renew and option.renew(None)
      elif hasattr(following, "split") and option.argument.match(following):
        text = "%s %s" % (word, following)
        successor = option.renew and option.renew(following)
        length = 2
      else:
        continue
      found.append(Found(option, at, length, text, successor))
      break
    end = at + length
  return _sound(found, words, configs)


def _has_default_devices(configs):
  """Tell whether QEMU makes devices before all that a command names."""
  return any(section.group == "device" for section in
             (configs or {}).get(command_.DEFAULT_FILE) or ())


def _sound(found, words, configs):
  """Leave cards alone of which the slot is not certain; else connect them.

  """
  if not found: # as most of the time
    return found
  cards = [item for item in found if item.option.is_device]
  is_certain = len(cards) == 1 and not _has_default_devices(configs)
  for item in cards:
    successor = item.words if is_certain else None
    if successor and _SPICE.intersection(words):
      # as Ganeti 3.1 does
      successor[1] = "spice,id=" + removed_options.SOUND
    found[found.index(item)] = item._replace(words=successor)
  return found


def renew(command, qemu, needed=False, configs=None, found=None):
  """Replace options that QEMU has removed by their successors.

  @type command: list of strings
  @type qemu: tuple of two ints, or None
  @param qemu: the version that is to be started with it; None for what Ganeti
      2.16 and later replace by themselves, and nothing else
  @type needed: bool
  @param needed: whether to leave what this version has
  @type configs: dict or None
  @param configs: see L{command.told}
  @param found: what L{find} finds, where it is known
  @rtype: tuple (list of strings, list of strings)
  @return: a new command; what was changed

  """
  words, changes = list(command), []
  if qemu is None and removed_options.ALWAYS.isdisjoint(command):
    return (words, changes)
  devices = []
  # backwards, because what stands before a change keeps its position
  for item in reversed(_options(command, configs) if found is None else found):
    if not is_due(item, qemu, needed):
      continue
    renewed = item.words
    if item.option.is_device:
      devices, renewed = renewed, []
    words[item.position:item.position + item.length] = renewed
    changes.insert(0, item.option.always or _change(item))
  if devices:
    first = command_.first_device(words)
    words[first:first] = devices
  return (words, changes)


def _change(item):
  if not item.words:
    return "without %s" % item.text
  return "%s to %s (%s and later)" % (item.text, " ".join(item.words),
                                      show(item.option.since))


def is_due(item, qemu, needed=False):
  """Tell whether L{renew} replaces an option.

  @type item: L{Found}
  @param qemu: see L{renew}
  @param needed: see L{renew}
  @rtype: bool

  """
  option = item.option
  if item.words is None or bool(option.always) != (qemu is None):
    return False
  return qemu is None or \
    (option.since <= qemu and not (needed and qemu < option.removed))


def sound(command):
  """Tell the devices that C{-soundhw} makes of one card.

  @type command: list of strings
  @rtype: list of strings
  @return: their drivers

  """
  return [option.driver for item in find(command)
          if item.option.is_device and item.words
          for option in command_.devices(item.words)]


def show(version):
  """Name a version of QEMU.

  @type version: tuple of two ints
  @rtype: string

  """
  return "QEMU %d.%d" % version


def explain(item, qemu):
  """Say what comes of an option in a runtime file, and what to do.

  @type item: L{Found}
  @type qemu: tuple of two ints, or None
  @param qemu: the version that was asked for
  @rtype: string

  """
  option = item.option
  if qemu is not None and qemu >= option.removed:
    text = explain_start(item, qemu, False)
  else:
    text = "%s: %s and later do not start with it" % (item.text,
                                                      show(option.removed))
  if item.words is None:
    return "%s, and has no successor that keeps the guest the same; %s" % (
      text, option.remedy)
  successor = "'%s'" % " ".join(item.words) if item.words else "nothing"
  if qemu is not None and qemu < option.since:
    return "%s; its successor, %s, is known to %s and later" % (
      text, successor, show(option.since))
  return "%s; ganeti-kvm-pci upgrade replaces it by %s" % (text, successor)


def explain_start(item, qemu, with_remedy=True):
  """Say that a QEMU does not start with an option, and what to do.

  @type item: L{Found}
  @type qemu: tuple of two ints
  @param qemu: a version that has it no longer
  @type with_remedy: bool
  @rtype: string

  """
  # QEMU's documents do not say of all when they were removed
  is_told = item.option.source == removed_options.DOCUMENT
  text = "%s: %s does not start with it (%s %d.%d)" % (
    (item.text, show(qemu), "removed in" if is_told else "not in") +
    item.option.removed)
  return "%s; %s" % (text, item.option.remedy) if with_remedy else text
