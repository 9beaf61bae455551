"""Runtime files in the form of another version: same guest, newer form."""

import copy
import json
import uuid

import pytest

import genuine
from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import upgrade

#: Parameters that Ganeti 3.0's and 3.1's hot-add reads from the runtime file.
HOT_ADD = ["disk_aio", "disk_cache", "disk_discard", "disk_type", "nic_type",
           "vhost_net", "virtio_net_queues"]


def load(change=None, name="v2.15.2-plain"):
  data = json.loads(genuine.text_of(name))
  if change:
    change(data)
  return serialized.parse(json.dumps(data), "f")


def command(words, version=(3, 1)):
  """Normalise a command that ends with some words; return what they become."""
  loaded = load(lambda data: data[0].extend(words), "v3.1.1-plain")
  before = len(loaded.command) - len(words)
  unchanged = list(loaded.command[:before])
  changes = upgrade.normalise(loaded, version)
  assert loaded.command[:before] == unchanged
  assert upgrade.normalise(loaded, version) == []
  return (loaded.command[before:], changes)


@pytest.mark.parametrize("name", genuine.NAMES)
def test_every_genuine_file_stays_the_same_guest(name):
  for version in genuine.VERSION:
    if name in genuine.writable_by(version):
      stays_the_same_guest(name, version)


def stays_the_same_guest(name, version):
  loaded = genuine.load(name)
  before = device_table.DeviceTable(loaded)
  words = loaded.words
  changes = upgrade.normalise(loaded, version)
  after = device_table.parse(loaded.dump(), name)
  assert after.devices == before.devices
  assert after.partition.reservations == before.partition.reservations
  # all that the newer form of these files does to what QEMU is given
  if upgrade.has_hvinfo(version) and "-balloon" in words:
    at = words.index("-balloon")
    words[at:at + 2] = ["-device", "virtio-balloon" +
                        words[at + 1][len("virtio"):]]
  assert after.command == words
  text = loaded.dump()
  assert upgrade.normalise(loaded, version) == []
  assert loaded.dump() == text
  assert bool(changes) == (json.loads(text) !=
                           json.loads(genuine.text_of(name)))


@pytest.mark.parametrize("name", genuine.NAMES)
def test_upstream_finds_all_it_asks_for(name):
  loaded = genuine.load(name)
  upgrade.normalise(loaded, (3, 0))
  data = json.loads(loaded.dump())
  assert len(data) == 4
  for parameter in HOT_ADD:
    assert parameter in data[2]
  for entry in data[1] + [disk[0] for disk in data[3]]:
    assert isinstance(entry["hvinfo"], dict) and "pci" not in entry
    assert entry["uuid"]


@pytest.mark.parametrize("name", [
  name for name in genuine.NAMES if genuine.version_of(name) == (3, 0)])
def test_what_is_in_the_form_of_the_version_stays_as_it_is(name):
  loaded = genuine.load(name)
  assert upgrade.normalise(loaded, (3, 0)) == []
  assert json.loads(loaded.dump()) == json.loads(genuine.text_of(name))


def test_ids_are_those_that_qemu_knows():
  loaded = load(name="v2.12.6-hdaspice+hotplug")
  changes = upgrade.normalise(loaded, (3, 0))
  assert [d[0]["hvinfo"]["id"] for d in loaded.disks] == [
    "hotdisk-0000d151-pci-7", "hotdisk-0000d152-pci-10"]
  assert loaded.nics[0]["hvinfo"] == {
    "driver": "virtio-net-pci", "id": "hotnic-000041c1-pci-9",
    "bus": "pci.0", "addr": "0x9"}
  assert "nic 0 (hotnic-000041c1-pci-9): pci 9 to hvinfo" in changes


