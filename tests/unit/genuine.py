"""The genuine runtime files, and what must hold for any file at all."""

import copy
import glob
import io
import os
import re

from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.errors import KvmPciError
from ganeti_kvm_pci.qemu import ids
from ganeti_kvm_pci.qemu.pci_functions import Function
from ganeti_kvm_pci.runtime import consistency
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import downgrade
from ganeti_kvm_pci.runtime import layout
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import slot_map
from ganeti_kvm_pci.runtime import upgrade

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(
  __file__))), "data")

NAMES = sorted(os.path.basename(path)[:-len(".runtime")]
               for path in glob.glob(os.path.join(DATA, "*.runtime")))

VERSION = [(2, 10), (2, 11), (2, 12), (2, 13), (2, 14), (2, 15), (2, 16),
           (3, 0), (3, 1), (3, 2)]

_LIVE = [Function(slot, 0, None, "class 0x00ff") for slot in (0, 1, 9, 31)]


def path_of(name):
  return os.path.join(DATA, name + ".runtime")


def text_of(name):
  with io.open(path_of(name), encoding="utf-8") as stream:
    return stream.read()


def load(name):
  return serialized.parse(text_of(name), name)


def version_of(name):
  """Return the first version that can have written a file."""
  word = name.split("-")[0]
  if word == "master":
    return (3, 2)
  return tuple(int(number) for number in word[1:].split(".")[:2])


def writable_by(version):
  """List the files that an upgrade to a version may meet."""
  return [name for name in NAMES
          if upgrade.has_hvinfo(version) or not upgrade.has_hvinfo(
            version_of(name))]


def slots(known):
  return [(d.device_class, d.slot) for d in known.devices]


def _guarded(function, *args):
  """Call a function; return None if it raises what it may."""
  try:
    return function(*args)
  except KvmPciError as err:
    assert str(err) and "\n" not in str(err)
    return None


def _is_sane(command):
  """Tell whether each option that makes devices has an argument."""
  return all(not (word.lstrip("-") in ("balloon", "device", "drive") and
                  argument.startswith("-"))
             for word, argument in zip(command, command[1:] + ["-"]))


#: What ends an option's value, or a line of the human monitor.
_ENDS_RE = re.compile(r"[,\x00-\x1f\x7f]")


def _check_options(loaded):
  """Make sure that no value of a runtime file is more than one in an option.

  Ganeti pastes them together as they stand.

  """
  for device_class, entries in ((DISK, [e[0] for e in loaded.disks]),
                                (NIC, loaded.nics)):
    for entry in entries:
      values = [entry.get("uuid"), entry.get("mac")]
      for pair in (entry.get("hvinfo") or {}).items():
        values.extend(pair)
      if entry.get("pci") is not None:
        values.append(ids.old_id(device_class, entry.get("uuid"),
                                 entry["pci"]))
      for value in values:
        assert not _ENDS_RE.search(u"%s" % (value, )), value
  for entry in loaded.disks:
    assert not _ENDS_RE.search(entry[1] or ""), entry[1]
  for name in ("disk_type", "nic_type", "disk_cache"):
    assert not _ENDS_RE.search(u"%s" % loaded.hvparams.get(name)), name


def _exercise_version(text, version):
  loaded = serialized.parse(text, "f")
  # a word that is no option, but looks like one, may hide QEMU's devices
  before = [found for found, device in zip(
    slots(device_table.DeviceTable(loaded)),
    device_table.DeviceTable(loaded).devices)
            if device.index is not None]
  if _guarded(upgrade.normalise, loaded, version) is None:
    return
  assert slots(device_table.DeviceTable(loaded))[:len(before)] == before
  assert upgrade.normalise(loaded, version) == []
  _check_options(loaded)
  normalised = loaded.dump()
  assert serialized.parse(normalised, "f").dump() == normalised
  if _guarded(layout.lay_out, loaded, version, 12) is None:
    return
  _check_options(loaded)
  placed = loaded.dump()
  known = _guarded(device_table.parse, placed, "f")
  assert known
  if _is_sane(known.command):
    _guarded(layout.lay_out, loaded, version, 12)
    assert loaded.dump() == placed


