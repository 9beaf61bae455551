"""The commands that turn the plugin on and off: enable, disable, status."""

from . import activation
from . import files
from . import intent
from . import ownership
from . import record
from .console import ERRORS
from .console import OK
from .console import WARNINGS
from .console import complain
from .console import say
from .errors import KvmPciError
from .errors import NodeError
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
  for line in ownership.describe(before.hook.writable()):
    complain(line)
    status = WARNINGS if opts.force else ERRORS
  if status == ERRORS:
    complain("not enabled; --force does it nevertheless")
    return status
  changed = activation.enable(before.hook)
  say("%s %s" % ("written:" if changed else "already in place:",
                 before.hook.path))
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
  removed = activation.disable()
  for path in removed:
    say("removed: %s" % path)
  if not removed:
    say("no hook was there, for any Python")
  try:
    after = activation.Status()
  except KvmPciError as err:
    complain("the node daemon was not looked at: %s" % err)
    return WARNINGS
  if after.loaded:
    _restart(opts, False)
  if after.reasons:
    complain("this node will be reported, because %s; take it away with"
             " gnt-cluster remove-tags %s" % (" and ".join(after.reasons),
                                              intent.TAG))
  overflowed = _overflowed() if removed else []
  if overflowed:
    complain("QEMU's own devices stand beyond their range in %s: stock does"
             " not look for them when it hotplugs there, and may fail until"
             " the next cold boot" % ", ".join(overflowed))
  return WARNINGS if overflowed or after.reasons else OK


def judge(found):
  """Complain of what makes the plugin be off, or unsafe, on this node.

  @type found: L{activation.Status}
  @return: exit status

  """
  lines = ownership.describe(found.hook.writable() if found.hooked else [])
  missing = found.missing()
  for line in lines + [missing] * bool(missing):
    complain(line)
  return ERRORS if missing else WARNINGS if lines else OK


def judge_node():
  """The same for a command that is about something else.

  @return: exit status; fine where nothing can be told, for want of a Ganeti

  """
  try:
    return judge(activation.Status())
  except NodeError:
    return OK


def show_status(_):
  """Tell which Ganeti this is and whether the plugin is on."""
  found = activation.Status()
  say("\n".join(found.lines()))
  return max(judge(found), OK if found.consistent() else WARNINGS)
