"""The forms of an address."""

import pytest

from ganeti_kvm_pci.bus import address
from ganeti_kvm_pci.errors import AddressError


def test_every_place_survives_writing_and_reading():
  for slot in range(32):
    for function in range(8):
      place = (slot, function)
      assert address.parse(address.unparse(slot, function)) == place
      assert address.from_devfn(slot * 8 + function) == place


@pytest.mark.parametrize("text, slot", [
  ("0xc", 12), ("0XC", 12), ("c", 12), ("10", 16), ("0", 0), ("1f", 31),
  ])
def test_digits_are_hexadecimal_as_for_qemu(text, slot):
  assert address.parse(text) == (slot, 0)


@pytest.mark.parametrize("text", [
  "", "0x", "0xzz", "20", "0x20", "-1", "3.8", "3.", ".3", " 3", "3 ", "3\n4",
  None, 12, 1.5, [], {}, "0x100000000",
  ])
def test_anything_else_is_one_clear_error(text):
  with pytest.raises(AddressError) as caught:
    address.parse(text)
  assert repr(text) in str(caught.value)


@pytest.mark.parametrize("slot", [-1, 32, "3", 3.0, None, True])
def test_slots_go_from_0_to_31(slot):
  with pytest.raises(AddressError):
    address.check_slot(slot)


@pytest.mark.parametrize("devfn", [-1, 256, "8", None, True])
def test_devfn_goes_from_0_to_255(devfn):
  with pytest.raises(AddressError):
    address.from_devfn(devfn)
