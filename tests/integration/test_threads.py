"""Operations in threads of one node daemon, and children that others collect.

From Ganeti's commit 14eb51bd8 on, each request has a thread, with a hypervisor
object of its own, and one more thread collects whatever child has ended. What
holds there holds in a daemon that forks, so all releases of Python 3 are
tested.

"""

import os
import sys
import threading

import pytest

from ganeti import constants
from ganeti import errors
from ganeti import hypervisor as ganetis
from ganeti.http import server

from qemu_state import agree, runtime_devices
from nodes import DISK, NIC
import child_processes
import nodes

pytestmark = [
  pytest.mark.parametrize("which", ["plugin"], indirect=True),
  pytest.mark.skipif(sys.version_info < (3, ), reason="no such node daemon")]

#: How often all is done.
ROUNDS = int(os.environ.get("THREADS_ROUNDS", "4"))

#: How often a guest is started: each second status or so is lost.
STARTS = 2 * ROUNDS


class Named(nodes.Node):
  """A node whose instance has a name of its own."""

  def __init__(self, which, folder, name):
    super(Named, self).__init__(which, folder)
    self.name = name

  def adopt(self, _, hvparams):
    super(Named, self).adopt(self.name, hvparams)


class Request(object):
  """One request to the node daemon: an operation, and what came of it."""

  def __init__(self, node, operate):
    self._node = node
    self._operate = operate
    self.error = None
    self.thread = threading.Thread(target=self._run)

  def _run(self):
    try:
      # Ganeti makes an object for each
      self._operate(_Requested(self._node))
    except BaseException as err: # pylint: disable=broad-except
      self.error = err


class _Requested(nodes.Node):
  """The same node, with a hypervisor object of this thread's own."""

  def __init__(self, node):
    vars(self).update(vars(node))
    self.hyper = type(node.hyper)()


def together(*requests):
  """Serve requests at once, in threads; none may fail."""
  for request in requests:
    request.thread.start()
  for request in requests:
    request.thread.join(300)
    assert not request.thread.is_alive()
  assert [request.error for request in requests] == [None] * len(requests)


def add(dev_type, number, seq):
  return lambda node: node.hot_add(dev_type, number, seq)


def remove(dev_type, number, seq):
  return lambda node: node.hot_del(dev_type, number, seq)


def state():
  """Tell what of this process a thread could leave behind."""
  mask = os.umask(0o77)
  os.umask(mask)
  opened, keeps_taps = [], not hasattr(server, "_ChildProcessReaper")
  for name in os.listdir("/proc/self/fd"):
    try:
      path = os.readlink("/proc/self/fd/" + name)
    except OSError: # the folder itself
      continue
    # a node daemon that forks leaves a hot-added NIC's to the child's end
    if path != "/dev/net/tun" or not keeps_taps:
      opened.append(path)
  return (sorted(opened), mask, os.getcwd(), threading.active_count())


def check(node, disks, nics):
  """Make sure that runtime file, QEMU and allocator agree."""
  found = agree(node)
  slots = runtime_devices(node)
  assert len(set(slots.values())) == len(slots) == disks + nics
  assert (len(found.of(DISK)), len(found.of(NIC))) == (disks, nics)
  for name, slot in slots.items():
    assert slot in nodes.pools()[DISK if "disk-" in name else NIC], slots
  # what an operation keeps is its object's
  assert [getattr(type(node.hyper), name)
          for name in ("qmp", "_operation", "_start")] == [None] * 3


@pytest.fixture
def patient(monkeypatch):
  """Give guests all the time that they may have: the host is busy."""
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "120")


def test_two_operations_on_one_instance(booted, patient):
  before = state()
  for _ in range(ROUNDS):
    for disk, nic, disks, nics in [
        (add(DISK, 2, 2), add(NIC, 2, 2), 3, 3),
        (remove(DISK, 2, 2), add(NIC, 3, 3), 2, 4),
        (add(DISK, 3, 2), remove(NIC, 2, 2), 3, 3),
        (remove(DISK, 3, 2), remove(NIC, 3, 2), 2, 2)]:
      together(Request(booted, disk), Request(booted, nic))
      check(booted, disks, nics)
      assert state() == before
  # what is kept of QEMU's program is of no instance
  assert [name for name in os.listdir(os.path.join(booted.folder, "kvm-pci"))
          if not name.startswith("qemu-")] in (
            [], ["%s.runtime.vacated" % booted.instance.name])


