"""Disks that somebody copies by QMP when they are to be removed."""

import cluster

from kept_guest import agree

#: The copy, on a file system that can what the disks' can.
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
    job = self.random.choice(["mirror", "backup"])
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
      self._end_job(guest)
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
  def _start_job(guest, job, device):
    (drive, ) = [entry for entry in guest.vm.qmp("query-block") if device in
                 [entry["device"]] + entry.get("qdev", "").split("/")]
    guest.vm.qmp("drive-" + job, **{
      "device": drive["device"] or drive["inserted"]["node-name"],
      "job-id": _NAME, "speed": _SPEED, "target": _COPY, "sync": "full",
      "format": "raw"})

  @staticmethod
  def _end_job(guest):
    if guest.vm.qmp("query-block-jobs"):
      guest.vm.qmp("block-job-cancel", device=_NAME, force=True)
    cluster.wait_until(lambda: not guest.vm.qmp("query-block-jobs"),
                       "the block job ends")
    cluster.on(guest.vm.node(), "rm", "-f", _COPY)
