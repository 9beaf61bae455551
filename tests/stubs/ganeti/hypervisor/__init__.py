"""The map of hypervisors."""

from ganeti import constants
from ganeti import errors

from ganeti.hypervisor import hv_kvm

_HYPERVISOR_MAP = {
  constants.HT_KVM: hv_kvm.KVMHypervisor,
  }


def GetHypervisorClass(ht_kind):
  if ht_kind not in _HYPERVISOR_MAP:
    raise errors.HypervisorError("no hypervisor %s" % ht_kind)
  return _HYPERVISOR_MAP[ht_kind]


def GetHypervisor(ht_kind):
  return GetHypervisorClass(ht_kind)()
