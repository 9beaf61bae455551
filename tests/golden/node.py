"""Take a case through a real Ganeti, and keep what it gives to QEMU.

The node is that of the contract suite: a real C{KVMHypervisor}, whose QEMU is
never started. What Ganeti asks QEMU is answered from what QEMU 7.2 said once.

"""

import io
import json
import os
import re
import runpy
import sys

from ganeti import constants
from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import hypervisor

import form
import harness

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TARGET = "192.0.2.1"
LINK = "/var/run/ganeti/instance-disks/vm1.example.com:%d"
RUN_DIR = "/var/run/ganeti/kvm-hypervisor"
VERSION = "%d.%d" % (constants.VERSION_MAJOR, constants.VERSION_MINOR)

#: What tells states of master apart whose version is the same: a mark, and
#: whether the Ganeti that is here has it.
_MARKS = [
  # commit f4cb0f63f
  ("q35", hasattr(hv_kvm.QmpConnection, "WaitForDeviceClaim")),
  # commit 48af98708
  ("iothreads", hasattr(constants, "HV_VIRTIO_DISK_IOTHREADS")),
  ]

#: What the Ganeti that is here is called in the names of golden files.
STATE = "+".join([str(constants.RELEASE_VERSION)] +
                 [mark for mark, is_there in _MARKS if is_there])

#: The descriptors of taps; closing them does no harm, nobody has so many open.
FIRST_FD = 1001

CLASSES = {"unmodified": hv_kvm.KVMHypervisor,
           "plugin": hypervisor.KVMHypervisor}
_DEVICES = {"disk": (harness.DISK, harness.disk), "nic": (harness.NIC,
                                                          harness.nic)}


def _said(name):
  path = os.path.join(HERE, "qemu-7.2", name)
  with io.open(path, encoding="utf-8") as stream:
    return str(stream.read())


class _Uid(object):
  """The only user of the pool that C{security_model=pool} draws from."""
  pw_name = "kvm-4000"

  def GetUid(self):
    return 4000

  def AsStr(self):
    return "4000"

  def Unlock(self):
    pass


class _Store(object):
  """What Ganeti's configuration says to a node, as far as QEMU's user goes."""

  def GetUidPool(self):
    return "4000"