@pytest.mark.parametrize("hvinfo", [None, "absent"])
def test_a_null_for_an_address_is_none(hvinfo):
  def change(data):
    data[1][0]["hvinfo"] = None
    if hvinfo:
      del data[1][0]["hvinfo"]
  loaded = load(change)
  upgrade.normalise(loaded, (3, 0))
  assert loaded.nics[0]["hvinfo"]["addr"] == "0x6"


@pytest.mark.parametrize("disk_type", ["ide", "scsi", "sd", "mtd", "pflash"])
def test_a_disk_that_is_not_on_pci_gets_no_slot_there(disk_type):
  loaded = load(lambda data: data[2].update(disk_type=disk_type))
  before = device_table.DeviceTable(loaded).devices
  upgrade.normalise(loaded, (3, 0))
  assert loaded.disks[0][0]["hvinfo"] == {
    "driver": disk_type, "id": "hotdisk-0000d150-pci-4"}
  assert loaded.nics[0]["hvinfo"]["addr"] == "0x6"
  assert device_table.DeviceTable(loaded).devices == before


def test_a_nic_that_is_not_on_pci_gets_no_slot_there():
  loaded = load(lambda data: data[2].update(nic_type="ne2k_isa"))
  upgrade.normalise(loaded, (3, 0))
  assert "bus" not in loaded.nics[0]["hvinfo"]
  assert loaded.disks[0][0]["hvinfo"]["addr"] == "0x4"


def without_uuids(data):
  for nic in data[1]:
    del nic["uuid"]


@pytest.mark.parametrize("version", [(2, 10), (3, 0), (3, 1)])
def test_a_nic_without_uuid_gets_one_that_stays_the_same(version):
  found = []
  for _ in range(2):
    loaded = load(without_uuids, "v2.9.6-plain")
    changes = upgrade.normalise(loaded, version)
    found.append([nic["uuid"] for nic in loaded.nics])
    assert "nic 1: uuid %s" % found[-1][1] in changes
    assert upgrade.normalise(loaded, version) == []
  assert found[0] == found[1] and len(set(found[0])) == 2
  assert [str(uuid.UUID(word)) for word in found[0]] == found[0]


def test_it_is_the_same_on_every_python_and_in_every_release():
  loaded = load(without_uuids, "v2.9.6-plain")
  upgrade.normalise(loaded, (3, 0))
  assert [nic["uuid"] for nic in loaded.nics] == [
    "71332107-c04c-550e-981c-357a878ff0d8",
    "50ebe109-1fe6-5eb7-8aad-80c2438c72b9"]


def test_nics_of_other_instances_or_macs_get_other_uuids():
  found = set()
  for name in (u"a", u"a.ex", u"b.ex", u"\u00e9\ud800"):
    for mac in ("aa:00:00:00:00:00", "aa:00:00:00:00:01"):
      def change(data):
        without_uuids(data)
        data[0][2] = name # pylint: disable=cell-var-from-loop
        data[1][0]["mac"] = mac # pylint: disable=cell-var-from-loop
        del data[1][1:]
      loaded = load(change, "v2.9.6-plain")
      upgrade.normalise(loaded, (3, 0))
      found.add(loaded.nics[0]["uuid"])
  assert len(found) == 8


def test_what_follows_the_name_in_its_option_is_no_part_of_it():
  found = set()
  for name in ("vm1", "vm1,debug-threads=on"):
    def change(data):
      without_uuids(data)
      data[0][2] = name # pylint: disable=cell-var-from-loop
    loaded = load(change, "v2.9.6-plain")
    upgrade.normalise(loaded, (3, 0))
    found.add(loaded.nics[0]["uuid"])
  assert len(found) == 1


def test_three_entries_become_four():
  loaded = load(name="v2.9.6-plain")
  changes = upgrade.normalise(loaded, (3, 1))
  assert json.loads(loaded.dump())[3] == []
  assert "a list of disks, as Ganeti 2.10 and later expect" in changes
  assert "nic 0: no slot of its own" in changes
  assert loaded.nics[0]["hvinfo"] == {}


