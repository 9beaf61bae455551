"""A guest that moves: what its node tells, and what the other one checks."""

import errno
import json
import os
import re

import pytest

from ganeti import constants
from ganeti import errors
from ganeti import utils
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import incoming
from ganeti_kvm_pci import process
from ganeti_kvm_pci import sent_devices
from ganeti_kvm_pci import versions
from ganeti_kvm_pci.qemu import ids
from ganeti_kvm_pci.runtime import serialized

import harness
from test_plugin import start
from test_old_runtime_files import options

UNMODIFIED = hv_kvm.KVMHypervisor
KNOWS_Q35 = versions.knows_q35(UNMODIFIED)

#: What QEMU does not know, and the plugin removes.
MARK = "--ganeti-kvm-pci: "

ON_Q35 = pytest.mark.skipif(harness.SLOT_IN_PCI,
                            reason="this Ganeti keeps no ports")
TARGET = "192.0.2.1"


def text_of(caught):
  print(caught.value)
  return str(caught.value)


def accept(world, cls, instance, info):
  """Start the target of a migration; gives the command of its QEMU."""
  world.running = False
  hyper = world.hypervisor(cls)
  hyper.AcceptInstance(instance, info, TARGET)
  return hyper, [str(word) for word in world.commands()[-1]]


@pytest.fixture
def moving(world):
  """Provide an instance that is about to move, and what its node tells."""
  hyper, instance = start(world, kvm_pci_reservations=8,
                          kvm_extra="-device virtio-rng-pci,id=rng0")
  return hyper, instance, hyper.MigrationInfo(instance)


def cannot_write(*_args, **_):
  raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def assert_names_both(caught):
  text = text_of(caught)
  assert "Instance vm1.example.com: " in text and "Read-only file system" in text


@pytest.mark.parametrize("owner, name", [(utils, "RemoveFile"),
                                         (UNMODIFIED, "AcceptInstance")])
def test_a_target_that_cannot_write_is_told(world, moving, monkeypatch, owner,
                                            name):
  """Ganeti lets these errors through, which do not name the instance."""
  _, instance, info = moving

  monkeypatch.setattr(owner, name, cannot_write)
  with pytest.raises(errors.HypervisorError) as caught:
    accept(world, hypervisor_of(world), instance, info)
  assert_names_both(caught)


@pytest.mark.parametrize("success", [False, True])
@pytest.mark.parametrize("name", ["FinalizeMigrationDst",
                                  "FinalizeMigrationSource"])
def test_an_end_that_cannot_write_is_told(world, moving, monkeypatch, name,
                                          success):
  """Such as that of a pid, which Ganeti removes once QEMU has ended."""
  _, instance, info = moving

  monkeypatch.setattr(UNMODIFIED, name, cannot_write)
  hyper = world.hypervisor()
  more = [info, success] if name.endswith("Dst") else [success, True]
  world.running = name.endswith("Source")
  with pytest.raises(errors.HypervisorError) as caught:
    getattr(hyper, name)(instance, *more)
  assert_names_both(caught)


def test_unmodified_ganeti_reads_the_first_four_entries(world, moving):
  hyper, instance, info = moving
  loaded = json.loads(info)
  assert len(loaded) == 5
  found = accept(world, UNMODIFIED, instance, info)[1]
  assert options(found) == options(accept(
    world, UNMODIFIED, instance, json.dumps(loaded[:4]))[1])
  # it is written down as it came, and can be read by all
  unmodified = world.hypervisor(UNMODIFIED)
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    stream.write(info)
  known = serialized.parse(info, "test")
  assert known.unknown == [] and len(json.loads(known.dump())) == 4
  assert world.slots(unmodified, instance) == world.slots(hyper, instance) == (
    [8, 9], [24, 25])


def test_a_disk_ejected_at_any_moment_refuses_no_migration(
    world, moving, monkeypatch):
  hyper, instance, _ = moving
  text = hyper._ReadKVMRuntime(instance.name)
  slot, name = 9, world.bus[9]
  genuine = harness.FakeQmp.run
  found = []
  for moment in range(200):
    asked = []

    def run(self, command, arguments=None):
      asked.append(command)
      if len(asked) > moment:
        world.unplug(name)
      if command == "qom-list" and arguments["path"].endswith("/" + name) and \
          name not in world.bus.values():
        raise errors.HypervisorError(
          "kvm: error executing the qom-list command: Device '%s' not found"
          " (DeviceNotFound):" % arguments["path"])
      return genuine(self, command, arguments)
    monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, run)
    hyper._WriteKVMRuntime(instance.name, text)
    world.bus[slot] = name
    found.append(len(json.loads(hyper.MigrationInfo(instance))[3]))
    if moment > len(asked):
      break
  assert moment < 199 and set(found) == set([1, 2])
  assert found[0] == 1 and found[-1] == 2


def test_the_same_devices_are_accepted_and_the_report_is_dropped(world, moving):
  _, instance, info = moving
  hyper = accept(world, hypervisor_of(world), instance, info)[0]
  written = []
  hyper._WriteKVMRuntime = lambda _, text: written.append(text)
  hyper.FinalizeMigrationDst(instance, info, True)
  assert [json.loads(text) for text in written] == [json.loads(info)[:4]]


def test_before_it_is_sent_qemu_is_looked_at_once(world, moving):
  """Before and after the look its devices are the same."""
  hyper, instance, _ = moving
  before = len(world.calls)
  hyper.MigrateInstance("cluster", instance, "127.0.0.1", True)
  asked = [call[0] for call in world.calls[before:]]
  assert asked.count("query-pci") == 2


