"""What a migration was prepared with."""

import json
import os

import pytest

from ganeti_kvm_pci import leftovers
from ganeti_kvm_pci import sent_devices
from ganeti_kvm_pci.runtime import serialized



@pytest.fixture
def path(tmpdir):
  tmpdir.mkdir("conf")
  tmpdir.mkdir("kvm-pci")
  return str(tmpdir.join("conf", "vm1.example.com.runtime"))


@pytest.fixture
def loaded():
  with open(os.path.join(os.path.dirname(os.path.dirname(__file__)), "data",
                         "v3.0.2-plain.runtime")) as stream:
    return serialized.parse(stream.read(), "runtime file")


def test_nothing_was_added(path, loaded):
  assert sent_devices.added_since(path, loaded) == []
  sent_devices.note(path, loaded)
  assert sent_devices.added_since(path, loaded) == []


def test_what_is_removed_is_no_matter(path, loaded):
  sent_devices.note(path, loaded)
  del loaded.disks[0], loaded.nics[0]
  assert sent_devices.added_since(path, loaded) == []


def other_slot(loaded):
  loaded.disks[-1][0]["hvinfo"]["addr"] = "0x1f"
  return loaded.disks[-1][0]


def other_mac(loaded):
  loaded.nics[0]["mac"] = "aa:00:00:00:00:77"
  return loaded.nics[0]


def another(loaded):
  new = json.loads(json.dumps(loaded.disks[0]))
  new[0]["uuid"] = "0000dddd-1111-2222-3333-000000000009"
  new[0]["hvinfo"]["id"] = "disk-0000dddd-1111-2222"
  loaded.disks[0] = new
  return new[0]


@pytest.mark.parametrize("change", [other_slot, other_mac, another])
def test_what_is_added_or_changed_is_told(path, loaded, change):
  sent_devices.note(path, loaded)
  device = change(loaded)
  assert sent_devices.added_since(path, loaded) == [device["hvinfo"]["id"]]
  sent_devices.note(path, loaded)
  assert sent_devices.added_since(path, loaded) == []


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b"7", b"[" * 100000,
                                  b"\xff"])
def test_what_cannot_be_read_says_nothing(path, loaded, text):
  sent_devices.note(path, loaded)
  with open(sent_devices.path_for(path), "wb") as stream:
    stream.write(text)
  assert sent_devices.added_since(path, loaded) == []
  sent_devices.note(path, loaded)
  assert sent_devices.added_since(path, loaded) == []


def test_it_ends_with_the_migration_or_the_qemu(path, loaded):
  sent_devices.note(path, loaded)
  sent_devices.forget(path)
  sent_devices.forget(path)
  assert os.listdir(os.path.dirname(sent_devices.path_for(path))) == []
  sent_devices.note(path, loaded)
  assert leftovers.instances(path) == ["vm1.example.com"]
  assert leftovers.clear(path, True) == [sent_devices.path_for(path)]
