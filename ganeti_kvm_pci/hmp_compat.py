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

"""Ganeti 2.10 to 2.12, which hotplug by QEMU's human monitor alone."""

# The names are Ganeti's.
# pylint: disable=invalid-name

from .access import Access
from .qemu import ids
from .qemu import start_error


class HmpCompat(Access):
  """Hotplug that is verified by the text of C{info pci}.

  Ganeti's pattern misses the virtio devices of QEMU 2.0 and later, so that
  every hot-add would count as failed, and a hot-remove as done before it is.
  Nor does it look at what the monitor replies.

  """
  def _CallHotplugCommands(self, name, cmds):
    """Give commands to the human monitor, and keep what it replies.

    """
    if any(command.startswith("netdev_") for command in cmds):
      # a descriptor is known to the monitor that it was passed to
      self._Give(name, cmds,
                 lambda line: self._CallMonitorCommand(name, line).stdout)
      return
    with self._Monitor(name) as execute:
      self._Give(name, cmds, lambda line: execute(
        "human-monitor-command", {"command-line": line}))

  def _Give(self, name, cmds, ask):
    """Give commands to the human monitor through a connection that is there.

    @param ask: function(line) that returns what the monitor replies
    @raise CommandError: if QEMU refuses one after which the next is of no use

    """
    begun = self._Running(name)
    begun.human_replies = []
    for command in cmds:
      begun.human_replies.extend(
        (command.split(" ")[0], line) for line in
        start_error.check(command, ask(command)))

  def _CloseDescriptors(self, instance, execute, device_id):
    """Close them where these releases pass them, at the human monitor.

    """
    self._CallMonitorCommand(instance.name, "closefd %s" % device_id)

  def _VerifyHotplugCommand(self, instance_name, device, dev_type,
                            should_exist):
    """Verify with C{qom-list} what Ganeti would with C{info pci}.

    """
    # in these releases, the type is "hotdisk" or "hotnic"
    self._VerifyDevice(instance_name, ids.old_id(
      dev_type.lower().replace("hot", "", 1), device.uuid, device.pci),
                       should_exist, self._Running(instance_name).human_replies)
