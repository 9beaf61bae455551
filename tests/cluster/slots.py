"""Where disks and NICs are expected on the lab's machine type.

One suite for both: a scenario gives slots of pci.0, and a q35 guest has the
root port that stands for each. Slots that are told of such a guest are numbers
of root ports.

"""

import os
import re

import pytest

MACHINE_TYPE = os.environ.get("MACHINE_TYPE") or "pc"

IS_Q35 = "q35" in MACHINE_TYPE

#: Where the NICs begin, on pci.0.
_NICS = 24

#: The first root ports of NICs and of disks.
_NIC_PORT, _DISK_PORT = 3, 11

on_q35 = pytest.mark.skipif(not IS_Q35, reason="make test-q35-cluster")

on_pc = pytest.mark.skipif(IS_Q35, reason="not with root ports")


def at(*slots, reserved=8):
  """Tell where devices are.

  @param slots: on pci.0
  @param reserved: kvm_pci_reservations, where the disks begin there
  @return: list of ints, the slots, or the numbers of the root ports

  """
  if not IS_Q35:
    return list(slots)
  return [slot - _NICS + _NIC_PORT if slot >= _NICS else
          slot - reserved + _DISK_PORT for slot in slots]


def named(slot, reserved=8):
  """Name a slot, or a root port, as messages do."""
  return ("port rp%d" if IS_Q35 else "slot %d") % tuple(
    at(slot, reserved=reserved))


def address(slot):
  """Give a slot to QEMU, as hvinfo has it; of a root port it is the bus."""
  (where, ) = at(slot)
  return ({"bus": "rp%d" % where, "addr": "0x0"} if IS_Q35 else
          {"bus": "pci.0", "addr": "0x%x" % where})


def of(hvinfo):
  """Tell the slot that a runtime file gives, or None."""
  port = re.match(r"rp(\d+)\Z", hvinfo.get("bus", ""))
  if port:
    return int(port.group(1))
  return int(hvinfo["addr"], 16) if "addr" in hvinfo else None