@pytest.mark.skipif(str is bytes, reason="with Python 2, the order of keys is"
                                         " another each time")
def test_a_runtime_file_is_not_written_anew_as_it_is(moving, monkeypatch):
  """That waits for the disk."""
  hyper, instance, _ = moving
  path = hyper._InstanceKVMRuntime(instance.name)
  written = []
  write = hv_kvm.KVMHypervisor._WriteKVMRuntime
  monkeypatch.setattr(hv_kvm.KVMHypervisor, "_WriteKVMRuntime",
                      lambda *args: written.append(args[1]) or write(*args))
  hyper.MigrationInfo(instance)
  assert written == []
  # in another form it is
  with open(path) as stream:
    text = stream.read()
  with open(path, "w") as stream:
    stream.write(text.replace("[", "[ ", 1))
  hyper.MigrationInfo(instance)
  assert written == [instance.name]
  with open(path) as stream:
    assert stream.read() == text


def test_outside_of_hotplug_no_error_is_one_of_hotplug(world, moving):
  hyper, instance, info = moving
  world.monitor = False
  for operation, args in (
      (hyper.MigrationInfo, (instance, )),
      (hyper.MigrateInstance, ("cluster", instance, "127.0.0.1", True)),
      (accept, (world, hypervisor_of(world), instance, info))):
    with pytest.raises(errors.HypervisorError) as caught:
      operation(*args)
    assert not isinstance(caught.value, errors.HotplugError), operation


def hypervisor_of(_):
  from ganeti_kvm_pci import hypervisor
  return hypervisor.KVMHypervisor


def refusal(world, instance, info, spoil):
  """Have the target's QEMU be another; return why it is refused."""
  plain = world.boot

  def boot(command):
    plain(command)
    spoil(world)

  world.boot = boot
  with pytest.raises(errors.HypervisorError) as caught:
    accept(world, hypervisor_of(world), instance, info)
  assert ("StopInstance", ) in world.calls and not world.running
  return text_of(caught)


@pytest.mark.parametrize("name, spoil, parts", [
  ("one too many", lambda world: world.unnamed.append(("virtio-rng-pci", 14)) or
   world.bus.update({14: ""}), ["slot 14: nothing on the source",
                                "virtio-rng-pci on the target"]),
  ("one too few", lambda world: world.bus.pop(8), [
    "slot 8", "nothing on the target"]),
  ("exchanged", lambda world: world.bus.update({8: world.bus[9],
                                                9: world.bus[8]}),
   ["slot 8", "slot 9", "on the source", "on the target"]),
  ("moved", lambda world: world.bus.update({20: world.bus.pop(24)}),
   ["slot 24", "slot 20"]),
  ])
def test_a_target_with_other_devices_is_refused_and_ended(world, moving, name,
                                                          spoil, parts):
  _, instance, info = moving
  text = refusal(world, instance, info, spoil)
  for part in ["vm1.example.com", "is not migrated"] + parts:
    assert part in text, name


def test_a_target_that_is_ended_has_a_runtime_file(world, moving, monkeypatch):
  """Ganeti's master reads it to end a QEMU; nothing is left afterwards."""
  _, instance, info = moving
  cls = hypervisor_of(world)
  target = world.hypervisor(cls)
  seen = []

  def stop(self, instance, **_):
    self._LoadKVMRuntime(instance)
    seen.append(instance.name)
    world.running = False

  monkeypatch.setattr(type(target), "StopInstance", stop)
  path = target._InstanceKVMRuntime(instance.name)
  plain = world.boot

  def boot(command):
    plain(command)
    world.bus.pop(8)

  world.boot = boot
  os.unlink(path)
  world.running = False
  with pytest.raises(errors.HypervisorError):
    target.AcceptInstance(instance, info, TARGET)
  assert len(seen) == 1 and not os.path.exists(path)
  # here all of an instance's files have one folder, and Ganeti removes that of
  # its NICs
  if not os.path.exists(os.path.dirname(path)):
    os.mkdir(os.path.dirname(path))
  target.FinalizeMigrationDst(instance, info, False)
  assert len(seen) == 2 and not os.path.exists(path)


def test_without_a_source_report_the_runtime_file_is_compared(world, moving):
  _, instance, info = moving
  loaded = json.loads(info)[:4]
  accept(world, hypervisor_of(world), instance, json.dumps(loaded))
  plain = world.boot

  def boot(command):
    plain(command)
    world.bus[20] = "hand"

  world.boot = boot
  with pytest.raises(errors.HypervisorError) as caught:
    accept(world, hypervisor_of(world), instance, json.dumps(loaded))
  assert "missing from the runtime file" in text_of(caught)


def test_a_report_relayed_by_an_unmodified_node_is_ignored(world, moving):
  hyper, instance, info = moving
  loaded = json.loads(info)
  # since then, unmodified Ganeti has removed a device
  del loaded[3][1]
  instance.primary_node = "node2"
  assert accept(world, hypervisor_of(world), instance, json.dumps(loaded))
  instance.primary_node = "node1"
  with pytest.raises(errors.HypervisorError):
    accept(world, hypervisor_of(world), instance, json.dumps(loaded))


