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

"""Options that QEMU has removed, and their successors.

A runtime file lasts as long as its guest, which may be longer than a release
of QEMU: the command of the day on which the guest was started is what a
migration starts QEMU with. Here stands what Ganeti 2.8 to 3.1 write into it
(from the parameters C{acpi}, C{soundhw}, C{usb_devices}, C{use_chroot},
C{use_localtime}, C{vnc_tls}, ...), and what C{kvm_extra} may well have, of
which a later QEMU does not start.

A successor is written only where the guest stays the same, device by device
and slot by slot; each pair was compared on QEMU 5.2, which knows both forms of
most, and tried on 7.2, 10.0 and 11.1.

"""

import collections
import re

from . import command as command_
from . import machine_type

#: One option.
#:   - flag: string, with one dash; QEMU takes two as well
#:   - argument: pattern of the arguments that are meant, or None where the
#:     option takes none
#:   - removed: tuple of two ints, the first QEMU that has it no longer
#:   - source: string, where that stands
#:   - since: tuple of two ints, the first QEMU that takes the successor, as do
#:     all later ones; None if there is no successor
#:   - renew: function(argument) that returns the successor's words, or None
#:     where it has none for this argument
#:   - is_device: bool, whether QEMU made it before all C{-device} options, so
#:     that the successor has to be the first of them
#:   - always: string, what Ganeti 2.16 and later do by themselves, which is the
#:     same; None where they do not
#:   - remedy: string, what an administrator can do instead
Option = collections.namedtuple("Option", [
  "flag", "argument", "removed", "source", "since", "renew", "is_device",
  "always", "remedy"])

#: One such option in a command.
#:   - option: L{Option}; for a machine type one that is made for it
#:   - position: int, index of the option in the command
#:   - length: int, of how many words it consists
#:   - text: string, as written
#:   - words: list of strings, the successor; None if there is none
Found = collections.namedtuple("Found", [
  "option", "position", "length", "text", "words"])

#: The latest QEMU that was tried.
LATEST = (11, 1)

_DOC = "docs/about/removed-features.rst"
#: Not in that file, which begins with 2.12 and does not have everything.
_TRIED = "tried: absent from QEMU %d.%d"

_TOO_OLD = "Ganeti before 2.16 writes it, and needs an older QEMU"

_ANY = re.compile("", re.S)

_SPICE = frozenset(["-spice", "--spice"])

#: What C{-soundhw} calls a card, and the devices that it makes of it; the last
#: one plays. The speaker is on every PC; the option only connected it to the
#: node's sound. Not here are those on ISA: where they are, QEMU does
#: not tell, so that two guests cannot be compared.
_CARDS = {
  "ac97": ["AC97"],
  "es1370": ["ES1370"],
  "hda": ["intel-hda", "hda-duplex"],
  "pcspk": [],
  }

#: What they play to. QEMU 8.2 and later choose nothing by themselves where
#: another is named in the command.
_BACKEND = "soundhw"


def _words(*words):
  return lambda _: list(words)


def _card(argument):
  """Tell the devices of one card.

  Of several, the order (and so the slots) was that in which QEMU was linked.

  """
  drivers = _CARDS.get(argument)
  if not drivers:
    return drivers
  found = ["-audiodev", "none,id=" + _BACKEND]
  for driver in drivers:
    found += ["-device", driver]
  found[-1] += ",audiodev=" + _BACKEND
  return found


def _balloon(argument):
  model, comma, keys = argument.partition(",")
  return [] if model == "none" else ["-device", "virtio-balloon" + comma + keys]


def _vnc(argument):
  """Replace VNC's own words for TLS by an object."""
  kept, creds, credentials = [], None, ["id=vnctls0", "endpoint=server"]
  for word in argument.split(","):
    key, _, value = word.partition("=")
    if word == "tls":
      creds = creds or "tls-creds-anon"
      kept.append("tls-creds=vnctls0")
    elif key in ("x509", "x509verify"):
      creds = "tls-creds-x509"
      credentials += ["dir=" + value, "verify-peer=" +
                      ("yes" if key == "x509verify" else "no")]
    else:
      kept.append(word)
  return ["-object", ",".join([creds] + credentials), "-vnc", ",".join(kept)]


def _without_boot(argument):
  return ["-drive", re.sub(r",boot=(?:on|off)(?=,|$)", "", argument)]


def _option(flag, removed, since=None, successor=None, argument=None, **more):
  values = dict({
    "source": _DOC, "is_device": False, "always": None, "remedy": "take %s out"
    " of kvm_extra, if it stands there, shut the instance down and start it" %
    flag}, **more)
  return Option(flag=flag, argument=argument, removed=removed, since=since,
                renew=successor, **values)


def _usb(names, removed, source):
  return _option(
    "-usbdevice", removed, source=source, argument=re.compile(names, re.S),
    remedy="take it out of usb_devices (gnt-instance modify -H"
    " usb_devices=...), name a -device usb-... in kvm_extra instead, shut the"
    " instance down and start it")


