"""Devices that are added and removed while a guest runs.

The tests of one hypervisor share a guest, and after each it has the devices
that it had before, or the test says why not.

"""

import json

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

import nodes
import slow_guest
from nodes import DISK, NIC

DISK_AND_NIC = pytest.mark.parametrize("dev_type", [DISK, NIC],
                                       ids=["disk", "nic"])

#: Up to 2.12 Ganeti looks for a new device in the text of "info pci", with an
#: expression that expects two BARs; virtio devices have had three or more
#: since QEMU 2.7.
LOOKS_AT_TEXT = hasattr(hv_kvm.KVMHypervisor, "_FIND_PCI_DEVICE_RE")

MISSED = "should have been added but is missing"


def loses_disks(which):
  """Tell whether Ganeti takes the event of half a device for all of it.

  On its own q35, the first of the two that a virtio disk sends may end the
  wait.

  """
  return which == "unmodified" and nodes.HAS_ROOT_PORTS and not nodes.ON_PC


def of(booted, dev_type):
  """Return the slots of one type, on which runtime file and QEMU agree."""
  return booted.agreed_slots()[0 if dev_type == DISK else 1]


@DISK_AND_NIC
def test_hot_add(booted, which, dev_type):
  if which == "unmodified" and LOOKS_AT_TEXT:
    before = booted.runtime_slots(), len(booted.live())
    with pytest.raises(errors.HypervisorError) as caught:
      booted.hot_add(dev_type, 2, 2)
    assert MISSED in str(caught.value)
    # it is attached, but missing from the runtime file
    assert (booted.runtime_slots(), len(booted.live()) - 1) == before
    return
  before = of(booted, dev_type)
  booted.hot_add(dev_type, 2, 2)
  after = of(booted, dev_type)
  assert after[:-1] == before and after[-1] not in before
  if which == "plugin":
    # above the last one of its class, in its pool
    assert after[-1] == before[-1] + 1
    assert after[-1] in nodes.pools()[dev_type]


@pytest.mark.skipif(nodes.ON_PC, reason="ports have indices")
def test_a_hot_added_nic_has_the_index_of_its_port(booted):
  booted.hot_add(NIC, 4, 2)
  with open(booted.hyper._InstanceKVMRuntime(nodes.NAME)) as stream:
    hvinfo = json.load(stream)[1][-1]["hvinfo"]
  qmp = booted.watch()
  if "acpi-index" in [found["name"] for found in qmp.execute(
      "device-list-properties", typename="virtio-net-pci")]:
    assert hvinfo["acpi-index"] == int(hvinfo["bus"][2:]) - 2
    assert qmp.execute(
      "qom-get", path="/machine/peripheral/" + hvinfo["id"],
      property="acpi-index") == hvinfo["acpi-index"]
  else: # QEMU before 6.1
    assert "acpi-index" not in hvinfo
  booted.hot_del(NIC, 4, 2)


@DISK_AND_NIC
def test_hot_del(booted, which, dev_type, monkeypatch):
  slow_guest.lend(booted, monkeypatch)
  # one that was there when the guest booted
  expected = booted.runtime_slots()[dev_type]
  try:
    booted.hot_del(dev_type, 1, 1)
  except errors.HypervisorError as err:
    # it stays in the runtime file, whatever the guest does
    if not loses_disks(which) or "in use" not in str(err):
      raise
    assert booted.runtime_slots()[dev_type] == expected
    return
  slot = expected.pop(1)[1]
  assert booted.runtime_slots()[dev_type] == expected
  assert slot not in booted.live()


@DISK_AND_NIC
def test_hot_del_of_the_added(booted, which, dev_type, monkeypatch):
  slow_guest.lend(booted, monkeypatch)
  if which == "unmodified" and LOOKS_AT_TEXT:
    with pytest.raises(errors.HotplugError) as caught:
      booted.hot_del(dev_type, 2, 1)
    assert "Cannot find runtime info" in str(caught.value)
    return
  if loses_disks(which):
    pytest.skip("what is in the runtime file is no longer in QEMU")
  booted.hot_del(dev_type, 2, 1)
  assert len(of(booted, dev_type)) == 1


@DISK_AND_NIC
def test_hot_add_again(booted, which, dev_type):
  if which == "unmodified" and LOOKS_AT_TEXT:
    pytest.skip("this version wrote nothing to the runtime file to add again")
  if loses_disks(which):
    pytest.skip("what is in the runtime file is no longer in QEMU")
  before = of(booted, dev_type)
  booted.hot_add(dev_type, 3, 1)
  assert of(booted, dev_type)[:-1] == before
  # each NIC has a tap of its own
  taps = booted.taps()
  assert len(taps) == len(set(taps)) == len(of(booted, NIC))
