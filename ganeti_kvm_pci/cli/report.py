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

"""What the commands tell a program: one document, of one shape for all.

C{doc/output.rst} describes it, C{doc/output-schema.json} too, for programs.
Who adds a key keeps the version; who takes one away, or changes what it means,
raises it.

"""

VERSION = 2

#: What each entry has, whatever the command, and whatever became of it.
_COMMON = {"instance": None, "file": None, "status": 0, "changed": False,
           "remarks": [], "error": None}

#: What it has beside, by command.
_OWN = {
  "map": {"partition": None, "devices": []},
  "check": {"findings": [], "repaired": [], "backup": None, "free": None,
            "refusals": None, "removals": [], "qemu": None},
  "plan": {"partition": None, "moves": [], "hotplug": []},
  "devices": {"disks": [], "nics": []},
  "facts": {"running": False, "qemu": None, "qemu_version": None,
            "machine_type": None, "written_type": None, "chipset": None,
            "problems": [], "disks": None, "inside": [], "requested": [],
            "removed_options": [], "has_acpi_index": False, "is_busy": False,
            "is_leaving": False},
  "preflight": {"node": None, "template": None, "machine_type": None,
                "verdict": None, "reasons": [], "targets": []},
  "upgrade": {"changes": [], "warnings": [], "backup": None},
  }
_OWN["downgrade"] = _OWN["upgrade"]
_OWN["hook-verify"] = _OWN["check"]
for _name in ("freeze", "thaw", "frozen"):
  _OWN[_name] = {"tags": [], "added": [], "removed": []}


class Entry(dict):
  """What is told of one instance.

  @ivar failure: KvmPciError or None, why it could not be looked at; of that,
      the document has the text alone

  """
  failure = None


def entry(command, found):
  """Complete what was found at one instance.

  @type command: string
  @type found: dict
  @param found: what differs from the entry of an instance of which nothing
      is to be told
  @rtype: L{Entry}

  """
  made = Entry((key, list(value) if isinstance(value, list) else value)
              for part in (_COMMON, _OWN[command])
              for key, value in part.items())
  made.update(found)
  return made


class Report(object):
  """What one run of a command tells.

  @ivar entries: list of dicts, see L{entry}
  @ivar changed: bool, whether something was changed on the node; with
      C{--dry-run}, whether it would be
  @ivar node: dict or None, the plugin's state on the node
  @ivar node_status: exit status by that alone, of C{check}
  @ivar qemus: dict, path of a QEMU of the node to what it is
  @ivar said: list of strings, what a person is told beside
  @ivar warnings: list of strings, what a person has to do something about
  @ivar error: string or None, why nothing, or not all, was done

  """
  def __init__(self, command, dry_run=False):
    self.command = command
    self.dry_run = dry_run
    self.entries = []
    self.changed = False
    self.node = None
    self.node_status = 0
    self.qemus = {}
    self.said = []
    self.warnings = []
    self.error = None

  def status(self):
    """Return the exit status that the entries call for."""
    return max([0] + [found["status"] for found in self.entries])

  def document(self, status):
    """Return what is printed.

    @param status: exit status of the command
    @rtype: dict

    """
    return {
      "version": VERSION, "command": self.command, "status": status,
      "dry_run": self.dry_run,
      "changed": self.changed or any(e["changed"] for e in self.entries),
      "error": self.error, "messages": self.said, "warnings": self.warnings,
      "node": self.node, "qemus": self.qemus, "instances": self.entries,
      }
