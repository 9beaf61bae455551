"""What a guest has beside its devices, and the RAM blocks in it."""

import pytest

from ganeti_kvm_pci.qemu import board
from ganeti_kvm_pci.qemu import ram_blocks
from ganeti_kvm_pci.qemu.ram_blocks import Block
from ganeti_kvm_pci.qemu.topology import Part
from ganeti_kvm_pci.qmp import board as asked

from test_topology import ALL, DISK, VGA

#: As QEMU 7.2 and 10.0 print it.
TEXT_7_2 = """\
              Block Name    PSize              Offset               Used              Total
                  pc.ram    4 KiB  0x0000000000000000 0x0000000004000000 0x0000000004000000
    /rom@etc/acpi/tables    4 KiB  0x0000000005180000 0x0000000000020000 0x0000000000200000
0000:00:03.0/virtio-net-pci.rom    4 KiB  0x00000000050c0000 0x0000000000040000 0x0000000000040000
""".replace("\n", "\r\n")
TEXT_10_0 = """\
              Block Name    PSize              Offset               Used              Total                HVA  RO
                  pc.ram    4 KiB  0x0000000000000000 0x0000000004000000 0x0000000004000000 0x00007fe113e00000  rw
    /rom@etc/acpi/tables    4 KiB  0x0000000005180000 0x0000000000020000 0x0000000000200000 0x00007fe11d600000  ro
                              2 MiB  0x0000000005180000 0x0000000000020000 0x0000000000200000 0x00007fe11d600000  ro
0000:00:03.0/virtio-net-pci.rom    4 KiB  0x00000000050c0000 0x0000000000040000 0x0000000000040000 0x00007fe11de00000  ro
"""


@pytest.mark.parametrize("text", [TEXT_7_2, TEXT_10_0])
def test_blocks_are_read(text):
  """What is not sent, such as memory of a device that is passed through, has no
  name."""
  assert ram_blocks.parse(text) == {
    "pc.ram": Block(1 << 26, 1 << 26),
    "/rom@etc/acpi/tables": Block(1 << 17, 1 << 21),
    "0000:00:03.0/virtio-net-pci.rom": Block(1 << 18, 1 << 18)}


@pytest.mark.parametrize("text", ["", "unknown command: 'info ramblock'\r\n"])
def test_a_qemu_that_does_not_tell_its_blocks(text):
  assert ram_blocks.parse(text) is None


def unlike(name, one, other, here=ALL, there=ALL):
  """Compare one block, of two sizes; 0 or None for none."""
  blocks = [{name: Block(*size)} if size else {} for size in (one, other)]
  return ram_blocks.differences(blocks[0], blocks[1], here, there)


@pytest.mark.parametrize("name, one, other", [
  ("pc.ram", (8, 8), (8, 8)), ("pc.ram", None, (8, 8)),
  ("/rom@etc/acpi/tables", (8, 16), (4, 16)),
  ("/rom@etc/acpi/tables", (4, 16), (8, 8)),
  # QEMU 5.2 has no more of it; 7.2 has 64 KiB (measured)
  ("/rom@etc/table-loader", (4096, 65536), (4096, 4096)),
  ("/rom@etc/table-loader", (4096, 4096), (4096, 65536))])
def test_what_qemu_takes_of_blocks_goes(name, one, other):
  assert unlike(name, one, other) == []


@pytest.mark.parametrize("name, one, other, words", [
  ("pc.ram", (8, 8), (16, 16), ["RAM block pc.ram (memory): 8 bytes on the"
                                " source, 16 bytes on the target;"]),
  ("pc.bios", (8, 8), None, ["(firmware)", "missing on the target", "ovmf"]),
  ("system.flash0", (8, 8), (4, 4), ["(firmware)", "pflash"]),
  ("/rom@etc/table-loader", (65536, 65536), (4096, 8192),
   ["table for the firmware", "4096 bytes on the target, which can have 8192;",
    "not older"]),
  ("/rom@etc/table-loader", (8192, 65536), (4096, 4096), ["not older"]),
  ("0000:00:02.0/vga.vram", (8, 8), (16, 16),
   ["(slot 2, QEMU's own device 1234:1111, graphics memory)"]),
  ("0000:00:08.0/virtio-blk-pci.rom", (8, 8), None,
   ["(slot 8, virtio-blk-pci (id disk-000000d0-1111-2222), option ROM)",
    "ipxe-qemu"]),
  ("0000:00:1e.0/ivshmem.bar2", (8, 8), (16, 16), ["(memory of the device)"])])
