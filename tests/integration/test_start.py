"""Where devices are after a start."""

import os
import subprocess

try:
  from shlex import quote
except ImportError: # Python 2
  from pipes import quote

import pytest

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import qemu_version
from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.node import runtime_files
from ganeti_kvm_pci.qemu import command

import nodes

ON_PC = nodes.ON_PC

RESERVATIONS = constants.HVC_DEFAULTS[constants.HT_KVM].get(
  "kvm_pci_reservations")

#: The slots, or ports, of an instance that says nothing of them.
POOLS = nodes.pools(RESERVATIONS or 8)


def first(disks, nics, pools=None):
  """List the first slots of both pools, as L{nodes.Node.agreed_slots} does."""
  pools = pools or POOLS
  return (list(pools[nodes.DISK][:disks]), list(pools[nodes.NIC][:nics]))


def test_runtime_file_and_qemu_agree(node, which):
  node.start(paused=True)
  disks, nics = node.agreed_slots()
  assert len(disks) == len(nics) == 2
  # the root ports of Ganeti's own making are two pools as well
  if which == "plugin" or not ON_PC:
    assert (disks, nics) == first(2, 2)
  elif RESERVATIONS:
    assert (disks, nics) == ([12, 13], [14, 15])
  else:
    # next to QEMU's: host bridge, PIIX3, VGA and the balloon
    assert (disks, nics) == ([4, 5], [6, 7])


@pytest.mark.skipif(not RESERVATIONS, reason="no kvm_pci_reservations here")
def test_the_parameter_moves_the_disks(node, which):
  node.start(paused=True, kvm_pci_reservations=8)
  expected = ([8, 9], [10, 11])
  if which == "plugin" or not ON_PC:
    # on q35 it means nothing
    expected = first(2, 2, nodes.pools(8))
  assert node.agreed_slots() == expected


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
  # where Ganeti itself knows q35, it refuses the other
  cdrom = "paravirtual" if ON_PC or not nodes.HAS_ROOT_PORTS else "ide"
  node.start(paused=True, disk_type=disk_type, soundhw="hda",
             spice_bind="127.0.0.1", spice_use_vdagent=True,
             use_guest_agent=True, cdrom_disk_type=cdrom,
             cdrom_image_path=str(images[0]), cdrom2_image_path=str(images[1]))
  # q35's chipset has two slots; two controllers have one on Ganeti's own q35
  expected = slots if ON_PC else slots + 1
  assert len(node.own()) == expected or nodes.HAS_ROOT_PORTS, node.own()
  if not ON_PC:
    assert set(node.live()) == set(
      slot for entries in node.runtime_slots().values()
      for _, slot in entries if slot is not None)


def test_many_devices(node, which):
  # unmodified Ganeti reserves nothing before 2.16, and 12 slots since
  node.start(12, 8, paused=True)
  disks, nics = node.agreed_slots()
  assert (len(disks), len(nics)) == (12, 8)
  if which == "plugin":
    assert (disks, nics) == first(12, 8)


@pytest.mark.skipif(not hasattr(constants, "HV_VIRTIO_DISK_IOTHREADS") or
                    (qemu_version.version(nodes.QEMU) or (0, 0)) < (9, 0),
                    reason="several IOThreads need a newer Ganeti and QEMU")
def test_nine_devices_keep_off_disks_with_several_iothreads(node, which):
  """These disks stay in JSON, which QEMU creates last."""
  parameters = {"virtio_disk_iothreads": 2, "disk_aio": "native",
                "disk_cache": "none", "kvm_pci_reservations": 8,
                "kvm_extra": " ".join(["-device virtio-rng-pci"] * 9)}
  node.vcpus = 2
  if which == "unmodified":
    with pytest.raises(errors.HypervisorError):
      node.start(paused=True, **parameters)
    assert "in use by virtio-rng-pci" in node.log()
    return
  node.start(paused=True, **parameters)
  with open("/proc/%d/cmdline" % node.pid()) as stream:
    assert stream.read().count("iothread-vq-mapping") == 2
  pools = nodes.pools(8)
  assert node.agreed_slots() == first(2, 2, pools)
  slots = sorted(node.live())
  assert not ON_PC or slots == list(range(15)) + [24, 25]
  starts_again_alike(node)
  node.hot_add(nodes.DISK, 2, 2)
  if ON_PC:
    assert node.agreed_slots() == ([8, 9, 15], [24, 25])
  node.hyper.RebootInstance(node.instance)
  assert node.agreed_slots() == first(3, 2, pools)
  assert not ON_PC or sorted(node.live()) == list(range(16)) + [24, 25]


