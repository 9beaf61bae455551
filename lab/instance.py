"""An instance, and its guest, as scenarios on the lab's first node see them.

Instances belong to a cluster that C{lab/up} has brought up, and their guest is
the one that C{lab/guest} makes.

"""

import functools
import json
import re

from commands import LabError, gnt, on, write_file
from qemu import KVM_DIR, Qemu

CONFIG = "/var/lib/ganeti/config.data"


def _options(params):
  """Write a dictionary the way Ganeti's command line takes it.

  """
  def _text(value):
    if isinstance(value, bool):
      value = str(value).lower()
    return re.sub(r"([\\,])", r"\\\1", str(value))

  return ",".join("%s=%s" % (key, _text(value))
                  for (key, value) in params.items())


@functools.lru_cache(maxsize=None)
def _has_option(command, option):
  """Tell whether a command of C{gnt-instance} has an option."""
  usage = gnt("instance", command, "--help").output
  return re.search(r"^ *(-\w(?: \w+)?, )?%s\b" % option, usage,
                   re.M) is not None


def _hotplug_is_asked_for():
  """Tell whether C{gnt-instance modify} hotplugs if asked to only.

  It does up to Ganeti 3.0. Since 3.1 it does unless asked not to.

  """
  return _has_option("modify", "--hotplug")


def _devices(option, wanted, default):
  if isinstance(wanted, int):
    wanted = [default] * wanted
  for (index, params) in enumerate(wanted):
    yield from [option, "%d:%s" % (index, _options(params))]


