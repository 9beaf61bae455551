"""The plugin in daemons that systemd started: C{make test-systemd}.

The node's first process is systemd, and what starts the node daemon is the unit
of Debian's package of Ganeti. Where that makes no cluster (C{lab/up -b}: sid's,
whose pyOpenSSL has no X509Req any more), it is the daemon alone.

"""

import os
import subprocess

import pytest

import cluster

from guests import Guest
from test_frozen_hooks import becomes
from test_frozen_hooks import layout
from test_frozen_hooks import tags

pytestmark = pytest.mark.skipif(not os.path.isdir("/run/systemd/system"),
                                reason="make test-systemd")

UNIT = "ganeti-noded.service"
CERTIFICATE = "/var/lib/ganeti/server.pem"
DEFAULTS = "/etc/default/ganeti"
DROP_IN = "/srv/lab/units/%s.d/test.conf" % UNIT

#: What an administrator may add who trusts no daemon with more than it needs.
#: Not ProtectHome=yes: ssh, by which hooks reach the node of an instance, has its
#: key in root's home. The last folder has this lab's disks.
HARDENED = """[Service]
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths=/run/ganeti /run/lock /var/lib/ganeti /var/log/ganeti
ReadWritePaths=/srv/ganeti
PrivateTmp=yes
NoNewPrivileges=yes
RestrictSUIDSGID=yes
LockPersonality=yes
"""


def run(*words):
  return cluster.on("node1", *words).output.strip()


def restarted():
  """Restart the node daemon as systemd does it.

  @return: its process

  """
  run("systemctl", "daemon-reload")
  before = pid()
  run("systemctl", "restart", UNIT)
  cluster.wait_until(lambda: pid() not in ("0", before), "a node daemon")
  cluster.wait_until(lambda: "with the plugin" in run("ganeti-kvm-pci",
                                                      "status"), "the plugin")
  return pid()


def pid():
  return run("systemctl", "show", "-p", "MainPID", "--value", UNIT)


def limit_of(process):
  with open("/proc/%s/environ" % process, "rb") as stream:
    found = dict(item.split(b"=", 1) for item in stream.read().split(b"\0")
                 if item)
  return found.get(b"KVM_PCI_HOTPLUG_LIMIT", b"").decode("ascii")


def confinement(process):
  """Tell what the kernel keeps a process from, and which files it sees."""
  with open("/proc/%s/status" % process) as stream:
    found = [line.split() for line in stream]
  return (dict((line[0], line[1]) for line in found
               if line[0] in ("CapEff:", "CapBnd:", "NoNewPrivs:", "Seccomp:",
                              "Uid:")),
          os.readlink("/proc/%s/ns/mnt" % process))


@pytest.fixture(scope="module")
def daemon():
  """The node daemon runs, by its unit."""
  if not os.path.exists(CERTIFICATE):
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
        "30", "-subj", "/CN=ganeti", "-keyout", "/run/key", "-out", "/run/cert")
    run("sh", "-c", "umask 77; cat /run/key /run/cert > %s && cp %s %s" % (
      CERTIFICATE, CERTIFICATE, CERTIFICATE.replace("server", "client")))
    run("systemctl", "start", UNIT)
  assert pid() != "0"


@pytest.fixture
def enabled(daemon):
  """The plugin is on, with its hooks, and what is set here is undone."""
  cluster.install_command()
  with open(DEFAULTS) as stream:
    defaults = stream.read()
  assert "restarted, with the plugin" in run("ganeti-kvm-pci", "enable",
                                             "--hooks", "--restart")
  yield defaults
  if os.path.exists(DROP_IN):
    os.remove(DROP_IN)
  with open(DEFAULTS, "w") as stream:
    stream.write(defaults)
  run("systemctl", "daemon-reload")
  assert "restarted, without the plugin" in run("ganeti-kvm-pci", "disable",
                                                "--restart")
  cluster.remove_command()


def drop_in(text):
  os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
  with open(DROP_IN, "w") as stream:
    stream.write(text)


def test_the_units_are_those_that_start_ganeti(enabled):
  assert run("cat", "/proc/1/comm") == "systemd"
  print(run("systemctl", "--version").split("\n")[0])
  print(run("systemctl", "cat", UNIT))
  assert pid() == run("cat", "/run/ganeti/ganeti-noded.pid")


def test_where_the_limit_is_set(enabled):
  with open(DEFAULTS, "w") as stream:
    stream.write(enabled + "KVM_PCI_HOTPLUG_LIMIT=7\n")
  assert limit_of(restarted()) == "7"
  # the file comes before a drop-in's Environment=
  drop_in("[Service]\nEnvironment=KVM_PCI_HOTPLUG_LIMIT=9\n")
  assert limit_of(restarted()) == "7"
  with open(DEFAULTS, "w") as stream:
    stream.write(enabled)
  assert limit_of(restarted()) == "9"


def test_the_unit_keeps_the_daemon_from_nothing(enabled):
  assert confinement(pid()) == confinement("1")


@pytest.mark.skipif(not os.path.exists(cluster.CONFIG), reason="no cluster")
@pytest.mark.parametrize("text", ["", HARDENED], ids=["as it is", "hardened"])
def test_what_the_plugin_does_under_the_unit(enabled, vm, text):
  drop_in(text)
  process = restarted()
  if text:
    assert confinement(process)[1] != confinement("1")[1]
    # what the drop-in says is so
    assert subprocess.call(["nsenter", "-t", process, "-m", "touch",
                            "/usr/local/kvm-pci-test"]) != 0
  guest = Guest(vm, disks=1, nics=1)
  (_, qemu) = guest.process
  assert "/%s" % UNIT in run("cat", "/proc/%d/cgroup" % qemu)
  guest.hotplugs()
  guest.hotplugs(False)
  run("ganeti-kvm-pci", "freeze", vm.name)
  assert tags(vm) == layout(vm)
  guest.hotplugs()
  # a job's hook goes on after it, also where its node daemon ends
  restarted()
  becomes(vm, layout(vm))
  guest.is_up()
  guest.hotplugs(False)
  print(run("find", "/run/ganeti/kvm-hypervisor/kvm-pci",
            "/run/ganeti/kvm-pci-tags", "/var/log/ganeti", "-name", "*kvm*pci*",
            "-o", "-path", "*kvm-pci*"))
  checked = cluster.on("node1", "ganeti-kvm-pci", "check", "--live", vm.name,
                       check=False)
  assert checked.returncode == 0, checked.output
  guest.boots(guest.restarts)
