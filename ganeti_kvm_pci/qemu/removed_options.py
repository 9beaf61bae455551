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

from . import machine_type_expiry

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

#: The latest QEMU that was tried.
LATEST = (11, 1)

#: Where QEMU lists what it has removed.
DOCUMENT = "docs/about/removed-features.rst"
#: Not in that file, which begins with 2.12 and does not have everything.
_TRIED = "tried: absent from QEMU %d.%d"

_TOO_OLD = "Ganeti before 2.16 writes it, and needs an older QEMU"

_ANY = re.compile("", re.S)

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
SOUND = "soundhw"


def _words(*words):
  return lambda _: list(words)


def _card(argument):
  """Tell the devices of one card.

  Of several, the order (and so the slots) was that in which QEMU was linked.

  """
  drivers = _CARDS.get(argument)
  if not drivers:
    return drivers
  found = ["-audiodev", "none,id=" + SOUND]
  for driver in drivers:
    found += ["-device", driver]
  found[-1] += ",audiodev=" + SOUND
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
    "source": DOCUMENT, "is_device": False, "always": None, "remedy": "take %s"
    " out of kvm_extra, if it stands there, shut the instance down and start"
    " it" % flag}, **more)
  return Option(flag=flag, argument=argument, removed=removed, since=since,
                renew=successor, **values)


def _usb(names, removed, source):
  return _option(
    "-usbdevice", removed, source=source, argument=re.compile(names, re.S),
    remedy="take it out of usb_devices (gnt-instance modify -H"
    " usb_devices=...), name a -device usb-... in kvm_extra instead, shut the"
    " instance down and start it")


OPTIONS = [
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
  _usb(r"(?:audio|ccid)(?::|$)", (6, 0), DOCUMENT),
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

#: The same by the word that names one: most words of a command do not.
BY_WORD = dict((dash + option.flag, [other for other in OPTIONS
                                     if other.flag == option.flag])
               for option in OPTIONS for dash in ("", "-"))

#: The words of those that Ganeti 2.16 and later replace by themselves.
ALWAYS = frozenset(word for word, options in BY_WORD.items()
                   if any(option.always for option in options))


def of_type(name):
  """Make the entry of a machine type.

  @type name: string
  @rtype: L{Option} or None
  @return: None if no QEMU has removed it

  """
  removed = machine_type_expiry.removed_since(name)
  if removed is None or removed > LATEST:
    return None
  return _option(
    "-machine", removed, argument=_ANY, source=_TRIED % removed, remedy="take a"
    " machine_version that both have, shut the instance down and start it; its"
    " guest will see other hardware")
