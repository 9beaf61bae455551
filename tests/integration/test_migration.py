"""A guest moves between two hypervisors, on a real QEMU.

Each of the two is unmodified Ganeti's or the plugin's. What the guest must find
again, with the whole cluster around it, is in
C{tests/cluster/test_migration.py}; this is for all versions, and for what can
break on the way.

"""

import inspect
import json
import os
import signal
import time

import pytest

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import qemu_version
from ganeti_kvm_pci import versions

from qemu_state import agree, migration_status, tell
from line_socket import Socket
import nodes
import patched
import slow_guest

HERE = "127.0.0.1"

#: With TCG, QEMU below 9 corrupts busy guests that move at Ganeti's defaults.
CAREFUL = {"migration_bandwidth": 1024, "migration_downtime": 10000}

#: What Ganeti lists of a guest that is still to arrive. Up to 2.16 it goes by
#: the files of pids, later by the runtime files.
ARRIVING = [nodes.NAME] if "_PIDS_DIR" in inspect.getsource(
  hv_kvm.KVMHypervisor.GetAllInstancesInfo) else []


def is_plugin(node):
  """Tell whose hypervisor a node has."""
  return hasattr(node.hyper, "_CompareArrival")


class Pair(object):
  """A source, which has a guest, and a target."""

  def __init__(self, source, target, folder):
    for name in ("source", "target"):
      path = os.path.join(folder, name)
      if not os.path.isdir(path): # two pairs may be on the same files
        os.makedirs(path)
    self.source = self.node(source, os.path.join(folder, "source"))
    self.target = self.node(target, os.path.join(folder, "target"))

  @staticmethod
  def node(which, folder):
    return nodes.Node(which, folder)

  def start(self, guest, **hvparams):
    parameters = dict(CAREFUL, migration_port=8102, **nodes.boot(guest))
    parameters.update(hvparams)
    self.source.start(**parameters)
    self.target.adopt(nodes.NAME, dict(self.source.instance.hvparams,
                                       kvm_path=self.target.qemu))
    for node in (self.source, self.target):
      node.instance.primary_node = "node1"
      if patched.has("migration"):
        configure(node, range(4))
    self.report = self.source.wait_for_guest()

  def accept(self):
    info = self.told()
    self.target.hyper.AcceptInstance(self.target.instance, info, HERE)
    return info

  def told(self):
    """Ask the source."""
    return self.translated(
      self.source.hyper.MigrationInfo(self.source.instance))

  def translated(self, info):
    """Call the source's folder like the target's, as it is on real nodes."""
    loaded = json.loads(info)
    loaded[0] = [str(word).replace(self.source.folder, self.target.folder)
                 for word in loaded[0]]
    loaded[2]["kvm_path"] = self.target.qemu
    return json.dumps(loaded)

  def migrate(self):
    """Have the source send, and wait for the result.

    @rtype: string
    @return: QEMU's last word on it

    """
    self.source.hyper.MigrateInstance("cluster", self.source.instance, HERE,
                                      True)
    return self.wait()

  def wait(self):
    """Wait until a migration has ended, one way or the other."""
    def ended_as():
      status = migration_status(self.source)
      return status in ("completed", "failed", "cancelled") and status

    return nodes.wait_until(ended_as, "the migration ends")

  def finalize(self, info, success):
    try:
      self.target.hyper.FinalizeMigrationDst(self.target.instance, info,
                                             success)
    except errors.HypervisorError as err:
      # Ganeti goes on; its master ends nothing that has no runtime file here
      if success or is_plugin(self.target):
        raise
      print(err)
    self.source.hyper.FinalizeMigrationSource(self.source.instance, success,
                                              True)

  def arrives(self, info):
    """Have the guest move, which has to succeed, and finish that."""
    assert self.migrate() == "completed"
    self.finalize(info, True)

  def stop(self):
    for node in (self.source, self.target):
      node.stop()


@pytest.fixture
def pair(request, tmpdir):
  sides = request.param
  for reason in [nodes.unfit(side) for side in sides]:
    if reason:
      pytest.skip(reason)
  made = Pair(sides[0], sides[1], str(tmpdir))
  try:
    yield made
  finally:
    made.stop()


