"""QEMU starts from genuine runtime files; a soft reboot lays them out anew.

A sample; with C{RUNTIME_FILES=all} in the environment, each file of
C{tests/data}.

"""

import glob
import io
import json
import os
import re

import pytest

from ganeti import constants

from ganeti_kvm_pci import start
from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.runtime import device_table

import nodes

DATA = os.path.join(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))), "data")
VERSION = (constants.VERSION_MAJOR, constants.VERSION_MINOR)
SAMPLE = ["v2.9.6-hdaspice", "v2.10.0-rng", "v2.10.2-hdaspicescsi",
          "v2.10.8-e1000", "v2.15.2-hdaspice+hotplug", "v2.16.2-hda",
          "v3.0.2-scsihd", "v3.0.2-hdaspice+hotplug"]


def _version_of(name):
  version = name[1:].split("-")[0].split(".")
  return (3, 2) if name.startswith("master") else (int(version[0]),
                                                    int(version[1]))


def _names():
  names = [os.path.basename(path)[:-len(".runtime")] for path in
           sorted(glob.glob(os.path.join(DATA, "*.runtime")))]
  if os.environ.get("RUNTIME_FILES") != "all":
    names = [name for name in names if name in SAMPLE]
  # 3.1 has no disks of this type any more
  return [name for name in names if _version_of(name) <= VERSION and
          not (VERSION >= (3, 1) and "hdaspicescsi" in name)]


def _never_booted(name):
  """Tell whether its own release could not boot what is in the file."""
  release, _, case = name.partition("-")
  return case == "rng" and _version_of(name) < (2, 16) or \
    release in ("v2.10.0", "v2.10.1") and "hda" in case + "spice" in case or \
    release == "v2.10.2" and case == "hdaspicescsi"


def adopt(node, name, guest):
  """Put a runtime file into the node's folder, its paths made those of here."""
  hyper = node.hyper
  with io.open(os.path.join(DATA, name + ".runtime"),
               encoding="utf-8") as stream:
    text = stream.read()
  root = "/var/run/ganeti/kvm-hypervisor"
  for old, new in (("/usr/bin/kvm", node.qemu),
                   (root + "/pid", hyper._PIDS_DIR),
                   (root + "/ctrl", hyper._CTRL_DIR),
                   ("/var/log/ganeti/kvm", node.folder),
                   ("/srv/guest", guest), ("pc-i440fx-7.2", "pc"),
                   # as in nodes.boot
                   ("quiet console=", "quiet no_timer_check console=")):
    text = text.replace(old, new)
  text = re.sub(r"/var/run/ganeti/[a-z0-9]+\.ex:(\d)",
                lambda match: node.image(int(match.group(1))), text)
  known = device_table.parse(text, name)
  parameters = dict(constants.HVC_DEFAULTS[constants.HT_KVM])
  parameters.update(known.hvparams, kvm_path=node.qemu, cpu_mask="",
                    kvm_pci_reservations=8)
  node.adopt(known.instance, parameters)
  with open(hyper._InstanceKVMRuntime(known.instance), "w") as stream:
    stream.write(text)
  return known


def guests_view(report):
  """Read the guest's report.

  @return: slots of its disks in the order of their names, and its NICs' MAC
      addresses to slots

  """
  def slot(address):
    return int(address.split(":")[2].split(".")[0], 16)

  lines = dict(line.partition(":")[::2] for line in report)
  disks = [slot(word.partition("=")[2]) for word in lines["BLK"].split()
           if word.startswith("vd")]
  nics = {}
  for word in lines["NET"].split():
    address, _, mac = word.partition("=")[2].partition("/")
    nics[mac] = slot(address)
  return disks, nics


@pytest.mark.parametrize("which", ["plugin"], indirect=True)
@pytest.mark.parametrize("name", _names())
def test_qemu_starts_from_a_runtime_file_and_a_reboot_lays_it_out(node, guest,
                                                                  name):
  known = adopt(node, name, guest)
  hyper = node.hyper
  if not _never_booted(name):
    node.start_from_file()
    live = node.live()
    for device in known.devices:
      if device.slot is not None:
        assert live.get(device.slot) == device.id, (device, live)
    # it could migrate as it is
    assert hyper.MigrationInfo(node.instance)
    hyper.RebootInstance(node.instance)
  else:
    with hyper._Starting(start.Start(known.instance, is_layout_due=True)):
      runtime = hyper._LoadKVMRuntime(node.instance)
    hyper._SaveKVMRuntime(node.instance, runtime)
    hyper._ExecuteKVMRuntime(node.instance, runtime, node.kvmhelp())
  report = node.wait_for_guest()
  with open(hyper._InstanceKVMRuntime(known.instance)) as stream:
    text = stream.read()
  after = device_table.parse(text, name)
  part = Partition.of(after.hvparams)
  live = node.live()
  for device_class in ("disk", "nic"):
    slots = after.slots(device_class)
    assert slots == part.pool(device_class)[:len(slots)]
    assert [live[slot] for slot in slots] == [
      d.id for d in after.devices
      if d.device_class == device_class and d.slot is not None]
  # what was addressed for QEMU is QEMU's again
  assert all(slot in after.held() or slot <= part.qemu[1] for slot in live)
  disks, nics = guests_view(report)
  assert disks == after.slots("disk")
  assert sorted(nics.values()) == after.slots("nic")
  for nic, slot in zip(json.loads(text)[1], after.slots("nic")):
    assert nics[nic["mac"]] == slot
  assert hyper.MigrationInfo(node.instance)
