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

"""An option that QEMU does not know, so that only the plugin takes a guest.

On a node without the plugin, a q35 guest takes no hot-add and no cold boot
where Ganeti does not know q35 (2.16 to 3.1). Unmodified Ganeti would start a
QEMU for it all the same, and the guest would move there. So the command that
is sent to the target has one more word, which is a sentence. QEMU looks at all
options before it does anything, prints the first that it does not know, and
ends (after 0.02 to 0.07 s in 5.2, 7.2 and 10.0):

  qemu-system-x86_64: --ganeti-kvm-pci: SENTENCE: invalid option

Of C{-device} it would print up to three times what is between commas, after the
disks were opened; of C{-machine type=} or C{-object}, 5.2 prints a part only.

The plugin on the target removes the word. It never comes into a runtime file
(L{serialized}), of which a later start is made.

"""

#: What the word begins with. A space is in it, which no word of kvm_extra has.
_MARK = "--ganeti-kvm-pci: "

_WORD = _MARK + ("instance %s is a q35 guest and cannot move to a node without"
                 " ganeti-kvm-pci; enable it there (ganeti-kvm-pci enable"
                 " --restart) and migrate again")


def add(command, instance):
  """Have QEMU refuse a command.

  The word comes before all others: one of these may be unknown as well, to a
  QEMU that is newer than the source's.

  @type command: list of strings
  @type instance: string
  @param instance: its name
  @rtype: list of strings
  @return: a new command

  """
  return command[:1] + [_WORD % instance] + command[1:]


def may_be_in(words):
  """Tell whether L{remove} has to look.

  @type words: list of strings
  @param words: the command
  @rtype: bool

  """
  return "\0" + _MARK in "\0".join(words)


def remove(command):
  """Undo L{add}, also where it was done twice.

  @type command: list of strings and ints
  @rtype: list of strings and ints
  @return: a new command

  """
  return command[:1] + [word for word in command[1:]
                        if isinstance(word, int) or not word.startswith(_MARK)]
