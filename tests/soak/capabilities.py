"""Migrations with C{migration_caps}, which are the cluster's."""

import cluster

from cluster import other
from kept_guest import agree

#: Those that every QEMU takes once it listens; 10.0 does not take C{multifd}.
_CAPS = ["xbzrle", "auto-converge", "xbzrle:auto-converge", "postcopy-ram",
         "postcopy-ram:xbzrle:auto-converge"]

#: The first major version that does not.
_NO_MULTIFD = 8

#: The plugin's own. It stays on where the source's node daemon was killed in a
#: migration: nobody is there to take it back, and the next one has it anyway.
_LEFT = "return-path"


def _set(caps):
  cluster.gnt("cluster", "modify", "-H", "kvm:migration_caps=" + caps)


def _on(guest):
  """List what is switched on in a guest's QEMU."""
  return sorted(cap["capability"] for cap in
                guest.vm.qmp("query-migrate-capabilities") if cap["state"])


class Capabilities(object):
  """Some of L{operations.Operations}."""

  def migrate_capabilities(self, guest):
    if not guest.runs:
      return None
    source = guest.vm.node()
    before = [cap for cap in _on(guest) if cap != _LEFT]
    major = guest.vm.qmp("query-version")["qemu"]["major"]
    caps = self.random.choice(_CAPS + ["multifd", "multifd:auto-converge"] *
                              (major < _NO_MULTIFD))
    _set(caps)
    try:
      how = self._sent(guest, caps.split(":"))
    finally:
      _set("")
    agree(guest.vm.node() == other(source), "%s: not migrated with %s: %s",
          guest, caps, self.said)
    agree(_on(guest) == before, "%s: has %s switched on, and had %s", guest,
          _on(guest), before)
    return "to %s, with %s%s" % (other(source), caps, how)

  def _sent(self, guest, caps):
    """Migrate it, and look at what is on while it is copied."""
    command, there = self._begun(guest)
    how = ", which was quicker"
    if there is not None:
      try:
        on = _on(guest)
        agree(set(caps) <= set(on), "%s: has %s switched on, not %s", guest, on,
              caps)
        if "postcopy-ram" in caps:
          # the guest runs on the target before all of its memory is there
          guest.vm.qmp("migrate-start-postcopy")
        else:
          guest.vm.qmp("migrate-set-parameters",
                       **{"max-bandwidth": 1 << 30, "downtime-limit": 10000})
        how = " at %s %%" % there
      except cluster.LabError as err: # it has moved
        how += " (%s)" % str(err)[-60:]
    done = self._ended(command)
    agree(done, "%s: not migrated with %s%s: %s", guest, caps, how, self.said)
    return how
