"""The backends of devices, and which of them are removed."""

import pytest

from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.errors import CommandError
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qmp import backends

NAME = "nic-000000a2-1111-2222"
OTHER = "nic-000000a3-1111-2222"
DISK_NAME = "disk-000000d2-1111-2222"
OLD_NAME = "hotdisk-000000d2-pci-9"


class Qemu(object):
  """A QEMU, as far as backends go."""

  def __init__(self):
    self.nodes = []
    self.drives = []
    self.devices = {} # drive to what uses it
    self.edges = [] # (user, its type, block node)
    self.netdevs = []
    self.nics = [] # netdevs of NICs that are there
    self.no_graph = False
    self.passed = []
    self.sets = {}
    self.refuses = 0
    self.drops = None # what it removes by itself after it was looked for

  def execute(self, command, arguments):
    name = list(arguments.values())[0] if arguments else None
    if command == "query-named-block-nodes":
      return [{"node-name": node, "file": file} for node, file in self.nodes]
    if command == "query-block":
      return [dict({"device": drive, "inserted": {"node-name": "#" + drive}},
                   **({"qdev": self.devices[drive]}
                      if drive in self.devices else {}))
              for drive in self.drives]
    if command == "x-debug-query-block-graph":
      graph = self.graph()
      if self.drops:
        self.drives = [drive for drive in self.drives if drive != self.drops]
        self.nodes = [node for node in self.nodes if node[0] != self.drops]
      return graph
    if command == "query-fdsets":
      return [{"fdset-id": number, "fds": [{"fd": fd} for fd in fds]}
              for number, fds in sorted(self.sets.items())]
    if command == "qom-list":
      return []
    if command == "human-monitor-command":
      if name == "info network":
        return "".join("%s: index=0,type=tap,fd=20\r\n" % netdev
                       for netdev in self.netdevs if netdev not in self.nics) \
          + "".join("e1000.0: index=0,type=nic,model=e1000\r\n"
                    " \\ %s: index=0,type=tap,fd=21\r\n" % netdev
                    for netdev in self.nics)
      if name.split()[1] not in self.drives:
        return "Error: Device '%s' not found\r\n" % name.split()[1]
      self.drives.remove(name.split()[1])
      return ""
    if self.refuses and command == "blockdev-del":
      self.refuses -= 1
      raise CommandError(command, "Node %s is in use" % name)
    if command == "blockdev-del":
      if name not in [node for node, _ in self.nodes]:
        raise CommandError(command, "Failed to find node with node-name='%s'" %
                           name)
      self.nodes = [node for node in self.nodes if node[0] != name]
      return {}
    if command == "remove-fd":
      del self.sets[name]
      return {}
    left = {"netdev_del": self.netdevs, "closefd": self.passed}[command]
    if name not in left:
      raise CommandError(command, "%s not found" % name)
    left.remove(name)
    return {}

  def graph(self):
    """What uses what: each drive its node, and whatever the test says."""
    if self.no_graph:
      raise CommandError("x-debug-query-block-graph", "not found")
    edges = [(drive, "block-backend", "#" + drive) for drive in self.drives]
    edges += self.edges
    users = [(name, driver) for name, driver, _ in edges]
    nodes = sorted(set(node for _, _, node in edges) |
                   set(node for node, _ in self.nodes))
    return {
      "nodes": [{"id": at, "name": name, "type": driver}
                for at, (name, driver) in enumerate(users)] +
               [{"id": 100 + at, "name": name, "type": "block-driver"}
                for at, name in enumerate(nodes)],
      "edges": [{"parent": at, "child": 100 + nodes.index(node)}
                for at, (_, _, node) in enumerate(edges)]}


@pytest.fixture
def qemu():
  return Qemu()


def test_a_netdev_is_removed_and_others_stay(qemu):
  qemu.netdevs = [NAME, OTHER]
  assert backends.take_back(qemu.execute, NIC, NAME, []) == ["netdev " + NAME]
  assert qemu.netdevs == [OTHER]
  assert backends.take_back(qemu.execute, NIC, NAME, []) == []


def test_descriptors_are_closed_where_the_first_was_used(qemu):
  # a netdev that was refused has used the first queue's
  qemu.passed = [NAME + "-1", NAME + "-7", NAME + "-vhost-0", "nic-other-0"]
  assert len(backends.close_descriptors(qemu.execute, NAME)) == 3
  assert qemu.passed == ["nic-other-0"]


def test_a_set_that_a_disk_reads_from_stays(qemu):
  qemu.sets = {0: [20], 3: [23], 4: [], 11: [24]}
  qemu.nodes = [(DISK_NAME, "/dev/fdset/0"), ("disk-y", "json:{/dev/fdset/11}")]
  assert backends.close_sets(qemu.execute, []) == ["descriptors /dev/fdset/3"]
  assert sorted(qemu.sets) == [0, 4, 11]


def test_what_is_in_use_for_a_moment_is_waited_for(qemu):
  qemu.nodes = [(DISK_NAME, "/dev/fdset/0")]
  qemu.sets = {0: [20]}
  qemu.refuses = 2
  assert backends.take_back(qemu.execute, DISK, DISK_NAME, []) == [
    "block node " + DISK_NAME, "descriptors /dev/fdset/0"]
  assert (qemu.nodes, qemu.sets) == ([], {})


def test_what_stays_in_use_is_an_error(qemu, monkeypatch):
  monkeypatch.setattr(backends, "_RELEASE_LIMIT", 0.02)
  qemu.nodes = [(DISK_NAME, "x")]
  qemu.refuses = 1000
  with pytest.raises(MonitorError) as caught:
    backends.take_back(qemu.execute, DISK, DISK_NAME, [])
  assert "in use" in str(caught.value)


