"""devices: what it says of names, and what the guest itself says."""

import json
import os
import re
import shutil

import pytest

from ganeti import constants

from ganeti_kvm_pci.cli import entry as entry_
from ganeti_kvm_pci.cli import outdated_qemu
from ganeti_kvm_pci.node import installation
from ganeti_kvm_pci.node import runtime_files
from ganeti_kvm_pci.qmp import client

import nodes
from nodes import DISK
from nodes import NIC

PLUGIN = pytest.mark.parametrize("which", ["plugin"], indirect=True)

#: What the guest is sent. The device of a disk is virtio's, or the SCSI one.
SHOW = ("for b in /sys/block/vd* /sys/block/sd*; do [ -e $b ] &&"
        " echo BLK=${b##*/}=$(readlink -f $b/device); done;"
        " for n in /sys/class/net/eth*; do"
        " echo NIC=$(cat $n/address)=$(readlink -f $n/device); done; true\n")

_PCI_RE = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")

HAS_RESERVATIONS = "kvm_pci_reservations" in \
  constants.HVC_DEFAULTS[constants.HT_KVM]
RESERVATIONS = {"kvm_pci_reservations": 8} if HAS_RESERVATIONS else {}
HAS_SCSI = "scsi_controller_type" in constants.HVC_DEFAULTS[constants.HT_KVM]


def in_guest(node):
  """Ask the guest: dict, PCI address or SCSI id of a disk, or MAC of a NIC, to
  the disk's name, or the NIC's PCI address.

  """
  found = {}
  for line in node.console(SHOW):
    what, _, rest = line.partition("=")
    name, _, path = rest.partition("=")
    if what == "BLK":
      scsi = re.search(r"/[0-9]+:0:([0-9]+):0\Z", path)
      found[int(scsi.group(1)) if scsi else _PCI_RE.findall(path)[-1]] = name
    elif what == "NIC":
      found[name.lower()] = _PCI_RE.findall(path)[-1]
  return found


def seen(node, count):
  """Wait until the guest has that many disks and NICs."""
  found = nodes.until(lambda: in_guest(node), lambda has: len(has) == count)
  assert len(found) == count, found
  return found


@pytest.fixture
def devices(node, monkeypatch, capsys):
  """Provide the command, for the node's instance."""
  monkeypatch.setattr(runtime_files, "control_dir", lambda name: os.path.join(
    node.folder, {"pid": "pids", "nic": "nics"}.get(name, name) + "_dir"))
  monkeypatch.setattr(installation, "become_daemon_python", lambda *_: None)

  def run():
    capsys.readouterr()
    status = entry_.main(["devices", nodes.NAME, "--json"])
    document = json.loads(capsys.readouterr()[0])
    assert status == 0, document
    return document["instances"][0]
  return run


def agree(entry, guest):
  """Compare all that is certain; return the disks.

  @return: for each disk, the names that it may have now, that at the next
      boot, and that in the guest

  """
  for nic in entry["nics"]:
    assert guest[nic["mac"].lower()] == nic["pci_address"]
    assert nic["guest_name"]
  found = []
  for disk in entry["disks"]:
    key = disk["number"] if disk["unit"] == "scsi-id" else disk["pci_address"]
    found.append((disk["guest_names"], disk["guest_name_at_boot"], guest[key]))
    assert disk["size"] == 1 << 20 and disk["path"].startswith("/")
  return found


@PLUGIN
def test_an_inserted_disk_has_one_name_now_and_another_after_a_boot(
    node, guest, devices):
  # frozen high in the pool, so that there is room before
  first = nodes.pools()[DISK][0] + 4
  mark = "" if nodes.ON_PC else "rp"
  node.start(tags=["kvm-pci:disk:%s:%s%d" % (
    nodes.disk(number).uuid[:8], mark, first + number) for number in range(2)],
             **dict(nodes.boot(guest), **RESERVATIONS))
  node.wait_for_guest()
  node.wait_for_ports()
  found = agree(devices(), seen(node, 4))
  assert found == [(["vda"], "vda", "vda"), (["vdb"], "vdb", "vdb")]
  node.hot_add(DISK, 2, 0)
  node.hot_add(NIC, 2, 2)
  entry = devices()
  found = agree(entry, seen(node, 6))
  # it comes last in the runtime file, and first on the bus
  assert found == [(["vda", "vdb"], "vdb", "vda"),
                   (["vdb", "vdc"], "vdc", "vdb"),
                   (["vda", "vdc", "vdd"], "vda", "vdc")]
  assert "are guesses" in entry["remarks"][0]
  # the guest boots by itself, and QEMU does not tell
  qmp = node.watch()
  qmp.execute("system_reset")
  qmp.sock.close()
  node.wait_for_guest()
  node.wait_for_ports()
  for now, later, there in agree(devices(), seen(node, 6)):
    assert there == later and there in now
  # a new QEMU has no memory of it
  node.hyper.RebootInstance(node.instance)
  node.wait_for_guest()
  found = agree(devices(), seen(node, 6))
  assert sorted(found) == [([name], name, name) for name in
                           ("vda", "vdb", "vdc")]


@PLUGIN
def test_after_a_removal_only_the_next_boot_is_known(node, guest, devices):
  node.start(disks=3, **dict(nodes.boot(guest), **RESERVATIONS))
  node.wait_for_guest()
  node.wait_for_ports()
  node.hot_del(DISK, 0, 0)
  found = agree(devices(), seen(node, 4))
  # vdb and vdc keep their names, but who knows whether the guest has booted
  assert found == [([], "vda", "vdb"), ([], "vdb", "vdc")]


@PLUGIN
@pytest.mark.skipif(not HAS_SCSI, reason="no SCSI controller to choose here")
def test_scsi_disks_have_ids_and_no_certain_names(node, guest, devices):
  node.start(disk_type="scsi-hd", scsi_controller_type="virtio-scsi-pci",
             **nodes.boot(guest))
  node.wait_for_guest()
  node.wait_for_ports()
  found = agree(devices(), seen(node, 4))
  # by the id, it is found; which letter that is, changes from boot to boot
  assert [names[:2] for names in found] == [([], None)] * 2
  assert sorted(there for _, _, there in found) == ["sda", "sdb"]
  node.hot_add(DISK, 2, 2)
  assert agree(devices(), seen(node, 5))[2] == ([], None, "sdc")


@PLUGIN
def test_a_guest_with_an_old_qemu_is_named(which, tmpdir):
  # a copy finds its firmware and modules from where it is
  folder = tmpdir.mkdir("usr")
  for name in ("share", "lib"):
    folder.join(name).mksymlinkto("/usr/" + name)
  program = str(folder.mkdir("bin").join("qemu-copy"))
  shutil.copy(os.path.realpath(shutil.which(nodes.QEMU)), program)
  node = nodes.Node(which, str(tmpdir), qemu=program)
  try:
    node.start(paused=True)

    def judge():
      with client.connect(node.hyper._InstanceQmpMonitor(nodes.NAME)) as ask:
        return outdated_qemu.judge(ask, node.pid(), node.qemu)
    found = judge()
    # what QEMU prints and what it answers are one text
    assert found["outdated"] is None and found["running"] == found["installed"]
    assert re.match(r"\d+\.\d+\.\d+", found["running"])
    shutil.copy(program, program + ".new")
    os.rename(program + ".new", program)
    found = judge()
    assert "was replaced or removed" in found["outdated"]
    assert found["running"] in found["outdated"]
  finally:
    node.stop()
