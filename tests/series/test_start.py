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


@pytest.mark.skipif(not hasattr(constants, "HV_USE_GUEST_AGENT") or
                    not hasattr(constants, "HT_DISK_SCSI_HD"),
                    reason="no guest agent, or no types of SCSI disks here")
@pytest.mark.parametrize("disk_type, slots", [("paravirtual", 9),
                                              ("scsi-hd", 10)])
def test_all_that_ganeti_turns_on_takes_nine_or_ten_slots(
    node, which, tmpdir, disk_type, slots):
  images = [tmpdir.join(name) for name in ("cd1", "cd2")]
  for image in images:
    image.write("")
  node.start(paused=True, disk_type=disk_type, soundhw="hda",
             spice_bind="127.0.0.1", spice_use_vdagent=True,
             use_guest_agent=True, cdrom_disk_type="paravirtual",
             cdrom_image_path=str(images[0]), cdrom2_image_path=str(images[1]))
  ganetis = [slot for places in node.record().values() for _, slot in places]
  assert len(set(node.live()) - set(ganetis)) == slots, node.live()


def test_many_devices(node, which):
  # stock reserves nothing for others before 2.16, and 12 slots since
  node.start(12, 8, paused=True)
  disks, nics = node.places()
  assert (len(disks), len(nics)) == (12, 8)
  if which == "plugin":
    first = RESERVATIONS or 8
    assert disks == list(range(first, first + 12))
    assert nics == list(range(24, 32))
