"""What releases wrote is read by this one.

C{tools/keep-samples} keeps it, release by release. C{KEPT_SAMPLES} in the
environment is another folder of such: C{tools/test-releases} has the previous
release read what this one writes, by its own copy of this file.

"""

import glob
import io
import json
import os
import shutil

import pytest

from ganeti_kvm_pci import clock
from ganeti_kvm_pci import cooldown
from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci import kept_answers
from ganeti_kvm_pci import pending_unplugs
from ganeti_kvm_pci import process
from ganeti_kvm_pci.bus import frozen
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.runtime import consistency
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import topology_file
from ganeti_kvm_pci.runtime import unplug_request
from ganeti_kvm_pci.runtime import upgrade

from genuine import DATA

FOLDER = os.environ.get("KEPT_SAMPLES") or os.path.join(DATA, "releases")

#: Release and case of each, e.g. "0.1.0/pc".
SAMPLES = sorted(os.path.relpath(path, FOLDER)[:-len(".runtime")] for path in
                 glob.glob(os.path.join(FOLDER, "*", "*.runtime")))


def text_of(sample, suffix):
  with io.open(os.path.join(FOLDER, sample + suffix),
               encoding="utf-8") as stream:
    return stream.read()


def data_of(sample, suffix):
  return json.loads(text_of(sample, suffix))


@pytest.fixture(params=SAMPLES)
def sample(request):
  return request.param


@pytest.fixture
def beside(sample, tmpdir):
  """Put a sample of what lies beside a runtime file where it belongs.

  @return: function, which is told the suffix, and returns the runtime file

  """
  def put(suffix, name=None):
    conf = tmpdir.mkdir("conf")
    runtime = str(conf.join("vm1.runtime"))
    path = str(tmpdir.mkdir("kvm-pci").join(name)) if name else \
      instance_lock.beside(runtime, suffix)
    if not name:
      os.mkdir(os.path.dirname(path))
    shutil.copy(os.path.join(FOLDER, sample + suffix), path)
    os.chmod(path, 0o600)
    return path if name else runtime
  return put


def test_there_are_samples_of_this_release():
  import ganeti_kvm_pci
  assert os.environ.get("KEPT_SAMPLES") or [
    name for name in SAMPLES
    if name.startswith(ganeti_kvm_pci.__version__ + "/")]


def test_a_runtime_file(sample):
  loaded = serialized.parse(text_of(sample, ".runtime"), sample)
  assert upgrade.normalise(loaded, (3, 0)) == []
  table = device_table.DeviceTable(loaded)
  expected = data_of(sample, ".expected")
  assert {name: sorted(table.slots(device_class)) for name, device_class in
          (("disks", DISK), ("nics", NIC))} == {
            name: expected[name] for name in ("disks", "nics")}
  assert consistency.findings(table) == []


def test_what_travels(sample):
  loaded = serialized.parse(text_of(sample, ".sent"), sample)
  report = loaded.source_report
  told = topology_file.read(report, topology_file.source_of(report), sample)
  assert told.differences(told.parts, told.vcpus, told.board) == []
  ids = set(part.id for part in told.parts)
  for entry in [disk[0] for disk in loaded.disks] + loaded.nics:
    assert entry["hvinfo"]["id"] in ids
  assert sorted(unplug_request.of_data(report[unplug_request.FIELD], sample)) \
    == data_of(sample, ".expected")["requested"]
  # a guest of another topology is told from it
  assert told.differences(told.parts[1:], told.vcpus, told.board)


def test_what_guests_were_asked_for(sample, beside, monkeypatch):
  identity = data_of(sample, ".pending")["qemu"]
  monkeypatch.setattr(process, "identity", lambda _: identity)
  pending = pending_unplugs.Pending(beside(".pending"), 1)
  assert sorted(pending.requests()) == data_of(sample, ".expected")["requested"]


def test_slots_that_rest(sample, beside, monkeypatch):
  times = data_of(sample, ".vacated")
  last = max(since for since, _ in times.values())
  monkeypatch.setattr(clock, "monotonic", lambda: last + 0.1)
  path = cooldown.path_for(beside(".vacated"))
  slept = []
  monkeypatch.setattr(cooldown.time, "sleep", slept.append)
  for slot, (since, rest) in times.items():
    if since == last:
      cooldown.wait(path, int(slot), lambda: None)
      assert abs(slept.pop() - (rest - 0.1)) < 0.01


def test_a_programs_answers(sample, beside):
  written = data_of(sample, ".answers")
  found = kept_answers.read(beside(".answers", "qemu-1.answers"),
                            written["of"])
  assert found and found == written["answers"]


def test_tags(sample):
  texts = data_of(sample, ".tags")
  tags = [frozen.parse(text) for text in texts]
  assert None not in tags
  assert [frozen.unparse(tag.device_class, tag.uuid, tag.unit, tag.number)
          for tag in tags] == texts
  slots = data_of(sample, ".expected")
  assert sorted(tag.number for tag in tags) == sorted(slots["disks"] +
                                                      slots["nics"])
