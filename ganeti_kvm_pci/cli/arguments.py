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

"""What can be said to the command ganeti-kvm-pci."""

import argparse
import sys

from .. import __version__
from .. import qemu_version
from ..qemu import acpi_index
from . import cmd_check
from . import cmd_devices
from . import cmd_disable
from . import cmd_downgrade
from . import cmd_enable
from . import cmd_facts
from . import cmd_freeze
from . import cmd_hooks
from . import cmd_map
from . import cmd_plan
from . import cmd_preflight
from . import cmd_status
from . import cmd_upgrade
from . import monitoring
from . import plan_hotplug
from .output import say
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
    if name == "freeze":
      command.add_argument("--update", dest="is_update", action="store_true",
                           help="of instances that are frozen, add the tags"
                           " of devices that have none, and remove those whose"
                           " slot another has; the others stay")
      command.add_argument("--hook", dest="is_hook", action="store_true",
                           help="the same for the instance of a job, as the"
                           " scripts of enable --hooks run it")


def _add_before_migrations(add):
  """Add the commands that tell what would not migrate.

  @param add: function that adds one

  """
  command = add("preflight", cmd_preflight.preflight, "tell which instances of"
                " nodes would not migrate, and why (on the master)")
  command.add_argument("names", nargs="*", metavar="NODE")
  command.add_argument("--all", dest="is_all", action="store_true",
                       help="all nodes")
  command = add("facts", cmd_facts.show_facts, "tell what preflight asks a node"
                " for")
  command.add_argument("names", nargs="*", metavar="INSTANCE")
  command.add_argument("--no-guests", action="store_true",
                       help="tell of the node alone")
  command.add_argument("--qemu", action="append", dest="qemus", metavar="PATH",
                       help="tell of this QEMU as well")
  for name, function, text in (
      ("hook-verify", cmd_hooks.verify, "say what check --live finds, for"
       " gnt-cluster verify"),
      ("hook-migrate", cmd_hooks.before_migration, "refuse a migration that is"
       " sure to fail, before gnt-instance migrate")):
    # whatever goes wrong, the latter lets the migration go on
    add(name, function, text, ganeti=name != "hook-migrate").set_defaults(
      repair=False, qemu=None, pending=False)


def make():
  """Make the parser of all commands.

  @rtype: argparse.ArgumentParser
  @return: what it parses has the command's C{function}

  """
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
  enable.add_argument("--refuse-migrations", action="store_true",
                      help="write the script as well that refuses, before"
                      " anything is done, a migration that is sure to fail")
  enable.add_argument("--hooks", action="store_true", help="write the scripts"
                      " that Ganeti runs with its jobs as well, which keep the"
                      " tags of frozen instances up to date, and say with"
                      " gnt-cluster verify what check finds; on all nodes."
                      " Later, enable alone refreshes them")
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
  monitoring.add_arguments(command)
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
  plan_hotplug.add_arguments(command)
  command = add("devices", cmd_devices.show_devices, "show which disk and NIC"
                " is which in the running guest (on the node where it runs)")
  command.add_argument("names", nargs="+", metavar="INSTANCE")
  _add_for_the_cluster(add)
  _add_before_migrations(add)
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