def test_with_a_later_release_the_runtime_file_is_compared(world, moving,
                                                           caplog):
  _, instance, info = moving
  loaded = json.loads(info)
  told = loaded[4]["ganeti-kvm-pci"]
  told.update(version=told["version"] + 1, devices={"in": "another way"})
  caplog.set_level("INFO")
  assert accept(world, hypervisor_of(world), instance, json.dumps(loaded))
  assert "compared with the runtime file alone" in caplog.text
  plain = world.boot

  def boot(command):
    plain(command)
    world.bus[20] = "hand"

  world.boot = boot
  with pytest.raises(errors.HypervisorError) as caught:
    accept(world, hypervisor_of(world), instance, json.dumps(loaded))
  assert "missing from the runtime file" in text_of(caught)


@pytest.mark.parametrize("told", [
  3, {}, {"source": "node1", "version": 1},
  {"source": "node1", "version": 1, "devices": [{"bus": "pci.0"}]},
  {"node": "node1"}, {"node": "node1", "machine": [["pci.0"]]},
  {"node": "node1", "machine": [["pci.0", [8, 0], 3, None, None, None, None,
                                 None]]},
  {"node": "node1", "machine": [[None, [8], None, None, None, None, None,
                                 None]]},
  {"node": "node1", "machine": [["pci.0", [8], None, "x", None, None, None,
                                 None]]}])
def test_an_invalid_source_report_is_one_clear_error(world, moving, told):
  _, instance, info = moving
  loaded = json.loads(info)[:4] + [{"ganeti-kvm-pci": told}]
  if told == {}: # nobody said it
    accept(world, hypervisor_of(world), instance, json.dumps(loaded))
    return
  with pytest.raises(errors.HypervisorError) as caught:
    accept(world, hypervisor_of(world), instance, json.dumps(loaded))
  assert "what the source node tells" in text_of(caught)
  assert not world.running


def test_a_device_added_by_hand_refuses_the_migration(world, moving):
  hyper, instance, _ = moving
  world.bus[20] = "hand"
  for what in (lambda: hyper.MigrationInfo(instance),
               lambda: hyper.MigrateInstance("c", instance, TARGET, True)):
    with pytest.raises(errors.HypervisorError) as caught:
      what()
    text = text_of(caught)
    for part in ("vm1.example.com", "goes on where it is", "slot 20",
                 "(id hand)", "device_del hand", "kvm_extra"):
      assert part in text
  assert world.running


def test_a_device_without_id_added_by_hand_is_reported(world, moving):
  hyper, instance, _ = moving
  world.bus[20] = ""
  world.unnamed.append(("virtio-rng-pci", 20))
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.MigrationInfo(instance)
  text = text_of(caught)
  assert "slot 20: virtio-rng-pci" in text and "no id" in text


def test_exchanged_disks_in_the_runtime_file_are_refused(world, moving):
  hyper, instance, _ = moving
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  first, second = [entry[0] for entry in loaded[3]]
  key = "pci" if harness.SLOT_IN_PCI else "hvinfo"
  if harness.SLOT_IN_PCI:
    first[key], second[key] = second[key], first[key]
  else:
    first[key]["addr"], second[key]["addr"] = (second[key]["addr"],
                                               first[key]["addr"])
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(loaded, stream)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.MigrationInfo(instance)
  text = text_of(caught)
  assert "slot 9 in the runtime file, slot 8 in QEMU" in text
  assert "slot 8 in the runtime file, slot 9 in QEMU" in text


LINK = "/var/run/ganeti/instance-disks/vm1.example.com:%d"


@pytest.fixture
def linked(world):
  """Provide an instance whose first disk was removed by hotplug."""
  world.running = False
  world.boots = True
  hyper, instance = world.hypervisor(), harness.instance_of(0)
  hyper.StartInstance(instance, [(harness.disk(n), LINK % n, None)
                                 for n in (1, 2)], False)
  instance.disks = [harness.UUID % (0xd0 + n, n) for n in (1, 2)]
  return hyper, instance


def disks_of(info):
  return [entry[1] for entry in json.loads(info)[3]]


def test_disks_travel_under_the_names_that_the_target_gives_them(world, linked):
  hyper, instance = linked
  info = hyper.MigrationInfo(instance)
  assert disks_of(info) == [LINK % 0, LINK % 1]
  # here, the links are still the old ones
  assert disks_of(hyper._ReadKVMRuntime(instance.name)) == [LINK % 1, LINK % 2]
  command = accept(world, UNMODIFIED, instance, info)[1]
  assert [n for n in range(3) if any(LINK % n in word for word in command)] == [
    0, 1]


def test_links_from_an_unmodified_node_are_put_right(world, linked):
  hyper, instance = linked
  info = hyper._ReadKVMRuntime(instance.name)
  target, command = accept(world, hypervisor_of(world), instance, info)
  assert [n for n in range(3) if any(LINK % n in word for word in command)] == [
    0, 1]
  target.FinalizeMigrationDst(instance, info, True)
  assert disks_of(hyper._ReadKVMRuntime(instance.name)) == [LINK % 0, LINK % 1]


def test_up_to_2_11_disks_are_objects(linked):
  hyper, instance = linked
  instance.disks = [harness.disk(2), harness.disk(1)]
  assert disks_of(hyper.MigrationInfo(instance)) == [LINK % 1, LINK % 0]


def test_a_disk_missing_from_the_configuration_is_refused(world, linked):
  hyper, instance = linked
  info = hyper._ReadKVMRuntime(instance.name)
  (uuid, instance.disks) = (instance.disks[0], instance.disks[1:])
  for what in (lambda: hyper.MigrationInfo(instance),
               lambda: accept(world, hypervisor_of(world), instance, info)):
    with pytest.raises(errors.HypervisorError) as caught:
      what()
    text = text_of(caught)
    for part in ("vm1.example.com", "is not migrated", "disk %s" % uuid):
      assert part in text
  # once the guest is there, nothing is refused any more
  hyper.FinalizeMigrationDst(instance, info, True)


