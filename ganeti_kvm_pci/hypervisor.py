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

"""Ganeti's KVM hypervisor with a partitioned PCI bus.

Unmodified Ganeti does everything but the slots: each method calls up, and what
it adds is where a device goes. That is worked out by the pure modules; this
one fetches their facts and hands their answers to Ganeti's methods. Arguments
that a newer Ganeti adds are passed on.

"""

import contextlib
import logging

from ganeti import errors

from . import chipset
from . import config_reader
from . import outdated_options
from . import pending_unplugs
from . import process
from . import reboot
from . import start
from .access import Explained
from .access import HAS_IOTHREADS
from .access import VERSION
from .bus import pools
from .cold_boot import ColdBoot
from .errors import MonitorError
from .errors import show
from .errors import with_remedy
from .qemu import creation_order
from .qemu import explicit
from .qemu import ide_units
from .qemu import io_windows
from .qemu import overflow
from .qemu import q35
from .qemu import scsi_devices
from .qmp import queries
from .runtime import device_table
from .runtime import serialized
from .runtime import upgrade


class KVMHypervisor(ColdBoot):
  """KVM hypervisor whose disks and NICs keep to pools of their own.

  Each class that it builds on calls those below only:

    - L{cold_boot}: the addresses of a cold boot
    - L{cleanup}: what ends with a QEMU
    - L{arrival}, L{incoming}, L{migration}: a guest that moves
    - L{nic_modification}, L{hotplug}: a device that is added, removed or
      modified
    - L{presence}, L{reconcile}: the runtime file against QEMU
    - L{verification} from Ganeti 2.16 on; L{hmp_compat}, where it hotplugs by
      the human monitor alone
    - L{access}: lock, monitor and runtime file
    - one class of L{compat}, and Ganeti's own

  """
  # The L{start.Start} that runs; Ganeti's methods have no argument through
  # which it could be handed on
  _start = None

  @contextlib.contextmanager
  def _Starting(self, begun):
    """Have an instance started, or rebooted, inside of this context.

    @type begun: L{start.Start}
    @return: a context that gives the same

    """
    outer = self._start
    self._start = begun
    try:
      yield begun
    finally:
      self._start = outer

  def _LoadKVMRuntime(self, instance, serialized_runtime=None, *more,
                      **others):
    """Load a runtime file of any Ganeti release, in the form of this one.

    """
    text = serialized_runtime or self._ReadKVMRuntime(instance.name)
    with Explained(instance.name):
      loaded = serialized.parse(text, "runtime file")
      changed = loaded.source_report is not None or loaded.is_guarded
      changed = bool(upgrade.normalise(loaded, VERSION,
                                       HAS_IOTHREADS)) or changed
      # a guest whose QEMU was upgraded on the node goes on in the older one:
      # where it is told of no other, it may move to a node that has that one
      begun = self._start
      is_reboot = (begun is not None and begun.is_layout_due and
                   begun.name == instance.name)
      if (serialized_runtime or is_reboot or
          not process.is_replaced(self._Pid(instance.name))):
        changed = bool(outdated_options.renew(instance, loaded)) or changed
      if is_reboot:
        begun.is_layout_due = False
        reboot.lay_out(instance, loaded, VERSION)
        changed = True
      operation = self._Running(instance.name)
      if operation and operation.announced:
        loaded.forget(operation.announced)
        changed = True
      if changed:
        text = loaded.dump()
    return super(KVMHypervisor, self)._LoadKVMRuntime(instance, text, *more,
                                                      **others)

  def RebootInstance(self, instance, *more, **others):
    """Reboot an instance: QEMU starts anew, on the partition's layout.

    """
    # Ganeti loads the runtime file first, while the guest still runs; a bus
    # that is too full shows before anything is stopped. What QEMU has does not
    # matter: this is a boot, and a device that the guest ejected is back
    with self._Starting(start.Start(instance.name, is_layout_due=True)):
      return super(KVMHypervisor, self).RebootInstance(instance, *more,
                                                       **others)

  def _ExecuteKVMRuntime(self, instance, kvm_runtime, kvmhelp, incoming=None,
                         *more, **others):
    """Start QEMU, and note what it placed beyond its range.

    """
    ours = chipset.applies(kvm_runtime[0], kvm_runtime[2])
    pending_unplugs.forget_all(self._InstanceKVMRuntime(instance.name))
    partition = None
    if ours:
      with Explained(instance.name):
        partition = q35.partition(kvm_runtime[2], kvm_runtime[0])
    with self._Starting(start.Start(
        instance.name, partition=partition, file_words=len(kvm_runtime[0]),
        is_boot=not incoming)) as begun, self._Verified(instance, begun):
      return super(KVMHypervisor, self)._ExecuteKVMRuntime(
        instance, kvm_runtime, kvmhelp, incoming, *more, **others)

  @contextlib.contextmanager
  def _Verified(self, instance, begun):
    """Have a start count as one only if QEMU runs.

    Status 0 is no proof of it, see L{qemu_program}, and Ganeti does not ask the
    monitor of an instance that is started paused or is to receive a guest.

    @type begun: L{start.Start}
    @raise errors.HypervisorError: if QEMU has ended, or its monitor does not
        answer, or a file cannot be written

    """
    try:
      yield
    except errors.HypervisorError:
      if (begun.kvm_cmd is None or begun.is_explained or
          self._InstancePidAlive(begun.name)[2]):
        raise
      with begun.explained():
        raise
    except (errors.GenericError, EnvironmentError) as err:
      # Ganeti writes after QEMU was started, and would take the instance for
      # running, whose guest is still paused
      if begun.kvm_cmd is not None:
        self._EndStarted(instance)
      raise errors.HypervisorError("Instance %s: %s" % (
        begun.name, with_remedy(show(err))))
    if begun.kvm_cmd is None:
      return
    with begun.explained():
      silent = None
      try:
        # what is to receive a guest is compared with the source next
        if begun.is_boot or begun.partition is None:
          with self._Monitor(begun.name) as execute:
            self._LookAround(instance, begun, execute)
      except MonitorError as err:
        silent = err
      pid, is_alive = self._InstancePidAlive(begun.name)[1:3]
      if not is_alive:
        raise errors.HypervisorError("Failed to start instance %s" % begun.name)
      if silent:
        raise errors.HypervisorError(
          "Instance %s: its QEMU was started (process %s), but does not answer:"
          " %s; shut the instance down and start it" %
          (begun.name, pid, silent))

  def _EndStarted(self, instance):
    """End the QEMU of a start that failed."""
    try:
      self.StopInstance(instance, force=True)
    except (errors.GenericError, EnvironmentError) as err:
      logging.error("Instance %s: cannot end the QEMU of a start that failed:"
                    " %s", instance.name, err)

  def _LookAround(self, instance, begun, execute):
    """See where QEMU has placed its own devices, if that matters."""
    # QEMU itself places nothing behind a root port
    if begun.partition is None or not begun.partition.is_shared or \
        not begun.is_boot:
      return
    try:
      self._FixStrays(instance, execute)
    except Exception as err: # pylint: disable=broad-except
      # Whatever it was: the guest runs, and it will be looked at again before
      # it moves
      logging.error("Instance %s: cannot tell where QEMU placed its own"
                    " devices: %s", instance.name, err)

  def _FixStrays(self, instance, execute):
    """Put QEMU's devices beyond its range into the runtime file.

    @param execute: see L{queries}
    @raise MonitorError: if QEMU does not answer
    @raise RuntimeFileError: if the runtime file is malformed

    """
    loaded = self._Loaded(instance)
    known = device_table.DeviceTable(loaded)
    strays = explicit.beyond(
      known.partition, queries.functions(execute, known.partition),
      known.held(), known.slots(pools.DISK) + known.slots(pools.NIC))
    if not strays:
      return
    peripherals = queries.peripherals(execute, known.partition)
    runtime = self._LoadKVMRuntime(instance)
    kvm_cmd, fixed, others = explicit.fix(runtime[0], peripherals, strays,
                                         device_table.unnamed_nics(loaded))
    if fixed:
      runtime[0][:] = kvm_cmd
      self._SaveKVMRuntime(instance, runtime)
      logging.info("Instance %s: QEMU has devices beyond its slots (%s); their"
                   " options in the runtime file got the addresses of slots"
                   " %s", instance.name, known.partition,
                   ", ".join(str(f.slot) for f in fixed))
    for function in others:
      logging.warning("Instance %s: slot %d, beyond QEMU's (%s), holds a"
                      " device (%s) that no -device option of the runtime file"
                      " stands for; a migration after hotplug may be"
                      " refused", instance.name, function.slot,
                      known.partition, function.id or function.description)

  def _AddressRest(self, kvm_cmd, part, late, own):
    """Address what would take a slot that another device names.

    @param late: result of L{creation_order.late_disks}
    @param own: result of L{creation_order.slots}
    @rtype: list of strings

    """
    # only tags have some there
    is_low = min(own) < part.reservations
    if not (late or is_low):
      return kvm_cmd
    configs = config_reader.read(kvm_cmd)
    crowded = overflow.is_crowded(kvm_cmd, part, late, own, configs)
    if not (late or crowded):
      return kvm_cmd
    known = overflow.types(self._GetKVMOutput(kvm_cmd[0],
                                              self._KVMOPT_DEVICELIST))
    return overflow.address_rest(kvm_cmd, part, known, configs, crowded)

  def _RunKVMCmd(self, name, kvm_cmd, tap_fds=None, *more, **others):
    """Run QEMU, Ganeti's devices first, and say why if it refuses.

    """
    run = super(KVMHypervisor, self)._RunKVMCmd
    begun = self._start
    if begun is None or begun.partition is None:
      return run(name, kvm_cmd, tap_fds, *more, **others)
    # a disk or NIC behind a root port cannot lose it to another device, and is
    # created after it
    if begun.partition.is_shared:
      late = creation_order.late_disks(kvm_cmd, begun.file_words)
      own = creation_order.slots(kvm_cmd, begun.file_words)
      kvm_cmd = creation_order.addressed_first(kvm_cmd, begun.file_words)
      if begun.is_boot and own:
        kvm_cmd = self._AddressRest(kvm_cmd, begun.partition, late, own)
    else:
      with Explained(name):
        if begun.is_boot:
          io_windows.check(kvm_cmd, config_reader.read(kvm_cmd))
        kvm_cmd = ide_units.with_buses(
          scsi_devices.controllers_in_words(kvm_cmd),
          config_reader.read(kvm_cmd))
    begun.launch(kvm_cmd)
    with begun.explained():
      return run(name, kvm_cmd, tap_fds, *more, **others)
