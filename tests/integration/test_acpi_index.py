"""NICs that a guest names by a number: acpi-index, with the real QEMU.

On root ports each NIC has one; on pci.0 those of an instance with the tag.
Ganeti itself does not know the key: what becomes of it there is tried as well.

"""

import json

import pytest

import nodes
import test_migration
from ganeti import errors
from ganeti.hypervisor import hv_kvm
from ganeti_kvm_pci import qemu_version
from ganeti_kvm_pci.qemu import acpi_index
from nodes import NIC
from test_migration import pair # pylint: disable=unused-import

pytestmark = [
  pytest.mark.skipif(not hasattr(hv_kvm, "_GenerateDeviceHVInfo"),
                     reason="before 2.16, a runtime file has no room for it"),
  pytest.mark.skipif((qemu_version.version(nodes.QEMU) or (0, 0)) <
                     acpi_index.SINCE_BEHIND_PORTS, reason="QEMU has none"),
  ]

#: What the guest is sent: its NICs' numbers by the last digit of their MAC.
SHOW = ("for d in /sys/class/net/eth*; do read -r m < $d/address;"
        " read -r n < $d/device/acpi_index || read -r n <"
        " $d/device/../acpi_index || n=none;"
        " echo MAC=${m##*:0}=$n; done 2> /dev/null; true\n")


def tag(node, *tags):
  """Have an instance started with tags."""
  adopt = node.adopt

  def with_tags(*args):
    adopt(*args)
    node.instance.tags = set(tags)
  node.adopt = with_tags


def in_guest(node):
  """Ask the guest: NIC's number to its acpi_index, or None."""
  found = {}
  for line in node.console(SHOW):
    if line.startswith("MAC="):
      number, index = line.split("=")[1:]
      found[int(number, 16)] = int(index) if index != "none" else None
  return found


def seen(node, expected):
  """Wait until the guest has these numbers."""
  return nodes.until(lambda: in_guest(node), lambda has: has == expected)


def in_file(node):
  with open(node.hyper._InstanceKVMRuntime(nodes.NAME)) as stream:
    return [nic["hvinfo"].get("acpi-index") for nic in json.load(stream)[1]]


def in_qemu(node):
  """Ask QEMU: slot, or port, of a NIC to its number."""
  live = node.live()
  qmp = node.watch()
  try:
    return dict(
      (slot, qmp.execute("qom-get", path="/machine/peripheral/" + name,
                         property="acpi-index"))
      for slot, name in live.items() if name and "nic-" in name)
  finally:
    qmp.sock.close()


PLUGIN = pytest.mark.parametrize("which", ["plugin"], indirect=True)


@PLUGIN
def test_the_guest_sees_the_numbers_hot_added_too(node, guest):
  tag(node, acpi_index.TAG, "other")
  node.start(**nodes.boot(guest))
  first = nodes.pools()[NIC][0]
  assert in_qemu(node) == {first: 1, first + 1: 2}
  node.wait_for_guest()
  assert seen(node, {0: 1, 1: 2}) == {0: 1, 1: 2}
  node.hot_add(NIC, 4, 2)
  assert in_file(node) == [1, 2, 3]
  assert in_qemu(node)[first + 2] == 3
  assert seen(node, {0: 1, 1: 2, 4: 3}) == {0: 1, 1: 2, 4: 3}
  # on the same slot it has the same number
  node.hot_del(NIC, 1, 1)
  node.hot_add(NIC, 5, 1)
  assert in_file(node) == [1, 3, 2]
  assert seen(node, {0: 1, 4: 3, 5: 2}) == {0: 1, 4: 3, 5: 2}
  node.hyper.RebootInstance(node.instance)
  assert in_file(node) == [1, 2, 3] and set(in_qemu(node).values()) == {1, 2, 3}


@PLUGIN
@pytest.mark.skipif(nodes.MACHINE_TYPE != "pc", reason="there it needs no tag")
def test_the_tag_takes_effect_at_the_next_cold_boot(node):
  node.start(paused=True)
  assert in_file(node) == [None, None] and set(in_qemu(node).values()) == {0}
  node.instance.tags = set([acpi_index.TAG])
  # what runs is left alone
  node.hot_add(NIC, 4, 2)
  assert in_file(node) == [None] * 3 and set(in_qemu(node).values()) == {0}
  node.hyper.RebootInstance(node.instance)
  assert in_file(node) == [None] * 3
  node.stop()
  tag(node, acpi_index.TAG)
  node.start(nics=3, paused=True)
  assert in_file(node) == [1, 2, 3]
  node.stop()
  tag(node)
  node.start(nics=3, paused=True)
  assert in_file(node) == [None] * 3


@PLUGIN
@pytest.mark.skipif(nodes.MACHINE_TYPE != "pc", reason="there it needs no tag")
def test_a_guest_without_nics_goes_by_the_tag(node):
  tag(node, acpi_index.TAG)
  node.start(nics=0, paused=True)
  node.hot_add(NIC, 0, 0)
  assert in_file(node) == [1] and list(in_qemu(node).values()) == [1]


