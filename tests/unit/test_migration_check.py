"""Whether the runtime file matches the running QEMU."""

import json

import pytest

import genuine
from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.qemu import config_file
from ganeti_kvm_pci.qemu.topology import Part
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import migration_check
from ganeti_kvm_pci.runtime import serialized

HOST = Part("pci.0", (0, 0), "8086:1237", None, None, None, None, None)
ISA = HOST._replace(address=(1, 0), model="8086:7000")
VGA = HOST._replace(address=(2, 0), model="1234:1111")


def part(slot, driver, name=None, **more):
  return Part("pci.0", (slot, 0), "1af4:1000", driver, name, None, None,
              None)._replace(**more)


def rng(slot, name=None):
  return part(slot, "virtio-rng-pci", name)


def parts_of(known, others=()):
  """Return the topology of a runtime file, with what QEMU placed itself."""
  found = [HOST, ISA, VGA]
  for device in known.devices:
    if device.slot is not None:
      found.append(part(device.slot, device.driver, device.id))
  return found + list(others)


class Guest(object):
  """A runtime file, and a topology."""

  def __init__(self, extra=(), nics=2):
    data = json.loads(genuine.text_of("v3.0.2-plain"))
    command = []
    words = iter(data[0])
    # no devices but those of the test
    for word in words:
      if word in ("-device", "-balloon"):
        next(words)
      else:
        command.append(word)
    data[0] = command
    for text in extra:
      data[0] += ["-device", text]
    del data[1][nics:]
    self.data = data

  def compare(self, others=(), change=None, command=None, vcpus=None,
              configs=None):
    loaded = serialized.parse(json.dumps(self.data), "test")
    loaded.configs = configs or {}
    known = device_table.DeviceTable(loaded)
    parts = parts_of(known, others)
    if change:
      parts = change(parts)
    return migration_check.MigrationCheck(loaded, known, parts, [
      str(word) for word in command or loaded.words], vcpus)


def test_the_same_topology():
  found = Guest(["virtio-rng-pci"]).compare([rng(3)])
  assert (found.problems, found.fixed) == ([], [])
  assert found.command[-1] == "virtio-rng-pci"


def test_what_is_not_in_the_runtime_file_is_refused():
  (text, ) = Guest().compare([rng(3, "hand")]).problems
  for words in ("slot 3: virtio-rng-pci (id hand) is attached in QEMU but"
                " missing from the runtime file", "device_del hand",
                "the target would start without it", "add it to kvm_extra"):
    assert words in text


def test_a_disk_that_a_dead_daemon_left_is_refused():
  (text, ) = Guest().compare([
    part(20, "virtio-blk-pci", "disk-00000001-0000-4000")]).problems
  assert "slot 20" in text and "the node daemon died during a hot-add" in text


def test_without_id_the_last_ones_are_those_by_hand():
  found = Guest(["virtio-rng-pci"]).compare([rng(3), rng(4), rng(5)])
  assert [text.partition(":")[0] for text in found.problems] == ["slot 4",
                                                                 "slot 5"]
  assert "it has no id" in found.problems[0]


def test_options_that_make_devices_of_their_own_are_counted():
  world = Guest(["virtio-rng-pci"])
  world.data[0] += ["-virtfs", "local,id=x"]
  fs = part(4, "virtio-9p-pci")
  assert world.compare([rng(3), fs]).problems == []
  assert len(world.compare([rng(3), fs, rng(5)]).problems) == 1
  world.data[0] += ["-readconfig", "file"]
  assert world.compare([rng(3), fs, rng(5)]).problems == []


def test_what_a_wrapper_adds_is_nobodys_by_hand():
  world = Guest(["virtio-rng-pci"])
  given = world.data[0] + ["-device", "virtio-rng-pci,id=more", "-device",
                           "virtio-balloon-pci"]
  others = [rng(3), part(4, "virtio-balloon-pci"), rng(5, "more")]
  assert len(world.compare(others).problems) == 2
  assert world.compare(others, command=given).problems == []
  assert len(world.compare(others + [rng(6)], command=given).problems) == 1
  assert len(world.compare(others + [rng(6, "x")], command=given
                           ).problems) == 1


def test_a_disk_of_the_command_that_is_not_in_the_file_is_refused():
  world = Guest()
  name = "disk-00000001-0000-4000"
  given = world.data[0] + ["-device", "virtio-blk-pci,id=%s,drive=%s" %
                           (name, name)]
  # it was started with it, and would not be again
  assert len(world.compare([part(20, "virtio-blk-pci", name)],
                           command=given).problems) == 1


