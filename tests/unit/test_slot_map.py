"""The map."""

import json
import os

import q35_files
from ganeti_kvm_pci.qemu.pci_functions import Function
from ganeti_kvm_pci.qemu.replies import Peripheral
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import slot_map
from ganeti_kvm_pci.runtime import unplug_request
from ganeti_kvm_pci.runtime.unplug_request import Request

DATA = os.path.join(os.path.dirname(os.path.dirname(__file__)), "data")


def plain():
  with open(os.path.join(DATA, "v3.0.2-plain.runtime")) as stream:
    return device_table.parse(stream.read(), "plain")


LIVE = [
  Function(0, 0, None, "Host bridge"), Function(1, 0, None, "ISA bridge"),
  Function(1, 1, None, "IDE controller"), Function(3, 0, None, "class 0x00ff"),
  Function(12, 0, "disk-0000d150-0000-4000", "SCSI controller"),
  Function(13, 0, "byhand", "Ethernet controller"),
  Function(14, 0, "nic-000041c0-0000-4000", "Ethernet controller"),
  Function(15, 0, "nic-000041c1-0000-4000", "Ethernet controller"),
  ]
PERIPHERALS = [Peripheral("virtio-balloon-pci", None, (3, 0)),
               Peripheral("e1000", "byhand", (13, 0))]


def test_the_runtime_file_alone():
  found = slot_map.entries(plain())
  assert [(e.slot, e.device_class, e.index, e.source) for e in found] == [
    (12, "disk", 0, "runtime"), (13, "disk", 1, "runtime"),
    (14, "nic", 0, "runtime"), (15, "nic", 1, "runtime")]


def test_runtime_file_and_live_side_by_side():
  found = slot_map.entries(plain(), LIVE, PERIPHERALS)
  assert [(e.slot, e.device_class, e.source, bool(e.remark))
          for e in found] == [
    (0, "qemu", "live", False), (1, "qemu", "live", False),
    (3, "qemu", "live", False), (12, "disk", "both", False),
    (13, "disk", "runtime", True), (13, "qemu", "live", True),
    (14, "nic", "both", False), (15, "nic", "both", False)]
  assert found[2].driver == "virtio-balloon-pci"
  assert found[5].driver == "e1000" and found[5].id == "byhand"
  # what is neither named nor of a driver is known by its PCI class
  assert found[0].driver == "Host bridge"


def test_the_data_is_as_documented():
  data = slot_map.as_data(plain(), slot_map.entries(plain(), LIVE, PERIPHERALS))
  assert data == json.loads(json.dumps(data))
  assert data["instance"] == "plain.ex"
  assert data["partition"] == {"unit": "slot", "qemu": [0, 11],
                               "disks": [12, 23], "nics": [24, 31]}
  assert data["devices"][3] == {
    "bus": "pci.0", "slot": 12, "class": "disk", "index": 0,
    "id": "disk-0000d150-0000-4000", "driver": "virtio-blk-pci",
    "source": "both",
    "remark": None, "tag": None, "requested": None}
  assert [d["remark"] for d in data["devices"] if d["remark"]] == [
    e.remark for e in slot_map.entries(plain(), LIVE, PERIPHERALS) if e.remark]


def mapped_but(slot):
  """Return L{LIVE} with one device that the guest has given no addresses."""
  return [function._replace(mapped=function.slot != slot) for function in LIVE]


def test_a_device_that_the_guest_has_not_mapped():
  found = slot_map.entries(plain(), mapped_but(12), PERIPHERALS)
  (entry, ) = [e for e in found if e.remark and e.source == "both"]
  assert (entry.slot, entry.remark) == (12, slot_map.UNCLAIMED)
  assert "  QQ_Q________ !!NN________ ________" in slot_map.as_text(
    plain(), found, True)
  # which is of no interest where it is to be removed
  noted = {"disk-0000d150-0000-4000": Request(12, 1700000000, False)}
  found = slot_map.entries(plain(), mapped_but(12), PERIPHERALS, noted)
  assert [e.remark for e in found if e.request] == [
    unplug_request.text(noted["disk-0000d150-0000-4000"])]
  # one that only QEMU has keeps its own remark
  found = slot_map.entries(plain(), mapped_but(13), PERIPHERALS)
  assert not [e for e in found if e.remark == slot_map.UNCLAIMED]


def test_a_removal_that_timed_out():
  noted = {"disk-0000d150-0000-4000": Request(12, 1700000000, False),
           "of-another": Request(13, 1700000000, False)}
  found = slot_map.entries(plain(), LIVE, PERIPHERALS, noted)
  (entry, ) = [e for e in found if e.request]
  assert (entry.slot, entry.source, entry.index) == (12, "both", 0)
  assert entry.remark == unplug_request.text(noted[entry.id])
  (line, ) = [line for line in slot_map.as_text(plain(), found, True).splitlines()
              if entry.id in line]
  assert line.endswith("  ! removal requested at " + entry.remark[-16:])
  assert "  QQ_Q________ !!NN________ ________" in slot_map.as_text(
    plain(), found, True)
  (told, ) = [d for d in slot_map.as_data(plain(), found)["devices"]
              if d["requested"]]
  assert told["requested"] == unplug_request.iso(noted[entry.id])
  # QEMU was not asked
  (entry, ) = [e for e in slot_map.entries(plain(), requests=noted) if e.request]
  assert entry.remark == unplug_request.text(noted[entry.id])


def test_a_removal_that_was_completed_late():
  gone = [function for function in LIVE if function.slot != 12]
  noted = {"disk-0000d150-0000-4000": Request(12, 1700000000, False)}
  found = slot_map.entries(plain(), gone, PERIPHERALS, noted)
  (entry, ) = [e for e in found if e.request]
  assert entry.source == "runtime"
  assert entry.remark.startswith(
    unplug_request.text(noted[entry.id]) + ", completed since: ")


