"""Constants."""

import os

STUB = os.environ.get("GANETI_STUB", "hvinfo")

RELEASE_VERSION = {"pci": "2.12.6", "pciqmp": "2.15.2", "hvinfo": "3.0.2",
                   "runtime": "3.1.0", "busmanager": "3.2.0"}[STUB]
VERSION_MAJOR, VERSION_MINOR = [int(n) for n in RELEASE_VERSION.split(".")[:2]]

NODED = "ganeti-noded"
HOOKS_NAME_WATCHER = "watcher"
HT_KVM = "kvm"
HOTPLUG_ACTION_ADD = "hotadd"
HOTPLUG_TARGET_DISK = "disk"
HOTPLUG_TARGET_NIC = "nic"
HVC_DEFAULTS = {
  HT_KVM: {
    "kvm_path": "/usr/bin/kvm", "disk_type": "paravirtual",
    "nic_type": "paravirtual", "kvm_extra": "", "spice_bind": "",
    "disk_aio": "threads", "virtio_net_queues": 1, "vnet_hdr": True,
    "machine_version": "", "migration_port": 8102,
    },
  }

if STUB.startswith("pci"):
  HOTPLUG_TARGET_DISK = "hotdisk"
  HOTPLUG_TARGET_NIC = "hotnic"
else:
  HVC_DEFAULTS[HT_KVM].update(kvm_pci_reservations=12, disk_discard="default")

if STUB in ("runtime", "busmanager"):
  HVC_DEFAULTS[HT_KVM]["disk_discard"] = "ignore"