def between(*sides):
  return pytest.mark.parametrize(
    "pair", sides, indirect=True, ids=["%s to %s" % both for both in sides])


BOTH = ("plugin", "plugin")
OUT = ("plugin", "unmodified")
BACK = ("unmodified", "plugin")


def is_alive(pair, node):
  """Check that the guest goes on with the same devices."""
  booted = pair.source.uptime
  assert node.wait_for_guest() == pair.report
  assert node.uptime > booted


def arrives(pair, info):
  """Have the guest move, and check that it goes on there."""
  pair.arrives(info)
  is_alive(pair, pair.target)


def is_clean(node):
  """Check that nothing of the instance is there.

  Unmodified Ganeti leaves the sockets of a QEMU that has died.

  """
  if not is_plugin(node):
    return
  left = [name for folder in ("_CONF_DIR", "_CTRL_DIR", "_PIDS_DIR")
          for name in os.listdir(getattr(node.hyper, folder))
          if name.startswith(nodes.NAME)]
  assert left == [] and waiting(node) == []


def waiting(node):
  """Return the runtime files of guests that are still to arrive."""
  folder = os.path.join(node.folder, "kvm-pci")
  return [name for name in os.listdir(folder) if name.endswith(".arriving")
          ] if os.path.isdir(folder) else []


def listed(node):
  """Return what Ganeti's queries are told of the instances on a node."""
  return [info[0] for info in node.hyper.GetAllInstancesInfo()]


@between(BOTH, OUT, BACK, ("unmodified", "unmodified"))
def test_it_moves(pair, guest):
  pair.start(guest)
  agreed = pair.source.agreed_slots()
  info = pair.accept()
  path = pair.target.hyper._InstanceKVMRuntime(nodes.NAME)
  # QEMU runs there, the instance does not
  for _ in range(2):
    assert listed(pair.target) == ARRIVING and not os.path.exists(path)
    assert pair.target.hyper.ListInstances() == [nodes.NAME]
  assert listed(pair.source) == [nodes.NAME]
  arrives(pair, info)
  assert listed(pair.target) == [nodes.NAME]
  assert pair.target.agreed_slots() == agreed
  is_clean(pair.source)
  if is_plugin(pair.target):
    assert waiting(pair.target) == []


@pytest.mark.skipif((qemu_version.version(nodes.QEMU) or (0, 0)) < (7, 1),
                    reason="QEMU has no -audio")
@nodes.NOT_ON_GANETIS_Q35 # the card would take the balloon's slot
@between(BOTH)
@pytest.mark.parametrize("card", ["ac97", "hda"])
def test_a_sound_card_of_an_older_qemu_moves(pair, guest, card):
  """QEMU made it by itself, for an option that this QEMU has not."""
  made, written = "-audio none,model=" + card, "-soundhw " + card
  pair.start(guest, kvm_extra=made)
  agreed, slots = pair.source.agreed_slots(), slots_of(pair.source)
  path = pair.source.hyper._InstanceKVMRuntime(nodes.NAME)
  with open(path) as stream:
    text = stream.read()
  old, new = [", ".join('"%s"' % word for word in words.split(" "))
              for words in (made, written)]
  assert text.count(old) == 1
  with open(path, "w") as stream:
    stream.write(text.replace(old, new))
  info = pair.accept()
  words = json.loads(info)[0]
  assert "-soundhw" not in words and "-device" in words
  arrives(pair, info)
  assert pair.target.agreed_slots() == agreed
  assert slots_of(pair.target) == slots


@pytest.mark.skipif(not hasattr(constants, "HV_VIRTIO_DISK_IOTHREADS") or
                    (qemu_version.version(nodes.QEMU) or (0, 0)) < (9, 0),
                    reason="several IOThreads need a newer Ganeti and QEMU")
