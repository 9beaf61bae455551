"""The command that QEMU is started with is the golden file's, case by case.

C{UPDATE=1} writes the files of the Ganeti that is here (make golden).

"""

import difflib
import json
import os
import re

import pytest

from ganeti import constants
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import versions
from ganeti_kvm_pci.bus import pools
from ganeti_kvm_pci.errors import GanetiError

import case as case_
import form
import node

RELEASE = node.STATE
UPDATE = os.environ.get("UPDATE")

#: Parameters whose values differ from one Ganeti to another.
_VALUES = {"disk_type": constants.HT_KVM_VALID_DISK_TYPES,
           "nic_type": constants.HT_KVM_VALID_NIC_TYPES}


def _unknown():
  try:
    versions.check(constants, hv_kvm)
  except GanetiError as err:
    return str(err)
  return None


def _made(case, tmpdir, monkeypatch):
  """Return what the Ganeti that is here makes of a case, as text."""
  lines = []
  for which in ("unmodified", "plugin"):
    folder = str(tmpdir.mkdir(which))
    with monkeypatch.context() as patches:
      lines.append(node.Node(folder, patches, which).run_case(case))
  return form.side_by_side(*lines)


def _why_not(case):
  """Tell why a case cannot be had with the Ganeti that is here, or None."""
  known = constants.HVC_DEFAULTS[constants.HT_KVM]
  for name, value in sorted(case.hvparams_of(known).items()):
    if name not in known:
      return "Ganeti %s has no hypervisor parameter %s" % (RELEASE, name)
    if value not in _VALUES.get(name, [value]):
      return "Ganeti %s has no %s %s" % (RELEASE, name, value)
  if case.written_by > (constants.VERSION_MAJOR, constants.VERSION_MINOR):
    return "its runtime file is newer than Ganeti %s" % RELEASE
  return None


def _runtime_slots(text):
  """Read the slots of a runtime file.

  @return: dict, first group of a device's UUID to its slot

  """
  loaded = json.loads(text)
  found = {}
  for entry in [disk[0] for disk in (loaded + [[]])[3]] + loaded[1]:
    addr = (entry.get("hvinfo") or {}).get("addr")
    slot = int(addr, 16) if addr else entry.get("pci")
    if slot is not None:
      found[entry["uuid"].partition("-")[0]] = slot
  return found


def _given_slots(text):
  """Read the slots of disks and NICs in what QEMU is given by the plugin."""
  return dict((uuid, int(addr, 16)) for uuid, addr in re.findall(
    r"(?m)^[ +] -device (?=.*\bid=(?:hot)?(?:disk|nic)-(\w+))"
    r"(?=.*\baddr=(\w+))", text))


@pytest.mark.skipif(_unknown(), reason=_unknown() or "")
@pytest.mark.parametrize("name", case_.names())
def test_the_command_is_the_golden_one(name, tmpdir, monkeypatch):
  case = case_.Case(name)
  reason = _why_not(case)
  if reason:
    pytest.skip(reason)
  if RELEASE not in case_.releases() and not UPDATE:
    pytest.skip("there are no golden commands of Ganeti %s, only of %s: make"
                " golden writes them" % (RELEASE, ", ".join(case_.releases())))
  text = _made(case, tmpdir, monkeypatch)
  if case.same_as_unmodified:
    assert form.is_same(text), text
  if case.steps == ["upgrade", "accept"]:
    assert _given_slots(text) == _runtime_slots(case.runtime_text()), text
  files = case.golden()
  if UPDATE:
    case.write(form.update(files, RELEASE, text))
    return
  golden = form.resolve(files, RELEASE) or ""
  if golden != text:
    pytest.fail("%s: not what %s.cmd says (if it is meant: make golden)\n%s" % (
      os.path.relpath(case.folder, node.TOP), RELEASE, "".join(
        difflib.unified_diff(golden.splitlines(True), text.splitlines(True),
                             "golden", "now"))), pytrace=False)


@pytest.mark.skipif(_unknown(), reason=_unknown() or "")
def test_another_slot_in_the_pools_shows(tmpdir, monkeypatch):
  case = case_.Case("plain")
  before = _made(case, tmpdir.mkdir("before"), monkeypatch).splitlines()
  monkeypatch.setattr(pools, "NIC_SLOTS", pools.NIC_SLOTS - 1)
  after = _made(case, tmpdir.mkdir("after"), monkeypatch).splitlines()
  changed = [line for line in difflib.unified_diff(before, after, n=0)
             if re.match(r"[-+]\+ -device", line)]
  # both NICs are one slot further up, and no disk is
  assert [re.findall("(virtio-[a-z]+).*addr=(0x[0-9a-f]+)", line)[0]
          for line in changed] == [
            ("virtio-net", addr) for addr in ("0x18", "0x19", "0x19", "0x1a")]


@pytest.mark.parametrize("release", case_.releases())
def test_no_release_is_left_out_silently(release):
  if release != RELEASE:
    pytest.skip("Ganeti %s is not the one that is here (%s): GANETI_TREE names"
                " another" % (release, RELEASE))
