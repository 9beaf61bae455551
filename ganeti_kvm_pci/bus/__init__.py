"""Which of the 32 slots, or SCSI ids, a device gets; pure.

  - L{address}: the forms of a PCI address
  - L{pools}: whose slots are whose
  - L{allocator}, L{scsi_ids}: which free slot, or SCSI id, a device gets

"""
