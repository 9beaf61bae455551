"""C{check --repair --pending}: removals that a guest has completed late.

What Ganeti's watcher runs every few minutes (L{watcher}). So it asks the guests
only that were asked for something, and changes nothing else: what a guest
ejected by itself stays in its runtime file.

"""

import os

from . import backends
from . import checkup
from . import files
from . import lock
from . import monitor
from . import pending
from . import record
from .partition import NIC


def waiting():
  """List the runtime files of guests that were asked for something.

  @rtype: list of strings
  @raise NodeError: if they cannot be listed

  """
  return [path for path in files.all_runtimes()
          if os.path.exists(pending.path_for(path))]


def of(path):
  """Find what an instance's guest was asked for.

  @param path: the runtime file
  @rtype: L{pending.Pending} or None
  @return: None for a file that is not one of a running guest on this node

  """
  if not files.runs(path):
    return None
  return pending.Pending(files.own_path(path), files.pid_of(path))


def requests(path):
  """Read what an instance's guest was asked for.

  @rtype: dict
  @return: see L{pending.Pending.requests}

  """
  found = of(path)
  return found.requests() if found else {}


def settle(result, execute, seen, loaded):
  """Finish the removals that the guest has completed.

  @param result: its C{repaired} (list of strings) and C{backup} (path) are to
      say what was changed
  @param execute: see L{monitor}
  @type seen: L{files.Seen}
  @type loaded: L{runtime.Runtime}
  @param loaded: what is in that; is changed
  @raise KvmPciError: if it cannot be finished

  """
  noted = of(seen.path)
  asked = noted.requests() if noted else {}
  ids = monitor.ids(execute)
  completed = set(asked) - ids
  if not completed:
    return
  known = record.Record(loaded)
  gone = [device for device in known.lost(ids, monitor.held(execute))
          if device.id in completed]
  for device in gone:
    if device.device_class == NIC:
      backends.close_descriptors(execute, device.id)
  changes = checkup.drop(loaded, [device for device in gone
                                  if not asked[device.id].stays])
  if changes:
    result.backup = files.replace(seen, loaded.dump())
    files.sync(set(os.path.dirname(os.path.abspath(path))
                   for path in (seen.path, result.backup)))
    result.repaired.extend(changes)
  noted.keep(ids)
  for device in gone:
    result.repaired.extend(
      "%s, which nothing uses: removed" % what for what in backends.take_back(
        execute, device.device_class, device.id, known.command))


def alone(path, opts):
  """Keep others from an instance's devices, as long as a command needs it.

  @param opts: of C{check}
  @return: a context, see L{files.alone}

  """
  if opts.pending:
    # an operation that has them settles what there is, too
    return files.alone(path, 0)
  return files.alone(path) if opts.live or opts.repair else lock.nothing()