@PLUGIN
def test_numbers_are_the_same_on_pc_and_q35(node):
  tag(node, acpi_index.TAG)
  found = []
  for chosen in ("pc", "q35", "pc"):
    node.start(nics=8, paused=True, machine_version=chosen)
    found.append(in_file(node))
    assert sorted(in_qemu(node).values()) == list(range(1, 9))
    node.stop()
  assert found == [list(range(1, 9))] * 3


@PLUGIN
def test_no_number_is_given_twice(node):
  tag(node, acpi_index.TAG)
  node.start(nics=3, paused=True,
             kvm_extra="-device e1000,id=own,acpi-index=2")
  assert in_file(node) == [1, None, 3]
  node.stop()
  node.start(nics=3, paused=True, kvm_extra="-device e1000,acpi-index=9")
  assert in_file(node) == [1, 2, 3]
  # one that an administrator has added
  qmp = node.watch()
  # on pc, above what is left of QEMU's range
  bus = {"bus": "rp26"} if nodes.MACHINE_TYPE != "pc" else {"addr": "0x17"}
  qmp.execute("device_add", **dict({"driver": "e1000", "id": "byhand",
                                    "acpi-index": 4}, **bus))
  qmp.sock.close()
  node.hot_add(NIC, 4, 3)
  node.hot_add(NIC, 5, 4)
  assert in_file(node) == [1, 2, 3, None, 5]


@PLUGIN
@pytest.mark.parametrize("nic_type", ["e1000", "rtl8139", "ne2k_isa"])
def test_every_type_of_nic_on_pci_gets_one(node, nic_type):
  tag(node, acpi_index.TAG)
  node.start(paused=True, nic_type=nic_type)
  assert in_file(node) == ([None, None] if nic_type == "ne2k_isa" else [1, 2])


@PLUGIN
@pytest.mark.skipif(nodes.MACHINE_TYPE != "pc", reason="its ports say no less")
def test_a_qemu_without_it_gives_none(node, monkeypatch, caplog):
  tag(node, acpi_index.TAG)
  monkeypatch.setattr(qemu_version, "version", lambda _: (5, 2))
  node.start(paused=True)
  assert in_file(node) == [None, None]
  assert "QEMU 5.2 does not have it" in caplog.text


def migrate(pair):
  pair.arrives(pair.accept())
  pair.source, pair.target = pair.target, pair.source
  for node in (pair.source, pair.target):
    node.instance.primary_node = "node1"


@test_migration.between(test_migration.BOTH)
def test_the_numbers_go_there_and_back(pair, guest):
  tag(pair.source, acpi_index.TAG)
  pair.start(guest)
  pair.source.hot_add(NIC, 4, 2)
  pair.target.instance.tags = set([acpi_index.TAG])
  numbers = {0: 1, 1: 2, 4: 3}
  for _ in range(2):
    assert seen(pair.source, numbers) == numbers
    migrate(pair)
    assert in_file(pair.source) == [1, 2, 3]
    assert sorted(in_qemu(pair.source).values()) == [1, 2, 3]
  pair.source.hot_add(NIC, 5, 3)
  assert in_file(pair.source) == [1, 2, 3, 4]
  numbers[5] = 4
  assert seen(pair.source, numbers) == numbers


@test_migration.between(test_migration.BOTH)
def test_a_qemu_without_it_refuses_the_guest_in_words(pair, guest,
                                                      monkeypatch):
  """As QEMU 5.2 does; the guest goes on."""
  tag(pair.source, acpi_index.TAG)
  pair.start(guest)
  with open(pair.target.qemu, "r+") as stream:
    text = stream.read()
    stream.seek(0)
    stream.write(text.replace("old_qemu.main(", (
      "if any('acpi-index' in word for word in sys.argv):\n"
      "  sys.exit('qemu: -device virtio-net-pci: Property"
      " \\'virtio-net-pci.acpi-index\\' not found')\nold_qemu.main("), 1))
  monkeypatch.setattr(qemu_version, "version", lambda path: (
    5, 2) if path == pair.target.qemu else (7, 2))
  with pytest.raises(errors.HypervisorError) as caught:
    pair.accept()
  said = str(caught.value)
  assert "QEMU 5.2 does not know acpi-index (6.0 does), which" in said
  assert pair.source.wait_for_guest()


@pytest.mark.skipif(nodes.MACHINE_TYPE != "pc", reason="none can be started")
@test_migration.between(test_migration.OUT)
def test_what_unmodified_ganeti_makes_of_it(pair, guest):
  tag(pair.source, acpi_index.TAG)
  pair.start(guest)
  migrate(pair)
  node = pair.source
  # it goes along with the device
  assert in_file(node) == [1, 2] and sorted(in_qemu(node).values()) == [1, 2]
  assert seen(node, {0: 1, 1: 2}) == {0: 1, 1: 2}
  # what it adds itself has none
  try:
    node.hot_add(NIC, 4, 2)
  except errors.HypervisorError as err:
    assert "should have been added" in str(err)
    return
  assert in_file(node) == [1, 2, None]
  # and back
  migrate(pair)
  assert in_file(pair.source) == [1, 2, None]
  pair.source.hot_add(NIC, 5, 3)
  assert in_file(pair.source)[-1] is not None
