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

"""Tags by which devices keep their slots: freeze, thaw, frozen.

On the master. See L{frozen} for what the tags say.

"""

from ..bus import current_tags
from ..bus import frozen
from ..errors import NodeError
from ..node import cluster
from ..node import config_data
from ..node import turns
from . import job_hook
from . import report as report_
from .output import WARNINGS
from .output import fail
from .output import tell
from .progress import Progress


#: How long another process is waited for that changes the tags of the same
#: instances, in seconds.
_PATIENCE = 60


def _chosen(opts):
  """List the instances that a command is asked for.

  @rtype: list of L{cluster.Instance}
  @raise NodeError: if there is no such instance

  """
  known = cluster.instances()
  latest = config_data.latest()
  known = [one._replace(**latest.get(one.name, {})) for one in known]
  if opts.node:
    known = [one for one in known if _is_called(one.node, opts.node)]
    if not known:
      raise NodeError("no KVM instance has the primary node %s" % opts.node)
  if not opts.names:
    return known
  found = []
  for name in opts.names:
    fitting = [one for one in known if one.name == name] or \
      [one for one in known if not getattr(opts, "is_hook", False) and
       _is_called(one.name, name)]
    if not fitting:
      raise NodeError("no KVM instance is called %s%s" % (
        name, " on %s" % opts.node if opts.node else ""))
    if len(fitting) > 1:
      raise NodeError("%s may be any of the instances %s: name it in full" % (
        name, ", ".join(one.name for one in fitting)))
    found += [one for one in fitting if one not in found]
  return found


def _is_called(whole, name):
  """Tell whether a host's name is another, or its beginning."""
  return whole == name or whole.startswith(name + ".")


def _own(one):
  return [tag for tag in one.tags if frozen.is_one(tag)]


def _change(opts, entry, one, wanted):
  """Find out how an instance's tags come to be those that are wanted.

  @param entry: see L{report.entry}; with C{--dry-run}, as if it were done
  @rtype: tuple or None
  @return: see L{cluster.change_tags}; None where nothing is to be done

  """
  before = entry["tags"] = _own(one)
  removed = [tag for tag in before if tag not in wanted]
  added = [tag for tag in wanted if tag not in before]
  if not removed and not added:
    return None
  if opts.dry_run:
    entry.update(tags=wanted, removed=removed, added=added, changed=True)
    return None
  # not without any in between, if there is room
  return cluster.Change(one.name, removed, added,
                        len(one.tags) + len(added) > cluster.MAX_TAGS)


def _alone(opts, change):
  """Change the tags of the chosen instances, and keep others from them.

  @type change: function
  @param change: gets C{opts.instances}, and C{opts.busy}: the names of those
      that another process does not leave
  @raise NodeError: if no lock can be had

  """
  opts.instances = _chosen(opts)
  opts.busy = ()
  if opts.dry_run:
    return change(opts)
  names = set(one.name for one in opts.instances)
  with turns.all_turns(names, _PATIENCE) as opts.busy:
    # what others have just written
    opts.instances = [one for one in _chosen(opts) if one.name in names]
    return change(opts)


def _each(opts, look):
  """Look at each instance, then change the tags of those that want it.

  @type look: function
  @param look: C{look(entry, one)} puts what it finds into an entry and returns
      what L{_change} does, and a function that makes the entry the text of it
      for a person
  @raise NodeError: if it was interrupted

  """
  waiting = {}
  changes = []
  for one in opts.instances:
    entry = report_.entry(opts.command, {"instance": one.name})
    change = text = None
    try:
      if one.name in opts.busy:
        raise NodeError(
          "another process (freeze, thaw or a script of Ganeti's hooks) changes"
          " its tags and has not ended within %d s, as its job may wait for the"
          " instance (gnt-job list): run the same command again then" %
          _PATIENCE)
      change, text = look(entry, one)
    except NodeError as err:
      fail(entry, err)
    if change:
      waiting[one.name] = (entry, text)
      changes.append(change)
    else:
      tell(opts, entry, text and text(entry))
  try:
    _make(opts, changes, waiting)
  finally:
    order = dict((one.name, number)
                 for number, one in enumerate(opts.instances))
    opts.report.entries.sort(key=lambda entry: order[entry["instance"]])
  return opts.report.status()


