"""Runtime files of older versions, read without the plugin and with it."""

import glob
import io
import json
import os

import pytest

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import hypervisor
from ganeti_kvm_pci import qemu_version
from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.qemu import option
from ganeti_kvm_pci.runtime import device_table

import harness
from test_plugin import start

UNMODIFIED = hv_kvm.KVMHypervisor
VERSION = (constants.VERSION_MAJOR, constants.VERSION_MINOR)
DATA = os.path.join(os.path.dirname(os.path.dirname(__file__)), "data")
EXTRA = harness.EXTRA


def version_of(name):
  version = name[1:].split("-")[0].split(".")
  return (3, 2) if name.startswith("master") else (int(version[0]),
                                                    int(version[1]))


def older_names():
  """List the genuine runtime files of this and older versions."""
  names = [os.path.basename(path)[:-len(".runtime")] for path in
           sorted(glob.glob(os.path.join(DATA, "*.runtime")))]
  found = [name for name in names if version_of(name) <= VERSION]
  if VERSION >= (3, 1):
    # it has no such disks any more
    found = [name for name in found if "hdaspicescsi" not in name]
  return found


def text_of(name):
  path = os.path.join(DATA, name + ".runtime")
  with io.open(path, encoding="utf-8") as stream:
    return stream.read()


def instance_of(known, **parameters):
  """Return the instance that a runtime file is of.

  Its disk_type is the file's: up to 2.10.2, a target took that from the
  configuration.

  """
  instance = harness.instance_of(disk_type=known.hvparams["disk_type"],
                                 **parameters)
  instance.name = known.instance
  return instance


def start_target(world, cls, text):
  """Start the target of a migration.

  @return: what QEMU is given

  """
  world.running = False
  world.boots = True
  instance = instance_of(device_table.parse(text, "test"))
  world.hypervisor(cls).AcceptInstance(instance, text, "192.0.2.1")
  return [str(word) for word in world.commands()[-1]]


def run_devices_of(world, known):
  """Let a QEMU run that has the devices of a runtime file."""
  world.running = True
  world.bus = {0: "", 1: "", 2: ""}
  world.bus.update((d.slot, d.id) for d in known.devices
                   if d.slot is not None)
  world.elsewhere = [d.id for d in known.devices if d.slot is None and d.id]


def is_beyond_unmodified(name):
  return VERSION >= (3, 1) and version_of(name) < (2, 10)


#: They move together with the devices.
_BACKENDS = frozenset(["-netdev", "-drive", "-blockdev", "-device"])


def options(words):
  """Take apart what QEMU is given.

  @return: set of C{-device} options as sets of keys, whether in words or JSON;
      the rest in its order

  """
  found, rest = [], []
  for flag, word in zip(words, words[1:]):
    if flag == "-device":
      in_words = option.from_json_to_words(word) or word
      found.append(frozenset(in_words.split(",")))
    elif not _BACKENDS.intersection([flag, word]):
      rest.append(word)
  return (sorted(found, key=sorted), rest)


@pytest.mark.parametrize("name", older_names())
def test_qemu_is_given_what_unmodified_ganeti_gives(world, name):
  text = text_of(name)
  ours = start_target(world, hypervisor.KVMHypervisor, text)
  if is_beyond_unmodified(name):
    with pytest.raises(IndexError):
      start_target(world, UNMODIFIED, text)
    return
  theirs = start_target(world, UNMODIFIED, text)
  known = device_table.parse(text, name)
  # devices that are not on the bus have no fictitious slots any more
  if known.hvparams["disk_type"] == "paravirtual":
    assert options(ours) == options(theirs)
  unplaced = [[(o.driver, o.id) for o in command.devices(words)
               if not o.address] for words in (ours, theirs)]
  assert unplaced[0] == unplaced[1]
  placed = [dict((o.id, o.address) for o in command.devices(words)
                 if o.address and o.backend) for words in (ours, theirs)]
  assert placed[0] == placed[1]
  assert placed[0] == dict((d.id, (d.slot, 0)) for d in known.devices
                           if d.device_class != "qemu" and d.slot is not None)


