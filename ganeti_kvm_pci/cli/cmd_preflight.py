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

"""The command that tells what would not migrate, and why: preflight.

On the master, before a node is emptied. The nodes are asked (L{cmd_facts});
what follows from their answers is L{rules}' affair. Nothing is changed.

"""

from ..errors import NodeError
from ..node import cluster
from ..node import destinations
from ..runtime import preflight as rules
from . import preflight_text
from . import report as report_
from .output import ERRORS
from .output import OK
from .output import WARNINGS
from .output import fail
from .output import say
from .output import tell
from .progress import Progress

#: How long a node may take, in seconds; it stops asking its guests before.
LIMIT = 60

_STATUS = {rules.OK: OK, rules.WARNING: WARNINGS, rules.REFUSED: WARNINGS,
           rules.UNKNOWN: ERRORS}


#: What is said of an instance that should not run.
_DOWN = "down, nothing to move"
_FAILOVER = "; gnt-instance failover takes it to another node"


class Answers(object):
  """What nodes say of themselves and of their guests.

  """
  def __init__(self, progress=None):
    """Make an empty one.

    @param progress: see L{cluster.ask}; for both rounds together

    """
    self._documents = {}
    self._progress = progress

  def ask(self, sources, targets, qemus, names=(), limit=LIMIT):
    """Ask nodes.

    @type sources: list of strings
    @param sources: those whose guests are asked for
    @type targets: list of strings
    @param targets: those that have to tell of themselves only
    @type qemus: list of strings
    @param qemus: paths of the QEMUs that guests may need there
    @type names: list of strings
    @param names: those instances alone; empty for all

    """
    more = [word for path in qemus for word in ("--qemu", path)]
    total = len(sources) + len(targets)
    for nodes, words, before in ((targets, ["--no-guests"], 0),
                                 (sources, list(names), len(targets))):
      if nodes:
        self._documents.update(cluster.ask(
          nodes, ["facts", "--json"] + words + more, limit,
          self._progress and
          (lambda done, _, before=before: self._progress(before + done,
                                                          total))))

  def node(self, name):
    """Return what a node says of itself.

    @rtype: dict
    @return: C{node} of C{facts}, with C{qemus}
    @raise NodeError: if it says nothing

    """
    document = self._document(name)
    try:
      return dict(document["node"], qemus=document["qemus"])
    except (KeyError, TypeError):
      raise _no_facts(name)

  def guest(self, node, name):
    """Return what a node says of an instance.

    @rtype: dict or None
    @return: None if it does not run there
    @raise NodeError: if it says nothing

    """
    try:
      found = [entry for entry in self._document(node)["instances"]
               if entry["instance"] == name]
      if found and found[0]["error"]:
        raise NodeError("node %s: %s" % (node, found[0]["error"]))
      return found[0] if found and found[0]["running"] else None
    except (KeyError, TypeError):
      raise _no_facts(node)

  def _document(self, name):
    document = self._documents[name]
    if not isinstance(document, dict):
      raise NodeError("node %s: %s" % (name, document))
    if document.get("error"):
      raise NodeError("node %s: %s" % (name, document["error"]))
    return document


def _no_facts(name):
  return NodeError("node %s: its ganeti-kvm-pci is another release: install the"
                   " one of the master there" % name)


def _judge(entry, one, targets, answers, uuids, jobs):
  """Find out whether an instance can migrate to each of some nodes.

  @param entry: see L{report.entry}
  @type one: L{destinations.Guest}
  @type targets: list of strings
  @type answers: L{Answers}
  @param uuids: see L{rules.of_guest}
  @param jobs: see L{rules.of_guest}
  @raise NodeError: if its own node does not say enough

  """
  source = answers.node(one.node)
  guest = answers.guest(one.node, one.name)
  if guest is not None and not set(
      report_.entry("facts", {})).issubset(guest):
    raise _no_facts(one.node)
  common = rules.Reasons()
  if guest is None:
    common.add(rules.REFUSED, "it should run on node %s, and does not: start it"
               " (gnt-instance start), or note that it is down (gnt-instance"
               " shutdown)" % one.node)
  else:
    common = rules.of_guest(guest, uuids, jobs)
    entry["machine_type"] = guest["machine_type"]
  entry["reasons"] = common.found
  for name in targets:
    found = rules.Reasons()
    try:
      if guest is not None:
        found = _of_target(guest, source, answers, name)
    except NodeError as err:
      found.add(rules.UNKNOWN, str(err))
    entry["targets"].append({
      "node": name, "reasons": found.found,
      "verdict": rules.worst([common.verdict(), found.verdict()])})


def _of_target(guest, source, answers, name):
  """Do what L{rules.of_target} does, with a node that may say less.

  @raise NodeError: if it does

  """
  target = answers.node(name)
  try:
    return rules.of_target(guest, source, target)
  except (KeyError, TypeError):
    raise _no_facts(name)


def _complete(entry):
  """Sum an entry up."""
  if entry["error"]:
    entry["verdict"] = rules.UNKNOWN
  else:
    entry["verdict"] = rules.worst(
      [reason["verdict"] for reason in entry["reasons"]] +
      [target["verdict"] for target in entry["targets"]])
    entry["status"] = _STATUS[entry["verdict"]]


def preflight(opts):
  """Tell which instances of nodes could not migrate, and why.

  @return: exit status

  """
  known = destinations.nodes()
  sources = sorted(known) if opts.is_all else \
    destinations.chosen(known, opts.names)
  guests = [(one, destinations.of(one, known)) for one in destinations.guests()
            if one.node in sources]
  answers = _ask(opts, [found for found in guests if found[0].is_up])
  uuids = destinations.disk_uuids()
  jobs = destinations.jobs()
  for one, (names, reason) in guests:
    entry = report_.entry(opts.command, {
      "instance": one.name, "node": one.node, "template": one.template})
    if one.is_up:
      try:
        _judge(entry, one, names, answers, uuids.get(one.name),
               [job for job in jobs if "(%s)" % one.name in job])
      except NodeError as err:
        fail(entry, err)
      if reason:
        entry["reasons"].append({"verdict": rules.REFUSED, "text": reason})
    else:
      entry["remarks"].append(_DOWN + _FAILOVER * bool(names))
    _complete(entry)
    tell(opts, entry, None)
  if not opts.json:
    say("\n".join(preflight_text.lines(opts.report.entries, sources)))
  return opts.report.status()


def _ask(opts, guests):
  """Ask all nodes that have to do with some instances.

  @type guests: list of tuples
  @param guests: L{destinations.Guest}, and L{destinations.of} of it
  @rtype: L{Answers}

  """
  sources = sorted(set(one.node for one, _ in guests))
  targets = set(name for _, (names, _) in guests for name in names)
  with Progress(opts, "nodes asked") as shown:
    answers = Answers(shown.show)
    answers.ask(sources, sorted(targets.difference(sources)),
                sorted(set(one.qemu for one, _ in guests if one.qemu)))
  return answers
