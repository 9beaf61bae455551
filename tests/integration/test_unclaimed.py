"""Devices that are hot-added to a guest that does not claim them.

It is paused, in its boot loader, or has no driver for hotplug. QEMU has the
device all the same, and the guest finds it later: so the job succeeds, at once.

"""

import json
import logging
import time

import pytest

from ganeti import errors

from ganeti_kvm_pci.runtime import slot_map

from qemu_state import Inventory, pci_functions, runtime_devices, tell
from test_pending import Command
from nodes import DISK, NIC
import counting
import faults
import nodes

pytestmark = pytest.mark.skipif(not faults.column(), reason=faults.NONE)

#: What is asked once QEMU has a device.
ASKED = ["qom-list"]


@pytest.fixture
def command(monkeypatch, capsys):
  return Command(monkeypatch, capsys)


def mapped(node, name=None):
  """Tell whether the guest has given addresses to a device, or to any."""
  return any(region["address"] not in (-1, (1 << 64) - 1)
             for device in pci_functions(tell(node, "query-pci"))
             if name in (None, device["qdev_id"])
             for region in device["regions"])


def wait_until_mapped(node, name=None, timeout=60):
  deadline = time.time() + timeout
  while not mapped(node, name):
    assert time.time() < deadline
    time.sleep(0.05)


def paused(node, guest):
  node.start(**nodes.boot(guest))
  node.wait_for_guest()
  tell(node, "stop")


def not_begun(node, guest):
  node.start(paused=True, **nodes.boot(guest))


def in_boot_loader(node, _):
  # there is nothing to boot from
  node.start()
  wait_until_mapped(node, id_of(runtime_devices(node), "disk-"))


def without_driver(node, guest):
  parameters = nodes.boot(guest)
  parameters["kernel_args"] += " acpiphp.disable=1"
  node.start(**parameters)
  node.wait_for_guest()


def id_of(devices, prefix):
  """Return the id of the last device of a type."""
  return sorted(name for name in devices if name.startswith(prefix))[-1]


def add(node, dev_type, number):
  """Hot-add a device.

  @return: its id, and what QEMU was asked after it was attached

  """
  before = set(runtime_devices(node))
  path = node.hyper._InstanceKVMRuntime(nodes.NAME)
  with counting.counting(path) as told:
    node.hot_add(dev_type, number, number)
  commands = told().commands
  (added, ) = set(runtime_devices(node)) - before
  # 3.1 and later close the disk's descriptor then
  return added, [name for name in commands[commands.index("device_add") + 1:]
                 if name != "remove-fd"]


@pytest.mark.parametrize("state", [paused, not_begun, in_boot_loader,
                                   without_driver])
def test_what_the_guest_does_not_claim_is_added(node, which, guest, state,
                                                command, caplog):
  state(node, guest)
  before = runtime_devices(node)
  for dev_type in (DISK, NIC):
    if which == "unmodified" and \
        faults.here("unclaimed in 5 s: not in the runtime file"):
      with pytest.raises(errors.HypervisorError) as caught:
        node.hot_add(dev_type, 2, 2)
      # it is attached, but missing from the runtime file, so that the next one
      # is to go to its slot
      assert ("did not claim" if dev_type == DISK else "in use by virtio-blk"
              ) in str(caught.value)
      assert len(Inventory(node).of(DISK)) == 3
      assert runtime_devices(node) == before
      continue
    if which == "unmodified":
      node.hot_add(dev_type, 2, 2)
      continue
    with caplog.at_level(logging.INFO):
      added, asked = add(node, dev_type, 2)
    assert asked == ASKED
    assert "in spite of" not in caplog.text
    is_running = state in (in_boot_loader, without_driver)
    assert ("%s is attached, but" % added in caplog.text) != is_running
    assert not mapped(node, added)
    found = Inventory(node)
    assert runtime_devices(node) == found.devices
    # the next operation says so, and keeps it
    caplog.clear()
    with caplog.at_level(logging.INFO):
      other, _ = add(node, dev_type, 3)
    assert set([added, other]) <= set(runtime_devices(node))
    said = state is not not_begun
    assert ("has not mapped %s so far" % added in caplog.text) == said
    for name in (added, other):
      status, text = command(node, "map", "--json", "--live", nodes.NAME)
      (entry, ) = json.loads(text)["instances"]
      (device, ) = [d for d in entry["devices"] if d["id"] == name]
      assert status == 0 and device["source"] == "both"
      assert device["remark"] == (slot_map.UNCLAIMED if said else None)
    assert command(node, "check", "--live", nodes.NAME)[0] == 0
  if which == "plugin":
    find(node, state)


def find(node, state):
  """Have the guest find what was added."""
  expected = runtime_devices(node)
  if state in (paused, not_begun):
    tell(node, "cont")
    node.wait_until_guest_sees(4, 4)
  elif state is in_boot_loader:
    added = id_of(expected, "disk-")
    tell(node, "system_reset")
    wait_until_mapped(node, added)
  else:
    # it never does, and the devices stay
    node.wait_until_guest_sees(2, 2)
  assert runtime_devices(node) == Inventory(node).devices == expected


def test_a_scsi_disk_is_added_at_once(node, which):
  """There is nothing to wait for; the guest does not run."""
  node.start(nics=0, paused=True, disk_type="scsi-hd",
             scsi_controller_type="virtio-scsi-pci")
  if which == "unmodified" and \
      faults.here("an attached SCSI disk: its hot-add fails"):
    before = runtime_devices(node)
    with pytest.raises(errors.HypervisorError) as caught:
      node.hot_add(DISK, 2, 2)
    assert "should have been added but is missing" in str(caught.value)
    assert len(Inventory(node).devices) == 3
    assert runtime_devices(node) == before
    return
  if which == "unmodified":
    node.hot_add(DISK, 2, 2)
    return
  for number in (2, 3):
    added, asked = add(node, DISK, number)
    assert asked == ASKED
    devices = runtime_devices(node)
    assert devices[added] == number
    assert devices == Inventory(node).devices