@pytest.mark.parametrize("name", older_names())
def test_unmodified_ganeti_reads_what_the_plugin_wrote(world, name):
  hyper = world.hypervisor()
  instance = instance_of(device_table.parse(text_of(name), name))
  hyper._SaveKVMRuntime(instance, hyper._LoadKVMRuntime(
    instance, serialized_runtime=text_of(name)))
  written = hyper._ReadKVMRuntime(instance.name)
  assert options(start_target(world, UNMODIFIED, written)) == \
    options(start_target(world, hypervisor.KVMHypervisor, text_of(name)))


@pytest.mark.parametrize("name", older_names())
def test_a_soft_reboot_lays_out_anew(world, name):
  hyper = world.hypervisor(note=["_SaveKVMRuntime", "_ExecuteKVMRuntime"])
  text = text_of(name)
  before = device_table.parse(text, name)
  instance = instance_of(before, kvm_pci_reservations=8)
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    stream.write(text)
  run_devices_of(world, before)
  hyper.RebootInstance(instance)
  assert [call[0] for call in world.calls if call[0] in (
    "StopInstance", "_SaveKVMRuntime", "_ExecuteKVMRuntime")] == [
      "StopInstance", "_SaveKVMRuntime", "_ExecuteKVMRuntime"]
  after = device_table.parse(hyper._ReadKVMRuntime(instance.name), name)
  for device_class, first in (("disk", after.partition.reservations),
                              ("nic", 24)):
    slots = after.slots(device_class)
    assert slots == list(range(first, first + len(slots)))
  assert len(after.slots("nic")) == len(before.hvparams and [
    d for d in before.devices if d.device_class == "nic"])
  # QEMU gets the addresses of the runtime file, and places its own devices
  assert sorted(o.address[0] for o in command.devices(world.commands()[-1])
                if o.address) == sorted(after.held())
  # and it is done once
  del world.calls[:]
  run_devices_of(world, after)
  text = hyper._ReadKVMRuntime(instance.name)
  hyper.RebootInstance(instance)
  assert json.loads(hyper._ReadKVMRuntime(instance.name)) == json.loads(text)


@pytest.mark.parametrize("name", [
  name for name in older_names() if "plain" in name])
def test_an_old_guest_takes_new_devices_into_the_pools(world, name):
  hyper = world.hypervisor()
  before = device_table.parse(text_of(name), name)
  instance = instance_of(before)
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    stream.write(text_of(name))
  run_devices_of(world, before)
  hyper.HotAddDevice(instance, harness.DISK, harness.disk(5), EXTRA, 2)
  hyper.HotAddDevice(instance, harness.NIC, harness.nic(5), None, 2)
  after = device_table.parse(hyper._ReadKVMRuntime(instance.name), name)
  part = after.partition
  for device_class in ("disk", "nic"):
    old, new = before.slots(device_class), after.slots(device_class)
    assert new[:-1] == old
    assert part.owner(new[-1]) == device_class
  ids = [d.id for d in after.devices]
  assert [d.id for d in before.devices if d.id] == [
    i for i in ids if i in [d.id for d in before.devices if d.id]]


@pytest.mark.skipif(VERSION < (3, 0), reason="since 3.0 it looks for them")
def test_unmodified_ganeti_needs_what_old_runtime_files_lack(world):
  """What L{upgrade} fills in."""
  hyper = world.hypervisor(UNMODIFIED)
  loaded = json.loads(text_of("v2.10.8-plain"))
  instance = harness.instance_of()
  instance.name = "plain.ex"
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(loaded, stream)
  with pytest.raises(KeyError):
    hyper.HotAddDevice(instance, harness.DISK, harness.disk(5), EXTRA, 2)


@pytest.mark.skipif(VERSION < (3, 1), reason="in the file up to 3.0")
@pytest.mark.parametrize("vnc, stays", [([], True), (["-vnc", ":1"], False)])
def test_unmodified_ganeti_removes_chroot_with_vnc_only(world, vnc, stays):
  loaded = json.loads(text_of("v3.0.2-plain"))
  loaded[0] += ["-chroot", "/x"] + vnc
  theirs = start_target(world, UNMODIFIED, json.dumps(loaded))
  # 3.1.0~rc2 leaves it in any case
  assert ("-chroot" in theirs) == (stays or "rc" in constants.RELEASE_VERSION)
  assert "-chroot" not in start_target(world, hypervisor.KVMHypervisor,
                                       json.dumps(loaded))


