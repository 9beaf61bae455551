"""The map of hypervisors."""

from ganeti import constants
from ganeti import errors

from ganeti.hypervisor import hv_kvm

_HYPERVISOR_MAP = {
  constants.HT_KVM: hv_kvm.KVMHypervisor,
  }


def GetHypervisorClass(hypervisor_type):
  if hypervisor_type not in _HYPERVISOR_MAP:
    raise errors.HypervisorError("no hypervisor %s" % hypervisor_type)
  return _HYPERVISOR_MAP[hypervisor_type]


def GetHypervisor(hypervisor_type):
  return GetHypervisorClass(hypervisor_type)()
