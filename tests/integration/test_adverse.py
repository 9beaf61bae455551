"""Hotplug of guests that boot or cannot, by two at once, past a dead monitor.

"""

import os
import signal
import socket
import subprocess
import time

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from qemu_state import Inventory, agree, runtime_devices
from test_faults import LOST, hasten, id_of, text_of
from nodes import DISK, NIC
import child_processes
import faults
import line_socket
import nodes

pytestmark = pytest.mark.skipif(faults.column() is None, reason=faults.NONE)

#: How long an answer of QEMU's is waited for; Ganeti has 5 s.
ANSWER = 1.5


def test_a_removal_is_asked_for_again_once_the_guest_is_up(
    node, which, guest, monkeypatch):
  # long enough for the guest to boot on a busy host
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "120")
  node.start(**nodes.boot(guest))
  if which == "unmodified":
    hasten(monkeypatch)
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_del(DISK, 1, 1)
    text_of(caught)
    node.wait_for_guest()
    assert faults.here("an unplug is lost while the guest boots")
    assert id_of(DISK, 1) in Inventory(node).devices
    assert (id_of(DISK, 1) not in Inventory(node).drives) == \
        faults.here(LOST[DISK])
    return
  node.hot_del(DISK, 1, 1)
  assert id_of(DISK, 1) not in agree(node).devices


def test_a_disk_added_before_the_guest_is_up_can_be_removed(node, which, guest,
                                                            monkeypatch):
  if which == "unmodified" and \
      faults.here("unclaimed in 5 s: not in the runtime file"):
    pytest.skip("it has 5 s to boot there")
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "120")
  node.start(**nodes.boot(guest))
  node.hot_add(DISK, 2, 2)
  node.wait_for_guest()
  node.hot_del(DISK, 2, 2)
  assert id_of(DISK, 2) not in agree(node).devices


def test_two_hot_adds_at_once_get_two_slots(node, which):
  # A guest that has not begun: an emulated one that is busy, as iPXE is, keeps
  # QEMU 5.2's device_add waiting for its processor to pause, and that waits for
  # a timer of QEMU's, which 7.2 no longer does ("accel/tcg: Register a
  # force_rcu notifier").
  node.start(paused=True)
  went_well = []
  for numbers in ((2, 3), (4, 5), (6, 7)):
    before = runtime_devices(node)
    said = child_processes.together([
      lambda number=number: node.hot_add(DISK, number, len(before) - 2)
      for number in numbers])
    found = Inventory(node)
    added = set(found.devices) - set(before)
    print("%s: added %d, in the runtime file %d: %s" % (
      which, len(added), len(set(runtime_devices(node)) - set(before)), said))
    wanted = set(id_of(DISK, number) for number in numbers)
    went_well.append(said == [None, None] and
                     wanted <= added & set(runtime_devices(node)))
    if which == "plugin":
      assert went_well[-1] and added == wanted
      assert len(set(found.devices.values())) == len(found.devices)
      agree(node)
  # on unmodified Ganeti both choose the same slot, or one forgets the other's
  assert all(went_well) == (which == "plugin" or not faults.here(
    "two hot-adds at once: one is lost"))


@nodes.ON_PC_ONLY
@pytest.mark.parametrize("dev_type", [DISK, NIC], ids=["disk", "nic"])
def test_a_bus_without_hotplug_is_refused_at_once(node, which, dev_type):
  node.start(acpi=False)
  before = runtime_devices(node)
  with pytest.raises(errors.HypervisorError) as caught:
    node.hot_add(dev_type, 2, 2)
  text = text_of(caught)
  assert "does not support hotplugging" in text
  assert runtime_devices(node) == before
  found = Inventory(node)
  left = found.drives if dev_type == DISK else found.netdevs
  assert (id_of(dev_type, 2) in left) == (
    which == "unmodified" and
    faults.here("a bus without hotplug: the backend is left"))
  if which == "plugin":
    for word in (nodes.NAME, id_of(dev_type, 2), "slot "):
      assert word in text
    agree(node)