#: A bus of the name that unmodified Ganeti addresses, out of kvm_extra's sight.
BRIDGE = """[device "pci.0"]
  driver = "pci-bridge"
  bus = "pcie.0"
  chassis_nr = "1"
"""

#: A QEMU with another default.
OTHER_DEFAULT = """#!/bin/sh
case "$*" in
  "-machine ?"|"-machine help"|"-M ?")
    %(qemu)s "$@" | sed 's/ (default)//; s/^%(wanted)s .*/& (default)/' ;;
  *) exec %(qemu)s "$@" ;;
esac
"""


def with_default(node, tmpdir, wanted):
  path = str(tmpdir.join("qemu-" + wanted))
  with open(path, "w") as stream:
    stream.write(OTHER_DEFAULT % {"qemu": node.qemu, "wanted": wanted})
  os.chmod(path, 0o755)
  return path


@pytest.fixture
def told(node, monkeypatch, capsys):
  """Have the command run on the node; gives what C{check --live} prints."""
  monkeypatch.setattr(runtime_files, "control_dir", lambda name: os.path.join(
    node.folder, {"pid": "pids"}.get(name, name) + "_dir"))

  def check(*options):
    capsys.readouterr()
    status = entry.main(["check", "--live"] + list(options) +
                        [node.instance.name])
    return (status, capsys.readouterr().out)
  return check


@pytest.mark.skipif(not RESERVATIONS, reason="before 2.16, Ganeti asks QEMU")
@pytest.mark.parametrize("version, extra", [
  ("", "-machine q35,smm=on"), ("pc", "-M q35"), ("q35", ""), ("default", "")])
def test_a_bridge_called_pci_0_is_left_to_unmodified_ganeti(node, which, tmpdir,
                                                            caplog, told,
                                                            version, extra):
  config = tmpdir.join("bridge.cfg")
  config.write(BRIDGE)
  parameters = {"machine_version": version}
  if version == "default":
    parameters = {"kvm_path": with_default(node, tmpdir, "q35")}
  extra = (extra + " -readconfig %s" % config).strip()
  node.start(paused=True, kvm_extra=extra, **parameters)
  runtime = node.runtime_slots()
  # with q35, Ganeti itself has root ports for what it takes for q35
  assert [slot for _, slot in runtime[nodes.DISK] + runtime[nodes.NIC]] == (
    [11, 12, 3, 4] if nodes.HAS_ROOT_PORTS and not extra.startswith("-m") and
    version != "pc" else [12, 13, 14, 15])
  host_bridge = node.watch().execute("query-pci")[0]["devices"][0]
  assert host_bridge["id"]["device"] == 0x29c0 # Q35's
  if which == "plugin":
    assert "left to unmodified Ganeti: its bus pci.0 is a device" in caplog.text
    status, out = told()
    assert status == 0 and "its bus pci.0 is" in out and "warning" not in out


@pytest.mark.skipif(not RESERVATIONS, reason="no root ports before 2.16")
@pytest.mark.parametrize("parameters", [
  {"machine_version": "q35"}, {"machine_version": "pc-q35-5.2"},
  {"kvm_extra": "-machine q35,smm=off"}, {"kvm_extra": "-M pc-q35-5.2"},
  {"machine_version": "pc", "kvm_extra": "-machine type=q35,usb=off"},
  {"kvm_path": "default"}])
