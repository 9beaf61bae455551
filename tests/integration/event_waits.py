"""What unmodified Ganeti waits for in a hotplug, release by release.

The one table of it; the plugin does none of this, in any release.

"""

import collections

from ganeti.hypervisor import hv_kvm

from nodes import DISK, NIC

#: What a release waits for.
#:   - claims: bool, whether a hot-add waits until the guest uses the device:
#:     5 s, and fails if it does not
#:   - misses_scsi: bool, whether it does not see a disk that it has added on the
#:     SCSI bus: it looks for 5 s, and fails
#:   - events: types of devices whose hot-remove waits for DEVICE_DELETED, of
#:     whatever device, and stumbles over an event that has no data
Waits = collections.namedtuple("Waits", ["claims", "misses_scsi", "events"])

#: What QMP's client has in these releases, and in those before.
_RELEASES = [
  # master since f4cb0f63 (q35)
  ("WaitForDeviceClaim", Waits(True, True, (DISK, NIC))),
  # 3.1.0~rc2 to 3.1.1, master at c35736d8a
  ("wait_for_qmp_event", Waits(False, True, (DISK, ))),
  # up to 3.0
  ("connect", Waits(False, False, ())),
  ]

#: Those of this Ganeti.
WAITS = [waits for name, waits in _RELEASES
         if hasattr(hv_kvm.QmpConnection, name)][0]
