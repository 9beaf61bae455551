"""Tags of frozen instances, brought up to date."""

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import host
from ganeti_kvm_pci.bus import current_tags
from ganeti_kvm_pci.bus import frozen
from ganeti_kvm_pci.bus.pools import DISK
from ganeti_kvm_pci.bus.pools import NIC
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.node import turns

NAMES = {("disk", "0000d150"): "disk 0", ("nic", "000041c0"): "nic 0",
         ("nic", "000041c1"): "nic 1"}


def full(texts):
  return ["kvm-pci:" + text for text in texts.split()]


def updated(tags, now, others=None):
  return [tag[len("kvm-pci:"):] for tag in current_tags.updated(
    full(tags) + ["web"], current_tags.Layout(full(now), others))]


@pytest.mark.parametrize("tags, now, wanted", [
  # one that was added
  ("disk:0000d150:4", "disk:0000d150:4 nic:000041c0:24",
   "disk:0000d150:4 nic:000041c0:24"),
  # one that was removed
  ("disk:0000d150:4 nic:000041c0:24", "disk:0000d150:4",
   "disk:0000d150:4 nic:000041c0:24"),
  # another has its slot
  ("disk:0000d150:4 nic:000041c0:24", "disk:0000d150:4 nic:000041c1:24",
   "disk:0000d150:4 nic:000041c1:24"),
  # booted without the plugin, or written by hand
  ("disk:0000d150:4", "disk:0000d150:12", "disk:0000d150:4"),
  # it cannot have it
  ("disk:0000d150:4", "disk:0000d150:12 nic:000041c0:4",
   "disk:0000d150:12 nic:000041c0:4"),
  # the other machine type
  ("disk:0000d150:4", "disk:0000d150:rp11", "disk:0000d150:rp11"),
  # an update that has failed half-way
  ("disk:0000d150:4 disk:0000d150:12", "disk:0000d150:12", "disk:0000d150:12"),
  # two that want one
  ("disk:0000d150:4 nic:000041c0:4", "disk:0000d150:12 nic:000041c0:24",
   "disk:0000d150:4 nic:000041c0:24"),
  ("disk:0000d150:scsi3", "disk:0000d150:scsi4", "disk:0000d150:scsi3"),
  ("disk:0000d150:4 nic:x", "disk:0000d150:4", "disk:0000d150:4 nic:x")])
def test_nothing_is_given_up(tags, now, wanted):
  assert updated(tags, now) == wanted.split()
  assert updated(wanted, now) == wanted.split()


@pytest.mark.parametrize("now", [
  # a gap is closed: each has what was the next one's
  "disk:0000d150:12 disk:0000d151:13 nic:000041c0:14",
  # two have changed places
  "disk:0000d150:12 disk:0000d151:15 nic:000041c0:14"])
def test_a_boot_without_the_plugin_changes_nothing_for_good(now):
  """All can go back: none is in the way that stays there."""
  tags = "disk:0000d150:12 disk:0000d151:14 nic:000041c0:15"
  assert updated(tags, now) == tags.split()
  texts = current_tags.outdated(full(tags), current_tags.Layout(full(now)),
                                NAMES)
  assert texts and all(
    text.endswith(": it is to move there at the next cold boot") and
    not is_mended for text, is_mended in texts)


def test_one_that_has_no_tag_stays_and_so_does_what_goes_by_that():
  tags = "disk:0000d150:12 disk:0000d151:13"
  # the NIC has that of the first, and so the first that of the second
  now = "disk:0000d150:13 disk:0000d151:14 nic:000041c0:12"
  assert updated(tags, now) == now.split()


def test_qemus_own_devices_go_around_the_tags_again():
  """As after a boot without the plugin, which gives them slots 2 to 11."""
  others = {("slot", 4): "rng", ("slot", 5): "rng"}
  tags = "disk:0000d150:4 nic:000041c0:5"
  assert updated(tags, "disk:0000d150:12", others) == tags.split()
  ((text, is_mended), ) = current_tags.outdated(
    full(tags), current_tags.Layout(["kvm-pci:disk:0000d150:12"], others),
    NAMES)
  assert text.endswith(": it is to move there at the next cold boot, unless"
                       " rng stays there") and not is_mended


