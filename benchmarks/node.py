"""What the commands take that look at a whole node: check, map, plan, facts.

QEMUs that were started with C{-S} and little memory stand in for its guests,
each with the runtime file that Ganeti would write; the node's folders are in
one of a virtual cluster (C{GANETI_ROOTDIR}), so nothing outside is touched.
Each command is run as it is by an administrator, a process of its own, Python's
start included. What is measured:

  - each command with 25, 50, 100 and 200 guests of two devices
  - each command with 25 guests of 1, 8 and 24 devices
  - C{check --live} of 25 guests of which none, one or four do not answer
  - the start of Python alone, with what a command imports

Usage: C{benchmarks/node.py [--guests N,N,...] [--rounds N] [--only TABLE]}. All
commands come by turns, one direction and the other.

"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import results_file

TOP = results_file.TOP
#: By its whole path, as Ganeti has it.
QEMU = shutil.which(os.environ.get("QEMU", "qemu-system-x86_64"))

#: The guests of which the number of devices is another, and their disks and
#: NICs.
FEW = 25
DEVICES = {1: (1, 0), 8: (5, 3), 24: (16, 8)}

#: How many of them do not answer.
STOPPED = [0, 1, 4]

TABLES = ["guests", "devices", "stopped", "start"]

COMMANDS = {
  "check --live": ["check", "--live", "--json"],
  "map --live --json": ["map", "--live", "--json"],
  "plan": ["plan", "--json"],
  "facts": ["facts", "--json"],
  }

ABOUT = """\
- the whole command, a process of its own: Python's start and its imports too.
  `facts` is what `preflight` asks a node for
- the guests are QEMUs that were started with `-S`, 16 MiB and `-nodefaults`;
  each has one disk and one NIC where nothing else is said. None runs a system
- CPU time is that of the command and of what it starts, without the guests'
- a guest that does not answer was stopped (SIGSTOP): Ganeti's client waits 5 s
  for its greeting