def test_the_drawing():
  found = slot_map.entries(plain(), LIVE, PERIPHERALS)
  lines = slot_map.as_text(plain(), found, True).splitlines()
  assert lines[0] == "plain.ex"
  assert lines[1].split() == ["QEMU", "disks", "NICs"]
  assert lines[2].split() == ["0-11", "12-23", "24-31"]
  assert lines[3] == "  QQ_Q________ D!NN________ ________"
  assert len([line for line in lines if " ! " in line]) == 2
  unasked = slot_map.as_text(plain(), slot_map.entries(plain()), False)
  assert "  ............ DDNN________ ________" in unasked
  assert set(line.split("  ")[-1] for line in unasked.splitlines()[5:]) == set(
    ["runtime file"])


def q35(data):
  return device_table.DeviceTable(q35_files.load(data))


ON_PCIE = ([Function(0, 0, None, "Host bridge"), Function(2, 0, None, "class"),
            Function(3, 0, "scsi", "SCSI controller"),
            Function(23, 0, "rp3", "PCI bridge"),
            Function(23, 1, "rp4", "PCI bridge"),
            Function(31, 0, None, "ISA bridge"),
            Function(31, 2, None, "SATA controller")],
           [Peripheral("virtio-balloon-pci", None, (2, 0)),
            Peripheral("lsi53c895a", "scsi", (3, 0))])
ON_PORTS = [
  Function(3, 0, "nic-000041c0-0000-4000", "Ethernet controller", True),
  Function(4, 0, "nic-000041c1-0000-4000", "Ethernet controller", True),
  Function(11, 0, "disk-0000d150-0000-4000", "SCSI controller", True),
  Function(12, 0, "disk-0000d151-0000-4000", "SCSI controller", True)]


def test_the_map_of_a_q35_guest_has_two_rows():
  table = q35(q35_files.packed())
  found = slot_map.entries(table, ON_PORTS, [], root_bus=ON_PCIE)
  assert slot_map.as_text(table, found, True).splitlines() == [
    "plain.ex",
    "  pcie.0",
    "  0-31",
    "  Q_QQ___________________PPP_____Q",
    "  NICs     disks",
    "  rp3-rp10 rp11-rp26",
    "  NN______ DD______________",
    "  slot  class  index  id                       driver              known"
    " to",
    "     0  qemu   -      -                        Host bridge         live",
    "     2  qemu   -      -                        virtio-balloon-pci  live",
    "     3  qemu   -      scsi                     lsi53c895a          live",
    "    31  qemu   -      -                        ISA bridge          live",
    "   rp3  nic    0      nic-000041c0-0000-4000   virtio-net-pci      both",
    "   rp4  nic    1      nic-000041c1-0000-4000   virtio-net-pci      both",
    "  rp11  disk   0      disk-0000d150-0000-4000  virtio-blk-pci      both",
    "  rp12  disk   1      disk-0000d151-0000-4000  virtio-blk-pci      both"]


def test_a_slot_of_pcie_0_is_not_the_port_of_that_number():
  """The SCSI controller is on slot 3, and no NIC on port 3."""
  table = q35(q35_files.packed())
  found = slot_map.entries(table, ON_PORTS[1:], [], root_bus=ON_PCIE)
  assert slot_map.as_text(table, found, True).splitlines()[3:7:3] == [
    "  Q_QQ___________________PPP_____Q", "  !N______ DD______________"]
  data = slot_map.as_data(table, found)
  assert [(d["bus"], d["slot"], d["class"]) for d in data["devices"]] == [
    ("pcie.0", 0, "qemu"), ("pcie.0", 2, "qemu"), ("pcie.0", 3, "qemu"),
    ("pcie.0", 31, "qemu"), ("rp3", 3, "nic"), ("rp4", 4, "nic"),
    ("rp11", 11, "disk"), ("rp12", 12, "disk")]


def test_the_ports_of_upstreams_layout_have_their_slots_too():
  table = q35(q35_files.upstreams())
  lines = slot_map.as_text(table, slot_map.entries(table), False).splitlines()
  assert lines[3] == "  ...PPPPPPPPPPPPPPPPPPPPPPPP....."
  assert lines[6] == "  NN______ DD______________"


def test_scsi_disks_of_a_q35_guest_leave_their_ports_free():
  table = q35(q35_files.packed("v3.0.2-scsihd"))
  found = slot_map.entries(table, ON_PORTS[:2], [], root_bus=ON_PCIE)
  lines = slot_map.as_text(table, found, True).splitlines()
  assert lines[3:7] == [
    "  Q_QQ___________________PPP_____Q", "  NICs     free",
    "  rp3-rp10 rp11-rp26", "  NN______ ________________"]
  assert lines[-1] == "  without a port: disk 0 (scsi-hd), disk 1 (scsi-hd)"
  data = slot_map.as_data(table, found)
  assert data["partition"] == {"unit": "port", "qemu": None, "disks": None,
                               "nics": [3, 10]}
  assert [(d["bus"], d["slot"]) for d in data["devices"]
          if d["class"] == "disk"] == [(None, None)] * 2


def test_what_only_qemu_has_on_a_port_is_marked():
  table = q35(q35_files.packed())
  found = slot_map.entries(table, ON_PORTS + [
    Function(13, 0, "byhand", "Ethernet controller")], [])
  (entry, ) = [e for e in found if e.remark]
  assert (entry.bus, entry.slot, entry.source) == ("rp13", 13, "live")
  assert entry.remark.startswith("not in the runtime file, on a root port of")
  assert "QEMU's range" not in entry.remark
