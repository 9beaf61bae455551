"""What the pure modules say of QEMU, held against QEMU."""

import functools
import json
import os
import socket
import subprocess
import threading

import pytest

from conftest import QEMU
from conftest import version

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.bus.root_ports import RootPorts
from ganeti_kvm_pci.errors import BusFullError
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.qemu import creation_order
from ganeti_kvm_pci.qemu import explicit
from ganeti_kvm_pci.qemu import ide_units
from ganeti_kvm_pci.qemu import overflow
from ganeti_kvm_pci.qemu import pci_functions
from ganeti_kvm_pci.qemu import replies
from ganeti_kvm_pci.qemu import start_error
from ganeti_kvm_pci.qmp import client
from ganeti_kvm_pci.qmp import inventory
from ganeti_kvm_pci.qmp import queries

RNG = ["-device", "virtio-rng-pci"]
AC97 = ["-device", "AC97,audiodev=none"]
GENUINE = ["-device", "virtio-balloon"]

#: QEMU takes devices in JSON from 6.2 on.
AS_JSON = ('{"driver":"virtio-rng-pci"}' if version() >= (6, 2)
           else "virtio-rng-pci")


def disk(number, slot):
  return ["-drive", "if=none,id=d%d,file=/dev/zero,format=raw,readonly=on" %
          number, "-device", "virtio-blk-pci,id=d%d,bus=pci.0,addr=0x%x,"
          "drive=d%d" % (number, slot, number)]


def nic(number, slot):
  return ["-netdev", "hubport,hubid=0,id=n%d" % number, "-device",
          "virtio-net-pci,id=n%d,bus=pci.0,addr=0x%x,netdev=n%d" %
          (number, slot, number)]


GANETIS = disk(0, 8) + disk(1, 9) + nic(0, 24) + nic(1, 25)


def layout(path):
  """Return the live bus: dict, slot to id or driver."""
  with client.connect(path) as execute:
    found = pci_functions.held(queries.functions(execute, Partition()))
    drivers = dict((p.address[0], p.id or p.driver)
                   for p in queries.peripherals(execute, Partition())
                   if p.address)
  found.update(drivers)
  return found


def start(qemu, words, ganetis):
  """Start QEMU as the hypervisor would."""
  whole = ["qemu"] + words + ganetis
  late = creation_order.late_disks(whole, 1 + len(words))
  whole = creation_order.addressed_first(whole, 1 + len(words))
  if late:
    known = overflow.types(subprocess.check_output(
      [QEMU, "-device", "help"], stderr=subprocess.STDOUT).decode())
    whole = overflow.address_rest(whole, Partition(), known)
  return qemu.start(*whole[1:])


def with_strays(path, words, part=None):
  """Return the runtime file's command with the strays of a live QEMU in it."""
  held = {8: "d0", 9: "d1", 24: "n0", 25: "n1"}
  with client.connect(path) as execute:
    part = part or Partition()
    strays = explicit.beyond(part, queries.functions(execute, part), held)
    return explicit.fix(["qemu"] + words, queries.peripherals(execute, part),
                        strays)


def test_nine_rngs_do_not_start_where_qemu_places_first(qemu):
  assert qemu.start(*(GENUINE + RNG * 9 + GANETIS)) is None
  error = start_error.explain(qemu.output, ["qemu"] + GANETIS, Partition())
  assert (error.slot, error.device, error.holder) == (8, "d0",
                                                      "virtio-rng-pci")


def test_nine_rngs_start_around_ganetis_devices(qemu):
  slots = layout(start(qemu, GENUINE + RNG * 9, GANETIS))
  assert [s for s, name in sorted(slots.items()) if name == "virtio-rng-pci"] \
    == [4, 5, 6, 7, 10, 11, 12, 13, 14]
  assert [slots[s] for s in (8, 9, 24, 25)] == ["d0", "d1", "n0", "n1"]


needs_json = pytest.mark.skipif(version() < (6, 2), reason="JSON from 6.2 on")


def in_json(number, slot, **more):
  options = disk(number, slot)
  keys = dict(command.keys_of(options[-1]), **more)
  return options[:-1] + [json.dumps(keys)]


@needs_json
def test_disks_in_json_are_created_last(qemu):
  """Why L{creation_order.addressed_first} writes them otherwise."""
  given = GENUINE + RNG * 9 + nic(0, 24) + in_json(0, 8)
  assert qemu.start(*given) is None
  error = start_error.explain(qemu.output, ["qemu"] + given, Partition())
  assert (error.slot, error.device, error.holder) == (8, "d0",
                                                      "virtio-rng-pci")


