"""The version of a machine type: sent with the guest, refused if it lacks."""

import json

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import hypervisor
from ganeti_kvm_pci.qemu import machine_type

import harness
from test_migration import accept
from test_migration import answering
from test_plugin import start

UNMODIFIED = hv_kvm.KVMHypervisor
PLUGIN = hypervisor.KVMHypervisor

#: What a newer QEMU lists.
NEWER = (
  "Supported %s are:\n" % "machines" +
  "pc                   Standard PC (i440FX + PIIX, 1996)"
  " (alias of pc-i440fx-10.0)\n"
  "pc-i440fx-10.0       Standard PC (i440FX + PIIX, 1996) (default)\n"
  "pc-i440fx-5.2        Standard PC (i440FX + PIIX, 1996) (deprecated)\n")


def command_of(text):
  return [str(word) for word in json.loads(text)[0]]


def named(text):
  return machine_type.named(command_of(text))


def rest(words):
  """Return a command but for its machine type."""
  return [word.replace("pc-i440fx-5.2", "pc") for word in words
          if word != "type=pc-i440fx-5.2"]


@pytest.mark.parametrize("parameters, expected", [
  ({"machine_version": "pc"}, "pc-i440fx-5.2"),
  ({"machine_version": ""}, "pc-i440fx-5.2"),
  ({"machine_version": "pc", "kvm_extra": "-machine accel=tcg"},
   "pc-i440fx-5.2"),
  ({"kvm_extra": "-machine pc,usb=off"}, "pc-i440fx-5.2,usb=off"),
  ({"kvm_extra": "-M usb=off,type=pc"}, "pc-i440fx-5.2,usb=off"),
  # whatever the file says, it is what QEMU runs
  ({"machine_version": "pc-i440fx-7.2"}, "pc-i440fx-5.2")])
def test_the_version_is_sent_and_nothing_else_changes(world, parameters,
                                                      expected):
  hyper, instance = start(world, kvm_pci_reservations=8, **parameters)
  before = hyper._ReadKVMRuntime(instance.name)
  world.running_type = "pc-i440fx-5.2"
  info = hyper.MigrationInfo(instance)
  assert named(info) == "pc-i440fx-5.2"
  assert [word for word in command_of(info)
          if word.replace("type=", "") == expected]
  # here it is what it was
  assert json.loads(hyper._ReadKVMRuntime(instance.name)) == json.loads(before)
  assert json.loads(info)[1:4] == json.loads(before)[1:4]
  if parameters.get("machine_version") == "pc" and \
      "-machine" not in parameters.get("kvm_extra", ""):
    assert rest(command_of(info)) == command_of(before)


def test_it_stays_on_the_target_and_at_the_next_move(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8, machine_version="pc")
  world.running_type = "pc-i440fx-5.2"
  info = hyper.MigrationInfo(instance)
  world.list_machine_types(monkeypatch, NEWER)
  target, command = accept(world, PLUGIN, instance, info)
  assert machine_type.named(command) == "pc-i440fx-5.2"
  target.FinalizeMigrationDst(instance, info, True)
  text = target._ReadKVMRuntime(instance.name)
  assert named(text) == "pc-i440fx-5.2"
  # the parameters, of which a cold boot is made, are as they were
  assert json.loads(text)[2]["machine_version"] == "pc"
  assert command_of(target.MigrationInfo(instance)) == command_of(text)


def test_unmodified_ganeti_takes_it(world):
  hyper, instance = start(world, kvm_pci_reservations=8, machine_version="pc")
  world.running_type = "pc-i440fx-5.2"
  info = hyper.MigrationInfo(instance)
  command = accept(world, UNMODIFIED, instance, info)[1]
  assert machine_type.named(command) == "pc-i440fx-5.2"


def test_a_target_that_lacks_it_refuses_before_it_starts_anything(world,
                                                                  monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8, machine_version="pc")
  info = hyper.MigrationInfo(instance)
  assert named(info) == "pc-i440fx-7.2"
  world.list_machine_types(monkeypatch, NEWER)
  before = len(world.commands())
  with pytest.raises(errors.HypervisorError) as caught:
    accept(world, PLUGIN, instance, info)
  text = str(caught.value)
  print(text)
  for part in (instance.name, "is not migrated, and goes on where it is",
               "machine type pc-i440fx-7.2: ", "does not have it",
               "a node whose QEMU has it", "-machine help",
               "shut the instance down and start it"):
    assert part in text
  assert len(world.commands()) == before
  # and Ganeti finds nothing to clean up
  world.hypervisor(PLUGIN).FinalizeMigrationDst(instance, info, False)


def test_a_reboot_that_could_not_start_ends_nothing(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8,
                          machine_version="pc-i440fx-7.2")
  world.list_machine_types(monkeypatch, NEWER)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.RebootInstance(instance)
  text = str(caught.value)
  print(text)
  for part in (instance.name, "is not rebooted, and goes on",
               "machine type pc-i440fx-7.2: ", "does not have it",
               "shut the instance down and start it"):
    assert part in text
  assert ("StopInstance", ) not in world.calls and world.running


def test_a_qemu_that_does_not_tell_is_taken_at_its_word(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8, machine_version="pc")
  before = hyper._ReadKVMRuntime(instance.name)
  plain = harness.FakeQmp.run

  def run(self, command, arguments=None):
    if arguments == {"path": "/machine", "property": "type"}:
      raise errors.HypervisorError(
        "kvm: error executing the qom-get command: Property 'x.type' not found"
        " (GenericError):")
    return plain(self, command, arguments)

  monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, run)
  assert command_of(hyper.MigrationInfo(instance)) == command_of(before)


def test_who_cleans_up_gets_what_is_there(world, monkeypatch):
  hyper, instance = start(world, kvm_pci_reservations=8, machine_version="pc")
  before = hyper._ReadKVMRuntime(instance.name)
  answering(monkeypatch, {"query-migrate": {"status": "active"}})
  assert hyper.MigrationInfo(instance) == before
