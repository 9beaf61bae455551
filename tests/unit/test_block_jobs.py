"""Which block jobs use a disk."""

import pytest

from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qmp import block_jobs

NAME = "disk-000000d2-1111-2222"
OTHER = "disk-000000d1-1111-2222"


class Qemu(object):
  """A QEMU whose disks have a block node each, on a file of the same number.

  @ivar jobs: list of (id, type, names of nodes that it uses)
  @ivar layers: list of (name of the upper node, name of the lower)

  """
  def __init__(self, *jobs):
    self.jobs = jobs
    self.layers = []
    self.tops = {NAME: NAME, OTHER: OTHER}
    self.refused = None
    self.asked = []

  def execute(self, command, _):
    self.asked.append(command)
    if command == self.refused:
      raise CommandError(command, "not found")
    if command == "query-block-jobs":
      return [{"device": name, "type": what} for name, what, _ in self.jobs]
    if command == "query-block":
      return [{"device": "", "qdev": "/machine/peripheral/%s/virtio-backend" %
               name, "inserted": {"node-name": top}}
              for name, top in self.tops.items()]
    names = [NAME, OTHER, "file0", "snap0", "copy0"]
    edges = [(NAME, "file0"), (OTHER, "file1")] + self.layers + [
      (name, used) for name, _, nodes in self.jobs for used in nodes]
    names += ["file1"] + [name for name, _, _ in self.jobs]
    return {"nodes": [{"id": names.index(name) + 1, "name": name,
                       "type": "block-job" if name.startswith("j") else
                       "block-driver"} for name in names],
            "edges": [{"parent": names.index(parent) + 1,
                       "child": names.index(child) + 1}
                      for parent, child in edges]}


def test_without_jobs_nothing_else_is_asked():
  qemu = Qemu()
  assert block_jobs.using(qemu.execute, NAME) == []
  assert qemu.asked == ["query-block-jobs"]


@pytest.mark.parametrize("used", [NAME, "file0", "snap0"])
def test_a_job_on_any_layer_of_the_disk_is_told(used):
  qemu = Qemu(("j1", "mirror", [used, "copy0"]), ("j0", "backup", [NAME]),
              ("j2", "stream", [OTHER]))
  qemu.tops[NAME] = "snap0"
  qemu.layers = [("snap0", NAME)]
  assert block_jobs.using(qemu.execute, NAME) == ["j0 (backup)", "j1 (mirror)"]


def test_the_job_of_another_disk_is_not():
  qemu = Qemu(("j0", "mirror", [OTHER, "copy0"]))
  assert block_jobs.using(qemu.execute, NAME) == []
  assert block_jobs.using(qemu.execute, OTHER) == ["j0 (mirror)"]


@pytest.mark.parametrize("command", ["query-block-jobs", "query-block",
                                     "x-debug-query-block-graph"])
def test_an_older_qemu_does_not_tell(command):
  qemu = Qemu(("j0", "mirror", [NAME]))
  qemu.refused = command
  assert block_jobs.using(qemu.execute, NAME) == []


def test_a_loop_of_nodes_has_an_end():
  qemu = Qemu(("j0", "mirror", ["copy0"]))
  qemu.layers = [("file0", NAME)]
  assert block_jobs.using(qemu.execute, NAME) == []


def test_an_odd_answer_is_an_error():
  def execute(command, _):
    return {"query-block-jobs": [{"device": "j0", "type": "mirror"}],
            "query-block": [], "x-debug-query-block-graph": {}}[command]

  with pytest.raises(MonitorError):
    block_jobs.using(execute, NAME)
