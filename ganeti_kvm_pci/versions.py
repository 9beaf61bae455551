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

"""Which Ganeti the plugin fits.

The version decides first, then the methods, because distributions patch, and a
missing name is better found now than at the next start of an instance.

What upstream adds within a supported version changes nothing: arguments with
defaults are passed on, unknown keys of the runtime file are kept. So master
fits as well with q35 and IOThreads (commits f4cb0f63f and 48af98708), which go
by the same version as before.

A version that nobody has tried is refused even where each method fits. Its
methods say how they are called, not what they do: f4cb0f63f changed when a
hot-add fails and what a hot-remove verifies behind the arguments of before.
And upgrade and downgrade go by the version alone. The plugin off costs the
pools until it is updated, and no guest; on, it may cost one.

"""

import inspect

from . import compat
from .errors import GanetiError

#: Versions that the plugin was tried on. Pull request 1955 (open in September
#: 2026) makes master 4.0, which nobody could run.
KNOWN = frozenset([(2, minor) for minor in range(10, 17)] +
                  [(3, 0), (3, 1), (3, 2)])

#: How an address is kept, newest first, each with what upstream has in these
#: versions only (beside what the next has).
_CLASSES = [
  (compat.BusManagerCompat, "_get_bus_manager"),
  (compat.HvinfoCompat, "_GetBusSlots"),
  (compat.PciCompat, "_DEFAULT_PCI_RESERVATIONS"),
  ]

#: How upstream verifies a hotplug from 2.16 on.
_BY_ID = ["_instance", "kvm_devid", "should_exist"]

#: What upstream has only where it hotplugs by the human monitor alone.
_HMP_MARK = "_FIND_PCI_DEVICE_RE"

#: Methods that are overridden or relied on, with their arguments after self;
#: upstream may have more that have defaults.
#: Upstream wraps some (to connect to QMP), which hides their arguments.
_METHODS = {
  "_ExecuteKVMRuntime": ["instance", "kvm_runtime", "kvmhelp", "incoming"],
  "_GenerateKVMRuntime": ["instance", "block_devices", "startup_paused",
                          "kvmhelp"],
  "_GetKVMOutput": ["kvm_path", "option"],
  "_InstanceKVMRuntime": ["instance_name"],
  "_InstancePidAlive": ["instance_name"],
  "_InstanceNICFile": ["instance_name", "seq"],
  "_InstanceQmpMonitor": ["instance_name"],
  "_LoadKVMRuntime": ["instance", "serialized_runtime"],
  "_ReadKVMRuntime": ["instance_name"],
  "_RunKVMCmd": ["name", "kvm_cmd", "tap_fds"],
  "_SaveKVMRuntime": ["instance", "kvm_runtime"],
  "_WriteKVMRuntime": ["instance_name", "data"],
  "AcceptInstance": ["instance", "info", "target"],
  "CleanupInstance": ["instance_name"],
  "FinalizeMigrationDst": ["instance", "info", "success"],
  "HotAddDevice": ["instance", "dev_type", "device", "extra", "seq"],
  "HotDelDevice": ["instance", "dev_type", "device", "_", "seq"],
  "HotModDevice": ["instance", "dev_type", "device", "_", "seq"],
  "HotplugSupported": ["instance"],
  "MigrationInfo": ["instance"],
  "RebootInstance": ["instance"],
  "StopInstance": ["instance", "force", "retry", "name", "timeout"],
  }

_COMPAT_METHODS = {
  compat.BusManagerCompat: {"_get_bus_manager": ["hvp", "runtime"]},
  compat.HvinfoCompat: {"_GetBusSlots": ["hvp", "runtime"]},
  compat.PciCompat: {},
  }

_HMP_METHODS = {"_VerifyHotplugCommand": [
  "instance_name", "device", "dev_type", "should_exist"]}

_CONSTANTS = ["HT_KVM", "HOTPLUG_TARGET_DISK", "HOTPLUG_TARGET_NIC"]


def previous(version):
  """Return the version before another.

  @type version: tuple of two ints
  @rtype: tuple of two ints
  @raise GanetiError: if none before is supported

  """
  older = [known for known in KNOWN if known < version]
  if not older:
    raise GanetiError("no version before Ganeti %d.%d is supported" % version)
  return max(older)


def parse(text):
  """Read a version.

  @type text: string
  @param text: e.g. C{"3.0"}
  @rtype: tuple of two ints
  @raise GanetiError: if it is not supported

  """
  for known in KNOWN:
    if text == "%d.%d" % known:
      return known
  raise GanetiError("%r is not a supported Ganeti version (supported: %s)" % (
    text, ", ".join("%d.%d" % known for known in sorted(KNOWN))))


