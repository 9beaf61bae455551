"""Which backends of a QEMU are orphans, and that none other is removed."""

import pytest

from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.qmp import backends
from ganeti_kvm_pci.qmp import block_layer
from ganeti_kvm_pci.qmp import client

#: Ids of Ganeti's form that are no device's of the instance.
DRIVE = "disk-11111111-2222-3333"
OLD_DRIVE = "hotdisk-11111111-pci-9"
NETDEV = "nic-11111111-2222-3333"


@pytest.fixture
def disks(tmpdir):
  """Provide a function that makes a disk's file."""
  def make(name):
    path = tmpdir.join(name)
    path.write(b"")
    with open(str(path), "wb") as stream:
      stream.truncate(1 << 20)
    return "file=%s,format=raw" % path
  return make


def users_own(disks, names):
  """Return options as users write them: drives and netdevs in use.

  @param names: four ids for drives, two for netdevs

  """
  extra, data, one, jobs, mgmt, hub = names
  return [
    "-drive", disks("extra") + ",if=none,id=" + extra,
    "-device", "virtio-blk-pci,drive=" + extra,
    "-drive", disks("data") + ",if=virtio,id=" + data,
    "-drive", disks("one") + ",if=ide,id=" + one,
    # of the drive's node, not of the drive
    "-drive", disks("jobs") + ",if=none,node-name=base,id=" + jobs,
    "-device", "virtio-blk-pci,drive=base,share-rw=on",
    "-netdev", "user,id=" + mgmt, "-device", "e1000,netdev=" + mgmt,
    "-netdev", "user,id=" + hub,
    "-netdev", "hubport,hubid=0,id=port,netdev=" + hub]


#: Like those of the users' own, and in Ganeti's form in full.
LIKE = ["disk-extra", "disk-data", "disk-1", "disk-jobs", "nic-mgmt", "nic-hub"]
FULL = [name % n for n, name in enumerate(
  ["disk-0000000%d-2222-3333"] * 2 + ["hotdisk-0000000%d-pci-9"] * 2 +
  ["nic-0000000%d-2222-3333", "hotnic-0000000%d-pci-30"])]


def seen(execute):
  """Tell what the block layer and the network have, drive by drive."""
  return [execute("human-monitor-command", {"command-line": line})
          for line in ("info block", "info network")]


@pytest.mark.parametrize("command", ["unknown", "known"])
@pytest.mark.parametrize("names", [LIKE, FULL], ids=["like", "full"])
def test_what_is_used_is_no_orphan_and_stays(qemu, disks, monkeypatch, names,
                                             command):
  monkeypatch.setattr(backends, "_RELEASE_LIMIT", 0.05)
  options = users_own(disks, names)
  with client.connect(qemu.start(*options)) as execute:
    before = seen(execute)
    words = options if command == "known" else []
    assert backends.orphans(execute, [], words) == []
    for name in names:
      device_class = NIC if "nic-" in name else DISK
      try:
        assert backends.take_back(execute, device_class, name, words) == []
      except CommandError as err:
        assert "in use" in str(err)
    assert backends.sweep(execute, [], words) == ([], [])
    assert seen(execute) == before
  for text in ("extra", "data", "one", "jobs"):
    # not "[not inserted]"
    assert "/%s (raw)" % text in before[0]


def test_what_only_bears_such_a_name_and_is_not_used_stays(qemu, disks):
  options = ["-drive", disks("a") + ",if=none,id=disk-spare",
             "-drive", disks("b") + ",if=none,id=" + DRIVE,
             "-netdev", "user,id=nic-spare", "-netdev", "user,id=" + NETDEV]
  with client.connect(qemu.start(*options)) as execute:
    before = seen(execute)
    # in kvm_extra; device_add by hand may follow
    assert backends.sweep(execute, [], options) == ([], [])
    assert seen(execute) == before
    # nobody's
    assert backends.orphans(execute, [], []) == [(DISK, DRIVE), (NIC, NETDEV)]
    assert backends.sweep(execute, [], []) == (
      ["drive " + DRIVE, "netdev " + NETDEV], [])
    after = seen(execute)
  assert "disk-spare" in after[0] and "/a (raw)" in after[0]
  assert "nic-spare" in after[1]
  assert DRIVE not in after[0] and NETDEV not in after[1]


def test_what_qemu_has_dropped_meanwhile_is_removed(qemu, disks, monkeypatch):
  """Between the look and the removal, as its last user does."""
  plain = block_layer.Blocks.look_for_users
  with client.connect(qemu.start()) as execute:
    def drop(blocks, execute):
      plain(blocks, execute)
      if DRIVE in blocks.drives:
        execute("human-monitor-command",
                {"command-line": "drive_del " + DRIVE})
      if DRIVE in blocks.nodes:
        execute("blockdev-del", {"node-name": DRIVE})
    monkeypatch.setattr(block_layer.Blocks, "look_for_users", drop)
    execute("human-monitor-command", {
      "command-line": "drive_add dummy %s,if=none,id=%s" %
                      (disks(DRIVE), DRIVE)})
    assert DRIVE in seen(execute)[0]
    assert backends.take_back(execute, DISK, DRIVE, []) == []
    execute("blockdev-add", {
      "driver": "null-co", "node-name": DRIVE})
    assert backends.take_back(execute, DISK, DRIVE, []) == []
    assert DRIVE not in seen(execute)[0]


def test_orphans_of_unmodified_ganeti_are_removed(qemu, disks):
  """Made as Ganeti makes it, for devices that QEMU then refused."""
  with client.connect(qemu.start()) as execute:
    for name in (DRIVE, OLD_DRIVE):
      said = execute("human-monitor-command", {
        "command-line": "drive_add dummy %s,if=none,id=%s" %
                        (disks(name), name)})
      assert said.strip() == "OK"
    node = DRIVE.replace("1111-", "1112-")
    execute("blockdev-add", {
      "driver": "raw", "node-name": node,
      "file": {"driver": "file", "filename": disks("n")[5:].split(",")[0]}})
    execute("netdev_add", {"type": "user", "id": NETDEV})
    assert backends.sweep(execute, [], []) == (
      ["drive " + DRIVE, "block node " + node, "drive " + OLD_DRIVE,
       "netdev " + NETDEV], [])
    assert backends.orphans(execute, [], []) == []


def test_a_node_that_another_stands_upon_or_is_exported_stays(
    qemu, disks, tmpdir, monkeypatch):
  monkeypatch.setattr(backends, "_RELEASE_LIMIT", 0.05)
  other = DRIVE.replace("disk-1", "disk-2")
  with client.connect(qemu.start()) as execute:
    for name in (DRIVE, other):
      execute("blockdev-add", {
        "driver": "file", "node-name": name,
        "filename": disks(name)[5:].split(",")[0]})
    execute("blockdev-add", {"driver": "raw", "node-name": "upon",
                             "file": DRIVE})
    execute("nbd-server-start", {"addr": {
      "type": "unix", "data": {"path": str(tmpdir.join("nbd"))}}})
    execute("nbd-server-add", {"device": other})
    assert backends.orphans(execute, [], []) == []
    for name in (DRIVE, other):
      with pytest.raises(CommandError) as caught:
        backends.take_back(execute, DISK, name, [])
      assert "in use" in str(caught.value)
    nodes = [node["node-name"] for node in
             execute("query-named-block-nodes", None)]
    assert DRIVE in nodes and other in nodes