def test_whatever_names_q35_has_root_ports(node, which, tmpdir, told,
                                           parameters):
  if which != "plugin":
    pytest.skip("unmodified Ganeti has none, or does not see what it is")
  parameters = dict({"machine_version": ""}, **parameters)
  if "kvm_path" in parameters:
    parameters["kvm_path"] = with_default(node, tmpdir, "q35")
  node.start(paused=True, **parameters)
  assert node.agreed_slots() == ([11, 12], [3, 4])
  status, said = told()
  assert status == 0 and "warning" not in said


@nodes.ON_PC_ONLY
@pytest.mark.parametrize("parameters", [
  {"machine_version": "pc"}, {"machine_version": "pc-i440fx-2.4"},
  {"kvm_extra": "-machine smm=off"}, {"kvm_extra": "-M pc-i440fx-2.4"},
  {"machine_version": "q35", "kvm_extra": "-machine type=pc,usb=off"},
  {"kvm_path": "default"}])
def test_whatever_names_i440fx_is_partitioned(node, which, tmpdir, told,
                                              parameters):
  if nodes.HAS_ROOT_PORTS and parameters.get("machine_version") == "q35":
    pytest.skip("Ganeti gives it root ports, which pc has no bus for")
  if "kvm_path" in parameters:
    parameters = {"kvm_path": with_default(node, tmpdir, "pc-i440fx-2.4")}
  node.start(paused=True, **parameters)
  agreed = node.agreed_slots()
  if which == "plugin":
    assert agreed == first(2, 2)
    status, said = told()
    # that a later QEMU has no machine type as old as this is information
    assert status == 0 and "warning" not in said


def starts_again_alike(node):
  """Start again from the runtime file, and check that QEMU has the same."""
  before, own = node.live(), node.own()
  node.hyper.MigrationInfo(node.instance)
  # with the addresses that this has written to the runtime file
  node.stop()
  node.start_from_file()
  assert (node.live(), node.own()) == (before, own)
  node.hyper.MigrationInfo(node.instance)


@pytest.mark.parametrize("option", [
  "virtio-rng-pci,", "driver=virtio-rng-pci", '{"driver":"virtio-rng-pci"}',
  "{'driver':'virtio-rng-pci'}"])
def test_what_has_fixed_addresses_starts_again(node, which, told, option):
  """Nine are more than QEMU's range holds, or Ganeti's own q35."""
  if which == "unmodified":
    pytest.skip("does not start there")
  if hasattr(hv_kvm, "shlex"):
    option = quote(option) # kvm_extra is split like a shell's words
  count = 9 if ON_PC or not nodes.HAS_ROOT_PORTS else 3
  node.start(nics=3, paused=True, kvm_extra=" ".join(
    ["-device " + option] * count), **(
      {"kvm_pci_reservations": 8} if RESERVATIONS else {}))
  starts_again_alike(node)
  status, out = told()
  assert status == 0 and "warning" not in out, out


#: As in QEMU's own ich9-ehci-uhci.cfg, and a device that QEMU is to place.
CONTROLLERS = """# USB 2 with its companion
[device "ehci"]
  driver = "ich9-usb-ehci1"
  addr = "1d.7"
  multifunction = "on"

[device "uhci-1"]
  driver = "ich9-usb-uhci1"
  addr = "1d.0"
  multifunction = "on"
  masterbus = "ehci.0"
  firstport = "0"

[device "rng9"]
  driver = "virtio-rng-pci"
"""

#: Ways to name the slot of a NIC, or of a disk.
NAMED = [
  "-device virtio-rng-pci,id=rng0 -set device.rng0.addr=0x18",
  "-device virtio-rng-pci,id=rng0,addr=0x3 -set device.rng0.addr=0xc",
  "-readconfig %s",
  "-readconfig %s -set device.rng9.addr=0x1e",
  "-net nic,model=e1000,addr=0x19 -net user",
  "--net nic,model=rtl8139,addr=00:19 -net user",
  "-device virtio-rng-pci,bus=/i440FX-pcihost/pci.0,addr=0x18",
  "-device virtio-rng-pci,bus=main-system-bus/i440FX-pcihost,addr=18",
  "-device virtio-rng-pci,bus=pci.0/,addr=+0xc",
  ]

#: What q35 has instead: its bus; the slots of root ports; and that of its USB.
OF_Q35 = [("i440FX", "q35"), ("pci.0", "pcie.0"), ("0xc", "0x17"),
          ("1d.", "19.")]