def test_an_older_version_is_not_given_newer_addresses():
  loaded = load(name="v3.0.2-plain")
  with pytest.raises(RuntimeFileError) as caught:
    upgrade.normalise(loaded, (2, 15))
  assert "ganeti-kvm-pci downgrade" in str(caught.value)


@pytest.mark.parametrize("noted, version, expected", [
  (None, (2, 15), None), (None, (2, 16), "default"), (None, (3, 0), "default"),
  (None, (3, 1), "ignore"), ("default", (3, 0), "default"),
  ("default", (3, 1), "ignore"), ("ignore", (3, 0), "ignore"),
  ("unmap", (3, 0), "unmap"), ("unmap", (3, 1), "unmap")])
def test_disk_discard_says_what_qemu_does(noted, version, expected):
  def change(data):
    data[2].pop("disk_discard", None)
    if noted:
      data[2]["disk_discard"] = noted
  loaded = load(change)
  upgrade.normalise(loaded, version)
  assert loaded.hvparams.get("disk_discard") == expected


def test_what_is_in_the_file_outweighs_what_would_be_neutral():
  loaded = load(lambda data: data[2].update(disk_aio="native",
                                            virtio_net_queues=4))
  upgrade.normalise(loaded, (3, 0))
  assert loaded.hvparams["disk_aio"] == "native"
  assert loaded.hvparams["virtio_net_queues"] == 4
  loaded = load(lambda data: data[2].pop("disk_aio", None))
  upgrade.normalise(loaded, (3, 0))
  assert loaded.hvparams["disk_aio"] == "threads"
  assert loaded.hvparams["virtio_net_queues"] == 1


@pytest.mark.parametrize("others", [[], ["-vnc", "127.0.0.1:5"]])
def test_chroot_is_left_to_each_start_from_3_1_on(others):
  words = ["-chroot", "/var/run/ganeti/kvm-hypervisor/chroot/vm1"] + others
  assert command(words, (3, 0)) == (words, [])
  assert command(words, (3, 1)) == (others, ["-chroot left to each start"])
  assert command(words, (3, 2))[0] == others


VNC = [
  # what Ganeti up to 2.16 writes, with vnc_tls, vnc_x509_path and
  # vnc_x509_verify
  (":5,tls", "tls-creds-anon,id=vnctls0,endpoint=server",
   ":5,tls-creds=vnctls0"),
  ("127.0.0.1:5,tls,x509=/pki", "tls-creds-x509,id=vnctls0,endpoint=server,"
   "dir=/pki,verify-peer=no", "127.0.0.1:5,tls-creds=vnctls0"),
  (":5,password,tls,x509verify=/pki,lossy", "tls-creds-x509,id=vnctls0,"
   "endpoint=server,dir=/pki,verify-peer=yes",
   ":5,password,tls-creds=vnctls0,lossy"),
  ("unix:/run/vm1.vnc,x509=/pki,tls", "tls-creds-x509,id=vnctls0,"
   "endpoint=server,dir=/pki,verify-peer=no",
   "unix:/run/vm1.vnc,tls-creds=vnctls0"),
  ]


@pytest.mark.parametrize("old, credentials, new", VNC)
def test_vncs_tls_becomes_an_object(old, credentials, new):
  assert command(["-vnc", old, "-usb"]) == (
    ["-object", credentials, "-vnc", new, "-usb"], ["-vnc's TLS to an object"])


@pytest.mark.parametrize("argument", [
  "none", ":5", "127.0.0.1:5,password", ":5,tls-creds=vnctls0"])
def test_other_vnc_stays(argument):
  assert command(["-vnc", argument]) == (["-vnc", argument], [])


