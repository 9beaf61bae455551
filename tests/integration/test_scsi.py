"""Disks on the SCSI bus: no id is given twice, none that cannot be.

Here QEMU removes devices without the guest, so it never runs.

"""

import pytest

from ganeti import errors

from qemu_state import Inventory, agree, runtime_devices, tell
from test_faults import hasten, id_of, text_of
from nodes import DISK
import faults
import patched
import nodes

pytestmark = pytest.mark.skipif(faults.column() is None, reason=faults.NONE)

VIRTIO = {"disk_type": "scsi-hd", "scsi_controller_type": "virtio-scsi-pci"}
LSI = dict(VIRTIO, scsi_controller_type="lsi")
#: What QEMU says of a device that comes before its controller.
NO_BUS = "No 'SCSI' bus found"
CD = "-drive if=none,id=cd,media=cdrom -device scsi-cd,drive=cd"


def hot_add(node, which, number, seq, monkeypatch):
  """Hot-add a disk.

  @rtype: bool
  @return: False where unmodified Ganeti fails though QEMU has attached it

  """
  if which == "plugin" or \
      not faults.here("an attached SCSI disk: its hot-add fails"):
    node.hot_add(DISK, number, seq)
    return True
  before = runtime_devices(node)
  with monkeypatch.context() as patched:
    hasten(patched)
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_add(DISK, number, seq)
  assert "should have been added but is missing" in text_of(caught)
  assert id_of(DISK, number) in Inventory(node).devices
  assert runtime_devices(node) == before
  return False


def scsi_ids(node):
  return sorted(runtime_devices(node)[id_of(DISK, n)] for n in range(2))


def test_a_disk_that_is_attached_is_hot_added(node, which, monkeypatch):
  node.start(nics=0, **VIRTIO)
  if hot_add(node, which, 2, 2, monkeypatch):
    assert agree(node).devices[id_of(DISK, 2)] == 2


def test_an_implicit_cd_keeps_its_id(node, which):
  if which == "unmodified":
    with pytest.raises(errors.HypervisorError) as caught:
      node.start(nics=0, kvm_extra=CD, **VIRTIO)
    text_of(caught)
    is_early = faults.here("a SCSI device of kvm_extra finds no bus")
    assert (NO_BUS in node.log()) == is_early
    assert faults.here("a CD-ROM and a disk get one SCSI id") is (
      None if is_early else True)
    return
  node.start(nics=0, kvm_extra=CD, **VIRTIO)
  assert scsi_ids(node) == [1, 2]
  node.hot_add(DISK, 2, 2)
  assert agree(node).devices[id_of(DISK, 2)] == 3


def test_an_id_that_somebody_took_by_hand_is_not_given(node, which,
                                                       monkeypatch):
  node.start(nics=0, **VIRTIO)
  tell(node, "human-monitor-command", command_line="drive_add dummy file=%s,"
       "if=none,id=byhand,format=raw" % node.image(9))
  tell(node, "device_add", driver="scsi-hd", id="byhand-disk", drive="byhand",
       bus="scsi.0", scsi_id=2)
  if which == "unmodified" and \
      faults.here("a SCSI id that something has is given"):
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_add(DISK, 2, 2)
    text_of(caught)
    found = Inventory(node)
    assert id_of(DISK, 2) in found.drives
    assert id_of(DISK, 2) not in found.devices
    return
  if hot_add(node, which, 2, 2, monkeypatch):
    agree(node)
  assert Inventory(node).devices[id_of(DISK, 2)] == 3


def test_an_id_taken_at_the_last_moment_leaves_nothing_behind(
    node, which, monkeypatch):
  plain = nodes.hv_kvm.QmpConnection.HotAddDisk

  def HotAddDisk(self, disk, *args, **kwargs):
    monkeypatch.undo()
    tell(node, "device_add", driver="scsi-cd", id="byhand", bus="scsi.0",
         scsi_id=disk.hvinfo["scsi-id"])
    return plain(self, disk, *args, **kwargs)

  node.start(nics=0, **VIRTIO)
  monkeypatch.setattr(nodes.hv_kvm.QmpConnection, "HotAddDisk", HotAddDisk)
  with pytest.raises(errors.HypervisorError) as caught:
    node.hot_add(DISK, 2, 2)
  text = text_of(caught)
  if which == "unmodified" and \
      faults.here("a refused SCSI disk leaves its drive"):
    found = Inventory(node)
    assert id_of(DISK, 2) in found.drives
    assert id_of(DISK, 2) not in found.devices
    return
  if which == "plugin":
    for word in (nodes.NAME, id_of(DISK, 2), "scsi-id 2"):
      assert word in text
  agree(node)
  if hot_add(node, which, 2, 2, monkeypatch):
    agree(node)
  assert Inventory(node).devices[id_of(DISK, 2)] == 3


def test_lsi_has_eight_ids_and_says_so_at_the_start(node, which):
  with pytest.raises(errors.HypervisorError) as caught:
    node.start(9, 0, **LSI)
  text = text_of(caught)
  if which == "plugin":
    for word in (nodes.NAME, "9 disks", "scsi_controller_type=lsi", "has 8",
                 "virtio-scsi-pci"):
      assert word in text