def exercise(text):
  """Do with a text all that is ever done with a runtime file.

  @raise Exception: if anything but an error of the package's leaves it, or
      if what came out is not what it must be whatever went in

  """
  known = _guarded(device_table.parse, text, "f")
  if not known:
    return False
  loaded = serialized.parse(text, "f")
  _check_options(loaded)
  dumped = loaded.dump()
  assert serialized.parse(dumped, "f").dump() == dumped
  for functions in (None, _LIVE):
    slot_map.as_text(known, slot_map.entries(known, functions), bool(functions))
    consistency.findings(known, functions)
  consistency.repair(loaded, known, _LIVE, [])
  assert _guarded(device_table.parse, loaded.dump(), "f")
  loaded = serialized.parse(text, "f")
  before = slots(known)
  if _guarded(downgrade.downgrade, loaded, (2, 10)) is not None:
    assert [s for _, s in slots(device_table.DeviceTable(loaded))] == [
      s for _, s in before]
  downgrade.downgrade(serialized.parse(text, "f"), (3, 0))
  for version in ((2, 10), (2, 16), (3, 1)):
    _exercise_version(text, version)
  return True


#: Values that something may stumble over.
VALUES = [
  None, True, False, 0, -1, 1, 7, 12, 31, 32, 2 ** 70, 1.5, "", "0xc", "0x1f.7",
  "0xzz", "a\nb", u"\u00e9\ud800", "pci.0", "virtio-blk-pci", "scsi-hd", "ide",
  "ne2k_isa", "e1000", "paravirtual", "default", "-name", "-vnc", ":1,tls",
  "x509verify=/x,tls", "-balloon", "none", "virtio,id=balloon,addr=0x4",
  "-chroot", "-localtime", "-device", "virtio-rng-pci,addr=0x8",
  "virtio-blk-pci,id=inherited-disk-0,drive=inherited-disk-0,addr=0x9",
  '{"driver":"x","addr":5}', "{", "-drive", "file=/x,if=virtio",
  "file=/x,if=virtio,media=cdrom", "-device 'x,addr=0xd'",
  "hotdisk-000000d5-pci-9,romfile=/etc/shadow", "pci.0,addr=0x9", "0xc\n",
  "virtio-blk-pci,romfile=/x", u"disk-\u2028", "a,,b", "scsi-hd\n",
  "-device q35,id=pci.0", [], {}, [None], {"addr": "0xa", "bus": "pci.0"},
  "rp3", "rp11", "rp99", 16384, "-device pcie-root-port,id=rp3,chassis=3",
  {"addr": "0x0", "bus": "rp26"}, {"bus": "rp12", "acpi-index": 1},
  {"pci": 5}, [{"uuid": "x"}, "", None], [{"uuid": "x", "pci": 3}, "", None],
  ]

#: Keys that mean something here.
KEYS = [
  "acpi-index", "addr", "bus", "disk_cache", "disk_discard", "disk_type",
  "driver", "hvinfo", "id", "kvm_extra", "kvm_pci_reservations", "mac", "machine_version", "nic_type",
  "pci", "uuid", "x"]


def list_places(value):
  """List each place in a tree: what holds it, and its key or index."""
  found = []
  children = (sorted(value) if isinstance(value, dict) else
              range(len(value)) if isinstance(value, list) else ())
  for key in children:
    found.append((value, key))
    found.extend(list_places(value[key]))
  return found


def mutate(data, operation, where, other, value):
  """Change a tree of JSON's in one place.

  @param operation: int, what is done
  @param where: int, which place it is done to
  @param other: int, what other position or key has a part in it
  @param value: what is put there

  """
  places = list_places(data)
  if not places:
    return
  holder, key = places[where % len(places)]
  if operation % 4 == 0:
    del holder[key]
  elif operation % 4 == 1:
    holder[key] = value
  elif operation % 4 == 2:
    source, at = places[other % len(places)]
    holder[key] = copy.deepcopy(source[at])
  elif isinstance(holder, list):
    holder.insert(key, value)
  else:
    holder[KEYS[other % len(KEYS)]] = value
