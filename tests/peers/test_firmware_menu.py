"""Hotplug while the firmware shows its boot menu, and what the guest sees then.

"""

import os
import time

import pytest

from ganeti import errors

from qemu_state import Inventory, agree, tell
from test_faults import id_of, text_of
from test_migration import configure
from nodes import DISK, NIC
import guest_disks
import nodes

pytestmark = pytest.mark.parametrize("which", ["plugin"], indirect=True)

#: For how long the firmware waits for a key, in ms.
_WAIT = 65535


class Menu(object):
  """A node whose guest is in SeaBIOS, which tells what it does."""

  def __init__(self, node, guest):
    self.node = node
    self._log = os.path.join(node.folder, "seabios")
    self._read = 0
    node.start(kvm_extra="-boot menu=on,splash-time=%d"
               " -chardev file,id=seabios,path=%s"
               " -device isa-debugcon,iobase=0x402,chardev=seabios" %
               (_WAIT, self._log), **nodes.boot(guest))
    self.wait()

  def _until(self, text):
    deadline = time.time() + 60
    while True:
      with open(self._log, "rb") as stream:
        stream.seek(self._read)
        said = stream.read()
      if text in said:
        self._read += said.index(text) + len(text)
        return
      assert time.time() < deadline, said[-2000:]
      time.sleep(0.05)

  def _key(self, name):
    tell(self.node, "send-key", keys=[{"type": "qcode", "data": name}])

  def wait(self):
    """Wait until the firmware has its menu."""
    self._until(b"Press ")
    deadline = time.time() + 30
    # a key that comes too soon is lost
    while time.time() < deadline:
      self._key("esc")
      try:
        with open(self._log, "rb") as stream:
          stream.seek(self._read)
          if b"Select boot device" in stream.read():
            self._until(b"Select boot device")
            return
      finally:
        time.sleep(0.2)
    raise AssertionError("no menu")

  def reset(self):
    tell(self.node, "system_reset")
    self.wait()

  def leave(self):
    """Choose the first, Linux."""
    self._key("1")


@pytest.fixture
def menu(node, guest):
  return Menu(node, guest)


def usable(node, number):
  """Make sure that the guest reads from the disk that was added."""
  guest_disks.mark(node.image_path(number), number)
  assert guest_disks.text_on(number) in [
    disk.text for disk in guest_disks.seen(node)]


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "no reset"])
def test_what_is_added_in_the_menu_is_seen(menu, node, is_reset):
  node.hot_add(DISK, 4, 2)
  node.hot_add(NIC, 5, 2)
  found = agree(node).devices
  if is_reset:
    menu.reset()
    assert agree(node).devices == found
  menu.leave()
  node.wait_until_guest_sees(3, 3)
  usable(node, 4)
  assert agree(node).devices == found
  node.wait_for_ports()
  node.hot_del(DISK, 4, 2)
  node.hot_del(NIC, 5, 2)
  node.wait_until_guest_sees(2, 2)
  agree(node)


def test_what_is_removed_in_the_menu_is_removed_by_the_reset(menu, node,
                                                            monkeypatch):
  # both removals failed, so Ganeti's configuration has both
  configure(node, range(4))
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "1")
  for dev_type in (DISK, NIC):
    with pytest.raises(errors.HotplugError) as caught:
      node.hot_del(dev_type, 1, 1)
    text = text_of(caught)
    assert "timed out" in text and id_of(dev_type, 1) in text
    agree(node)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "60")
  menu.reset()
  if node.has_native_hotplug():
    return # the reset loses the request
  assert not set(map(id_of, (DISK, NIC), (1, 1))) & set(
    Inventory(node).devices)
  for dev_type in (DISK, NIC):
    node.hot_del(dev_type, 1, 1)
  agree(node)
  menu.leave()
  node.wait_until_guest_sees(1, 1)


def test_what_is_removed_in_the_menu_is_removed_once_linux_is_up(
    menu, node, monkeypatch):
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "1")
  with pytest.raises(errors.HotplugError):
    node.hot_del(DISK, 1, 1)
  menu.leave()
  node.wait_for_guest()
  node.wait_for_ports()
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "60")
  node.hot_del(DISK, 1, 1)
  node.wait_until_guest_sees(1, 2)
  agree(node)
