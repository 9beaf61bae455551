"""Where hotplug puts devices: the steps of C{make demo}, on any version.

What is expected is the design document's table.

"""

import pytest

from ganeti import constants
from ganeti import errors

import documents
import patched
import slow_guest
from nodes import DISK
from nodes import NIC
import nodes

VERSION = (constants.VERSION_MAJOR, constants.VERSION_MINOR,
           constants.VERSION_REVISION)

ROWS = documents.table("Where hotplug puts devices")

#: What the series "partition" makes of it.
WITH_PARTITION = ("12,13/24,25", "12,13/24,25,26", "12,13,14/24,25,26",
                  "12,13,14/24,25", "12,13,14,15/24,25", "12,13,14,15/24,25")


def show(node):
  """Return where disks and NICs are, as the table has it."""
  return "/".join(",".join("%d" % slot for slot in slots)
                    for slots in node.agreed_slots())


def of_machine_type(cell):
  """Tell which ports are meant where the table, which is for pc, has slots."""
  if nodes.ON_PC:
    return cell
  plain = {DISK: list(range(8, 24)), NIC: list(range(24, 32))}
  return "/".join(
    ",".join("%d" % nodes.pools()[dev_type][plain[dev_type].index(int(slot))]
             for slot in part.split(","))
    for dev_type, part in zip((DISK, NIC), cell.split("/")))


def steps(node, guest, **parameters):
  """Take them; yields after each."""
  node.start(**dict(parameters, **nodes.boot(guest)))
  node.wait_until_guest_sees(disks=2, nics=2)
  yield
  node.hot_add(NIC, 2, 2)
  yield
  node.hot_add(DISK, 2, 2)
  yield
  # before the guest has a driver for it, it does not complete the unplug
  node.wait_until_guest_sees(disks=3, nics=3)
  node.hot_del(NIC, 2, 2)
  yield
  node.hot_add(DISK, 3, 3)
  yield
  node.stop()
  node.start(disks=4, paused=True, **parameters)
  yield


def unmodified():
  """Return the cells of this release, as the series of patches change them."""
  cells = [documents.of_release(row, VERSION) for row in ROWS]
  changed = cells
  if patched.has("partition"):
    changed = WITH_PARTITION
  if patched.has("reserved-slots"):
    # that series lets a part be filled from below as well
    changed = [row["with the plugin"] for row in ROWS]
  return [cell if cell in ("refused", "") else new
          for cell, new in zip(cells, changed)]


def test_hotplug_gives_the_slots_of_the_table(node, which, guest, monkeypatch):
  slow_guest.lend(node, monkeypatch)
  # the root ports of Ganeti's own making have the same pools
  if which == "unmodified" and nodes.ON_PC:
    expected = unmodified()
    taken = steps(node, guest)
  else:
    expected = [of_machine_type(row["with the plugin"]) for row in ROWS]
    taken = steps(node, guest, kvm_pci_reservations=8)
  while expected:
    cell = expected.pop(0)
    if cell == "refused":
      with pytest.raises(errors.GenericError) as caught:
        next(taken)
      assert "should have been added but is missing" in str(caught.value)
      # there it ends
      assert not any(expected)
      return
    next(taken)
    assert show(node) == cell