@needs_json
def test_nine_rngs_start_around_disks_in_json(qemu):
  ganetis = nic(0, 24) + in_json(0, 8, **{"num-queues": 2}) + in_json(
    1, 9, **{"share-rw": False})
  slots = layout(start(qemu, GENUINE + RNG * 9, ganetis))
  assert [s for s, name in sorted(slots.items()) if name == "virtio-rng-pci"] \
    == [4, 5, 6, 7, 10, 11, 12, 13, 14]
  assert [slots[s] for s in (8, 9, 24)] == ["d0", "d1", "n0"]


#: Disks that no words can tell of: a number is a slot and its function in JSON.
STAY_JSON = in_json(0, 8, addr=64) + in_json(1, 9, addr=72)

needs_mapping = pytest.mark.skipif(version() < (9, 0), reason="9.0 and later")


def with_iothreads(number, slot):
  return in_json(number, slot, **{"num-queues": 2, "iothread-vq-mapping": [
    {"iothread": "iothread0"}, {"iothread": "iothread1"}]})


IOTHREADS = ["-object", "iothread,id=iothread0", "-object",
             "iothread,id=iothread1", "-smp", "2"]


@needs_json
@pytest.mark.parametrize("disks, more, rngs", [
  (STAY_JSON, [], [4, 5, 6, 7, 10, 11, 12, 13, 14]),
  pytest.param(with_iothreads(0, 8) + with_iothreads(1, 9), IOTHREADS,
               [4, 5, 6, 7, 10, 11, 12, 13, 14], marks=needs_mapping),
  # as many as fit for certain, whether there is VGA or not
  (STAY_JSON, ["-vga", "none"], [3, 4, 5, 6, 10, 11, 12, 13, 14]),
  (STAY_JSON, ["-net", "nic,model=e1000"], [5, 6, 7] + list(range(10, 16))),
  (STAY_JSON, ["-nic", "user,model=e1000"], [5, 6, 7] + list(range(10, 16))),
  (STAY_JSON, ["-audio", "driver=none,model=hda"],
   [5, 6, 7] + list(range(10, 16))),
  (STAY_JSON, ["-drive", "file=/dev/zero,if=virtio,format=raw,readonly=on"],
   [4, 5, 6] + list(range(10, 16))),
  (STAY_JSON, ["-device", '{"driver":"virtio-rng-pci"}'],
   [4, 5, 6, 7] + list(range(10, 16))),
  (STAY_JSON, ["-device", "lsi,id=scsi", "-device", "usb-ehci", "-device",
               "pci-bridge,id=hp0,chassis_nr=1", "-device",
               "AC97,audiodev=none,bus=hp0"], [7] + list(range(10, 18))),
  ], ids=["number", "iothreads", "VGA", "net", "nic", "audio", "drive", "JSON",
          "types"])
def test_nine_rngs_keep_off_disks_that_stay_json(qemu, disks, more, rngs):
  words = more + GENUINE + RNG * 9
  ganetis = nic(0, 24) + disks
  if "-audio" in more and version() < (7, 1):
    pytest.skip("-audio is of 7.1")
  assert qemu.start(*(words + ganetis)) is None
  slots = layout(start(qemu, words, ganetis))
  assert [slots[s] for s in (8, 9, 24)] == ["d0", "d1", "n0"]
  assert [s for s, name in sorted(slots.items()) if name == "virtio-rng-pci"] \
    == rngs
  # and the file says so
  command_, _, left = with_strays(qemu_path(qemu), words)
  assert not [f for f in left if f.slot not in (8, 9, 24)]
  assert layout(start(qemu, command_[1:], ganetis)) == slots


def test_a_bus_of_32_devices_starts_and_one_more_does_not(qemu):
  # host bridge, PIIX3, VGA, balloon and Ganeti's four leave 24
  assert len(layout(start(qemu, GENUINE + RNG * 24, GANETIS))) == 32
  assert start(qemu, GENUINE + RNG * 25, GANETIS) is None
  error = start_error.explain(qemu.output, ["qemu"], Partition())
  assert error.slot is None and error.device == "virtio-rng-pci"


def test_a_start_after_hotplug_puts_the_strays_where_they_were(qemu):
  words = GENUINE + RNG * 6
  before = layout(start(qemu, words, GANETIS))
  assert before[10] == before[11] == "virtio-rng-pci"
  command_, done, left = with_strays(qemu_path(qemu), words)
  assert [f.slot for f in done] == [10, 11] and not left
  # disk 1 was removed; as the command was, a stray moves to its slot
  without = disk(0, 8) + nic(0, 24) + nic(1, 25)
  assert layout(start(qemu, words, without))[9] == "virtio-rng-pci"
  after = layout(start(qemu, command_[1:], without))
  del before[9]
  assert after == before


