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

#: One instance of the cluster.
#:   - name: string
#:   - node: string, its primary one
#:   - tags: list of strings
Instance = collections.namedtuple("Instance", ["name", "node", "tags"])

#: What begins and ends a node's part of what gnt-cluster command prints.
_NODE_RE = re.compile(r"^node: (\S+)\s*$", re.M)
_END_RE = re.compile(r"^return code = 0\s*$|^-+\s*$", re.M)

#: What begins the object in it; ssh may print before and after.
_BEGIN_RE = re.compile(r"^\{$", re.M)

#: Not in a node's name, nor in a tag.
_SEPARATOR = "|"


def _run(command):
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
      command[0], error.strerror))
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
  for line in _run(["gnt-instance", "list", "--no-headers",
                    "--separator=" + _SEPARATOR, "-o",
                    "name,pnode,hypervisor,tags"]).splitlines():
    fields = line.split(_SEPARATOR)
    if len(fields) == 4 and fields[2] == "kvm":
      found.append(Instance(fields[0], fields[1], sorted(
        tag.strip() for tag in fields[3].split(",")
        if tag.strip() not in ("", "-"))))
  return found


def maps(nodes):
  """Ask nodes for the maps of their instances.

  @type nodes: list of strings
  @rtype: dict
  @return: name of a node to the entries (see L{report.entry}) of its instances,
      by name, or to a string that says why there are none

  """
  if not nodes:
    return {}
  command = ["gnt-cluster", "command"]
  for node in nodes:
    command += ["-n", node]
  parts = _NODE_RE.split(_run(command + ["ganeti-kvm-pci", "map", "--json"]))
  found = dict.fromkeys(nodes, "gnt-cluster command says nothing of it")
  for node, text in zip(parts[1::2], parts[2::2]):
    found[node] = _read(text)
  return found


def _read(text):
  """Read what a node answers, whatever else was printed.

  @rtype: see L{maps}

  """
  begin = _BEGIN_RE.search(text)
  try:
    document = json.JSONDecoder().raw_decode(
      text[begin.start() if begin else 0:])[0]
    if document["error"]:
      return document["error"]
    for entry in document["instances"]:
      if not all("tag" in device for device in entry["devices"]):
        return ("its ganeti-kvm-pci is another release, which names no tags:"
                " install the one of the master there")
    return dict((entry["instance"], entry) for entry in document["instances"])
  except (ValueError, KeyError, TypeError):
    return "ganeti-kvm-pci map does not work there: %s" % (
      " ".join(_END_RE.sub("", text).split())[:200] or "it prints nothing")


def add_tags(name, tags):
  """Add tags to an instance.

  @raise NodeError: if Ganeti does not

  """
  _run(["gnt-instance", "add-tags", name] + tags)


def remove_tags(name, tags):
  """Remove tags of an instance.

  @raise NodeError: if Ganeti does not

  """
  _run(["gnt-instance", "remove-tags", name] + tags)
