"""The commands that turn the plugin on and off: enable, disable, status."""

from . import activation
from . import files
from . import node
from . import record
from .console import OK
from .console import WARNINGS
from .console import complain
from .console import say
from .errors import KvmPciError
from .partition import QEMU


def _restart(opts, expect_loaded):
  if activation.node_daemon_pid() is None:
    say("the node daemon is not running")
  elif opts.restart:
    activation.restart(expect_loaded)
    say("node daemon restarted, %s the plugin" %
        ("with" if expect_loaded else "without"))
  else:
    say("the node daemon must be restarted for this to take effect"
        " (--restart does it)")


def enable(opts):
  """Put the plugin into this node's Ganeti."""
  before = activation.Status()
  status = OK
  if not node.is_rootly(node.package_parent()):
    complain("warning: %s can be written by others than root; Ganeti's"
             " daemons will run what is in it" % node.package_parent())
    status = WARNINGS
  path, changed = activation.enable()
  say("%s %s" % ("written:" if changed else "already in place:", path))
  if before.unfit:
    complain("the plugin will leave this Ganeti alone: %s" % before.unfit)
    return WARNINGS
  if changed or not before.loaded or before.stale:
    _restart(opts, True)
  return status


def _overflowed():
  """List the instances on which stock's next hot-add may fail.

  Stock looks for a free slot among disks and NICs alone; where QEMU's own
  devices stand beyond their range, it takes one of theirs.

  """
  found = []
  for path in files.all_runtimes():
    try:
      known = record.parse(files.read(path).text, path)
    except KvmPciError:
      continue
    if any(d.device_class == QEMU and known.partition.owner(d.slot) != QEMU
           for d in known.devices):
      found.append(known.instance)
  return found


def disable(opts):
  """Take it out again."""
  path, changed = activation.disable()
  say("%s %s" % ("removed:" if changed else "not there:", path))
  try:
    loaded = activation.Status().loaded
  except KvmPciError as err:
    complain("the node daemon was not looked at: %s" % err)
    return WARNINGS
  if loaded:
    _restart(opts, False)
  overflowed = _overflowed() if changed else []
  if overflowed:
    complain("QEMU's own devices stand beyond their range in %s: stock does"
             " not look for them when it hotplugs there, and may fail until"
             " the next cold boot" % ", ".join(overflowed))
  return WARNINGS if overflowed else OK


def show_status(_):
  """Tell which Ganeti this is and whether the plugin is on."""
  found = activation.Status()
  say("\n".join(found.lines()))
  return OK if found.consistent() else WARNINGS
