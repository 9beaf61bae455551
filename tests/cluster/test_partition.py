"""The partition at work: gnt-instance, a real QEMU, a guest that looks.

Every scenario asks three who must agree: the runtime file, QEMU and the guest.

"""

import pytest

import cluster
import documents

from slots import IS_Q35
from slots import address
from slots import at
from slots import on_pc

RNG = "-device virtio-rng-pci"

#: PCI ids as the guest reports them.
VIRTIO_NET = "1af4:1000"
VIRTIO_BLK = "1af4:1001"
VIRTIO_RNG = "1af4:1005"

pytestmark = pytest.mark.usefixtures("plugged")


def slots_of(vm, device_class):
  """Return slots by the map, on which runtime file and QEMU agree.

  Those of a q35 guest are numbers of root ports.

  """
  entries = [d for d in cluster.pci_map(vm, live=True)[0]["devices"]
             if d["class"] == device_class]
  assert device_class == "qemu" or all(d["source"] == "both" for d in entries)
  return [d["slot"] for d in sorted(entries, key=lambda d: d["index"] or 0)]


def agree(vm, disks, nics):
  """Check that runtime file, QEMU, map and guest have disks and NICs there."""
  assert (slots_of(vm, "disk"), slots_of(vm, "nic")) == (disks, nics)
  live = {}
  for function in vm.pci():
    live[function["slot"]] = function["qdev_id"] or live.get(
      function["slot"], "")
  assert all(live[slot].startswith("disk-") for slot in disks)
  assert all(live[slot].startswith("nic-") for slot in nics)
  mapped = [d for d in cluster.pci_map(vm, live=True)[0]["devices"]
            if d["bus"] != "pcie.0"]
  assert {d["slot"] for d in mapped} == set(live)
  named = {slot: name for slot, name in live.items() if name}
  assert {d["slot"]: d["id"] for d in mapped if d["id"]} == named
  seen = vm.guest(until=lambda r: settled(r, disks, nics))
  assert settled(seen, disks, nics), seen.text
  assert set(seen.pci) == set(live)
  return seen


def settled(report, disks, nics):
  return (sorted(report.disks.values()) == sorted(disks) and
          sorted(slot for slot, _ in report.nics.values()) == sorted(nics))


def hotplugged(result):
  assert "hotplug:done" in result.output, result.output


def test_the_scenario_of_the_original_proposal(vm):
  vm.add(disks=2, nics=2, hvparams={"kvm_pci_reservations": 8})
  agree(vm, at(8, 9), at(24, 25))
  hotplugged(vm.modify("--net", "add"))
  agree(vm, at(8, 9), at(24, 25, 26))
  hotplugged(vm.modify("--disk", "add:size=1G"))
  agree(vm, at(8, 9, 10), at(24, 25, 26))
  hotplugged(vm.modify("--net", "2:remove"))
  agree(vm, at(8, 9, 10), at(24, 25))
  hotplugged(vm.modify("--disk", "add:size=1G"))
  before = agree(vm, at(8, 9, 10, 11), at(24, 25))
  chart = cluster.pci_map(vm, live=True)
  for target in ("node2", "node1"):
    vm.migrate()
    assert vm.node() == target
    after = agree(vm, at(8, 9, 10, 11), at(24, 25))
    assert after.uptime > before.uptime
    assert (after.pci, after.nics) == (before.pci, before.nics)
    assert cluster.pci_map(vm, live=True) == chart
    before = after
  vm.stop()
  vm.start()
  assert agree(vm, at(8, 9, 10, 11), at(24, 25)).uptime < before.uptime


def test_ganetis_default_of_12_gives_disks_from_12(vm):
  vm.add(disks=2, nics=2)
  agree(vm, at(12, 13, reserved=12), at(24, 25))


def test_a_modified_nic_keeps_its_slot(vm):
  vm.add(nics=2, hvparams={"kvm_pci_reservations": 8})
  vm.guest()
  hotplugged(vm.modify("--net", "0:modify,mac=aa:00:00:11:22:33"))
  seen = agree(vm, [], slots_of(vm, "nic"))
  assert (*at(24), "aa:00:00:11:22:33") in seen.nics.values()