@between(BOTH)
def test_what_keeps_off_disks_with_several_iothreads_moves(pair, guest):
  """Where devices are is decided once, when the guest boots."""
  pair.source.vcpus = pair.target.vcpus = 2
  pair.start(guest, virtio_disk_iothreads=2, disk_aio="native",
             disk_cache="none", kvm_pci_reservations=8,
             kvm_extra=" ".join(["-device virtio-rng-pci"] * 9))
  # a slot below devices that have theirs
  pair.source.hot_del(nodes.DISK, 0, 0)
  slots = slots_of(pair.source)
  assert not nodes.ON_PC or slots[0] == [
    0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 24, 25]
  info = pair.accept()
  pair.report = pair.source.wait_for_guest()
  arrives(pair, info)
  assert slots_of(pair.target) == slots
  pools = nodes.pools()
  assert pair.target.agreed_slots() == ([pools[nodes.DISK][1]],
                                        list(pools[nodes.NIC][:2]))


def slots_of(node):
  """List the slots, and ports, that have something."""
  return (sorted(node.live()), node.own())


def eject(pair, slot):
  """Have the guest eject a device, without being asked."""
  serial = Socket(pair.source.hyper._InstanceSerial(nodes.NAME),
                  nodes.PATIENCE)
  # behind a root port the slot's name says nothing, the bus's number does
  where = "00:%02x" % slot
  if not nodes.ON_PC:
    (number, ) = [device["pci_bridge"]["bus"]["secondary"] for device in
                  nodes.root_bus(pair.source.watch())
                  if device["qdev_id"] == "rp%d" % slot]
    where = "%02x:00" % number
  serial.sock.sendall((
    "\ncd /sys/bus/pci/slots; for s in *; do [ `cat $s/address` = 0000:%s ] &&"
    " echo 0 > $s/power; done; cd /\n" % where).encode("ascii"))
  nodes.wait_until(lambda: slot not in pair.source.live(), "it is ejected")
  serial.sock.close()


def configure(node, numbers):
  """Have Ganeti's configuration have some of the disks and NICs.

  @param numbers: in the order of the runtime file, the disks first

  """
  node.instance.disks = [nodes.disk(number).uuid for number in numbers
                         if number < 2]
  node.instance.nics = [nodes.nic(number - 2) for number in numbers
                        if number >= 2]


def ejected_on_the_way(pair, slots):
  """Move a guest that ejects devices while it is copied."""
  info = pair.accept()
  # that takes longer than the guest
  pair.source.instance.hvparams.update(migration_bandwidth=1,
                                       migration_downtime=1)
  pair.source.hyper.MigrateInstance("cluster", pair.source.instance, HERE, True)
  for slot in slots:
    eject(pair, slot)
  assert migration_status(pair.source) == "active"
  tell(pair.source, "migrate-set-parameters", max_bandwidth=1 << 30,
       downtime_limit=10000)
  assert pair.wait() == "completed"
  assert set(slots) <= set(pair.target.live())
  pair.finalize(info, True)


@between(BOTH)
@pytest.mark.parametrize("numbers", [[3], [2, 3]])
def test_what_the_guest_ejects_while_it_is_copied_is_removed(pair, guest,
                                                             numbers):
  """QEMU's stream does not say that the source has it no longer.

  These are NICs: with a disk that is no longer configured no guest moves.

  """
  pair.start(guest)
  disks, nics = pair.source.agreed_slots()
  slots = [(disks + nics)[number] for number in numbers]
  configure(pair.target, [number for number in range(4)
                          if number not in numbers])
  ejected_on_the_way(pair, slots)
  assert pair.target.agreed_slots() == tuple(
    [slot for slot in there if slot not in slots] for there in (disks, nics))
  assert not set(slots) & set(pair.target.live())
  # the guest agrees
  pair.target.wait_until_guest_sees(
    *[len(found) for found in pair.target.agreed_slots()])
  # the backends were removed
  agree(pair.target)


@between(BOTH)
def test_a_configured_device_is_not_removed_from_a_guest(pair, guest, caplog):
  """A guest that has disabled a device looks as if it had ejected it."""
  caplog.set_level("WARNING")
  pair.start(guest)
  agreed = pair.source.agreed_slots()
  configure(pair.target, range(4))
  ejected_on_the_way(pair, [agreed[0][1]])
  assert pair.target.agreed_slots() == agreed
  assert set(sum(agreed, [])) <= set(pair.target.live())
  assert "ejected or disabled" in caplog.text
  assert "it stays attached" in caplog.text


