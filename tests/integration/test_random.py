"""A long random run on a live QEMU with a booted guest.

C{RANDOM_STEPS} and C{RANDOM_SEED} in the environment say how long and which
one; what fails names its seed and step, and the same two repeat it up to the
guest's own pace. What is done is in L{random_run}.

"""

import os
import sys
import time

import pytest

from ganeti.hypervisor import hv_kvm

import random_run
from line_socket import Socket
import nodes

STEPS = int(os.environ.get("RANDOM_STEPS", "120"))
SEED = int(os.environ.get("RANDOM_SEED", "20140"))


@pytest.fixture(autouse=True)
def unhastened():
  """Take back what L{killable.hasten} does to Ganeti's client for good."""
  before = dict(vars(hv_kvm.QmpConnection))
  yield
  name = "HasDynamicAutoReadOnly"
  if name in before:
    setattr(hv_kvm.QmpConnection, name, before[name])
  elif hasattr(hv_kvm.QmpConnection, name):
    delattr(hv_kvm.QmpConnection, name)


@pytest.mark.parametrize("which", ["plugin"], indirect=True)
def test_runtime_file_and_qemu_agree_after_each_operation(node, guest, capsys):
  node.start(kvm_pci_reservations=8, **nodes.boot(guest))
  node.wait_for_guest()
  # its reports take time that it could be answering in
  serial = Socket(node.hyper._InstanceSerial(node.instance.name))
  serial.sock.sendall(b"\nsleep 1000000\n")
  run = random_run.Run(node, SEED)
  started = time.time()
  try:
    for number in range(1, STEPS + 1):
      try:
        run.step()
      except Exception:
        print("\n".join(run.log[-60:]))
        print("RANDOM_SEED=%d RANDOM_STEPS=%d: failed at step %d" %
              (SEED, STEPS, number))
        raise
      if not number % 500:
        with capsys.disabled():
          print("\n%d: %s" % (number, run.summary()))
          sys.stdout.flush()
    run.finish()
  finally:
    with capsys.disabled():
      print("\nseed %d, %.0f s: %s" % (SEED, time.time() - started,
                                       run.summary()))
  if STEPS >= 500:
    assert all(run.counts[name] for name in random_run.NAMES)
