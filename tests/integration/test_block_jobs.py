"""A disk that is removed while somebody copies or merges it by QMP.

Unmodified Ganeti removes it. Up to 3.0 QEMU then cancels the job; from 3.1 on
the job goes on, and the image with it stays open.

"""

import os

import pytest

from ganeti import errors

from qemu_state import Inventory, agree, runtime_devices, tell
from nodes import DISK
import faults
import nodes

pytestmark = pytest.mark.skipif(faults.column() is None, reason=faults.NONE)

JOBS = ["drive-mirror", "blockdev-mirror", "block-commit", "block-stream",
        "drive-backup", "blockdev-backup"]

_SIZE = 8 << 20

#: In bytes a second, so that no job ends by itself.
_SPEED = 1 << 16

NUMBER = 2


def image(node):
  """Have images that it takes time to copy."""
  plain = node.image

  def large(number):
    path = plain(number)
    with open(path, "wb") as stream:
      stream.write(os.urandom(_SIZE))
    return path

  node.image = large


def disk_id(node):
  """Return QEMU's id of the disk."""
  (name, ) = [name for name in runtime_devices(node)
              if "-%08x-" % (nodes.FIRST[DISK] + NUMBER) in name]
  return name


def topmost(node, name):
  """Return the drive of a disk, or its topmost block node."""
  (drive, ) = [drive for drive in tell(node, "query-block")
               if name in [drive["device"]] + drive.get("qdev", "").split("/")]
  return drive["device"] or drive["inserted"]["node-name"]


def start_job(node, command, name):
  """Start a job on a disk."""
  arguments = {"device": topmost(node, name), "job_id": "job0",
               "speed": _SPEED}
  target = os.path.join(node.folder, "target")
  with open(target, "wb") as stream:
    stream.truncate(_SIZE)
  if command.startswith("blockdev"):
    tell(node, "blockdev-add", driver="raw", node_name="target0",
         file={"driver": "file", "filename": target})
    arguments.update(target="target0", sync="full")
  elif command.startswith("drive"):
    arguments.update(target=target, sync="full", mode="existing", format="raw")
  else:
    snapshot = dict(snapshot_file=os.path.join(node.folder, "snapshot"),
                    format="qcow2")
    if name in [drive["device"] for drive in tell(node, "query-block")]:
      tell(node, "blockdev-snapshot-sync", device=name, **snapshot)
    else:
      tell(node, "blockdev-snapshot-sync", node_name=arguments["device"],
           snapshot_node_name="snapshot0", **snapshot)
    arguments["device"] = topmost(node, name)
    # what it says goes to QEMU's own output
    tell(node, "human-monitor-command",
         command_line='qemu-io -d %s "write 0 4M"' % name)
    assert os.path.getsize(snapshot["snapshot_file"]) > 4 << 20
  tell(node, command, **arguments)
  assert job(node)


def job(node):
  """List the jobs that there are."""
  return [found["device"] for found in tell(node, "query-block-jobs")]


def end_job(node, command):
  """End the job, and remove its target."""
  tell(node, "block-job-cancel", device="job0", force=True)
  while job(node):
    pass
  if command.startswith("blockdev"):
    tell(node, "blockdev-del", node_name="target0")


# no guest is asked for a SCSI disk; one that is paused would keep descriptors
@pytest.mark.parametrize("command", JOBS)
def test_a_disk_with_a_job_is_not_removed(node, which, command):
  image(node)
  node.start(nics=0, disk_type="scsi-hd",
             scsi_controller_type="virtio-scsi-pci")
  if which == "unmodified" and \
      faults.here("an attached SCSI disk: its hot-add fails"):
    pytest.skip("it adds no SCSI disk")
  node.hot_add(DISK, NUMBER, 2)
  before, name = agree(node).devices, disk_id(node)
  start_job(node, command, name)
  if which == "unmodified":
    try:
      node.hot_del(DISK, NUMBER, 2)
    except (errors.HypervisorError, TypeError) as err:
      # the latter from Ganeti's client, where four events of the job that were
      # meant for the connection before stand in front of QEMU's greeting
      print(err)
    assert name not in Inventory(node).devices
    # the copy is cut off, or what is to be deleted stays open
    assert not job(node) or name in Inventory(node).drives
    return
  for _ in range(2):
    with pytest.raises(errors.HotplugError) as caught:
      node.hot_del(DISK, NUMBER, 2)
    for words in (nodes.NAME, name, "block job job0 (%s)" %
                  command.rpartition("-")[2], "cancel it"):
      assert words in str(caught.value)
    assert runtime_devices(node) == Inventory(node).devices == before
    assert job(node) == ["job0"]
  # another disk has no job
  node.hot_del(DISK, 1, 1)
  assert len(runtime_devices(node)) == len(before) - 1
  end_job(node, command)
  node.hot_del(DISK, NUMBER, 2)
  assert name not in runtime_devices(node)
  assert runtime_devices(node) == Inventory(node).devices
  if command not in ("block-commit", "block-stream"):
    agree(node)
    node.hot_add(DISK, NUMBER, 1)
    assert name in agree(node).devices


@pytest.mark.parametrize("which", ["plugin"], indirect=True)
def test_the_guest_is_not_asked(node, which):
  """It would eject the disk whenever it comes to it."""
  image(node)
  node.start(disks=3, nics=0, paused=True)
  before, name = agree(node).devices, disk_id(node)
  start_job(node, "drive-backup", name)
  with pytest.raises(errors.HotplugError) as caught:
    node.hot_del(DISK, NUMBER, 2)
  assert "job0 (backup)" in str(caught.value)
  end_job(node, "drive-backup")
  # a reset removes what the guest was asked for
  tell(node, "cont")
  tell(node, "system_reset")
  tell(node, "query-status")
  assert agree(node).devices == before
