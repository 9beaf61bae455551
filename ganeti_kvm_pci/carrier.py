"""The commands that carry records over: upgrade, downgrade."""

import os

from . import files
from . import node
from . import normal
from . import older
from . import record
from . import runtime
from . import series
from .console import ERRORS
from .console import OK
from .console import WARNINGS
from .console import chosen
from .console import complain
from .console import say
from .console import say_json
from .errors import KvmPciError
from .errors import RecordError


class _Result(object):
  """What became of one file; C{vars()} of it is what C{--json} prints."""

  def __init__(self, path):
    self.file = path
    self.instance = None
    self.changes = []
    self.warnings = []
    self.written = False
    self.backup = None
    self.error = None
    self.remark = None

  def status(self):
    """Return the exit status that this one calls for."""
    return ERRORS if self.error else WARNINGS if self.warnings else OK

  def show(self, dry_run):
    """Print it for a person."""
    name = self.instance or self.file
    if self.error:
      complain(self.error)
      return
    did = "would be written" if dry_run else "written"
    say("%s: %s" % (name, self.remark or (
      did if self.changes else "nothing to do")))
    for change in self.changes:
      say("  " + change)
    for warning in self.warnings:
      say("  warning: " + warning)
    if self.backup:
      say("  before: %s" % self.backup)


def _carry_one(path, convert, opts):
  """Convert one file.

  @param convert: function(runtime) that changes it, and returns two lists of
      strings: changes and warnings
  @rtype: L{_Result}

  """
  result = _Result(path)
  try:
    with files.alone(path) as running:
      _convert_one(result, path, running, convert, opts)
  except KvmPciError as err:
    result.error = str(err)
  return result


def _convert_one(result, path, running, convert, opts):
  seen = files.read(path)
  loaded = runtime.parse(seen.text, path)
  result.instance = loaded.instance
  if loaded.unknown:
    raise RecordError(path, "no Ganeti that is known writes %s; not touched" %
                      ", ".join(loaded.unknown))
  if running is False:
    result.remark = "not running: its next start writes the file anew"
  else:
    result.changes, result.warnings = convert(loaded)
  # what is written must be what can be read
  record.Record(runtime.Runtime(path, loaded.as_list()))
  if result.changes and not opts.dry_run:
    result.backup = files.replace(seen, loaded.dump(), opts.backup_dir)
    result.written = True


def _carry(opts, convert):
  results = []
  folders = set()
  for name in chosen(opts):
    try:
      path = files.named(name)
    except KvmPciError as err:
      result = _Result(name)
      result.error = str(err)
    else:
      result = _carry_one(path, convert, opts)
    results.append(result)
    if result.written:
      for written in (path, result.backup):
        folder = os.path.dirname(os.path.abspath(written))
        folders.update([folder, os.path.dirname(folder)])
  status = OK
  try:
    files.sync(folders)
  except KvmPciError as err:
    complain(err)
    status = ERRORS
  if opts.json:
    say_json([vars(result) for result in results])
  else:
    for result in results:
      result.show(opts.dry_run)
  return max([status] + [result.status() for result in results])


def upgrade(opts):
  """Bring runtime files into the form of this node's Ganeti."""
  wanted = series.parse(opts.to) if opts.to else node.series()
  return _carry(opts, lambda loaded: (normal.normalise(loaded, wanted), []))


def downgrade(opts):
  """Bring runtime files into the form of the series before it."""
  wanted = series.parse(opts.to) if opts.to else series.previous(node.series())
  return _carry(opts, lambda loaded: older.downgrade(loaded, wanted))