@between(BOTH)
def test_leftovers_of_an_incoming_migration_are_harmless(pair, guest):
  """Its node daemon was killed before it could clean up."""
  pair.start(guest)
  pair.accept()
  os.kill(pair.target.pid(), signal.SIGKILL)
  assert len(waiting(pair.target)) == 1
  assert listed(pair.target) in ([], ARRIVING)
  nodes.wait_until(lambda: not pair.target.hyper.ListInstances(),
                   "QEMU has ended")
  assert waiting(pair.target) == []
  arrives(pair, pair.accept())


@between(BOTH, OUT)
def test_it_moves_with_addresses_that_no_device_option_names(pair, guest,
                                                             tmpdir):
  config = tmpdir.join("more.cfg")
  config.write('[device "more"]\n  driver = "virtio-rng-pci"\n  addr = "1e"\n')
  # on q35, USB has 0x1d, and Ganeti's own layout all below 0x1b
  named = (0x18, 0x1e, 0x1d) if nodes.ON_PC else (0x1b, 0x1e, 0x1c)
  pair.start(guest, kvm_extra="-device virtio-rng-pci,id=rng0 -set"
             " device.rng0.addr=0x%x -readconfig %s"
             " -net nic,model=e1000,addr=%x -net user" %
             (named[0], config, named[2]))
  agreed = pair.source.agreed_slots()
  assert agreed[1] == ([25, 26] if nodes.ON_PC else [3, 4])
  arrives(pair, pair.accept())
  assert pair.target.agreed_slots() == agreed
  ids = dict((device["slot"], device["qdev_id"])
             for device in nodes.root_bus(pair.target.watch()))
  assert [ids[slot] for slot in named] == ["rng0", "more", ""]


@between(BOTH, OUT, ("unmodified", "unmodified"))
def test_a_target_that_dies_leaves_the_guest_where_it_is(pair, guest):
  pair.start(guest)
  info = pair.accept()
  os.kill(pair.target.pid(), signal.SIGKILL)
  try:
    status = pair.migrate()
  except errors.HypervisorError as err: # nobody listens
    status = str(err)
  print(status)
  assert status != "completed"
  pair.finalize(info, False)
  is_alive(pair, pair.source)
  is_clean(pair.target)
  # and now it can move
  arrives(pair, pair.accept())


def spoil(info):
  """Add a device to a runtime file, which nobody has."""
  loaded = json.loads(info)
  loaded[0] += ["-device", "virtio-rng-pci,addr=0x1e"]
  return json.dumps(loaded)


def lose(info):
  """Remove a device from a runtime file."""
  loaded = json.loads(info)
  del loaded[3][1]
  return json.dumps(loaded)


def take_anything(pair, info):
  """Have unmodified Ganeti start a target from a runtime file, unchecked."""
  nodes.hypervisor_class("unmodified").AcceptInstance(
    pair.target.hyper, pair.target.instance, info, HERE)
  return info


def ended(pid):
  """Wait until a process has ended."""
  nodes.wait_until(lambda: not os.path.exists("/proc/%d" % pid),
                   "process %d has ended" % pid)


@between(BOTH, ("unmodified", "unmodified"))
def test_a_target_that_cannot_take_it_over_costs_no_guest(request, pair, guest):
  """The second net: nobody has compared, and a device is missing."""
  is_unmodified = "unmodified" in request.node.name and \
    not patched.has("migration")
  pair.start(guest)
  info = take_anything(pair, lose(pair.told()))
  pid = pair.target.pid()
  status = pair.migrate()
  assert status == ("completed" if is_unmodified else "failed")
  if is_unmodified: # Ganeti would end the source now
    ended(pid)
    return
  pair.finalize(info, False)
  is_alive(pair, pair.source)
  is_clean(pair.target)
  arrives(pair, pair.accept())
  agreed = pair.target.agreed_slots()
  assert len(agreed[0]) == 2 and len(agreed[1]) == 2


def link(pair, number, index):
  """Link a disk's data by the index of the disk, as Ganeti does on a node."""
  data = os.path.join(pair.source.folder, "data%d" % number)
  if not os.path.exists(data):
    with open(data, "wb") as stream:
      stream.truncate(1 << 20)
  path = os.path.join(pair.source.folder, "%s:%d" % (nodes.NAME, index))
  if os.path.lexists(path):
    os.remove(path)
  os.symlink(data, path)
  return path


