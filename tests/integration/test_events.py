"""QEMU's events in the middle of a hotplug: those of others end no wait.

Two USB devices are removed by hand, which takes no guest: QEMU tells every
client DEVICE_DELETED at once. STOP, RESUME and POWERDOWN have no data.

"""

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from qemu_state import agree, Inventory, runtime_devices, tell
from nodes import DISK, NIC
import faults
import nodes

pytestmark = pytest.mark.skipif(not faults.column(), reason=faults.NONE)

DISK_AND_NIC = pytest.mark.parametrize("dev_type", [DISK, NIC],
                                       ids=["disk", "nic"])

EXTRA = ("-device piix3-usb-uhci,id=uhci -device usb-tablet,id=before"
         " -device usb-tablet,id=after")

#: What an event does to unmodified Ganeti's wait.
FAULTS = {
  ("of another", DISK): "another's event ends the wait for a disk",
  ("of another", NIC): "another's event ends the wait for a NIC",
  ("without data", DISK): "RESUME ends the wait for a disk, by KeyError",
  ("without data", NIC): "RESUME ends the wait for a NIC, by KeyError",
  }

#: How often the plugin looks at the device before the guest goes on.
LOOKS = 3

_NAME = "execute_qmp" if hasattr(hv_kvm.QmpConnection, "execute_qmp") else \
  "Execute"


class Interruption(object):
  """Something that happens at one command of a QMP client's."""

  def __init__(self, monkeypatch, command, before, after, later=None):
    """Have it happen.

    @param before: function that is called before QEMU gets the command
    @param after: function that is called once it has answered
    @param later: function that is called after the command and L{LOOKS} looks
        for a device

    """
    self.seen = []
    plain = getattr(hv_kvm.QmpConnection, _NAME)

    def execute(client, name, arguments=None):
      first = name == command and command not in self.seen
      if first:
        before()
      result = plain(client, name, arguments)
      if command in self.seen or first:
        self.seen.append(name)
      if first:
        after()
      if name == "qom-list" and later and self.looks() == LOOKS:
        later()
      return result

    monkeypatch.setattr(hv_kvm.QmpConnection, _NAME, execute)

  def looks(self):
    return self.seen.count("qom-list")


def up(node, guest):
  node.start(kvm_extra=EXTRA, **nodes.boot(guest))
  node.wait_for_guest()


def lines(node):
  """Return what is pushed, by its name."""
  return {"of another": lambda: tell(node, "device_del", id="after"),
          "without data": lambda: tell(node, "system_powerdown")}


@DISK_AND_NIC
@pytest.mark.parametrize("event", ["of another", "without data"])
def test_a_removal_waits_for_its_own_device(node, which, guest, dev_type, event,
                                            monkeypatch):
  if which == "unmodified" and not faults.here(FAULTS[event, dev_type]):
    pytest.skip("it waits for no event here")
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "60")
  up(node, guest)
  before = runtime_devices(node)
  device_id = sorted(Inventory(node).of(dev_type))[-1]
  waiting = []

  def pause():
    tell(node, "stop")
    tell(node, "device_del", id="before")

  def go_on():
    # it has been waited for, in vain so far
    waiting.append(device_id in Inventory(node).devices and
                   device_id in runtime_devices(node))
    tell(node, "cont")

  happened = Interruption(monkeypatch, "device_del", pause, lines(node)[event],
                          go_on if which == "plugin" else None)
  if which == "plugin":
    node.hot_del(dev_type, 1, 1)
    assert waiting == [True] and happened.looks() > LOOKS
    expected = dict(before)
    del expected[device_id]
    assert agree(node).devices == expected
    return
  # the guest, which is paused, still has it
  if event == "without data":
    with pytest.raises(KeyError):
      node.hot_del(dev_type, 1, 1)
    assert runtime_devices(node) == before
  elif dev_type == DISK:
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_del(dev_type, 1, 1)
    assert "in use" in str(caught.value)
    assert runtime_devices(node) == before
  else:
    # it has lost its tap, and nobody knows of it
    node.hot_del(dev_type, 1, 1)
    assert device_id not in runtime_devices(node)
    assert Inventory(node).tuns == 1
  assert device_id in Inventory(node).devices


@DISK_AND_NIC
@pytest.mark.parametrize("event", ["of another", "without data"])
@pytest.mark.parametrize("which", ["plugin"], indirect=True)
def test_a_hot_add_is_no_others(node, guest, dev_type, event, monkeypatch):
  up(node, guest)
  before = runtime_devices(node)

  def push():
    tell(node, "stop")
    tell(node, "device_del", id="before")
    tell(node, "cont")

  happened = Interruption(monkeypatch, "device_add", push, lines(node)[event])
  node.hot_add(dev_type, 2, 2)
  assert happened.seen[0] == "device_add"
  (added, ) = set(runtime_devices(node)) - set(before)
  assert added in agree(node).of(dev_type)
  node.wait_until_guest_sees(*((3, 2) if dev_type == DISK else (2, 3)))