class Node(harness.World):
  """One node with one instance.

  @ivar lines: what the case has made so far, as text

  """
  def __init__(self, folder, monkeypatch, which):
    super(Node, self).__init__(folder, monkeypatch)
    self.boots = True
    self.lines = []
    self._which = which
    self._taps = 0
    # 2.12 and 2.15 on take a name, and give lists
    monkeypatch.setattr(hv_kvm, "OpenTap", self._open_tap, False)
    monkeypatch.setattr(hv_kvm, "_OpenTap", self._open_old_tap, False)
    self.list_machine_types(monkeypatch, _said("machines"))
    monkeypatch.setattr(hv_kvm.ssconf, "SimpleStore", _Store)
    monkeypatch.setattr(hv_kvm.uidpool, "RequestUnusedUid", lambda _: _Uid())
    monkeypatch.setattr(hv_kvm.pwd, "getpwuid", lambda _: _Uid())
    self._told = {
      "help": _said("help"), "mlist": _said("machines"),
      "devicelist": _said("devices"),
      }
    self.hyper = self._contained()

  def _open_tap(self, *_, **more):
    self._taps += 1
    fd = FIRST_FD + self._taps - 1
    name = "tap%d" % (self._taps - 1)
    return (name, [fd]) if "vnet_hdr" in more else (name, [fd], [])

  def _open_old_tap(self, *_, **__):
    self._taps += 1
    return ("tap%d" % (self._taps - 1), FIRST_FD + self._taps - 1)

  def _contained(self):
    """Make the hypervisor, in folders that are told apart."""
    hyper = self.hypervisor(CLASSES[self._which])
    cls = type(hyper)
    for name, folder in (("_CONF_DIR", "conf"), ("_CTRL_DIR", "ctrl"),
                         ("_NICS_DIR", "nic"), ("_UIDS_DIR", "uid"),
                         ("_PIDS_DIR", "pid"), ("_CHROOT_DIR", "chroot"),
                         ("_KEYMAP_DIR", "keymap")):
      path = os.path.join(self.folder, folder)
      if not os.path.isdir(path):
        os.mkdir(path)
      setattr(cls, name, path)
    told = self._told
    cls._GetKVMOutput = classmethod(lambda _, __, option: told[option])
    return hyper

  def run_case(self, case):
    """Do what a case says.

    @type case: L{case.Case}
    @rtype: list of strings
    @return: lines: each command that QEMU is started with, and the devices of
        the runtime file afterwards

    """
    hvparams = case.hvparams_of(constants.HVC_DEFAULTS[constants.HT_KVM])
    if case.runtime:
      loaded = json.loads(case.runtime_text())
      # up to 2.10.2, a target took that from the configuration
      hvparams = dict(hvparams, disk_type=loaded[2]["disk_type"])
    instance = harness.instance_of(case.nics, **hvparams)
    instance.network_port = 11000
    if case.runtime:
      instance.name = loaded[0][loaded[0].index("-name") + 1]
      self._write(instance, case.runtime_text())
    try:
      for step in case.steps:
        self._do(instance, case, step.split())
      if os.path.exists(self.path(instance)):
        self.lines.extend(["", "# runtime file"] + self._devices(instance))
    except errors.GenericError as err:
      self.lines.append("refused: %s" % self.neutral(str(err)))
    except Exception as err: # pylint: disable=W0703
      # unmodified Ganeti's fault, which the plugin must not have
      if self._which == "plugin":
        raise
      self.lines.append("fails with %s: %s" % (type(err).__name__, err))
    return self.lines

  def path(self, instance):
    return self.hyper._InstanceKVMRuntime(instance.name)

  def _write(self, instance, text):
    with io.open(self.path(instance), "w", encoding="utf-8") as stream:
      stream.write(u"%s" % text)

  def _do(self, instance, case, words):
    """Do one step, see README.md."""
    step = words[0]
    known = len(self.commands())
    self._taps = 0
    if step == "start":
      self.hyper.StartInstance(
        instance, [(harness.disk(n), LINK % n, None)
                   for n in range(case.disks)], False)
    elif step == "upgrade":
      self._upgrade(instance)
    elif step == "accept":
      self._accept(instance, self.hyper._ReadKVMRuntime(instance.name))
    elif step == "migrate":
      self._accept(instance, self.hyper.MigrationInfo(instance))
    elif step == "reboot":
      self.hyper.RebootInstance(instance)
    else:
      self._hotplug(instance, step, words[1], int(words[2]))
    for command in self.commands()[known:]:
      self.lines.extend((["", "# "] if self.lines else ["# "]))
      self.lines[-1] += " ".join(words)
      self.lines.extend(form.command_lines(
        [self.neutral(str(word)) for word in command]))

  def _accept(self, instance, info):
    self.running = False
    self.hyper.AcceptInstance(instance, info, TARGET)
    # only then it has its runtime file
    self.hyper.FinalizeMigrationDst(instance, info, True)

  def _upgrade(self, instance):
    """Have the plugin's command carry the runtime file, where it is on."""
    if self._which == "unmodified":
      return
    before = sys.argv
    sys.argv = ["ganeti-kvm-pci", "upgrade", "--to", VERSION, "--qemu", "7.2",
                self.path(instance)]
    try:
      runpy.run_module("ganeti_kvm_pci", run_name="__main__")
    except SystemExit as err:
      assert not err.code, "exit status %s" % err.code
    finally:
      sys.argv = before

  def _hotplug(self, instance, step, device_class, number):
    dev_type, make = _DEVICES[device_class]
    if step == "hot-add":
      extra = None
      if device_class == "disk":
        extra = harness.EXTRA if isinstance(harness.EXTRA, str) else (
          LINK % number, None)
      self.hyper.HotAddDevice(instance, dev_type, make(number), extra, number)
    else:
      assert step == "hot-remove", step
      self.hyper.HotDelDevice(instance, dev_type, make(number), None, number)

  def _devices(self, instance):
    """Tell the devices of the runtime file."""
    loaded = json.loads(self.hyper._ReadKVMRuntime(instance.name))
    entries = [("disk", entry[0]) for entry in (loaded + [[]])[3]]
    entries.extend(("nic", entry) for entry in loaded[1])
    lines = []
    for device_class, entry in entries:
      address = entry.get("hvinfo") or {}
      if entry.get("pci") is not None:
        address = {"pci": entry["pci"]}
      lines.append(" ".join(
        [device_class, entry.get("uuid") or entry["mac"]] +
        ["%s=%s" % item for item in sorted(address.items())]))
    return lines

  def neutral(self, text):
    """Take out of a text what another run has otherwise."""
    text = re.sub(re.escape(self.folder) + "(?=/)", RUN_DIR, text)
    return text
