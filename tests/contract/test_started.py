"""A start counts as one only if QEMU runs, whatever the exit status.

From Ganeti's commit 14eb51bd8 on, a thread of the node daemon collects
children; where that is quicker, Python reports status 0 for a QEMU that failed.

"""

import errno
import os

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import qemu_log

import harness

NAME = "vm1.example.com"

FULL = os.strerror(errno.ENOSPC)

#: Says something of its options, as QEMU does before it opens its log.
SAYS = """#!/bin/sh
test "$1" = --version || exit 77
echo "noise"
echo "%s"
"""


@pytest.fixture
def lost(world, monkeypatch):
  """Have QEMU fail, its status and what it printed be lost."""
  def run(command, **_):
    world.calls.append(("RunCmd", list(command)))
    return harness.RunResult(False, "")

  monkeypatch.setattr(hv_kvm.utils, "RunCmd", run)
  return world


@pytest.fixture
def program(tmpdir):
  """Write a QEMU, or none if it says None; gives its path."""
  def write(said):
    path = tmpdir.join("kvm")
    if said is not None:
      path.write(SAYS % said)
      path.chmod(0o755)
    return str(path)
  return write


def refused(world, paused=True, **hvparams):
  """Start an instance; return the error's text."""
  hyper = world.hypervisor()
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.StartInstance(harness.instance_of(**hvparams),
                        harness.block_devices(1), paused)
  print(caught.value)
  return str(caught.value)


@pytest.mark.parametrize("said, reason", [
  ("noise\nqemu: 'foo' is not a valid device model name\n",
   "QEMU's log says: qemu: 'foo' is not a valid device model name"),
  ("PCI: slot 24 function 0 not available for virtio-net-pci, in use by e1000,"
   "id=(null)\n", "is held by e1000")])
def test_a_lost_status_is_explained_as_any_other(lost, monkeypatch, tmpdir,
                                                 said, reason):
  log = tmpdir.join("vm.log")
  fail, log_of = hv_kvm.utils.RunCmd, qemu_log.QemuLog

  def run(command, **_):
    log.write(said)
    return fail(command)

  monkeypatch.setattr(hv_kvm.utils, "RunCmd", run)
  monkeypatch.setattr(qemu_log, "QemuLog", lambda _: log_of(["-D", str(log)]))
  text = refused(lost)
  assert NAME in text and reason in text


@pytest.mark.parametrize("said, reason", [
  ("qemu: -foo: invalid option", "QEMU says: qemu: -foo: invalid option"),
  ("QEMU emulator version 7.2.22", "its exit status was lost"),
  (None, "cannot run ")])
def test_without_a_log_qemu_is_asked_for_its_options(lost, program, said,
                                                     reason):
  # with status 0, as every program here: that may be lost as well
  text = refused(lost, kvm_path=program(said), machine_version="pc")
  assert text.startswith("Failed to start instance " + NAME)
  assert reason in text


@pytest.mark.parametrize("paused", [False, True])
def test_a_qemu_that_ends_at_once_is_not_taken_for_started(
    world, monkeypatch, program, paused):
  """It was there when Ganeti looked."""
  genuine = harness.FakeQmp.connect

  def connect(self):
    world.running = world.monitor = False
    return genuine(self)

  monkeypatch.setattr(harness.FakeQmp, "connect", connect)
  text = refused(world, paused, kvm_path=program("version 7.2"),
                 machine_version="pc")
  assert text.startswith("Failed to start instance %s; QEMU has ended" % NAME)


def test_a_qemu_that_does_not_answer_is_not_taken_for_started(world):
  world.monitor = False
  text = refused(world)
  assert "%s: its QEMU was started (process " % NAME in text
  assert "does not answer: QEMU's monitor " in text
  assert len(world.commands()) == 1


def test_an_error_after_the_start_is_not_taken_for_qemus(world, monkeypatch):
  genuine = hv_kvm.KVMHypervisor._RunKVMCmd

  def run(*args, **kwargs):
    genuine(*args, **kwargs)
    raise errors.HypervisorError("no password")

  hyper = world.hypervisor()
  monkeypatch.setattr(
    hv_kvm.KVMHypervisor, "_ExecuteKVMRuntime",
    lambda self, instance, runtime, *_: run(self, instance.name, runtime[0],
                                            []))
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.StartInstance(harness.instance_of(), harness.block_devices(1), True)
  assert str(caught.value) == "no password"


@pytest.mark.parametrize("error", [
  # the first is that of a folder
  errors.GenericError("Cannot create needed directory: %s" % FULL),
  OSError(errno.ENOSPC, FULL)])
@pytest.mark.parametrize("reboots", [False, True])
def test_a_qemu_whose_files_cannot_be_written_is_ended(world, monkeypatch,
                                                       reboots, error):
  """Ganeti writes the NICs' once QEMU is there, and the guest still paused.

  It would take the instance for started.

  """
  hyper, instance = world.hypervisor(), harness.instance_of()
  if reboots:
    hyper.StartInstance(instance, harness.block_devices(1), False)
  with monkeypatch.context() as patched:
    write = hv_kvm.utils.WriteFile

    def refuse(path, *args, **kwargs):
      if path == hyper._InstanceNICFile(instance.name, 1):
        raise error
      return write(path, *args, **kwargs)

    patched.setattr(hv_kvm.utils, "WriteFile", refuse)
    with pytest.raises(errors.HypervisorError) as caught:
      if reboots:
        hyper.RebootInstance(instance)
      else:
        hyper.StartInstance(instance, harness.block_devices(1), False)
  print(caught.value)
  assert NAME in str(caught.value)
  assert FULL in str(caught.value)
  assert not world.running
  hyper.StartInstance(instance, harness.block_devices(1), False)
  assert world.running