def data_of(node, numbers):
  """Return what QEMU has as the data of disks, by their numbers."""
  # a -drive has its name beside what is inserted, a -blockdev within
  names = dict((found["node-name"], found["file"])
               for found in tell(node, "query-named-block-nodes"))
  names.update((drive["device"], drive["inserted"]["file"])
               for drive in tell(node, "query-block") if "inserted" in drive)
  return [os.path.basename(os.path.realpath(names[hv_kvm._GenerateDeviceKVMId(
    nodes.DISK, nodes.disk(number))])) for number in numbers]


@between(BOTH, ("unmodified", "unmodified"))
def test_a_disk_keeps_its_data_though_its_index_changes(pair, guest,
                                                        monkeypatch):
  # the disk 2 is added when there is one
  indices = {0: 0, 1: 1, 2: 1}
  monkeypatch.setattr(nodes.Node, "image", lambda _, number: link(
    pair, number, indices[number]))
  pair.start(guest)
  with monkeypatch.context() as lent:
    slow_guest.lend(pair.source, lent)
    pair.source.hot_del(nodes.DISK, 0, 0)
  pair.source.hot_add(nodes.DISK, 2, 1)
  pair.source.wait_until_guest_sees(2, 2)
  for node in (pair.source, pair.target):
    node.instance.disks = [nodes.disk(number).uuid for number in (1, 2)]
  # those of the target
  link(pair, 1, 0)
  link(pair, 2, 1)
  info = pair.accept()
  found = data_of(pair.target, (1, 2))
  if not is_plugin(pair.source) and not patched.has("migration"):
    assert found == ["data2", "data2"]
    return
  assert found == ["data1", "data2"]
  pair.arrives(info)
  pair.target.wait_until_guest_sees(2, 2)
  assert [os.path.basename(disk[1]) for disk in
          pair.target.hyper._LoadKVMRuntime(pair.target.instance)[3]] == [
            "%s:%d" % (nodes.NAME, index) for index in range(2)]


@between(BOTH)
def test_a_target_with_more_devices_is_refused_and_ended(pair, guest):
  pair.start(guest)
  info = spoil(pair.told())
  with pytest.raises(errors.HypervisorError) as caught:
    pair.target.hyper.AcceptInstance(pair.target.instance, info, HERE)
  print(caught.value)
  assert ("slot 30%s: nothing on the source, virtio-rng-pci on the target" %
          ("" if nodes.ON_PC else " of pcie.0")) in str(caught.value)
  is_clean(pair.target)
  arrives(pair, pair.accept())


def retold(info, change):
  """Change what the source tells of its guest's devices."""
  loaded = json.loads(info)
  ((name, told), ) = loaded[4].items()
  loaded[4] = {name: change(told)}
  return json.dumps(loaded)


def later(told):
  """Tell it as a later release might: one more value, the next version."""
  if "version" not in told:
    told["machine"] = [values + [None] for values in told["machine"]]
    return told
  for device in told["devices"]:
    device["hotplugged"] = None
  return dict(told, version=told["version"] + 1)


def more(told):
  """Tell it with one more value in the same version."""
  if "version" in told:
    return dict(later(told), version=told["version"])
  return later(told)


def first(told):
  """Tell it as the first release did, of which the target knows pci.0."""
  names = ["bus", "address", "model", "driver", "id", "backend", "mac", "size"]
  return {"node": told["source"], "machine": [
    [device[name] for name in names] for device in told["devices"]
    if device["bus"] == "pci.0"] + [
      [None, [0], None, "drive", "ide0-hd0", None, None, 4096]]}


@between(BOTH)
@pytest.mark.parametrize("change", [
  later, more, pytest.param(first, marks=nodes.ON_PC_ONLY)])
def test_another_release_on_the_source_is_no_reason_to_refuse(pair, guest,
                                                              change):
  pair.start(guest)
  info = retold(pair.told(), change)
  pair.target.hyper.AcceptInstance(pair.target.instance, info, HERE)
  arrives(pair, info)


#: Where the second IDE disk is; AHCI has one on each bus.
_SECOND = "bus=ide.0,unit=1" if nodes.ON_PC else "bus=ide.1,unit=0"


