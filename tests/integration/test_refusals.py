"""What QEMU says when it does not take a device, and that nothing is left.

The words get into the error that C{gnt-instance modify} prints, whatever way a
release of Ganeti adds devices by; L{test_faults} shows what unmodified Ganeti
says and leaves.

"""

import contextlib
import ctypes
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from ganeti import constants
from ganeti import errors
from ganeti import serializer
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import qemu_version

from qemu_state import agree, tell
from line_socket import Socket
from nodes import DISK, NIC
import nodes

#: QEMU 5.2 ends where a netdev's descriptor is none, and takes an id twice.
TAKES_ANY_NETDEV = pytest.mark.skipif(
  (qemu_version.version(nodes.QEMU) or (0, 0)) < (6, 0),
  reason="this QEMU does not refuse such netdevs")

RELEASE = (constants.VERSION_MAJOR, constants.VERSION_MINOR)

pytestmark = pytest.mark.parametrize("which", ["plugin"], indirect=True)

#: 3.1 opens a disk itself, before QEMU is asked.
GANETI_OPENS = RELEASE >= (3, 1)

#: Up to 2.16, a hot-added disk has neither cache mode nor discard.
needs_modes = pytest.mark.skipif(RELEASE < (3, 0), reason="no modes are given")

#: Device by device, as a guest that never ran completes no unplug.
NUMBERS = itertools.count(5)
_CLONE_NEWNS = 0x20000


def text_of(node):
  with open(node.hyper._InstanceKVMRuntime(node.instance.name)) as stream:
    return stream.read()


def runtime_of(node):
  """Read the runtime file; Python 2 writes it in another order each time."""
  return serializer.LoadJson(text_of(node))


def disk_adder(node, path=None, uri=None, **params):
  """Make a function that adds a new disk, from an image of its own."""
  number = next(NUMBERS)
  path = path or node.image(number)

  def add():
    device = nodes.disk(number)
    device.params = params
    extra = path if nodes._takes_the_link_alone() else (path, uri)
    node.hyper.HotAddDevice(node.instance, DISK, device, extra, 0)

  return add


def nic_adder(node):
  """Make a function that adds a new NIC, perhaps with a MAC address."""
  number = next(NUMBERS)

  def add(mac=None):
    device = nodes.nic(number)
    device.mac = mac or device.mac
    node.hyper.HotAddDevice(node.instance, NIC, device, None, 0)

  return add


def refused(node, add, *words):
  """Have a hot-add refused, twice, and look for words in the error, in order.

  """
  before, seen = runtime_of(node), vars(agree(node))
  with pytest.raises(errors.HotplugError) as caught:
    add()
  text = str(caught.value)
  print(text)
  assert text.startswith("Instance %s: " % node.instance.name)
  # one line, and no wrapping by Ganeti's client
  assert "\n" not in text and "error executing" not in text
  assert "can't find value" not in text
  at = 0
  for word in (r"(hot)?(disk|nic)-\S+ \((slot |port rp)\d+", ) + words:
    match = re.compile(word).search(text, at)
    assert match, (word, text)
    at = match.end()
  assert runtime_of(node) == before
  # the tests' own process holds a tap until it ends; a daemon's would end
  assert dict(vars(agree(node)), taps=0) == dict(seen, taps=0)
  # an attempt more changes nothing
  with pytest.raises(errors.HotplugError) as again:
    add()
  assert str(again.value).count(words[0]) == text.count(words[0])
  assert runtime_of(node) == before
  return text


def succeeds(node, dev_type, add):
  before = agree(node)
  add()
  assert len(agree(node).of(dev_type) - before.of(dev_type)) == 1


AGAIN = "then detach the disk and attach it again .* or reboot"


@pytest.fixture(scope="module")
def bare(which, tmpdir_factory):
  """Provide a node with an instance that has nothing yet."""
  made = nodes.Node(which, str(tmpdir_factory.mktemp("bare")))
  try:
    made.start(disks=0, nics=0)
    yield made
  finally:
    made.stop()