@nodes.ON_PC_ONLY
def test_a_removal_that_the_bus_refuses_changes_nothing(node, which):
  node.start(acpi=False)
  before = runtime_devices(node)
  with pytest.raises(errors.HypervisorError) as caught:
    node.hot_del(DISK, 1, 1)
  text = text_of(caught)
  assert runtime_devices(node) == before
  if which == "plugin":
    # it does not wait for a guest that will never be asked
    for word in (nodes.NAME, id_of(DISK, 1), "cannot be removed"):
      assert word in text
    agree(node)


OPERATIONS = {
  "add": lambda node: node.hot_add(DISK, 2, 2),
  "del": lambda node: node.hot_del(DISK, 1, 1),
  "mod": lambda node: node.hyper.HotModDevice(
    node.instance, NIC, nodes.nic(1), None, 1),
  }


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a_monitor_that_hangs_is_an_error_soon(node, which, operation,
                                               monkeypatch):
  node.start()
  before = runtime_devices(node)
  os.kill(node.pid(), signal.SIGSTOP)
  with monkeypatch.context() as patched:
    # not longer than QEMU hangs: on a busy host it takes its time before
    patched.setattr(hv_kvm.QmpConnection, nodes.TIME_LIMIT, ANSWER)
    # made with the limit of before
    patched.setattr(node.hyper, "qmp", None, raising=False)
    try:
      with pytest.raises(errors.HypervisorError) as caught:
        OPERATIONS[operation](node)
    finally:
      os.kill(node.pid(), signal.SIGCONT)
  assert runtime_devices(node) == before
  text = text_of(caught)
  if which == "plugin":
    assert nodes.NAME in text and "monitor" in text
    agree(node)


def wait_until_it_listens(node):
  """Wait until QEMU has got to those who connected while it hung.

  As long as there is no room for more of them, whoever would not block is sent
  away.

  """
  client = socket.socket(socket.AF_UNIX)
  try:
    client.connect(node.hyper._InstanceQmpMonitor(nodes.NAME))
    assert b"QMP" in client.recv(4096)
  finally:
    client.close()


@pytest.mark.parametrize("dev_type", [DISK, NIC], ids=["disk", "nic"])
def test_a_monitor_that_hangs_midway_loses_nothing(node, which, dev_type,
                                                   monkeypatch):
  node.start()
  before = runtime_devices(node)
  name = "HotAddDisk" if dev_type == DISK else "HotAddNic"
  plain = getattr(hv_kvm.QmpConnection, name)

  def hang(self, *args, **kwargs):
    os.kill(node.pid(), signal.SIGSTOP)
    return plain(self, *args, **kwargs)

  with monkeypatch.context() as patched:
    patched.setattr(hv_kvm.QmpConnection, name, hang)
    # not longer than QEMU hangs: on a busy host it takes its time after
    patched.setattr(hv_kvm.QmpConnection, nodes.TIME_LIMIT, ANSWER)
    # made with the limit of before
    patched.setattr(node.hyper, "qmp", None, raising=False)
    try:
      with pytest.raises(errors.HypervisorError) as caught:
        node.hot_add(dev_type, 2, 2)
    finally:
      os.kill(node.pid(), signal.SIGCONT)
  text = text_of(caught)
  assert all(item in runtime_devices(node).items() for item in before.items())
  if which == "unmodified":
    return
  assert nodes.NAME in text and "monitor" in text
  wait_until_it_listens(node)
  node.hot_add(dev_type, 2, 2)
  assert id_of(dev_type, 2) in agree(node).devices


def test_a_guest_whose_qemu_died_is_an_error_at_once(node, which):
  node.start()
  before = runtime_devices(node)
  pid = node.pid()
  os.kill(pid, signal.SIGKILL)
  while os.path.exists("/proc/%d" % pid):
    time.sleep(0.01)
  expected = errors.HypervisorError
  if which == "unmodified" and faults.here("a dead QEMU: the socket's error"):
    expected = EnvironmentError
  for operation in sorted(OPERATIONS):
    with pytest.raises(expected) as caught:
      OPERATIONS[operation](node)
    text = text_of(caught)
    if which == "plugin":
      assert nodes.NAME in text and "does not run on this node" in text
  assert runtime_devices(node) == before


