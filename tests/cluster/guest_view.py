"""The guest's own view of where its devices are, and what changes in it.

"""

import re

#: Has the guest tell its boot, and each disk's size and where it is.
LINE = ("cat /proc/sys/kernel/random/boot_id;"
        " for d in /sys/block/vd* /sys/block/sd*; do [ -e $d ] &&"
        " cd -P $d/device && echo $(cat $d/size) $PWD; done; cd /")

#: The first root ports of a q35 guest; see C{dialogue.FIRST_PORT}.
_FIRST = 0x17


def short(address):
  """Name a PCI address as the documents do: a slot, or a root port.

  @param address: as the guest's report has it

  """
  function = re.match(r"0000:00:(..)\.(\d)(-?)(?:.*?( id \d+))?", address)
  slot, number = int(function.group(1), 16), int(function.group(2))
  if function.group(3):
    return "rp%d" % ((slot - _FIRST) * 8 + number + 3)
  return "%d%s%s" % (slot, ".%d" % number if number else "",
                     function.group(4) or "")


def _place(folder):
  """Turn a disk's folder into a PCI address, and id where it is on SCSI."""
  steps = re.findall(r"0000:..:..\.\d", folder)
  scsi = re.search(r"/\d+:(\d+:\d+:\d+)$", folder)
  return "-".join(steps) + (" id %s" % scsi.group(1).split(":")[1]
                            if scsi else "")


def read(report, listed):
  """Read what a guest says of its PCI devices.

  @param report: L{dialogue.Report}
  @param listed: what L{LINE} printed of the disks
  @rtype: dict
  @return: "disk" and its size in MB, "nic" and its MAC address, or an own
      device's vendor, device and number among its like, to the PCI address

  """
  lines = dict(line.partition(":")[::2] for line in report.text.splitlines())
  found = {}
  for line in listed.splitlines():
    size, folder = line.split(None, 1)
    found["disk %d" % (int(size) // 2048)] = _place(folder)
  for word in lines["NET"].split():
    address, mac = word.partition("=")[2].split("/")
    found["nic " + mac] = address
  others = {}
  for word in lines["PCI"].split():
    address, device = word.split("=")
    if address not in [place.split(" ")[0] for place in found.values()]:
      others.setdefault(device, []).append(address)
  for device, addresses in others.items():
    for number, address in enumerate(sorted(addresses)):
      found["%s #%d" % (device, number)] = address
  return found


def look(vm, disks=None, nics=None, timeout=600):
  """Ask a guest, once it has that many disks and NICs.

  @rtype: tuple (dict, string)
  @return: see L{read}, and which boot it is

  """
  vm.guest(timeout=timeout, until=lambda report: (
    disks in (None, len(report.disks)) and nics in (None, len(report.nics))))
  seen = vm.guest(LINE, timeout=timeout)
  assert seen.status == 0, seen.output
  boot, _, listed = seen.output.partition("\n")
  return read(seen, listed), boot


def changes(before, after):
  """Compare two views.

  @rtype: dict
  @return: what differs, to what it was and what it is; None where it is not

  """
  return {key: (before.get(key), after.get(key))
          for key in set(before) | set(after)
          if before.get(key) != after.get(key)}


def shown(view, sizes, macs):
  """Write a view in one line, disks and NICs in the configuration's order."""
  disks = [short(view["disk %d" % size]) for size in sizes
           if "disk %d" % size in view]
  nics = [short(view["nic " + mac]) for mac in macs]
  others = sorted((address, key) for key, address in view.items()
                  if not key.startswith(("disk", "nic")))
  return "disks %s | NICs %s | others %s" % (
    " ".join(disks) or "-", " ".join(nics) or "-",
    " ".join(dict.fromkeys(short(address) for address, _ in others
                           if not address.startswith("0000:00:01."))))