_OPTIONS = [
  # what Ganeti 2.16 and later replace by themselves
  _option("-localtime", (3, 1), (1, 0), _words("-rtc", "base=localtime"),
          always="-localtime to -rtc", remedy=_TOO_OLD),
  _option("-balloon", (3, 1), (1, 0), _balloon, _ANY,
          always="-balloon to -device", remedy=_TOO_OLD),
  _option("-vnc", (3, 1), (2, 5), _vnc,
          re.compile(r".*,(?:tls(?:,|$)|x509(?:verify)?=)", re.S),
          always="-vnc's TLS to an object", remedy=_TOO_OLD),
  # what Ganeti writes
  _option("-soundhw", (7, 1), (4, 2), _card, _ANY, is_device=True,
          remedy="empty the parameter soundhw, name the cards in kvm_extra"
          " (gnt-instance modify -H soundhw=,kvm_extra='-device AC97'), shut"
          " the instance down and start it"),
  _option("-no-acpi", (9, 0), (5, 2), _words("-machine", "acpi=off"),
          remedy="Ganeti before 3.1 writes it for acpi=false: set acpi=true,"
          " with -machine acpi=off in kvm_extra, shut the instance down and"
          " start it"),
  _option("-chroot", (9, 0), (8, 1), lambda path: [
    "-run-with", "chroot=" + path.replace(",", ",,")], _ANY,
          remedy="set use_chroot=false (Ganeti 3.1 and later know -run-with),"
          " shut the instance down and start it"),
  # read over since qemu-kvm became QEMU
  _option("-drive", (5, 2), (1, 3), _without_boot,
          re.compile(r".*,boot=(?:on|off)(?:,|$)", re.S),
          source=_TRIED % (5, 2)),
  _usb(r"(?:host|disk|serial|net|bt)(?::|$)", (5, 2), _TRIED % (5, 2)),
  _usb(r"(?:audio|ccid)(?::|$)", (6, 0), _DOC),
  _option("-disable-kvm", (5, 2), (1, 0), _words("-machine", "accel=tcg"),
          source=_TRIED % (5, 2)),
  # what kvm_extra may have: the same by another name
  _option("-no-hpet", (9, 0), (5, 2), _words("-machine", "hpet=off")),
  _option("-no-kvm", (5, 2), (1, 0), _words("-machine", "accel=tcg")),
  _option("-no-kvm-irqchip", (3, 0), (1, 1),
          _words("-machine", "kernel_irqchip=off")),
  _option("-no-kvm-pit-reinjection", (3, 0), (1, 3),
          _words("-global", "kvm-pit.lost_tick_policy=discard")),
  _option("-realtime", (6, 0), (3, 0), lambda text: [
    "-overcommit", "mem-lock=" + text.partition("=")[2]],
          re.compile(r"mlock=(?:on|off)$")),
  _option("-rtc-td-hack", (3, 1), (1, 0), _words("-rtc", "driftfix=slew")),
  _option("-startdate", (3, 1), (1, 0), lambda date: [
    "-rtc", "base=" + date], _ANY),
  _option("-runas", (10, 0), (9, 1), lambda user: [
    "-run-with", "user=" + user.replace(",", ",,")], _ANY),
  _option("-chardev", (8, 0), (1, 5), lambda text: [
    "-chardev", re.sub("^tty", "serial", re.sub("^parport", "parallel", text))],
          re.compile(r"(?:tty|parport),", re.S)),
  # read over, or of a window that an instance of Ganeti's does not have
  _option("-tdf", (2, 12), (1, 3), _words()),
  _option("-no-kvm-pit", (2, 12), (1, 3), _words()),
  _option("-no-quit", (7, 0), (1, 0), _words()),
  _option("-show-cursor", (6, 0), (1, 0), _words()),
  _option("-alt-grab", (7, 1), (1, 0), _words()),
  _option("-ctrl-grab", (7, 1), (1, 0), _words()),
  # no successor, or one that would stand elsewhere (-watchdog is made last)
  _option("-watchdog", (7, 2), argument=_ANY,
          remedy="name the -device in kvm_extra instead, shut the instance"
          " down and start it"),
  _option("-enable-fips", (7, 1)),
  _option("-nodefconfig", (3, 1)),
  _option("-std-vga", (5, 2), source=_TRIED % (5, 2)),
  _option("-hdachs", (2, 12), argument=_ANY),
  _option("-redir", (3, 1), argument=_ANY),
  _option("-smb", (3, 1), argument=_ANY),
  _option("-tftp", (3, 1), argument=_ANY),
  _option("-bootp", (3, 1), argument=_ANY),
  _option("-tb-size", (6, 0), argument=_ANY),
  _option("-sdl", (7, 1)),
  _option("-curses", (7, 1)),
  _option("-writeconfig", (7, 1), argument=_ANY),
  _option("-singlestep", (9, 0)),
  _option("-async-teardown", (9, 0)),
  _option("-portrait", (9, 2)),
  _option("-rotate", (9, 2), argument=_ANY),
  _option("-vnc", (6, 0), argument=re.compile(r".*,acl(?:,|=|$)", re.S)),
  _option("-spice", (8, 0), argument=re.compile(r"(?:.*,)?password=", re.S)),
  _option("-smp", (9, 0), argument=re.compile(
    r".*,(?:maxcpus|sockets|dies|cores|threads)=0(?:,|$)", re.S)),
  _option("-device", (4, 0), argument=re.compile(r"ivshmem(?:,|$)", re.S)),
  _option("-device", (6, 0), argument=re.compile(
    r"(?:ide-drive|scsi-disk)(?:,|$)", re.S)),
  _option("-device", (8, 0), argument=re.compile(r"sga(?:,|$)", re.S)),
  _option("-device", (9, 1), argument=re.compile(
    r"(?:pvrdma(?:,|$)|virtio-blk(?:-pci)?,(?:.*,)?scsi=)", re.S)),
  _option("-fsdev", (9, 2), argument=re.compile(r"proxy,", re.S)),
  _option("-virtfs", (9, 2), argument=re.compile(r"proxy,", re.S)),
  ]

