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

"""The cluster, asked by Ganeti's own commands: on the master only."""

import collections
import json
import os
import re
import subprocess

from ..errors import NodeError
from . import parallel

try:
  from shlex import quote
except ImportError: # Python 2
  from pipes import quote # pylint: disable=deprecated-module

#: One instance of the cluster.
#:   - name: string
#:   - node: string, its primary one
#:   - tags: list of strings
Instance = collections.namedtuple("Instance", ["name", "node", "tags"])

#: What begins and ends a node's part of what gnt-cluster command prints.
_NODE_RE = re.compile(r"^node: (\S+)\s*$", re.M)
_STATUS_RE = re.compile(r"^return code = (\S+)\s*$|^-+\s*$", re.M)

#: How many nodes are asked at the same time; each costs the master a process
#: of Ganeti's and one of ssh.
_NODES_AT_ONCE = 16

#: How many instances' tags are changed at the same time; Ganeti runs at most
#: 20 jobs at once (C{--max-running-jobs}).
_JOBS_AT_ONCE = 8

#: How long the change of an instance's tags may take, in seconds: its job waits
#: for those that have locked the instance.
JOB_LIMIT = 300

#: How long a node may take for the map of its instances, in seconds.
MAP_LIMIT = 120

#: What begins the object in it; ssh may print before and after.
_BEGIN_RE = re.compile(r"^\{$", re.M)

#: What is to be done to the tags of an instance.
#:   - name: string
#:   - removed, added: lists of strings; one of them is not empty
#:   - is_full: bool, whether there is no room for the new beside the old ones
Change = collections.namedtuple("Change", ["name", "removed", "added",
                                           "is_full"])

#: How many an instance may have (MAX_TAGS_PER_OBJ, 2.10 to master).
MAX_TAGS = 4096

#: Not in a node's name, nor in a tag.
_SEPARATOR = "|"


def run(command):
  """Run one of Ganeti's commands.

  @type command: list of strings
  @rtype: string
  @return: what it prints
  @raise NodeError: if it fails

  """
  try:
    process = subprocess.Popen(
      command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, env=dict(os.environ, LC_ALL="C"))
    out, err = [text.decode("utf-8", "replace")
                for text in process.communicate()]
  except EnvironmentError as error:
    raise NodeError("cannot run %s: %s; run this on the master" % (
      command[0], os.strerror(error.errno)))
  if process.returncode:
    raise NodeError("%s exits with status %d: %s" % (
      " ".join(command[:2]), process.returncode, (err or out).strip()))
  return out


def instances():
  """List all KVM instances; no node is asked.

  @rtype: list of L{Instance}
  @raise NodeError: if they cannot be listed

  """
  found = []
  for line in run(["gnt-instance", "list", "--no-headers",
                    "--separator=" + _SEPARATOR, "-o",
                    "name,pnode,hypervisor,tags"]).splitlines():
    fields = line.split(_SEPARATOR)
    if len(fields) == 4 and fields[2] == "kvm":
      found.append(Instance(fields[0], fields[1], sorted(
        tag.strip() for tag in fields[3].split(",")
        if tag.strip() not in ("", "-"))))
  return found


def is_master():
  """Tell whether this node is the master; Ganeti must be importable.

  @rtype: bool

  """
  from ganeti import errors
  from ganeti import ssconf
  try:
    master, this_node = ssconf.GetMasterAndMyself()
  except (errors.GenericError, EnvironmentError):
    # no node of a cluster
    return False
  return master == this_node


def ask(nodes, arguments, limit, progress=None):
  """Run ganeti-kvm-pci on nodes, side by side.

  Each is asked by a command of its own: one that hangs delays no other; and
  given several nodes, Ganeti (2.11 to 3.2, master at c35736d8) puts the master
  at the end of their names, but not of their ssh ports.

  @type nodes: list of strings
  @type arguments: list of strings
  @param arguments: what is said to ganeti-kvm-pci; C{--json} has to be in it
  @type limit: int
  @param limit: how long each node may take, in seconds
  @type progress: function or None
  @param progress: called with how many nodes have been dealt with and how many
      there are: first of all, and after each
  @rtype: dict
  @return: name of a node to the document that it printed, as a dict (see
      doc/output.rst; its C{error} may say why there is nothing in it), or to a
      string that says why there is none

  """
  found = {}
  # what runs on a node must end, too, when nobody waits for it any more
  words = ["timeout", "-k", "5", str(limit), "ganeti-kvm-pci"] + [
    quote(word) for word in arguments]

  def done(node, ended):
    found[node] = _document(ended[-1], limit, arguments[0])
    if progress:
      progress(len(found), len(nodes))

  if progress:
    progress(0, len(nodes))
  parallel.run(
    [(node, [["gnt-cluster", "command", "-n", node] + words])
     for node in nodes], limit, _NODES_AT_ONCE, done)
  return found


