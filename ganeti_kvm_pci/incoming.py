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

"""Guests that come from another node.

Ganeti lists as running what has a runtime file. Until the guest is there, its
runtime file waits in the plugin's own folder: if the source node dies before,
Ganeti must not find the instance on this one. What is done once the guest is
there is in L{arrival}.

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import errno
import logging
import os

from ganeti import errors
from ganeti import utils

from . import chipset
from . import config_reader
from . import instance_lock
from . import leftovers
from . import machine_version
from . import outdated_options
from .access import Explained
from .departure import Departure
from .errors import KvmPciError
from .errors import RuntimeFileError
from .qmp import board as board_
from .qmp import device_lists
from .qmp import ejected
from .qmp import inventory
from .qmp import queries
from .qmp import vcpus as vcpus_
from .runtime import disk_links
from .runtime import serialized
from .runtime import topology_file

#: How long to wait for another operation before a guest is looked for, in
#: seconds; the list of instances is waited for.
_PATIENCE = 5

_SUFFIX = ".runtime" + leftovers.ARRIVING


class Incoming(Departure):
  """The target's half of a migration, until the guest is there."""

  def AcceptInstance(self, instance, info, target, *more, **others):
    """Start the QEMU that a guest is to move to, and compare its topology.

    @raise errors.HypervisorError: if it is refused, or a file cannot be written

    """
    loaded = self._Follow(instance, info)
    self._RefuseMachineType(instance, loaded)
    info = self._AsSent(loaded)
    with Explained(instance.name):
      if not self._InstancePidAlive(instance.name)[2]:
        # of a QEMU that was killed here: the guest is not to be listed by it
        utils.RemoveFile(self._InstanceKVMRuntime(instance.name))
      # where it fails, something may run here that is not ours to end
      result = super(Incoming, self).AcceptInstance(instance, info, target,
                                                    *more, **others)
    try:
      with Explained(instance.name):
        loaded = serialized.parse(info, "runtime file from the source node")
        told = topology_file.read(loaded.source_report, instance.primary_node,
                                  loaded.source)
        with self._Operate(instance):
          # from here on it may be that nobody comes to finish this
          self._SetAside(instance, loaded.dump(source_report=told is not None))
          self._CompareArrival(instance, loaded, told)
    except Exception:
      self._GiveUp(instance, info)
      raise
    return result

  def _RefuseMachineType(self, instance, loaded):
    """Refuse a guest whose machine type this node's QEMU does not have.

    @type loaded: L{serialized.Runtime}
    @raise errors.HypervisorError: if that is so

    """
    config_reader.fill(loaded)
    lack = machine_version.lack(loaded, self._Printed)
    self._Refuse(instance, "The QEMU of this node would not start for it", [
      "%s; migrate it to a node whose QEMU has it (%s -machine help lists"
      " them), or shut the instance down and start it: without machine_version,"
      " and a type in kvm_extra, it gets the newest, and its guest sees other"
      " hardware" % (lack, loaded.words[0])] if lack else [])

  def _CompareArrival(self, instance, loaded, told):
    """Compare the topology of the QEMU that waits here with the guest's.

    @type loaded: L{serialized.Runtime}
    @type told: L{topology_file.Topology} or None
    @raise errors.HypervisorError: if they differ

    """
    if not chipset.applies(loaded.words, loaded.hvparams):
      return
    # it was started with what replaces them
    outdated_options.renew(instance, loaded)
    config_reader.fill(loaded)
    with self._Monitor(instance.name) as execute:
      noted = device_lists.Noted(execute)
      parts = inventory.topology(noted.execute, disk_links.ids(loaded),
                                 self._operation.kept)
      vcpus = vcpus_.count(execute)
      board = board_.ask(noted.recall) if told else None
    problems = self._CheckMigration(instance, loaded, parts, vcpus).problems
    if told:
      problems = told.differences(parts, vcpus, board) or problems
    elif loaded.source_report:
      # by a later release; or unmodified Ganeti hands on what it got when the
      # guest moved to it
      logging.info("Instance %s: node %s sent no list of the guest's devices"
                   " that can be read here; compared with the runtime file"
                   " alone", instance.name, instance.primary_node)
    self._Refuse(instance, "The QEMU that was started for it on this node does"
                 " not have the guest's devices", problems)

  def _Waiting(self, instance_name):
    return instance_lock.beside(self._InstanceKVMRuntime(instance_name),
                                leftovers.ARRIVING)

  def _SetAside(self, instance, text):
    """Keep the runtime file of a guest that has not arrived yet.

    """
    path = self._Waiting(instance.name)
    with self._Operate(instance): # which makes the folder
      try:
        utils.WriteFile(path, data=text)
      except EnvironmentError as err:
        raise errors.HypervisorError("Instance %s: cannot write %s: %s" % (
          instance.name, path, err.strerror))

  def _SetBack(self, name):
    """Read what L{_SetAside} kept.

    @type name: string
    @param name: the instance's
    @rtype: L{serialized.Runtime}
    @raise EnvironmentError: if there is nothing
    @raise RuntimeFileError: if it cannot be read

    """
    return serialized.parse(utils.ReadFile(self._Waiting(name)),
                            "runtime file from the source node")

  def _Completed(self, name):
    """Read what L{_SetAside} kept, and bring back what the guest had ejected.

    The configuration is not known here, but before the next boot.

    @type name: string
    @param name: the instance's
    @rtype: L{serialized.Runtime}
    @raise EnvironmentError: if there is nothing
    @raise RuntimeFileError: if it cannot be read

    """
    loaded = self._SetBack(name)
    told = (loaded.source_report or {}).get(ejected.FIELD)
    if told:
      try:
        ejected.bring_back(loaded, told)
      except RuntimeFileError as err:
        # the guest runs here, and a cold boot brings them back
        logging.error("Instance %s: what the guest has ejected is not in its"
                      " runtime file: %s", name, err)
        return self._SetBack(name)
    return loaded

  def ListInstances(self, *args, **kwargs):
    """List what runs here; a guest that is here gets its runtime file.

    The job that was to finish its migration may have died. To clean up after
    it, Ganeti asks both nodes for this list; it does not while all goes well.

    """
    running = super(Incoming, self).ListInstances(*args, **kwargs)
    folder = os.path.dirname(self._Waiting("any"))
    for entry in os.listdir(folder) if os.path.isdir(folder) else []:
      # Ganeti makes no path of a name that begins with a dot
      if not entry.endswith(_SUFFIX) or entry.startswith("."):
        continue
      name = entry[:-len(_SUFFIX)]
      try:
        with instance_lock.held(instance_lock.path_for(
            self._InstanceKVMRuntime(name)), _PATIENCE):
          self._Arrive(name, running)
      except (KvmPciError, errors.HypervisorError, EnvironmentError) as err:
        logging.warning("Instance %s: cannot tell whether the guest has"
                        " arrived here: %s", name, err)
    return running

  def _Arrive(self, name, running):
    """Move a runtime file that waits where it belongs now.

    @type name: string
    @param name: the instance's
    @type running: list of strings
    @raise KvmPciError: if QEMU does not answer

    """
    path = self._Waiting(name)
    final = self._InstanceKVMRuntime(name)
    # it may have been started after they were listed
    is_running = name in running or self._InstancePidAlive(name)[2]
    if is_running:
      with self._Monitor(name) as execute:
        if queries.is_expecting(execute):
          return
    if is_running and not os.path.exists(final):
      # what was meant for the comparison alone is left out
      utils.WriteFile(path, data=self._Completed(name).dump())
      try:
        os.link(path, final)
        logging.warning("Instance %s: the guest has arrived, and nobody has"
                        " finished its migration; runtime file written", name)
      except EnvironmentError as err:
        # somebody else was faster
        if err.errno not in (errno.EEXIST, errno.ENOENT):
          raise
    utils.RemoveFile(path)

  def _Withdraw(self, instance, info, stop):
    """Remove all of a guest that did not arrive.

    @type info: string
    @type stop: function
    @param stop: ends its QEMU

    """
    # Ganeti's master does not end a QEMU without a runtime file
    if not os.path.exists(self._InstanceKVMRuntime(instance.name)):
      try:
        with Explained(instance.name):
          text = serialized.parse(info,
                                  "runtime file from the source node").dump()
        self._WriteKVMRuntime(instance.name, text)
      except errors.HypervisorError as err: # nothing was started from it
        logging.warning("%s", err)
    stop()
    self.CleanupInstance(instance.name)
    utils.RemoveFile(self._Waiting(instance.name))

  def _GiveUp(self, instance, info):
    """End the QEMU that waits for a guest that must not move here."""
    try:
      self._Withdraw(instance, info,
                     lambda: self.StopInstance(instance, force=True))
    except (errors.GenericError, EnvironmentError) as err:
      logging.error("Instance %s: cannot clean up: %s", instance.name, err)