"""

_LIMIT = 600


class Guest(object):
  """A QEMU that stands in for a guest.

  @ivar name: the instance's

  """
  def __init__(self, node, name, disks, nics):
    self.name = name
    self._node = node
    words, hvinfos = [], []
    for index in range(disks + nics):
      is_disk = index < disks
      uuid = "%08x-%04x-4000-8000-%012x" % (abs(hash(name)) % (1 << 32), index,
                                            index)
      device_id = "%s-%s" % ("disk" if is_disk else "nic", uuid[:18])
      hvinfo = {"driver": "virtio-%s-pci" % ("blk" if is_disk else "net"),
                "id": device_id, "bus": "pci.0",
                # where each class has its slots
                "addr": "0x%x" % (8 + index if is_disk else 24 + index - disks)}
      hvinfos.append((is_disk, uuid, hvinfo))
      words += [
        "-blockdev", "null-co,node-name=%s,size=1048576,read-zeroes=on" %
        device_id] if is_disk else [
          "-netdev", "hubport,hubid=0,id=" + device_id]
      words += ["-device", "%s,%s=%s,id=%s,bus=pci.0,addr=%s" % (
        hvinfo["driver"], "drive" if is_disk else "netdev", device_id,
        device_id, hvinfo["addr"])]
      if not is_disk:
        words[-1] += ",romfile=,mac=" + _mac(index)
    self._command = [
      QEMU, "-name", name, "-m", 16, "-smp", "1", "-nodefaults", "-vga",
      "none", "-machine", "pc", "-pidfile", node.path("pid", name), "-device",
      "virtio-balloon", "-daemonize", "-S", "-display", "none", "-qmp",
      "unix:%s,server=on,wait=off" % node.path("ctrl", name + ".qmp")]
    with open(node.path("conf", name + ".runtime"), "w") as stream:
      json.dump([
        self._command,
        [{"mac": _mac(index), "nicparams": {"mode": "routed", "link": ""},
          "hvinfo": hvinfo, "uuid": uuid}
         for index, (is_disk, uuid, hvinfo) in enumerate(hvinfos)
         if not is_disk],
        {"disk_type": "paravirtual", "nic_type": "paravirtual",
         "kvm_pci_reservations": 8, "kvm_extra": "", "machine_version": "pc"},
        [[{"dev_type": "file", "logical_id": ["loop", "/none"], "size": 1,
           "mode": "rw", "params": {}, "hvinfo": hvinfo, "uuid": uuid},
          "/none", None] for is_disk, uuid, hvinfo in hvinfos if is_disk]],
                stream)
    self._words = [str(word) for word in self._command] + words

  def start(self):
    """Begin to start it; returns the process that ends once it runs."""
    # it warns of hubs
    return subprocess.Popen(self._words, stdin=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)

  def kill(self, number):
    """Send its QEMU a signal."""
    try:
      with open(self._node.path("pid", self.name)) as stream:
        os.kill(int(stream.read()), number)
    except OSError: # it never ran
      pass


def _mac(index):
  return "aa:00:00:00:00:%02x" % index


class Node(object):
  """A node of a virtual cluster.

  @ivar guests: list of L{Guest}

  """
  def __init__(self, folder):
    self.guests = []
    self._folder = os.path.join(folder, "node1.example.com")
    for name in ("conf", "ctrl", "pid"):
      os.makedirs(self.path(name))

  def path(self, *names):
    return os.path.join(self._folder, "var", "run", "ganeti",
                        "kvm-hypervisor", *names)

  def add(self, prefix, count, disks, nics):
    """Start guests; returns their names."""
    made = [Guest(self, "%s%03d.example.com" % (prefix, number), disks, nics)
            for number in range(count)]
    self.guests += made
    at_once = 2 * os.cpu_count()
    for first in range(0, count, at_once):
      processes = [guest.start() for guest in made[first:first + at_once]]
      for process in processes:
        if process.wait() != 0:
          raise RuntimeError("a QEMU does not start")
    return [guest.name for guest in made]

  def stop(self):
    for guest in self.guests:
      guest.kill(signal.SIGKILL)

  def run(self, argv, names, may_fail=False):
    """Run a command.

    @rtype: tuple (float, float)
    @return: how long it took, and how long on a CPU, in seconds

    """
    environment = dict(os.environ, PYTHONPATH=TOP,
                       GANETI_ROOTDIR=self._folder,
                       GANETI_HOSTNAME="node1.example.com")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
      [sys.executable, "-m", "ganeti_kvm_pci"] + argv + names, check=False,
      env=environment, cwd="/", stdin=subprocess.DEVNULL, timeout=_LIMIT,
      stdout=subprocess.PIPE, encoding="utf-8")
    took = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    _judge(done.stdout, names, may_fail)
    return (took, after.ru_utime + after.ru_stime -
            before.ru_utime - before.ru_stime)


def _judge(text, names, may_fail):
  """Make sure that a command has done what it was to do."""
  document = json.loads(text)
  failed = [entry["error"] for entry in document["instances"]
            if entry["error"]]
  if document["error"] or failed and not may_fail or \
      len(document["instances"]) != len(names):
    raise RuntimeError("%s of %d guests: %s" % (
      document["command"], len(names), document["error"] or failed[:1] or
      "%d are told of" % len(document["instances"])))


def measure(results, node, cases, rounds, may_fail=False):
  """Run commands by turns, and add what they take to the results.

  @type cases: list of tuples
  @param cases: group, row, arguments, names of guests; a group's first row is
      what its others are compared with

  """
  taken = [[] for _ in cases]
  for number in range(rounds + 1):
    for (_, _, argv, names), found in list(zip(cases, taken))[
        ::1 if number % 2 else -1]:
      both = node.run(argv, names, may_fail)
      if number: # the first round is not counted
        found.append(both)
  first = {}
  for (group, row, _, _), found in zip(cases, taken):
    times, cpu = zip(*found)
    for unit_row, values in ((row, times), (row + ", CPU", cpu)):
      kept = first.setdefault((group, "CPU" in unit_row), unit_row)
      added = results.add(group, unit_row, "s", values,
                          to=None if kept == unit_row else kept)
      print("%-28s  %-28s  %7.3f s  %s" % (
        group, unit_row, added["median"], "%.2f" % added["ratio"]["median"]
        if added["ratio"] else ""))
      sys.stdout.flush()


def stop_some(results, node, names, rounds):
  """Measure what guests cost that do not answer."""
  group = "check --live of %d guests" % len(names)
  taken = [[] for _ in STOPPED]
  for _ in range(rounds):
    for number, found in zip(STOPPED, taken):
      stopped = [guest for guest in node.guests if guest.name in names[:number]]
      for guest in stopped:
        guest.kill(signal.SIGSTOP)
      found.append(node.run(COMMANDS["check --live"], names, True)[0])
      for guest in stopped:
        guest.kill(signal.SIGCONT)
  rows = ["all answer", "one does not", "%d do not" % STOPPED[-1]]
  for row, values, to in zip(rows, taken, [None, None, rows[1]]):
    added = results.add(group, row, "s", values, to)
    print("%-28s  %-28s  %7.3f s" % (group, row, added["median"]))


def grows(results, group, counts):
  """Add by how much one more guest costs, between each two numbers of them."""
  medians = dict((row["row"], row["median"]) for row in results.rows
                 if row["group"] == group)
  each = []
  for less, more in zip(counts, counts[1:]):
    each.append((medians["%d guests" % more] - medians["%d guests" % less]) /
                (more - less) * 1000)
  results.tell(group, "one more guest", ", ".join(
    "%.1f ms (%d to %d)" % ((cost, ) + pair) for cost, pair in
    zip(each, zip(counts, counts[1:]))))


def starts(results, node, rounds):
  """Measure what Python's start and the imports of commands take."""
  cases = [("python3 -c pass", ["-c", "pass"]),
           ("import of the command", ["-c", "import ganeti_kvm_pci.cli.entry"]),
           ("import of Ganeti's KVM", ["-c", "import sys; sys.path.insert(0,"
                                       " %r); import"
                                       " ganeti.hypervisor.hv_kvm" %
                                       os.path.dirname(os.path.realpath(
                                         "/usr/sbin/ganeti-noded"))]),
           ("map of no guest", ["-m", "ganeti_kvm_pci", "map", "--json"])]
  environment = dict(os.environ, PYTHONPATH=TOP,
                     GANETI_ROOTDIR=node.path("..", "..", "..", ".."))
  taken = [[] for _ in cases]
  for number in range(rounds + 1):
    for (_, argv), found in list(zip(cases, taken))[::1 if number % 2 else -1]:
      begun = time.perf_counter()
      subprocess.run([sys.executable] + argv, check=False, env=environment,
                     cwd="/", stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
      if number:
        found.append((time.perf_counter() - begun) * 1000)
  for (row, _), found in zip(cases, taken):
    added = results.add("Start of the command", row, "ms", found,
                        to=None if row == cases[0][0] else cases[0][0])
    print("%-28s  %-28s  %7.1f ms" % ("start", row, added["median"]))


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--guests", default="25,50,100,200")
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--tables", default=",".join(TABLES))
  parser.add_argument("--commands", default=",".join(COMMANDS))
  options = parser.parse_args()
  counts = [int(number) for number in options.guests.split(",")]
  tables = options.tables.split(",")
  commands = [(name, COMMANDS[name]) for name in options.commands.split(",")]
  results = results_file.Results(
    "node", "Commands that look at a whole node", ABOUT,
    {"guests": counts, "rounds": options.rounds})
  with tempfile.TemporaryDirectory() as folder:
    node = Node(folder)
    try:
      if "start" in tables:
        starts(results, node, 4 * options.rounds)
      some = dict((number, node.add("d%02d-" % number, FEW, *DEVICES[number]))
                  for number in sorted(DEVICES)
                  if "devices" in tables or "stopped" in tables and number == 1)
      if "devices" in tables:
        measure(results, node, [
          ("%s, %d guests" % (name, FEW), "%d devices" % number, argv,
           some[number]) for name, argv in commands
          for number in sorted(some)], options.rounds)
      if "stopped" in tables:
        stop_some(results, node, some[1], options.rounds)
      if "guests" in tables:
        names = node.add("vm", counts[-1], 1, 1)
        measure(results, node, [
          (name, "%d guests" % count, argv, names[:count])
          for name, argv in commands for count in counts], options.rounds)
        for name, _ in commands:
          grows(results, name, counts)
    finally:
      node.stop()
  results.write()


if __name__ == "__main__":
  main()
