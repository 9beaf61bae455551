"""C{migration_caps} beside the capability that the plugin sets by itself.

A migration fails, and the next one begins with what QEMU had before the first.

"""

import os
import signal
import time

import pytest

from ganeti import constants
from ganeti import errors

from ganeti_kvm_pci import qemu_version

from moving import ended, pair # pylint: disable=unused-import
from qemu_state import tell
from test_migration import HERE, is_plugin
import nodes

pytestmark = pytest.mark.skipif(
  not hasattr(constants, "HV_KVM_MIGRATION_CAPS"),
  reason="this Ganeti has no migration_caps")

#: QEMU 8.1 and later take these before they listen alone, and Ganeti sets them
#: after that.
_EARLY = ("multifd", "postcopy-ram")

_IS_EARLY = (qemu_version.version(nodes.QEMU) or (0, 0)) >= (8, 1)

#: In seconds.
_PATIENCE = 120

CAPS = ["xbzrle", "auto-converge", "multifd", "postcopy-ram", "return-path",
        "xbzrle:auto-converge", "postcopy-ram:xbzrle:auto-converge",
        "multifd:auto-converge:return-path"]


def capabilities(node):
  """List what is switched on in QEMU."""
  return sorted(cap["capability"] for cap in
                tell(node, "query-migrate-capabilities") if cap["state"])


def follow(pair):
  """Ask as Ganeti's master does, which switches to postcopy as well."""
  deadline = time.time() + _PATIENCE
  while time.time() < deadline:
    found = pair.source.hyper.GetMigrationStatus(pair.source.instance).status
    if found not in constants.HV_KVM_MIGRATION_ACTIVE_STATUSES:
      return found
    time.sleep(0.05)
  raise AssertionError("the migration does not end")


def send(pair):
  pair.source.hyper.MigrateInstance("cluster", pair.source.instance, HERE, True)


@pytest.mark.parametrize("caps", CAPS)
@pytest.mark.parametrize("pair", ["plugin", "unmodified"], indirect=True)
def test_a_failed_migration_leaves_no_capability(pair, guest, caps):
  pair.start(guest, migration_caps=caps)
  before = capabilities(pair.source)
  # the target's QEMU dies while it waits
  if _IS_EARLY and set(caps.split(":")) & set(_EARLY):
    with pytest.raises(errors.HypervisorError) as caught:
      pair.accept()
    print(caught.value)
    assert "before incoming starts" in str(caught.value)
    pair.finalize(pair.told(), False)
    ended(pair.target)
    pair.is_alone(pair.source)
    assert capabilities(pair.source) == before
    return
  info = pair.accept()
  os.kill(pair.target.pid(), signal.SIGKILL)
  ended(pair.target)
  try:
    send(pair)
    assert follow(pair) in constants.HV_MIGRATION_FAILED_STATUSES
  except errors.HypervisorError as err: # nobody listens
    print(err)
  pair.finalize(info, False)
  assert capabilities(pair.source) == before
  # then while it is copied
  info = pair.accept()
  pair.send_slowly()
  on = capabilities(pair.source)
  assert set(caps.split(":")) <= set(on)
  assert "return-path" in on or not is_plugin(pair.source)
  os.kill(pair.target.pid(), signal.SIGKILL)
  assert pair.wait() == "failed"
  pair.finalize(info, False)
  assert capabilities(pair.source) == before
  if is_plugin(pair.source):
    pair.is_alone(pair.source)
  # and at last it moves
  pair.source.instance.hvparams.update(migration_bandwidth=1024,
                                       migration_downtime=10000)
  info = pair.accept()
  send(pair)
  assert follow(pair) == "completed"
  pair.finalize(info, True)
  assert capabilities(pair.target) == before
  if is_plugin(pair.source):
    pair.is_right(pair.target)


@pytest.mark.parametrize("caps", ["xbzrle:no-such-capability",
                                  "multifd:postcopy-ram"])
def test_what_qemu_refuses_costs_no_guest(pair, guest, caps):
  """It has no such capability, or does not take both together."""
  pair.start(guest, migration_caps=caps)
  before = capabilities(pair.source)
  info = pair.told()
  for _ in range(2):
    with pytest.raises(errors.HypervisorError) as caught:
      pair.target.hyper.AcceptInstance(pair.target.instance, info, HERE)
    print(caught.value)
    pair.finalize(info, False)
    ended(pair.target)
    pair.is_alone(pair.source)
    assert capabilities(pair.source) == before
  # without, it moves
  for node in (pair.source, pair.target):
    node.instance.hvparams["migration_caps"] = ""
  info = pair.accept()
  send(pair)
  assert follow(pair) == "completed"
  pair.finalize(info, True)
  pair.is_alone(pair.target)
