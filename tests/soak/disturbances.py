"""What happens to nodes: daemons, processes and files that were removed."""

import time

import cluster

from kept_guest import agree

#: Has a node lose all that a power cut ends. The node daemon serves each
#: request in a process of its own, which outlives the daemon.
POWER_CUT = "pkill -9 -f '^[^ ]*(qemu-system|python[0-9.]* [^ ]*ganeti-noded)'"

#: Has no room be left below /run; and all that there was.
_FILL = ("mount -o remount,size=$(df -k --output=used /run | tail -n 1 |"
         " tr -d ' ')k /run")
_EMPTY = "mount -o remount,size=50% /run"

#: Leaves the node daemon so many descriptors beside those that it has, with
#: which the process that serves a request begins; prints what the limit was.
_DESCRIPTORS = (
  "p=$(cat /run/ganeti/ganeti-noded.pid);"
  " prlimit --pid $p --nofile --output=SOFT --noheadings;"
  " prlimit --pid $p --nofile=$(($(ls /proc/$p/fd | wc -l) + %d)):")
_SET_DESCRIPTORS = ("prlimit --pid $(cat /run/ganeti/ganeti-noded.pid)"
                    " --nofile=%s:")

#: The daemon and these processes alone.
_WITH_CHILDREN = "pkill -9 -f '^[^ ]*python[0-9.]* [^ ]*ganeti-noded'"


