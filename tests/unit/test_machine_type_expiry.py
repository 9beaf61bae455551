"""When QEMU deprecates and removes versioned machine types."""

import pytest

from ganeti_kvm_pci.qemu import machine_type_expiry


@pytest.mark.parametrize("name, came, removed", [
  ("pc-0.14", (0, 14), (5, 2)), ("pc-1.3", (1, 3), (6, 0)),
  ("pc-i440fx-1.4", (1, 4), (10, 0)), ("pc-i440fx-2.3", (2, 3), (10, 0)),
  ("pc-i440fx-2.4", (2, 4), (10, 1)), ("pc-q35-4.1", (4, 1), (10, 1)),
  ("pc-i440fx-4.2", (4, 2), (10, 2)), ("pc-i440fx-5.1", (5, 1), (11, 1)),
  ("pc-q35-7.2", (7, 2), (13, 2)), ("pc-i440fx-10.0", (10, 0), (16, 0)),
  ("pc", None, None), ("q35", None, None), ("", None, None),
  ("pc-i440fx-rhel7.6.0", None, None), ("pc-q35-4.0.1", None, None),
  ("pc-i440fx-jammy", None, None), ("microvm", None, None)])
def test_a_type_goes_six_years_after_it_came(name, came, removed):
  assert machine_type_expiry.version(name) == came
  assert machine_type_expiry.removed_since(name) == removed


# -machine help of Debian's 10.0.13 and 11.1.3
@pytest.mark.parametrize("qemu, deprecated, others", [
  ((10, 0), ["pc-i440fx-7.0", "pc-i440fx-6.2", "pc-q35-4.0", "pc-i440fx-2.4"],
   ["pc-i440fx-7.1", "pc-q35-7.2", "pc-i440fx-10.0"]),
  ((11, 1), ["pc-i440fx-8.1", "pc-i440fx-5.2"],
   ["pc-i440fx-8.2", "pc-i440fx-11.1"]),
  # its rule is newer
  ((7, 2), [], ["pc-i440fx-2.4", "pc-i440fx-1.4", "pc"])])
def test_it_is_deprecated_after_three(qemu, deprecated, others):
  for name in deprecated:
    assert machine_type_expiry.is_deprecated(name, qemu), name
  for name in others:
    assert not machine_type_expiry.is_deprecated(name, qemu), name
