"""How long it takes to hot-add a disk or a NIC, and to have it out again.

Brings up the lab, has each of L{ways} do the same by turns, and writes what it
has measured to a file of C{results}. A run in which anything fails writes
nothing.

"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import domain
import results_file
import ways

import cluster
from ganeti import constants
from ganeti.hypervisor import hv_kvm

DEVICE_TYPES = [ways.DISK, ways.NIC]

RAW = "raw QMP"
PLUGIN = "plugin, node daemon's part"
LIBVIRT_RAW = "raw QMP, on libvirt's guest"
VIRSH = "virsh attach-device, detach-device"

OPERATIONS = [(device_type, action) for action in ("add", "remove")
              for device_type in DEVICE_TYPES]

TITLES = {
  (ways.DISK, "add"): "Hot-add of a disk",
  (ways.NIC, "add"): "Hot-add of a NIC",
  (ways.DISK, "remove"): "Confirmed hot-remove of a disk",
  (ways.NIC, "remove"): "Confirmed hot-remove of a NIC",
  }

EXPLANATION = """\
- raw QMP: the monitor's commands alone, on an open connection; the disk's image
  and the NIC's tap are there already. A removal ends when QEMU has said
  `DEVICE_DELETED` and has released the image or tap.
- node daemon's part: `HotplugDevice` of `ganeti.backend`, which the request
  from the master daemon leads to, in a process forked for it.
- `gnt-instance modify --hotplug`, `virsh attach-device` and `detach-device`:
  the whole command. libvirt has a guest of its own, as alike as it can be.