#: pc-0.10 up to 0.15 (not in 5.2) and 1.3; pc-i440fx-1.4 up to 2.3 (in 7.2, not
#: in 10.0); and what goes six years after its release since 10.1
#: (docs/about/deprecated.rst).
_VERSIONED_RE = re.compile(r"pc-(?:(?:i440fx|q35)-)?(\d+)\.(\d+)$")


def _removed_since(name):
  """Tell the first QEMU without a machine type.

  @rtype: tuple of two ints, or None

  """
  match = _VERSIONED_RE.match(name)
  if not match:
    return None
  version = tuple(int(number) for number in match.groups())
  if version < (1, 0):
    return (5, 2)
  if version < (1, 4):
    return (6, 0)
  if version < (2, 4):
    return (10, 0)
  removed = max((10, 1), (version[0] + 6, version[1]))
  return removed if removed <= LATEST else None


def _removed_type(command, configs):
  """Find a machine type that QEMU has removed.

  @rtype: list of L{Found}

  """
  name = machine_type.named(command, configs)
  removed = _removed_since(name) if name else None
  if removed is None:
    return []
  option = _option(
    "-machine", removed, argument=_ANY, source=_TRIED % removed, remedy="take a"
    " machine_version that both have, shut the instance down and start it; its"
    " guest will see other hardware")
  return [Found(option, None, 0, "machine type %s" % name, None)]


def find(command, configs=None):
  """Find the options of a command that some QEMU has removed.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: list of L{Found}
  @return: in the command's order, the machine type last

  """
  found = []
  at = 0
  # -m has a number in a runtime file
  words = [str(w) if isinstance(w, int) else w for w in command]
  while at < len(words):
    word = words[at]
    flag = word[1:] if word.startswith("--") else word
    following = (command[at + 1:] or [None])[0]
    length = 1
    for option in _OPTIONS:
      if option.flag != flag:
        continue
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
    at += length
  return _sound(found, words, configs) + _removed_type(words, configs)


def _has_default_devices(configs):
  """Tell whether QEMU makes devices before all that a command names."""
  return any(section.group == "device" for section in
             (configs or {}).get(command_.DEFAULT_FILE) or ())


def _sound(found, words, configs):
  """Leave cards alone of which the slot is not certain; else connect them.

  """
  cards = [item for item in found if item.option.is_device]
  is_certain = len(cards) == 1 and not _has_default_devices(configs)
  for item in cards:
    successor = item.words if is_certain else None
    if successor and _SPICE.intersection(words):
      # as Ganeti 3.1 does
      successor[1] = "spice,id=" + _BACKEND
    found[found.index(item)] = item._replace(words=successor)
  return found


def renew(command, qemu, needed=False, configs=None):
  """Replace options that QEMU has removed by their successors.

  @type command: list of strings
  @type qemu: tuple of two ints, or None
  @param qemu: the version that is to be started with it; None for what Ganeti
      2.16 and later replace by themselves, and nothing else
  @type needed: bool
  @param needed: whether to leave what this version has
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: tuple (list of strings, list of strings)
  @return: a new command; what was changed

  """
  words, changes = list(command), []
  devices = []
  # backwards, because what stands before a change keeps its position
  for item in reversed(find(command, configs)):
    if not _is_due(item, qemu, needed):
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


def _is_due(item, qemu, needed):
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
  text = "%s: %s does not start with it (%s %d.%d)" % (
    (item.text, show(qemu),
     "removed in" if item.option.source == _DOC else "not in") +
    item.option.removed)
  return "%s; %s" % (text, item.option.remedy) if with_remedy else text