def qemu_path(qemu):
  return os.path.join(qemu.folder, "qmp%d" % (len(qemu.processes) - 1))


def test_everything_at_once_is_placed_and_started_again(qemu):
  words = (["-device", "virtio-scsi-pci,id=scsi"] + GENUINE + AC97 +
           ["-drive", "file=/dev/zero,if=none,id=cd,format=raw,readonly=on",
            "-device", "scsi-cd,bus=scsi.0,drive=cd",
            "-device", "virtio-serial-pci,id=spice",
            "-chardev", "null,id=c0", "-device",
            "virtserialport,chardev=c0,name=com.redhat.spice.0",
            "-usb", "-chardev", "null,id=c1",
            "-device", "virtio-serial,id=qga0",
            "-device", "virtserialport,chardev=c1,name=org.qemu.ga.0",
            "-device", "usb-tablet", "-device", "qemu-xhci",
            "-device", AS_JSON,
            "-drive", "file=/dev/zero,if=virtio,format=raw,readonly=on"])
  before = layout(start(qemu, words, GANETIS))
  command_, done, left = with_strays(qemu_path(qemu), words)
  # beyond slot 7: xHCI and the JSON device have options, the drive has not
  assert sorted(before[f.slot] for f in done) == ["qemu-xhci",
                                                  "virtio-rng-pci"]
  assert [before[f.slot] for f in left] == ["virtio-blk-pci"]
  with client.connect(qemu_path(qemu)) as execute:
    owners = dict((bus, execute("qom-list", {"path": path}))
                  for bus, path in ports(execute))
  assert layout(start(qemu, command_[1:], GANETIS)) == before
  # the ports stay with their controllers
  with client.connect(qemu_path(qemu)) as execute:
    assert dict((bus, execute("qom-list", {"path": path}))
                for bus, path in ports(execute)) == owners


def ports(execute):
  """Find the buses of the two serial controllers."""
  return [(name, "/machine/peripheral/%s/virtio-backend/%s.0" % (name, name))
          for name in ("spice", "qga0")]


def test_a_conflict_within_qemus_own_range_is_told_apart(qemu):
  words = RNG * 3 + ["-device", "virtio-rng-pci,addr=0x4"]
  assert start(qemu, words, GANETIS) is None
  error = start_error.explain(qemu.output, ["qemu"] + words, Partition())
  assert error.slot == 4
  assert "take addr=0x4 away from virtio-rng-pci" in str(error)


@pytest.mark.parametrize("words, seen", [
  (["-vga", "none"] + RNG, {2: "virtio-rng-pci"}),
  (["-net", "nic,model=e1000"] + RNG, {4: "virtio-rng-pci"}),
  (["-device", "pci-bridge,id=hp0,chassis_nr=1", "-device",
    "virtio-rng-pci,bus=hp0,addr=0x8"], {3: "hp0"}),
  ])
def test_what_qemu_makes_by_itself_takes_the_lowest_slots(qemu, words, seen):
  slots = layout(start(qemu, words, GANETIS))
  assert set(seen.items()) <= set(slots.items())
  assert slots[8] == "d0"


def test_a_device_of_virtfs_confuses_only_its_like(qemu, tmpdir):
  share = "local,path=%s,security_model=none,mount_tag=" % tmpdir
  words = (GENUINE + RNG * 5 + ["-virtfs", share + "a"] +
           ["-fsdev", "local,id=f,path=%s,security_model=none" % tmpdir,
            "-device", "virtio-9p-pci,fsdev=f,mount_tag=b",
            "-device", "ahci"])
  before = layout(start(qemu, words, GANETIS))
  command_, done, left = with_strays(qemu_path(qemu), words)
  # the rng and the controller are certain, the two file systems are not
  assert sorted(before[f.slot] for f in done) == ["ich9-ahci",
                                                  "virtio-rng-pci"]
  assert [before[f.slot] for f in left] == ["virtio-9p-pci"] * 2
  assert layout(start(qemu, command_[1:], GANETIS)) == before


def test_a_device_added_by_hand_is_seen(qemu):
  path = start(qemu, GENUINE, GANETIS)
  with client.connect(path) as execute:
    execute("device_add", {"driver": "virtio-rng-pci", "id": "hand",
                           "addr": "0xa"})
  assert layout(path)[10] == "hand"