def test_what_qemu_refuses_of_blocks_is_named(name, one, other, words):
  (found, ) = unlike(name, one, other)
  for word in words + [name, "shut the instance down and start it",
                       "gnt-instance failover"]:
    assert word in found


def test_a_block_behind_a_root_port_is_named_by_the_port():
  port = Part("pcie.0", (5, 2), "1b36:000c", "pcie-root-port", "rp11", None,
              None, None)
  disk = DISK._replace(bus="rp11", address=(0, 0))
  (found, ) = unlike("0000:00:05.2:00.0/virtio-blk-pci.rom", (8, 8), None,
                     [port, disk], [port, disk])
  assert "(port rp11, virtio-blk-pci (id disk-" in found


def test_a_device_that_differs_is_not_named_again_by_its_rom():
  rest = [part for part in ALL if part != DISK]
  other = DISK._replace(driver="nvme")
  for there in (rest, rest + [other]):
    assert unlike("0000:00:08.0/virtio-blk-pci.rom", (8, 8), None, ALL,
                  there) == []
  assert unlike("0000:00:02.0/vga.rom", (8, 8), None, ALL, [VGA])


BOARD = board.Board("Haswell-x86_64-cpu", 3, 2, {"hpet": 1, "isa-serial": 2},
                    {"pc.ram": Block(8, 8)})


def differences(one, other, is_like=True):
  return board.differences(one, other, ALL, ALL, is_like)


@pytest.mark.parametrize("changes, text", [
  ({"cpu": "kvm64-x86_64-cpu"}, "CPU model: Haswell on the source, kvm64 on the"
   " target"),
  ({"apic_id": 6}, "vCPUs: the last has APIC id 3 on the source, 6 on the"
   " target"),
  ({"memory_slots": 0}, "memory slots: 2 on the source, 0 on the target"),
  ({"isa": {"isa-serial": 2}}, "hpet: 1 on the source, 0 on the target"),
  ({"isa": {"hpet": 1, "isa-serial": 1}}, "isa-serial: 2 on the source, 1 on"),
  ({"blocks": {}}, "RAM block pc.ram (memory): 8 bytes on the source, missing")])
def test_what_differs_of_a_board_is_named(changes, text):
  (found, ) = differences(BOARD, BOARD._replace(**changes))
  assert found.startswith(text)
  assert "shut the instance down and start it" in found


def test_what_one_side_does_not_tell_of_a_board_is_not_compared():
  for name in board.Board._fields:
    part = board.Board()._replace(**{name: getattr(BOARD, name)})
    less = BOARD._replace(**{name: None})
    assert differences(BOARD, less) == differences(less, BOARD) == []
    assert differences(part, BOARD) == differences(BOARD, part) == []
  assert differences(None, BOARD) == differences(BOARD, None) == []


def test_more_on_the_target_goes():
  assert differences(BOARD, BOARD._replace(
    isa={"hpet": 1, "isa-serial": 3, "vmmouse": 1},
    blocks=dict(BOARD.blocks, more=Block(4, 4)))) == []


def test_another_number_of_vcpus_is_not_told_twice():
  assert differences(BOARD, BOARD._replace(apic_id=0), is_like=False) == []


def test_a_type_of_another_form_is_named_as_it_is():
  (found, ) = differences(BOARD._replace(cpu="x-cpu"),
                          BOARD._replace(cpu="strange"))
  assert "CPU model: x-cpu on the source, strange on the target" in found


def test_the_last_vcpu_is_that_with_the_highest_numbers():
  def execute(command, arguments):
    if command == "qom-get" and arguments["property"] == "apic-id":
      return {"/cpu9": 9, "/cpu10": 10}[arguments["path"]]
    return {"query-hotpluggable-cpus": [
      {"type": "x-cpu", "props": {"socket-id": 11}},
      {"type": "x-cpu", "props": {"socket-id": 9}, "qom-path": "/cpu9"},
      {"type": "x-cpu", "props": {"socket-id": 10}, "qom-path": "/cpu10"}],
            "qom-get": {"size": 8}, "qom-list": [],
            "human-monitor-command": TEXT_7_2}[command]

  found = asked.ask(execute)
  assert (found.cpu, found.apic_id, found.memory_slots) == ("x-cpu", 10, 0)
  assert found.isa == {} and len(found.blocks) == 3
