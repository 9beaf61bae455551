"""A boot loader that shows its menu until it is told to go on.

GRUB, started as a kernel is; Linux is on a disk that no slot of Ganeti's has,
and for which the guest has no driver.

"""

import glob
import os
import shutil
import subprocess
import tarfile

from line_socket import Socket
import nodes

#: What makes an image of GRUB one that QEMU takes for a kernel (grub-pc-bin).
_HEAD = "/usr/lib/grub/i386-pc/lnxboot.img"

_MODULES = ["biosdisk", "memdisk", "tar", "serial", "terminal", "normal",
            "linux", "search", "search_fs_file"]

_MENU = """\
serial --unit=0
terminal_input serial
terminal_output serial
set timeout=-1
search --no-floppy --file --set=root /vmlinuz
for name in first second; do
  menuentry $name {
    linux /vmlinuz console=ttyS0 %s
    initrd /initrd.gz
  }
done
"""

#: Chooses one entry and then the other, so that both are drawn. A key may be
#: lost, so both do the same.
_TO_AND_FRO = b"\x0e\x10"

_CLEAR = "\x1b[H\x1b[J"


def lack():
  """Return why there is no loader, or None."""
  if os.path.exists(_HEAD) and shutil.which("grub-mkimage"):
    return None
  return "grub-pc-bin and grub-common are not installed"


def _packed(path, folder, *names):
  with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
    for name in names:
      archive.add(os.path.join(folder, name), name)
  return path


def make(guest, folder):
  """Make a loader for the lab's guest.

  @param guest: folder, what the fixture of that name gives
  @param folder: where its files are to be
  @return: dictionary, the instance's parameters

  """
  usual = nodes.boot(guest)
  os.makedirs(os.path.join(folder, "boot", "grub"))
  with open(os.path.join(folder, "boot", "grub", "grub.cfg"), "w") as stream:
    stream.write(_MENU % usual["kernel_args"])
  core = os.path.join(folder, "core.img")
  subprocess.check_call(
    ["grub-mkimage", "-O", "i386-pc", "-p", "(memdisk)/boot/grub", "-o", core,
     "-m", _packed(os.path.join(folder, "menu.tar"), folder, "boot")] + _MODULES)
  image = os.path.join(folder, "loader")
  with open(image, "wb") as joined:
    for part in (_HEAD, core):
      with open(part, "rb") as stream:
        shutil.copyfileobj(stream, joined)
  # the guest's own is unpacked, which GRUB does not take
  packed = max(glob.glob("/boot/vmlinuz-*"), key=os.path.getmtime)
  shutil.copy(packed, os.path.join(folder, "vmlinuz"))
  shutil.copy(usual["initrd_path"], folder)
  disk = _packed(os.path.join(folder, "linux.tar"), folder, "vmlinuz",
                 "initrd.gz")
  return {"kernel_path": image, "initrd_path": "", "kernel_args": "",
          "kvm_extra": "-drive file=%s,format=raw,if=ide,snapshot=on" % disk}


class Screen(object):
  """The loader's menu, on a guest's serial line."""

  def __init__(self, node):
    self._serial = Socket(node.hyper._InstanceSerial(node.instance.name), 2)

  def _says(self, text, key=b""):
    self._serial.sock.sendall(key)
    try:
      self._serial.until(text)
      return True
    except EnvironmentError: # nothing for a while
      return False

  def wait(self):
    """Wait until the menu is there, and answers."""
    nodes.wait_until(lambda: self._says("*first", _TO_AND_FRO), "the menu")

  def wait_for_reset(self):
    """Wait until the loader is started anew."""
    nodes.wait_until(lambda: self._says("GNU GRUB"), "the loader starts")
    self.wait()

  def leave(self):
    """Start Linux, and hang up."""
    # QEMU drops a key of one who hangs up at once
    nodes.wait_until(lambda: self._says(_CLEAR, b"\r"), "the menu is left")
    self._serial.sock.close()
