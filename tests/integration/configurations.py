"""Random instances from what people set.

A configuration is plain data, so that it can be printed, and run again:

  - C{disks}, C{nics}: how many
  - C{running}: whether the firmware runs, or the guest is left paused
  - C{hvparams}: what differs from Ganeti's defaults, but for C{kvm_extra}
  - C{extra}: list of strings, the parts of C{kvm_extra}

"""

import random

from ganeti import constants

from ganeti_kvm_pci import qemu_version

import nodes
import round_trip

_DIR = round_trip.FOLDER

#: Names that people give, and those that look like Ganeti's.
_IDS = ["data%d", "disk-data%d", "disk-%d", "nic-mgmt%d", "net%d", "extra%d",
        "disk-0badcafe-0bad-cafe%d", "disk-0badcafe-0bad-0b%02d",
        "hotdisk-0badcafe-pci-%d", "nic-0badcafe-0bad-0b%02d",
        "hotnic-0badcafe-pci-%d", "virtio%d"]


class _Choice(object):
  """One random choice of a configuration's parts.

  @ivar random: where chance comes from
  @ivar number: int, another one at each use

  """
  def __init__(self, chance):
    self.random = chance
    self._used = 0

  @property
  def number(self):
    self._used += 1
    return self._used

  def name(self):
    """Make an id."""
    return self.random.choice(_IDS) % self.number

  def one(self, *texts):
    return self.random.choice(texts)

  def slot(self):
    return self.random.randint(3, 31)

  def addr(self):
    """Write an address in one of the ways that QEMU takes."""
    slot = self.slot()
    return self.one("addr=0x%x" % slot, "addr=%x" % slot, "addr=%x.0" % slot,
                    "bus=pci.0,addr=0x%x" % slot, "addr=0x%02x.0x0" % slot)

  def image(self):
    return "file=%s/own%d,format=raw" % (_DIR, self.number)


def _plain(choice):
  """Devices without an address: up to ten."""
  return choice.one(*(["-device virtio-rng-pci"] * 3 + [
    "-device virtio-rng", "--device virtio-rng-pci",
    "-device virtio-rng-pci,", "-device virtio-rng-pci,id=%s" % choice.name(),
    "-device driver=virtio-rng-pci", "-device virtio-keyboard-pci",
    "-device id=%s,driver=virtio-rng-pci" % choice.name(),
    "-device virtio-mouse-pci", "-device pci-testdev", "-device pvpanic-pci",
    "-device pvpanic", "-device AC97", "-device ES1370", "-device intel-hda",
    "-device intel-hda -device hda-duplex", "-device i6300esb",
    "-device ib700", "-watchdog i6300esb", "-device secondary-vga",
    "-device virtio-gpu-pci", "-device bochs-display", "-device vmcoreinfo",
    '-device {"driver":"virtio-rng-pci"}',
    '-device {"driver":"virtio-rng-pci","id":"%s"}' % choice.name(),
    "-device pci-serial", "-device e1000e", "-device tpci200",
    "-device virtio-balloon-pci", "-device sdhci-pci", "-device isa-serial",
    "-device virtio-tablet-pci,id=%s" % choice.name()]))


def _rngs(choice):
  """Many of one type."""
  return ["-device virtio-rng-pci" + choice.one("", "", ",")
          for _ in range(choice.random.randint(4, 10))]


def _addressed(choice):
  return choice.one(
    "-device virtio-rng-pci,%s" % choice.addr(),
    "-device virtio-rng-pci,%s," % choice.addr(),
    "-device i6300esb,%s" % choice.addr(),
    "-device id=%s,driver=virtio-rng-pci,%s" % (choice.name(), choice.addr()),
    "-device virtio-rng-pci,bus=/i440FX-pcihost/pci.0,addr=0x%x" %
    choice.slot(),
    "-device virtio-rng-pci,bus=pci.0",
    "-device virtio-rng-pci,bus=",
    '-device {"driver":"virtio-rng-pci","bus":"pci.0","addr":"0x%x"}' %
    choice.slot(),
    '-device {"driver":"virtio-rng-pci","addr":"%x.0"}' % choice.slot())


def _set(choice):
  name = choice.name()
  return choice.one(
    "-device virtio-rng-pci,id={0} -set device.{0}.addr=0x{1:x}",
    "-set device.{0}.addr={1:x} -device virtio-rng-pci,id={0}",
    "-device virtio-rng-pci,id={0} -set device.{0}.max-bytes=1024",
    "-device virtio-rng-pci,id={0},addr={1:x} -set device.{0}.addr=0x{2:x}",
    ).format(name, choice.slot(), choice.slot())