def test_the_return_path_is_set_where_qemu_has_it(world, moving, monkeypatch):
  hyper, instance, _ = moving
  calls = world.calls
  monkeypatch.setattr(UNMODIFIED, "MigrateInstance", lambda *_: None)
  hyper.MigrateInstance("cluster", instance, TARGET, True)
  sent = [call[1] for call in calls if call[0] == "migrate-set-capabilities"]
  assert sent[:1] == [{"capabilities": [{"capability": "return-path",
                                         "state": True}]}]


def answering(monkeypatch, answers):
  """Have QEMU give other answers."""
  plain = harness.FakeQmp.run

  def run(self, command, arguments=None):
    if command in answers:
      return answers[command]
    return plain(self, command, arguments)

  monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, run)


def test_cleaning_up_is_not_refused_and_changes_nothing(world, moving,
                                                        monkeypatch):
  hyper, instance, _ = moving
  world.bus[20] = "hand"
  before = hyper._ReadKVMRuntime(instance.name)
  answering(monkeypatch, {"query-migrate": {"status": "active"}})
  assert hyper.MigrationInfo(instance) == before
  assert hyper._ReadKVMRuntime(instance.name) == before
  with pytest.raises(errors.HypervisorError):
    hyper.MigrateInstance("c", instance, TARGET, True)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_the_status_of_an_earlier_migration_is_ignored(world, moving,
                                                       monkeypatch, status):
  # a QEMU to which a guest moved says so for the rest of its life
  hyper, instance, _ = moving
  answering(monkeypatch, {"query-migrate": {"status": status}})
  assert hyper.MigrationInfo(instance)
  world.bus[20] = "hand"
  with pytest.raises(errors.HypervisorError):
    hyper.MigrationInfo(instance)


def test_a_guest_that_moved_is_not_called_back(moving, monkeypatch):
  """Ganeti would end the guest that runs, and go on with what it left."""
  hyper, instance, _ = moving
  answering(monkeypatch, {"query-status": {"status": "postmigrate"}})
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.MigrationInfo(instance)
  text = text_of(caught)
  assert "completed" in text and "--cleanup" in text


def test_a_guest_that_moved_is_not_resumed(moving, monkeypatch):
  """Its job lost this node's daemon, and takes the migration for failed."""
  hyper, instance, _ = moving
  resumed = []
  monkeypatch.setattr(UNMODIFIED, "FinalizeMigrationSource",
                      lambda *_: resumed.append(True))
  answering(monkeypatch, {"query-status": {"status": "postmigrate"}})
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.FinalizeMigrationSource(instance, False, True)
  text = text_of(caught)
  assert "vm1.example.com is not resumed" in text and "--cleanup" in text
  assert not resumed
  answering(monkeypatch, {"query-status": {"status": "paused"}})
  hyper.FinalizeMigrationSource(instance, False, True)
  assert len(resumed) == 1


#: What QEMU says of either side while each has a part of the guest.
POSTCOPY = [("postcopy-active", "wait until"),
            ("postcopy-paused", "migrate_recover tcp:ADDRESS:8102"),
            ("postcopy-recover", "wait until"),
            ("postcopy-recover-setup", "wait until")]


@pytest.mark.parametrize("status, remedy", POSTCOPY)
def test_a_guest_in_postcopy_is_not_taken_back(moving, monkeypatch, status,
                                               remedy):
  """A cleanup would end the half that runs, and has nothing to resume."""
  hyper, instance, _ = moving
  resumed = []
  monkeypatch.setattr(UNMODIFIED, "FinalizeMigrationSource",
                      lambda *_: resumed.append(True))
  answering(monkeypatch, {"query-status": {"status": "finish-migrate"},
                          "query-migrate": {"status": status}})
  for call, words in (
      (lambda: hyper.MigrationInfo(instance), "is not migrated"),
      (lambda: hyper.FinalizeMigrationSource(instance, False, True),
       "is not resumed on this node")):
    with pytest.raises(errors.HypervisorError) as caught:
      call()
    text = text_of(caught)
    assert "vm1.example.com " + words in text
    assert remedy in text and "--cleanup vm1.example.com" in text
    assert "goes on" not in text
  assert not resumed


@pytest.mark.skipif(not hasattr(hv_kvm.QmpConnection, "GetMigrationStatus"),
                    reason="Ganeti asks by the human monitor")
def test_a_connection_that_broke_in_postcopy_is_told(moving, monkeypatch):
  """The job fails with what is to be done, and not for a failure of QEMU's."""
  hyper, instance, _ = moving
  monkeypatch.setattr(harness.FakeQmp, "GetMigrationStatus",
                      lambda _: {"status": "postcopy-paused"}, raising=False)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.GetMigrationStatus(instance)
  text = text_of(caught)
  for words in ("vm1.example.com", "broke after postcopy had begun",
                "migrate -d -r tcp:ADDRESS:8102", "end neither QEMU",
                "end what is left of both (kill -9), shut the instance down"):
    assert words in text


@pytest.mark.skipif(not hasattr(hv_kvm.QmpConnection, "GetMigrationStatus"),
                    reason="Ganeti asks by the human monitor")
@pytest.mark.parametrize("said", [
  OSError(errno.ENOENT, "No such file or directory"),
  errors.HypervisorError("Can't connect to qmp socket")])
