"""An instance starts, is checked, and migrates there and back.

Without a guest: where QEMU has its devices, and whether it can send them, does
not depend on one. What the firmware sets up (the numbers of the buses) is
waited for where the guest is not left paused.

"""

import collections
import ctypes
import io
import json
import os
import re
import shutil
import sys
import tempfile
import threading

from ganeti_kvm_pci.cli import entry
from ganeti_kvm_pci.node import runtime_files

from qemu_state import pci_functions, tell
import test_migration
import nodes

#: At which stage a configuration ended.
START, CHECK, THERE, BACK, DONE = (
  "start", "check --live", "migration there", "migration back", "done")

#: What is said of a migration that QEMU takes for completed.
DIFFERS = "the target has other devices"

#: What became of one.
#:   - stage: one of the above
#:   - why: string, what was said there; empty if it is done
#:   - devices: L{Devices}, once it was started, else None
Outcome = collections.namedtuple("Outcome", ["stage", "why", "devices"])

#: QEMU's devices.
#:   - placed: list of strings, what must be the same on a target
#:   - types: list of strings, what must be the same on unmodified Ganeti: no
#:     addresses
Devices = collections.namedtuple("Devices", ["placed", "types"])

_PORT = 8102
_ADDRESSES = ("127.0.0.1", "127.0.0.2")

_FOLDERS = ("/machine/peripheral", "/machine/peripheral-anon")
_OWNER_RE = re.compile("(?:%s|%s)/[^/]+" % _FOLDERS)
_NIC_RE = re.compile(r"model=([^,\s]+),macaddr=(\S+)(?:\r?\n \\ (\S+): )?")

_PR_SET_CHILD_SUBREAPER = 36

#: What QEMU has to say anyway
_NOISE_RE = re.compile("module .* not found|: warning: |terminating on signal")

#: Stands for the folder of an instance's files in its parameters.
FOLDER = "@"
_FILE_RE = re.compile(FOLDER + r"/([-.\w]+)")

#: As in QEMU's docs/config/ich9-ehci-uhci.cfg: a file's text by its name's end.
_TEXTS = {".cfg": '''
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

[device "uhci-2"]
  driver = "ich9-usb-uhci2"
  addr = "1d.1"
  multifunction = "on"
  masterbus = "ehci.0"
  firstport = "2"
'''}

#: What QEMU says of itself is the same for all nodes: option to text
_said = {}


class Pair(test_migration.Pair):
  """A source and a target without a guest's kernel.

  @ivar addresses: pair of strings, of the source and of the target

  """

  def __init__(self, which, folder):
    super(Pair, self).__init__(which, which, folder)
    self.addresses = _ADDRESSES
    for node in (self.source, self.target):
      _remember_help(node)

  def start(self, disks, nics, running, hvparams):
    """Start the instance on the source."""
    parameters = dict(test_migration.CAREFUL, migration_port=_PORT)
    parameters.update(hvparams)
    self.source.start(disks, nics, not running, **parameters)
    _bury_all(self.source)
    self.target.adopt(nodes.NAME, dict(self.source.instance.hvparams,
                                       kvm_path=self.target.qemu))
    for node in (self.source, self.target):
      node.instance.primary_node = "node1"
    if running:
      wait_for_firmware(self.source)

  def translated(self, info):
    """Give the target an address of its own as well."""
    loaded = json.loads(super(Pair, self).translated(info))
    loaded[0] = [word.replace(*self.addresses) for word in loaded[0]]
    return json.dumps(loaded)

  def move(self):
    """Move the guest; after that, source and target have changed their roles.

    @raise Exception: if that fails, whatever it is

    """
    before = devices(self.source)
    info = self.accept()
    _bury_all(self.target)
    status = self.migrate()
    assert status == "completed", "%s %s" % (
      status, tell(self.source, "query-migrate").get("error-desc", ""))
    self.finalize(info, True)
    after = devices(self.target)
    assert after.placed == before.placed, "%s: %s" % (
      DIFFERS, sorted(set(before.placed) ^ set(after.placed)))
    self.source, self.target = self.target, self.source
    self.addresses = self.addresses[::-1]
    for node in (self.source, self.target):
      node.instance.primary_node = "node2"

  def log(self):
    """Return what both QEMUs have said; Ganeti has one folder for that."""
    lines = (self.source.log() + self.target.log()).splitlines()
    # two write to one file
    return " ".join(line.strip("\0") for line in lines
                    if not _NOISE_RE.search(line))

  def stop(self):
    for node in (self.source, self.target):
      _bury_all(node)
    super(Pair, self).stop()

  def check(self):
    """Run C{check --live} on the source.

    @return: list of strings, what it warns of

    """
    plain, stdout = runtime_files.control_dir, sys.stdout
    runtime_files.control_dir = lambda name: os.path.join(
      self.source.folder, {"pid": "pids"}.get(name, name) + "_dir")
    said = io.BytesIO()
    sys.stdout = (io.TextIOWrapper(said, write_through=True)
                  if sys.version_info[0] > 2 else said)
    try:
      entry.main(["check", "--live", "--json", nodes.NAME])
      (found, ) = json.loads(said.getvalue().decode("utf-8"))["instances"]
    finally:
      runtime_files.control_dir, sys.stdout = plain, stdout
    warnings = [f["text"] for f in found["findings"] if f["severity"] != "info"]
    # the command's own is about the node as well, which has no plugin here
    assert bool(found["status"]) == bool(warnings), (warnings, found)
    return warnings