def _readconfig(_):
  return "-readconfig %s/ich9.cfg" % _DIR


def _nic(choice):
  name = choice.name()
  return choice.one(
    "-net nic,model=e1000,addr=0x%x -net user" % choice.slot(),
    "-net nic,model=virtio -net user", "-net nic -net user",
    "-nic user", "-nic user,model=e1000", "-nic user,model=virtio-net-pci",
    "-nic user,id=%s,model=rtl8139" % name,
    "-net nic,netdev={0},model=pcnet -netdev user,id={0}".format(name),
    "-netdev user,id={0} -device e1000,netdev={0}".format(name),
    "-netdev user,id={0} -device virtio-net-pci,netdev={0}".format(name),
    "-netdev user,id={0} -device virtio-net-pci,netdev={0},id={0}".format(name),
    "-netdev user,id={0} -device rtl8139,netdev={0},{1}".format(name,
                                                                choice.addr()),
    "-netdev hubport,id={0},hubid=0 -device e1000,netdev={0}".format(name),
    "-netdev user,id=%s" % name, "-device e1000", "-device ne2k_pci",
    "-device virtio-net-pci,mac=aa:00:00:00:01:0%d" % choice.number)


def _drive(choice):
  name, image = choice.name(), choice.image()
  return choice.one(
    "-drive {1},if=virtio", "-drive {1},if=virtio,id={0}",
    "-drive if=virtio,{1},readonly=on", "-drive {1},if=virtio,index=3",
    "-drive {1},if=none,id={0} -device virtio-blk-pci,drive={0}",
    "-drive {1},if=none,id={0} -device virtio-blk-pci,drive={0},id={0}",
    "-drive {1},if=none,id={0} -device virtio-blk,drive={0},id=dev{2},{3}",
    "-device virtio-blk-pci,drive={0},serial=s -drive {1},if=none,id={0}",
    "-drive {1},if=none,id={0}", "-drive {1},if=ide", "-drive {1}",
    "-drive {1},if=ide,index=3,id={0}", "-drive {1},media=cdrom",
    "-drive {1},if=ide,media=cdrom,id={0}", "-drive {1},if=floppy",
    "-drive {1},if=none,id={0} -device ide-hd,drive={0}",
    "-drive {1},if=none,id={0} -device ide-hd,drive={0},bus=ide.1",
    "-drive {1},if=none,id={0} -device ide-hd,drive={0},bus=ide.1,unit=1",
    "-drive {1},if=none,id={0} -device ide-cd,drive={0},id=cd{2}",
    "-drive {1},if=none,id={0} -device usb-storage,drive={0}",
    "-drive {1},if=none,id={0} -device nvme,drive={0},serial=s{2}",
    "-device ahci,id=ahci{2} -drive {1},if=none,id={0}"
    " -device ide-hd,drive={0},bus=ahci{2}.0",
    "-blockdev driver=raw,node-name={0},file.driver=file,file.filename={4}"
    " -device virtio-blk-pci,drive={0}",
    "-blockdev driver=raw,node-name={0},file.driver=file,file.filename={4}"
    " -device virtio-blk-pci,drive={0},id={0}",
    "-hdb {4}", "-hdd {4}", "-cdrom {4}", "-fda {4}",
    "-snapshot").format(
      name, image, choice.number, choice.addr(),
      image.partition(",")[0].partition("=")[2])


def _scsi(choice):
  name, image = choice.name(), choice.image()
  return choice.one(
    "-device virtio-scsi-pci -drive if=none,id={0},{1}"
    " -device scsi-hd,drive={0},bus=scsi.0,scsi-id={3}",
    "-device virtio-scsi-pci -drive if=none,id={0},{1}"
    " -device scsi-hd,drive={0}",
    "-device virtio-scsi-pci,id=own{2} -drive if=none,id={0},{1}"
    " -device scsi-hd,drive={0},bus=own{2}.0",
    "-device lsi,id=own{2} -drive if=none,id={0},{1}"
    " -device scsi-hd,drive={0},bus=own{2}.0,scsi-id={3}",
    "-device virtio-scsi-pci,id=own{2} -device scsi-cd,bus=own{2}.0",
    "-object iothread,id=io{2} -device virtio-scsi-pci,iothread=io{2}",
    "-device scsi-cd", "-device virtio-scsi-pci", "-device megasas",
    "-drive if=none,id={0},{1} -device scsi-hd,drive={0},id=x{2}",
    "-drive if=none,id={0},{1} -device scsi-hd,drive={0},bus=scsi.0",
    "-drive if=none,id={0},{1} -device scsi-hd,drive={0},scsi-id={3},lun=1",
    ).format(name, image, choice.number, choice.random.randint(0, 7))


