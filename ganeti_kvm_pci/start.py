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

"""One start of QEMU, and what is wrong where it fails."""

import contextlib

from ganeti import errors

from . import config_reader
from . import outdated_options
from . import qemu_log
from . import qemu_program
from . import qemu_version
from .errors import NodeError
from .qemu import start_error


class Start(object):
  """One start of an instance, or the reboot that it is part of.

  @ivar name: string, the instance's
  @ivar is_layout_due: bool, whether the runtime file that Ganeti reads next is
      to be laid out: a reboot reads it once, before QEMU is stopped
  @ivar partition: L{pools.Partition}, or None where the slots of pci.0 are left
      to unmodified Ganeti, or none are needed yet
  @ivar file_words: int, how many words of QEMU's command are in the runtime
      file; after them, Ganeti names the disks and NICs
  @ivar is_boot: bool, whether the guest boots, rather than moves here
  @ivar kvm_cmd: list of strings, QEMU's command, or None before it is run
  @ivar is_explained: bool, whether an error says why QEMU did not start

  """
  def __init__(self, name, is_layout_due=False, partition=None, file_words=0,
               is_boot=True):
    self.name = name
    self.is_layout_due = is_layout_due
    self.partition = partition
    self.file_words = file_words
    self.is_boot = is_boot
    self.kvm_cmd = None
    self.is_explained = False
    self._log = None

  def launch(self, kvm_cmd):
    """Note that QEMU is run now.

    @type kvm_cmd: list of strings

    """
    self.kvm_cmd = kvm_cmd
    self._log = qemu_log.QemuLog(kvm_cmd)

  @contextlib.contextmanager
  def explained(self):
    """Say why QEMU, which was launched, does not start.

    @return: a context in which QEMU is started
    @raise errors.HypervisorError: if it does not

    """
    try:
      yield
    except errors.HypervisorError as err:
      self.is_explained = True
      news = self._log.news()
      refused = start_error.explain(
        "%s\n%s" % (err, news), self.kvm_cmd, self.partition,
        config_reader.read(self.kvm_cmd))
      if refused:
        raise errors.HypervisorError("Failed to start instance %s: %s" %
                                     (self.name, refused))
      reasons = outdated_options.explain(self.kvm_cmd)
      last = _last_line(news)
      if last and last not in str(err):
        reasons.insert(0, "QEMU's log says: %s" % last)
      # that is all that Ganeti has to say of a QEMU that ended with status 0
      if not reasons and str(err).endswith(self.name):
        reasons.append(self._guess())
      if reasons:
        raise errors.HypervisorError("; ".join([str(err)] + reasons))
      raise

  def _guess(self):
    """Find out why QEMU ended before it opened its log.

    Its status, and what it printed, are lost where another thread was quicker
    to collect it, see L{qemu_program}. The options are what it reads before.

    """
    try:
      # with this one first, no guest is started whatever the others are
      # Ganeti has numbers among them
      said = qemu_program.run([self.kvm_cmd[0], "--version"] + [
        "%s" % word for word in self.kvm_cmd[1:]])[0]
    except NodeError as err:
      return str(err)
    if said.strip() and qemu_version.find(said) is None:
      return "QEMU says: %s" % _last_line(said)
    return ("QEMU has ended, its exit status was lost, and its log says nothing"
            " new; run its command, which the node daemon's log has, by hand")


def _last_line(text):
  return text.strip().rpartition("\n")[2]