def test_a_guest_that_has_shut_down_on_the_way_is_told(moving, monkeypatch,
                                                       said):
  """The second is what 3.0 says, the first what is left of it in 3.1."""
  hyper, instance, _ = moving

  def query(_):
    raise said

  monkeypatch.setattr(harness.FakeQmp, "GetMigrationStatus", query,
                      raising=False)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.GetMigrationStatus(instance)
  text = text_of(caught)
  path = hyper._InstanceQmpMonitor(instance.name)
  assert ("Instance vm1.example.com: QEMU's monitor %s does not answer"
          " query-migrate: " % path) in text
  assert "directory" in text or "connect" in text


@pytest.mark.parametrize("status, remedy", POSTCOPY)
@pytest.mark.parametrize("waits", [True, False])
def test_a_guest_that_arrives_by_postcopy_is_not_ended(
    world, moving, monkeypatch, status, remedy, waits):
  """It runs here alone, whoever has asked the source."""
  _, instance, info = moving
  hyper = accept(world, hypervisor_of(world), instance, info)[0]
  path = hyper._InstanceKVMRuntime(instance.name)
  if not waits:
    hyper.ListInstances()
  assert os.path.exists(hyper._Waiting(instance.name)) is waits
  ended = []
  monkeypatch.setattr(UNMODIFIED, "FinalizeMigrationDst",
                      lambda *_: ended.append(True))
  monkeypatch.setattr(hyper, "CleanupInstance", lambda _: None)
  answering(monkeypatch, {"query-status": {"status": "running"},
                          "query-migrate": {"status": status}})
  for _ in range(2):
    with pytest.raises(errors.HypervisorError) as caught:
      hyper.FinalizeMigrationDst(instance, info, False)
    text = text_of(caught)
    assert "vm1.example.com is not ended" in text and remedy in text
    assert "goes on" not in text
    assert not ended and os.path.exists(path)
  # all of it is here, or nothing of it
  answering(monkeypatch, {"query-status": {"status": "running"},
                          "query-migrate": {"status": "completed"}})
  hyper.FinalizeMigrationDst(instance, info, False)
  assert len(ended) == 1


@pytest.mark.parametrize("fetches", [True, False])
def test_a_target_that_does_not_answer(world, moving, monkeypatch, fetches):
  """One that waits for memory has the guest; any other cannot be asked."""
  _, instance, info = moving
  hyper = accept(world, hypervisor_of(world), instance, info)[0]
  ended = []
  monkeypatch.setattr(UNMODIFIED, "FinalizeMigrationDst",
                      lambda *_: ended.append(True))
  monkeypatch.setattr(hyper, "CleanupInstance", lambda _: None)
  monkeypatch.setattr(process, "fetches_memory", lambda pid: fetches)

  def run(self, command, arguments=None):
    raise errors.HypervisorError("timed out")

  monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, run)
  if not fetches:
    hyper.FinalizeMigrationDst(instance, info, False)
    assert len(ended) == 1
    return
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.FinalizeMigrationDst(instance, info, False)
  text = text_of(caught)
  assert "does not answer" in text
  # a cleanup fails where neither QEMU is left
  assert re.search(r"\(kill -9 \d+\) and the source's, shut the instance down and"
                   " start it", text)
  assert not ended and os.path.exists(hyper._Waiting(instance.name))


@pytest.mark.skipif(not hasattr(hv_kvm.QmpConnection, "GetMigrationStatus"),
                    reason="Ganeti asks by the human monitor")
@pytest.mark.parametrize("told, status", [
  ("device", "active"), ("postcopy-device", "active"), ("active", "active"),
  ("completed", "completed"),
  ("postcopy-active", "postcopy-active"), ("postcopy-recover", "active"),
  ("postcopy-recover-setup", "active"),
  ("failed", "failed"), ("no such status", "failed")])
def test_a_target_that_is_taking_over_is_waited_for(moving, monkeypatch, told,
                                                    status):
  """QEMU 10.0 has a word for it that Ganeti takes for a failure."""
  hyper, instance, _ = moving
  monkeypatch.setattr(UNMODIFIED, "_MIGRATION_INFO_RETRY_DELAY", 0)
  monkeypatch.setattr(harness.FakeQmp, "GetMigrationStatus",
                      lambda _: {"status": told}, raising=False)
  assert hyper.GetMigrationStatus(instance).status == status


def test_a_guest_that_has_arrived_is_not_ended(world, moving, monkeypatch):
  """Its job lost the source; a cleanup, which has asked that, may end it."""
  _, instance, info = moving
  hyper = accept(world, hypervisor_of(world), instance, info)[0]
  path = hyper._InstanceKVMRuntime(instance.name)
  ended = []
  monkeypatch.setattr(UNMODIFIED, "FinalizeMigrationDst",
                      lambda *_: ended.append(True))
  # Ganeti removes its NICs' folder, which is here that of all
  monkeypatch.setattr(hyper, "CleanupInstance", lambda _: None)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.FinalizeMigrationDst(instance, info, False)
  text = text_of(caught)
  assert "vm1.example.com is not ended" in text and "--cleanup" in text
  assert not ended and os.path.exists(path)
  hyper.FinalizeMigrationDst(instance, info, False)
  assert len(ended) == 1


def test_a_guest_that_has_not_arrived_is_ended(world, moving, monkeypatch):
  _, instance, info = moving
  hyper = accept(world, hypervisor_of(world), instance, info)[0]
  answering(monkeypatch, {"query-status": {"status": "inmigrate"}})
  ended = []
  monkeypatch.setattr(UNMODIFIED, "FinalizeMigrationDst",
                      lambda *_: ended.append(True))
  # Ganeti removes its NICs' folder, which is here that of all
  monkeypatch.setattr(hyper, "CleanupInstance", lambda _: None)
  hyper.FinalizeMigrationDst(instance, info, False)
  assert len(ended) == 1


