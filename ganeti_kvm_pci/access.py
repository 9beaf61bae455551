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

"""How Ganeti's methods reach an instance: its lock, its QEMU, its runtime file.

They call each other by the instance alone, so what an operation has opened and
read is found here (L{operation}).

"""

# The names are Ganeti's.
# pylint: disable=invalid-name

import contextlib
import logging
import os

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

from . import config_reader
from . import cooldown
from . import instance_lock
from . import leftovers
from . import operation
from . import pending_unplugs
from . import printed_help
from . import versions
from .bus import pools
from .errors import CommandError
from .errors import KvmPciError
from .errors import show
from .errors import with_remedy
from .qmp import client
from .qmp import queries
from .runtime import device_table
from .runtime import serialized

#: Ganeti's names of the classes of devices.
CLASS = {
  constants.HOTPLUG_TARGET_DISK: pools.DISK,
  constants.HOTPLUG_TARGET_NIC: pools.NIC,
  }

#: This Ganeti's version: tuple of two ints.
VERSION = versions.installed(constants)[1]

#: Whether it serves disks by threads of their own.
HAS_IOTHREADS = hasattr(constants, "HV_VIRTIO_DISK_IOTHREADS")

# A hot-add of a NIC looks for the driver by a pattern that is made each time;
# what is made here, the process that serves a request has from the node daemon
getattr(hv_kvm.KVMHypervisor, "_DEVICE_DRIVER_SUPPORTED",
        lambda *_: None)("virtio-net-pci", "")

#: Whether it starts and hotplugs q35 guests without the plugin.
KNOWS_Q35 = versions.knows_q35(hv_kvm.KVMHypervisor)


@contextlib.contextmanager
def Explained(instance_name, error_class=errors.HypervisorError):
  """Turn the package's errors, and the kernel's, into what Ganeti reports.

  @param error_class: Ganeti's class of errors

  """
  try:
    yield
  except KvmPciError as err:
    raise error_class("Instance %s: %s" % (instance_name,
                                           with_remedy(str(err))))
  except EnvironmentError as err: # Ganeti's, which does not turn all of them
    raise error_class("Instance %s: %s" % (instance_name,
                                           with_remedy(show(err))))


@contextlib.contextmanager
def _Naming(instance_name, path):
  """Say whose runtime file cannot be read or written, and where it is.

  @param path: of the runtime file

  """
  try:
    yield
  except errors.HypervisorError as err:
    raise errors.HypervisorError("Instance %s: %s" % (
      instance_name, with_remedy("%s (%s)" % (err, path))))


@contextlib.contextmanager
def Lent(owner, **attributes):
  """Give an object attributes for a while."""
  own = vars(owner)
  before = dict((name, own[name]) for name in attributes if name in own)
  own.update(attributes)
  try:
    yield
  finally:
    for name in attributes:
      own.pop(name, None)
    own.update(before)


