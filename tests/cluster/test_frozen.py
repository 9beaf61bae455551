"""Guests whose slots stay, by tags, from unmodified Ganeti on and back to it.

The guest's own view of its PCI addresses is compared after each step, and must
not change but for what the step asks for. One guest is not frozen, and moves as
C{plan} says: so this can fail.

C{make test} has three guests and one cold boot, C{make test-frozen} ten, and
the one that is not frozen, and two.

"""

import concurrent.futures
import json
import os
import time

import pytest

import cluster
import guest_view

from slots import on_pc
from test_rollout import given
from test_rollout import on_all
from test_rollout import package_is_on_all_nodes
from test_rollout import put_back # noqa: F401 (a fixture)
from test_rollout import step

pytestmark = [pytest.mark.two_nodes, on_pc]

TEN = bool(os.environ.get("FROZEN"))

#: Beside the balloon that Ganeti itself gives each guest.
EXTRA = "-device virtio-rng-pci -device qemu-xhci"

#: Name, number of disks and of NICs, hypervisor parameters.
LAYOUTS = [
  ("nics", 1, 3, {}),
  ("gaps", 2, 2, {"kvm_extra": EXTRA}),
  ("control", 2, 3, {}),
  ("pair", 2, 2, {}),
  ("six", 6, 1, {}),
  ("scsi", 3, 2, {"disk_type": "scsi-hd",
                  "scsi_controller_type": "virtio-scsi-pci"}),
  ("e1000", 1, 2, {"nic_type": "e1000"}),
  ("ide", 2, 2, {"disk_type": "ide"}),
  ("display", 2, 1, {"vnc_bind_address": "127.0.0.1", "vga": "cirrus",
                     "usb_mouse": "tablet"}),
  ("disks", 3, 1, {"kvm_extra": "-device virtio-rng-pci"}),
  ]
#: What Ganeti rounds sizes to, in MB.
_EXTENT = 4

Q35 = ("q35", 2, 3, {"machine_version": "q35"})


class Guest(object):
  """A guest, what it has, and where it last saw that.

  @ivar sizes: of its disks, in MB, no two alike
  @ivar view: see L{guest_view.read}
  @ivar boot: which boot that was

  """
  def __init__(self, label, disks, nics, hvparams):
    """Have Ganeti make it."""
    self.label = label
    self.vm = cluster.Instance("%s.gnt.test" % label)
    self.sizes = [1024 + _EXTENT * index for index in range(disks)]
    self._next = 1024 + _EXTENT * disks
    self._has_disks = hvparams.get("disk_type") != "ide"
    self.view = self.boot = None
    self.vm.add(disks=[{"size": "%dM" % size} for size in self.sizes],
                nics=nics, hvparams=hvparams, start=False)

  def macs(self):
    return [nic["mac"] for nic in self.vm.config()["nics"]]

  def look(self):
    """Return what has changed in its view."""
    before, last = self.view or {}, self.boot
    # the lab's guest has no driver for IDE
    disks = len(self.sizes) if self._has_disks else 0
    self.view, self.boot = guest_view.look(self.vm, disks, len(self.macs()))
    self.has_booted = self.boot != last
    return guest_view.changes(before, self.view)

  def shown(self):
    return guest_view.shown(self.view, self.sizes, self.macs())

  def _hotplugs(self, *options):
    output = self.vm.modify(*options).output
    assert output.count("hotplug:done") == len(options) // 2, output

  def hot_adds(self, disk=True, nic=True):
    options = []
    if disk:
      options += ["--disk", "add:size=%dM" % self._next]
      self.sizes.append(self._next)
      self._next += _EXTENT
    if nic:
      options += ["--net", "add:link=br0"]
    self._hotplugs(*options)

  def removes_first(self):
    self._hotplugs("--disk", "0:remove", "--net", "0:remove")
    del self.sizes[0]

  def removes_nic(self, index):
    """Remove a NIC; return what is to be seen of that."""
    key = "nic " + self.macs()[index]
    self._hotplugs("--net", "%d:remove" % index)
    return {key: (self.view[key], None)}

  def changes(self, moves):
    """Turn what C{plan} says moves into what L{look} returns."""
    keys = {"disk": ["disk %d" % size for size in self.sizes],
            "nic": ["nic " + mac for mac in self.macs()]}
    return {keys[move["class"]][move["index"]]:
            tuple("0000:00:%02x.0" % move[key] for key in ("old", "new"))
            for move in moves}


