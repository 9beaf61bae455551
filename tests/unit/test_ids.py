"""Ganeti's ids, and what only looks like one."""

import pytest

from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.qemu import ids

UUID = "000000d5-1111-4222-8333-0000000000d5"


@pytest.mark.parametrize("device_class", [DISK, NIC])
def test_what_ganeti_makes_is_known_as_its_own(device_class):
  names = [ids.new_id(device_class, UUID)] + [
    ids.old_id(device_class, UUID, slot) for slot in range(32)]
  for name in names:
    assert ids.is_ours(name) and ids.class_of(name) == device_class
    assert ids.is_of(name, device_class, UUID)
    assert not ids.is_of(name, {DISK: NIC, NIC: DISK}[device_class], UUID)
    assert not ids.is_of(name, device_class, UUID.replace("d5-", "d6-"))
    assert all(ids.is_same(name, other) for other in names)
    assert ids.named_in(["-device", "x,id=%s,drive=y" % name,
                         '{"id":"%s"}' % name]) == set([name])


@pytest.mark.parametrize("tail", [
  ",romfile=/etc/shadow", "\n", "0", "-0", " ", "\0", ".0", "/x", u"\u0660"])
def test_no_more_and_no_less(tail):
  for name in (ids.new_id(DISK, UUID), ids.old_id(DISK, UUID, 9)):
    if name + tail == ids.old_id(DISK, UUID, 9) + "0":
      continue # pci-90
    for other in (name + tail, tail + name, name[:-1] + tail):
      if ids.class_of(other):
        # one digit for another
        assert tail == "0" and len(other) == len(name)
        continue
      assert not ids.is_of(other, DISK, UUID)
      assert not ids.is_same(name, other)


@pytest.mark.parametrize("name", [
  None, "", "disk-1", "disk-data", "nic-mgmt", "hotdisk-000000d5-pci-32",
  "hotdisk-000000d5-pci-090", "hotnic--pci-9", "hotdisk-000000D5-pci-9",
  "disk-000000d5-1111", "hotdisk-000000d5-1111-4222", "disk-000000d5-pci-9"])
def test_what_users_name_their_own_is_not_ganetis(name):
  assert not ids.is_ours(name)
  assert ids.named_in([name or ""]) == set()
