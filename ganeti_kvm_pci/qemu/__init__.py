"""QEMU's texts as data: its command line, its replies, its errors; pure.

  - L{ids}: the ids under which QEMU has disks and NICs
  - L{option}, L{command}: the command line
  - L{machine_type}, L{scsi_devices}: the machine type, and the SCSI devices, in
    it
  - L{config_file}, L{named_slots}: a file with more of it; the slots that it
    names
  - L{reply_shapes}, L{replies}: what replies must look like, and what they mean
  - L{start_error}: what QEMU's complaints mean
  - L{removed_options}: the options that QEMU has removed, and their successors
  - L{explicit}: explicit addresses for QEMU's own devices
  - L{topology}: the devices that a guest sees

"""
