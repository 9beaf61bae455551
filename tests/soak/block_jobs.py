"""Disks that somebody copies by QMP when they are to be removed."""

import cluster

from kept_guest import agree

#: The copy, or what is to be committed, on a file system that can what the
#: disks' can.
_COPY = "/srv/ganeti/soak-copy"

_NAME = "soak0"

#: In bytes a second, so that no job ends by itself.
_SPEED = 1 << 16


class BlockJobs(object):
  """Some of L{operations.Operations}."""

  def job_on_disk(self, guest):
    """Detach a disk that a block job uses, and then without one.

    That it is not removed but detached: Ganeti goes on where hotplug has
    failed, and deletes the file.

    """
    chosen = self._pick(guest, "--disk") if guest.runs else None
    if chosen is None:
      return None
    index, uuid = chosen
    job = self.random.choice(["mirror", "backup", "commit"])
    device = "disk-" + uuid[:18]
    guest.frozen.pop(uuid, None)
    try:
      self._start_job(guest, job, device)
      self.said = guest.vm.modify("--disk", "%d:detach" % index).output
      words = "in use by the block job %s (%s)" % (_NAME, job)
      agree(words in self.said and device in self.said and
            "hotplug:failed" in self.said, "%s: %s", guest, self.said)
      agree([found["device"] for found in guest.vm.qmp("query-block-jobs")] ==
            [_NAME], "%s: the job has ended", guest)
    finally:
      self._end_job(guest, job, device)
    # the guest has it
    back = "%d:attach,uuid=%s" % (index, uuid)
    self.said = guest.vm.modify("--disk", back, hot=False).output
    done = "%s of disk %d (%s): refused" % (job, index, uuid)
    if self.random.random() < 0.5:
      return done
    self._hot(guest, "--disk", "%d:detach" % index)
    self._hot(guest, "--disk", back)
    return done + ", then detached and attached"

  @staticmethod
  def _drive(guest, device):
    (drive, ) = [entry for entry in guest.vm.qmp("query-block") if device in
                 [entry["device"]] + entry.get("qdev", "").split("/")]
    return drive

  def _top(self, guest, device):
    """Return the drive of a disk, or its topmost block node."""
    drive = self._drive(guest, device)
    return drive["device"] or drive["inserted"]["node-name"]

  def _start_job(self, guest, job, device):
    top = self._top(guest, device)
    if job != "commit":
      guest.vm.qmp("drive-" + job, **{
        "device": top, "job-id": _NAME, "speed": _SPEED, "target": _COPY,
        "sync": "full", "format": "raw"})
      return
    guest.vm.qmp("blockdev-snapshot-sync", **dict(
      {"device": top} if top == device else
      {"node-name": top, "snapshot-node-name": "soak1"},
      **{"snapshot-file": _COPY, "format": "qcow2"}))
    # where no mark is
    said = guest.vm.hmp('qemu-io -d %s "write 512M 4M"' % (
      self._drive(guest, device).get("qdev") or device))
    agree("rror" not in said, "%s: %s", guest, said)
    self._commit(guest, device, _SPEED)

  def _commit(self, guest, device, speed):
    """Write into a disk's file what its snapshot has."""
    guest.vm.qmp("block-commit", **{"device": self._top(guest, device),
                                    "job-id": _NAME, "speed": speed})

  def _end_job(self, guest, job, device):
    """Have no job be there, and the disk be its file alone."""
    if guest.vm.qmp("query-block-jobs"):
      guest.vm.qmp("block-job-cancel", device=_NAME, force=True)
    self._ends(guest)
    if job == "commit" and "backing-image" in \
        self._drive(guest, device)["inserted"]["image"]:
      self._commit(guest, device, 0)
      cluster.wait_until(
        lambda: [found["ready"] for found in
                 guest.vm.qmp("query-block-jobs")] == [True], "all is written")
      guest.vm.qmp("block-job-complete", device=_NAME)
      self._ends(guest)
    cluster.on(guest.vm.node(), "rm", "-f", _COPY)

  @staticmethod
  def _ends(guest):
    cluster.wait_until(lambda: not guest.vm.qmp("query-block-jobs"),
                       "the block job ends")