def asked(*words):
  """Run the command on the master.

  @return: what it says of each instance, by the label of its guest

  """
  result = cluster.on("node1", "ganeti-kvm-pci", *words, "--json")
  return {entry["instance"].split(".")[0]: entry
          for entry in json.loads(result.output)["instances"]}


def together(function, items):
  """Do it for all at the same time; return what comes of each."""
  with concurrent.futures.ThreadPoolExecutor(16) as pool:
    return list(pool.map(function, items))


def new_at(found, prefix, *places):
  """Check that devices were added, at these places.

  @return: the other changes

  """
  new = {key: after for key, (before, after) in found.items()
         if before is None and key.startswith(prefix)}
  assert sorted(map(guest_view.short, new.values())) == sorted(places), found
  return {key: change for key, change in found.items() if key not in new}


class Walk(object):
  """One way through all of it.

  @ivar guests: dict, label to L{Guest}

  """
  def __init__(self):
    self.guests = {}

  def add(self, layout):
    step("add %s" % layout[0])
    self.guests[layout[0]] = Guest(*layout)

  def look(self, title, expected=None, booted=False):
    """Look at all guests.

    @param expected: label to what may change there, or to a function that
        checks what changed and returns what was not to
    @param booted: whether they were to boot

    """
    guests = list(self.guests.values())
    found = dict(zip([guest.label for guest in guests],
                     together(Guest.look, guests)))
    step("seen by the guests: %s" % title)
    for guest in guests:
      print("  %-8s %s" % (guest.label, guest.shown()), flush=True)
    for guest in guests:
      wanted = (expected or {}).get(guest.label, {})
      if callable(wanted):
        assert wanted(found[guest.label]) == {}, (guest.label, found)
      elif wanted is not None:
        assert found[guest.label] == wanted, guest.label
      assert guest.has_booted == booted, guest.label

  def on_unmodified_ganeti(self):
    self._all("startup")
    together(Guest.look, self.guests.values())
    gaps = self.guests["gaps"]
    gaps.hot_adds()
    gaps.removes_first()
    # Ganeti gives this one the slot of the disk that was removed
    gaps.hot_adds(nic=False)
    self.look("unmodified Ganeti", {"gaps": None})
    # what frozen guests have is not what the plugin would give them
    for guest in self.guests.values():
      assert not any(key.startswith("nic") and int(address[8:10], 16) >= 24
                     for key, address in guest.view.items())

  def all_are_frozen(self):
    package_is_on_all_nodes()
    begun = time.monotonic()
    given("ganeti-kvm-pci freeze --all")
    print("freeze --all: %.1f s" % (time.monotonic() - begun))
    assert not any(entry["changed"] for entry in
                   asked("freeze", "--all").values())
    self._are_frozen(*self.guests)
    given("ganeti-kvm-pci thaw control.gnt.test")
    assert not asked("frozen")["control"]["tags"]
    if TEN:
      self.look("frozen")

  def _are_frozen(self, *labels):
    """Check the tags: each disk and NIC that has a slot or SCSI id."""
    found = asked("frozen")
    for guest in [self.guests[label] for label in labels]:
      wanted = len(guest.macs()) + (0 if guest.label == "ide" else
                                    len(guest.sizes))
      assert len(found[guest.label]["tags"]) == wanted, found

  def all_are_enabled(self):
    on_all(given("gnt-cluster command ganeti-kvm-pci enable --restart").output,
           "restarted, with the plugin")
    given("gnt-cluster modify -H kvm:kvm_pci_reservations=8")
    self.look("enabled, 8 reserved")

  def q35_joins(self):
    self.add(Q35)
    self.guests["q35"].vm.start()
    self.guests["q35"].look()
    given("ganeti-kvm-pci freeze q35.gnt.test")
    self._are_frozen("q35")

  def _all(self, command, *options):
    """Have one of C{gnt-instance}'s commands do something with all."""
    cluster.gnt("instance", command, "--force-multi", *options,
                *[guest.vm.name for guest in self.guests.values()])

  def cold_boot(self, title, **expected):
    """Have all boot; what is frozen stays, the other moves as planned."""
    plans = {label: entry["moves"] for label, entry in
             asked("plan", "--reservations", "8").items()}
    control = self.guests["control"].changes(plans.pop("control"))
    assert control and not any(plans.values()), plans
    assert len(plans) == len(self.guests) - 1
    self._all("shutdown", "--timeout=0")
    self._all("startup")
    self.look(title, dict(expected, control=control), booted=True)

  def hotplug(self):
    """Add devices, and remove NICs that others come after."""
    # of the two of "six", the first is removed below
    for label in ("nics", "pair", "six", "six", "q35"):
      if label in self.guests:
        self.guests[label].hot_adds(disk=label in ("nics", "pair"))
    self.look("hot-added", {
      "nics": lambda found: new_at(new_at(found, "disk", "16"), "nic", "24"),
      "pair": lambda found: new_at(new_at(found, "disk", "16"), "nic", "24"),
      "six": lambda found: new_at(found, "nic", "24", "25"),
      "q35": lambda found: new_at(found, "nic", "rp6"),
      })
    gone = {}
    for label, index in (("nics", 1), ("control", 1), ("six", 1), ("q35", 1)):
      if label in self.guests:
        gone[label] = self.guests[label].removes_nic(index)
    self.look("a NIC in the middle removed", gone)
    # tags for what was added, too; "nics" has one of a NIC that was removed
    again = [label for label in ("pair", "six", "q35") if label in self.guests]
    if again:
      given("ganeti-kvm-pci freeze " + " ".join(again))
      self._are_frozen(*again)

  def migrate(self):
    for target in ("node2", "node1"):
      # one after the other: each wants the locks of both nodes
      for guest in self.guests.values():
        if TEN or guest.label == "gaps":
          guest.vm.migrate(target)
          assert guest.vm.node() == target
      self.look("migrated to %s" % target)

  def all_are_disabled(self):
    given("gnt-cluster modify -H kvm:kvm_pci_reservations=12")
    output = given(
      "gnt-cluster command ganeti-kvm-pci disable --restart").output
    assert output.count("restarted, without the plugin") == len(cluster.NODES)
    self.look("disabled, 12 reserved")

  def remove(self):
    together(lambda guest: guest.vm.remove(), self.guests.values())


@pytest.fixture
def walk(put_back): # noqa: F811
  put_back("disable")
  made = Walk()
  try:
    yield made
  finally:
    made.remove()
  cluster.gnt("cluster", "command", "rm -rf /usr/local/lib/ganeti-kvm-pci"
              " /usr/local/sbin/ganeti-kvm-pci"
              " /usr/local/share/bash-completion/completions/ganeti-kvm-pci")


def test_what_is_frozen_stays_until_it_is_asked_to_move(walk):
  for layout in LAYOUTS if TEN else LAYOUTS[:3]:
    walk.add(layout)
  walk.on_unmodified_ganeti()
  walk.all_are_frozen()
  walk.all_are_enabled()
  if TEN:
    walk.q35_joins()
    walk.cold_boot("cold boot")
  walk.hotplug()
  walk.cold_boot("cold boot after hotplug")
  walk.migrate()
  walk.all_are_disabled()