def test_a_nic_is_not_taken_for_one_that_the_guest_still_has(vm):
  vm.add(disks=1, nics=2, hvparams={"kvm_pci_reservations": 8})
  seen = agree(vm, at(8), at(24, 25))
  (mac, ) = [mac for slot, mac in seen.nics.values() if [slot] == at(24)]
  vm.qmp("stop")
  result = vm.modify("--net", "0:remove", check=False)
  assert "hotplug:failed" in result.output, result.output
  result = vm.modify("--net", "add:mac=%s,link=br0" % mac, check=False)
  assert "hotplug:failed" in result.output, result.output
  assert ("%s: the guest still has a NIC with this MAC address, %s: nic-" %
          (vm.name, mac)) in result.output
  assert "hotplug:done" not in result.output
  vm.qmp("cont")
  (slot, ) = at(24)
  cluster.wait_until(lambda: slot not in [d["slot"] for d in vm.pci()],
                     "the unplug of the first NIC")
  # what the message advises
  hotplugged(vm.modify("--net", "1:modify,link=br0"))
  seen = agree(vm, at(8), slots_of(vm, "nic"))
  assert mac in [mac for _, mac in seen.nics.values()]
  assert len(seen.nics) == len(vm.config()["nics"]) == 2


def test_sixteen_disks_and_eight_nics_with_8(vm):
  vm.add(disks=16, nics=8, hvparams={"kvm_pci_reservations": 8})
  agree(vm, at(*range(8, 24)), at(*range(24, 32)))


@on_pc
def test_sixteen_disks_and_four_nics_with_12(vm):
  vm.add(disks=16, nics=4)
  agree(vm, list(range(12, 24)) + [28, 29, 30, 31],
        [24, 25, 26, 27])
  result = vm.modify("--net", "add", check=False)
  assert "no PCI slot is left for one more NIC" in result.output
  assert "lower kvm_pci_reservations from 12" in result.output


def test_nine_rngs_overflow_and_migrate_after_hotplug(vm):
  """A target must start with the overflowed ones at their slots."""
  vm.add(disks=2, nics=2, hvparams={"kvm_pci_reservations": 8,
                                    "kvm_extra": " ".join([RNG] * 9)})
  seen = agree(vm, at(8, 9), at(24, 25))
  assert seen.text.count(VIRTIO_RNG) == 9
  # none is on a root port
  rngs = [] if IS_Q35 else [4, 5, 6, 7, 10, 11, 12, 13, 14]
  assert [s for s, d in sorted(seen.pci.items()) if d == VIRTIO_RNG] == rngs
  written = [word for word in vm.runtime()[0]
             if str(word).startswith("virtio-rng-pci,")]
  assert written == ["virtio-rng-pci,bus=pci.0,addr=0x%x" % slot
                     for slot in rngs[4:]]
  if not IS_Q35:
    documents.check(
      "doc/operation.rst", "ganeti-kvm-pci map --live vm1",
      cluster.project_command(vm.node(), ["map", "--live", vm.name]).output)
  hotplugged(vm.modify("--disk", "1:remove"))
  before = agree(vm, at(8), at(24, 25))
  vm.migrate()
  after = agree(vm, at(8), at(24, 25))
  assert after.uptime > before.uptime and after.pci == before.pci
  more = at(8, 9, 10 if IS_Q35 else 15)
  for expected in (more[:2], more):
    hotplugged(vm.modify("--disk", "add:size=1G"))
    before = agree(vm, expected, at(24, 25))
  vm.migrate()
  after = agree(vm, more, at(24, 25))
  assert after.uptime > before.uptime and after.pci == before.pci
  # a cold boot starts afresh
  vm.set_hvparams(kvm_extra="")
  vm.stop()
  vm.start()
  agree(vm, at(8, 9, 10), at(24, 25))
  assert not [word for word in vm.runtime()[0] if "addr=" in str(word) and
              not str(word).startswith("pcie-root-port,")]


def test_a_sound_card_by_kvm_extra_boots(vm):
  vm.add(disks=2, nics=2, hvparams={
    "kvm_pci_reservations": 8,
    "kvm_extra": "-audiodev none,id=snd -device AC97,audiodev=snd"})
  seen = agree(vm, at(8, 9), at(24, 25))
  assert seen.text.count("8086:2415") == 1
  assert IS_Q35 or seen.pci[4] == "8086:2415"


MANY = ("-audiodev none,id=snd -device AC97,audiodev=snd"
        " -device virtio-scsi-pci,id=hba -drive if=none,id=cd,media=cdrom"
        " -device scsi-cd,bus=hba.0,drive=cd -device virtio-rng-pci"
        " -device i6300esb")

EVERYTHING = {
  "SPICE": {"spice_bind": "127.0.0.1", "spice_use_vdagent": True,
            "kvm_extra": MANY},
  "VNC": {"vnc_bind_address": "127.0.0.1", "usb_mouse": "tablet",
          "cdrom_image_path": "/srv/ganeti/cd.iso", "cdrom_disk_type": "ide",
          "kvm_extra": MANY + " -device virtio-rng-pci" * 2},
  }


def on_first_bus(vm):
  """Return what QEMU has on its first bus, but for disks and NICs."""
  return {(d["slot"], d["function"], d["id"]["device"])
          for bus in vm.qmp("query-pci") if bus["bus"] == 0
          for d in bus["devices"]
          if not d["qdev_id"].startswith(("disk-", "nic-"))}


