"""QEMU's monitor is everybody's, also while a guest takes its time.

"""

import os
import select
import socket
import time

import pytest

from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import pending_unplugs
from ganeti_kvm_pci.qmp import client
from ganeti_kvm_pci.qmp import unplug

from qemu_state import Inventory, runtime_devices
from line_socket import Socket
from nodes import NIC
import child_processes
import nodes

pytestmark = pytest.mark.parametrize("which", ["plugin"], indirect=True)

#: Seconds that the guest gets, more than a busy host needs for those who ask
#: QEMU meanwhile; and how many these are.
LIMIT = 120
CLIENTS = 10


def alive(child):
  """Tell whether a child has not said yet what came of it."""
  return not select.select([child[1]], [], [], 0)[0]


def ask(path):
  """Ask as Ganeti's client does, with its own words and patience."""
  qmp = hv_kvm.QmpConnection(path)
  qmp.connect()
  try:
    return (getattr(qmp, "execute_qmp", None) or qmp.Execute)("query-status")
  finally:
    client.hang_up(qmp)


def test_others_get_answers_while_a_nics_script_runs(node, monkeypatch):
  """Ganeti runs kvm-ifup in the midst of a hot-add; it may take long."""
  node.start(paused=True)
  path = node.hyper._InstanceQmpMonitor(node.instance.name)
  answers = []
  monkeypatch.setattr(type(node.hyper), "_ConfigureNIC", staticmethod(
    lambda *_: answers.append(ask(path))))
  node.hot_add(NIC, 2, 2)
  assert len(answers) == 1 and answers[0]
  assert node.agreed_slots()[1][-1] == nodes.pools()[NIC][2]


def test_others_get_answers_while_an_unplug_waits(node, monkeypatch):
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", str(LIMIT))
  # nobody is there to answer
  node.start(paused=True)
  path = node.hyper._InstanceQmpMonitor(node.instance.name)
  served = os.path.join(node.folder, "served")

  def remove():
    # for it, the time is over once they were served
    plain = unplug.clock.monotonic
    unplug.clock.monotonic = lambda: plain() + LIMIT * os.path.exists(served)
    node.hot_del(NIC, 1, 1)

  waiting = child_processes.start(remove)
  answers = []
  try:
    nodes.wait_until(lambda: not alive(waiting) or os.path.exists(
      pending_unplugs.path_for(node.hyper._InstanceKVMRuntime(nodes.NAME))),
                     "the guest was asked")
    while alive(waiting) and len(answers) < CLIENTS:
      assert ask(path)
      if alive(waiting):
        answers.append(time.time())
    # two more at once beside it: one may be served, the other queues
    while alive(waiting) and len(answers) == CLIENTS:
      both = [Socket(path, LIMIT) for _ in range(2)]
      for each in both:
        assert "QMP" in each.line()
        each.sock.close()
      answers.append(time.time())
  finally:
    with open(served, "w"):
      pass
    said = child_processes.end(waiting)
  assert "%g s" % LIMIT in said
  assert len(answers) > CLIENTS
  assert len(Inventory(node).devices) == len(runtime_devices(node)) == 4


def test_a_query_is_repeated_while_the_monitor_is_busy(node, monkeypatch):
  """As many queue as QEMU lets; then the guest is reset, which unplugs."""
  node.start(paused=True)
  path = node.hyper._InstanceQmpMonitor(node.instance.name)
  device_id = sorted(runtime_devices(node))[0]
  crowd = []
  watch = node.watch()
  looks = []

  def connect():
    looks.append(time.time())
    if len(looks) == 2:
      # who is served holds it, and the others queue
      while True:
        each = socket.socket(socket.AF_UNIX)
        each.setblocking(False)
        try:
          each.connect(path)
        except EnvironmentError:
          break
        crowd.append(each)
      watch.execute("system_reset")
      watch.execute("cont")
    elif len(looks) == 3:
      while crowd:
        crowd.pop().close()
    return client.connect(path)

  monkeypatch.setattr(client, "_QUEUE_LIMIT", 0.2)
  # Ganeti's own; the second name is that of 3.1 and later
  for name in ("_SOCKET_TIMEOUT", "_QMP_TIMEOUT"):
    if hasattr(hv_kvm.QmpConnection, name):
      monkeypatch.setattr(hv_kvm.QmpConnection, name, 5)
  assert unplug.unplug(connect, device_id, 60)
  assert len(looks) >= 3
  watch.sock.close()
  assert device_id not in Inventory(node).devices
