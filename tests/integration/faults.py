"""What unmodified Ganeti does where the plugin does not: a table of faults.

The plugin has none of them, on any release. Each row is looked for by a test
beside this module, on unmodified Ganeti, which must do as the row says. The
design document has the same table (C{tests/doc/test_faults.py} compares).

Ganeti's master says C{3.2.0~alpha1} before and after each of these commits, so
a tree is told by what it has.

Where the tree has some of the patches in C{patches/}, see L{patched}, what
L{CHANGES} has for each holds instead.

"""

import patched

#: The columns: releases, and the beginnings of commits of Ganeti's master. Each
#: holds to the next one's.
COLUMNS = ("3.0", "3.1", "c357", "f4cb", "48af")

YES, NO, UNSEEN = "yes", "no", "--"

#: Pairs of a fault and its cells. L{UNSEEN} is what cannot be seen, because
#: another fault comes first.
TABLE = (
  ("a dead daemon's device: its slot is given again",
   (YES, YES, YES, YES, YES)),
  ("a dead daemon's device: refused when added again",
   (YES, YES, YES, YES, YES)),
  ("two hot-adds at once: one is lost", (YES, YES, YES, YES, YES)),
  ("a refused NIC leaves its netdev", (YES, YES, YES, YES, YES)),
  ("a refused disk leaves its drive", (YES, YES, YES, YES, YES)),
  ("a bus without hotplug: the backend is left", (YES, YES, YES, YES, YES)),
  ("unclaimed in 5 s: not in the runtime file", (NO, NO, NO, YES, YES)),
  ("an unplug that times out: the disk's drive goes", (YES, NO, NO, NO, NO)),
  ("an unplug that times out: its netdev goes", (YES, YES, YES, NO, NO)),
  ("an unplug is lost while the guest boots", (YES, YES, YES, YES, YES)),
  ("unplugged late: in the runtime file for good", (YES, YES, YES, YES, YES)),
  ("unplugged late: the target of a migration has it",
   (YES, YES, YES, YES, YES)),
  ("an unplug is looked for once a second", (YES, NO, NO, NO, NO)),
  ("another's event ends the wait for a disk", (NO, YES, YES, YES, YES)),
  ("another's event ends the wait for a NIC", (NO, NO, NO, YES, YES)),
  ("RESUME ends the wait for a disk, by KeyError", (NO, YES, YES, YES, YES)),
  ("RESUME ends the wait for a NIC, by KeyError", (NO, NO, NO, YES, YES)),
  ("hotplugged before 2.16: cannot be removed", (YES, YES, YES, YES, YES)),
  ("a runtime file of 2.9: IndexError", (NO, YES, YES, YES, YES)),
  ("a NIC without UUID has another at each load",
   (YES, UNSEEN, UNSEEN, UNSEEN, UNSEEN)),
  ("IDE disks hold slots of pci.0", (YES, YES, YES, YES, YES)),
  ("an instance with an ISA NIC does not start", (YES, YES, YES, YES, YES)),
  ("an attached SCSI disk: its hot-add fails", (NO, YES, YES, YES, YES)),
  ("a SCSI device of kvm_extra finds no bus", (NO, NO, NO, NO, YES)),
  ("a CD-ROM and a disk get one SCSI id", (YES, YES, YES, YES, UNSEEN)),
  ("a SCSI id that something has is given", (YES, YES, YES, YES, YES)),
  ("a refused SCSI disk leaves its drive", (YES, YES, YES, YES, YES)),
  ("a SCSI id above 15: IndexError", (YES, YES, NO, NO, NO)),
  ("the id of the controller lsi is given",
   (YES, UNSEEN, UNSEEN, UNSEEN, UNSEEN)),
  ("two SCSI controllers: their ids are mixed",
   (YES, UNSEEN, UNSEEN, UNSEEN, UNSEEN)),
  ("a dead QEMU: the socket's error", (NO, YES, YES, YES, YES)),
  )


#: The name of a folder of patches to the cells that these change.
CHANGES = {
  "migration": {
    "unplugged late: the target of a migration has it": NO,
    },
  "ask-qemu": {
    "a dead daemon's device: its slot is given again": NO,
    "a refused NIC leaves its netdev": NO,
    "a refused disk leaves its drive": NO,
    "a bus without hotplug: the backend is left": NO,
    "a SCSI id that something has is given": NO,
    "a refused SCSI disk leaves its drive": NO,
    },
  "unplug": {
    "an unplug that times out: its netdev goes": NO,
    "unplugged late: in the runtime file for good": NO,
    "another's event ends the wait for a disk": NO,
    "RESUME ends the wait for a disk, by KeyError": NO,
    "an attached SCSI disk: its hot-add fails": NO,
    # what the last one hid
    "the id of the controller lsi is given": YES,
    "two SCSI controllers: their ids are mixed": YES,
    },
  }

#: Why a test is skipped elsewhere.
NONE = "what unmodified Ganeti before 3.0 does is in no table"


def column():
  """Tell which column the imported Ganeti belongs to.

  @rtype: string or None
  @return: one of L{COLUMNS}; None for a release before all of them

  """
  from ganeti import constants
  from ganeti.hypervisor import hv_kvm
  if hasattr(constants, "HV_VIRTIO_DISK_IOTHREADS"):
    return "48af"
  if hasattr(hv_kvm.QmpConnection, "WaitForDeviceClaim"):
    return "f4cb"
  if hasattr(hv_kvm.KVMHypervisor, "_get_bus_manager"):
    return "c357"
  version = (constants.VERSION_MAJOR, constants.VERSION_MINOR)
  if version >= (3, 1):
    return "3.1"
  return "3.0" if version == (3, 0) else None


def here(fault):
  """Tell whether unmodified Ganeti, as it is imported, has a fault.

  @param fault: the first of a row
  @rtype: bool or None
  @return: None if it is not seen

  """
  (cells, ) = [cells for name, cells in TABLE if name == fault]
  cell = dict(zip(COLUMNS, cells))[column()]
  for name in patched.NAMES:
    cell = CHANGES.get(name, {}).get(fault, cell)
  return {YES: True, NO: False, UNSEEN: None}[cell]
