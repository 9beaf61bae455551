"""The lab's guest as a domain of libvirt's, and virsh as a way to hotplug."""

import glob
import os
import pwd
import shutil
import subprocess
from xml.sax.saxutils import escape

# it knows where the lab's modules are
from ways import BRIDGE, DISK, MAC, Way, timed

from commands import LabError, wait_until

NAME = "bench"

#: Debian's libvirt asks for this user even if QEMU is to run as another
USER = "libvirt-qemu"

#: As the lab's other guest: QEMU runs as root, and unconfined
QEMU_CONF = """
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
namespaces = []
cgroup_controllers = []
"""

#: The virtual hardware of Ganeti's instance, as far as libvirt has a say in it
DOMAIN = """
<domain type='qemu'
        xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{append}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>{emulator}</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='virtio'/>
    {disk}
    {nic}
    <serial type='unix'><source mode='bind' path='{serial}'/></serial>
    <video><model type='cirrus'/></video>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-qmp'/>
    <qemu:arg value='unix:{monitor},server=on,wait=off'/>
  </qemu:commandline>
</domain>
"""

DISK_XML = """
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/>
  <source file='{image}'/>
  <target dev='{target}' bus='virtio'/>
</disk>
"""

NIC_XML = """
<interface type='bridge'>
  <source bridge='{bridge}'/>
  <mac address='{mac}'/>
  <model type='virtio'/>
</interface>
"""


def installed():
  """Tell whether there is a libvirt that runs QEMU."""
  return bool(shutil.which("virsh") and shutil.which("libvirtd") and
              glob.glob("/usr/lib/*/libvirt/connection-driver/"
                        "libvirt_driver_qemu.so"))


def virsh(*args):
  """Run virsh.

  @return: what it prints

  """
  done = subprocess.run(("virsh", "-c", "qemu:///system") + args,
                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, encoding="utf-8",
                        check=False)
  if done.returncode != 0:
    raise LabError("virsh %s: %s" % (" ".join(args), done.stdout))
  return done.stdout


def write(path, text):
  with open(path, "w") as stream:
    stream.write(text)
  return path


def start(folder, log, command, images):
  """Start libvirt's daemon, and a guest like one of Ganeti's.

  Both end with the lab.

  @param folder: where files and sockets go
  @param log: file that the daemon's messages go to
  @param command: what Ganeti's guest was started with
  @param images: its disk's image, and that of the one to plug in
  @rtype: tuple
  @return: the paths of its QMP and its serial socket, and of two files that
      describe the disk and the NIC to plug in

  """
  # the lab's nodes have a /etc of their own
  try:
    pwd.getpwnam(USER)
  except KeyError:
    subprocess.check_call(["useradd", "--system", "--user-group", USER])
  os.makedirs("/etc/libvirt", exist_ok=True)
  write("/etc/libvirt/qemu.conf", QEMU_CONF)
  with open(log, "w") as stream:
    daemon = subprocess.Popen(["libvirtd"], stdin=subprocess.DEVNULL,
                              stdout=stream, stderr=stream)

  def _Answers():
    if daemon.poll() is not None:
      with open(log) as stream:
        raise LabError("libvirtd ended: %s" % stream.read())
    return subprocess.call(["virsh", "-c", "qemu:///system", "uri"],
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL) == 0

  wait_until(_Answers, "libvirtd answers")
  paths = [os.path.join(folder, "libvirt." + name)
           for name in ("qmp", "serial")]

  def _After(option):
    return escape(command[command.index(option) + 1])

  write(os.path.join(folder, "domain.xml"), DOMAIN.format(
    name=NAME, monitor=paths[0], serial=paths[1], emulator=command[0],
    kernel=_After("-kernel"), initrd=_After("-initrd"),
    append=_After("-append"),
    disk=DISK_XML.format(image=images[0], target="vda"),
    nic=NIC_XML.format(bridge=BRIDGE, mac=MAC % 3)))
  virsh("create", os.path.join(folder, "domain.xml"))
  return tuple(paths + [
    write(os.path.join(folder, "disk.xml"),
          DISK_XML.format(image=images[1], target="vdb")),
    write(os.path.join(folder, "nic.xml"),
          NIC_XML.format(bridge=BRIDGE, mac=MAC % 4))])


class Virsh(Way):
  """The whole call of C{virsh attach-device} and C{virsh detach-device}."""

  def __init__(self, name, guest, disk_xml, nic_xml):
    super().__init__(name, guest)
    self._disk = disk_xml
    self._nic = nic_xml

  def add(self, device):
    return timed(virsh, "attach-device", NAME, self._file(device), "--live")

  def remove(self, device):
    return timed(virsh, "detach-device", NAME, self._file(device), "--live")

  def _file(self, device):
    return self._disk if device == DISK else self._nic