def test_a_disk_that_does_not_exist(bare):
  path = os.path.join(bare.folder, "absent")
  add = disk_adder(bare, path)
  refused(bare, add, path, "(QEMU refused|the node daemon cannot open)",
          "No such file or directory", "gnt-instance activate-disks", AGAIN)
  os.rename(bare.image(1), path)
  succeeds(bare, DISK, add)


def test_a_disk_that_the_node_daemon_cannot_open(bare):
  path = os.path.join(bare.folder, "folder")
  os.mkdir(path)
  add = disk_adder(bare, path)
  # up to 2.12 none is passed a descriptor
  refused(bare, add, path, "(the node daemon cannot open|QEMU refused)",
          "(Is a directory|to be a regular file)", AGAIN)
  os.rmdir(path)
  os.rename(bare.image(1), path)
  succeeds(bare, DISK, add)


def start_another(path, folder):
  """Start a QEMU that has an image open for a disk.

  @return: the process, once it has

  """
  where = os.path.join(folder, "other.qmp")
  process = subprocess.Popen([
    nodes.QEMU, "-S", "-display", "none", "-nodefaults",
    "-drive", "if=none,id=d,format=raw,file=" + path,
    "-device", "virtio-blk-pci,drive=d", "-qmp", "unix:%s,server" % where])
  try:
    qmp = None
    while qmp is None:
      assert process.poll() is None
      try:
        qmp = Socket(where)
      except EnvironmentError: # not yet
        time.sleep(0.01)
    # it waited for somebody to connect, and greets when it is up
    assert "QMP" in qmp.line()
    qmp.execute("qmp_capabilities")
    assert qmp.execute("query-block")[0]["inserted"]["file"] == path
  except BaseException:
    process.kill()
    process.wait()
    raise
  return process


def test_a_disk_that_another_qemu_has_locked(bare):
  path = bare.image(2)
  add = disk_adder(bare, path)
  process = start_another(path, bare.folder)
  try:
    refused(bare, add, path, 'QEMU refused .*Failed to get "write" lock',
            "another process has the image open", "end it", AGAIN)
  finally:
    process.kill()
    process.wait()
  succeeds(bare, DISK, add)


@pytest.fixture
def public():
  """Provide a folder that is not root's alone."""
  folder = tempfile.mkdtemp()
  os.chmod(folder, 0o755)
  yield folder
  shutil.rmtree(folder)


@pytest.mark.skipif(GANETI_OPENS, reason="no disk is opened by QEMU's user")
def test_a_disk_that_qemu_may_not_open(node, public):
  node.start(disks=0, nics=0, security_model="user", security_domain="nobody")
  path = os.path.join(public, "disk")
  os.rename(node.image(1), path)
  os.chmod(path, 0o600)
  add = disk_adder(node, path, "file:" + path, access="userspace")
  refused(node, add, "QEMU refused [a-z_-]+: Could not open '%s': Permission"
          " denied" % path, "owner and mode", AGAIN)
  os.chmod(path, 0o666)
  succeeds(node, DISK, add)


RESTARTED = "then shut the instance down and start it"


@contextlib.contextmanager
def started_with(node, **hvparams):
  """Have the runtime file say that QEMU was started with other parameters."""
  before = text_of(node)
  changed = serializer.LoadJson(before)
  changed[2].update(hvparams)
  node.hyper._WriteKVMRuntime(node.instance.name, serializer.DumpJson(changed))
  yield
  node.hyper._WriteKVMRuntime(node.instance.name, before)


@needs_modes
@pytest.mark.parametrize("parameter, words", [
  ("disk_cache", "(?i)invalid (cache option|kvm cache setting)"),
  ("disk_discard", "(Invalid discard option|'discard' does not accept)"),
  ], ids=["cache", "discard"])