@pytest.mark.parametrize("version, expected", [
  ((6, 2), ["-no-quit", "-no-acpi"]),
  ((7, 0), ["-no-acpi"]),
  ((9, 0), ["-machine", "acpi=off"]),
  # nobody tells
  (None, ["-no-quit", "-no-acpi"])])
def test_options_that_this_nodes_qemu_has_lost_are_replaced(
    world, monkeypatch, version, expected):
  words = ["-no-quit", "-no-acpi"]
  monkeypatch.setattr(qemu_version, "version", lambda _: version)
  text = text_of("v2.15.2-plain" if VERSION < (2, 16) else "v3.0.2-plain")
  loaded = json.loads(text)
  loaded[0] += words
  given = start_target(world, hypervisor.KVMHypervisor, json.dumps(loaded))
  without = start_target(world, hypervisor.KVMHypervisor, text)
  assert [word for word in given if word in words + ["acpi=off"]] == [
    word for word in expected if word != "-machine"]
  assert given.count("-machine") == without.count("-machine") + \
    expected.count("-machine")


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_guest_in_an_older_qemu_keeps_its_options(world, monkeypatch,
                                                    is_replaced):
  hyper, instance = start(world, kvm_pci_reservations=8)
  text = json.loads(hyper._ReadKVMRuntime(instance.name))
  text[0] += ["-runas", "joe"]
  hyper._WriteKVMRuntime(instance.name, json.dumps(text))
  # the package was upgraded, and the guest still runs
  monkeypatch.setattr(qemu_version, "version", lambda _: (10, 0))
  monkeypatch.setattr(hypervisor.process, "is_replaced", lambda _: is_replaced)
  told = json.loads(hyper.MigrationInfo(instance))[0]
  assert ("-runas" in told, "-run-with" in told) == (is_replaced,
                                                      not is_replaced)


def test_a_start_that_fails_names_options_that_qemu_has_lost(world,
                                                             monkeypatch):
  monkeypatch.setattr(qemu_version, "version", lambda _: (7, 2))
  hyper = world.hypervisor()

  def fail(self, name, kvm_cmd, tap_fds=None):
    raise errors.HypervisorError("Failed to start instance")
  monkeypatch.setattr(UNMODIFIED, "_RunKVMCmd", fail)
  instance = harness.instance_of(0, kvm_extra="-usbdevice host:1.2")
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.StartInstance(instance, [], False)
  assert "-usbdevice host:1.2: QEMU 7.2 does not start with it (not in" \
    " 5.2); take it out of usb_devices" in str(caught.value)
  instance.hvparams["kvm_extra"] = "-usbdevice tablet"
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.StartInstance(instance, [], False)
  assert "-usbdevice" not in str(caught.value)


def test_a_reboot_that_does_not_fit_leaves_the_guest_running(world):
  hyper = world.hypervisor()
  instance = harness.instance_of(8, kvm_pci_reservations=8)
  hyper.StartInstance(instance, harness.block_devices(16), False)
  text = hyper._ReadKVMRuntime(instance.name)
  run_devices_of(world, device_table.parse(text, "test"))
  loaded = json.loads(text)
  loaded[2]["kvm_pci_reservations"] = 20
  with open(hyper._InstanceKVMRuntime(instance.name), "w") as stream:
    json.dump(loaded, stream)
  with pytest.raises(errors.HypervisorError) as caught:
    hyper.RebootInstance(instance)
  assert "no PCI slot is left for 16 disks and 8 NICs" in str(caught.value)
  assert world.running and ("StopInstance", ) not in world.calls


def test_an_invalid_runtime_file_is_one_clear_error(world):
  hyper = world.hypervisor()
  with pytest.raises(errors.HypervisorError) as caught:
    hyper._LoadKVMRuntime(harness.instance_of(), serialized_runtime="[[], {")
  assert "not a runtime file" in str(caught.value)
