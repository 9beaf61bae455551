"""Let the contract's tests find our modules inside a patched Ganeti.

A plugin for pytest, see tools/check-patches. What the tests import as
C{ganeti_kvm_pci} is then the folder that the patches made, so that the contract
is held against what Ganeti would install, not against the checkout.

"""

import importlib
import pkgutil
import sys

import ganeti.hypervisor.kvm_pci as package
from ganeti import constants
from ganeti import hypervisor

sys.modules["ganeti_kvm_pci"] = package
for _, name, _ in pkgutil.walk_packages(package.__path__,
                                        package.__name__ + "."):
  sys.modules[name.replace(package.__name__, "ganeti_kvm_pci", 1)] = \
    importlib.import_module(name)


def pytest_report_header(config): # pylint: disable=unused-argument
  ours = sys.modules["ganeti_kvm_pci.hypervisor"].KVMHypervisor
  assert hypervisor.GetHypervisorClass(constants.HT_KVM) is ours
  return "the hypervisor for KVM: %s" % ours
