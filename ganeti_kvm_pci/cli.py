"""The command ganeti-kvm-pci.

Exit status: 0 all is well, 1 something deserves a look, 2 something failed or
was asked for wrongly.

"""

from __future__ import print_function

import argparse
import errno
import json
import os
import sys

from . import __version__
from . import activation
from . import chart
from . import monitor
from . import node
from . import record
from .errors import KvmPciError
from .errors import NodeError
from .partition import QEMU
from .partition import applies

OK = 0
WARNINGS = 1
ERRORS = 2


def _say(text):
  """Print a line, whatever it holds and wherever it goes."""
  stream = getattr(sys.stdout, "buffer", sys.stdout)
  stream.write((text + "\n").encode("utf-8", "replace"))


def _complain(message):
  print("ganeti-kvm-pci: %s" % message, file=sys.stderr)


def _restart(opts, expect_loaded):
  if activation.node_daemon_pid() is None:
    _say("the node daemon is not running")
  elif opts.restart:
    activation.restart(expect_loaded)
    _say("node daemon restarted, %s the plugin" %
          ("with" if expect_loaded else "without"))
  else:
    _say("the node daemon must be restarted for this to take effect"
          " (--restart does it)")


def _enable(opts):
  before = activation.Status()
  status = OK
  if not node.is_rootly(node.package_parent()):
    _complain("warning: %s can be written by others than root; Ganeti's"
              " daemons will run what is in it" % node.package_parent())
    status = WARNINGS
  path, changed = activation.enable()
  _say("%s %s" % ("written:" if changed else "already in place:", path))
  if before.unfit:
    _complain("the plugin will leave this Ganeti alone: %s" % before.unfit)
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
  for path in node.all_runtimes():
    try:
      known = record.parse(node.read_runtime(path), path)
    except KvmPciError:
      continue
    if any(d.device_class == QEMU and known.partition.owner(d.slot) != QEMU
           for d in known.devices):
      found.append(known.instance)
  return found


def _disable(opts):
  path, changed = activation.disable()
  _say("%s %s" % ("removed:" if changed else "not there:", path))
  try:
    loaded = activation.Status().loaded
  except KvmPciError as err:
    _complain("the node daemon was not looked at: %s" % err)
    return WARNINGS
  if loaded:
    _restart(opts, False)
  overflowed = _overflowed() if changed else []
  if overflowed:
    _complain("QEMU's own devices stand beyond their range in %s: stock does"
              " not look for them when it hotplugs there, and may fail until"
              " the next cold boot" % ", ".join(overflowed))
  return WARNINGS if overflowed else OK


def _status(_):
  status = activation.Status()
  _say("\n".join(status.lines()))
  return OK if status.consistent() else WARNINGS


def _runtime_path(name):
  if os.sep in name or name.endswith(".runtime") or os.path.isfile(name):
    return name
  return node.find_runtime(name)


def _map_one(path, live):
  """Read one instance's map.

  @rtype: tuple (L{record.Record}, list of L{chart.Entry})

  """
  known = record.parse(node.read_runtime(path), path)
  if not live:
    return (known, chart.entries(known))
  if not applies(known.hvparams):
    raise NodeError("%s: pci.0 is not the machine's own bus there, which is"
                    " left to stock; map it without --live" % known.instance)
  from . import connection
  socket = os.path.join(node.control_dir("ctrl"), known.instance + ".qmp")
  with connection.connect(socket) as execute:
    functions = monitor.functions(execute)
    return (known,
            chart.entries(known, functions, monitor.peripherals(execute)))


def _map(opts):
  data = []
  status = OK
  paths = opts.names or node.all_runtimes()
  for name in paths:
    try:
      known, found = _map_one(_runtime_path(name), opts.live)
    except KvmPciError as err:
      _complain(err)
      status = ERRORS
      continue
    if opts.json:
      data.append(chart.as_data(known, found))
    else:
      _say(chart.as_text(known, found, opts.live) + "\n")
  if opts.json:
    _say(json.dumps(data, indent=2, sort_keys=True))
  return status


def _parser():
  parser = argparse.ArgumentParser(
    prog="ganeti-kvm-pci", description="Partitioned PCI bus for Ganeti's KVM"
    " instances: QEMU's devices, disks and NICs in slots of their own.")
  parser.add_argument("--version", action="version", version=__version__)
  commands = parser.add_subparsers(dest="command", metavar="COMMAND")
  for name, function, text in (
      ("enable", _enable, "put the plugin into this node's Ganeti"),
      ("disable", _disable, "take it out again")):
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument("--restart", action="store_true",
                         help="restart the node daemon as well")
    # what was enabled can be disabled when Ganeti is broken or gone
    command.set_defaults(function=function, needs_ganeti=True,
                         insists=name == "enable")
  text = "tell which Ganeti this is and whether the plugin is on"
  command = commands.add_parser("status", help=text, description=text)
  command.set_defaults(function=_status, needs_ganeti=True, insists=True)
  text = "draw who sits on which slot of pci.0"
  command = commands.add_parser("map", help=text, description=text)
  command.add_argument("names", nargs="*", metavar="INSTANCE|RUNTIME-FILE",
                       help="by default, all of this node")
  command.add_argument("--live", action="store_true",
                       help="ask the running QEMU, too")
  command.add_argument("--json", action="store_true",
                       help="print a list of objects")
  command.set_defaults(function=_map, needs_ganeti=False, insists=True)
  return parser


def main(argv=None):
  """Run the command.

  @type argv: list of strings or None
  @param argv: arguments; None for those of the process
  @rtype: int
  @return: exit status

  """
  if argv is None:
    argv = sys.argv[1:]
  opts = _parser().parse_args(argv)
  if not opts.command:
    _parser().print_usage(sys.stderr)
    return ERRORS
  try:
    try:
      if opts.needs_ganeti or opts.live:
        node.become_daemon_python(argv)
    except NodeError:
      if opts.insists:
        raise
    status = opts.function(opts)
    sys.stdout.flush()
    return status
  except KvmPciError as err:
    _complain(err)
    return ERRORS
  except EnvironmentError as err:
    if err.errno != errno.EPIPE:
      _complain("cannot write the output: %s" % err.strerror)
    # Python would flush the rest at its end, and complain again
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ERRORS
