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

"""What a QEMU prints of itself, told from all else that may be printed there.

An exit status proves no success (see L{qemu_program}), and Ganeti takes what
C{-device ?} prints whatever it was: also what the dynamic linker says, or a
QEMU that does not find a module, as long as packages are being replaced.

"""

import re

from ganeti import constants
from ganeti import errors

from . import kept_answers
from . import qemu_program
from .errors import KvmPciError

#: In the program, as it is printed (QEMU 5.2 to 11.1).
_BANNER = "QEMU emulator version "

_CHUNK = 1 << 20


def _is_device_list(text):
  """Tell whether there are devices, headings, and nothing else."""
  # about 400 lines
  lines = [line for line in text.splitlines() if line]
  others = [line for line in lines if not line.startswith('name "')]
  return len(others) < len(lines) and \
    all(line.endswith(" devices:") for line in others)


#: By Ganeti's names of its questions.
_IS_ANSWER = {
  "help": lambda text: text.startswith(_BANNER),
  "mlist": re.compile(r"Supported mach\w+ .*:").match,
  "devicelist": _is_device_list,
  }


def is_answer(option, text):
  """Tell whether a text is what QEMU answers when nothing is amiss.

  @param option: a key of Ganeti's C{_KVMOPTS_CMDS}
  @type text: string
  @rtype: bool
  @return: False also for what is not known

  """
  return option in _IS_ANSWER and bool(_IS_ANSWER[option](text))


def is_qemu(path):
  """Tell whether a program is QEMU itself.

  One that starts another stays the same file when that is replaced, be it a
  script or compiled.

  @type path: string
  @rtype: bool

  """
  banner = _BANNER.encode("ascii")
  try:
    with open(path, "rb") as stream:
      end = b""
      for chunk in iter(lambda: stream.read(_CHUNK), b""):
        if banner in end + chunk:
          return True
        end = chunk[-len(banner):]
  except (EnvironmentError, TypeError, ValueError): # no name of a file
    pass
  return False


def kept(folder, path, option, ask):
  """Ask a program for what it prints, or know it from before.

  @type folder: string
  @param folder: where it is kept
  @type path: string
  @param path: the program
  @type option: string
  @param option: Ganeti's name of the question, see L{is_answer}
  @type ask: function
  @param ask: asks the program
  @rtype: string
  @raise Exception: what C{ask} raises

  """
  if str is bytes: # Python 2, where JSON gives another type
    return ask()
  asked = []

  def note():
    asked.append(ask())
    return asked[-1]

  def is_the_same(text):
    try:
      return text == note()
    except (errors.GenericError, KvmPciError): # the first time, it answered
      return False

  def fits(text):
    return (isinstance(text, str) and is_answer(option, text) and
            (not asked or (is_qemu(path) and is_the_same(text))))

  def identify():
    found = qemu_program.identity(path)
    return found and dict(found, ganeti=constants.RELEASE_VERSION)

  return kept_answers.Answers(folder, identify).of(option, note, fits)
