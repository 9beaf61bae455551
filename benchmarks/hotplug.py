"""How long it takes to hot-add a disk or a NIC, and to have it out again.

Brings up the lab, has each of L{ways} do the same by turns, and writes what it
has measured to C{RESULTS.md}. A run in which anything fails writes nothing.

"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time

import domain
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

  @return: what L{results} wants

  """
  load = os.getloadavg()[0]
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
    "facts": {
      "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
      "Ganeti": constants.RELEASE_VERSION,
      "QEMU": order[0].guest.monitor.version,
      "libvirt": domain.virsh("--version").strip() if domain.installed()
                 else "not installed, not measured",
      "guest": "Linux, emulated (TCG), 1 CPU, 256 MiB",
      "host": "%d CPUs, Linux %s, load %.2f before" %
              (os.cpu_count(), platform.release(), load),
      },
    }


def milliseconds(samples, device_type, action):
  return [pair[0 if action == "add" else 1] for pair in samples[device_type]]


def table(samples):
  """Write the measurements as lines of Markdown.

  """
  for operation in OPERATIONS:
    yield "| %s | n | median | quartiles | ratio to raw | beyond raw |" % \
      TITLES[operation]
    yield "|:---|---:|---:|---:|---:|---:|"
    raw = statistics.median(milliseconds(samples[RAW], *operation))
    for name, found in samples.items():
      values = milliseconds(found, *operation)
      quartiles = statistics.quantiles(values, n=4, method="inclusive")
      median = quartiles[1]
      yield "| %s | %d | %.1f ms | %.1f–%.1f | %.2f × | %+.1f ms |" % (
        name, len(values), median, quartiles[0], quartiles[2], median / raw,
        median - raw)
    if VIRSH not in samples:
      yield "| %s | 0 | libvirt is not installed | | | |" % VIRSH
    yield ""


def aims(samples, ifup):
  """Say as lines of Markdown whether the plugin is where it should be.

  @param ifup: median of the milliseconds that Ganeti's script takes

  """
  for operation in OPERATIONS:
    (raw, plugin) = [
      statistics.median(milliseconds(samples[name], *operation))
      for name in (RAW, PLUGIN)]
    if operation[1] == "add":
      # the administrator's script, which raw QMP leaves out; virsh's way of
      # putting a NIC on a bridge is in its own time
      script = ifup if operation[0] == ways.NIC else 0
      (aim, met) = ("within raw + %d ms" % ADD_MARGIN,
                    plugin - script - raw <= ADD_MARGIN)
      if script:
        aim += ", kvm-ifup (%.1f ms) left out" % script
    else:
      (aim, met) = ("within %.1f × raw" % REMOVE_RATIO,
                    plugin / raw <= REMOVE_RATIO)
    yield "- %s %s: %.1f ms, raw %.1f ms: **%s**" % (
      TITLES[operation], aim, plugin, raw, "met" if met else "not met")
    if operation[1] == "add" and VIRSH in samples:
      virsh = statistics.median(milliseconds(samples[VIRSH], *operation))
      yield "- %s faster than virsh: %.1f ms, virsh %.1f ms: **%s**" % (
        TITLES[operation], plugin, virsh,
        "met" if plugin < virsh else "not met")


def results(measured, command, revision):
  """Make the text of C{RESULTS.md}.

  """
  (samples, ifups) = (measured["samples"], measured["ifups"])
  lines = ["# Hotplug, measured", "",
           "Written by `%s`; do not edit." % command, ""]
  lines.extend("- %s: %s" % fact for fact in
               list(measured["facts"].items()) + [("plugin", revision)])
  lines += ["", "## Medians", ""] + list(table(samples))
  lines += ["## The plugin's aims", "",
            "For the node daemon's part.", ""]
  lines += list(aims(samples, statistics.median(ifups)))
  return "\n".join(lines + ["", "## What was measured", "", EXPLANATION])


def git_revision():
  done = subprocess.run(["git", "-C", ways.HERE, "describe", "--always",
                         "--dirty"], stdout=subprocess.PIPE, check=False,
                        stderr=subprocess.DEVNULL, encoding="utf-8")
  return done.stdout.strip() or "of no known revision"


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--count", type=int, default=30,
                      help="rounds to measure (%(default)s)")
  parser.add_argument("--only-daemon", action="store_true",
                      help="leave out the whole of gnt-instance modify")
  parser.add_argument("--output", help="instead of RESULTS.md",
                      default=os.path.join(ways.HERE, "benchmarks",
                                           "RESULTS.md"))
  options = parser.parse_args()
  if options.count < 2:
    parser.error("no quartiles of less than 2 rounds")
  if "LAB_NODE" in os.environ:
    json.dump(in_lab(options.count, options.only_daemon), sys.stdout)
    return 0
  revision = git_revision()
  done = subprocess.run(
    [os.path.join(ways.HERE, "lab", "up"), "-n", "1", cluster.PYTHON,
     "benchmarks/hotplug.py", "--count", str(options.count)] +
    ["--only-daemon"] * options.only_daemon,
    stdout=subprocess.PIPE, encoding="utf-8", check=False)
  if done.returncode != 0:
    say("failed: nothing is written")
    return done.returncode
  text = results(json.loads(done.stdout), shlex.join(
    ["benchmarks/hotplug.py"] + sys.argv[1:]), revision)
  with open(options.output, "w", encoding="utf-8") as stream:
    stream.write(text)
  print(text)
  return 0


if __name__ == "__main__":
  sys.exit(main())
