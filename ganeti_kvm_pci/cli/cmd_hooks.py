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

"""What the scripts run that Ganeti runs with its jobs (L{hooks}).

Of C{gnt-cluster verify} (C{cluster-verify-post.d}, on every node): Ganeti
prints what a script says only if it fails, as a warning and as an error of the
node (ENODEHOOKS), which it calls by its UUID; from 2.10 to master the same
(HooksCallBack of LUClusterVerifyGroup, RunPhase of HooksMaster). Of
C{gnt-instance migrate} (C{instance-migrate-pre.d}): a script that fails ends
the job, and what it says is in the job's error.

"""

import os

from .. import clock
from ..node import activation
from ..node import cluster
from ..node import destinations
from ..node import installation
from ..node import runtime_files
from ..runtime import preflight as rules
from . import cmd_check
from . import cmd_preflight
from . import outdated_qemu
from .output import OK
from .output import WARNINGS
from .output import about
from .output import collecting
from .output import say

#: After how many seconds gnt-cluster verify is not kept any longer; Ganeti
#: itself would wait for 15 minutes.
VERIFY_LIMIT = 60

#: How many findings are said at most.
SHOWN = 20

#: How long another operation on an instance may take until the instance is left
#: out, in seconds.
PATIENCE = 1

#: How long a node may take while a migration waits, in seconds.
MIGRATE_LIMIT = 20


def verify(opts):
  """Say what C{check --live} finds on this node, for gnt-cluster verify.

  Nothing is said where the plugin is off and need not be on.

  @return: exit status

  """
  state = activation.Status()
  if not state.hooked and not state.missing():
    return OK
  deadline = clock.monotonic() + VERIFY_LIMIT
  late = []
  opts.live, opts.patience, opts.skips_busy = True, PATIENCE, True
  with collecting(opts.report):
    is_json, opts.json = opts.json, True
    for path in runtime_files.all_runtimes():
      if clock.monotonic() > deadline:
        late.append(runtime_files.instance_of(path))
        continue
      opts.names = [path]
      cmd_check.check(opts, lambda _: OK)
    opts.json = is_json
  texts = [state.missing()] if state.missing() else []
  for entry in opts.report.entries:
    texts += [about(entry, "%s: %s" % (finding["severity"], finding["text"]))
              for finding in entry["findings"]
              if finding["severity"] != "info" and
              finding["text"] != _outdated(entry)]
    if entry["error"]:
      texts.append(about(entry, "error: %s" % entry["error"]))
  if late:
    texts.append("not looked at within %d s: %s" % (VERIFY_LIMIT,
                                                    ", ".join(late)))
  if texts:
    say("node %s: %s" % (destinations.here(), _in_one_line(texts)))
  return WARNINGS if texts else OK


def _outdated(entry):
  """Return the finding that its QEMU is not the installed one, or None.

  After each update of QEMU that is so for all guests. It is for those who
  watch the nodes; no cluster is out of order by it.

  """
  reason = (entry["qemu"] or {}).get("outdated")
  return reason and outdated_qemu.explain(reason)


def _in_one_line(texts):
  """Join what was found.

  The node daemon makes C{\\n} of the end of a line (SafeEncode in
  lib/utils/text.py, 2.10 to master).

  """
  more = len(texts) - SHOWN
  return " | ".join(texts[:SHOWN] + (
    ["and %d more: see ganeti-kvm-pci check --live there" % more]
    if more > 0 else []))


def before_migration(_):
  """Refuse a migration that is sure to fail, before anything is done.

  Where it cannot be told, nothing is said.

  @return: exit status

  """
  asked = [os.environ.get("GANETI_" + name) for name in (
    "INSTANCE_NAME", "OLD_PRIMARY", "NEW_PRIMARY")]
  if not all(asked) or os.environ.get("GANETI_MIGRATE_CLEANUP") == "True" or \
      os.environ.get("GANETI_INSTANCE_HYPERVISOR") != "kvm":
    return OK
  try:
    # on the other nodes, it runs at the same time
    if not cluster.is_master():
      return OK
    # Ganeti's own has no /usr/local
    os.environ["PATH"] = os.pathsep.join(
      [os.environ.get("PATH", os.defpath),
       os.path.dirname(installation.daemon_script())])
    reasons = _reasons(*asked)
  except Exception: # pylint: disable=broad-except
    # whatever the reason: the migration is not to fail by it
    return OK
  if reasons:
    say("Instance %s cannot migrate to %s: %s" % (asked[0], asked[2],
                                                  _in_one_line(reasons)))
  return WARNINGS if reasons else OK


def _reasons(name, source, target):
  """Find why an instance is sure not to migrate.

  @rtype: list of strings
  @raise KvmPciError: if that cannot be told

  """
  answers = cmd_preflight.Answers()
  answers.ask([source], [], [], [name], MIGRATE_LIMIT)
  guest = answers.guest(source, name)
  # who changes its devices just now may change this as well
  if guest is None or guest["is_busy"]:
    return []
  here = answers.node(source)
  answers.ask([], [target], [guest["qemu"]], [], MIGRATE_LIMIT)
  found = (rules.of_guest(guest, destinations.disk_uuids().get(name), []).found
           + rules.of_target(guest, here, answers.node(target)).found)
  return [reason["text"] for reason in found
          if reason["verdict"] == rules.REFUSED]