def test_two_disks_get_slots_of_their_own(booted, patient):
  before = state()
  for _ in range(ROUNDS):
    together(Request(booted, add(DISK, 2, 2)), Request(booted, add(DISK, 3, 3)),
             Request(booted, add(NIC, 2, 2)))
    check(booted, 4, 3)
    together(Request(booted, remove(DISK, 2, 2)),
             Request(booted, remove(DISK, 3, 2)),
             Request(booted, remove(NIC, 2, 2)))
    check(booted, 2, 2)
  assert state() == before


def test_a_device_that_is_asked_for_twice_is_added_once(booted, patient):
  """The master has given up waiting, and asks again."""
  for dev_type in (DISK, NIC):
    before = state()
    together(*[Request(booted, add(dev_type, 2, 2)) for _ in range(3)])
    assert len(agree(booted).of(dev_type)) == 3
    together(Request(booted, remove(dev_type, 2, 2)))
    check(booted, 2, 2)
    assert state() == before


def test_two_instances_at_once(which, guest, tmpdir_factory, patient):
  # the path of a socket must be short
  made = [Named(which, str(tmpdir_factory.mktemp(name[:3])), name)
          for name in ("vm1.example.com", "vm2.example.com")]

  def operate(node):
    for _ in range(ROUNDS):
      node.hot_add(DISK, 2, 2)
      node.hot_add(NIC, 2, 2)
      node.hot_del(DISK, 2, 2)
      node.hot_del(NIC, 2, 2)

  try:
    before = state()
    together(*[Request(node, lambda _, node=node: node.start(
      **nodes.boot(guest))) for node in made])
    for node in made:
      node.wait_for_guest()
    together(*[Request(node, operate) for node in made])
    for node in made:
      check(node, 2, 2)
    assert state() == before
  finally:
    for node in made:
      node.stop()


def test_ganeti_makes_an_object_for_each_request(which, monkeypatch):
  """Which L{Request} takes for granted."""
  cls = nodes.hypervisor_class(which)
  monkeypatch.setitem(ganetis._HYPERVISOR_MAP, constants.HT_KVM,
                      type("Contained", (cls, ), {"_DIRS": []}))
  one, other = [ganetis.GetHypervisor(constants.HT_KVM) for _ in range(2)]
  assert one is not other and isinstance(one, cls)


def _collect():
  """Take each child's status away from whoever waits for it."""
  while True:
    try:
      os.waitpid(-1, 0)
    except ChildProcessError: # there is none at the moment
      pass


#: What QEMU refuses, and its reason: before it opens its log, and after.
FAULTS = [
  (dict(kvm_extra="-foo"), "-foo: invalid option"),
  (dict(kvm_extra="-device no-such-device"),
   "'no-such-device' is not a valid device model name"),
  (dict(disks=1, image="removed"), "Could not open"),
  ]


class Faulty(nodes.Node):
  """A node whose images may be removed."""

  is_without = False

  def image(self, number):
    path = super(Faulty, self).image(number)
    if self.is_without:
      os.unlink(path)
    return path


def _start_and_fail(node):
  """Start a guest with and without success, again and again.

  @return: nothing; raises what is wrong

  """
  thread = threading.Thread(target=_collect)
  thread.daemon = True
  thread.start()
  told = 0
  for number in range(STARTS):
    for parameters, reason in FAULTS:
      parameters = dict(parameters)
      node.is_without = parameters.pop("image", None) == "removed"
      try:
        node.start(paused=bool(number % 2), **parameters)
      except errors.HypervisorError as err:
        text = str(err)
        told += "exit code" in text
        assert nodes.NAME in text and reason in text, text
      else:
        raise AssertionError("%s was taken for started" % (parameters, ))
    node.is_without = False
    node.start(paused=bool(number % 2))
    node.agreed_slots()
    node.stop()
  # some statuses are lost, or nothing is tested here
  assert told < STARTS * len(FAULTS), told
  print("%d of %d statuses were lost" % (STARTS * len(FAULTS) - told,
                                         STARTS * len(FAULTS)))
  sys.stdout.flush()


def test_a_start_is_told_by_qemu_though_its_status_is_lost(which, tmpdir):
  node = Faulty(which, str(tmpdir))
  try:
    said = child_processes.alone(lambda: _start_and_fail(node))
  finally:
    node.stop()
  assert said is None, said