def of_machine_type(text):
  """Have a slot named that disks and NICs, or the root ports, would get."""
  for pc, q35 in OF_Q35 if not ON_PC else ():
    text = text.replace(pc, q35)
  return text


@pytest.mark.skipif(ON_PC, reason="pc has no root ports")
@pytest.mark.skipif(nodes.HAS_ROOT_PORTS, reason="Ganeti says where they are")
@pytest.mark.parametrize("extra", [of_machine_type(text) for text in NAMED])
def test_root_ports_avoid_a_slot_that_an_option_names(node, tmpdir, told,
                                                      extra):
  config = tmpdir.join("usb.cfg")
  config.write(of_machine_type(CONTROLLERS))
  node.start(nics=6, paused=True, kvm_extra=extra.replace("%s", str(config)))
  assert node.agreed_slots() == first(2, 6)
  (named, ) = [slot for slot, names in [
    (0x17, ["0x17"]), (0x18, ["0x18", "addr=18"]), (0x19, ["19", "readconfig"])]
               if any(name in extra for name in names)]
  assert named in node.own()
  status, out = told()
  assert status == 0 and "warning" not in out, out
  starts_again_alike(node)
  node.hot_add(nodes.NIC, 6, 6)
  node.hyper.RebootInstance(node.instance)
  assert node.agreed_slots() == first(2, 7)


@nodes.ON_PC_ONLY
@pytest.mark.parametrize("extra", NAMED)
def test_a_slot_that_an_option_names_is_avoided(node, which, tmpdir, told,
                                                extra):
  if which == "unmodified" and "0xc" in extra:
    pytest.skip("unmodified Ganeti's first disk is there")
  config = tmpdir.join("usb.cfg")
  config.write(CONTROLLERS)
  node.start(nics=6, paused=True, kvm_extra=extra.replace("%s", str(config)))
  disks, nics = node.agreed_slots()
  assert len(disks) == 2 and len(nics) == 6
  if which == "plugin":
    wanted = [slot for slot in range(RESERVATIONS or 8, 32) if slot not in (
      0x1d if "readconfig" in extra else None,
      0x1e if "0x1e" in extra else None,
      0x19 if "19" in extra else None, 0x18 if "18" in extra else None,
      0xc if "0xc" in extra else None)]
    assert disks == wanted[:2]
    assert nics == [slot for slot in wanted if slot >= 24][:6]
    status, out = told()
    assert status == 0 and "warning" not in out, out
  starts_again_alike(node)
  if which == "plugin":
    before = node.live()
    node.hot_add(nodes.NIC, 6, 6)
    added, = set(node.live()) - set(before)
    assert added in wanted
    node.hyper.RebootInstance(node.instance)
    assert sorted(node.live()) == sorted(list(before) + [added])


def test_a_file_that_nobody_can_read_is_named(node, which, tmpdir):
  """QEMU reads it, and it is no file."""
  if which == "unmodified" and not ON_PC:
    pytest.skip("Ganeti's own root ports are where the file has its devices")
  pipe = str(tmpdir.join("pipe"))
  os.mkfifo(pipe)
  writer = subprocess.Popen(["sh", "-c", "printf '%s' \"$0\" > \"$1\"",
                             of_machine_type(CONTROLLERS), pipe])
  extra = "-readconfig %s" % pipe
  try:
    if which == "unmodified":
      node.start(nics=6, paused=True, kvm_extra=extra)
      return
    with pytest.raises(errors.HypervisorError) as caught:
      node.start(nics=6, paused=True, kvm_extra=extra)
  finally:
    writer.kill()
    writer.wait()
  print(caught.value)
  assert "slot %d" % (29 if ON_PC else 25) in str(caught.value)
  assert ("(-readconfig %s): take its addr away there" % pipe in
          str(caught.value))
  assert "kvm_pci_reservations" not in str(caught.value)


