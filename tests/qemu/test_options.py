"""Whatever QEMU takes for a -device option, it takes with an address written in.

The options are made from a grammar, by a seed (OPTIONS_SEED, OPTIONS_COUNT);
each that QEMU takes by itself must land where it is told to, and be the same
device.

"""

import json
import os
import random

import pytest

from conftest import version

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.qemu import command
from ganeti_kvm_pci.qemu import replies
from ganeti_kvm_pci.qmp import client
from ganeti_kvm_pci.qmp import queries

SEED = int(os.environ.get("OPTIONS_SEED", "20261125"))
COUNT = int(os.environ.get("OPTIONS_COUNT", "120"))

#: As many options as one QEMU is started with, at the slots from 8 up.
_AT_ONCE = 20
_FIRST = 8

#: What the devices are compared by.
_WATCHED = ("serial", "ioeventfd", "event_idx", "multifunction", "drive",
            "max-bytes", "period", "rombar", "mac", "netdev")

_BOOLS = ("ioeventfd", "event_idx", "multifunction", "rombar")
_TEXTS = ("a", "x y", "a,b", ",", "a,", ",a", "a,,b", "'q'", '"q"', "{", "=",
          "a=b", "addr=0x3", "bus=pci.0", "driver=e1000", "id=q", "", "n\\x")

#: Seen, or close to it.
_KNOWN = [
  "virtio-rng-pci,", "driver=virtio-rng-pci", "id=k1,driver=virtio-rng-pci,",
  "nonsense,driver=virtio-rng-pci", "virtio-rng-pci,id=k2,id=k3",
  "virtio-rng-pci,ioeventfd", "virtio-rng-pci,noioeventfd,",
  "virtio-rng-pci,id", "virtio-rng-pci,noid,id=k4",
  "virtio-rng-pci,bus=pci.0,", "bus=pci.0,ioeventfd,driver=virtio-rng-pci",
  "bus=pci.0,noevent_idx,driver=virtio-rng-pci,ioeventfd",
  "virtio-rng-pci,bus=/i440FX-pcihost/pci.0", "virtio-rng-pci,bus=pci.0/",
  "virtio-rng-pci,addr=0x7", "virtio-rng-pci,addr= +6,bus=/i440FX-pcihost",
  "addr=5,ioeventfd,driver=virtio-rng-pci", "virtio-rng-pci,addr=0x3,addr=4",
  ]
_KNOWN_JSON = [
  "{'driver':'virtio-rng-pci'}", '{ "driver" : "virtio-rng-pci" } ',
  "{\"driver\":'virtio-rng-pci','id':\"k\\u0035\",\"ioeventfd\":false}",
  '{"driver":"virtio-rng-pci","bus":"pci.0"}',
  '{"driver":"virtio-rng-pci","addr":24,"max-bytes":9007199254740993}',
  ]


class Writer(object):
  """Writes one option after the other."""

  def __init__(self, seed):
    self.random = random.Random(seed)
    self.number = 0

  def some(self, things):
    return self.random.choice(things)

  def pairs(self):
    """Choose a device and its keys."""
    self.number += 1
    driver = self.some(["virtio-rng-pci", "virtio-rng", "virtio-balloon-pci",
                        "virtio-blk-pci", "e1000", "virtio-serial"])
    found = []
    for key in self.random.sample(_BOOLS, self.random.randint(0, 3)):
      found.append((key, self.some([True, False])))
    if driver == "virtio-blk-pci":
      found.append(("drive", "drive%d" % self.number))
      found.append(("serial", self.some(_TEXTS)))
    if driver.startswith("virtio-rng"):
      found.append(("max-bytes", self.some([1, 4096, 1 << 62])))
    if driver == "e1000":
      found.append(("mac", "52:54:00:00:%02x:01" % (self.number % 256)))
    if self.random.random() < .5:
      found.append(("id", "%s%d" % (self.some(["i", "o-", "v."]), self.number)))
    place = self.random.random()
    if place < .2:
      found.append(("addr", self.some(["0x7", "6", "5.0", " 0x4"])))
    if .1 < place < .3:
      found.append(("bus", self.some(["pci.0", "/i440FX-pcihost/pci.0"])))
    self.random.shuffle(found)
    return (driver, found)

  def in_words(self):
    driver, pairs = self.pairs()
    words = []
    for key, value in pairs:
      if isinstance(value, bool):
        flag = self.some(["%s", "no%s"])
        written = (flag % key if self.random.random() < .5 and
                   (flag == "%s") == value else
                   "%s=%s" % (key, "on" if value else "off"))
      else:
        written = "%s=%s" % (key, str(value).replace(",", ",,"))
      words.append(written)
    if self.random.random() < .3:
      words.insert(self.random.randint(0, len(words)), "driver=" + driver)
      if "=" not in words[0]:
        words.insert(0, "nonsense")
    else:
      words.insert(0, driver)
    return ",".join(words) + self.some(["", "", ","])

  def text(self, value):
    """Write a text in JSON."""
    written = json.dumps(value)
    if self.random.random() < .5:
      inside = written[1:-1].replace('\\"', '"').replace("'", "\\'")
      written = "'%s'" % inside
    return written

  def in_json(self):
    driver, pairs = self.pairs()
    pairs.insert(self.random.randint(0, len(pairs)), ("driver", driver))
    blank = self.some(["", "", " ", "\n"])
    words = []
    for key, value in pairs:
      if key == "rombar":
        value = int(value)
      words.append("%s%s:%s%s" % (
        self.text(key), blank, blank, self.text(value)
        if hasattr(value, "split") else json.dumps(value)))
    return "{%s}" % (blank + "," + blank).join(words) + blank

  def option(self):
    takes_json = version() >= (6, 2)
    return self.in_json() if takes_json and self.number % 3 == 0 else \
      self.in_words()