def test_a_bus_without_pools_is_left_to_unmodified_ganeti(world):
  hyper, instance = start(
    world, 0, 0, machine_version="q35",
    kvm_extra="-device pci-bridge,id=pci.0,chassis_nr=1"
    " -device virtio-rng-pci,addr=0x8")
  world.bus = {}
  world.running_type = "pc-q35-7.2"
  before = hyper._ReadKVMRuntime(instance.name)
  info = hyper.MigrationInfo(instance)
  loaded = json.loads(info)
  # but for the version of its machine type
  assert "pc-q35-7.2" in loaded[0]
  loaded[0] = harness.as_named(loaded[0])
  assert loaded == json.loads(before)
  accept(world, hypervisor_of(world), instance, info)


def test_an_accepted_guest_has_a_runtime_file_that_waits_at_once(world, moving):
  """One of a QEMU that was killed here before is not taken for it."""
  old, instance, info = moving
  path = old._InstanceKVMRuntime(instance.name)
  assert os.path.exists(path) # here both nodes have one folder
  hyper = accept(world, hypervisor_of(world), instance, info)[0]
  with open(hyper._Waiting(instance.name)) as stream:
    kept = json.load(stream)
  loaded = json.loads(info)[:4]
  kept[0], loaded[0] = [harness.as_named(words)
                        for words in (kept[0], loaded[0])]
  assert kept[:4] == loaded
  assert not os.path.exists(path)


@pytest.mark.parametrize("fails", [False, True])
def test_the_return_path_is_taken_back(world, moving, monkeypatch, fails):
  """Also where QEMU does not have what migration_caps names."""
  hyper, instance, _ = moving
  noted = sent_devices.path_for(hyper._InstanceKVMRuntime(instance.name))
  open(noted, "w").close()

  def finalize(*_):
    if fails:
      raise errors.HypervisorError("no such capability")

  monkeypatch.setattr(UNMODIFIED, "FinalizeMigrationSource", finalize)
  if fails:
    with pytest.raises(errors.HypervisorError) as caught:
      hyper.FinalizeMigrationSource(instance, False, True)
    assert "no such capability" in text_of(caught)
  else:
    hyper.FinalizeMigrationSource(instance, False, True)
  assert not os.path.exists(noted)
  sent = [call[1] for call in world.calls
          if call[0] == "migrate-set-capabilities"]
  assert sent == [{"capabilities": [{"capability": "return-path",
                                     "state": False}]}]


def test_what_would_be_placed_elsewhere_gets_its_address(world):
  hyper, instance = start(
    world, kvm_pci_reservations=8,
    kvm_extra="-device virtio-rng-pci -device virtio-rng-pci,id=rng1")
  # a device by hand was there when QEMU placed them, and is no more
  held = dict((name, slot) for slot, name in world.bus.items())
  world.bus[6] = world.bus.pop(held["rng1"])
  info = hyper.MigrationInfo(instance)
  assert "virtio-rng-pci,id=rng1,bus=pci.0,addr=0x6" in json.loads(info)[0]
  accept(world, hypervisor_of(world), instance, info)


def without(info, *names):
  """What a release tells that does not know some fields."""
  loaded = json.loads(info)
  ((key, told), ) = loaded[4].items()
  for values in [told] + told["devices"]:
    for name in names:
      values.pop(name, None)
  loaded[4] = {key: told}
  return json.dumps(loaded)


def test_a_target_with_another_number_of_vcpus_is_refused(world, moving):
  _, instance, info = moving
  text = refusal(world, instance, info,
                 lambda world: setattr(world, "vcpus", 4))
  for words in ("vm1.example.com", "is not migrated",
                "vCPUs: 1 on the source, 4 on the target", "device_del",
                "shut the instance down"):
    assert words in text


@pytest.mark.parametrize("silent", ["release", "source", "target"])
def test_vcpus_that_one_side_does_not_tell_are_not_compared(
    world, moving, silent, monkeypatch):
  hyper, instance, info = moving
  plain = harness.FakeQmp.run

  def run(self, command, arguments=None):
    if command.startswith("query-") and command.split("-")[-1] in ("fast",
                                                                   "cpus"):
      raise errors.HypervisorError(
        "kvm: error executing the %s command: The command %s has not been"
        " found (CommandNotFound):" % (command, command))
    return plain(self, command, arguments)

  if silent == "release":
    info = without(info, "vcpus")
  else:
    monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, run)
    if silent == "source":
      info = hyper.MigrationInfo(instance)
      monkeypatch.setattr(harness.FakeQmp, harness.EXECUTE, plain)
  # there, a wrapper gives more
  world.vcpus = 4
  monkeypatch.setattr(process, "command", lambda _: [
    str(word) for word in world.commands()[-1]] + ["-smp", "4"])
  accept(world, hypervisor_of(world), instance, info)


def hot_add_vcpus(world):
  """Have a vCPU with an id, and one without."""
  world.elsewhere.append("cpu1")
  world.drivers["cpu1"] = "qemu64-x86_64-cpu"
  world.unnamed.append(("qemu64-x86_64-cpu", None))
  world.vcpus = 3