def _make(opts, changes, waiting):
  """Change the tags of instances; tell of each when it is done.

  @param changes: see L{cluster.change_tags}
  @type waiting: dict
  @param waiting: name of an instance to its entry, and to the function that
      makes it a text; what is done is taken out

  """
  shown = Progress(opts, "instances changed")

  def done(name, removed, added, error):
    entry, text = waiting.pop(name)
    entry.update(removed=removed, added=added, changed=bool(removed or added))
    entry["tags"] = sorted(added + [tag for tag in entry["tags"]
                                    if tag not in removed])
    if error:
      fail(entry, error)
    shown.clear()
    tell(opts, entry, None if error else text(entry))
    shown.show(len(changes) - len(waiting), len(changes))

  with shown:
    shown.show(0, len(changes))
    try:
      cluster.change_tags(changes, done, job_hook.TIME_LIMIT if getattr(
        opts, "is_hook", False) else cluster.JOB_LIMIT)
    except KeyboardInterrupt:
      raise NodeError(
        "interrupted: the tags of %d of %d instances were changed; the same"
        " command goes on with the others" % (len(changes) - len(waiting),
                                              len(changes)))


def _saying(state):
  """Return the function that tells a person what was done."""
  return lambda entry: _as_text(entry, state)


def _as_text(entry, state):
  """Tell a person what was done with an instance."""
  lines = ["%s: %s" % (entry["instance"], state)]
  lines += ["  " + remark for remark in entry["remarks"]]
  lines += ["  removed: " + tag for tag in entry["removed"]]
  lines += ["  added: " + tag for tag in entry["added"]]
  return "\n".join(lines)


def freeze(opts):
  """Have the devices of instances keep the slots that they have now.

  @return: exit status

  """
  if opts.is_hook:
    return job_hook.run(opts, _freeze_alone)
  return _alone(opts, _freeze)


def _freeze_alone(opts):
  """Do that for a process that keeps others from its instance already."""
  opts.instances = _chosen(opts)
  opts.busy = ()
  return _freeze(opts)


def _freeze(opts):
  """Write tags, see L{freeze}."""
  if opts.is_update:
    opts.instances = [one for one in opts.instances
                      if opts.names or current_tags.is_frozen(one.tags)]
  with Progress(opts, "nodes asked") as shown:
    maps = cluster.maps(sorted(set(one.node for one in opts.instances)),
                        shown.show, opts.names if opts.is_hook else ())

  def look(entry, one):
    entry["tags"] = _own(one)
    if opts.is_update and not current_tags.is_frozen(one.tags):
      return None, _saying("not frozen, nothing changes")
    found = maps[one.node]
    if not isinstance(found, dict):
      raise NodeError("node %s: %s" % (one.node, found))
    if one.name not in found:
      entry["remarks"].append(
        "not running on %s: there is no layout to keep; the tags stay as they"
        " are" % one.node)
      entry["status"] = 0 if entry["tags"] else WARNINGS
      return None, _saying("left as it is")
    known = found[one.name]
    if known["error"]:
      raise NodeError("node %s: %s" % (one.node, known["error"]))
    own = [device for device in known["devices"] if device["index"] is not None]
    for device in own:
      if not device["tag"]:
        entry["remarks"].append("%s %d is not kept: it has no slot of its own,"
                                " or no uuid" % (device["class"],
                                                 device["index"]))
    wanted = sorted(device["tag"] for device in own if device["tag"])
    if not all(frozen.parse(tag) for tag in wanted):
      # what begins with a dash would be an option of gnt-instance
      raise NodeError("node %s: ganeti-kvm-pci map prints what is no tag" %
                      one.node)
    if own and not wanted:
      entry["status"] = WARNINGS
      return None, _saying("not frozen, none of its devices can be; tags stay"
                           " as they are")
    if opts.is_update:
      wanted = current_tags.updated(one.tags, current_tags.Layout(wanted))
    change = _change(opts, entry, one, wanted)
    if not change and not entry["changed"]:
      return None, _saying("frozen already, nothing changes")
    return change, _saying("up to date (%d tags)" % len(wanted)
                           if opts.is_update else
                           "frozen (%d devices)" % len(wanted))

  return _each(opts, look)


def thaw(opts):
  """Have instances placed by the rules again, from the next cold boot on.

  @return: exit status

  """
  def look(entry, one):
    return (_change(opts, entry, one, []),
            _saying("thawed" if _own(one) else "not frozen, nothing changes"))

  return _alone(opts, lambda _: _each(opts, look))


def show_frozen(opts):
  """List the tags by which devices keep their slots.

  @return: exit status

  """
  opts.instances = _chosen(opts)
  opts.busy = ()

  def look(entry, one):
    entry["tags"] = _own(one)
    return None, lambda _: "\n".join(
      ["%s: %s" % (one.name, "frozen" if entry["tags"] else "not frozen")] +
      ["  " + tag for tag in entry["tags"]])

  return _each(opts, look)