def compat_class(upstream):
  """Tell how this Ganeti keeps a device's address.

  @param upstream: its class C{KVMHypervisor}
  @return: one of the classes of L{compat}
  @raise GanetiError: if it is not supported

  """
  for found, mark in _CLASSES:
    if hasattr(upstream, mark):
      return found
  raise GanetiError("this Ganeti keeps device addresses in an unsupported way")


def has_hmp_hotplug(upstream):
  """Tell whether this Ganeti hotplugs by the human monitor alone.

  @param upstream: its class C{KVMHypervisor}
  @rtype: bool

  """
  return hasattr(upstream, _HMP_MARK)


def verifies_by_id(upstream):
  """Tell whether this Ganeti is told a device's id to verify its hotplug.

  @param upstream: its class C{KVMHypervisor}
  @rtype: bool
  @return: False for 2.15 and before, which look at a slot

  """
  method = getattr(upstream, "_VerifyHotplugCommand", None)
  return method is not None and _takes(method, _BY_ID)


def knows_q35(upstream):
  """Tell whether this Ganeti starts and hotplugs q35 guests by itself.

  Master does since f4cb0f63f, under the version of before.

  @param upstream: its class C{KVMHypervisor}, not the plugin's
  @rtype: bool

  """
  method = getattr(upstream, "_get_bus_manager", None)
  return method is not None and "chipset" in _spec(method).args


def installed(constants):
  """Return Ganeti's version.

  @param constants: the module ganeti.constants
  @rtype: tuple (string, (int, int))
  @return: the release, and the version
  @raise GanetiError: if it does not tell

  """
  try:
    return (str(constants.RELEASE_VERSION),
            (int(constants.VERSION_MAJOR), int(constants.VERSION_MINOR)))
  except (AttributeError, TypeError, ValueError) as err:
    raise GanetiError("Ganeti's version cannot be told: %s" % err)


def _spec(function):
  """Return the arguments of a method."""
  # Python 2 has the latter only
  return getattr(inspect, "getfullargspec",
                 getattr(inspect, "getargspec", None))(function)


def _takes(function, expected):
  """Tell whether a method can be called with the arguments that it had.

  What upstream added with a default changes nothing for whoever does not give
  it; where ours overrides the method, it is passed on.

  @type expected: list of strings
  @param expected: argument names after self
  @rtype: bool
  @return: True as well where the arguments are hidden

  """
  spec = _spec(function)
  if spec.varargs:
    return True
  bound = inspect.ismethod(function) and function.__self__ is not None
  skip = 0 if bound and spec.args[:1] not in (["cls"], ["self"]) else 1
  found = spec.args[skip:]
  added = len(found) - len(expected)
  # Python 2 has no keyword-only ones
  required = set(getattr(spec, "kwonlyargs", ())) - \
    set(getattr(spec, "kwonlydefaults", None) or ())
  return (found[:len(expected)] == expected and
          added <= len(spec.defaults or ()) and not required)


def check(constants, hv_kvm):
  """Make sure that the plugin fits this Ganeti.

  @param constants: the module ganeti.constants
  @param hv_kvm: the module ganeti.hypervisor.hv_kvm
  @rtype: string
  @return: Ganeti's version
  @raise GanetiError: if it does not, and why

  """
  release, version = installed(constants)
  if version not in KNOWN:
    raise GanetiError(
      "Ganeti %s is not supported by this plugin (supported: %s)" %
      (release, ", ".join("%d.%d" % known for known in sorted(KNOWN))))
  missing = ["constants.%s" % name for name in _CONSTANTS
             if not hasattr(constants, name)]
  if not hasattr(hv_kvm, "_RUNTIME_ENTRY"):
    missing.append("hv_kvm._RUNTIME_ENTRY")
  client = getattr(hv_kvm, "QmpConnection", None)
  missing.extend("hv_kvm.QmpConnection.%s" % name
                 for name in ("connect", "close") if not hasattr(client, name))
  # the latter since 3.1
  if not (hasattr(client, "Execute") or hasattr(client, "execute_qmp")):
    missing.append("hv_kvm.QmpConnection.Execute")
  upstream = getattr(hv_kvm, "KVMHypervisor", None)
  methods = dict(_METHODS, **_COMPAT_METHODS[compat_class(upstream)])
  if has_hmp_hotplug(upstream):
    methods.update(_HMP_METHODS)
  for name, expected in sorted(methods.items()):
    method = getattr(upstream, name, None)
    if method is None:
      missing.append("KVMHypervisor.%s" % name)
    elif not _takes(method, expected):
      missing.append("KVMHypervisor.%s(%s)" % (name, ", ".join(expected)))
  if missing:
    raise GanetiError("Ganeti %s has no %s" % (release, ", ".join(missing)))
  return release
