"""What must hold on the cluster after each operation of the soak."""

import collections
import json

import cluster

from kept_guest import agree

#: Each QEMU of a node, by the instance's name.
_PROCESSES = ("pgrep -a -f '^[^ ]*qemu-system' |"
              " sed -n 's/.* -name \\([^ ,]*\\).*/\\1/p'")

#: What is on a node of an instance that is not there.
_FILES = ("cd %s 2> /dev/null && find pid ctrl conf kvm-pci nic"
          " -name '%s*' ! -name '*.lock' 2> /dev/null")


def processes():
  """Return the QEMUs: the instance's name to the nodes that have one."""
  found = collections.defaultdict(list)
  for node in cluster.NODES:
    output = cluster.on(node, "sh", "-c", _PROCESSES, check=False).output
    for name in output.split():
      found[name].append(node)
  return found


def one_runs_where_one_should(guests):
  """Never two, never none."""
  found = processes()
  for guest in guests:
    expected = [guest.vm.node()] if guest.runs else []
    agree(found.get(guest.name, []) == expected,
          "%s: runs on %s, and has to on %s", guest, found.get(guest.name, []),
          expected)
  strange = set(found) - set(guest.name for guest in guests)
  agree(not strange, "these run, too: %s", strange)


def ganeti_says_so(guests):
  listed = cluster.gnt("instance", "list", "--no-headers", "-o",
                       "name,status").output
  status = dict(line.split() for line in listed.splitlines())
  for guest in guests:
    expected = "running" if guest.runs else "ADMIN_down"
    agree(status[guest.name] == expected, "%s: Ganeti says %s, not %s", guest,
          status[guest.name], expected)


def checked(node):
  """Return what C{check --live} finds on a node, read."""
  result = cluster.project_command(node, ["check", "--live", "--json"],
                                   check=False)
  try:
    return result.returncode, json.loads(result.output)
  except ValueError:
    return 2, {"messages": [result.output], "instances": []}


def check_has_no_errors():
  for node in cluster.NODES:
    status, found = checked(node)
    bad = [(entry["instance"], entry["error"], entry["findings"],
            entry["refusals"]) for entry in found["instances"]
           if entry["status"] > 1]
    agree(status < 2 and not bad, "%s: check --live: exit status %d: %s %s",
          node, status, bad, found["messages"])


def all_holds(guests, concerned, step):
  """Check all that must hold.

  @param concerned: those of the guests that are looked at
  @param step: see L{kept_guest.KeptGuest.look}

  """
  for guest in guests:
    guest.mark()
  one_runs_where_one_should(guests)
  ganeti_says_so(guests)
  for guest in concerned:
    if guest.runs:
      guest.look(step)
    nothing_is_left(guest)
  check_has_no_errors()


def nothing_is_left(guest):
  """No file of a guest is where it does not run."""
  for node in cluster.NODES:
    if guest.runs and node == guest.vm.node():
      continue
    left = cluster.on(node, "sh", "-c", _FILES % (cluster.KVM_DIR, guest.name),
                      check=False).output.split()
    agree(not left, "%s: left on %s: %s", guest, node, left)