def _document(ended, limit, what):
  """Read what was printed for one node.

  @type ended: L{parallel.Ended}
  @type what: string
  @param what: the command of ganeti-kvm-pci that was run there
  @rtype: dict or string
  @return: see L{ask}

  """
  if ended.is_late:
    return "no answer within %d s" % limit
  if ended.status or ended.status is None:
    return _one_line(_failure("gnt-cluster command", ended))
  parts = _NODE_RE.split(ended.out, 1)
  if len(parts) < 3: # it is marked offline
    return "gnt-cluster command asked no node: %s" % (
      _one_line(ended.err or _STATUS_RE.sub("", ended.out)) or
      "it prints nothing")
  for begin in _BEGIN_RE.finditer(parts[2]):
    try:
      return json.JSONDecoder().raw_decode(parts[2][begin.start():])[0]
    except ValueError:
      pass
  return _no_document(parts[2], limit, what)


def _no_document(text, limit, what):
  """Say why a node printed no document.

  @type text: string
  @param text: what it printed
  @rtype: string

  """
  status = _STATUS_RE.search(text)
  said = _one_line(_STATUS_RE.sub("", text))
  if status and status.group(1) == "255" and not said:
    return "ssh does not get there (status 255)"
  if status and status.group(1) in ("124", "137") and not said:
    return "ganeti-kvm-pci %s took more than %d s there" % (what, limit)
  return "ganeti-kvm-pci %s does not work there: %s" % (
    what, said or "it prints nothing")


def _one_line(text):
  return " ".join(text.split())[:200]


def maps(nodes, progress=None, names=()):
  """Ask nodes for the maps of their instances.

  @type nodes: list of strings
  @param progress: see L{ask}
  @type names: collection of strings
  @param names: of instances, if not all are asked for
  @rtype: dict
  @return: name of a node to the entries (see L{report.entry}) of its instances,
      by name, or to a string that says why there are none

  """
  found = ask(nodes, ["map", "--json"] + list(names), MAP_LIMIT, progress)
  return dict((node, _entries(said)) for node, said in found.items())


def _entries(document):
  """Read what a node says of its instances.

  @param document: see L{ask}
  @rtype: see L{maps}

  """
  if not isinstance(document, dict):
    return document
  try:
    if document["error"]:
      return document["error"]
    for entry in document["instances"]:
      if not all("tag" in device for device in entry["devices"]):
        return ("its ganeti-kvm-pci is another release, which names no tags:"
                " install the one of the master there")
    # one that is named, and not there, has no file
    return dict((entry["instance"], entry) for entry in document["instances"]
                if not entry["error"] or entry.get("file"))
  except (KeyError, TypeError):
    return "ganeti-kvm-pci map prints what is no map"


def change_tags(changes, done, limit=JOB_LIMIT):
  """Remove and add tags of instances, of several at the same time.

  An interrupt lets the jobs that run come to their end.

  Tags are added before others are removed: then an instance is not without any
  if the second fails, and the next attempt mends it.

  @type changes: list of L{Change}
  @type done: function
  @param done: called after each instance with its name, the list of the tags
      that were removed, of those that were added, and why that is not all, as a
      string, or None
  @type limit: int
  @param limit: how long each may take, in seconds
  @raise KeyboardInterrupt: if it was interrupted

  """
  wanted = {}
  chains = []
  for name, removed, added, is_full in changes:
    steps = [("add-tags", added), ("remove-tags", removed)]
    wanted[name] = [step for step in (reversed(steps) if is_full else steps)
                    if step[1]]
    chains.append((name, [["gnt-instance", verb, name] + tags
                          for verb, tags in wanted[name]]))

  def all_ended(name, ended):
    error = None
    made = {}
    for (verb, tags), one in zip(wanted[name], ended):
      if one.status == 0:
        made[verb] = tags
      else:
        error = _failure("gnt-instance " + verb, one)
    if error is None and len(ended) < len(wanted[name]):
      error = "interrupted before all its tags were changed"
    done(name, made.get("remove-tags", []), made.get("add-tags", []), error)

  parallel.run(chains, limit, _JOBS_AT_ONCE, all_ended, is_patient=True)


def _failure(command, ended):
  """Say why one of Ganeti's commands did not do what it should.

  @type ended: L{parallel.Ended}
  @rtype: string

  """
  if ended.is_late:
    return ("%s did not end in time; its job may still wait for the instance,"
            " see gnt-job list" % command)
  if ended.status is None:
    return ended.err + "; run this on the master"
  return "%s exits with status %d: %s" % (command, ended.status,
                                          (ended.err or ended.out).strip())