def by_option(monkeypatch, node, address="bus=ide.0,unit=0"):
  """Have a node start IDE disks by options, as Ganeti 3.1 does.

  @param address: of the first disk

  """
  plain = node.hyper._RunKVMCmd

  def run(name, kvm_cmd, tap_fds=None):
    command = []
    for word in kvm_cmd:
      if ",if=ide" in str(word):
        number = int(word.partition(",")[0][-1])
        drive = "disk-" + nodes.disk(number).uuid.rsplit("-", 2)[0]
        command += [
          word.replace("if=ide", "if=none") + ",id=" + drive, "-device",
          "ide-hd,drive=%s,%s" % (drive, _SECOND if number else address)]
      else:
        command.append(word)
    # QEMU leaves out its own where an option makes an IDE disk
    return plain(name, command + ["-device", "ide-cd,unit=0,bus=ide.%d" %
                                  (1 if nodes.ON_PC else 2)], tap_fds)

  monkeypatch.setattr(node.hyper, "_RunKVMCmd", run)


IDE = pytest.mark.skipif(
  (constants.VERSION_MAJOR, constants.VERSION_MINOR) > (3, 0),
  reason="this Ganeti starts IDE disks by options itself")


@IDE
@between(BOTH)
@pytest.mark.parametrize("which", ["source", "target"])
def test_ide_disks_by_drive_or_by_device_are_the_same(pair, guest, which,
                                                      monkeypatch):
  by_option(monkeypatch, getattr(pair, which))
  pair.start(guest, disk_type="ide")
  arrives(pair, pair.accept())


@IDE
@between(BOTH)
@pytest.mark.parametrize("which", ["source", "target"])
def test_an_ide_disk_on_another_bus_is_refused(pair, guest, which, monkeypatch):
  by_option(monkeypatch, getattr(pair, which),
            "bus=ide.1,unit=1" if nodes.ON_PC else "bus=ide.3,unit=0")
  pair.start(guest, disk_type="ide")
  with pytest.raises(errors.HypervisorError) as caught:
    pair.accept()
  print(caught.value)
  for place in ["0 on bus 0 of the controller at pci.0/1.1",
                "1 on bus 1 of the controller at pci.0/1.1"] \
      if nodes.ON_PC else ["0 on bus 0 of the controller at pcie.0/31.2",
                           "0 on bus 3 of the controller at pcie.0/31.2"]:
    assert place in str(caught.value)
  is_clean(pair.target)
  is_alive(pair, pair.source)


@between(BOTH, OUT, BACK)
@pytest.mark.skipif(
  (constants.VERSION_MAJOR, constants.VERSION_MINOR) < (2, 16),
  reason="this Ganeti has no disk_type scsi-hd")
def test_disks_behind_two_controllers_of_one_name_move(pair, guest):
  pair.target.image(7)
  pair.start(guest, disk_type="scsi-hd", scsi_controller_type="virtio-scsi-pci",
             kvm_extra="-device scsi-cd -device virtio-scsi-pci -drive if=none,"
             "id=x,file=%s,format=raw -device scsi-hd,drive=x,bus=scsi.0,"
             "scsi-id=5" % pair.source.image(7))
  arrives(pair, pair.accept())


@between(BOTH)
def test_a_guest_that_moved_is_not_called_back(pair, guest):
  """The job died before it could finish, and somebody cleans up."""
  pair.start(guest)
  pair.accept()
  pid = pair.source.pid()
  assert pair.migrate() == "completed"
  with pytest.raises(errors.HypervisorError) as caught:
    pair.source.hyper.MigrationInfo(pair.source.instance)
  print(caught.value)
  assert "kill %d" % pid in str(caught.value)
  # as it says; then Ganeti finds the guest on the other node alone
  pair.source.stop()
  assert listed(pair.target) == ARRIVING
  assert pair.target.hyper.ListInstances() == [nodes.NAME]
  assert listed(pair.target) == [nodes.NAME] and waiting(pair.target) == []
  is_alive(pair, pair.target)
  assert [len(found) for found in pair.target.agreed_slots()] == [2, 2]