def test_a_drive_is_removed_by_the_human_monitor(qemu):
  qemu.drives = [OLD_NAME, "ide0-cd0"]
  assert backends.take_back(qemu.execute, DISK, OLD_NAME, []) == [
    "drive " + OLD_NAME]
  assert qemu.drives == ["ide0-cd0"]


def test_a_drive_that_qemu_drops_meanwhile_is_removed(qemu):
  qemu.drives = [DISK_NAME]
  qemu.drops = DISK_NAME
  assert backends.take_back(qemu.execute, DISK, DISK_NAME, []) == []
  qemu.drives = [DISK_NAME]
  assert backends.sweep(qemu.execute, [], []) == ([], [])


def test_a_node_that_qemu_drops_meanwhile_is_removed(qemu):
  qemu.nodes = [(DISK_NAME, "x")]
  qemu.drops = DISK_NAME
  assert backends.take_back(qemu.execute, DISK, DISK_NAME, []) == []


def test_a_drive_that_qemu_does_not_remove_is_an_error(qemu):
  qemu.drives = [DISK_NAME]

  def execute(command, arguments):
    if "drive_del" in (arguments or {}).get("command-line", ""):
      return "Error: something else\r\n"
    return qemu.execute(command, arguments)
  with pytest.raises(CommandError):
    backends.take_back(execute, DISK, DISK_NAME, [])


COMMAND = ["qemu", "-drive", "if=none,id=%s,file=x" % DISK_NAME,
           "-netdev", "user,id=%s" % NAME]

USERS_OWN = [DISK_NAME + "0", "disk-extra", "disk-1", "hotdisk-x",
             "disk-000000d2-1111", "hotdisk-000000d2-pci-32",
             DISK_NAME + "\n", "x" + DISK_NAME]


def test_only_ids_of_ganetis_in_full_are_orphans(qemu):
  qemu.drives = USERS_OWN + [DISK_NAME]
  qemu.netdevs = ["nic-mgmt", "nic-000000a2-1111", NAME]
  assert backends.orphans(qemu.execute, [], []) == [(DISK, DISK_NAME),
                                                    (NIC, NAME)]
  # those of the runtime file have no device elsewhere either (IDE)
  assert backends.orphans(qemu.execute, [DISK_NAME, NAME], []) == []
  # nor is what the user has named Ganeti's
  assert backends.orphans(qemu.execute, [], COMMAND) == []
  for name in USERS_OWN:
    assert backends.take_back(qemu.execute, DISK, name, []) == []
  for device_class, name in ((DISK, DISK_NAME), (NIC, NAME)):
    assert backends.take_back(qemu.execute, device_class, name, COMMAND) == []
  assert len(qemu.drives) == len(USERS_OWN) + 1 and len(qemu.netdevs) == 3


def use_drive(qemu):
  qemu.drives, qemu.devices = [DISK_NAME], {DISK_NAME: "/machine/unattached/x"}


def use_drives_node(qemu):
  qemu.drives = [DISK_NAME]
  qemu.edges = [("", "block-backend", "#" + DISK_NAME)]


def use_node(qemu):
  qemu.nodes = [(DISK_NAME, "x")]
  qemu.edges = [("#block7", "block-driver", DISK_NAME)]


def use_netdev(qemu):
  qemu.netdevs = qemu.nics = [NAME]


@pytest.mark.parametrize("use", [use_drive, use_drives_node, use_node,
                                 use_netdev])
def test_what_is_used_is_no_orphan_and_stays(qemu, monkeypatch, use):
  monkeypatch.setattr(backends, "_RELEASE_LIMIT", 0.02)
  use(qemu)
  before = (list(qemu.drives), list(qemu.nodes), list(qemu.netdevs))
  assert backends.orphans(qemu.execute, [], []) == []
  device_class, name = (NIC, NAME) if qemu.nics else (DISK, DISK_NAME)
  with pytest.raises(CommandError) as caught:
    backends.take_back(qemu.execute, device_class, name, [])
  assert name in str(caught.value) and "in use" in str(caught.value)
  assert (qemu.drives, qemu.nodes, qemu.netdevs) == before
  assert backends.sweep(qemu.execute, [], []) == ([], [])


def test_a_node_that_qemu_still_holds_is_in_use(qemu, monkeypatch):
  monkeypatch.setattr(backends, "_RELEASE_LIMIT", 0.02)
  qemu.nodes = [(DISK_NAME, "x")]
  qemu.netdevs = [NAME]
  qemu.refuses = 1000
  removed, in_use = backends.sweep(qemu.execute, [], [])
  assert removed == ["netdev " + NAME]
  assert len(in_use) == 1 and in_use[0].startswith(DISK_NAME)


def test_a_qemu_that_does_not_tell_of_users_keeps_its_drives(qemu):
  qemu.drives = [DISK_NAME]
  qemu.no_graph = True
  assert backends.orphans(qemu.execute, [], []) == []
  # but for the one whose device was removed just now
  assert backends.take_back(qemu.execute, DISK, DISK_NAME, []) == [
    "drive " + DISK_NAME]


def test_sets_that_are_not_ganetis_stay(qemu):
  qemu.sets = {2: [20], 3: [21], 5: [22]}
  command = ["-add-fd", "fd=9,set=2", "-chardev", "file,path=/dev/fdset/5"]
  assert backends.close_sets(qemu.execute, command) == [
    "descriptors /dev/fdset/3"]


def test_descriptors_of_other_names_stay(qemu):
  qemu.passed = ["nic-mgmt-0"]
  assert backends.close_descriptors(qemu.execute, "nic-mgmt") == []
