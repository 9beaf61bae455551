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

"""Errors of this package.

Every error that leaves the package on purpose is one of these::

  KvmPciError
   +-- AddressError       a text that should be a PCI address is none
   +-- ReservationsError  kvm_pci_reservations is no number of slots
   +-- BusFullError       no slot is left for a device
   +-- SlotTakenError     QEMU refused to put a device on a slot
   +-- NameTakenError     a device of kvm_extra has an id or number of Ganeti's
   +-- RuntimeFileError   a runtime file cannot be read or used
   |    +-- MalformedError  what stands in it is nothing that Ganeti writes
   +-- MonitorError       QEMU's monitor is absent, silent or unintelligible
   |    +-- CommandError  QEMU refused a command
   +-- GanetiError        this Ganeti is none that the plugin knows
   +-- NodeError          something is missing or not writable on this node
   |    +-- BusyError     another operation is at work on an instance
   +-- OutputError        what the command says cannot be written

C{str()} of each is one line for an administrator: it names the culprit and,
where there is one, the remedy. The parts it is made of stay with the error
as attributes, for callers that decide by them.

"""


#: Python 2's, of an error in other letters.
_UNICODE = type(b"".decode("ascii"))


def show(err):
  """Say what an error says, whatever it says.

  @type err: Exception
  @rtype: string

  """
  try:
    return str(err)
  except UnicodeError: # Python 2, where str() takes no other letters
    return _UNICODE(err).encode("ascii", "backslashreplace")


def readable(value):
  """Make a text of the name of a file, which Python 2 has as bytes.

  Any other value is returned as it is.

  """
  return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


#: The kernel's words where a node lacks something, and what to do. The first
#: that fits counts.
_LACKS = (
  ("Too many open files in system", "raise fs.file-max (sysctl) on this node"),
  ("Too many open files", "raise the node daemon's limit of open files"
   " (LimitNOFILE=, ulimit -n) and restart it"),
  ("No space left on device", "free some of that file system (df, df -i)"),
  ("Read-only file system", "mount that file system for writing"),
  )


def node_remedy(text):
  """Say what to do about what a node lacks.

  @type text: string
  @param text: an error's, with the kernel's words
  @rtype: string or None
  @return: None if it is not about that

  """
  return ([cure for words, cure in _LACKS if words in text] or [None])[0]


def with_remedy(text):
  """Add to an error's text what to do, if the node lacks something.

  @type text: string
  @rtype: string

  """
  cure = node_remedy(text)
  return "%s; %s, then try again" % (text, cure) \
    if cure and cure not in text else text


def without_remedy(text):
  """Return the text that L{with_remedy} was given."""
  cure = node_remedy(text)
  return text.replace("; %s, then try again" % cure, "")


class KvmPciError(Exception):
  """Root of the package's errors."""

  def __init__(self, message):
    # it may quote what stands in a file
    message = message.replace("\n", "\\n")
    if str is bytes and not isinstance(message, str):
      # Python 2, where str() takes no other letters
      message = message.encode("ascii", "backslashreplace")
    Exception.__init__(self, message)


class AddressError(KvmPciError):
  """A text that should be a PCI address is none.

  @ivar text: what was found instead of an address, as it was found
  @ivar reason: what is wrong with it

  """
  def __init__(self, text, reason):
    KvmPciError.__init__(self, "invalid PCI address %r: %s" % (text, reason))
    self.text = text
    self.reason = reason


class ReservationsError(KvmPciError):
  """C{kvm_pci_reservations} is no number of slots.

  @ivar value: the offending value

  """
  def __init__(self, value):
    KvmPciError.__init__(
      self, "kvm_pci_reservations must be a number from 0 to 32, not %r"
      % (value, ))
    self.value = value


class BusFullError(KvmPciError):
  """No slot of pci.0 is left for a device.

  @ivar device_class: L{pools.DISK} or L{pools.NIC}
  @ivar holders: dict, slot (int) to the name of what holds it

  """
  def __init__(self, device_class, message, holders):
    KvmPciError.__init__(self, message)
    self.device_class = device_class
    self.holders = holders


class SlotTakenError(KvmPciError):
  """QEMU refused to put a device on a slot.

  @ivar slot: int, or None where QEMU was to choose and found none
  @ivar device: id of the refused device, or its driver where it has none
  @ivar holder: what QEMU says sits there, or None

  """
  def __init__(self, slot, device, holder, message):
    KvmPciError.__init__(self, message)
    self.slot = slot
    self.device = device
    self.holder = holder


class NameTakenError(KvmPciError):
  """A device of C{kvm_extra} has an id or number of Ganeti's."""


class RuntimeFileError(KvmPciError):
  """A runtime file cannot be read or used.

  @ivar source: file path or instance name
  @ivar reason: what is wrong with it

  """
  def __init__(self, source, reason):
    KvmPciError.__init__(self, "%s: %s" % (readable(source), readable(reason)))
    self.source = source
    self.reason = reason


class MalformedError(RuntimeFileError):
  """What stands in a runtime file is nothing that Ganeti or the plugin writes.

  The remedy is the same for all of these: Ganeti's start of an instance reads
  no runtime file, and its shutdown needs none (2.10 to master).

  @ivar what: the reason without the remedy

  """
  def __init__(self, source, reason):
    self.what = readable(reason)
    RuntimeFileError.__init__(self, source, "%s; a cold boot (shutdown and"
                              " start) writes the file anew" % self.what)


class MonitorError(KvmPciError):
  """QEMU's monitor is absent, silent or unintelligible."""


class CommandError(MonitorError):
  """QEMU refused a command; the monitor goes on.

  @ivar command: the command's name
  @ivar error_class: QEMU's error class (C{GenericError}), None if unknown

  """
  def __init__(self, command, message, error_class=None):
    MonitorError.__init__(self, message)
    self.command = command
    self.error_class = error_class


class GanetiError(KvmPciError):
  """This Ganeti is none that the plugin knows."""


class NodeError(KvmPciError):
  """Something is missing or not writable on this node."""


class BusyError(NodeError):
  """Another operation is at work on an instance's devices."""


class OutputError(KvmPciError):
  """What the command says cannot be written.

  @ivar is_unwanted: bool, whether the reader has left

  """
  def __init__(self, reason, is_unwanted):
    KvmPciError.__init__(self, "cannot write the output: %s" % reason)
    self.is_unwanted = is_unwanted
