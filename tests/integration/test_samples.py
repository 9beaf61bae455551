"""What this version writes, and keeps for the releases to come.

C{tools/keep-samples} has these tests write it into C{tests/data/releases};
without, they compare its form with what is kept there of this version: who
changes that in a release changes what other nodes must read. Who reads the
samples is C{tests/unit/test_samples.py}.

"""

import glob
import io
import json
import os

import pytest

import ganeti_kvm_pci
from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci import kept_answers
from ganeti_kvm_pci.bus import frozen
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized

from nodes import DISK, NIC
import nodes
import patched
from qemu_state import tell
from test_migration import configure

pytestmark = [
  pytest.mark.parametrize("which", ["plugin"], indirect=True, scope="module"),
  pytest.mark.skipif(not nodes.ON_PC, reason="has a q35 guest of its own"),
  ]

RELEASES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(
  __file__))), "data", "releases")

#: Where samples are to be written, by C{tools/keep-samples}.
KEEP = os.environ.get("KEEP_SAMPLES")

CASES = {
  "pc": {"kvm_pci_reservations": 8},
  "q35": {"machine_version": "q35"},
  "scsi": {"disk_type": "scsi-hd", "scsi_controller_type": "virtio-scsi-pci"},
  }

#: In place of the folder that the node was in.
_FOLDER = "/run/sample"


def tags(path):
  """Return the tags by which the devices of a runtime file would stay."""
  with io.open(path, encoding="utf-8") as stream:
    loaded = serialized.parse(stream.read(), path)
  table = device_table.DeviceTable(loaded)
  return [frozen.unparse(device.device_class, device_table.dict_of(
    loaded, device)["uuid"], table.partition.unit, device.slot)
          for device in table.devices
          if device.index is not None and device.slot is not None]


def live_through(node, guest, case, monkeypatch):
  """Have a guest that leaves files of every sort.

  @return: what it sends when it moves

  """
  # so that they are asked for, and written
  monkeypatch.setattr(kept_answers, "_MEMORY", {})
  node.start(**dict(nodes.boot(guest), **CASES[case]))
  node.instance.primary_node = "node1"
  if patched.has("migration"):
    configure(node, range(4))
  node.wait_for_guest()
  node.hot_add(DISK, 2, 2)
  node.hot_add(NIC, 2, 2)
  node.hot_del(NIC, 0, 0)
  # one that the guest does not complete
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", "0.5")
  tell(node, "stop")
  with pytest.raises(Exception, match="timed out after"):
    node.hot_del(NIC, 1, 1)
  return node.hyper.MigrationInfo(node.instance)


def save(folder, name, text, node):
  with io.open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
    stream.write(u"%s" % text.replace(node.folder, _FOLDER).rstrip("\n") +
                 u"\n")


def form(value):
  """Tell what a sample is made of: keys, and what sort of values."""
  if isinstance(value, dict):
    # a device's id is a value; what programs are asked is of each its own
    return dict((key, "dict" if key == "answers" else form(item))
                for key, item in value.items()
                if not key.startswith(("disk-", "nic-")))
  if isinstance(value, list):
    found = sorted(set(json.dumps(form(item), sort_keys=True)
                       for item in value))
    return found
  return "number" if isinstance(value, (int, float)) and not isinstance(
    value, bool) else type(value).__name__


@pytest.mark.parametrize("case", sorted(CASES))
def test_what_is_written_has_the_form_that_is_kept(
    node, guest, case, monkeypatch, tmpdir):
  target = KEEP or str(tmpdir.mkdir("samples"))
  sent = live_through(node, guest, case, monkeypatch)
  path = node.hyper._InstanceKVMRuntime(nodes.NAME)
  with io.open(path, encoding="utf-8") as stream:
    save(target, case + ".runtime", stream.read(), node)
  save(target, case + ".sent", sent, node)
  save(target, case + ".tags", json.dumps(sorted(tags(path))), node)
  for suffix in (".pending", ".vacated"):
    with io.open(instance_lock.beside(path, suffix)) as stream:
      save(target, case + suffix, stream.read(), node)
  answers = []
  for name in glob.glob(os.path.join(os.path.dirname(
      instance_lock.path_for(path)), "*.answers")):
    with io.open(name) as stream:
      answers.append(stream.read())
  # of the QEMU that runs, which each hot-add asks
  (text, ) = [text for text in answers if "running" in json.loads(text)["of"]]
  save(target, case + ".answers", text, node)
  save(target, case + ".expected", json.dumps({
    "disks": sorted(number for _, number in node.runtime_slots()[DISK]
                    if number is not None),
    "nics": sorted(number for _, number in node.runtime_slots()[NIC]),
    "requested": ["nic-" + nodes.nic(1).uuid[:18]]}, sort_keys=True), node)
  if KEEP:
    return
  folder = os.path.join(RELEASES, ganeti_kvm_pci.__version__)
  for name in sorted(os.listdir(target)):
    with io.open(os.path.join(target, name)) as stream:
      here = form(json.load(stream))
    with io.open(os.path.join(folder, name)) as stream:
      there = form(json.load(stream))
    assert here == there, name