def test_no_monitor_is_one_clear_error(tmpdir):
  with pytest.raises(MonitorError) as caught:
    with client.connect(str(tmpdir.join("none.qmp"))):
      pass
  assert "does not run on this node" in str(caught.value)


@pytest.mark.parametrize("says", [b"", b"garbage\r\n", b"{}\r\n",
                                  b'{"QMP": {"version": {"qemu": {"major": 7,'
                                  b' "minor": 2, "micro": 0}}}}\r\n'])
def test_a_monitor_that_hangs_up_is_one_clear_error(tmpdir, says):
  path = str(tmpdir.join("short.qmp"))
  listener = socket.socket(socket.AF_UNIX)
  listener.bind(path)
  listener.listen(1)

  def serve():
    peer = listener.accept()[0]
    peer.sendall(says)
    peer.close()

  server = threading.Thread(target=serve)
  server.start()
  with pytest.raises(MonitorError) as caught:
    with client.connect(path) as execute:
      queries.functions(execute, Partition())
  assert path in str(caught.value)
  server.join()
  listener.close()


def test_a_monitor_that_hangs_is_one_clear_error(tmpdir):
  path = str(tmpdir.join("silent.qmp"))
  listener = socket.socket(socket.AF_UNIX)
  listener.bind(path)
  listener.listen(1)
  with pytest.raises(MonitorError) as caught:
    with client.connect(path):
      pass
  assert path in str(caught.value)
  listener.close()


def test_the_topology_is_told_part_by_part(qemu):
  """With the backend of each device, by whatever way QEMU tells it."""
  null = "if=none,file.driver=null-co,format=raw,file.size=%dM,id=%s"
  path = qemu.start(*(
    GANETIS + RNG + [
      "-device", "virtio-scsi-pci,id=scsi", "-usb", "-device", "usb-tablet",
      "-drive", null % (3, "s0"), "-device",
      "scsi-hd,id=s0,drive=s0,bus=scsi.0,channel=0,scsi-id=5,lun=0",
      # drives of devices without id, of QEMU's own, of nobody
      "-drive", null % (4, "anon"), "-device", "virtio-blk-pci,drive=anon",
      "-drive", (null % (5, "ide")).replace("if=none", "if=ide,index=0"),
      "-drive", null % (6, "nobody"), "-netdev", "hubport,hubid=0,id=n9",
      "-device", "virtio-net-pci,netdev=n9,mac=52:54:00:00:00:99"]))
  with client.connect(path) as execute:
    found = inventory.topology(execute)
  by_id = dict((part.id, part) for part in found if part.id)
  assert (by_id["d0"].bus, by_id["d0"].address, by_id["d0"].backend) == (
    "pci.0", (8, 0), "d0")
  assert by_id["d0"].model == "1af4:1001" and by_id["d0"].size == 0
  assert (by_id["n0"].backend, by_id["n0"].address) == ("n0", (24, 0))
  assert by_id["n0"].mac.startswith("52:54:00")
  assert (by_id["s0"].bus, by_id["s0"].address, by_id["s0"].backend,
          by_id["s0"].size) == ("pci.0/%d.0/0" % by_id["scsi"].address[0],
                                (0, 5, 0), "s0", 3 << 20)
  unnamed = dict((part.driver, part) for part in found
                 if part.driver and not part.id)
  assert unnamed["virtio-blk-pci"].backend == "anon"
  assert unnamed["virtio-blk-pci"].size == 4 << 20
  assert unnamed["virtio-net-pci"].mac == "52:54:00:00:00:99"
  assert unnamed["virtio-net-pci"].backend == "n9"
  assert unnamed["virtio-rng-pci"].bus == "pci.0"
  assert (unnamed["usb-tablet"].bus, unnamed["usb-tablet"].address) == (
    "pci.0/1.2/0", (1, ))
  assert [(part.bus, part.address, part.backend, part.size) for part in found
          if part.driver == "ide-hd"] == [("pci.0/1.1/0", (0, ), "ide",
                                           5 << 20)]
  assert "nobody" not in [part.id or part.backend for part in found]
  # QEMU's own, by address and model alone
  assert [part.model for part in found if not part.driver][:2] == [
    "8086:1237", "8086:7000"]


