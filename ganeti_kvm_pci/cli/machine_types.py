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

"""What C{check} and C{plan} say of the version of a guest's machine type."""

from .. import chipset
from .. import qemu_version
from ..errors import NodeError
from ..qemu import machine_type_expiry
from ..qemu import machine_type
from ..qemu import removed_options
from ..qemu import renewal
from ..qmp import running_type
from ..runtime import consistency

_NEWER = ("a newer type needs a cold boot: take it out of machine_version and"
          " kvm_extra, if it stands there, shut the instance down and start it")


def _listing(path):
  """Ask a QEMU for its machine types; None if it does not tell."""
  try:
    return chipset.machine_types(path)
  except NodeError:
    return None


def _deprecated(name, qemu, listing, is_told=False):
  """Say that a machine type will be removed; None if that is far.

  @type qemu: tuple of two ints, or None
  @param qemu: the version that counts
  @type listing: L{machine_type.Listing} or None
  @param listing: what this node's QEMU lists; one before 9.1 has no rule
  @type is_told: bool
  @param is_told: whether others say since when it is removed, if that is known
  @rtype: string or None

  """
  removed = machine_type_expiry.removed_since(name)
  if qemu and removed and removed <= qemu:
    return None # which others say
  if not (listing and listing.is_deprecated(name) or
          qemu and machine_type_expiry.is_deprecated(name, qemu)):
    return None
  return "machine type %s: deprecated%s%s; %s" % (
    name, " in %s" % renewal.show(qemu) if qemu else "",
    ", and the guest cannot move to a node with %s or later, which do%s not"
    " have it" % (renewal.show(removed), "" if removed <= removed_options.LATEST
                  else ", by QEMU's rule,") if removed and not (
                    is_told and removed <= removed_options.LATEST) else "",
    _NEWER)


def of_file(loaded, asked, is_live):
  """Judge the machine type that a runtime file names.

  @type loaded: L{serialized.Runtime}
  @type asked: tuple of two ints, or None
  @param asked: the version of QEMU that counts; None for this node's
  @type is_live: bool
  @param is_live: whether it is the file of an instance of this node
  @rtype: list of L{consistency.Finding}

  """
  name = machine_type.named(loaded.words, loaded.configs)
  return _will_go(name, loaded.words[0], asked, is_live, True) if name else []


def of_guest(execute, loaded, asked):
  """Judge the machine type that a guest has, if its runtime file has another.

  That the file names no version is nothing to say, as long as it means to this
  node's QEMU what the guest has: the version is sent when it moves.

  @param execute: see L{queries}
  @type loaded: L{serialized.Runtime}
  @param asked: see L{of_file}
  @rtype: list of L{consistency.Finding}
  @raise MonitorError: if QEMU does not answer

  """
  running = running_type.of(execute)
  named = machine_type.named(loaded.words, loaded.configs)
  if running in (None, named):
    return []
  path = loaded.words[0]
  found = _differs(named, running, _listing(path))
  removed = renewal.of_type(running)
  qemu = asked or qemu_version.version(path)
  if removed and qemu and qemu >= removed.option.removed:
    found.append(_finding(consistency.WARNING, renewal.explain(removed, qemu)))
  return found + _will_go(running, path, asked, True, False)


def _will_go(name, path, asked, is_live, is_told):
  """Judge a machine type by the QEMU that counts."""
  listing = _listing(path) if is_live and not asked else None
  qemu = asked or (qemu_version.version(path) if is_live else None)
  text = _deprecated(name, qemu, listing, is_told)
  return [_finding(consistency.WARNING, text)] if text else []


def _finding(severity, text):
  return consistency.Finding(severity, None, None, text)


def _differs(named, running, listing):
  """Say what becomes of a type that is not the one in the runtime file."""
  means = listing and listing.meaning(named)
  if means in (None, running):
    return []
  return [_finding(
    consistency.INFO, "machine type %s in QEMU, %s in the runtime file, which"
    " is %s to this node's QEMU by now: a migration keeps %s, a reboot by"
    " Ganeti or a cold boot changes it" % (
      running, named or "none", means if named != means else "another",
      running))]


def remarks(loaded, is_trusted):
  """Say what a cold boot makes of the machine type in a runtime file.

  @type loaded: L{serialized.Runtime}
  @param is_trusted: see L{chipset.obstacle}
  @rtype: list of strings

  """
  name = machine_type.named(loaded.words, loaded.configs)
  listing = _listing(loaded.words[0]) if is_trusted else None
  if not name:
    return []
  configured = machine_type.named(
    ["-machine", loaded.hvparams.get("machine_version") or ""] +
    (loaded.hvparams.get("kvm_extra") or "").split(), loaded.configs)
  found = []
  newest = listing and listing.meaning(configured)
  # Ganeti itself writes down which type the default is
  if newest not in (None, listing and listing.meaning(name)):
    found.append(
      "machine type %s, which stays when the guest moves or Ganeti reboots it;"
      " a shutdown and a start make it %s" % (name, newest))
  qemu = qemu_version.version(loaded.words[0]) if is_trusted else None
  text = _deprecated(name, qemu, listing)
  return found + ([text] if text else [])
