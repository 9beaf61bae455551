"""Where devices are after a start."""

import pytest

from ganeti import constants

RESERVATIONS = constants.HVC_DEFAULTS[constants.HT_KVM].get(
  "kvm_pci_reservations")


def test_record_and_qemu_agree(node, which):
  node.start(paused=True)
  disks, nics = node.places()
  assert len(disks) == len(nics) == 2
  if which == "plugin":
    first = RESERVATIONS or 8
    assert (disks, nics) == ([first, first + 1], [24, 25])
  elif RESERVATIONS:
    assert (disks, nics) == ([12, 13], [14, 15])
  else:
    # next to QEMU's: host bridge, PIIX3, VGA and the balloon
    assert (disks, nics) == ([4, 5], [6, 7])


@pytest.mark.skipif(not RESERVATIONS, reason="no kvm_pci_reservations here")
def test_the_parameter_moves_the_disks(node, which):
  node.start(paused=True, kvm_pci_reservations=8)
  nics = [24, 25] if which == "plugin" else [10, 11]
  assert node.places() == ([8, 9], nics)


def test_many_devices(node, which):
  # stock reserves nothing for others before 2.16, and 12 slots since
  node.start(12, 8, paused=True)
  disks, nics = node.places()
  assert (len(disks), len(nics)) == (12, 8)
  if which == "plugin":
    first = RESERVATIONS or 8
    assert disks == list(range(first, first + 12))
    assert nics == list(range(24, 32))