def test_an_extra_root_bus_does_not_hide_the_first(qemu):
  """QEMU tells of it before."""
  path = qemu.start(*(GANETIS + ["-device", "pxb,id=more,bus_nr=4,bus=pci.0"]))
  with client.connect(path) as execute:
    assert execute("query-pci", None)[0]["bus"] == 4
    found = queries.functions(execute, Partition())
    parts = inventory.topology(execute)
  assert [f.id for f in found if f.slot in (8, 9, 24, 25)] == [
    "d0", "d1", "n0", "n1"]
  assert [part.address for part in parts if part.id == "d0"] == [(8, 0)]


SCSI = ["-device", "virtio-scsi-pci,id=scsi", "-drive", "if=none,id=s0,"
        "file=/dev/zero,format=raw,readonly=on", "-device",
        "scsi-hd,id=s0,bus=scsi.0,scsi-id=3,drive=s0"]


@pytest.mark.parametrize("look", [
  inventory.topology, functools.partial(queries.peripherals,
                                        partition=Partition())],
                         ids=["topology", "peripherals"])
def test_what_leaves_while_it_is_looked_at_is_not_there(qemu, look):
  """It leaves before the first, the second, ... of the questions."""
  found = []
  for moment in range(100):
    path = qemu.start(*(GANETIS + SCSI + RNG))
    with client.connect(path) as execute:
      asked = []

      def leaving(name, arguments):
        if len(asked) == moment:
          execute("device_del", {"id": "s0"})
          while "s0" in queries.ids(execute):
            pass
        asked.append(name)
        return execute(name, arguments)
      before, there = look(execute), look(leaving)
      gone = look(execute)
    qemu.stop()
    assert there in (before, gone)
    found.append([part.id for part in there].count("s0"))
    if moment >= len(asked):
      break
  # once nobody asks any more, it has not left at all
  assert found[-1] == 1 and found[0] == 0 and set(found[:-2]) <= set([0, 1])
  assert 0 in found[1:]


def ide(*names):
  """Write IDE disks as Ganeti 3.1 does."""
  return [word for name in names for word in (
    "-blockdev", "driver=null-co,node-name=" + name, "-device",
    "ide-hd,drive=%s,write-cache=on" % name)]


NULL = "if=ide,file.driver=null-co,format=raw"


@pytest.mark.parametrize("words", [
  ide(*"abcdef"), ["-drive", NULL] + ide(*"abcde"),
  ["-drive", NULL + ",index=5"] + ide("a"),
  ["-drive", NULL + ",bus=1", "-drive", NULL, "-drive", NULL] + ide(*"abc"),
  ["-blockdev", "driver=null-co,node-name=c", "-device", "ide-cd,drive=c"] +
  ide("a"),
  ], ids=lambda words: str(len(words)))
def test_ide_disks_of_q35_need_buses(qemu, words):
  assert qemu.start(*words, machine_type="q35") is None
  assert "bus supports only 1 units" in qemu.output
  assert qemu.start(*ide_units.with_buses(["q"] + words)[1:], machine_type="q35")


def test_one_ide_disk_alone_is_on_the_last_bus_of_q35(qemu):
  """Why L{ide_units.with_buses} leaves it."""
  path = qemu.start(*ide("a"), machine_type="q35")
  with client.connect(path) as execute:
    assert execute("qom-get", {
      "path": "/machine/peripheral-anon/device[0]",
      "property": "parent_bus"}).endswith("/ide.5")


def test_a_seventh_ide_drive_of_q35(qemu):
  words = ["-drive", NULL] * 7
  assert qemu.start(*words, machine_type="q35") is None
  assert "bus=6,unit=0" in qemu.output
  with pytest.raises(BusFullError):
    ide_units.with_buses(["q"] + words)


@pytest.mark.parametrize("option, slot, says", [
  ("virtio-rng-pci,id=r,bus=rp3,addr=0", 3,
   "take bus=rp3 away from virtio-balloon-pci and r"),
  ("virtio-rng-pci,id=r,bus=pcie.0,addr=0x17", 23, "take addr=0x17 away from r"),
  ("virtio-rng-pci,id=r,bus=pci.0", None, "QEMU has no bus pci.0 for r"),
  ])
def test_a_slot_that_a_q35_guest_refuses(qemu, option, slot, says):
  words = ["-device", "pcie-root-port,id=rp3,bus=pcie.0,chassis=3,port=3"
           ",addr=0x17",
           "-device", "virtio-balloon-pci,bus=rp3,addr=0", "-device", option]
  assert qemu.start(*words, machine_type="q35") is None
  error = start_error.explain(qemu.output, ["q"] + words, RootPorts.of({}))
  assert error.slot == slot and says in str(error)