def _bridge(choice):
  return choice.one(
    "-device pci-bridge,id=br{0},chassis_nr={0}",
    "-device pci-bridge,id=br{0},chassis_nr={0} -device virtio-rng-pci"
    ",bus=br{0},addr=1",
    "-device pci-bridge,id=br{0},chassis_nr={0},{1} -device e1000,bus=br{0}"
    ",addr=2,id=behind{0} -device virtio-rng-pci,bus=br{0},addr={2:x}",
    "-device pci-bridge,id=br{0},chassis_nr={0} -device pci-bridge,bus=br{0}"
    ",addr=3,id=in{0},chassis_nr=1{0} -device virtio-rng-pci,bus=in{0},addr=1",
    "-device pci-bridge,chassis_nr={0}",
    "-device i82801b11-bridge,id=br{0} -device virtio-rng-pci,bus=br{0},addr=1",
    "-device pci-bridge,id=br{0},chassis_nr={0} -device virtio-rng-pci"
    ",bus=br{0},addr=1,multifunction=on -device virtio-rng-pci,bus=br{0}"
    ",addr=1.1").format(choice.number, choice.addr(), choice.slot())


def _multifunction(choice):
  return choice.one(
    "-device virtio-rng-pci,addr={0:x}.0,multifunction=on"
    " -device virtio-rng-pci,addr={0:x}.1",
    "-device virtio-rng-pci,addr={0:x}.1"
    " -device virtio-rng-pci,addr={0:x}.0,multifunction=on",
    "-device virtio-rng-pci,multifunction=on",
    "-device ich9-usb-ehci1,id=ehci,addr={0:x}.7,multifunction=on"
    " -device ich9-usb-uhci1,masterbus=ehci.0,firstport=0,addr={0:x}.0"
    ",multifunction=on -device ich9-usb-uhci2,masterbus=ehci.0,firstport=2"
    ",addr={0:x}.1").format(choice.slot())


def _usb(choice):
  return choice.one(
    "-device qemu-xhci", "-device nec-usb-xhci,id=xhci", "-device usb-ehci",
    "-device qemu-xhci,id=xhci{0} -device usb-tablet,bus=xhci{0}.0",
    "-device qemu-xhci,id=xhci{0},{1} -device usb-kbd,bus=xhci{0}.0,port=2",
    "-device piix3-usb-uhci", "-device usb-tablet", "-device usb-kbd,port=2",
    "-device usb-hub -device usb-mouse", "-device usb-mouse -device usb-kbd",
    "-device usb-hub,port=1 -device usb-mouse,port=1.3", "-usbdevice tablet",
    "-usbdevice keyboard", "-device usb-ehci,id=ehci{0}"
    " -device usb-tablet,bus=ehci{0}.0", "-device usb-bot",
    "-device usb-serial", "-device usb-hub,id=usb{0}").format(
      choice.number, choice.addr())


def _serial(choice):
  return choice.one(
    "-device virtio-serial-pci,id=vs{0} -chardev null,id=ch{0}"
    " -device virtserialport,chardev=ch{0},name=org.x.{0}",
    "-device virtio-serial-pci,id=vs{0} -chardev null,id=ch{0}"
    " -device virtserialport,chardev=ch{0},name=org.x.{0},bus=vs{0}.0,nr={2}",
    "-device virtio-serial -device virtconsole", "-device virtio-serial",
    "-chardev null,id=ch{0} -device virtio-serial,{1}"
    " -device virtconsole,chardev=ch{0},id=con{0}",
    "-chardev null,id=ch{0} -device pci-serial,chardev=ch{0}",
    "-chardev null,id=ch{0} -device isa-serial,chardev=ch{0},id=ser{0}",
    "-serial null", "-parallel null", "-debugcon null",
    "-chardev null,id=ch{0} -device isa-debugcon,chardev=ch{0}",
    "-device virtio-serial -device virtserialport,name=a"
    " -device virtserialport,name=b").format(
      choice.number, choice.addr(), choice.random.randint(1, 9))