PLACES = st.tuples(st.sampled_from(["slot", "port", frozen.SCSI_ID]),
                   st.integers(0, 5))
TAGS = st.builds(lambda device, place: frozen.unparse(
  device[0], device[1], *place), st.tuples(
    st.sampled_from([DISK, NIC]),
    st.sampled_from(["0000000%d" % n for n in range(4)])), PLACES)


def place_of(tag):
  return (tag.unit, tag.number)


def device_of(tag):
  return (tag.device_class, tag.uuid)


@st.composite
def layouts(draw):
  """Tags, of which no two are for one device or one slot."""
  found = {}
  places = set()
  for text in draw(st.lists(TAGS, max_size=6)):
    tag = frozen.parse(text)
    if device_of(tag) not in found and place_of(tag) not in places:
      found[device_of(tag)] = text
      places.add(place_of(tag))
  return sorted(found.values())


@given(st.lists(TAGS, max_size=8), layouts(), st.sets(PLACES, max_size=3),
       st.randoms())
def test_whatever_happened(tags, now, others, chance):
  """No slot twice, no device twice that is there, and all of them are kept."""
  here = dict((device_of(frozen.parse(text)), frozen.parse(text))
              for text in now)
  others = dict((place, "rng") for place in others if place not in
                [place_of(tag) for tag in here.values()])
  layout = current_tags.Layout(now, others)
  found = current_tags.updated(tags, layout)
  parsed = [frozen.parse(text) for text in found]
  assert len(set(place_of(tag) for tag in parsed)) == len(parsed)
  for device, tag in here.items():
    (own, ) = [other for other in parsed if device_of(other) == device]
    assert own == tag or own.text in tags
    # what is to move has room where it goes
    if own != tag:
      assert not any(place_of(tag) == place_of(own) and tag.text in found
                     for tag in here.values())
  for text in set(tags) - set(found):
    tag = frozen.parse(text)
    # it is in the way, or its device has another
    assert device_of(tag) in here or \
      place_of(tag) in [place_of(other) for other in parsed]
  assert set(found) <= set(tags) | set(now)
  chance.shuffle(tags)
  assert current_tags.updated(tags, layout) == found
  assert current_tags.updated(found, layout) == found
  # what is up to date needs no remedy but freezing anew
  assert not any(is_mended for _, is_mended in current_tags.outdated(
    found, layout, {}))


@given(st.lists(TAGS, min_size=1, max_size=8), layouts())
def test_what_an_update_would_change_is_found(tags, now):
  layout = current_tags.Layout(now)
  own = [frozen.parse(text) for text in tags]
  gone = [place_of(tag) for tag in set(own) if device_of(tag) not in layout.here]
  wanted = current_tags.updated(tags, layout)
  if set(wanted) - set(tags) or len(set(gone)) == len(gone) and \
      any(device_of(frozen.parse(text)) not in layout.here
          for text in set(tags) - set(wanted)):
    assert any(is_mended for _, is_mended in current_tags.outdated(
      tags, layout, {}))


@pytest.mark.parametrize("tags, now, words", [
  ("disk:0000d150:4", "disk:0000d150:4 nic:000041c0:24",
   "nic 0 (000041c0) has no tag: slot 24 is not kept for it"),
  ("disk:0000d150:4", "disk:0000d150:12",
   "disk 0 (0000d150) has slot 12, not slot 4 of its tag"
   " kvm-pci:disk:0000d150:4: it is to move there at the next cold boot"),
  ("disk:0000d150:4", "disk:0000d150:12 nic:000041c0:4",
   "disk 0 (0000d150) has slot 12, not slot 4 of its tag"
   " kvm-pci:disk:0000d150:4: it cannot, nic 000041c0 has that"),
  ("disk:0000d150:4 nic:000041c0:24", "disk:0000d150:4 nic:000041c1:24",
   "the tag kvm-pci:nic:000041c0:24 is of a device that is not there, and"
   " another has slot 24"),
  ("disk:0000d150:4 disk:0000d150:12", "disk:0000d150:12",
   "disk 0 (0000d150) has the tags kvm-pci:disk:0000d150:12 and"
   " kvm-pci:disk:0000d150:4: two mean nothing"),
  ("nic:x", "disk:0000d150:12",
   "the tag kvm-pci:nic:x means nothing: it is not of the form"
   " kvm-pci:disk|nic:UUID8:SLOT")])
