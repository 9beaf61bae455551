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

"""Guests that run on another node, and what is still of them on this one.

In postcopy, the target runs the guest, and the source sends the rest of its
memory. Neither QEMU can do without the other until all is sent. Where the
connection breaks, both wait for a new one, and the source cannot resume the
guest (7.2).

"""

from ganeti import errors

from .qmp import queries

#: Once the connection broke. Ganeti does not tell a hypervisor the address when
#: it asks how far a migration is. Its cleanup (2.10 to master) fails where
#: neither QEMU is left.
_RECOVER = (
  "end neither QEMU, and send neither of them stop or migrate_cancel. As soon"
  " as the nodes reach each other, give the human monitor of the target's QEMU"
  " migrate_recover tcp:ADDRESS:%(port)s, and then that of the source's migrate"
  " -d -r tcp:ADDRESS:%(port)s (ADDRESS is the target's); when info migrate"
  " says completed there, run gnt-instance migrate --cleanup %(name)s. Only if"
  " one of the two has ended, or the target's never answers again, the guest is"
  " lost: end what is left of both (kill -9), shut the instance down and start"
  " it")

#: While it is sent.
_WAIT = (
  "wait until info migrate at the human monitor of the source's QEMU says"
  " completed, and run gnt-instance migrate --cleanup %(name)s")

#: Of a QEMU whose monitor does not answer.
_HANGS = (
  "this QEMU does not answer, since it waits for that memory itself. If info"
  " migrate at the human monitor of the source's QEMU says postcopy-paused, or"
  " that has ended, the guest is lost: end this process (kill -9 %(pid)s) and"
  " the source's, shut the instance down and start it. Otherwise, wait until it"
  " says completed, and run gnt-instance migrate --cleanup %(name)s")

#: Of the target's QEMU. The source may resume the guest until it knows that the
#: target runs it (10.2 and later).
_TAKEN_BACK = (
  ". But if it says failed there, and info status says running, the source has"
  " taken the guest back: end this process at once (kill -9 %(pid)s), and run"
  " gnt-instance migrate --cleanup %(name)s")

#: What C{query-migrate} says on both sides while no connection is there.
PAUSED = "postcopy-paused"


def remedy(state, instance, pid, is_target=False):
  """Say what is to be done so that a guest in postcopy is whole again.

  @type state: string or None
  @param state: as of L{queries.postcopy}; None if QEMU does not answer
  @type pid: int
  @param pid: of this QEMU
  @type is_target: bool
  @param is_target: whether this is the target's node
  @rtype: string

  """
  text = _HANGS if state is None else _RECOVER if state == PAUSED else _WAIT
  return (text + _TAKEN_BACK * is_target) % {
    "name": instance.name, "pid": pid,
    "port": instance.hvparams["migration_port"]}


def refuse(execute, instance, pid, what):
  """Refuse to take for the guest a QEMU that it has left, or is leaving.

  @param execute: see L{queries}
  @type pid: int
  @param pid: of this QEMU
  @type what: string
  @param what: what is not done with it
  @raise errors.HypervisorError: if it runs on another node
  @raise MonitorError: if QEMU does not answer

  """
  state = queries.postcopy(execute)
  if state:
    raise errors.HypervisorError(
      "Instance %s is not %s: its guest runs on the target since postcopy"
      " began, and a part of its memory is still here: %s" % (
        instance.name, what, remedy(state, instance, pid)))
  if queries.has_left(execute):
    raise errors.HypervisorError(
      "Instance %s is not %s. This QEMU is paused after a migration that"
      " completed: if the guest runs on another node, end this process (kill"
      " %d) and run gnt-instance migrate --cleanup; only if it runs nowhere,"
      " resume it here (cont at QEMU's monitor)" % (instance.name, what, pid))