A device is removed only after the guest has reported that it uses it, and
QEMU was asked after each step whether it had the device or not. The rounds go
in one direction and the other by turns; one more, before them, is not counted.
The guest is Linux, emulated (TCG), with 1 CPU and 256 MiB.
"""

#: What the plugin aims at
ADD_MARGIN = 10
REMOVE_RATIO = 1.1


def say(text):
  print("[bench %s] %s" % (time.strftime("%T"), text), file=sys.stderr,
        flush=True)


def measure(way, device_type):
  """Add a device and remove it, and see to it that both is true.

  @return: the milliseconds of both

  """
  guest = way.guest
  before = guest.devices()
  guest.monitor.forget()
  adding = way.add(device_type)
  after = guest.devices()
  new = set(after.items()) - set(before.items())
  if len(new) != 1 or len(after) != len(before) + 1:
    raise cluster.LabError("%s: QEMU had %s, and after an add %s" %
                           (way.name, before, after))
  ((device_id, slot), ) = new
  guest.settle(lambda report: ways.in_use(device_type, slot, report))
  removing = way.remove(device_type)
  after = guest.devices()
  if after != before:
    raise cluster.LabError("%s: QEMU had %s, and after add and remove %s" %
                           (way.name, before, after))
  guest.monitor.await_removed(device_id)
  guest.settle(lambda report: slot not in report.pci)
  return (adding * 1000, removing * 1000)


def start_instance(folder):
  """Start an instance of Ganeti's with one disk and one NIC.

  @return: the instance and its L{ways.Guest}

  """
  cluster.plugin("enable")
  instance = cluster.Instance("vm1.gnt.test")
  monitor = os.path.join(folder, "ganeti.qmp")
  # a socket of our own: QEMU serves one client at a time
  instance.add(disks=1, nics=1, hvparams={
    "kvm_pci_reservations": 8,
    "kvm_extra": "-qmp unix:%s,server=on,wait=off" % monitor})
  serial = "%s/ctrl/%s.serial" % (cluster.KVM_DIR, instance.name)
  return (instance, ways.Guest(monitor, serial))


def start_domain(folder, image, instance, loaded):
  """Start libvirt's guest.

  @return: list of the ways that use it

  """
  own = make_image(folder, "libvirt-0")
  (monitor, serial, disk, nic) = domain.start(
    folder, os.path.join(folder, "libvirtd.log"), instance.runtime()[0],
    (own, make_image(folder, "libvirt-1")))
  guest = ways.Guest(monitor, serial)
  return [ways.RawQmp(LIBVIRT_RAW, guest, loaded, image),
          domain.Virsh(VIRSH, guest, disk, nic)]


def make_image(folder, name):
  path = os.path.join(folder, name)
  with open(path, "wb") as stream:
    stream.truncate(1 << 30)
  return path


def all_ways(only_daemon):
  """Start the guests.

  @param only_daemon: whether the whole of C{gnt-instance modify} is left out
  @return: list of ways

  """
  from ganeti_kvm_pci.hypervisor import KVMHypervisor
  folder = os.environ["TMPDIR"]
  image = make_image(folder, "image")
  (instance, guest) = start_instance(folder)
  say("the instance runs")
  loaded = ways.as_the_node_daemon_gets(instance.name)
  found = [
    ways.RawQmp(RAW, guest, loaded, image),
    ways.NodeDaemon(PLUGIN, guest, loaded, KVMHypervisor, image),
    ways.NodeDaemon("unmodified, node daemon's part", guest, loaded,
                    hv_kvm.KVMHypervisor, image),
    ]
  if not only_daemon:
    found += [
      ways.GntInstance("plugin, gnt-instance modify", guest, instance, True),
      ways.GntInstance("unmodified, gnt-instance modify", guest, instance,
                       False),
      ]
  if domain.installed():
    found.extend(start_domain(folder, image, instance, loaded))
  for way in found:
    way.guest.settle()
  say("all guests are up")
  return found


def in_lab(count, only_daemon):
  """Measure.

  @param only_daemon: see L{all_ways}
  @return: what L{fill} wants

  """
  order = all_ways(only_daemon)
  samples = dict((way.name, dict((device_type, [])
                                 for device_type in DEVICE_TYPES))
                 for way in order)
  # Each round goes the other way round: what drifts, drifts for all. The first
  # one counts for nothing: it warms up what there is to warm up.
  for number in range(count + 1):
    for way in order if number % 2 else order[::-1]:
      way.prepare()
      for device_type in DEVICE_TYPES:
        pair = measure(way, device_type)
        say("%d/%d %s, %s: added in %.1f ms, removed in %.1f ms" %
            ((number, count, way.name, device_type) + pair))
        if number > 0:
          samples[way.name][device_type].append(pair)
  return {
    "samples": samples,
    "ifups": [seconds * 1000 for seconds in order[0].ifups[1:]],
    "versions": {
      "ganeti": constants.RELEASE_VERSION,
      "qemu": order[0].guest.monitor.version,
      "libvirt": domain.virsh("--version").strip() if domain.installed()
                 else None,
      },
    }


def milliseconds(samples, device_type, action):
  return [pair[0 if action == "add" else 1] for pair in samples[device_type]]


def fill(results, measured):
  """Put what was measured into the results, and whether the aims are met.

  @type results: L{results_file.Results}
  @param measured: what L{in_lab} returns

  """
  samples, ifups = measured["samples"], measured["ifups"]
  medians = {}
  for operation in OPERATIONS:
    for name, found in samples.items():
      row = results.add(TITLES[operation], name, "ms",
                        milliseconds(found, *operation),
                        to=None if name == RAW else RAW)
      medians[operation, name] = row["median"]
    if VIRSH not in samples:
      results.tell(TITLES[operation], VIRSH,
                   "libvirt is not installed, or does not start")
  results.add("Ganeti's script, left out of the aim", "kvm-ifup", "ms", ifups)
  for operation in OPERATIONS:
    raw, plugin = [medians[operation, name] for name in (RAW, PLUGIN)]
    title = TITLES[operation]
    if operation[1] == "remove":
      results.aim("%s: the node daemon's part within %.1f × raw QMP" %
                  (title, REMOVE_RATIO), "%.1f ms, raw %.1f ms" %
                  (plugin, raw), plugin / raw <= REMOVE_RATIO)
      continue
    # the administrator's script, which raw QMP leaves out
    script = statistics.median(ifups) if operation[0] == ways.NIC else 0
    results.aim("%s: the node daemon's part within raw QMP + %d ms%s" %
                (title, ADD_MARGIN, ", kvm-ifup left out" if script else ""),
                "%.1f ms, raw %.1f ms%s" % (plugin, raw, (
                  ", kvm-ifup %.1f ms" % script) if script else ""),
                plugin - script - raw <= ADD_MARGIN)
    if VIRSH in samples:
      virsh = medians[operation, VIRSH]
      results.aim("%s: faster than the whole of virsh" % title,
                  "%.1f ms, virsh %.1f ms" % (plugin, virsh), plugin < virsh)


def table(results):
  """Write the measurements as lines of text."""
  for row in results.rows:
    if "words" in row:
      yield "%-38s %-36s %s" % (row["group"], row["row"], row["words"])
      continue
    ratio = "%.2f x raw" % row["ratio"]["median"] if row["ratio"] else ""
    yield "%-38s %-36s n %d, median %.1f ms, quartiles %.1f-%.1f %s" % (
      row["group"], row["row"], row["n"], row["median"], row["quartiles"][0],
      row["quartiles"][1], ratio)
  for aim in results.aims:
    yield "%s: %s: %s" % (aim["aim"], aim["measured"],
                          "met" if aim["met"] else "not met")


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--count", type=int, default=10,
                      help="rounds to measure (%(default)s)")
  parser.add_argument("--only-daemon", action="store_true",
                      help="leave out the whole of gnt-instance modify")
  options = parser.parse_args()
  if options.count < 2:
    parser.error("no quartiles of less than 2 rounds")
  if "LAB_NODE" in os.environ:
    json.dump(in_lab(options.count, options.only_daemon), sys.stdout)
    return 0
  results = results_file.Results("hotplug", "Hotplug", EXPLANATION, {
    "rounds": options.count, "only_daemon": options.only_daemon})
  done = subprocess.run(
    [os.path.join(ways.HERE, "lab", "up"), "-n", "1", cluster.PYTHON,
     "benchmarks/hotplug.py", "--count", str(options.count)] +
    ["--only-daemon"] * options.only_daemon,
    stdout=subprocess.PIPE, encoding="utf-8", check=False)
  if done.returncode != 0:
    say("failed: nothing is written")
    return done.returncode
  measured = json.loads(done.stdout)
  results.head["versions"].update(measured["versions"])
  fill(results, measured)
  results.write()
  print("\n".join(table(results)))
  return 0


if __name__ == "__main__":
  sys.exit(main())
