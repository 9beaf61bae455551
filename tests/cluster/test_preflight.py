"""A node before it is emptied: what would not migrate is named, and does not.

Three guests cannot, each for another reason, one may not; the others go.
"""

import json
import os

import pytest

import cluster

from slots import on_pc

pytestmark = [pytest.mark.two_nodes, on_pc]

#: make test-preflight has ten.
GUESTS = int(os.environ.get("PREFLIGHT_GUESTS", 5))

COMMAND = "/usr/local/bin/ganeti-kvm-pci"
REAL = "/usr/bin/qemu-system-x86_64"

#: QEMUs that another node has in another release: one that says that it is
#: older, one that does not have the guests' machine type.
OLDER, OTHER = "/usr/local/bin/kvm-older", "/usr/local/bin/kvm-other"
PLAIN_SCRIPT = '#!/bin/sh\nexec %s "$@"\n' % REAL
OLDER_SCRIPT = """#!/bin/sh
case "$*" in --version) echo QEMU emulator version 5.1.0; exit;; esac
exec %s "$@"
""" % REAL
OTHER_SCRIPT = """#!/bin/sh
case "$*" in
  *-incoming*) echo "unsupported machine type" >&2; exit 1;;
  "-machine help") %s -machine help | grep -v '^TYPE '; exit;;
esac
exec %s "$@"
""" % (REAL, REAL)


def install(node, path, text):
  cluster.on(node, "python3", "-c", "import os; p = %r; open(p, 'w').write(%r);"
             " os.chmod(p, 0o755)" % (path, text))


@pytest.fixture
def guests(plugged):
  """The guests of node1; those of the first ones are special."""
  for node in cluster.NODES:
    install(node, COMMAND, "#!/bin/sh\nPYTHONPATH=%s PYTHONDONTWRITEBYTECODE=1"
            ' exec %s -m ganeti_kvm_pci "$@"\n' % (cluster.PROJECT,
                                                   cluster.PYTHON))
    for path in (OLDER, OTHER):
      install(node, path, PLAIN_SCRIPT)
  found = [cluster.Instance("pf%d.gnt.test" % n) for n in range(GUESTS)]
  try:
    for number, vm in enumerate(found):
      hvparams = {"kvm_pci_reservations": 8}
      hvparams.update({2: {"kvm_path": OTHER}, 3: {"kvm_path": OLDER}}.get(
        number, {}))
      # side by side
      vm.add("--submit", disks=2 if number == 1 else 0, nics=1,
             hvparams=hvparams)
    for vm in found:
      cluster.wait_until(lambda: vm.config() and vm.running(), vm.name, 300, 1)
    yield found
  finally:
    for vm in found:
      if vm.config():
        vm.remove(check=False)


def preflight(*arguments):
  """Run it on the master.

  @return: exit status, what it prints

  """
  done = cluster.on("node1", COMMAND, "preflight", *arguments, check=False)
  print(done.output)
  return done.returncode, done.output


def verdicts(node):
  """Return the exit status, and the entries by name."""
  status, output = preflight(node, "--json")
  document = json.loads(output)
  assert document["status"] == status and document["error"] is None
  return status, dict((entry["instance"], entry)
                      for entry in document["instances"])


def reasons(entry):
  (target, ) = entry["targets"]
  assert target["node"] == "node2.gnt.test"
  return [reason["text"] for reason in entry["reasons"] + target["reasons"]]


def spoil(by_hand, link, other):
  """Keep three guests from their target, and warn of one.

  @return: the machine type of all, the uuid of a disk

  """
  machine_type = other.qmp("qom-get", path="/machine", property="type")
  assert machine_type.endswith("-machine")
  machine_type = machine_type[:-len("-machine")]
  install("node2", OTHER, OTHER_SCRIPT.replace("TYPE", machine_type))
  install("node2", OLDER, OLDER_SCRIPT)
  by_hand.qmp("device_add", driver="virtio-rng-pci", id="hand", addr="0x10")
  uuid = link.config()["disks"][1]
  link.modify("--disk", "1:detach", hot=False)
  return machine_type, uuid


def verify_tells(by_hand):
  """Check what gnt-cluster verify prints."""
  found = cluster.gnt("cluster", "verify", "--error-codes", check=False)
  print(found.output)
  assert found.returncode != 0
  (line, ) = [line for line in found.output.splitlines()
              if "ganeti-kvm-pci failed" in line and ":ENODEHOOKS:" in line]
  assert "ERROR:ENODEHOOKS:node:" in line
  assert "node node1.gnt.test: %s: warning: " % by_hand.name in found.output
  assert "%s: warning: a migration would be refused: " % by_hand.name in \
    found.output
  # it has nothing to say
  assert "node node2.gnt.test: pf" not in found.output


def test_a_node_is_emptied_of_what_preflight_says(guests):
  by_hand, link, other, older = guests[:4]
  for node in cluster.NODES:
    cluster.project_command(node, ["enable", "--hooks"])
  status, found = verdicts("node1")
  assert status == 0, found
  assert [entry["verdict"] for entry in found.values()] == ["ok"] * GUESTS

  machine_type, uuid = spoil(by_hand, link, other)
  status, found = verdicts("node1")
  assert status == 1
  assert dict((name, entry["verdict"]) for name, entry in found.items()
              if entry["verdict"] != "ok") == {
    by_hand.name: "refused", link.name: "refused", other.name: "refused",
    older.name: "warning"}
  for vm, words in (
      (by_hand, "(id hand) is attached in QEMU but missing from the runtime"),
      (link, "disk %s is attached, but Ganeti's configuration no longer has it"
       % uuid),
      (other, "its machine type %s is unknown to QEMU" % machine_type),
      (older, "QEMU 5.1 there is older")):
    (text, ) = reasons(found[vm.name])
    assert words in text
    assert found[vm.name]["machine_type"] == machine_type
  assert "%d instances of 1 node: " % GUESTS in preflight("node1")[1]
  assert verdicts("node2") == (0, {})
  verify_tells(by_hand)

  moved = cluster.gnt("node", "migrate", "--force", "-n", "node2.gnt.test",
                      "node1.gnt.test", check=False)
  print(moved.output)
  stay = (by_hand, link, other)
  assert dict((vm.name, vm.node()) for vm in guests) == dict(
    (vm.name, "node1" if vm in stay else "node2") for vm in guests)
  assert all(vm.running() for vm in guests)

  # before anything is done
  cluster.project_command("node1", ["enable", "--refuse-migrations"])
  refused = other.migrate("node2", check=False)
  print(refused.output)
  assert refused.returncode != 0
  assert "instance-migrate-pre.d/ganeti-kvm-pci" in refused.output
  assert "Instance %s cannot migrate to node2.gnt.test: " % other.name in \
    refused.output and "is unknown to QEMU" in refused.output
  older.migrate("node1")
  assert older.node() == "node1"


@pytest.fixture(autouse=True)
def without_hooks():
  """Have nothing stay behind, whatever happens."""
  yield
  for node in cluster.NODES:
    # that of Ganeti's watcher belongs to the plugin which is on
    cluster.on(node, "sh", "-c", "rm -f /etc/ganeti/hooks/*-p*.d/ganeti-kvm-pci"
               " %s %s %s" % (COMMAND, OLDER, OTHER))
