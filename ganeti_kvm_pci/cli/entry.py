#
#

# Copyright (C) 2026 the Ganeti project
# All rights reserved.
#
# Redistribution and use in source and binary forms, with or without
# modification, are permitted provided that the following conditions are
# met:
#
# 1. Redistributions of source code must retain the above copyright notice,
# this list of conditions and the following disclaimer.
#
# 2. Redistributions in binary form must reproduce the above copyright
# notice, this list of conditions and the following disclaimer in the
# documentation and/or other materials provided with the distribution.
#
# THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS
# IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED
# TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR
# PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
# CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL,
# EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
# PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
# PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF
# LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
# NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS
# SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

"""The command ganeti-kvm-pci.

Exit status: 0 all is well, 1 something deserves a look, 2 something failed or
was asked for wrongly.

"""

import argparse
import sys

from .. import __version__
from .. import qemu_version
from ..errors import KvmPciError
from ..errors import NodeError
from ..errors import OutputError
from ..errors import show
from ..node import installation
from ..node import runtime_files
from ..qemu import acpi_index
from . import cmd_check
from . import cmd_disable
from . import cmd_downgrade
from . import cmd_enable
from . import cmd_freeze
from . import cmd_map
from . import cmd_plan
from . import cmd_status
from . import cmd_upgrade
from . import report
from .output import ERRORS
from .output import collecting
from .output import complain
from .output import flush
from .output import open_streams
from .output import say
from .output import say_json
from .output import say_usage


class _Parser(argparse.ArgumentParser):
  """Prints as the commands do."""

  # all that argparse prints
  def _print_message(self, message, file=None):
    if message and file is sys.stdout:
      say(message.rstrip("\n"))
    elif message:
      say_usage(message.rstrip("\n"))


def _slots(text):
  value = int(text)
  if not 0 <= value <= 32:
    raise ValueError
  return value


def _add_for_the_cluster(add):
  """Add the commands that are for the master.

  @param add: function that adds one

  """
  for name, function, text in (
      ("freeze", cmd_freeze.freeze, "have the devices of instances keep the"
       " slots that they have now, by tags (on the master)"),
      ("thaw", cmd_freeze.thaw, "remove these tags (on the master)"),
      ("frozen", cmd_freeze.show_frozen, "list these tags (on the master)")):
    command = add(name, function, text)
    command.add_argument("names", nargs="*", metavar="INSTANCE")
    command.add_argument("--all", dest="is_all", action="store_true",
                         help="all KVM instances")
    command.add_argument("--node", metavar="NODE",
                         help="those with this primary node")
    if name != "frozen":
      command.add_argument("--dry-run", action="store_true",
                           help="show what would change, and change nothing")