def test_lsi_has_seven_ids_for_what_is_hot_added(node, which, monkeypatch):
  """The eighth is its own, and the guest does not look there."""
  node.start(6, 0, **LSI)
  if not hot_add(node, which, 6, 6, monkeypatch):
    assert faults.here("the id of the controller lsi is given") is None
    return
  before = agree(node).devices
  assert sorted(before.values()) == list(range(7))
  if which == "unmodified":
    assert faults.here("the id of the controller lsi is given")
    node.hot_add(DISK, 7, 7)
    assert agree(node).devices[id_of(DISK, 7)] == 7
    return
  with pytest.raises(errors.GenericError) as caught:
    node.hot_add(DISK, 7, 7)
  text = text_of(caught)
  for word in (nodes.NAME, "lsi", "7 the controller itself",
               "virtio-scsi-pci"):
    assert word in text
  assert agree(node).devices == before


def test_the_id_of_a_removed_disk_is_free_again(node, which, monkeypatch):
  node.start(8, 0, **LSI)
  node.hot_del(DISK, 3, 3)
  agree(node)
  if hot_add(node, which, 8, 7, monkeypatch):
    agree(node)
  assert Inventory(node).devices[id_of(DISK, 8)] == 3


@pytest.mark.parametrize("number", [15, 200])
def test_disks_beyond_the_ids_of_unmodified_ganeti(node, which, number,
                                                   monkeypatch):
  """Unmodified Ganeti stops at 16 ids, whatever the controller has."""
  node.start(nics=0, **VIRTIO)
  # as it is where something by hand holds all below
  tell(node, "human-monitor-command", command_line="drive_add dummy file=%s,"
       "if=none,id=%s,format=raw" % (node.image(2), id_of(DISK, 2)))
  tell(node, "device_add", driver="scsi-hd", id=id_of(DISK, 2), bus="scsi.0",
       drive=id_of(DISK, 2), channel=0, scsi_id=number, lun=0)
  added = nodes.disk(2)
  added.hvinfo = {"driver": "scsi-hd", "id": id_of(DISK, 2), "bus": "scsi.0",
                  "channel": 0, "scsi-id": number, "lun": 0}
  runtime = node.hyper._LoadKVMRuntime(node.instance)
  runtime[3].append((added, node.image(2), None))
  node.hyper._SaveKVMRuntime(node.instance, runtime)
  if which == "unmodified":
    if number > 15 and faults.here("a SCSI id above 15: IndexError"):
      with pytest.raises(IndexError):
        node.hot_add(DISK, 3, 3)
      return
    if hot_add(node, which, 3, 3, monkeypatch):
      agree(node)
    assert Inventory(node).devices[id_of(DISK, 3)] == 2
    return
  node.hot_add(DISK, 3, 3)
  assert agree(node).devices[id_of(DISK, 3)] == number + 1


#: A CD-ROM drive on Ganeti's controller, one more controller, whose bus has the
#: same name, and a disk on that.
SECOND = ("-device scsi-cd -device virtio-scsi-pci -drive if=none,id=x,"
          "file=%s,format=raw -device scsi-hd,drive=x,id=extra,bus=scsi.0,"
          "scsi-id=5")
#: The name of Ganeti's that is unique.
FIRST_BUS = ("/i440FX-pcihost/pci.0" if nodes.ON_PC else
             "/q35-pcihost/pcie.0") + (
               "/scsi/virtio-bus/virtio-scsi-device/scsi.0")


def bus_of(node, name):
  return tell(node, "qom-get", path="/machine/peripheral/" + name,
              property="parent_bus")


def test_ids_of_two_controllers_are_not_mixed(node, which, monkeypatch):
  """Both buses are scsi.0: QEMU takes the later for that."""
  extra = SECOND % node.image(7)
  if which == "unmodified" and \
      faults.here("a SCSI device of kvm_extra finds no bus"):
    with pytest.raises(errors.HypervisorError):
      node.start(nics=0, kvm_extra=extra, **VIRTIO)
    assert NO_BUS in node.log()
    assert faults.here("two SCSI controllers: their ids are mixed") is None
    return
  node.start(nics=0, kvm_extra=extra, **VIRTIO)
  assert scsi_ids(node) == [0, 1]
  tell(node, "device_add", driver="scsi-cd", id="byhand", bus=FIRST_BUS,
       scsi_id=2)
  if not hot_add(node, which, 2, 2, monkeypatch):
    assert faults.here("two SCSI controllers: their ids are mixed") is None
    return
  if which == "unmodified" and patched.has("ask-qemu"):
    # what one of them has, neither is given
    for number in (3, 4):
      node.hot_add(DISK, number, number)
    assert [runtime_devices(node)[id_of(DISK, n)] for n in (2, 3, 4)] == [
      3, 4, 6]
    return
  assert runtime_devices(node)[id_of(DISK, 2)] == 2
  for number in (3, 4, 5):
    if number == 5 and which == "unmodified":
      assert faults.here("two SCSI controllers: their ids are mixed")
      with pytest.raises(errors.HypervisorError):
        node.hot_add(DISK, 5, 5)
      return
    node.hot_add(DISK, number, number)
  assert [runtime_devices(node)[id_of(DISK, n)] for n in (3, 4, 5)] == [3, 4, 6]
  # all on one, with the other's disk
  buses = set(bus_of(node, id_of(DISK, n)) for n in range(6))
  assert buses == set([bus_of(node, "extra")])
  assert buses != set([bus_of(node, "byhand")])