def hot_add_vcpu(node, device_id):
  """Hot-add the guest's second vCPU; return what an option would say."""
  (free, ) = [slot for slot in tell(node, "query-hotpluggable-cpus")
              if "qom-path" not in slot]
  keys = dict(free["props"], driver=free["type"])
  if device_id:
    keys["id"] = device_id
  tell(node, "device_add", **dict(
    (name.replace("-", "_"), value) for name, value in keys.items()))
  assert vcpus(node) == 2
  driver = keys.pop("driver")
  return ",".join([driver] + ["%s=%s" % pair for pair in sorted(keys.items())])


def vcpus(node):
  return len(tell(node, "query-cpus-fast"))


@between(BOTH)
@pytest.mark.parametrize("device_id", ["cpu1", None])
def test_a_hot_added_vcpu_moves(pair, guest, device_id):
  pair.start(guest, kvm_extra="-smp 1,maxcpus=2")
  option = hot_add_vcpu(pair.source, device_id)
  with pytest.raises(errors.HypervisorError) as caught:
    pair.accept()
  print(caught.value)
  for words in (nodes.NAME, "is not migrated", "undo that at QEMU's monitor",
                "vCPUs: 1 in the runtime file, 2 in QEMU"):
    assert words in str(caught.value)
  is_alive(pair, pair.source)
  # who hot-adds it can write it down
  path = pair.source.hyper._InstanceKVMRuntime(nodes.NAME)
  with open(path) as stream:
    loaded = json.load(stream)
  loaded[0] += ["-device", option]
  with open(path, "w") as stream:
    json.dump(loaded, stream)
  arrives(pair, pair.accept())
  assert vcpus(pair.target) == 2


@between(("unmodified", "unmodified"))
def test_a_vcpu_too_few_ends_an_unchecked_target(pair, guest):
  """Its QEMU refuses what the guest sends, after the source has said that all
  was sent: Ganeti would end the source now. With the series "migration", the
  source waits for the target to confirm."""
  pair.start(guest, kvm_extra="-smp 1,maxcpus=2")
  hot_add_vcpu(pair.source, "cpu1")
  pair.accept()
  pid = pair.target.pid()
  waits = patched.has("migration")
  assert pair.migrate() == ("failed" if waits else "completed")
  ended(pid)
  if waits:
    is_alive(pair, pair.source)


def changed(monkeypatch, node, change):
  """Have a node start another QEMU.

  @param change: function of a command

  """
  plain = node.hyper._RunKVMCmd

  def run(name, kvm_cmd, *args, **others):
    return plain(name, change(kvm_cmd), *args, **others)

  monkeypatch.setattr(node.hyper, "_RunKVMCmd", run)
  return lambda: monkeypatch.setattr(node.hyper, "_RunKVMCmd", plain)


def refused_by_target(pair, words):
  """Check that the target refuses, says why, and costs no guest."""
  with pytest.raises(errors.HypervisorError) as caught:
    pair.accept()
  print(caught.value)
  for part in [nodes.NAME, "is not migrated",
               "shut the instance down and start it"] + words:
    assert part in str(caught.value)
  is_clean(pair.target)
  is_alive(pair, pair.source)


@between(BOTH)
def test_another_number_of_vcpus_is_refused(pair, guest, monkeypatch):
  pair.start(guest)
  undo = changed(monkeypatch, pair.target, lambda command: command + [
    "-smp", "2"])
  refused_by_target(pair, ["vCPUs: 1 on the source, 2 on the target"])
  undo()
  arrives(pair, pair.accept())


@between(BOTH)
def test_another_number_of_queues_is_refused(pair, guest, monkeypatch):
  pair.start(guest)
  slot = pair.source.agreed_slots()[0][0]
  (device_id, ) = [name for at, name in pair.source.live().items()
                   if at == slot]
  undo = changed(monkeypatch, pair.target, lambda command: [
    word + ",num-queues=4" if str(word).startswith("virtio-blk-pci") and
    "id=%s" % device_id in str(word) else word for word in command])
  refused_by_target(pair, [
    device_id, nodes.at(slot), "queues: 1 on the source, 4 on the target",
    "vectors: 2 on the source, 5 on the target"])
  undo()
  arrives(pair, pair.accept())


KNOWS_Q35 = versions.knows_q35(hv_kvm.KVMHypervisor)
Q35 = {"machine_version": "q35"}