def test_a_mode_that_is_none(bare, parameter, words):
  add = disk_adder(bare)
  with started_with(bare, **{parameter: "nonsense"}):
    refused(bare, add, words, parameter, RESTARTED)
  succeeds(bare, DISK, add)


@pytest.fixture
def ramfs(tmpdir):
  """Provide a folder on a file system without C{O_DIRECT}."""
  libc = ctypes.CDLL(None, use_errno=True)
  assert libc.unshare(_CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
  subprocess.check_call(["mount", "--make-rprivate", "/"])
  folder = str(tmpdir.mkdir("ramfs"))
  subprocess.check_call(["mount", "-t", "ramfs", "none", folder])
  yield folder
  subprocess.check_call(["umount", "-l", folder])


@needs_modes
def test_a_file_system_without_direct_access(bare, ramfs):
  path = os.path.join(ramfs, "disk")
  shutil.move(bare.image(3), path)
  add = disk_adder(bare, path)
  with started_with(bare, disk_cache="none"):
    refused(bare, add, path, "O_DIRECT|Invalid argument", "disk_cache",
            RESTARTED)
  succeeds(bare, DISK, add)


@nodes.ON_PC_ONLY
def test_a_bus_without_hotplug(node):
  node.start(disks=0, nics=0, acpi=False)
  words = ("QEMU refused device_add: Bus 'pci.0' does not support hotplugging",
           "acpi=True", RESTARTED)
  add = disk_adder(node)
  refused(node, add, *words)
  refused(node, nic_adder(node), *words)
  # what it says
  node.stop()
  node.start(disks=0, nics=0, acpi=True)
  succeeds(node, DISK, add)


MODIFIED = "then modify the NIC again .* or reboot"


@pytest.mark.skipif(RELEASE < (2, 16), reason="the driver is virtio-...-pci")
@pytest.mark.parametrize("dev_type", [DISK, NIC], ids=["disk", "nic"])
def test_a_driver_that_qemu_has_not(bare, monkeypatch, dev_type):
  add = nic_adder(bare) if dev_type == NIC else disk_adder(bare)
  plain = bare.hyper._SetAddress

  def _SetAddress(device_class, device, *more):
    plain(device_class, device, *more)
    device.hvinfo["driver"] = "virtio-nonsense-pci"

  with monkeypatch.context() as patched:
    patched.setattr(bare.hyper, "_SetAddress", _SetAddress)
    refused(bare, add, "QEMU refused device_add: 'virtio-nonsense-pci' is not a"
            " valid device model name", dev_type + "_type", RESTARTED)
  succeeds(bare, dev_type, add)


@pytest.mark.skipif(RELEASE < (3, 0), reason="OpenTap returns other values")
@TAKES_ANY_NETDEV
def test_a_netdev_that_qemu_refuses(bare, monkeypatch):
  add = nic_adder(bare)

  def open_none(*_args, **_kwargs):
    return ("tap9", [os.open("/dev/null", os.O_RDWR)], [])

  with monkeypatch.context() as patched:
    patched.setattr(hv_kvm, "OpenTap", open_none)
    refused(bare, add, "QEMU refused netdev_add: .*TUNGETIFF", MODIFIED)
  succeeds(bare, NIC, add)


@pytest.mark.skipif(RELEASE < (2, 16), reason="the id follows from the slot")
@TAKES_ANY_NETDEV
def test_an_id_that_kvm_extra_has(node):
  """It is not Ganeti's backend, and stays."""
  name = hv_kvm._GenerateDeviceKVMId(NIC, nodes.nic(3))
  node.start(disks=0, nics=0, kvm_extra="-netdev user,id=%s" % name)
  refused(node, lambda: node.hot_add(NIC, 3, 0),
          "QEMU refused netdev_add: .*[Dd]uplicate",
          "take what has that id out of kvm_extra", RESTARTED)
  assert name in tell(node, "human-monitor-command",
                      command_line="info network")