@pytest.mark.parametrize("display", sorted(EVERYTHING))
def test_everything_at_once_boots_and_migrates(vm, display):
  for node in cluster.NODES:
    cluster.on(node, "truncate", "--size=1M", "/srv/ganeti/cd.iso")
  vm.add(disks=2, nics=2, hvparams=dict(
    {"kvm_pci_reservations": 8, "use_guest_agent": True, "vga": "std"},
    **EVERYTHING[display]))
  seen = agree(vm, at(8, 9), at(24, 25))
  before = on_first_bus(vm)
  assert len(before) >= 9
  if not IS_Q35:
    assert len([s for s in seen.pci if s not in (8, 9, 24, 25)]) >= 9
    # QEMU's range is full: the rest is beyond Ganeti's first disks
    assert min(s for s in seen.pci if s > 9) == 10
  hotplugged(vm.modify("--disk", "1:remove"))
  hotplugged(vm.modify("--disk", "add:size=1G"))
  added = slots_of(vm, "disk")
  uptime = agree(vm, added, at(24, 25)).uptime
  for _ in range(2):
    vm.migrate()
    after = agree(vm, added, at(24, 25))
    assert after.uptime > uptime
  assert on_first_bus(vm) == before


def test_a_device_added_by_hand_does_not_disturb_hotplug(vm):
  vm.add(disks=2, nics=2, hvparams={"kvm_pci_reservations": 8})
  vm.guest()
  vm.qmp("device_add", driver="virtio-rng-pci", id="hand", **address(10))
  hotplugged(vm.modify("--disk", "add:size=1G"))
  agree(vm, at(8, 9, 11), at(24, 25))
  (by_hand, ) = [d for d in cluster.pci_map(vm, live=True)[0]["devices"]
                 if d["id"] == "hand"]
  remark = by_hand.pop("remark")
  assert ("on a root port of Ganeti's" if IS_Q35 else
          "beyond QEMU's range") in remark
  assert by_hand == {"bus": address(10)["bus"], "slot": at(10)[0],
                     "class": "qemu", "index": None, "id": "hand",
                     "driver": "virtio-rng-pci", "source": "live",
                     "requested": None, "tag": None}


def test_scsi_disks_leave_their_slots_to_qemu(vm):
  vm.add(disks=2, nics=2, hvparams={
    "kvm_pci_reservations": 8, "disk_type": "scsi-hd",
    "scsi_controller_type": "virtio-scsi-pci",
    "kvm_extra": " ".join([RNG] * 9)})
  seen = vm.guest(until=lambda r: len(r.disks) == 2)
  assert sorted(slot for slot, _ in seen.nics.values()) == at(24, 25)
  assert seen.text.count(VIRTIO_RNG) == 9
  assert [s for s, d in sorted(seen.pci.items()) if d == VIRTIO_RNG] == \
    ([] if IS_Q35 else list(range(5, 14)))
  partition = cluster.pci_map(vm)[0]["partition"]
  assert (partition["disks"], partition["nics"]) == (None, at(24, 31))
  assert IS_Q35 or partition["qemu"] == [0, 23]
  hotplugged(vm.modify("--net", "add"))
  assert slots_of(vm, "nic") == at(24, 25, 26)


@on_pc
def test_a_refused_slot_is_explained(vm):
  vm.add(disks=1, nics=1, start=False, hvparams={
    "kvm_pci_reservations": 8,
    "kvm_extra": " ".join(["-net nic,model=e1000"] * 8)})
  result = vm.start(check=False)
  assert result.returncode != 0
  for part in ("QEMU refused PCI slot 8 for disk-", "held by e1000",
               "raise kvm_pci_reservations above 8"):
    assert part in result.output
  vm.set_hvparams(kvm_pci_reservations=16)
  vm.start()
  # eight option ROMs keep this guest from booting in reasonable time
  assert (slots_of(vm, "disk"), slots_of(vm, "nic")) == ([16], [24])


@on_pc
def test_a_device_without_an_option_is_logged_and_marked(vm):
  vm.add(disks=2, nics=2, hvparams={
    "kvm_pci_reservations": 4,
    "kvm_extra": "-drive if=virtio,file=/dev/zero,format=raw,readonly=on"})
  # slots 0 to 3 are QEMU's; its drive gets none of the disks'
  entries = cluster.pci_map(vm, live=True)[0]["devices"]
  assert [d["slot"] for d in entries if d["source"] == "live"][-1] == 6
  log = cluster.on("node1", "cat", "/var/log/ganeti/node-daemon.log").output
  assert "%s: slot 6, beyond QEMU's" % vm.name in log