def _parser():
  parser = _Parser(
    prog="ganeti-kvm-pci", description="Partitioned PCI bus for Ganeti's KVM"
    " instances: QEMU's devices, disks and NICs in slots of their own.")
  parser.add_argument("--version", action="version", version=__version__)
  commands = parser.add_subparsers(dest="command", metavar="COMMAND")

  def add(name, function, text, ganeti=True):
    """Add a command.

    @param ganeti: whether it fails where there is no Ganeti (True, False); or
        "unless files" where what it is asked for may be files alone

    """
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(function=function, ganeti=ganeti)
    command.add_argument("--json", action="store_true",
                         help="print one object, for programs")
    return command

  def add_for_instances(*args):
    command = add(*args, ganeti="unless files")
    command.add_argument("names", nargs="*", metavar="INSTANCE|RUNTIME-FILE",
                         help="by default, all of this node; a file has a / or"
                         " the ending .runtime")
    return command

  # what was enabled can be disabled without a working Ganeti
  enable = add("enable", cmd_enable.enable, "enable the plugin on this node")
  enable.add_argument("--force", action="store_true", help="even if others than"
                      " root can write the code")
  for command in (
      enable,
      add("disable", cmd_disable.disable, "disable the plugin on this node",
          ganeti=False)):
    command.add_argument("--restart", action="store_true",
                         help="restart the node daemon as well")
  add("status", cmd_status.show_status,
      "show this node's Ganeti and whether the plugin is on")
  for command in (
      add_for_instances("map", cmd_map.show_map,
                        "show which device has which slot of pci.0"),
      add_for_instances("check", cmd_check.check,
                        "report devices that have a wrong slot")):
    command.add_argument("--live", action="store_true",
                         help="ask the running QEMU as well")
  command.add_argument("--repair", action="store_true", help="write to the"
                       " runtime file what the running QEMU has, as far as that"
                       " is known; remove files that are no longer needed")
  command.add_argument("--qemu", type=qemu_version.parse, metavar="VERSION",
                       help="report what a node with this QEMU could not"
                       " start; by default (with --live), this node's QEMU")
  command.add_argument("--pending", action="store_true", help="with --repair:"
                       " finish only unplugs that timed out and that the guest"
                       " has completed since; print nothing else (for Ganeti's"
                       " watcher)")
  command = add_for_instances(
    "plan", cmd_plan.plan, "show which devices move at the next cold boot")
  command.add_argument("--reservations", type=_slots, metavar="N",
                       help="plan for this kvm_pci_reservations")
  command.add_argument("--machine", dest="machine_type", metavar="TYPE",
                       help="plan for this machine_version, e.g. q35")
  command.add_argument("--acpi-index", action="store_true",
                       help="plan for the tag %s" % acpi_index.TAG)
  command.add_argument("--frozen", action="store_true", help="plan for an"
                       " instance that is frozen as it is now")
  _add_for_the_cluster(add)
  for name, command, whose in (
      ("upgrade", add_for_instances(
        "upgrade", cmd_upgrade.upgrade, "convert the runtime files of"
        " running guests to the form of this node's Ganeti; no device moves"),
       "this node's"),
      ("downgrade", add_for_instances(
        "downgrade", cmd_downgrade.downgrade, "convert the runtime files of"
        " running guests to the form that an older Ganeti reads; no device"
        " moves"), "the one before this node's")):
    command.add_argument("--to", metavar="VERSION", help="e.g. 2.15;"
                         " by default, %s" % whose)
    if name == "upgrade":
      command.add_argument("--qemu", type=qemu_version.parse, metavar="VERSION",
                           help="the oldest QEMU that has to understand the"
                           " options that replace removed ones; by default,"
                           " this node's")
    command.add_argument("--dry-run", action="store_true",
                         help="show what would change, and change nothing")
    command.add_argument("--backup-dir", metavar="DIR", help="keep the replaced"
                         " files there; by default, beside the file, or for an"
                         " instance of this node in kvm-pci/ beside its folder,"
                         " until its QEMU ends")
  return parser


def _needs_ganeti(opts):
  if opts.ganeti != "unless files":
    return opts.ganeti
  # what a carried file is to be depends on it: not to be guessed
  return (getattr(opts, "live", False) or getattr(opts, "repair", False) or
          not getattr(opts, "to", True) or not opts.names or
          not all(runtime_files.is_path(name) for name in opts.names))


def main(argv=None):
  """Run the command.

  @type argv: list of strings or None
  @param argv: arguments; None for those of the process
  @rtype: int
  @return: exit status

  """
  if argv is None:
    argv = sys.argv[1:]
  open_streams()
  try:
    parser = _parser()
    try:
      opts = parser.parse_args(argv)
      if getattr(opts, "pending", False) and not opts.repair:
        parser.error("--pending needs --repair")
      if opts.command in ("freeze", "thaw") and not (
          opts.names or opts.is_all or opts.node):
        parser.error("%s needs an INSTANCE, --node, or --all" % opts.command)
    except SystemExit:
      flush()
      raise
    if not opts.command:
      parser.print_usage(sys.stderr)
      return ERRORS
    opts.report = report.Report(opts.command, getattr(opts, "dry_run", False))
    if opts.json:
      with collecting(opts.report):
        status = _run(opts, argv)
      say_json(opts.report.document(status))
    else:
      status = _run(opts, argv)
    flush()
    return status
  except OutputError as err:
    if not err.is_unwanted:
      complain(err)
    return ERRORS


def _run(opts, argv):
  """Run the command's function.

  @return: exit status; the error that ended it is in the report

  """
  try:
    try:
      # it alone knows where its files are
      installation.become_daemon_python(argv)
    except NodeError:
      if _needs_ganeti(opts):
        raise
    return opts.function(opts)
  except OutputError:
    raise
  except (KvmPciError, EnvironmentError) as err:
    opts.report.error = show(err)
    if not opts.json:
      complain(opts.report.error)
    return ERRORS
