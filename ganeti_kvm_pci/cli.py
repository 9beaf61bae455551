"""The command ganeti-kvm-pci.

Exit status: 0 all is well, 1 something deserves a look, 2 something failed or
was asked for wrongly.

"""

from __future__ import print_function

import argparse
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

OK = 0
WARNINGS = 1
ERRORS = 2


def _complain(message):
  print("ganeti-kvm-pci: %s" % message, file=sys.stderr)


def _restart(opts, expect_loaded):
  if activation.node_daemon_pid() is None:
    print("the node daemon is not running")
  elif opts.restart:
    activation.restart(expect_loaded)
    print("node daemon restarted, %s the plugin" %
          ("with" if expect_loaded else "without"))
  else:
    print("the node daemon must be restarted for this to take effect"
          " (--restart does it)")


def _enable(opts):
  before = activation.Status()
  path, changed = activation.enable()
  print("%s %s" % ("written:" if changed else "already in place:", path))
  if before.unfit:
    _complain("the plugin will leave this Ganeti alone: %s" % before.unfit)
    return WARNINGS
  if changed or not before.loaded or before.stale:
    _restart(opts, True)
  return OK


def _disable(opts):
  path, changed = activation.disable()
  print("%s %s" % ("removed:" if changed else "not there:", path))
  if activation.Status().loaded:
    _restart(opts, False)
  return OK


def _status(_):
  status = activation.Status()
  print("\n".join(status.lines()))
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
      print(chart.as_text(known, found, opts.live) + "\n")
  if opts.json:
    print(json.dumps(data, indent=2, sort_keys=True))
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
    command.set_defaults(function=function, needs_ganeti=True)
  text = "tell which Ganeti this is and whether the plugin is on"
  command = commands.add_parser("status", help=text, description=text)
  command.set_defaults(function=_status, needs_ganeti=True)
  text = "draw who sits on which slot of pci.0"
  command = commands.add_parser("map", help=text, description=text)
  command.add_argument("names", nargs="*", metavar="INSTANCE|RUNTIME-FILE",
                       help="by default, all of this node")
  command.add_argument("--live", action="store_true",
                       help="ask the running QEMU, too")
  command.add_argument("--json", action="store_true",
                       help="print a list of objects")
  command.set_defaults(function=_map, needs_ganeti=False)
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
    if opts.needs_ganeti or opts.live:
      node.become_daemon_python(argv)
    return opts.function(opts)
  except KvmPciError as err:
    _complain(err)
    return ERRORS