#: What travels with a q35 guest, and is in no file.
MARK = "--ganeti-kvm-pci:"


def marked(node):
  """Name the files of a node in which it is."""
  found = []
  for folder, _, names in os.walk(node.folder):
    for name in names:
      path = os.path.join(folder, name)
      # no disk, and no socket
      if name.endswith((".runtime", ".arriving")) or "runtime" in name:
        with open(path) as stream:
          if MARK in stream.read():
            found.append(path)
  return found


def kept(node):
  """Return a node's runtime file as data."""
  with open(node.hyper._InstanceKVMRuntime(nodes.NAME)) as stream:
    return json.load(stream)


@pytest.mark.skipif(KNOWS_Q35, reason="this Ganeti knows q35")
@between(OUT)
def test_a_q35_guest_does_not_move_to_a_node_without_the_plugin(pair, guest):
  """It could not be hotplugged there, nor started again."""
  pair.start(guest, **Q35)
  before = kept(pair.source)
  for _ in range(2):
    info = pair.told()
    began = time.time()
    with pytest.raises(errors.HypervisorError) as caught:
      pair.target.hyper.AcceptInstance(pair.target.instance, info, HERE)
    print("after %.2f s: %s" % (time.time() - began, caught.value))
    assert str(caught.value).count(
      "instance %s is a q35 guest and cannot move to a node without"
      " ganeti-kvm-pci; enable it there (ganeti-kvm-pci enable --restart) and"
      " migrate again" % nodes.NAME) == 1
    # no QEMU was there that a guest could have moved to
    assert not os.path.exists(pair.target.hyper._InstancePidFile(nodes.NAME))
    pair.finalize(info, False)
    is_alive(pair, pair.source)
  assert kept(pair.source) == before
  assert not marked(pair.source) and not marked(pair.target)
  assert not os.path.exists(pair.target.hyper._InstanceKVMRuntime(nodes.NAME))
  # and it goes on as before
  pair.source.hot_add(nodes.DISK, 2, 2)
  assert pair.source.agreed_slots()[0] == [11, 12, 13]


@between(BOTH)
def test_a_q35_guest_moves_between_nodes_with_the_plugin(pair, guest):
  """After an attempt that failed, too."""
  pair.start(guest, **Q35)
  agreed = pair.source.agreed_slots()
  assert agreed == ([11, 12], [3, 4])
  info = pair.accept()
  assert (MARK in info) is not KNOWS_Q35
  assert len(waiting(pair.target)) == 1
  pid = pair.target.pid()
  with open("/proc/%d/cmdline" % pid) as stream:
    assert MARK not in stream.read()
  assert not marked(pair.source) and not marked(pair.target)
  os.kill(pid, signal.SIGKILL)
  ended(pid)
  pair.finalize(info, False)
  is_clean(pair.target)
  is_alive(pair, pair.source)
  assert not marked(pair.source)
  info = pair.accept()
  arrives(pair, info)
  assert not marked(pair.target)
  assert pair.target.agreed_slots() == agreed
  pair.target.hot_add(nodes.DISK, 2, 2)
  assert pair.target.agreed_slots()[0] == [11, 12, 13]
  pair.target.hyper.RebootInstance(pair.target.instance)
  assert not marked(pair.target)


@pytest.mark.skipif(not KNOWS_Q35, reason="this Ganeti starts no q35 guest")
@between(OUT, BACK, ("unmodified", "unmodified"))
def test_a_q35_guest_moves_to_and_from_a_ganeti_that_knows_q35(pair, guest):
  pair.start(guest, **Q35)
  ports = [word for word in kept(pair.source)[0] if "pcie-root-port" in
           str(word)]
  agreed = pair.source.agreed_slots()
  assert agreed == ([11, 12], [3, 4])
  info = pair.accept()
  assert MARK not in info
  arrives(pair, info)
  assert pair.target.agreed_slots() == agreed
  assert [word for word in kept(pair.target)[0]
          if "pcie-root-port" in str(word)] == ports
  pair.target.hot_add(nodes.DISK, 2, 2)
  pair.target.hot_add(nodes.NIC, 2, 2)
  assert pair.target.agreed_slots() == ([11, 12, 13], [3, 4, 5])
