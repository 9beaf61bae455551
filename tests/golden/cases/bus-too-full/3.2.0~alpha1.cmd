# - unmodified Ganeti only   + with the plugin only
- fails with RuntimeError: No free slots available
+ refused: Instance vm1.example.com: no PCI slot is left for 16 disks and 8 NICs: 12 of the 32 slots of pci.0 are QEMU's (kvm_pci_reservations), 20 are Ganeti's, held by: nothing yet; lower kvm_pci_reservations from 12 (8 leaves 24 slots), or move the disks to SCSI (disk_type=scsi-hd), or remove a device (parameters take effect at the next start)