def test_a_hot_added_vcpu_is_no_stranger(world):
  hyper, instance = start(world, kvm_extra="-smp 1,maxcpus=3")
  hot_add_vcpus(world)
  for operation in (hyper.MigrationInfo, lambda instance: hyper.MigrateInstance(
      "cluster", instance, TARGET, True)):
    with pytest.raises(errors.HypervisorError) as caught:
      operation(instance)
    assert "vCPUs: 1 in the runtime file, 3 in QEMU" in text_of(caught)
    assert "missing from the runtime file" not in text_of(caught)
  # who hot-adds them has written them down
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  loaded[0] += ["-device", "qemu64-x86_64-cpu,id=cpu1,core-id=1", "-device",
                "qemu64-x86_64-cpu,core-id=2"]
  hyper._WriteKVMRuntime(instance.name, json.dumps(loaded))
  info = hyper.MigrationInfo(instance)
  assert not [part for part in json.loads(info)[4]["ganeti-kvm-pci"]["devices"]
              if "cpu" in (part["driver"] or "")]
  hyper.MigrateInstance("cluster", instance, TARGET, True)
  text = refusal(world, instance, info,
                 lambda world: setattr(world, "vcpus", 1))
  assert "vCPUs: 3 on the source, 1 on the target" in text
  world.boot = lambda command: harness.World.boot(world, command)
  world.vcpus = 3
  accept(world, hypervisor_of(world), instance, info)


@pytest.mark.parametrize("changes, words", [
  ({"num-queues": 4, "vectors": 5}, ["queues: 1 on the source, 4 on the target",
                                     "vectors: 2 on the source, 5 on"]),
  ({"vectors": 5}, ["vectors: 2 on the source, 5 on the target"])])
def test_a_target_with_other_queues_is_refused(world, moving, changes, words):
  hyper, instance, _ = moving
  name = world.bus[9]
  assert ids.is_ours(name)
  before = {"num-queues": 1, "vectors": 2}
  for disk in (world.bus[8], name):
    world.settings[disk] = before
  info = hyper.MigrationInfo(instance)
  text = refusal(world, instance, info, lambda world: world.settings.update(
    {name: dict(before, **changes)}))
  for part in words + ["vm1.example.com", "slot 9", name,
                       "shut the instance down"]:
    assert part in text
  # what an older release of the plugin does not tell is not compared
  accept(world, hypervisor_of(world), instance, without(
    info, "queues", "mq", "vectors", "acpi_index", "vcpus"))


@pytest.fixture
def complete(world):
  """Provide what a real QEMU tells beside the devices."""
  world.boards = [{
    "cpu": "Haswell-x86_64-cpu", "memory": {"size": 1 << 27, "slots": 2},
    "unattached": ["hpet", "isa-serial", "isa-serial", "rtc"],
    "blocks": {"pc.ram": (1 << 27, 1 << 27), "pc.bios": (1 << 18, 1 << 18),
               "0000:00:09.0/virtio-blk-pci.rom": (1 << 18, 1 << 18),
               "/rom@etc/table-loader": (4096, 65536)}}]
  set_board(world)
  return world


def set_board(world, **changes):
  for name, value in dict(world.boards[0], **changes).items():
    setattr(world, name, value)


def with_block(world, name, *sizes):
  blocks = dict(world.blocks)
  blocks.pop(name, None)
  if sizes:
    blocks[name] = sizes
  world.blocks = blocks


@pytest.mark.parametrize("spoil, words", [
  (lambda world: with_block(world, "pc.bios", 1 << 17, 1 << 17),
   ["RAM block pc.bios (firmware): 262144 bytes on the source, 131072 bytes on"
    " the target", "seabios"]),
  (lambda world: with_block(world, "0000:00:09.0/virtio-blk-pci.rom"),
   ["slot 9, ", "option ROM): 262144 bytes on the source, missing on the"
    " target", "ipxe-qemu"]),
  (lambda world: with_block(world, "/rom@etc/table-loader", 1024, 2048),
   ["table for the firmware", "which can have 2048", "not older"]),
  (lambda world: set_board(world, cpu="qemu64-x86_64-cpu"),
   ["CPU model: Haswell on the source, qemu64 on the target"]),
  (lambda world: set_board(world, memory={"size": 1 << 27}),
   ["memory slots: 2 on the source, 0 on the target"]),
  (lambda world: set_board(world, unattached=["isa-serial", "rtc", "hpet"]),
   ["isa-serial: 2 on the source, 1 on the target"])])
def test_a_target_with_another_board_is_refused(complete, moving, spoil, words):
  hyper, instance, _ = moving
  info = hyper.MigrationInfo(instance)
  text = refusal(complete, instance, info, spoil)
  for part in words + ["vm1.example.com", "is not migrated",
                       "shut the instance down and start it",
                       "gnt-instance failover"]:
    assert part in text
  assert " AND " not in text
  # what an older release of the plugin does not tell is not compared
  accept(complete, hypervisor_of(complete), instance, without(info, "board"))


@pytest.mark.parametrize("change", [
  lambda world: None,
  lambda world: with_block(world, "/rom@etc/table-loader", 4096, 4096),
  lambda world: with_block(world, "more", 4096, 4096),
  lambda world: set_board(world, unattached=["hpet"] * 2 + ["isa-serial"] * 3),
  # QEMU before 7.1, and one that has no such command
  lambda world: set_board(world, memory=None, blocks={})])
def test_what_qemu_takes_of_another_board_goes(complete, moving, change):
  hyper, instance, _ = moving
  info = hyper.MigrationInfo(instance)
  loaded = json.loads(info)
  told = loaded[4]["ganeti-kvm-pci"]["board"]
  assert sorted(told) == ["apic_id", "blocks", "cpu", "isa",
                          "memory_slots"]
  # a later release tells more
  told["colour"] = {"of": ["the", "case"]}
  change(complete)
  accept(complete, hypervisor_of(complete), instance, json.dumps(loaded))


