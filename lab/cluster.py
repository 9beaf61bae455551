"""What scenarios do on the lab's first node to the cluster, and all they need.

"""

import contextlib
import json
import os

from commands import NODES, LabError, on, write_file
from commands import SPARE, gnt, wait_until  # noqa: F401 (for scenarios)
from commands import begin_gnt, daemon_util  # noqa: F401 (for scenarios)
from commands import signal_node_daemon  # noqa: F401 (for scenarios)
from commands import start_node_daemon  # noqa: F401 (for scenarios)
from instance import CONFIG, Instance  # noqa: F401 (for scenarios)
from qemu import KVM_DIR  # noqa: F401 (for scenarios)

PROJECT = "/srv/project"
PYTHON = "/usr/bin/python3"

#: Where the project's command is on a node that has it.
COMMAND = "/usr/local/sbin/ganeti-kvm-pci"

#: Python's folder with the Ganeti that is installed.
TREE = os.path.dirname(os.path.realpath("/usr/sbin/ganeti-noded"))


def plugin(action, *nodes, check=True):
  """Have the project's command act on nodes, straight from the checkout.

  C{enable} and C{disable} restart the node daemon.

  @param action: C{enable}, C{disable} or C{status}
  @param nodes: names; none for all
  @param check: whether to raise L{LabError} if the exit status is not 0; to
      warn of what will not start then, as C{disable} does, is no failure
  @return: dictionary of a node's name to its L{Result}

  """
  args = [action] if action == "status" else [action, "--restart"]
  results = {}
  for node in nodes or NODES:
    results[node] = project_command(node, args, check and action != "disable")
    if check and results[node].returncode > 1:
      raise LabError("%s on %s: %s" % (action, node, results[node].output))
  return results


@contextlib.contextmanager
def hotplug_limit(seconds, *nodes):
  """Have the plugin wait so long for a guest, said where the documents say it.

  The node daemons are not restarted.

  @param nodes: names; none for all

  """
  defaults, line = "/etc/default/ganeti", "KVM_PCI_HOTPLUG_LIMIT=%d" % seconds
  try:
    for node in nodes or NODES:
      on(node, "sh", "-c", "echo %s >> %s" % (line, defaults))
    yield
  finally:
    for node in nodes or NODES:
      on(node, "sed", "-i", "/^%s$/d" % line, defaults)


def other(node):
  """Name the other one of two nodes."""
  return {"node1": "node2", "node2": "node1"}[node]


def pci_map(instance, live=False):
  """Ask the project's command which device has which slot.

  @param instance: L{Instance}
  @param live: whether it shall ask QEMU, too
  @return: the entries of C{map --json}, read

  """
  args = ["map", "--json"] + (["--live"] if live else []) + [instance.name]
  result = project_command(instance.node(), args, True)
  return json.loads(result.output)["instances"]


def project_command(node, args, check=True):
  return on(node, "env", "PYTHONPATH=" + PROJECT, "PYTHONDONTWRITEBYTECODE=1",
            PYTHON, "-m", "ganeti_kvm_pci", *args, check=check)


def install_command():
  """Have the project's command on each node, straight from the checkout."""
  text = "#!/bin/sh\nexec env %s \"$@\"\n" % " ".join([
    "PYTHONPATH=" + PROJECT, "PYTHONDONTWRITEBYTECODE=1", PYTHON, "-m",
    "ganeti_kvm_pci"])
  for node in NODES:
    write_file(node, COMMAND, text, "755")


def remove_command():
  for node in NODES:
    on(node, "rm", "-f", COMMAND)