def test_an_address_that_two_options_name_is_reported_with_both(node, which):
  extra = ("-device virtio-rng-pci,id=rng0 -set device.rng0.addr=0x18 -net"
           " nic,model=e1000,addr=0x18 -net user")
  with pytest.raises(errors.HypervisorError) as caught:
    node.start(paused=True, kvm_extra=extra)
  print(caught.value)
  if which == "plugin":
    assert ("take addr=0x18 away from rng0 (-set device.rng0.addr=0x18) and"
            " e1000 (-net nic,model=e1000,addr=0x18) in kvm_extra" in
            str(caught.value))


def test_addresses_in_qemus_default_file_are_avoided(node, which, tmpdir,
                                                     told, monkeypatch):
  config = tmpdir.mkdir("etc").mkdir("qemu").join("qemu.conf")
  # or where Ganeti's own layout has none of its ports
  named = 0x18 if ON_PC or not nodes.HAS_ROOT_PORTS else 0x1b
  config.write('[device "rng0"]\n  driver = "virtio-rng-pci"\n'
               '  addr = "%x"\n' % named)
  monkeypatch.setattr(command, "DEFAULT_FILE", str(config))
  path = str(tmpdir.join("qemu-configured"))
  with open(path, "w") as stream:
    stream.write("#!/bin/sh\nexec unshare -m sh -c 'mount -t overlay none -o"
                 " lowerdir=%s/etc:/etc /etc && exec \"$0\" \"$@\"' %s"
                 " \"$@\"\n" % (tmpdir, node.qemu))
  os.chmod(path, 0o755)
  if subprocess.call([path, "--version"]):
    pytest.skip("no overlay over /etc here")
  node.start(paused=True, kvm_path=path)
  if ON_PC:
    assert node.live()[named] == "rng0"
  assert ON_PC or named in node.own()
  if which == "plugin":
    assert node.agreed_slots()[1] == ([25, 26] if ON_PC else [3, 4])
    status, out = told()
    assert status == 0 and "warning" not in out, out
  starts_again_alike(node)


def test_check_tells_that_a_hot_added_vcpu_would_be_missing(node, which, told):
  if which != "plugin":
    pytest.skip("no command there")
  node.start(paused=True, kvm_extra="-smp 1,maxcpus=2")
  assert told()[0] == 0
  qmp = node.watch()
  (free, ) = [slot for slot in qmp.execute("query-hotpluggable-cpus")
              if "qom-path" not in slot]
  qmp.execute("device_add", driver=free["type"], id="cpu1", **dict(
    (name.replace("-", "_"), value) for name, value in free["props"].items()))
  qmp.sock.close()
  status, said = told()
  assert status == 1
  assert ("a migration would be refused: vCPUs: 1 in the runtime file, 2 in"
          " QEMU") in " ".join(said.split())
  assert "missing from the runtime file" not in said


IDE_ON_Q35 = pytest.mark.skipif(
  not RESERVATIONS or nodes.HAS_ROOT_PORTS,
  reason="no root ports before 2.16, and no IDE disks with Ganeti's own")

#: From 3.1 on, an IDE disk is a device.
IDE_DEVICES = hasattr(hv_kvm.KVMHypervisor, "_GenerateKVMBlockDevice")


@IDE_ON_Q35
def test_ide_disks_of_a_q35_guest(node, which):
  if which != "plugin":
    pytest.skip("unmodified Ganeti has no q35 here")
  node.start(disks=6, paused=True, machine_version="q35", disk_type="ide")
  with open("/proc/%d/cmdline" % node.pid()) as stream:
    words = stream.read().split("\0")
  ide = [text for text in words if text.startswith("ide-hd")]
  assert [text.rpartition("bus=")[2] for text in ide] == (
    ["ide.%d" % n for n in range(6)] if IDE_DEVICES else [])


@IDE_ON_Q35
def test_a_seventh_ide_disk_of_a_q35_guest(node, which):
  if which != "plugin":
    pytest.skip("unmodified Ganeti has no q35 here")
  with pytest.raises(errors.HypervisorError) as caught:
    node.start(disks=7, paused=True, machine_version="q35", disk_type="ide")
  assert "no IDE unit is left for " in str(caught.value)
  assert nodes.NAME in str(caught.value) and not node.log()
