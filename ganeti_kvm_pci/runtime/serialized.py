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

"""The text of a runtime file as data, and back.

Ganeti writes, when it starts an instance, what QEMU was given, so that the
same guest can be started on another node: JSON, a list of

  1. the command: list of strings, without disks and NICs
  2. the NICs: list of dicts
  3. the hypervisor parameters: dict
  4. the disks: list of [dict, link, uri]; absent before Ganeti 2.10, where the
     disks were in the command

A device's address is C{hvinfo} (2.16 and later: C{driver, id, bus, addr}, or
C{channel, scsi-id, lun} behind a SCSI controller) or C{pci} (2.10 to 2.15: an
int). All that is read here is checked, so that nobody else has to; what was
read is written back as it was, to the last value.

"""

import collections
import json
import sys

from ..errors import MalformedError
from ..qemu import command as command_
from ..qemu import unknown_option
from .device_entry import DISK_KEYS
from .device_entry import NIC_KEYS
from .device_entry import TEXT
from .device_entry import WORD_RE
from .device_entry import check
from .device_entry import check_extra
from .device_entry import check_indexes
from .device_entry import is_text

#: The key of what travels with a runtime file. A node with unmodified Ganeti
#: writes it down when a guest arrives, and reads the first four entries only
#: (2.10 to master).
_SOURCE_REPORT = "ganeti-kvm-pci"

#: Parameters that are looked at here; all are texts. What else stands among
#: the parameters is Ganeti's affair, and many a site has its own.
_TEXT_PARAMETERS = ("disk_type", "kvm_extra", "machine_version", "nic_type")

#: Those of a few words each that go into the options of disks and NICs.
_WORD_PARAMETERS = ("disk_aio", "disk_cache", "disk_discard", "disk_type",
                    "nic_type", "scsi_controller_type")

#: What the command consists of; bool is not in it.
_WORDS = frozenset(TEXT + (int, ))

#: Python 2's dicts forget the order of their keys.
_Dict = dict if sys.version_info >= (3, 6) else collections.OrderedDict