def drives(texts):
  """Give each disk the drive that it names."""
  found = []
  for text in texts:
    name = command.keys_of(text).get("drive")
    if name:
      found += ["-drive", "if=none,id=%s,format=raw,file.driver=null-co,"
                "file.size=1048576" % name]
  return found


def start(qemu, texts):
  words = drives(texts)
  for text in texts:
    words += ["-device", text]
  return qemu.start(*(["-vga", "none", "-nic", "none"] + words))


def described(path):
  """Tell of each device what it was given: those with id, and by age.

  @return: list of (slot or None, type, id, properties)

  """
  found = []
  with client.connect(path) as execute:
    for folder in (replies.WITH_ID, replies.WITHOUT_ID):
      for name, driver in replies.children(execute("qom-list", {"path": folder})):
        where = "%s/%s" % (folder, name)
        has = set(item["name"] for item in execute("qom-list",
                                                   {"path": where}))
        told = dict((key, execute("qom-get", {"path": where, "property": key}))
                    for key in _WATCHED if key in has)
        bus, addr = [execute("qom-get", {"path": where, "property": key})
                     for key in ("parent_bus", "addr")]
        found.append((replies.address_of(bus, addr, Partition()), driver,
                      name if folder == replies.WITH_ID else None, told))
    # QEMU itself tells of the same slots
    assert set(place[0] for place, _, _, _ in found) <= set(
      f.slot for f in queries.functions(execute, Partition()))
  return found


def check(qemu, texts):
  """Start QEMU with what it takes, then with addresses written in."""
  path = start(qemu, texts)
  if path is None: # not each of them, or not together
    half = len(texts) // 2
    return check(qemu, texts[:half]) + check(qemu, texts[half:]) if half else 0
  before = described(path)
  words = ["q"]
  for text in texts:
    words += ["-device", text]
  for number in range(len(texts)):
    words = command.with_address(words, 2 + 2 * number, _FIRST + number)
  placed = words[2::2]
  path = start(qemu, placed)
  assert path, (texts, qemu.output)
  after = described(path)
  assert [device[1:] for device in after] == [device[1:] for device in before]
  # and where it is told; what is read there is what QEMU has
  expected = dict((o.id, o.address) for o in command.devices(words) if o.id)
  assert len(set(expected.values())) == len(expected)
  assert dict((name, place) for place, _, name, _ in after if name) == expected
  assert [place for place, _, name, _ in after if not name] == [
    o.address for o in command.devices(words) if not o.id]
  assert sorted(place[0] for place, _, _, _ in after) == list(
    range(_FIRST, _FIRST + len(texts)))
  # read before: where QEMU puts it without our help, if the option says so
  for found in command.devices(["q"] + [
      word for text in texts for word in ("-device", text)]):
    if found.address and found.id:
      assert found.address in [place for place, _, name, _ in before
                               if name == found.id], texts[found.position // 2]
  qemu.stop()
  return len(texts)


def alone(texts):
  """Part what names the same address, or id, twice."""
  rest, taken = [], set()
  for text in texts:
    found, = command.devices(["q", "-device", text])
    marks = set(mark for mark in (found.id, found.address) if mark)
    if marks & taken:
      continue
    taken |= marks
    rest.append(text)
  return rest


@pytest.mark.parametrize("texts", [
  _KNOWN, pytest.param(_KNOWN_JSON, marks=pytest.mark.skipif(
    version() < (6, 2), reason="QEMU takes no JSON before 6.2"))],
                         ids=["words", "JSON"])
def test_what_was_seen(qemu, texts):
  for text in texts:
    assert check(qemu, [text]) == 1, (text, qemu.output)


def test_a_random_option(qemu):
  writer = Writer(SEED)
  taken = 0
  for _ in range(0, COUNT, _AT_ONCE):
    taken += check(qemu, alone([writer.option() for _ in range(_AT_ONCE)]))
  print("QEMU takes %d of %d" % (taken, COUNT))
  assert taken > COUNT // 2, "QEMU takes %d of %d" % (taken, COUNT)
