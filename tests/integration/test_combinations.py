"""Which instances unmodified Ganeti starts, and that the plugin starts all.

What is expected of unmodified Ganeti is the design document's table, so that
the two cannot differ.

"""

import itertools
import re

import pytest

from ganeti import constants
from ganeti import errors

import documents
import nodes
import patched

RNG = "-device virtio-rng-pci"
#: Since 2.16 there are types for each SCSI device, beside the old one
DISK_TYPES = ["paravirtual", "scsi"] + (
  ["scsi-hd"] if hasattr(constants, "HT_DISK_SCSI_HD") else [])

VERSION = (constants.VERSION_MAJOR, constants.VERSION_MINOR,
           constants.VERSION_REVISION)

#: What is in a cell of the table.
STARTS, FULL, REFUSED = "starts", "full", "--"

#: Name: disks, NICs, parameters. The first are all combinations of four.
INSTANCES = {}
for sound, spice, disk_type, rng in itertools.product(
    [False, True], [False, True], DISK_TYPES, [False, True]):
  name = ", ".join(["sound"] * sound + ["SPICE"] * spice +
                   [disk_type] * (disk_type != "paravirtual") +
                   ["rng"] * rng) or "2 disks, 2 NICs"
  INSTANCES[name] = (2, 2, {
    "soundhw": "hda" if sound else "",
    "spice_bind": "127.0.0.1" if spice else "",
    "disk_type": disk_type, "kvm_extra": RNG if rng else ""})
INSTANCES["9 rng"] = (2, 2, {"kvm_extra": " ".join([RNG] * 9)})
INSTANCES["12 disks, 8 NICs"] = (12, 8, {})
INSTANCES["16 disks, 4 NICs"] = (16, 4, {})
INSTANCES["16 disks, 8 NICs"] = (16, 8, {})


#: Name to a cell, where unmodified Ganeti does not start it; the rest it does.
EXPECTED = dict(
  (row["Instance"], documents.of_release(row, VERSION))
  for row in documents.table("Instances that do not start"))


#: What the series of patches make of that, see L{patched}.
if patched.has("creation-order"):
  EXPECTED["9 rng"] = STARTS
if patched.has("reserved-slots"):
  # five slots do not suffice for ten devices
  EXPECTED = {"9 rng": "8"}


def outcome(node, disks, nics, parameters):
  """Try to start an instance; returns the cell, and why.

  @rtype: tuple of two strings

  """
  try:
    node.start(disks, nics, paused=True, **parameters)
    return (STARTS, "")
  # master has a RuntimeError
  except (errors.GenericError, RuntimeError) as err:
    # from 2.16 on, what QEMU says is in its log only
    told = str(err) + node.log()
  if "does not support disk driver" in told:
    return (REFUSED, told)
  slot = re.search(r"slot (\d+) function 0 not available for", told)
  if slot:
    return (slot.group(1), told)
  assert re.search("lots occupied|slots available|slot is left|no slot/function"
                   " available", told), told
  return (FULL, told)


def test_the_table_has_no_other_instances():
  assert set(EXPECTED) <= set(INSTANCES)


@pytest.mark.parametrize("name", sorted(INSTANCES))
def test_start(node, which, name):
  disks, nics, parameters = INSTANCES[name]
  found, told = outcome(node, disks, nics, parameters)
  print(told)
  if which == "unmodified":
    table = EXPECTED
    if not nodes.ON_PC:
      table = dict((key, cell) for key, cell in EXPECTED.items()
                   if cell == REFUSED)
      # of its own q35, 4 slots are left to kvm_extra
      table["9 rng"] = FULL
    assert found == table.get(name, STARTS), told
    return
  reservations = node.instance.hvparams.get("kvm_pci_reservations", 8)
  if disks + nics > 32 - reservations and nodes.ON_PC:
    assert found == FULL
    assert "held by" in told
    assert ("lower kvm_pci_reservations" in told) == (reservations > 8)
    return
  if name == "9 rng" and not nodes.ON_PC and nodes.HAS_ROOT_PORTS:
    # that layout is kept
    assert found == FULL and "no free slot of pcie.0" in told
    return
  if found == REFUSED:
    # Ganeti's own text, which the plugin leaves
    assert EXPECTED[name] == REFUSED
    return
  assert found == STARTS, told
  on_pc = nodes.ON_PC
  on_pci = parameters.get("disk_type", "paravirtual") == "paravirtual"
  # host bridge, PIIX3, VGA, balloon; with q35, ICH9 and its USB, on two slots
  expected = (4 if on_pc else 5) + sum(bool(parameters.get(key)) for key in
                                       ("soundhw", "spice_bind"))
  expected += parameters.get("kvm_extra", "").count(RNG) + (not on_pci)
  # Ganeti's own q35 has all that it makes in one slot
  assert len(node.own()) == expected or (not on_pc and nodes.HAS_ROOT_PORTS)
  live = node.live()
  assert len(live) == (nics + (disks if on_pci else 0) +
                       (expected if on_pc else 0)), live
  if on_pci:
    node.agreed_slots()
  # its runtime file describes what runs
  assert node.hyper.MigrationInfo(node.instance)