class Runtime(object):
  """What a runtime file holds.

  @ivar source: string, file or instance, to be named in errors
  @ivar command: list of strings and ints (C{-m}), as it was written
  @ivar nics: list of dicts
  @ivar hvparams: dict
  @ivar disks: list of [dict, string, string or None]
  @ivar entries: int, how many entries the file had: 3 or 4
  @ivar unknown: list of strings, what no known Ganeti writes
  @ivar configs: dict, what the files say that the command has QEMU read (see
      L{command.told}); empty until somebody puts it there
  @ivar source_report: dict or None, what the source node of a migration
      reports: topology, ejected devices, requested removals; it is true of that
      moment, and not written again
  @ivar is_guarded: bool, whether L{unknown_option} was in the command, which
      is without it here

  """
  def __init__(self, source, loaded):
    """Take over what was read.

    @param loaded: what JSON made of the text
    @raise RuntimeFileError: if it is no runtime

    """
    self.source = source
    self.unknown = []
    self.configs = {}
    if not isinstance(loaded, list) or len(loaded) < 3:
      raise self._error("a list of command, NICs, parameters and disks"
                        " expected")
    self.entries = min(len(loaded), 4)
    self.command, self.nics, self.hvparams = loaded[:3]
    self.disks = loaded[3] if len(loaded) > 3 else []
    self._rest = loaded[4:]
    self.source_report = None
    if len(self._rest) == 1 and isinstance(self._rest[0], dict) and \
        list(self._rest[0]) == [_SOURCE_REPORT]:
      self.source_report = self._rest.pop()[_SOURCE_REPORT]
      if not isinstance(self.source_report, dict):
        raise self._error("what the source node tells is no dict")
    if self._rest:
      self.unknown.append("entry %d" % 5)
    for value, expected, what in (
        (self.command, list, "the command is no list"),
        (self.nics, list, "the NICs are no list"),
        (self.hvparams, dict, "the parameters are no dict"),
        (self.disks, list, "the disks are no list")):
      if not isinstance(value, expected):
        raise self._error(what)
    self._check_command()
    words = self.words
    self.is_guarded = False
    if unknown_option.may_be_in(words):
      self.command[:] = unknown_option.remove(self.command)
      self.is_guarded = len(self.command) < len(words)
      words = self.words
    self._check_parameters()
    ports = command_.ports(words)
    for index, nic in enumerate(self.nics):
      self.unknown += check(source, "nic %d" % index, nic, NIC_KEYS, ports)
    check_indexes(source, self.nics)
    for index, entry in enumerate(self.disks):
      if not isinstance(entry, list) or len(entry) != 3:
        raise MalformedError(source,
                             "disk %d: [dict, link, uri] expected" % index)
      self.unknown += check(source, "disk %d" % index, entry[0], DISK_KEYS,
                            ports)
      if not entry[0].get("uuid"):
        raise MalformedError(source, "disk %d: no uuid" % index)
      check_extra(source, "disk %d" % index, entry[1:])

  def _error(self, reason):
    return MalformedError(self.source, "not a runtime file: %s" % reason)

  def _check_command(self):
    if not self.command:
      raise self._error("the command is empty")
    if _WORDS.issuperset(map(type, self.command)):
      return
    for index, word in enumerate(self.command):
      if type(word) not in _WORDS:
        raise self._error("word %d of the command is no text" % index)

  def _check_parameters(self):
    for name in _TEXT_PARAMETERS:
      if not isinstance(self.hvparams.get(name, ""), TEXT):
        raise self._error("the parameter %s is no text" % name)
    for name in _WORD_PARAMETERS:
      value = self.hvparams.get(name)
      # the type is a driver's name where a device gets its address
      if (value or value == "" and name in _TEXT_PARAMETERS) and \
          not (isinstance(value, TEXT) and WORD_RE.match(value)):
        raise self._error("the parameter %s is no word: %r" % (name, value))

  def forget(self, uuid):
    """Leave a device out.

    @param uuid: its uuid

    """
    self.nics[:] = [nic for nic in self.nics if nic.get("uuid") != uuid]
    self.disks[:] = [entry for entry in self.disks
                     if entry[0].get("uuid") != uuid]

  @property
  def instance(self):
    """The name of the instance, or the source where the command has none."""
    if "-name" in self.command[:-1]:
      name = self.command[self.command.index("-name") + 1]
      if is_text(name):
        return command_.split_option(name)[0][0]
    return self.source

  @property
  def words(self):
    """The command as QEMU gets it, a list of strings."""
    if str is bytes: # on Python 2, what is a text must stay one
      return [str(w) if isinstance(w, int) else w for w in self.command]
    return list(map(str, self.command))

  def as_list(self):
    """Return what the file is a text of."""
    found = [self.command, self.nics, self.hvparams]
    if self.entries > 3:
      found += [self.disks] + self._rest
    return found

  def dump(self, source_report=False):
    """Write the text that Ganeti would.

    @type source_report: bool
    @param source_report: whether C{source_report} is part of it
    @rtype: string
    @raise RuntimeFileError: if it cannot be written

    """
    loaded = self.as_list()
    if source_report:
      loaded.append({_SOURCE_REPORT: self.source_report})
    try:
      return json.dumps(loaded) + "\n"
    except RuntimeError: # what was just short enough of that to be read
      raise self._error("it is nested too deeply")


def _pairs(pairs):
  found = _Dict(pairs)
  if len(found) != len(pairs):
    raise ValueError("a key stands twice in a dict")
  return found


def _no_constant(word):
  raise ValueError("%s is no number" % word)


def _number(word):
  value = float(word)
  if value in (float("inf"), float("-inf")):
    raise ValueError("%s is too large a number" % word)
  return value


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_number,
                            parse_constant=_no_constant)


def parse(text, source):
  """Read a runtime file.

  @type text: string
  @param text: the file's content
  @type source: string
  @param source: file or instance, to be named in errors
  @rtype: L{Runtime}
  @raise RuntimeFileError: if the text is no runtime file

  """
  try:
    loaded = _DECODER.decode(text)
  except (ValueError, RuntimeError) as err: # the latter: nested too deeply
    raise MalformedError(source,
                         "not a runtime file, JSON expected: %s" % err)
  return Runtime(source, loaded)