@pytest.mark.parametrize("old, new", [
  (["-balloon", "virtio"], ["-device", "virtio-balloon"]),
  (["-balloon", "virtio,id=balloon,bus=pci.0,addr=0x4"],
   ["-device", "virtio-balloon,id=balloon,bus=pci.0,addr=0x4"]),
  (["-balloon", "none"], []),
  (["-localtime"], ["-rtc", "base=localtime"]),
  # what kvm_extra says once more
  (["-localtime", "-usb", "-localtime"],
   ["-rtc", "base=localtime", "-usb", "-rtc", "base=localtime"]),
  (["-balloon", "none", "-balloon", "virtio"], ["-device", "virtio-balloon"]),
  (["-vnc", ":1", "-vnc", ":2,tls"],
   ["-vnc", ":1", "-object", "tls-creds-anon,id=vnctls0,endpoint=server",
    "-vnc", ":2,tls-creds=vnctls0"]),
  ])
def test_options_that_qemu_has_dropped(old, new):
  assert command(old)[0] == new
  assert command(old)[1]


@pytest.mark.parametrize("words", [
  ["-balloon"], ["-vnc"], ["-chroot"], ["-balloon", 5], ["-vnc", 5]])
def test_an_option_without_its_argument_stays(words):
  assert command(words) == (words, [])


@pytest.mark.parametrize("name", ["nic_type", "disk_type"])
def test_a_type_that_is_empty_names_no_driver(name):
  def change(data):
    data[2][name] = ""
  with pytest.raises(RuntimeFileError) as caught:
    load(change)
  assert "the parameter %s is no word: ''" % name in str(caught.value).replace(
    "u'", "'")


@pytest.mark.parametrize("words", [
  ["-localtime"], ["-balloon", "virtio"], ["-vnc", ":5,tls"],
  ["-chroot", "/x"]])
def test_before_2_16_the_command_stays(words):
  loaded = load(lambda data: data[0].extend(words))
  before = copy.copy(loaded.command)
  upgrade.normalise(loaded, (2, 15))
  assert loaded.command == before


def with_disk(**changes):
  """A runtime file of which the first disk is another."""
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[3][0][0].update(changes)
  return serialized.parse(json.dumps(data), "f")


def test_a_guest_that_was_started_without_iothreads_gets_none():
  loaded = with_disk()
  changes = upgrade.normalise(loaded, (3, 2), True)
  assert "parameter virtio_disk_iothreads=0" in changes
  assert loaded.hvparams["virtio_disk_iothreads"] == 0
  loaded.hvparams["virtio_disk_iothreads"] = 4
  assert upgrade.normalise(loaded, (3, 2), True) == []
  assert loaded.hvparams["virtio_disk_iothreads"] == 4


@pytest.mark.parametrize("known", [False, None])
def test_a_ganeti_that_does_not_know_iothreads_is_told_nothing(known):
  loaded = with_disk()
  upgrade.normalise(loaded, (3, 2), known)
  assert "virtio_disk_iothreads" not in loaded.hvparams


@pytest.mark.parametrize("version, known", [((3, 1), None), ((3, 2), False)])
@pytest.mark.parametrize("keys", [
  {"iothread": "iothread0"},
  {"iothread-vq-mapping": [{"iothread": "iothread0"}]}])
def test_an_iothread_that_ganeti_does_not_create_is_refused(version, known,
                                                            keys):
  loaded = with_disk()
  loaded.disks[0][0]["hvinfo"].update(keys)
  with pytest.raises(RuntimeFileError) as caught:
    upgrade.normalise(loaded, version, known)
  for words in ("disk 0: served by an iothread", "downgrade --to 3.1"):
    assert words in str(caught.value)
  upgrade.normalise(loaded, (3, 2), True)
  upgrade.normalise(loaded, (3, 2))


def test_firmware_gets_no_address():
  """Its disk has a role, and QEMU has no device of it."""
  loaded = with_disk(role="firmware")
  del loaded.disks[0][0]["hvinfo"]
  before = loaded.dump()
  upgrade.normalise(loaded, (3, 2))
  assert "hvinfo" not in loaded.disks[0][0]
  assert json.loads(loaded.dump())[3] == json.loads(before)[3]
