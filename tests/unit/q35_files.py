"""Runtime files of q35 guests: of this package, and of Ganeti's master.

The latter in the words of Ganeti's commit f4cb0f63: a slot for each root port,
fixed functions of slot 2 for QEMU's own devices.

"""

import json

import genuine
from ganeti_kvm_pci.bus.root_ports import NUMBERS
from ganeti_kvm_pci.qemu import q35
from ganeti_kvm_pci.runtime import serialized


def _behind(entries, first, indexes=False):
  for at, entry in enumerate(entries):
    hvinfo = entry["hvinfo"]
    hvinfo.update(bus="rp%d" % (first + at), addr="0x0")
    if indexes:
      hvinfo["acpi-index"] = at + 1


def _of(name, ports):
  data = json.loads(genuine.text_of(name))
  data[2]["machine_version"] = "q35"
  data[0] = ports([word for word in data[0]])
  data[0] += ["-machine", "q35"]
  if data[2].get("disk_type") != "scsi-hd":
    _behind([entry[0] for entry in data[3]], 11)
  _behind(data[1], 3, True)
  return data


def packed(name="v3.0.2-plain"):
  """Return what JSON makes of a file of a guest that this package started."""
  return _of(name, lambda words: q35.with_ports(words, None))


def upstreams(name="master-plain"):
  """Return the same of one that Ganeti's master started."""
  def ports(words):
    at = words.index("-device")
    made = []
    for number in NUMBERS:
      made += ["-device", "pcie-root-port,id=rp%d,bus=pcie.0,addr=%s,"
               "chassis=%d,port=%d" % (number, hex(number), number, number)]
    words[at + 1] += ",bus=pcie.0,addr=0x2.0,multifunction=on"
    return words[:at] + made + words[at:]
  return _of(name, ports)


def load(data, source="f"):
  return serialized.parse(json.dumps(data), source)
