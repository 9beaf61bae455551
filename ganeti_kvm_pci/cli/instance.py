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

"""The QEMU of an instance, for the commands that look at one."""

import contextlib
import os

from .. import chipset
from .. import config_reader
from .. import process
from ..errors import RuntimeFileError
from ..node import runtime_files
from ..qmp import device_lists
from ..qmp import queries
from ..runtime import serialized


#: Of each program whose QEMUs were asked, questions to answers: no guest is
#: asked for what another of the same program has told.
_ANSWERS = {}


class _Execute(object):
  """An C{execute} that shares what all QEMUs of one program say alike."""

  def __init__(self, connection):
    """Ask by a connection.

    @type connection: L{client.Connection}

    """
    self._execute = connection.execute
    found = connection.program()
    program = found and process.identity_of_program(found[0])
    self._kept = _ANSWERS.setdefault(
      repr((program, found[1])), {}) if program else {}

  def keep(self, question, put, fits):
    """Give an answer that is known, or ask: as L{kept_answers.Answers.of}."""
    if question not in self._kept:
      answer = put()
      if not fits(answer):
        return answer
      self._kept[question] = answer
    return self._kept[question]

  def __call__(self, command, arguments):
    return self._execute(command, arguments)


@contextlib.contextmanager
def monitor(known):
  """Connect to the QEMU of an instance of this node.

  @return: a context that gives C{execute}, see L{queries}
  @raise MonitorError: if QEMU cannot be reached

  """
  # Ganeti's client; only --live needs a Ganeti
  from ..qmp import client
  socket = os.path.join(runtime_files.control_dir("ctrl"),
                        known.instance + ".qmp")
  connection = client.Connection(socket)
  try:
    yield _Execute(connection)
  finally:
    connection.close()


def ask(execute, partition):
  """Ask for what is on the slots of a partition.

  @type partition: L{pools.Partition}
  @rtype: tuple of two lists: L{pci_functions.Function} and
      L{replies.Peripheral}

  """
  return device_lists.unchanging(execute, lambda look: (
    queries.functions(look, partition), queries.peripherals(look, partition)))


def parse(text, path):
  """Read a runtime file, and what it has QEMU read, if it is of this node.

  @rtype: L{serialized.Runtime}

  """
  loaded = serialized.parse(text, path)
  return (loaded if runtime_files.instance_of(path) is None
          else config_reader.fill(loaded))


def insist_own(known, path, *options):
  """Make sure that it is the guest of a file that would be asked.

  @type known: L{device_table.DeviceTable}
  @param known: what is in the file
  @param options: see L{runtime_files.own_instance}
  @raise NodeError: if the file is not one of this node's
  @raise RuntimeFileError: if it is of another instance by its command

  """
  instance = runtime_files.own_instance(path, *options)
  if known.instance != instance:
    raise RuntimeFileError(path, "its command is that of instance %s" %
                      known.instance)


def obstacle(known, path):
  """Tell why an instance is left to unmodified Ganeti, or None.

  A file that lies elsewhere names a program that nobody here has chosen.

  """
  return chipset.obstacle(known.command, known.hvparams,
                          runtime_files.instance_of(path) is not None)