def _share(choice):
  return choice.one(
    "-virtfs local,path={0},mount_tag=t{1},security_model=none",
    "-virtfs local,path={0},mount_tag=t{1},security_model=none,id=fs{1}",
    "-fsdev local,id=fs{1},path={0},security_model=none"
    " -device virtio-9p-pci,fsdev=fs{1},mount_tag=t{1}",
    "-fsdev local,id=fs{1},path={0},security_model=none"
    " -device virtio-9p-pci,fsdev=fs{1},mount_tag=t{1},id=x{1},{2}",
    "-object memory-backend-ram,id=m{1},size=1M,share=on"
    " -device ivshmem-plain,memdev=m{1}",
    "-object rng-random,id=r{1},filename=/dev/urandom"
    " -device virtio-rng-pci,rng=r{1}",
    "-object cryptodev-backend-builtin,id=c{1}"
    " -device virtio-crypto-pci,id=crypto{1},cryptodev=c{1}").format(
      _DIR, choice.number, choice.addr())


def _general(choice):
  return choice.one(
    "-machine usb=on", "-machine usb=off", "-machine vmport=off",
    "-machine smm=off", "-machine hpet=off", "-machine mem-merge=off",
    "-machine pc", "-machine pc,vmport=off", "-M pc", "-M type=pc",
    "-machine graphics=off", "-machine dump-guest-core=off",
    "-global PIIX4_PM.disable_s3=1", "-no-hpet", "-rtc clock=vm",
    "-global virtio-rng-pci.max-bytes=1024", "-boot menu=on",
    "-boot once=d,order=c", "-msg timestamp=on", "-no-user-config",
    "-name guest=vm1,debug-threads=on", "-smbios type=1,serial=1",
    "-fw_cfg name=opt/x,string=y", "-nodefaults", "-vga none", "-vga virtio",
    "-vga cirrus", "-sandbox on", "-icount shift=auto", "-cpu qemu64,+x2apic",
    "-overcommit mem-lock=off", "-uuid 11111111-1111-1111-1111-111111111111",
    "-watchdog-action pause", "-action watchdog=pause", "-no-fd-bootchk",
    "-global PIIX4_PM.acpi-pci-hotplug-with-bridge-support=off",
    "-audiodev none,id=a%d" % choice.number,
    "-object iothread,id=io%d" % choice.number)


#: What makes a part, and how often.
_PARTS = [(_plain, 6), (_rngs, 1), (_addressed, 4), (_set, 1), (_readconfig, 1),
          (_nic, 3), (_drive, 5), (_scsi, 3), (_bridge, 2), (_multifunction, 1),
          (_usb, 3), (_serial, 3), (_share, 2), (_general, 4)]


def _extra(choice):
  """Choose the parts of C{kvm_extra}."""
  makers = [maker for maker, weight in _PARTS for _ in range(weight)]
  found = []
  for _ in range(choice.one(0, 1, 1, 2, 2, 3, 4, 6)):
    made = choice.random.choice(makers)(choice)
    found.extend(made if isinstance(made, list) else [made])
  return found


def _some(choice, probability, values):
  """Choose one of some values, mostly the default, which is none of them."""
  if choice.random.random() < probability:
    return choice.random.choice(values)
  return None


