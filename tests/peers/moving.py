"""A guest that moves, and all that must be right of it afterwards.

Each disk begins with a text that tells which it is; the guest reads it.

"""

import pytest

from guest_disks import GuestDisks, seen, text_on
from qemu_state import agree, migration_status, run_state, tell
from nodes import DISK, NIC
import nodes
import test_migration


class Pair(test_migration.Pair):
  """A source and a target whose disks can be told apart.

  @ivar disks: list of ints, what Ganeti's configuration has
  @ivar nics: list of ints, the same

  """
  def __init__(self, source, target, folder):
    super(Pair, self).__init__(source, target, folder)
    self.disks, self.nics = [0, 1], [0, 1]
    GuestDisks(folder, self.source, self.target)

  def start(self, guest, **hvparams): # pylint: disable=arguments-differ
    """Start the instance, and wait for nothing."""
    paused = hvparams.pop("paused", False)
    tags = hvparams.pop("tags", ())
    parameters = dict(test_migration.CAREFUL, migration_port=8102,
                      **nodes.boot(guest))
    parameters.update(hvparams)
    self.source.start(paused=paused, tags=tags, **parameters)
    self.target.adopt(nodes.NAME, dict(self.source.instance.hvparams,
                                       kvm_path=self.target.qemu))
    self.configure()

  def configure(self):
    """Have Ganeti's configuration have the disks and NICs."""
    for node in (self.source, self.target):
      node.instance.primary_node = "node1"
      node.instance.disks = [nodes.disk(number).uuid for number in self.disks]
      node.instance.nics = [nodes.nic(number) for number in self.nics]

  def hot_add(self, node, dev_type, number):
    """Do what a job does: hot-add, and then write the configuration."""
    numbers = self.disks if dev_type == DISK else self.nics
    node.hot_add(dev_type, number, len(numbers))
    numbers.append(number)
    self.configure()

  def hot_del(self, node, dev_type, number):
    """Do what a job does."""
    numbers = self.disks if dev_type == DISK else self.nics
    node.hot_del(dev_type, number, numbers.index(number))
    numbers.remove(number)
    self.configure()

  def send_slowly(self):
    """Have the source send, and not come to an end by itself."""
    self.source.instance.hvparams.update(migration_bandwidth=1,
                                         migration_downtime=1)
    self.source.hyper.MigrateInstance("cluster", self.source.instance,
                                      test_migration.HERE, True)
    nodes.until(lambda: migration_status(self.source),
                lambda status: status == "active")

  def hurry(self):
    """Have what was sent slowly come to its end."""
    self.source.instance.hvparams.update(test_migration.CAREFUL)
    tell(self.source, "migrate-set-parameters", max_bandwidth=1 << 30,
         downtime_limit=10000)
    return self.wait()

  def back(self):
    """Make the target the source of the next migration."""
    self.source, self.target = self.target, self.source
    for node in (self.source, self.target):
      node.instance.hvparams["kvm_path"] = node.qemu

  def states(self):
    """List where QEMU runs the guest."""
    found = []
    for node in (self.source, self.target):
      if node.hyper._InstancePidAlive(nodes.NAME)[2] and \
          run_state(node) == "running":
        found.append(node)
    return found

  def is_alone(self, node):
    """Check that the guest runs on that node alone, with what it is to have.

    Runtime file, QEMU and configuration agree.

    """
    assert self.states() == [node]
    other = self.target if node is self.source else self.source
    test_migration.is_clean(other)
    assert not other.hyper._InstancePidAlive(nodes.NAME)[2]
    agree(node)
    assert sorted(node.numbers()) == sorted(
      [(DISK, number) for number in self.disks] +
      [(NIC, number) for number in self.nics])
    return node.runtime_slots()

  def is_right(self, node, timeout=300):
    """Check L{is_alone}, and that the guest agrees, with its data on each disk.

    """
    slots = self.is_alone(node)
    node.wait_until_guest_sees(len(self.disks), len(self.nics), timeout)
    expected = dict((slot, text_on(nodes.number_of(DISK, uuid)))
                    for uuid, slot in slots[DISK])
    found = self.data(node)
    if nodes.ON_PC:
      assert dict((disk.slot(), disk.text) for disk in found) == expected
    else: # a root port's bus has another number each time
      assert sorted(disk.text for disk in found) == sorted(expected.values())

  @staticmethod
  def data(node):
    """Ask the guest for its disks, and what they begin with: list of L{Disk}.

    """
    # a line may be lost while it reports
    return nodes.until(lambda: seen(node), lambda found: len(found) == len(
      node.report()["BLK"].split()))


def ended(node, timeout=30):
  """Wait until a node's QEMU has ended."""
  nodes.wait_until(lambda: not node.hyper._InstancePidAlive(nodes.NAME)[2],
                   "QEMU has ended", timeout)


@pytest.fixture
def pair(request, tmpdir):
  """A L{Pair}, of the plugin unless a test has both sides."""
  side = getattr(request, "param", "plugin")
  if nodes.unfit(side):
    pytest.skip(nodes.unfit(side))
  made = Pair(side, side, str(tmpdir))
  made.folder = str(tmpdir)
  try:
    yield made
  finally:
    made.stop()
