"""What QEMU is asked once, in hot-adds that each have a process of their own.

Up to Ganeti 3.1, the node daemon forks for each request.

"""

import json
import os
import shutil
import signal

import pytest

from ganeti.hypervisor import hv_kvm

import child_processes
import counting
import nodes
import old_qemu
from nodes import DISK, NIC

#: Where the path to QEMU leads; what it is called decides what it does.
QEMU = os.path.realpath(shutil.which(nodes.QEMU))

SCHEMA = "query-qmp-schema"

needs_schema = pytest.mark.skipif(
  not hasattr(hv_kvm.QmpConnection, "HasDynamicAutoReadOnly") or
  hasattr(hv_kvm.QmpConnection, "execute_qmp"),
  reason="this Ganeti does not ask for the schema")


@pytest.fixture
def node(tmpdir):
  """A node whose QEMU is a program, not a script."""
  if nodes.unfit("plugin"):
    pytest.skip(nodes.unfit("plugin"))
  made = nodes.Node("plugin", str(tmpdir))
  made.program = str(tmpdir.mkdir("bin").join("qemu-system-x86_64"))
  shutil.copy(QEMU, made.program)
  # its firmware and its modules are found from where it is
  for name in ("share", "lib"):
    os.symlink("/usr/" + name, str(tmpdir.join(name)))
  os.utime(made.program, (1, 1))
  try:
    yield made
  finally:
    made.stop()


@pytest.fixture(autouse=True)
def settled(monkeypatch):
  """Programs of these tests are new."""
  from ganeti_kvm_pci import qemu_program
  monkeypatch.setattr(qemu_program, "_SETTLED", -60)


class Asked(object):
  """What a hot-add asked, in a process of its own."""

  def __init__(self, node, dev_type, number):
    mine, theirs = os.pipe()

    def _Add():
      programs = []
      run = hv_kvm.utils.RunCmd

      def _RunCmd(command, *args, **kwargs):
        programs.append(command)
        return run(command, *args, **kwargs)

      hv_kvm.utils.RunCmd = _RunCmd
      path = node.hyper._InstanceKVMRuntime(nodes.NAME)
      with counting.counting(path) as told:
        node.hot_add(dev_type, number, number)
      cost = told()
      os.write(theirs, json.dumps([cost.commands, cost.connections,
                                   programs]).encode("ascii"))

    said = child_processes.alone(_Add)
    os.close(theirs)
    with os.fdopen(mine, "rb") as stream:
      text = stream.read().decode("ascii")
    assert said is None, said
    self.commands, self.connections, programs = json.loads(text)
    self.options = [program[1:] for program in programs
                    if program[0] == node.program]


def folder_of(node):
  from ganeti_kvm_pci import instance_lock
  return os.path.dirname(instance_lock.path_for(
    node.hyper._InstanceKVMRuntime(nodes.NAME)))


def kept(node):
  from ganeti_kvm_pci import kept_answers
  return kept_answers.files(folder_of(node))


def start(node, monkeypatch):
  """Start the instance; the answers of the start are forgotten."""
  from ganeti_kvm_pci import kept_answers
  node.start(disks=1, nics=1, paused=True, kvm_path=node.program,
             kvm_extra="-qmp unix:%s,server=on,wait=off" %
             old_qemu.watch_socket(node.folder, nodes.NAME))
  for path in kept(node):
    os.unlink(path)
  monkeypatch.setattr(kept_answers, "_MEMORY", {})


@needs_schema
def test_a_disks_schema_is_asked_for_once(node, monkeypatch):
  start(node, monkeypatch)
  first, second = [Asked(node, DISK, number) for number in (2, 3)]
  assert first.commands.count(SCHEMA) == 1
  assert SCHEMA not in second.commands
  assert first.connections == second.connections == 1
  assert len(node.agreed_slots()[0]) == 3


def test_a_nics_program_is_asked_once(node, monkeypatch):
  start(node, monkeypatch)
  first, second = [Asked(node, NIC, number) for number in (2, 3)]
  assert first.options[::2] == first.options[1::2] != []
  assert second.options == []
  assert first.connections == second.connections == 1
  assert len(node.agreed_slots()[1]) == 3


@needs_schema
def test_what_runs_counts_and_not_what_is_installed(node, monkeypatch):
  start(node, monkeypatch)
  assert SCHEMA in Asked(node, DISK, 2).commands
  assert SCHEMA not in Asked(node, DISK, 3).commands
  running, = kept(node)
  # an update: what is installed now would say something else
  with open(running) as stream:
    before = json.load(stream)
  shutil.copy(node.program, node.program + ".new")
  os.rename(node.program + ".new", node.program)
  # the guest's QEMU is the one that was removed
  assert SCHEMA in Asked(node, DISK, 4).commands
  assert SCHEMA not in Asked(node, DISK, 5).commands
  found = [path for path in kept(node) if path != running]
  with open(found[0]) as stream:
    after = json.load(stream)
  status = os.stat(node.program)
  assert after["of"]["running"][1] == before["of"]["running"][1] != \
    status.st_ino
  assert after["answers"] == before["answers"]
  assert len(node.agreed_slots()[0]) == 5


def test_a_nics_program_is_asked_anew_after_an_update(node, monkeypatch):
  start(node, monkeypatch)
  assert Asked(node, NIC, 2).options != []
  shutil.copy(node.program, node.program + ".new")
  os.rename(node.program + ".new", node.program)
  assert Asked(node, NIC, 3).options != []
  assert Asked(node, NIC, 4).options == []


@needs_schema
def test_a_spoilt_file_is_not_believed(node, monkeypatch):
  start(node, monkeypatch)
  Asked(node, DISK, 2)
  path, = kept(node)
  with open(path) as stream:
    genuine = stream.read()
  with open(path, "w") as stream:
    stream.write(genuine[:-2])
  assert SCHEMA in Asked(node, DISK, 3).commands
  with open(path) as stream:
    assert stream.read() == genuine
  os.chmod(path, 0o620)
  assert SCHEMA in Asked(node, DISK, 4).commands
  assert len(node.agreed_slots()[0]) == 4


@needs_schema
def test_without_room_hot_adds_work(node, monkeypatch):
  from ganeti_kvm_pci import temporary

  def full(*_, **__):
    raise EnvironmentError(28, "No space left on device")

  start(node, monkeypatch)
  monkeypatch.setattr(temporary, "make", full)
  for dev_type in (DISK, NIC):
    for number in (2, 3):
      assert Asked(node, dev_type, number).commands
  assert kept(node) == []
  assert [len(slots) for slots in node.agreed_slots()] == [3, 3]


@needs_schema
def test_killed_while_it_is_written(node, monkeypatch):
  """The next one has it, and what was half-written was removed."""
  from ganeti_kvm_pci import kept_answers
  from ganeti_kvm_pci import temporary
  start(node, monkeypatch)
  written = temporary.written

  def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

  def die(folder, name, *args, **kwargs):
    if name.endswith(".answers"):
      # the file is there, and has no name yet
      os.rename = kill
    return written(folder, name, *args, **kwargs)

  def add():
    kept_answers.temporary.written = die
    node.hot_add(DISK, 2, 2)

  assert child_processes.alone(add) is False
  assert kept(node) == []
  assert [name for name in os.listdir(folder_of(node))
          if "answers" in name] != []
  assert SCHEMA in Asked(node, DISK, 2).commands
  assert len(kept(node)) == 1
  assert [name for name in os.listdir(folder_of(node)) if "answers" in name] \
    == [os.path.basename(kept(node)[0])]
  assert len(node.agreed_slots()[0]) == 2
