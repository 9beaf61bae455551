"""Hotplug while the boot loader shows its menu.

The firmware has set up all devices by then, and the guest has no driver for
any, nor anything that answers a request.

"""

import pytest

from ganeti import errors

from moving import pair # pylint: disable=unused-import
from nodes import DISK, NIC
from qemu_state import agree, tell
from test_faults import id_of, text_of
import loader

pytestmark = pytest.mark.skipif(loader.lack() is not None,
                                reason=str(loader.lack()))


@pytest.fixture(scope="module")
def loaded(guest, tmpdir_factory):
  """Provide parameters of an instance whose loader shows its menu."""
  return loader.make(guest, str(tmpdir_factory.mktemp("loader")))


@pytest.fixture
def screen(pair, guest, loaded):
  """Provide the menu of a guest on the source."""
  pair.start(guest, **loaded)
  shown = loader.Screen(pair.source)
  shown.wait()
  return shown


def add(pair, node):
  for dev_type in (DISK, NIC):
    pair.hot_add(node, dev_type, 2)


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "no reset"])
def test_what_is_added_in_the_menu_is_seen(pair, screen, is_reset):
  add(pair, pair.source)
  found = agree(pair.source).devices
  if is_reset:
    tell(pair.source, "system_reset")
    screen.wait_for_reset()
    assert agree(pair.source).devices == found
  screen.wait()
  screen.leave()
  pair.is_right(pair.source)
  pair.source.wait_for_ports()
  for dev_type in (DISK, NIC):
    pair.hot_del(pair.source, dev_type, 2)
  pair.is_right(pair.source)


def test_what_is_removed_in_the_menu_is_removed_by_the_reset(pair, screen,
                                                            monkeypatch):
  node = pair.source
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "1")
  for dev_type in (DISK, NIC):
    with pytest.raises(errors.HotplugError) as caught:
      node.hot_del(dev_type, 1, 1)
    assert id_of(dev_type, 1) in text_of(caught)
  agree(node)
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "60")
  tell(node, "system_reset")
  screen.wait_for_reset()
  for dev_type in (DISK, NIC):
    pair.hot_del(node, dev_type, 1)
  screen.leave()
  pair.is_right(node)
