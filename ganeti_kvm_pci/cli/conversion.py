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

"""Runtime files are converted for another Ganeti or QEMU, one by one."""

import os

from ..errors import RuntimeFileError
from ..node import guests
from ..node import replacement
from ..node import runtime_files
from ..runtime import device_table
from ..runtime import serialized
from .output import OK
from .output import WARNINGS
from .output import each


def _as_text(entry, dry_run):
  did = "would be written" if dry_run else "written"
  lines = ["%s: %s" % (entry["instance"], "; ".join(entry["remarks"]) or (
    did if entry["changed"] else "nothing to do"))]
  lines.extend("  " + change for change in entry["changes"])
  lines.extend("  warning: " + warning for warning in entry["warnings"])
  if entry["backup"]:
    lines.append("  before: %s" % entry["backup"])
  return "\n".join(lines)


def _convert_one(entry, path, running, convert, opts, listed):
  """Convert one file.

  @type entry: dict
  @param entry: see L{report.entry}
  @param convert: function(runtime, bool) that changes it, and returns two
      lists of strings: changes and warnings; the latter tells whether the file
      is of an instance of this node
  @param listed: see L{replacement.replace}

  """
  seen = runtime_files.read(path)
  loaded = serialized.parse(seen.text, path)
  entry["instance"] = loaded.instance
  if loaded.unknown:
    raise RuntimeFileError(path, "unsupported: %s; not touched" %
                           ", ".join(loaded.unknown))
  if running is False:
    entry["remarks"].append("not running: its next start writes the file anew")
    changes, warnings = [], []
  else:
    changes, warnings = convert(loaded, running is not None)
  # what is written must be what can be read
  device_table.DeviceTable(serialized.Runtime(path, loaded.as_list())
                           if changes else loaded)
  if changes and not opts.dry_run:
    entry["backup"] = replacement.replace(seen, loaded.dump(),
                                          opts.backup_dir, listed)
  entry.update(changes=changes, warnings=warnings, changed=bool(changes),
               status=WARNINGS if warnings else OK)


def convert_files(opts, convert):
  """Convert the runtime files that a command is asked for.

  @param convert: see L{_convert_one}
  @return: exit status

  """
  listed = {}

  def look(entry, path):
    with guests.alone(path) as running:
      _convert_one(entry, path, running, convert, opts, listed)
    return _as_text(entry, opts.dry_run)
  status = each(opts, look)
  folders = set()
  for entry in opts.report.entries:
    if entry["backup"]:
      for written in (entry["file"], entry["backup"]):
        folder = os.path.dirname(os.path.abspath(written))
        folders.update([folder, os.path.dirname(folder)])
  replacement.sync(folders)
  return status
