"""Which combinations of QEMU's own devices start.

Up to 2.15 stock knows some of them, and assumes where QEMU puts them.

"""

import itertools

import pytest

from ganeti import constants
from ganeti import errors

RNG = "-device virtio-rng-pci"
#: Since 2.16 there are types for each SCSI device, beside the old one
DISK_TYPES = ["paravirtual", "scsi"] + (
  ["scsi-hd"] if hasattr(constants, "HT_DISK_SCSI_HD") else [])
COMBINATIONS = list(itertools.product(["", "hda"], ["", "127.0.0.1"],
                                      DISK_TYPES, ["", RNG]))
NAMES = ["-".join(["sound"] * bool(sound) + ["spice"] * bool(spice) +
                  [disk_type] * (disk_type != "paravirtual") +
                  ["rng"] * bool(extra))
         or "plain" for sound, spice, disk_type, extra in COMBINATIONS]

#: Whether stock reserves 12 slots for QEMU, enough for any of these
RESERVES = hasattr(constants, "HV_KVM_PCI_RESERVATIONS")

VERSION = (constants.VERSION_MAJOR, constants.VERSION_MINOR,
           constants.VERSION_REVISION)


def stock_starts(_sound, _spice, disk_type, extra):
  """Say whether stock starts a combination; its faults are known."""
  if RESERVES:
    return True
  if VERSION < (2, 10, 3) and disk_type == "scsi":
    # the controller takes the slot that the balloon is given
    return False
  # the rng takes the first disk's slot; a SCSI disk is given one as well, but
  # does not use it
  return disk_type == "scsi" or not extra


@pytest.mark.parametrize("combination", COMBINATIONS, ids=NAMES)
def test_start(node, which, combination):
  sound, spice, disk_type, extra = combination
  parameters = dict(soundhw=sound, spice_bind=spice, disk_type=disk_type,
                    kvm_extra=extra)
  if VERSION >= (3, 1) and disk_type == "scsi":
    # since 3.1 stock itself refuses this type
    with pytest.raises(errors.HypervisorError) as caught:
      node.start(paused=True, **parameters)
    assert "does not support disk driver" in str(caught.value)
    return
  if which == "stock" and not stock_starts(*combination):
    with pytest.raises(errors.HypervisorError) as caught:
      node.start(paused=True, **parameters)
    assert "not available for" in str(caught.value)
    return
  node.start(paused=True, **parameters)
  live = node.live()
  # host bridge, PIIX3, VGA, balloon, and two NICs
  expected = 6 + bool(sound) + bool(spice) + bool(extra)
  expected += 2 if disk_type == "paravirtual" else 1
  assert len(live) == expected, live
  if disk_type == "paravirtual":
    node.places()
  if which == "plugin":
    # its record makes the same again
    assert node.hyper.MigrationInfo(node.instance)

