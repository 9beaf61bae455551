"""What Ganeti's QA suite takes for granted on the lab's nodes.

And what a test that failed has left there.

"""

import json
import os

import cluster
import qa_settings
from commands import daemon_util, gnt, on, wait_until, write_file

#: The suite asks this before and after many tests. Beyond what it hands over,
#: an instance that runs has one QEMU, on its own node.
INSTANCE_CHECK = """#!/bin/sh
want=${INSTANCE_RUNNING:-0}
have=0
for node in node1 node2; do
  if ssh -n -o LogLevel=ERROR $node pgrep -f -- "'-name $INSTANCE_NAME[, ]'" \\
    > /dev/null; then have=$((have + 1)); on=$node; fi
done
[ $have = $want ] || { echo "$have QEMU instead of $want" >&2; exit 1; }
[ $want = 0 ] && exit 0
pnode=$(gnt-instance list --no-headers -o pnode $INSTANCE_NAME)
[ "$pnode" = $on.gnt.test ] || { echo "runs on $on, not $pnode" >&2; exit 1; }
"""

#: Commands that stand before those of the nodes: the kernel has no SysRq, which
#: C{gnt-cluster verify} calls an error; and the suite's own SSH client, which
#: has what it runs on its command line, is on a node here.
COMMANDS = {
  "gnt-cluster": """#!/bin/sh
[ "$1" != verify ] || { shift; set -- verify --ignore-errors=ENODESETUP "$@"; }
exec /usr/sbin/gnt-cluster "$@"
""",
  "pkill": """#!/bin/sh
[ "$1" != -f ] || set -- -f "^[^ ]*qemu.*$2"
exec /usr/bin/pkill "$@"
""",
}

BOUNDS = "/".join([
  "min:memory-size=128,cpu-count=1,disk-count=0,disk-size=512,nic-count=0,"
  "spindle-use=1",
  "max:memory-size=4096,cpu-count=8,disk-count=16,disk-size=65536,nic-count=8,"
  "spindle-use=12"])


def prepare(path):
  """Give the lab's nodes what the suite takes for granted.

  @param path: folder for what the suite reads

  """
  os.makedirs(path)
  with open(path + "/settings.json", "w", encoding="utf-8") as settings:
    json.dump(qa_settings.settings(os.environ.get("HVPARAMS") == "yes"),
              settings)
  with open(path + "/instance-check", "w", encoding="utf-8") as script:
    script.write(INSTANCE_CHECK)
  os.chmod(path + "/instance-check", 0o755)
  for node in cluster.NODES:
    for (name, script) in COMMANDS.items():
      write_file(node, "/usr/local/sbin/" + name, script, "755")
    # a node's own, while all else in /srv is shared
    on(node, "mount", "-t", "tmpfs", "-o", "mode=750", "lab",
       qa_settings.STORAGE["file"])
    # "Assume /sbin/init exists on all systems"
    on(node, "sh", "-c", "[ -e /sbin/init ] || touch /sbin/init")
    users = "/var/lib/ganeti/rapi/users"
    on(node, "sh", "-c", "echo ganeti-qa {CLEARTEXT}lab write > %s;"
       " chmod 644 %s" % (users, users))
  # Debian's listens on 127.0.0.1 only
  on("node1", "sh", "-c", "echo 'RAPI_ARGS=\"\"' >> /etc/default/ganeti")
  for action in ("stop", "start"):
    daemon_util("node1", action, "ganeti-rapi")
  wait_until(lambda: on("node1", "sh", "-c", "ss -ltn | grep -q :5080",
                        check=False).returncode == 0, "RAPI listens")
  gnt("cluster", "modify", "--ipolicy-bounds-specs", BOUNDS)


def instance_state(name):
  """Tell an instance's status, primary node, number of disks and of NICs.

  @return: tuple of four texts, of four times None where there is no such
      instance

  """
  listed = gnt("instance", "list", "--no-headers", "--separator=|", "-o",
               "status,pnode,disk.count,nic.count", name, check=False)
  parts = listed.output.strip().split("|")
  return tuple(parts) if listed.returncode == 0 and len(parts) == 4 else (
    (None, ) * 4)


def settle(name, before, should_run):
  """After a failed test, bring its instance to where the next expects it.

  @param before: what L{instance_state} said before the test
  @param should_run: whether it is to run

  """
  # TestInstanceUserDown turns it off at its end alone, and with it ganeti-kvmd
  # goes on through the tests that follow
  gnt("cluster", "modify", "--user-shutdown=false", check=False)
  now = instance_state(name)
  if now[0] is None or before[0] is None:
    return
  if (now[0] == "running") == should_run and now[1:] == before[1:]:
    return
  print("lab: %s was %s, is %s; settling" % (name, before, now))
  gnt("instance", "modify", "--online", name, check=False)
  gnt("instance", "shutdown", "--timeout=0", "--force", name, check=False)
  for (index, option) in [(2, "--disk"), (3, "--net")]:
    for _ in range(int(before[index]), int(now[index])):
      gnt("instance", "modify", option, "-1:remove", name, check=False)
  if now[1] != before[1]:
    gnt("instance", "failover", "--force", "--ignore-consistency", name,
        check=False)
  if should_run:
    gnt("instance", "start", name, check=False)


def remove_all():
  """Remove what a part of the suite has left, and put the cluster right."""
  listed = gnt("instance", "list", "--no-headers", "-o", "name", check=False)
  for name in listed.output.split():
    print("lab: left behind: %s" % name)
    cluster.Instance(name).remove(check=False)
  templates = "sharedfile,file,diskless"
  gnt("cluster", "modify", "--enabled-disk-templates=" + templates,
      "--ipolicy-disk-templates=" + templates, check=False)
  gnt("cluster", "modify", "--user-shutdown=false", check=False)
  gnt("cluster", "modify", "--max-running-jobs=20", check=False)
