"""Which Ganeti the plugin fits.

The version decides first: a series nobody has tried may do the same things in
another order. Then the things themselves are looked for, because distributions
patch, and a name that is gone is better found now than at the next start of
an instance.

"""

import inspect

from .errors import GanetiError

#: Series whose hypervisor is known: (major, minor) to what is peculiar.
KNOWN = {
  (3, 0): "hvinfo, tuple",
  }

#: Methods that are overridden or relied on, with their arguments after self.
#: Stock wraps some (to connect to QMP), which hides their arguments.
_METHODS = {
  "_ExecuteKVMRuntime": ["instance", "kvm_runtime", "kvmhelp", "incoming"],
  "_GenerateKVMRuntime": ["instance", "block_devices", "startup_paused",
                          "kvmhelp"],
  "_GetBusSlots": ["hvp", "runtime"],
  "_InstanceQmpMonitor": ["instance_name"],
  "_LoadKVMRuntime": ["instance", "serialized_runtime"],
  "_ReadKVMRuntime": ["instance_name"],
  "_RunKVMCmd": ["name", "kvm_cmd", "tap_fds"],
  "_SaveKVMRuntime": ["instance", "kvm_runtime"],
  "HotAddDevice": ["instance", "dev_type", "device", "extra", "seq"],
  "HotModDevice": ["instance", "dev_type", "device", "_", "seq"],
  }

_CONSTANTS = ["HT_KVM", "HOTPLUG_TARGET_DISK", "HOTPLUG_TARGET_NIC",
              "HV_KVM_PCI_RESERVATIONS"]


def version(constants):
  """Return Ganeti's version.

  @param constants: the module ganeti.constants
  @rtype: tuple (string, (int, int))
  @return: the version as released, and the series
  @raise GanetiError: if it does not tell

  """
  try:
    return (str(constants.RELEASE_VERSION),
            (int(constants.VERSION_MAJOR), int(constants.VERSION_MINOR)))
  except (AttributeError, TypeError, ValueError) as err:
    raise GanetiError("Ganeti's version cannot be told: %s" % err)


def _arguments(function):
  """Return a method's argument names after the first, None where hidden."""
  # Python 2 has the latter only
  spec = getattr(inspect, "getfullargspec",
                 getattr(inspect, "getargspec", None))(function)
  if spec.varargs:
    return None
  bound = inspect.ismethod(function) and function.__self__ is not None
  skip = 0 if bound and spec.args[:1] not in (["cls"], ["self"]) else 1
  return spec.args[skip:]


def check(constants, hv_kvm):
  """Make sure that the plugin fits this Ganeti.

  @param constants: the module ganeti.constants
  @param hv_kvm: the module ganeti.hypervisor.hv_kvm
  @rtype: string
  @return: Ganeti's version
  @raise GanetiError: if it does not, and why

  """
  release, series = version(constants)
  if series not in KNOWN:
    raise GanetiError(
      "Ganeti %s is of no series this plugin knows (%s)" %
      (release, ", ".join("%d.%d" % known for known in sorted(KNOWN))))
  missing = ["constants.%s" % name for name in _CONSTANTS
             if not hasattr(constants, name)]
  if not hasattr(hv_kvm, "QmpConnection"):
    missing.append("hv_kvm.QmpConnection")
  cls = getattr(hv_kvm, "KVMHypervisor", None)
  for name, expected in sorted(_METHODS.items()):
    method = getattr(cls, name, None)
    if method is None:
      missing.append("KVMHypervisor.%s" % name)
    elif _arguments(method) not in (None, expected):
      missing.append("KVMHypervisor.%s(%s)" % (name, ", ".join(expected)))
  if missing:
    raise GanetiError("Ganeti %s has no %s" % (release, ", ".join(missing)))
  return release
