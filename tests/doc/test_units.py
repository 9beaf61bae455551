"""What the node daemon's unit lets it write, and what the plugin writes there.

Units of the installed Ganeti, and of those roots of other releases that are
here. C{make test-systemd} starts the daemon by such a unit.

"""

import glob
import json
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))

import documents # pylint: disable=wrong-import-position
from ganeti_kvm_pci.errors import KvmPciError # pylint: disable=wrong-import-position
from ganeti_kvm_pci.node import installation # pylint: disable=wrong-import-position

UNIT = "ganeti-noded.service"

#: This system's, and roots that tools/test-suite has made.
ROOTS = ["/"] + sorted(glob.glob(os.path.join(documents.TOP, ".cache", "suites",
                                              "*", "")))

#: What is known to be no obstacle. Whoever finds another one in a unit has to
#: look what it does to the plugin.
HARMLESS = [
  "Type", "User", "Group", "EnvironmentFile", "Environment", "ExecStart",
  "Restart", "RestartSec", "KillMode", "SuccessExitStatus", "PrivateTmp",
  "NoNewPrivileges", "LockPersonality", "RestrictSUIDSGID",
  "ProtectSystem", "ProtectHome", "ReadWritePaths", "ReadOnlyPaths",
  "InaccessiblePaths",
  ]

#: What ProtectSystem= makes read-only, by its value (systemd.exec(5)).
PROTECTED = {"": [], "no": [], "yes": ["/usr", "/boot", "/efi"],
             "full": ["/usr", "/boot", "/efi", "/etc"], "strict": ["/"]}

#: What the code calls its files: of the node daemon, and of commands.
WRITTEN = """
import json, os, sys
sys.path[0] = sys.argv[1]
from ganeti_kvm_pci.node import installation
installation.make_ganeti_importable()
from ganeti import pathutils
from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci.node import activation, detached, hooks, intent
from ganeti_kvm_pci.node import runtime_files, turns, watcher
control = [runtime_files.control_dir(name)
           for name in ("conf", "ctrl", instance_lock.FOLDER)]
lock = os.path.join(pathutils.RUN_DIR, turns._FOLDER)
print(json.dumps([control + [lock, detached.log_path()],
                  [intent.note_path(), watcher.path(), activation.Hook().path] +
                  [hooks.path(script) for script in hooks.SCRIPTS]]))
"""


def settings(text):
  """Read the [Service] section of a unit and its drop-ins.

  @return: dict, each name to the words that it has in all

  """
  found = {}
  for section in re.findall(r"(?ms)^\[Service\]$(.*?)(?=^\[|\Z)", text):
    for name, value in re.findall(r"(?m)^(\w+)[ \t]*=[ \t]*(.*)$", section):
      # an empty value takes back what was said before
      found[name] = found.get(name, []) + value.split() if value else []
  return found


def is_below(path, folder):
  return (path + "/").startswith(folder.rstrip("/") + "/")


def may_write(found, path):
  """Tell whether a daemon with these settings can write there.

  The rule of the longest path wins.

  """
  rules = [(folder, False) for folder in
           PROTECTED[(found.get("ProtectSystem") or [""])[-1]]]
  if (found.get("ProtectHome") or ["no"])[-1] != "no":
    rules += [(folder, False) for folder in ("/home", "/root", "/run/user")]
  for name, is_allowed in (("ReadWritePaths", True), ("ReadOnlyPaths", False),
                           ("InaccessiblePaths", False)):
    rules += [(folder.lstrip("-+"), is_allowed)
              for folder in found.get(name, [])]
  return max([("", True)] + [rule for rule in rules if is_below(path, rule[0])],
             key=lambda rule: len(rule[0]))[1]


def plain(path):
  """Write a path as the documents do."""
  return re.sub(r"^/var/run/", "/run/", path)


@pytest.fixture(scope="module")
def written():
  """What the code writes: by the node daemon, and by commands."""
  try:
    python = installation.daemon_python()
  except KvmPciError as err:
    pytest.skip(str(err))
  found = json.loads(subprocess.check_output(
    [python, "-c", WRITTEN, documents.TOP]).decode("utf-8"))
  return [[plain(path) for path in paths] for paths in found]


def unit_of(root):
  """Return the text of a root's unit, with drop-ins, or skip."""
  folders = [os.path.join(root, *path.split("/")) for path in
             ("usr/lib/systemd/system", "lib/systemd/system",
              "etc/systemd/system")]
  units = [os.path.join(folder, UNIT) for folder in folders
           if os.path.exists(os.path.join(folder, UNIT))]
  if not units:
    pytest.skip("Ganeti's package has no units in %s" % root)
  text = ""
  for path in units[-1:] + [path for folder in folders for path in sorted(
      glob.glob(os.path.join(folder, UNIT + ".d", "*.conf")))]:
    with open(path) as stream:
      text += stream.read() + "\n"
  return text


@pytest.mark.parametrize("root", ROOTS, ids=[
  os.path.basename(root.rstrip("/")) or "here" for root in ROOTS])
def test_the_node_daemon_may_write_what_it_has_to(root, written):
  found = settings(unit_of(root))
  assert found["ExecStart"]
  assert set(found) <= set(HARMLESS)
  assert found.get("User", ["root"])[-1] == "root"
  assert [path for path in written[0] if not may_write(found, path)] == []
  # what the hooks leave behind, and guests, outlive a restart
  assert found["KillMode"] == ["process"]
  assert "-/etc/default/ganeti" in found["EnvironmentFile"]


HARDENED = """
[Service]
ProtectSystem = %s
ReadWritePaths=/var/lib/ganeti -/run/ganeti
%s
[Install]
ReadOnlyPaths=/run
"""


@pytest.mark.parametrize("system, more, denied", [
  ("no", "", []), ("full", "", []),
  ("strict", "ReadWritePaths=/var/log/ganeti", []),
  ("strict", "", ["/var/log/ganeti/ganeti-kvm-pci.log"]),
  ("strict", "ReadWritePaths=", None),
  ("full", "ReadOnlyPaths=/run/ganeti/kvm-hypervisor/conf",
   ["/run/ganeti/kvm-hypervisor/conf"]),
  ])
def test_a_unit_that_would_be_an_obstacle_is_seen(written, system, more,
                                                  denied):
  found = settings(HARDENED % (system, more))
  assert [path for path in written[0] if not may_write(found, path)] == (
    written[0] if denied is None else denied)


def test_the_document_has_what_is_written(written):
  text = "\n".join(documents.lines_of("doc/operation.rst"))
  section = re.search(r"(?ms)^Under systemd\n=+\n(.*?)^\w[^\n]*\n===", text
                      ).group(1)
  rows = re.findall(r"(?m)^``(/\S+)`` +(.*)$", section)
  daemon = [path for path, who in rows if who.startswith("node daemon")]
  assert sorted(daemon) == sorted(written[0])
  commands = [path for path, who in rows if not who.startswith("node daemon")]
  assert [path for path in written[1] if not any(
    re.match(re.sub(r"[A-Z]+", "[^/]+", known) + r"\Z", path)
    for known in commands)] == []
