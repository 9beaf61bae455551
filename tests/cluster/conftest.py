"""Fixtures of the scenarios on a real cluster, which C{lab/up} brings up::

  lab/up /usr/bin/python3 -m pytest -p no:cacheprovider tests/cluster

Anywhere else they are skipped.

"""

import itertools
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, "lab"))

import cluster  # noqa: E402

HOW_TO_RUN = ("not in the lab; run: lab/up /usr/bin/python3 -m pytest"
              " -p no:cacheprovider tests/cluster")

#: Names in turn, so that what one test leaves does not meet the next
_names = itertools.cycle("vm%d.gnt.test" % n for n in range(1, 10))


def pytest_configure(config):
  config.addinivalue_line("markers", "two_nodes: needs a lab of two nodes")


def pytest_collection_modifyitems(items):
  for item in items:
    if not str(item.fspath).startswith(HERE + os.sep):
      continue
    if "LAB_NODE" not in os.environ:
      item.add_marker(pytest.mark.skip(reason=HOW_TO_RUN))
    elif item.get_closest_marker("two_nodes") and len(cluster.NODES) < 2:
      item.add_marker(pytest.mark.skip(reason="needs lab/up -n 2"))


class _Plugin(object):
  """Whether the plugin is on, so that it is switched in need only."""

  def __init__(self):
    self.on = None

  def switch(self, on):
    if self.on != on:
      self.on = None
      cluster.plugin("enable" if on else "disable")
      self.on = on


@pytest.fixture(scope="session")
def plugin_state():
  return _Plugin()


@pytest.fixture
def unmodified(plugin_state):
  """All nodes run Ganeti as it is."""
  plugin_state.switch(False)


@pytest.fixture
def plugged(plugin_state):
  """All nodes run Ganeti with the plugin."""
  plugin_state.switch(True)


@pytest.fixture
def plugin(plugin_state):
  """L{cluster.plugin}, for a test that switches nodes one by one."""
  plugin_state.on = None
  yield cluster.plugin
  plugin_state.on = None


def _instance():
  instance = cluster.Instance(next(_names))
  yield instance
  if instance.config():
    instance.remove()


@pytest.fixture
def vm():
  """An instance that does not exist yet and will not exist afterwards."""
  yield from _instance()


@pytest.fixture
def another_vm():
  """A second one."""
  yield from _instance()


@pytest.fixture
def installed():
  """The project's command is on each node, as C{freeze} needs it.

  @return: what runs it on the master, and returns its output

  """
  cluster.install_command()
  yield lambda *args: cluster.on("node1", "ganeti-kvm-pci", *args).output
  cluster.remove_command()


@pytest.fixture
def eight_reserved():
  """The cluster's C{kvm_pci_reservations} is 8."""
  cluster.gnt("cluster", "modify", "-H", "kvm:kvm_pci_reservations=8")
  yield
  cluster.gnt("cluster", "modify", "-H", "kvm:kvm_pci_reservations=12")


def _slots(instance):
  """Tell who sits where, in the runtime file and in the running QEMU.

  """
  lines = []
  (_, nics, _, disks) = instance.runtime()[:4]
  for (dev_type, devices) in [("disk", [disk[0] for disk in disks]),
                              ("nic", nics)]:
    for (index, device) in enumerate(devices):
      lines.append("runtime file: %s/%d: %s" %
                   (dev_type, index, device.get("hvinfo")))
  for device in instance.pci():
    lines.append("running %2d.%d: %s %s" %
                 (device["slot"], device["function"],
                  device["class_info"].get("desc", device["class_info"]),
                  device["qdev_id"]))
  return "\n".join(lines)


def _node_daemon_log(instance):
  return cluster.on(instance.node(), "tail", "-n", "40",
                    "/var/log/ganeti/node-daemon.log").output


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
  """Show with a failed test what its instances have to say.

  """
  report = (yield).get_result()
  if report.when == "teardown" or not report.failed:
    return
  for instance in getattr(item, "funcargs", {}).values():
    if not isinstance(instance, cluster.Instance):
      continue
    for (title, source) in [("slots", _slots),
                            ("QEMU's log", cluster.Instance.log),
                            ("node daemon's log", _node_daemon_log)]:
      try:
        text = source(instance)
      except Exception as err:  # pylint: disable=W0703
        text = "cannot be had: %s" % err
      report.sections.append(("%s: %s" % (instance.name, title), text[-6000:]))