def _hvparams(choice):
  """Choose hypervisor parameters; some may not be in every Ganeti."""
  image = ["%s/image%d" % (_DIR, n) for n in (1, 2, 3)]
  found = {
    "disk_type": _some(choice, 0.5, ["ide"] * 3 + ["scsi-hd"] * 4 + [
      "scsi"] * 2 + ["scsi-cd"]),
    "scsi_controller_type": _some(choice, 0.4, [
      "megasas", "virtio-scsi-pci", "virtio-scsi-pci"]),
    "nic_type": _some(choice, 0.5, sorted(constants.HT_KVM_VALID_NIC_TYPES)),
    "cdrom_image_path": _some(choice, 0.3, image[:1]),
    "cdrom2_image_path": _some(choice, 0.15, image[1:2]),
    "cdrom_disk_type": _some(choice, 0.4, ["ide", "paravirtual",
                                           "paravirtual", "scsi"]),
    "floppy_image_path": _some(choice, 0.1, image[2:]),
    "boot_order": _some(choice, 0.3, ["cdrom", "network"]),
    "vnc_bind_address": _some(choice, 0.3, ["127.0.0.1"]),
    "spice_bind": _some(choice, 0.3, ["127.0.0.1"]),
    "spice_use_vdagent": _some(choice, 0.3, [False]),
    "soundhw": _some(choice, 0.2, ["hda", "ac97", "es1370", "sb16",
                                   "ac97,es1370"]),
    "use_guest_agent": _some(choice, 0.3, [True]),
    "usb_mouse": _some(choice, 0.2, ["mouse", "tablet"]),
    "usb_devices": _some(choice, 0.2, ["tablet", "keyboard,mouse",
                                       "keyboard"]),
    "vga": _some(choice, 0.3, ["std", "cirrus", "vmware", "none", "qxl",
                               "virtio"]),
    "kvm_pci_reservations": _some(choice, 0.5, [4, 6, 8, 8, 16, 20, 24]),
    "virtio_net_queues": _some(choice, 0.1, [2]),
    "machine_version": _some(choice, 0.3, ["pc", "pc-i440fx-5.2",
                                           "pc-i440fx-4.2", "pc-i440fx-3.1"]),
    "cpu_type": _some(choice, 0.2, ["qemu64", "kvm64", "Nehalem"]),
    "cpu_cores": _some(choice, 0.1, [1]),
    "acpi": _some(choice, 0.05, [False]),
    "serial_console": _some(choice, 0.1, [False]),
    "use_localtime": _some(choice, 0.1, [True]),
    "reboot_behavior": _some(choice, 0.1, ["exit"]),
    "disk_cache": _some(choice, 0.2, ["none", "writeback"]),
    "disk_discard": _some(choice, 0.1, ["unmap"]),
    "keymap": _some(choice, 0.1, ["de"]),
    "vnet_hdr": _some(choice, 0.1, [False]),
    }
  # which no Ganeti starts; -soundhw only the tests' program still understands
  if (qemu_version.version(nodes.QEMU) or (0, 0)) >= (7, 1):
    found["soundhw"] = None
  if found["vnc_bind_address"]:
    found["spice_bind"] = None
  if (found["disk_type"] or "").startswith("scsi-"):
    found["cdrom_disk_type"] = found["cdrom_disk_type"] or "ide"
  if not found["cdrom_image_path"] and found["boot_order"] == "cdrom":
    found["boot_order"] = None
  known = constants.HVC_DEFAULTS[constants.HT_KVM]
  return dict((name, value) for name, value in found.items()
              if value is not None and name in known)


def draw(seed, number):
  """Draw one configuration.

  @rtype: dict

  """
  choice = _Choice(random.Random("%s/%s" % (seed, number)))
  hvparams = _hvparams(choice)
  # there are four in all
  disks = 3 if hvparams.get("disk_type") == "ide" else 6
  return {"disks": choice.random.randint(0, disks),
          "nics": choice.random.randint(0, 6),
          "running": choice.random.random() < 0.4,
          "hvparams": hvparams, "extra": _extra(choice)}


#: What a part, or machine type, is called on q35.
_ON_Q35 = [("pci.0", "pcie.0"), ("i440FX", "q35"), ("i440fx", "q35"),
           ("PIIX4_PM", "ICH9-LPC"), ("-machine pc", "-machine q35"),
           ("-M pc", "-M q35"), ("type=pc", "type=q35"),
           ("bus=ide.1,unit=1", "bus=ide.3")]

#: Machine types of pc to those of q35.
_TYPES = {"pc": "q35", "pc-i440fx-5.2": "pc-q35-5.2",
          "pc-i440fx-4.2": "pc-q35-4.2", "pc-i440fx-3.1": "pc-q35-3.1"}


def of_machine_type(configuration):
  """Have a configuration that was drawn for pc name what q35 has.

  """
  if nodes.ON_PC:
    return configuration

  def translated(text):
    for pc, q35 in _ON_Q35:
      text = text.replace(pc, q35)
    return text

  hvparams = dict(configuration["hvparams"])
  if "machine_version" in hvparams:
    hvparams["machine_version"] = _TYPES[hvparams["machine_version"]]
  return dict(configuration, hvparams=hvparams,
              extra=[translated(part) for part in configuration["extra"]])


def smaller(configuration):
  """List what a configuration can do without, one at a time.

  @return: generator of configurations

  """
  def but(**other):
    return dict(configuration, **other)

  extra, hvparams = configuration["extra"], configuration["hvparams"]
  if len(extra) > 2:
    yield but(extra=extra[:len(extra) // 2])
    yield but(extra=extra[len(extra) // 2:])
  for at in range(len(extra)):
    yield but(extra=extra[:at] + extra[at + 1:])
  if len(hvparams) > 2:
    yield but(hvparams={})
  for name in sorted(hvparams):
    yield but(hvparams=dict(item for item in hvparams.items()
                            if item[0] != name))
  for devices in ("disks", "nics"):
    for count in sorted(set([0, configuration[devices] // 2,
                             max(0, configuration[devices] - 1)])):
      if count < configuration[devices]:
        yield but(**{devices: count})
  if configuration["running"]:
    yield but(running=False)