def test_what_is_out_of_date_is_said(tags, now, words):
  assert words in [text for text, _ in current_tags.outdated(
    full(tags), current_tags.Layout(full(now)), NAMES)]


@pytest.mark.parametrize("tags, now", [
  ("", "disk:0000d150:4"), ("disk:0000d150:4", "disk:0000d150:4"),
  ("disk:0000d150:4 nic:000041c0:24", "disk:0000d150:4")])
def test_of_one_that_is_up_to_date_or_not_frozen_nothing_is_said(tags, now):
  assert current_tags.outdated(full(tags) + ["web"], current_tags.Layout(
    full(now)), NAMES) == []


TURN = """
import os, sys, time
from ganeti import pathutils
from ganeti_kvm_pci.node import turns
pathutils.RUN_DIR = sys.argv[1]
with turns.turn("vm1") as is_mine:
  with open(sys.argv[1] + "/log", "a") as log:
    log.write("%s begins %s\\n" % (sys.argv[2], is_mine))
  if is_mine:
    until = time.time() + 60
    while os.path.exists(sys.argv[3]) and time.time() < until:
      time.sleep(0.01)
    with open(sys.argv[1] + "/log", "a") as log:
      log.write("%s ends\\n" % sys.argv[2])
"""


def test_one_works_one_waits_and_others_need_not(tmpdir):
  log = tmpdir.join("log")

  def start(name, works_while=""):
    return subprocess.Popen(
      [sys.executable, "-c", TURN, str(tmpdir), name, works_while],
      env=dict(os.environ, PYTHONPATH=os.pathsep.join([host.compiled(),
                                                       host.STUB]),
               PYTHONDONTWRITEBYTECODE="1", STUB_ROOT=str(tmpdir)))

  def read(path):
    with open(path) as stream:
      return stream.read()

  def wait(path, text):
    before = time.time()
    while not os.path.exists(path) or text not in read(path):
      assert time.time() - before < 30
      time.sleep(0.05)

  working = tmpdir.ensure("working")
  first = start("first", str(working))
  wait(str(log), "first begins True")
  second = start("second")
  # the kernel's list of who waits for a lock
  wait("/proc/locks", "-> FLOCK  ADVISORY  WRITE %d " % second.pid)
  third = start("third")
  assert third.wait() == 0
  working.remove()
  for process in (first, second):
    assert process.wait() == 0
  assert log.read().splitlines() == [
    "first begins True", "third begins False", "first ends",
    "second begins True", "second ends"]


def test_a_foreign_folder_or_link_gets_no_locks(tmpdir, monkeypatch):
  """Ganeti's daemons may write to the folder above."""
  monkeypatch.setitem(sys.modules, "ganeti", type("ganeti", (), {
    "pathutils": type("pathutils", (), {"RUN_DIR": str(tmpdir)})}))
  folder = tmpdir.join("kvm-pci-tags")
  target = tmpdir.ensure("target", dir=True)
  folder.mksymlinkto(target)
  with pytest.raises(NodeError) as caught:
    with turns.all_turns(["vm1"], 0):
      pass
  assert "cannot lock the tags of instances: " in str(caught.value)
  folder.remove()
  with turns.all_turns(["vm1"], 0) as busy:
    assert busy == set() and folder.stat().mode & 0o777 == 0o700
  folder.join("vm2.working").mksymlinkto(target.join("made"))
  with pytest.raises(NodeError):
    with turns.all_turns(["vm1", "vm2"], 0):
      pass
  assert target.listdir() == []


def test_there_is_room_for_the_locks_of_many_instances(tmpdir):
  """More than the files that a shell allows."""
  code = """
import resource, sys
from ganeti_kvm_pci.node import turns
turns._folder = lambda: sys.argv[1]
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
with turns.all_turns(["vm%d" % number for number in range(100)], 0) as busy:
  assert not busy
  with turns.turn("other"):
    pass
"""
  subprocess.check_call([sys.executable, "-c", code, str(tmpdir)], env=dict(
    os.environ, PYTHONPATH=host.compiled(), PYTHONDONTWRITEBYTECODE="1"))