class Access(versions.compat_class(hv_kvm.KVMHypervisor),
             hv_kvm.KVMHypervisor):
  """What all operations of L{hypervisor.KVMHypervisor} begin with.

  How this Ganeti keeps a device's address in the runtime file is answered by
  one of the classes of L{compat}.

  """
  # Ganeti's client of the monitor, in the releases that keep one
  qmp = None

  # The L{operation.Operation} that runs; Ganeti's methods have no argument
  # through which it could be handed on
  _operation = None

  def _Running(self, instance_name):
    """Return the operation on an instance that runs, or None."""
    begun = self._operation
    return begun if begun and begun.name == instance_name else None

  @contextlib.contextmanager
  def _Operate(self, instance, error_class=errors.HypervisorError):
    """Begin an operation, or take part in the one that runs.

    @param error_class: see L{Explained}
    @return: a context that gives L{operation.Operation}

    """
    with Explained(instance.name, error_class):
      outer = self._operation
      if self._Running(instance.name):
        yield outer
        return
      # who holds the lock needs the monitor, which upstream of 3.1 keeps
      self._LeaveMonitor()
      path = self._InstanceKVMRuntime(instance.name)
      with operation.begin(instance.name,
                           self._InstanceQmpMonitor(instance.name),
                           path) as begun:
        # who else writes the runtime file has Ganeti's own lock on the instance
        removed = leftovers.sweep(path, True)
        if removed:
          logging.info("Instance %s: removed what a killed process left: %s",
                       instance.name, ", ".join(removed))
        self._operation = begun
        try:
          yield begun
        finally:
          self._operation = outer

  @contextlib.contextmanager
  def _Monitor(self, instance_name):
    """Reach an instance's QEMU.

    @return: a context that gives C{execute}, see L{client.Connection}

    """
    begun = self._Running(instance_name)
    if begun:
      yield begun.execute
      return
    self._LeaveMonitor()
    with client.connect(self._InstanceQmpMonitor(instance_name)) as execute:
      yield execute

  @classmethod
  def _GetKVMOutput(cls, kvm_path, option, *more, **others):
    """Ask a program for what it prints alike each time, once.

    Of a hot-added NIC, Ganeti asks for C{--help} and C{-device ?}: 40 of 65 ms.
    What it prints is kept once it has printed the same twice, and only what
    QEMU itself prints (L{printed_help}).

    """
    upstream = super(Access, cls)._GetKVMOutput
    return cls._Printed(kvm_path, option, lambda: upstream(
      kvm_path, option, *more, **others))

  @classmethod
  def _Printed(cls, kvm_path, option, ask):
    """Ask a program for what it prints, see L{printed_help.kept}."""
    return printed_help.kept(os.path.dirname(instance_lock.path_for(
      cls._InstanceKVMRuntime("any"))), kvm_path, option, ask)

  def _LeaveMonitor(self):
    """Leave the monitor to others.

    QEMU serves one client at a time. Upstream of 3.1 keeps a connection of its
    own open through a job, and opens it anew when it needs it.

    """
    if getattr(self, "qmp", None):
      client.hang_up(self.qmp)

  def _ReadKVMRuntime(self, instance_name, *more, **others):
    """Read the runtime file, once in an operation.

    """
    genuine = super(Access, self)._ReadKVMRuntime

    def read(*args, **kwargs):
      with _Naming(instance_name, self._InstanceKVMRuntime(instance_name)):
        return genuine(*args, **kwargs)

    begun = self._Running(instance_name)
    if not begun:
      return read(instance_name, *more, **others)
    if begun.text is None:
      begun.text = read(instance_name, *more, **others)
    return begun.text

  def _WriteKVMRuntime(self, instance_name, data, *more, **others):
    """Write the runtime file, unless this operation has written the same.

    A hot-add does so before and after, see L{presence}.

    """
    begun = self._Running(instance_name)
    # Ganeti 3.0 and later hand over bytes
    text = data if isinstance(data, str) else data.decode("utf-8")
    if begun:
      if begun.is_written and begun.text == text:
        return
      # if it fails, nobody knows what is there
      begun.text, begun.is_written = None, False
    with _Naming(instance_name, self._InstanceKVMRuntime(instance_name)):
      super(Access, self)._WriteKVMRuntime(instance_name, data, *more,
                                           **others)
    if begun:
      begun.text, begun.is_written = text, True

  def _Loaded(self, instance):
    """Read the runtime file.

    @rtype: L{serialized.Runtime}

    """
    return config_reader.fill(serialized.parse(
      self._ReadKVMRuntime(instance.name), "runtime file"))

  def _DeviceTable(self, instance):
    """Read the runtime file of an instance.

    @rtype: L{device_table.DeviceTable}
    @raise RuntimeFileError: if it is malformed

    """
    return device_table.DeviceTable(self._Loaded(instance))

  def _Pid(self, instance_name):
    """Return the process of an instance's QEMU, which may have ended.

    """
    def look():
      return self._InstancePidAlive(instance_name)[1]

    begun = self._Running(instance_name)
    return begun.pid(look) if begun else look()

  def _Pending(self, instance):
    """Return what the guest was asked for and has not completed.

    @rtype: L{pending_unplugs.Pending}

    """
    return pending_unplugs.Pending(self._InstanceKVMRuntime(instance.name),
                                   self._Pid(instance.name))

  def _Vacated(self, instance):
    """Name the file of L{cooldown}.

    """
    return cooldown.path_for(self._InstanceKVMRuntime(instance.name))

  def _VerifyDevice(self, instance_name, device_id, should_exist, said=()):
    """Make sure that QEMU has, or has not, a device.

    @type said: list of (command, text) pairs
    @param said: what QEMU's human monitor has answered to the commands for it
    @raise CommandError: if that is not so, and QEMU has said why
    @raise errors.HypervisorError: if that is not so

    """
    with Explained(instance_name, errors.HotplugError):
      with self._Monitor(instance_name) as execute:
        exists = device_id in queries.ids(execute)
    if exists != should_exist:
      if said:
        raise CommandError(said[0][0], "; ".join(text for _, text in said))
      raise errors.HypervisorError("Instance %s: QEMU %s device %s" % (
        instance_name, "has" if exists else "does not have", device_id))
