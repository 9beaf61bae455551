"""Ganeti's master, as far as it migrates an instance: its calls in their order.

It is told in C{TLMigrateInstance} of C{cmdlib/instance_migration.py} (3.0.2):
what it does when a call fails, and what C{gnt-instance migrate --cleanup} does.
Each call runs in a process of its own, as in the node daemon up to 3.1.

"""

import json
import os
import time

from ganeti import utils

import child_processes
import kill_points

#: Where QEMU of the source sends to, and where that of the target listens.
SENT_TO, LISTENS = 8103, 8102

HERE = "127.0.0.1"

SOURCE, TARGET = "source", "target"


class Failed(Exception):
  """What a job ends with."""


class Master(object):
  """The master of a L{test_migration.Pair}.

  @ivar primary: the node that the configuration has the instance on
  @ivar down: set of nodes whose node daemon does not run
  @ivar fatal: dict, (side, method) to the number of the point to die at
  @ivar points: dict, (side, method) to the points of the last call that ended
  @ivar said: list of errors of calls, which a job logs

  """
  def __init__(self, pair):
    self.pair = pair
    self.primary = pair.source
    self.down = set()
    self.fatal = {}
    self.points = {}
    self.said = []

  def node(self, side):
    return getattr(self.pair, side)

  def rpc(self, side, method, *args):
    """Call a node's hypervisor.

    @return: result, error; one of them is None, or both

    """
    node = self.node(side)
    if node in self.down:
      return self._failed(side, method, "the node daemon does not answer")
    path = os.path.join(node.folder, "reply")
    fatal = self.fatal.pop((side, method), 0)

    def call():
      points = kill_points.Points(node.hyper, fatal, kill_points.pending())
      for owner, name in ((node.hyper, "_RunKVMCmd"), (utils, "KillProcess"),
                          (os, "link")):
        setattr(owner, name, points.around(name, getattr(owner, name)))
      result = getattr(node.hyper, method)(*args)
      with open(path, "w") as stream:
        json.dump([getattr(result, "status", result), points.names], stream)

    said = child_processes.alone(call)
    if said is False and self.fatal.pop("then down", None):
      self.down.add(node)
    if said is not None:
      return self._failed(side, method, said or "the node daemon was killed")
    with open(path) as stream:
      result, self.points[(side, method)] = json.load(stream)
    return result, None

  def _failed(self, side, method, text):
    self.said.append("%s %s: %s" % (side, method, text))
    return None, text

  def migrate(self, at=None):
    """Do what C{gnt-instance migrate} does.

    @param at: called with the status at each look; and with C{"accepted"}
    @raise Failed: as the job fails

    """
    pair = self.pair
    assert self.primary is pair.source
    pair.source.instance.hvparams["migration_port"] = SENT_TO
    pair.target.instance.hvparams["migration_port"] = LISTENS
    info, err = self.rpc(SOURCE, "MigrationInfo", pair.source.instance)
    if err:
      raise Failed(err)
    info = pair.translated(info)
    err = self.rpc(TARGET, "AcceptInstance", pair.target.instance, info,
                   HERE)[1]
    if not err:
      if at:
        at("accepted")
      err = self.rpc(SOURCE, "MigrateInstance", "cluster", pair.source.instance,
                     HERE, True)[1]
    while not err:
      if at:
        at("status")
      status, err = self.rpc(SOURCE, "GetMigrationStatus", pair.source.instance)
      if status in ("failed", "cancelled"):
        err = "hypervisor returned failure"
      elif not err and status not in ("active", "postcopy-active"):
        break
      time.sleep(0.1)
    if err:
      self.abort(info)
      raise Failed(err)
    if at:
      at("completed")
    errs = [self.rpc(SOURCE, "FinalizeMigrationSource", pair.source.instance,
                     True, True)[1],
            self.rpc(TARGET, "FinalizeMigrationDst", pair.target.instance, info,
                     True)[1]]
    if any(errs):
      raise Failed("Could not finalize instance migration: %s" % errs)
    self.primary = pair.target

  def abort(self, info):
    """Undo a migration.

    @return: list of errors

    """
    pair = self.pair
    errs = [self.rpc(TARGET, "FinalizeMigrationDst", pair.target.instance, info,
                     False)[1],
            self.rpc(SOURCE, "FinalizeMigrationSource", pair.source.instance,
                     False, True)[1]]
    return [err for err in errs if err]

  def located(self):
    """Look where an instance is, as a cleanup does."""
    found = []
    for side in (SOURCE, TARGET):
      names, err = self.rpc(side, "ListInstances")
      if err:
        raise Failed(err)
      if self.node(side).instance.name in names:
        found.append(side)
    return found

  def cleanup(self):
    """Do what C{gnt-instance migrate --cleanup} does.

    @raise Failed: as the job fails

    """
    found = self.located()
    if len(found) == 2:
      info, err = self.rpc(SOURCE, "MigrationInfo", self.pair.source.instance)
      if err:
        raise Failed(err)
      errs = self.abort(self.pair.translated(info))
      if errs:
        raise Failed("cleanup failed: %s" % errs)
      found = self.located()
    if len(found) != 1:
      raise Failed("Instance runs on: %s" % found)
    self.primary = self.node(found[0])

  def turn(self):
    """Have the node that the instance is on be the source."""
    pair = self.pair
    if self.primary is not pair.source:
      pair.source, pair.target = pair.target, pair.source