def adopt_orphans():
  """Become the parent of every QEMU that is started from now on.

  Ganeti waits until the process of a guest that has moved is no more, and some
  systems' init takes seconds for that.

  """
  ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _bury(pid):
  """Wait, in a thread, for the end of a process."""
  def wait():
    try:
      os.waitpid(pid, 0)
    except OSError: # not ours, or somebody else has waited
      pass

  thread = threading.Thread(target=wait)
  thread.daemon = True
  thread.start()


def _bury_all(node):
  """Wait for the end of whatever runs on a node, be it known or not."""
  folder = node.hyper._PIDS_DIR
  for name in os.listdir(folder) if os.path.isdir(folder) else []:
    with open(os.path.join(folder, name)) as stream:
      _bury(int(stream.read()))


def _remember_help(node):
  """Ask QEMU for its help once, not at every operation of every node."""
  plain = node.hyper._GetKVMOutput

  def _GetKVMOutput(path, option):
    if option not in _said:
      _said[option] = plain(path, option)
    return _said[option]

  type(node.hyper)._GetKVMOutput = staticmethod(_GetKVMOutput)


def wait_for_firmware(node):
  """Wait until the firmware has numbered the buses, and begins with memory."""
  nodes.wait_until(lambda: any(
    region["address"] > 0 for device in pci_functions(tell(node, "query-pci"))
    for region in device["regions"]), "the firmware begins", 60)


def devices(node):
  """Ask QEMU for what it has.

  @rtype: L{Devices}

  """
  qmp = node.watch()
  try:
    placed, types = [], []
    for device in pci_functions(qmp.execute("query-pci")):
      model = "%04x:%04x %s" % (device["id"]["vendor"], device["id"]["device"],
                                device["qdev_id"])
      types.append(model)
      placed.append("pci %d:%d.%d %s" % (device["bus"], device["slot"],
                                         device["function"], model))
    for folder in _FOLDERS:
      for item in qmp.execute("qom-list", path=folder):
        if item["type"].startswith("child<"):
          name = item["name"] if folder == _FOLDERS[0] else "-"
          types.append("%s %s" % (item["type"], name))
    for drive in qmp.execute("query-block"):
      name = "drive %s" % drive["device"]
      types.append(name)
      placed.append("%s of %s" % (name, _address(qmp, drive.get("qdev") or "")))
    for nic in _NIC_RE.findall(qmp.execute("human-monitor-command",
                                           command_line="info network")):
      # QEMU takes a random number where a netdev has no name
      types.append(re.sub("#net[0-9]+", "#net", "nic %s %s %s" % nic))
  finally:
    qmp.sock.close()
  return Devices(sorted(placed + types), sorted(types))


def _is_alive(node):
  try:
    with open("/proc/%d/stat" % node.pid()) as stream:
      return ") Z " not in stream.read()
  except EnvironmentError:
    return False


def _address(qmp, owner):
  """Name the device that a drive belongs to by its address."""
  if owner and not owner.startswith("/"):
    owner = "%s/%s" % (_FOLDERS[0], owner)
  match = _OWNER_RE.match(owner)
  if not match:
    return owner or "nothing"
  path = match.group()
  there = set(item["name"] for item in qmp.execute("qom-list", path=path))
  return " ".join("%s=%s" % (name, qmp.execute("qom-get", path=path,
                                               property=name))
                  for name in ("parent_bus", "addr", "channel", "scsi-id",
                               "lun", "unit") if name in there)


def _with_files(folder, value):
  """Put a real folder into a parameter, and make the files that it names."""
  if not hasattr(value, "replace"):
    return value
  for name in _FILE_RE.findall(value):
    with open(os.path.join(folder, name), "w") as stream:
      stream.write(_TEXTS.get(os.path.splitext(name)[1], ""))
      stream.truncate(stream.tell() or 1 << 20)
  return value.replace(FOLDER, folder)


def reference():
  """Say what a guest is compared with: what runs it, and parameters for that.

  Where unmodified Ganeti has no guest of this machine type, it is the plugin's
  guest on pc.

  @rtype: tuple (string, dict)

  """
  if nodes.unfit("unmodified"):
    return ("plugin", {"machine_version": "pc"})
  return ("unmodified", {})


def run(which, disks=2, nics=2, running=False, hvparams=None, moves=True):
  """Start an instance, and see how far it gets.

  @param which: C{"unmodified"} or C{"plugin"}
  @param hvparams: L{FOLDER} in their texts is a folder of both nodes; the files
      that they name there are made
  @param moves: whether it is to be checked and migrated as well
  @rtype: L{Outcome}

  """
  adopt_orphans()
  # a socket's path has room for 107 characters, pytest's folders are long
  folder = tempfile.mkdtemp(prefix="trip")
  hvparams = dict((name, _with_files(folder, value))
                  for name, value in (hvparams or {}).items())
  pair = Pair(which, folder)
  found = None
  stage = START
  try:
    pair.start(disks, nics, running, hvparams)
    found = devices(pair.source)
    for stage in (THERE, BACK) if moves else ():
      if which == "plugin":
        warnings = pair.check()
        if warnings:
          return Outcome(CHECK, "; ".join(warnings), found)
      pair.move()
    return Outcome(DONE, "", found)
  except Exception as err: # pylint: disable=broad-except
    # from 2.16 on, what QEMU says is in its log only
    said = "%s: %s %s" % (type(err).__name__, err, pair.log())
    if stage != START and not _is_alive(pair.source):
      said = "the guest's QEMU has died. " + said
    return Outcome(stage, " ".join(said.split()), found)
  finally:
    pair.stop()
    shutil.rmtree(folder)
