"""C{security_model} C{pool}, C{use_chroot}, and a migration that fails.

The user and the folder are there for one QEMU each, and free again on both
nodes afterwards.

"""

import os
import pwd
import signal

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from moving import Pair, ended
from test_migration import HERE, spoil
import nodes

#: Users that any Debian has, and that own no process here.
_USERS = ["games", "news", "uucp", "lp"]


class _Config(object):
  """What Ganeti's nodes know of the cluster."""

  @staticmethod
  def GetUidPool():
    return ["%d-%d" % (uid, uid) for uid in uids()]


def uids():
  return [pwd.getpwnam(name).pw_uid for name in _USERS]


@pytest.fixture
def pair(request, tmpdir, monkeypatch):
  side = getattr(request, "param", "plugin")
  if nodes.unfit(side):
    pytest.skip(nodes.unfit(side))
  monkeypatch.setattr(hv_kvm.uidpool.pathutils, "UIDPOOL_LOCKDIR",
                      str(tmpdir.mkdir("locks")))
  monkeypatch.setattr(hv_kvm.ssconf, "SimpleStore", _Config)
  monkeypatch.setattr(hv_kvm.uidpool, "ParseUidPool",
                      lambda *_, **__: [(uid, uid) for uid in uids()])
  # who QEMU runs as goes through pytest's own folders
  path = str(tmpdir)
  while path != "/":
    os.chmod(path, os.stat(path).st_mode | 0o011)
    path = os.path.dirname(path)
  made = Pair(side, side, str(tmpdir))
  made.locks = str(tmpdir.join("locks"))
  made.skipped = set()
  is_used = hv_kvm.uidpool._IsUidUsed

  def note(uid):
    used = is_used(uid)
    (made.skipped.add if used else made.skipped.discard)(uid)
    return used

  monkeypatch.setattr(hv_kvm.uidpool, "_IsUidUsed", note)
  try:
    yield made
  finally:
    made.stop()


def held(pair):
  """List the users that are taken.

  Ganeti keeps the file of one that it tries and does not take, since a
  process of another's has that user, or one that is just ending.

  """
  return sorted(set(int(name) for name in os.listdir(pair.locks)) -
                pair.skipped)


def user_of(node):
  """Tell as whom QEMU runs."""
  return os.stat("/proc/%d" % node.pid()).st_uid


def root_of(node):
  """Tell what QEMU has for its root."""
  return os.readlink("/proc/%d/root" % node.pid())


def noted(node):
  """Tell what is kept of users and roots."""
  found = []
  for folder in ("_UIDS_DIR", "_CHROOT_DIR", "_CHROOT_QUARANTINE_DIR"):
    path = getattr(node.hyper, folder)
    found.extend(os.listdir(path) if os.path.isdir(path) else [])
  return found


def check(pair, here, away):
  """Check that all is taken where the guest is, and nothing where not."""
  assert held(pair) == [user_of(here)] and user_of(here) in uids()
  assert root_of(here) == here.hyper._InstanceChrootDir(nodes.NAME)
  assert noted(here) == [nodes.NAME, nodes.NAME]
  assert noted(away) == []


def refused(pair):
  """The target's QEMU has other devices."""
  info = spoil(pair.told())
  with pytest.raises(errors.HypervisorError) as caught:
    pair.target.hyper.AcceptInstance(pair.target.instance, info, HERE)
  assert "nothing on the source" in str(caught.value)
  return info


def not_started(pair):
  """The target's QEMU does not start."""
  info = pair.told().replace("virtio-balloon", "virtio-no-balloon")
  with pytest.raises(errors.HypervisorError) as caught:
    pair.target.hyper.AcceptInstance(pair.target.instance, info, HERE)
  print(caught.value)
  return info


def killed(pair):
  """The target's QEMU dies while the guest is copied."""
  info = pair.accept()
  assert len(held(pair)) == 2
  pair.send_slowly()
  os.kill(pair.target.pid(), signal.SIGKILL)
  assert pair.wait() == "failed"
  return info


def given_up(pair):
  """The master gives up while the target waits."""
  info = pair.accept()
  assert len(held(pair)) == 2
  return info


@pytest.mark.parametrize("fails", [refused, not_started, killed, given_up])
def test_user_and_root_are_free_again(pair, guest, fails):
  pair.start(guest, security_model="pool", use_chroot=True)
  check(pair, pair.source, pair.target)
  for _ in range(2):
    info = fails(pair)
    pair.finalize(info, False)
    ended(pair.target)
    check(pair, pair.source, pair.target)
    pair.is_right(pair.source)
  pair.source.instance.hvparams.update(migration_bandwidth=1024,
                                       migration_downtime=10000)
  info = pair.accept()
  assert len(held(pair)) == 2
  pair.arrives(info)
  check(pair, pair.target, pair.source)
  pair.is_right(pair.target)