class Export(object):
  """A disk whose data are another QEMU's, by NBD; it can hang."""

  def __init__(self, node):
    qmp = os.path.join(node.folder, "nbd.qmp")
    nbd = os.path.join(node.folder, "nbd.sock")
    self.uri = "nbd+unix:///disk?socket=%s" % nbd
    self.blockdev = {"driver": "nbd", "export": "disk",
                     "server": {"type": "unix", "path": nbd}}
    self._process = subprocess.Popen([
      nodes.QEMU, "-machine", "none", "-nodefaults", "-display", "none",
      "-drive", "if=none,id=disk,format=raw,file=%s" % node.image(7),
      "-qmp", "unix:%s,server,nowait" % qmp])
    peer = None
    while peer is None:
      assert self._process.poll() is None
      try:
        peer = line_socket.Socket(qmp)
      except EnvironmentError: # it does not listen yet
        time.sleep(0.01)
    assert "QMP" in peer.line()
    peer.execute("qmp_capabilities")
    peer.execute("nbd-server-start",
                 addr={"type": "unix", "data": {"path": nbd}})
    peer.execute("nbd-server-add", device="disk", writable=True)
    peer.sock.close()

  def hang(self):
    self._process.send_signal(signal.SIGSTOP)

  def go_on(self):
    self._process.send_signal(signal.SIGCONT)

  def close(self):
    self._process.kill()
    self._process.wait()


@pytest.fixture
def export(node):
  made = Export(node)
  try:
    yield made
  finally:
    made.close()


def impatient_after_the_removal(monkeypatch):
  """Make Ganeti's QMP client wait less once a device was asked for.

  Whatever QEMU is asked then, it may be closing the disk already.

  """
  # the second is that of 3.1 and later
  (name, ) = [name for name in ("Execute", "execute_qmp")
              if hasattr(hv_kvm.QmpConnection, name)]
  plain = getattr(hv_kvm.QmpConnection, name)
  asked = []

  def execute(self, command, arguments=None):
    if command == "device_del":
      asked.append(arguments)
    elif asked and "block" in command or "drive_del" in str(arguments):
      self.sock.settimeout(ANSWER)
    return plain(self, command, arguments)

  monkeypatch.setattr(hv_kvm.QmpConnection, name, execute)


@pytest.mark.parametrize("which", ["plugin"], indirect=True)
def test_a_removal_is_done_though_its_disk_does_not_close(
    node, export, monkeypatch, caplog):
  # no guest is asked there
  node.start(nics=0, paused=True, disk_type="scsi-hd",
             scsi_controller_type="virtio-scsi-pci")
  added, extra = nodes.disk(7), (export.uri, None)
  of_uri = "ParseStorageUriToBlockdevParam"
  if hasattr(getattr(hv_kvm, "kvm_utils", None), of_uri):
    # from 3.1 on, Ganeti opens what is not for userspace, and for that it knows
    # no more than RBD and Gluster
    added.params = {"access": "userspace"}
    extra = (node.image(8), export.uri)
    monkeypatch.setattr(hv_kvm.kvm_utils, of_uri,
                        {export.uri: export.blockdev}.__getitem__)
  node.hyper.HotAddDevice(node.instance, DISK, added, extra, 2)
  before = agree(node).devices
  impatient_after_the_removal(monkeypatch)
  export.hang()
  try:
    node.hot_del(DISK, 7, 2)
    # QEMU still hangs
    without = runtime_devices(node)
  finally:
    export.go_on()
  assert id_of(DISK, 7) in before and id_of(DISK, 7) not in without
  for word in (nodes.NAME, id_of(DISK, 7), "was not closed"):
    assert word in caplog.text
  wait_until_it_listens(node)
  assert agree(node).devices == without