def test_a_drive_that_is_a_device_is_counted():
  world = Guest()
  world.data[0] += ["-drive", "file=x,if=virtio"]
  cd = part(3, "virtio-blk-pci")
  assert world.compare([cd]).problems == []
  assert len(world.compare([cd, rng(4)]).problems) == 1
  (text, ) = world.compare([]).problems
  assert "its command makes 1 devices without id, QEMU has 0" in text


def test_an_option_whose_device_was_removed_is_refused():
  (text, ) = Guest(["virtio-rng-pci,id=rng0"]).compare().problems
  assert text.startswith("virtio-rng-pci (id rng0): it is in the"
                         " command in the runtime file")
  found = Guest(["virtio-rng-pci,bus=pci.0,addr=0x5"]).compare(
    change=lambda parts: [p for p in parts if p.address != (5, 0)])
  assert any("slot 5: the command in the runtime file has virtio-rng-pci there"
             in text for text in found.problems)


def without(name):
  return lambda parts: [p for p in parts if p.id != name]


def moved(name, slot):
  return lambda parts: [p._replace(address=(slot, 0)) if p.id == name else p
                        for p in parts]


DISK = "disk-0000d151-0000-4000"


def test_a_disk_that_qemu_does_not_have_is_refused():
  (text, ) = Guest().compare(change=without(DISK)).problems
  assert text.startswith("slot 13: the runtime file has disk 1 (%s) there, QEMU"
                         " has nothing" % DISK)
  (text, _) = Guest().compare([rng(13, "hand")], change=without(DISK)).problems
  assert "QEMU has virtio-rng-pci (id hand)" in text
  assert "check --repair" in text


def test_a_disk_elsewhere_is_refused():
  (text, ) = Guest().compare(change=moved(DISK, 20)).problems
  assert text.startswith("disk 1 (%s): slot 13 in the runtime file, slot 20 in"
                         " QEMU" % DISK)


def test_ids_of_another_version_are_no_difference():
  def rename(parts):
    return [p._replace(id="hotdisk-0000d151-pci-13") if p.id == DISK else p
            for p in parts]
  assert Guest().compare(change=rename).problems == []


def test_another_mac_is_refused():
  def change(parts):
    return [p._replace(mac="aa:00:00:00:00:99") if p.driver == "virtio-net-pci"
            and p.address == (14, 0) else p for p in parts]
  (text, ) = Guest().compare(change=change).problems
  assert text.startswith("slot 14, nic 0 (nic-000041c0-0000-4000): MAC address")


def test_what_would_go_elsewhere_gets_its_address():
  # when they were placed, something by hand stood on 3 and 5
  world = Guest(["virtio-rng-pci", "virtio-rng-pci,id=rng1",
                 "virtio-balloon-pci"])
  found = world.compare([rng(6, "rng1"), rng(4), part(7, "virtio-balloon-pci")])
  assert found.problems == []
  assert found.command[-5:] == [
    "virtio-rng-pci,bus=pci.0,addr=0x4", "-device",
    "virtio-rng-pci,id=rng1,bus=pci.0,addr=0x6", "-device",
    "virtio-balloon-pci,bus=pci.0,addr=0x7"]
  assert len(found.fixed) == 3
  # and it stays so
  world.data[0] = found.command
  again = world.compare()
  assert (again.problems, again.fixed) == ([], [])


def test_what_gets_the_same_slot_again_is_not_fixed():
  world = Guest(["virtio-rng-pci", "virtio-rng-pci,bus=pci.0,addr=0x4",
                 "virtio-rng-pci"])
  found = world.compare(
    change=lambda parts: parts[:3] + [rng(3)] + parts[3:] + [rng(5)])
  assert (found.problems, found.fixed) == ([], [])


def test_what_has_no_option_and_would_go_elsewhere_is_refused():
  world = Guest()
  world.data[0] += ["-drive", "file=x,if=virtio"]
  (text, ) = world.compare([part(6, "virtio-blk-pci")]).problems
  assert text.startswith("slot 6: QEMU has its own virtio-blk-pci there, which"
                         " a start from the runtime file would put on slot 3")


def test_what_a_file_of_options_makes_is_left_to_the_target():
  world = Guest()
  world.data[0] += ["--readconfig", "file"]
  assert world.compare([rng(3, "rng0")]).problems == []


def test_what_qemus_default_file_makes_is_nobodys_by_hand():
  """Also where it names no slot of pci.0."""
  configs = {command.DEFAULT_FILE: [config_file.Section("device", keys)
                                    for keys in (
    {"driver": "virtio-rng-pci", "id": "rng0"}, {"driver": "virtio-rng-pci"})]}
  found = [rng(3, "rng0"), rng(4)]
  assert len(Guest().compare(found).problems) == 2
  assert Guest().compare(found, configs=configs).problems == []
  assert len(Guest().compare(found + [rng(5)], configs=configs).problems) == 1