@pytest.mark.skipif(not hasattr(constants, "HV_VIRTIO_DISK_IOTHREADS"),
                    reason="master with iothreads")
def test_a_guest_of_an_older_ganeti_gets_no_iothreads(world):
  """Nor queues, whatever the configuration says by now."""
  hyper, instance = start(world, disk_aio="native")
  loaded = json.loads(hyper._ReadKVMRuntime(instance.name))
  assert any("num-queues" in str(word) for word in world.commands()[-1])
  del loaded[2][constants.HV_VIRTIO_DISK_IOTHREADS]
  command = accept(world, hypervisor_of(world), instance,
                   json.dumps(loaded))[1]
  assert not [word for word in command
              if "num-queues" in word or "iothread" in word]


@pytest.fixture
def leaving(world):
  """Provide a q35 guest that is about to move, and what its node tells."""
  hyper, instance = start(world, machine_version="q35")
  return hyper, instance, hyper.MigrationInfo(instance)


def marks(info):
  """Return the words that QEMU does not know, with their positions."""
  return [(at, word) for at, word in enumerate(json.loads(info)[0])
          if str(word).startswith("--")]


def marked(text):
  return MARK.strip() in text


def files_of(world):
  """Read all files in which Ganeti or the plugin keep something."""
  found = []
  for folder, _, names in os.walk(str(world.folder)):
    for name in names:
      with open(os.path.join(folder, name)) as stream:
        found.append(stream.read())
  return found


def test_a_pc_guest_is_sent_as_it_is(moving):
  assert marks(moving[2]) == []


@ON_Q35
def test_a_q35_guest_is_sent_so_that_only_the_plugin_takes_it(world, leaving):
  """And as it is, where Ganeti knows q35."""
  hyper, instance, info = leaving
  path = hyper._InstanceKVMRuntime(instance.name)
  for text in (info, hyper.MigrationInfo(instance)):
    found = marks(text)
    if KNOWS_Q35:
      assert found == []
      continue
    ((at, word), ) = found
    assert at == 1 and word.startswith(MARK + "instance %s " % instance.name)
  assert not any(marked(text) for text in files_of(world))
  loaded = json.loads(info)
  loaded[0] = harness.as_named(
    [word for word in loaded[0] if not marked(str(word))])
  with open(path) as stream:
    assert json.load(stream) == loaded[:4]


@ON_Q35
@pytest.mark.skipif(KNOWS_Q35, reason="this Ganeti knows q35")
def test_a_node_without_the_plugin_refuses_a_q35_guest(world, leaving):
  hyper, instance, info = leaving
  path = hyper._InstanceKVMRuntime(instance.name)
  with open(path) as stream:
    before = json.load(stream)
  target = world.hypervisor(UNMODIFIED)
  for _ in range(2):
    world.running = False
    with pytest.raises(errors.HypervisorError) as caught:
      target.AcceptInstance(instance, info, TARGET)
    text = text_of(caught)
    for words in ("instance vm1.example.com is a q35 guest",
                  "cannot move to a node without ganeti-kvm-pci",
                  "ganeti-kvm-pci enable --restart", "migrate again"):
      assert text.count(words) == 1
    assert not world.running
    info = hyper.MigrationInfo(instance)
  with open(path) as stream:
    assert json.load(stream) == before


@ON_Q35
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("success", [True, False])
def test_the_plugin_takes_a_q35_guest_and_writes_no_such_option(
    world, leaving, monkeypatch, times, success):
  hyper, instance, info = leaving
  loaded = json.loads(info)
  if not KNOWS_Q35:
    loaded[0][1:1] = loaded[0][1:2] * (times - 1)
  info = json.dumps(loaded)
  assert len(marks(info)) == (0 if KNOWS_Q35 else times)
  written = []
  cls = hypervisor_of(world)
  write, waits = cls._WriteKVMRuntime, incoming.utils.WriteFile
  monkeypatch.setattr(cls, "_WriteKVMRuntime", lambda self, name, data: (
    written.append(data), write(self, name, data)))
  monkeypatch.setattr(incoming.utils, "WriteFile", lambda *args, **others: (
    written.append(others["data"]), waits(*args, **others)))
  path = hyper._InstanceKVMRuntime(instance.name)
  os.unlink(path)
  target, command = accept(world, cls, instance, info)
  assert not any(marked(word) for word in command)
  assert any("rp11" in text for text in written)
  del written[:]
  # here all of an instance's files have one folder, and Ganeti removes that of
  # its NICs
  monkeypatch.setattr(target, "CleanupInstance", lambda _: None)
  with monkeypatch.context() as waiting:
    if not success:
      answering(waiting, {"query-status": {"status": "inmigrate"}})
    target.FinalizeMigrationDst(instance, info, success)
  texts = [text if isinstance(text, str) else text.decode()
           for text in written] + files_of(world)
  assert any("rp11" in text for text in texts)
  assert not any(marked(text) for text in texts)
  # what a node wrote down that lost its plugin meanwhile is read without it
  target._WriteKVMRuntime(instance.name, json.dumps(json.loads(info)[:4]))
  assert not any(marked(str(word))
                 for word in target._LoadKVMRuntime(instance)[0])
  world.running = True
  assert len(marks(target.MigrationInfo(instance))) == (0 if KNOWS_Q35 else 1)
