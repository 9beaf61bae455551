"""Constants."""

RELEASE_VERSION = "3.0.2"
VERSION_MAJOR = 3
VERSION_MINOR = 0

NODED = "ganeti-noded"
HT_KVM = "kvm"
HOTPLUG_TARGET_DISK = "disk"
HOTPLUG_TARGET_NIC = "nic"
HV_KVM_PCI_RESERVATIONS = "kvm_pci_reservations"
HVC_DEFAULTS = {
  HT_KVM: {
    "kvm_path": "/usr/bin/kvm", "disk_type": "paravirtual",
    "nic_type": "paravirtual", "kvm_extra": "", "kvm_pci_reservations": 12,
    },
  }