def test_options_with_two_dashes():
  world = Guest()
  world.data[0] += ["--virtfs", "local,id=x"]
  assert world.compare([part(3, "virtio-9p-pci")]).problems == []


def test_a_device_whose_id_is_qemus():
  world = Guest()
  debug = Part(None, (0, ), None, "isa-debugcon", "debugcon", None, None, None)
  assert len(world.compare([debug]).problems) == 1
  world.data[0] += ["-debugcon", "null"]
  assert world.compare([debug]).problems == []


def test_a_nic_of_a_wrapper_is_nobodys_by_hand():
  world = Guest()
  given = world.data[0] + ["-device", "virtio-net-pci,netdev=n,id=extra"]
  assert world.compare([part(3, "virtio-net-pci", "extra")],
                       command=given).problems == []


def test_an_address_that_is_none_of_pci():
  world = Guest(["loader,addr=0x8,data=0"])
  loader = Part(None, (0, ), None, "loader", None, None, None, None)
  assert world.compare([loader], change=lambda parts: [
    p for p in parts if p.address != (8, 0)]).problems == []


def test_another_driver_is_refused():
  def change(parts):
    return [p._replace(driver="nvme") if p.id == DISK else p for p in parts]
  (text, ) = Guest().compare(change=change).problems
  assert text.startswith("slot 13, disk 1 (%s): virtio-blk-pci in the runtime"
                         " file, nvme in QEMU" % DISK)


def test_a_card_that_soundhw_made_has_an_option_in_the_file_now():
  card = "AC97,audiodev=soundhw"
  world = Guest([card, "virtio-rng-pci", "virtio-rng-pci"])
  given = [str(word) for word in world.data[0]]
  at = given.index(card)
  given[at - 1:at + 1] = ["-soundhw", "ac97"]
  others = [HOST._replace(address=(3, 0), model="8086:2415"), rng(4), rng(30)]
  found = world.compare(others, command=given)
  # the one that went elsewhere, and no other
  assert found.problems == [] and found.fixed == ["virtio-rng-pci at slot 30"]
  assert found.command[-3] == "virtio-rng-pci"
  assert found.command[-1] == "virtio-rng-pci,bus=pci.0,addr=0x1e"


def test_a_vcpu_of_the_command_is_no_device():
  """Whether QEMU has it still is told by the number of vCPUs."""
  world = Guest(["qemu64-x86_64-cpu,id=cpu1,core-id=1", "virtio-rng-pci",
                 "qemu64-x86_64-cpu,core-id=2"])
  found = world.compare([rng(3)])
  assert (found.problems, found.fixed) == ([], [])
  # what QEMU placed beyond its slots is told as before
  found = world.compare([rng(17)])
  assert found.problems == [] and len(found.fixed) == 1


@pytest.mark.parametrize("key, name", [("num-queues", "queues"),
                                       ("acpi-index", "acpi_index")])
def test_what_the_runtime_file_sets_must_be_so_in_qemu(key, name):
  world = Guest()
  world.data[3][0][0]["hvinfo"][key] = 4

  def told(value):
    return lambda parts: [
      part._replace(**{name: value}) if part.driver == "virtio-blk-pci"
      else part for part in parts]
  assert world.compare(change=told(4)).problems == []
  assert world.compare(change=told(None)).problems == []
  (text, ) = world.compare(change=told(1)).problems
  for words in ("disk 0", "slot", "%s 4 in the runtime file, 1 in QEMU" % key,
                "shut the instance down"):
    assert words in text


def test_firmware_is_no_fault():
  world = Guest()
  firmware = dict(world.data[3][0][0], role="firmware",
                  uuid="f0f0f0f0-1-2-3-4")
  del firmware["hvinfo"]
  world.data[3].insert(0, [firmware, "/x", None])
  assert world.compare().problems == []


def test_vcpus_that_the_runtime_file_does_not_make_are_refused():
  world = Guest()
  start = world.data[0] + ["-smp", "1,maxcpus=4"]
  world.data[0] = start
  assert world.compare(vcpus=1).problems == []
  assert world.compare(vcpus=None).problems == []
  (text, ) = world.compare(vcpus=3).problems
  for words in ("vCPUs: 1 in the runtime file, 3 in QEMU",
                "shut the instance down"):
    assert words in text
  # a wrapper gives more, to the target as well
  assert world.compare(vcpus=2, command=start + ["-smp", "2"]).problems == []
  # who has hot-added them has written them down
  world.data[0] = start + ["-device", "qemu64-x86_64-cpu,core-id=1"]
  assert world.compare(vcpus=2, command=start).problems == []