class Disturbances(object):
  """Some of L{operations.Operations}."""

  @staticmethod
  def kill_daemon(node, with_children=False):
    if with_children:
      cluster.on(node, "sh", "-c", _WITH_CHILDREN, check=False)
    else:
      cluster.signal_node_daemon(node, "KILL", check=False)

  def daemon_restarted(self, guest):
    node = guest.vm.node()
    cluster.daemon_util(node, "stop")
    cluster.start_node_daemon(node)
    return node

  def daemon_killed(self, guest):
    node = guest.vm.node()
    self.kill_daemon(node)
    cluster.start_node_daemon(node)
    return node

  def hotplug_daemon_killed(self, guest):
    """Kill the node daemon while it hotplugs."""
    if not guest.runs:
      return None
    node = guest.vm.node()
    option = self.random.choice(["--disk", "--net"])
    adds = self.random.random() < 0.6
    if adds:
      index = self._where(guest, option)
      if index is None:
        return None
      what = self._addition(option, index)
    else:
      # Ganeti deletes the file of a disk whose removal has failed
      chosen = self._pick(guest, "--net")
      if chosen is None:
        return None
      option, what = "--net", "%d:remove" % chosen[0]
    wait = self.random.uniform(0.3, 1.2)
    command = cluster.begin_gnt("instance", "modify", "--force", "--hotplug",
                                option, what, guest.name)
    time.sleep(wait)
    with_children = self.random.random() < 0.5
    self.kill_daemon(node, with_children)
    cluster.start_node_daemon(node)
    self.said = command.communicate(timeout=300)[0]
    done = "hotplug:done" in self.said
    self._repaired(guest)
    return "%s %s after %.1f s%s: %s" % (
      option, what, wait, ", with its children" if with_children else "",
      "done" if done else "not done")

  def _repaired(self, guest):
    """Have the runtime file repaired, and take what is there for right."""
    # a guest has a second to complete what it was asked for
    time.sleep(2)
    self._command(guest, "check", "--live", "--repair", guest.name)
    guest.takes_what_is_there()

  def full_run(self, guest):
    """Have no room for the runtime file when a NIC is added."""
    index = self._where(guest, "--net") if guest.runs else None
    if index is None:
      return None
    node = guest.vm.node()
    try:
      cluster.on(node, "sh", "-c", _FILL)
      self.said = guest.vm.modify("--net", "%d:add" % index).output
    finally:
      cluster.on(node, "sh", "-c", _EMPTY)
    agree("No space left on device" in self.said and
          "hotplug:failed" in self.said, "%s: %s", guest, self.said)
    # the configuration has it
    guest.vm.modify("--net", "%d:remove" % index, hot=False)
    return "%d:add, on %s: refused" % (index, node)

  def few_descriptors(self, guest):
    """Have the node daemon be short of descriptors when a device is added."""
    option = self.random.choice(["--disk", "--net"])
    index = self._where(guest, option) if guest.runs else None
    if index is None:
      return None
    node, left = guest.vm.node(), self.random.randint(1, 60)
    usual = cluster.on(node, "sh", "-c", _DESCRIPTORS % left).output.strip()
    try:
      what = self._addition(option, index)
      result = guest.vm.modify(option, what, check=False)
    finally:
      cluster.on(node, "sh", "-c", _SET_DESCRIPTORS % usual)
    self.said = result.output
    agree("hotplug:done" in self.said or "Too many open files" in self.said,
          "%s, %d descriptors: %s", guest, left, self.said)
    done, before = "hotplug:done" in self.said, (guest.disks, guest.nics)
    self._repaired(guest)
    added = len(guest.disks - before[0]) + len(guest.nics - before[1])
    agree(added == done and guest.disks >= before[0] and
          guest.nics >= before[1], "%s: has %s and %s, and had %s: %s", guest,
          guest.disks, guest.nics, before, self.said)
    return "%s %s with %d: %s" % (option, what, left,
                                  "done" if done else "not done")

  def qemu_killed(self, guest):
    if not guest.runs:
      return None
    self._kill(guest, guest.vm.node())
    if self.random.random() < 0.3:
      # by Ganeti's watcher, as on a real node
      cluster.on("node1", "ganeti-watcher", "--ignore-pause", check=False)
      cluster.wait_until(guest.vm.running, "the watcher starts it", 60)
    else:
      self.said = guest.vm.start().output
    guest.boots()
    return "started again"

  def paused_removal(self, guest):
    """Remove a NIC of a guest that does not answer in time."""
    chosen = self._pick(guest, "--net") if guest.runs else None
    if chosen is None:
      return None
    guest.frozen.pop(chosen[1], None)
    guest.vm.qmp("stop")
    self.said = guest.vm.modify("--net", "%d:remove" % chosen[0]).output
    guest.vm.qmp("cont")
    agree("timed out after" in self.said, "%s: %s", guest, self.said)
    name = "nic-" + chosen[1][:18]
    guest.vm.until_ejected(name)
    self._command(guest, "check", "--repair", "--pending")
    guest.nics.discard(chosen[1])
    return name

  def folder_gone(self, guest):
    """Somebody removes the plugin's folder."""
    node = guest.vm.node()
    cluster.on(node, "rm", "-rf", cluster.KVM_DIR + "/kvm-pci")
    return node

  def runtime_file_gone(self, guest):
    """Nothing can be done but to boot the guest."""
    if not guest.runs:
      return None
    node = guest.vm.node()
    cluster.on(node, "rm", guest.vm.runtime_path())
    result = guest.vm.modify("--net", "add", check=False)
    agree("hotplug:done" not in result.output, "%s: %s", guest, result.output)
    self.said = result.output
    result = guest.vm.migrate(check=False)
    self.said += result.output
    agree(result.returncode != 0 and guest.vm.node() == node, "%s: %s", guest,
          result.output)
    agree(guest.vm.running(), "%s does not run", guest)
    self.reboot_hard(guest)
    return node

  def reboot_node(self, node):
    """Have nothing run on a node, and nothing be below its /run."""
    cluster.on(node, "sh", "-c", POWER_CUT, check=False)
    cluster.wait_until(lambda: cluster.on(
      node, "sh", "-c", POWER_CUT.replace("pkill -9", "pgrep"),
      check=False).returncode == 1, "%s: nothing runs" % node, 30, 0.1)
    cluster.on(node, "sh", "-c", "rm -rf /run/ganeti/kvm-hypervisor"
               " /run/ganeti/instance-disks")
    cluster.on(node, "/usr/lib/ganeti/ensure-dirs")
    cluster.start_node_daemon(node)

  def node_rebooted(self, guest):
    """A node reboots, and its guests are started again."""
    node = guest.vm.node()
    there = [g for g in self.guests if g.vm.node() == node and g.runs]
    self.reboot_node(node)
    for one in there:
      self.said += one.vm.start().output
      one.boots()
    return "%s, %d guests" % (node, len(there))
