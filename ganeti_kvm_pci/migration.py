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

"""Guests that move: nothing is sent that the target could not take over.

There are two checks before QEMU is told to move anything. On the source: would
a start from the runtime file give the devices that the guest has
(L{migration_check})? On the target (L{incoming}), once its QEMU runs: does it
have the same devices, part by part (L{topology})? What the target needs for
that travels as one more entry of the runtime file, which unmodified Ganeti does
not read. The disks travel under the names that the target gives them
(L{disk_links}), the machine type under the one that names its version
(L{machine_version}).

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import logging

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from . import chipset
from . import elsewhere
from . import machine_version
from . import process
from . import sent_devices
from .access import Explained
from .access import KNOWS_Q35
from .access import Lent
from .errors import CommandError
from .nic_modification import NicModification
from .qemu import q35
from .qemu import unknown_option
from .qmp import board as board_
from .qmp import device_lists
from .qmp import ejected
from .qmp import inventory
from .qmp import queries
from .qmp import running_type
from .qmp import vcpus as vcpus_
from .runtime import device_table
from .runtime import disk_links
from .runtime import migration_check
from .runtime import serialized
from .runtime import topology_file
from .runtime import unplug_request

#: Whether Ganeti sends a guest by QMP (3.0), not by the human monitor.
_BY_QMP = hasattr(hv_kvm.QmpConnection, "StartMigration")

_OTHER_TOPOLOGY = "The runtime file does not match the running QEMU"

#: In Ganeti's command of an instance that is started paused.
_PAUSED = "-S"


class Migration(NicModification):
  """The source's half, and what the target needs of it."""

  def _CheckMigration(self, instance, loaded, parts, vcpus):
    """Compare a runtime file with the instance's QEMU on this node.

    @type loaded: L{serialized.Runtime}
    @type parts: list of L{topology.Part}
    @param parts: answer of L{inventory.topology}
    @param vcpus: answer of L{vcpus.count}
    @rtype: L{migration_check.MigrationCheck}

    """
    pid = self._InstancePidAlive(instance.name)[1]
    return migration_check.MigrationCheck(
      loaded, device_table.DeviceTable(loaded), parts, process.command(pid),
      vcpus)

  @staticmethod
  def _Refuse(instance, where, problems):
    if problems:
      raise errors.HypervisorError(
        "Instance %s is not migrated, and goes on where it is. %s: %s" %
        (instance.name, where, "; AND ".join(problems)))

  def MigrationInfo(self, instance, *more, **others):
    """Return the runtime file, and beside it the devices that the guest has.

    Nothing is in it that QEMU does not have, what QEMU would place elsewhere
    the next time has its address, the machine type has its version, and the
    disks have the target's names. Where
    a node without the plugin could not have the guest, QEMU refuses the command
    there.

    @raise errors.HypervisorError: if the runtime file does not match QEMU, or
        the guest runs on another node

    """
    with self._Operate(instance):
      told = super(Migration, self).MigrationInfo(instance, *more, **others)
      with self._Monitor(instance.name) as execute:
        elsewhere.refuse(execute, instance,
                         self._InstancePidAlive(instance.name)[1], "migrated")
        if queries.is_leaving(execute):
          # Ganeti cleans up; nothing may change by that
          return told
        loaded = self._Loaded(instance)
        if chipset.applies(loaded.words, loaded.hvparams):
          told = self._Told(instance, execute)
        running = running_type.of(execute)
        state = queries.run_state(execute)
      loaded = self._Follow(instance, told)
      if state == queries.RUNNING:
        # with it, QEMU would leave the guest paused on the target (7.2, 10.0)
        loaded.command[:] = [word for word in loaded.command if word != _PAUSED]
      machine_version.name_in(instance, loaded, running)
      if not KNOWS_Q35 and \
          not q35.partition(loaded.hvparams, loaded.words).is_shared:
        loaded.command[:] = unknown_option.add(loaded.command, instance.name)
      return self._AsSent(loaded)

  def _Compared(self, instance, noted):
    """Compare what would be sent of the runtime file with QEMU.

    @type noted: L{device_lists.Noted}
    @rtype: tuple (L{serialized.Runtime}, list, list of L{topology.Part},
        L{migration_check.MigrationCheck})
    @return: what would be sent; what L{ejected} left out of it; and the answer
        of L{_CheckMigration}

    """
    loaded = self._Loaded(instance)
    parts = inventory.topology(noted.execute, disk_links.ids(loaded),
                               self._operation.kept, noted.recall)
    left_out = ejected.leave_out(parts, loaded)
    return (loaded, left_out, parts,
            self._CheckMigration(instance, loaded, parts,
                                 vcpus_.count(noted.execute)))

  def _Rewrite(self, instance):
    """Write the runtime file in the form of this release, if it is in another.

    A target without the plugin reads no other.

    """
    before = self._ReadKVMRuntime(instance.name)
    write = self._WriteKVMRuntime

    def _WriteKVMRuntime(name, data, *more, **others):
      # Ganeti 3.0 and later hand over bytes
      if before != (data if isinstance(data, str) else data.decode("utf-8")):
        write(name, data, *more, **others)

    runtime = self._LoadKVMRuntime(instance)
    with Lent(self, _WriteKVMRuntime=_WriteKVMRuntime):
      self._SaveKVMRuntime(instance, runtime)

  def _Told(self, instance, execute):
    """Make the runtime file, and what is sent with it, match QEMU.

    @rtype: string

    """
    noted = device_lists.Noted(execute)
    self._SettleBy(noted.execute, instance)
    self._Rewrite(instance)
    loaded, left_out, parts, compared = self._Compared(instance, noted)
    if compared.problems:
      # an unplug may have completed after the runtime file was settled
      self._SettleBy(noted.execute, instance)
      loaded, left_out, parts, compared = self._Compared(instance, noted)
    self._Refuse(instance, _OTHER_TOPOLOGY, compared.problems)
    if compared.fixed:
      loaded.command[:] = compared.command
      runtime = self._LoadKVMRuntime(instance)
      runtime[0][:] = compared.command
      self._SaveKVMRuntime(instance, runtime)
      logging.info("Instance %s: explicit address in the runtime file: %s",
                   instance.name, ", ".join(compared.fixed))
    self._NoteSent(instance)
    loaded.source_report = topology_file.write(
      parts, instance.primary_node, compared.vcpus, board_.ask(noted.recall))
    if left_out:
      loaded.source_report[ejected.FIELD] = left_out
    requests = self._Pending(instance).requests()
    if requests:
      loaded.source_report[unplug_request.FIELD] = \
        unplug_request.as_data(requests)
    return loaded.dump(source_report=True)

  def _NoteSent(self, instance):
    """Note what the target is started with, see L{sent_devices}."""
    try:
      sent_devices.note(self._InstanceKVMRuntime(instance.name),
                        self._Loaded(instance))
    except EnvironmentError as err: # QEMU refuses most of what does not fit
      logging.warning("Instance %s: not noted which devices it has: %s",
                      instance.name, err)

  def _Follow(self, instance, info):
    """Name the disks in what is sent as the target does.

    @type info: string
    @rtype: L{serialized.Runtime}
    @raise errors.HypervisorError: if that cannot be done for one of them

    """
    loaded, problems = self._Followed(instance, info)
    self._Refuse(instance, "The disks in its runtime file are not those of"
                 " Ganeti's configuration", problems)
    return loaded

  @staticmethod
  def _AsSent(loaded):
    """Write what travels.

    @type loaded: L{serialized.Runtime}
    @rtype: string

    """
    return loaded.dump(source_report=loaded.source_report is not None)

  @staticmethod
  def _Followed(instance, info):
    """Do what L{_Follow} does, and refuse nothing.

    @rtype: tuple (L{serialized.Runtime}, list of strings)
    @return: what is sent, and the problems

    """
    with Explained(instance.name):
      loaded = serialized.parse(info, "runtime file of the guest to migrate")
    disks = getattr(instance, "disks", None)
    if disks is None:
      return (loaded, [])
    # up to 2.11 they are there as objects
    uuids = [getattr(disk, "uuid", disk) for disk in disks]
    problems = disk_links.problems([entry[0]["uuid"] for entry in loaded.disks],
                                   disk_links.inside(loaded), uuids)
    disk_links.follow(loaded, uuids)
    return (loaded, problems)

  def MigrateInstance(self, cluster_name, instance, target, live_migration,
                      *more, **others):
    """Migrate a guest, if the runtime file still matches its QEMU.

    """
    migrate = super(Migration, self).MigrateInstance
    with self._Operate(instance) as begun:
      loaded = self._Loaded(instance)
      if chipset.applies(loaded.words, loaded.hvparams):
        with self._Monitor(instance.name) as execute:
          self._Refuse(instance, _OTHER_TOPOLOGY,
                       self._Compared(instance, device_lists.Noted(
                         execute))[3].problems)
          added = sent_devices.added_since(
            self._InstanceKVMRuntime(instance.name), loaded)
          self._Refuse(instance, "The QEMU that waits on the target was started"
                       " before", ["%s was hot-added or modified: migrate it"
                                   " again" % ", ".join(added)]
                       if added else [])
          self._SetReturnPath(instance, execute, True)
        if _BY_QMP:
          # which would connect for each command
          with Lent(self, qmp=begun.lend()):
            return migrate(cluster_name, instance, target, live_migration,
                           *more, **others)
    return migrate(cluster_name, instance, target, live_migration, *more,
                   **others)

  @staticmethod
  def _SetReturnPath(instance, execute, state):
    """Have QEMU wait, or not, for the target's confirmation.

    With it, a target that dies while it takes over leaves the source running;
    without, QEMU says C{completed} (5.2 to 11.1, which all have it).

    """
    try:
      execute("migrate-set-capabilities", {
        "capabilities": [{"capability": "return-path", "state": state}]})
    except CommandError as err:
      logging.info("Instance %s: return path not set to %s: %s", instance.name,
                   state, err)