class Instance(Qemu):
  """An instance, which need not exist yet."""

  def add(self, *args, disks=0, nics=0, hvparams=None, start=True, size="1G"):
    """Make the instance, on node1.

    @param args: further arguments of C{gnt-instance add}
    @param disks: number of disks, or a list of their parameters
    @param nics: number of NICs, or a list of their parameters
    @param hvparams: hypervisor parameters other than the cluster's
    @param start: whether to start it
    @param size: size of disks given by their number
    @return: L{Result}

    """
    options = ["--disk-template=sharedfile" if disks else
               "--disk-template=diskless"]
    options.extend(_devices("--disk", disks, {"size": size}))
    options.extend(_devices("--net", nics, {"link": "br0"}))
    if not nics:
      options.append("--no-nics")
    if hvparams:
      options.append("-H" + "kvm:" + _options(hvparams))
    if not start:
      options.append("--no-start")
    return gnt("instance", "add", "--node=node1.gnt.test", "--os-type=noop",
               "-Bmemory=256,vcpus=1", "--no-ip-check", "--no-name-check",
               "--no-wait-for-sync", *options, *args, self.name)

  def modify(self, *args, hot=True, check=True):
    """Change the instance.

    Ganeti's exit status is 0, too, where it changed the configuration only
    because the hotplug has failed.

    @param args: arguments of C{gnt-instance modify}
    @param hot: whether a running instance is to get the change, too
    @param check: whether to raise L{LabError} if the exit status is not 0
    @return: L{Result}

    """
    # --force: Ganeti asks before it changes a NIC hot, and nobody would answer
    options = ["--force"] if hot else []
    if hot and _hotplug_is_asked_for():
      options.append("--hotplug")
    elif not hot and not _hotplug_is_asked_for():
      options.append("--no-hotplug")
    return gnt("instance", "modify", *options, *args, self.name, check=check)

  def set_hvparams(self, **params):
    """Change hypervisor parameters, which the next start will use."""
    return self.modify("-H" + _options(params), hot=False)

  def start(self, *args, check=True):
    return gnt("instance", "start", *args, self.name, check=check)

  def stop(self):
    """Pull the plug; the guest is not asked."""
    return gnt("instance", "shutdown", "--timeout=0", self.name)

  def reboot(self, reboot_type="hard", check=True):
    """Reboot the instance.

    @param reboot_type: C{soft}, C{hard} or C{full}
    @param check: whether to raise L{LabError} if the exit status is not 0
    @return: L{Result}

    """
    return gnt("instance", "reboot", "--type=" + reboot_type,
               "--shutdown-timeout=0", self.name, check=check)

  def migrate(self, target=None, check=True):
    """Migrate the running instance.

    @param target: name of the node; none for the one that Ganeti chooses, in a
        cluster of two the other
    @param check: whether to raise L{LabError} if the exit status is not 0
    @return: L{Result}

    """
    chosen = ["--target-node=%s.gnt.test" % target] if target else []
    return gnt("instance", "migrate", "--force", *chosen, self.name,
               check=check)

  def rename(self, name):
    """Give the stopped instance a name that nothing resolves.

    Up to Ganeti 3.0 the name is looked up unless that is forbidden, and the
    command asks whether it is right. Since 3.1 it does neither, and has not
    the options.

    """
    options = [option for option in
               ("--force", "--no-name-check", "--no-ip-check")
               if _has_option("rename", option)]
    gnt("instance", "rename", *options, self.name, name)
    self.name = name

  def clean_up(self):
    """Do what is to be done after a migration that failed.

    @return: L{Result}, whatever the exit status

    """
    return gnt("instance", "migrate", "--cleanup", "--force", self.name,
               check=False)

  def failover(self, check=True):
    """Start the instance on another node; the guest is not asked."""
    return gnt("instance", "failover", "--force", "--shutdown-timeout=0",
               self.name, check=check)

  def remove(self, check=True):
    return gnt("instance", "remove", "--force", "--ignore-failures",
               "--shutdown-timeout=0", self.name, check=check)

  def config(self):
    """Read what Ganeti's configuration has on the instance.

    Far quicker than asking C{gnt-instance}.

    @return: dictionary, or None where there is no such instance

    """
    instances = self._whole_config()["instances"].values()
    return next((i for i in instances if i["name"] == self.name), None)

  @staticmethod
  def _whole_config():
    with open(CONFIG, encoding="utf-8") as config:
      return json.load(config)

  def node(self):
    """Tell where the instance is.

    @return: C{node1}, say

    """
    config = self.config()
    if config is None:
      raise LabError("%s: no such instance" % self.name)
    nodes = self._whole_config()["nodes"]
    return nodes[config["primary_node"]]["name"].split(".")[0]

  def pid(self):
    """Ask for the process of the instance's QEMU, by its file.

    @return: number; None if it does not run on the instance's node

    """
    pid_file = "%s/pid/%s" % (KVM_DIR, self.name)
    found = on(self.node(), "pgrep", "--pidfile", pid_file, check=False)
    return int(found.output) if found.returncode == 0 else None

  def running(self):
    """Tell whether a QEMU runs this instance on the instance's node."""
    return self.pid() is not None

  def processes(self, node):
    """List the instance's QEMUs on a node, whatever its files say.

    @return: list of numbers

    """
    # with its hyphen, or gnt-instance rename would be one
    found = on(node, "pgrep", "-f", "[-]name %s" % self.name, check=False)
    return [int(pid) for pid in found.output.split()]

  def runtime_path(self):
    """Tell where the runtime file is on a node."""
    return "%s/conf/%s.runtime" % (KVM_DIR, self.name)

  def runtime_text(self):
    """Read the runtime file."""
    return on(self.node(), "cat", self.runtime_path()).output

  def runtime(self):
    """Read the runtime file.

    @return: its JSON, read

    """
    return json.loads(self.runtime_text())

  def write_runtime(self, text):
    """Replace what the runtime file has."""
    write_file(self.node(), self.runtime_path(), text, "600")

  def log(self):
    """Read what QEMU itself has said on the instance's node."""
    path = "/var/log/ganeti/kvm/%s.log" % self.name
    return on(self.node(), "cat", path, check=False).output
